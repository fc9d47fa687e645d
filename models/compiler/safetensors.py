"""Reading safetensors files without torch: headers at once, weights when they are asked for.

The format is 8 bytes of length, a JSON header, and the tensors (https://github.com/huggingface/safetensors#format). Its
numpy reader has no bfloat16, which is why the files are read here. The weights stay on disk until `Tensor.rows` asks
for some of their rows, so a compiler can stream a model that is larger than the memory.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from sluicegate.schemas.errors import CheckpointError

FloatType = Literal["float32", "float16", "bfloat16"]

_FLOAT_TYPES: dict[str, FloatType] = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
# numpy has no bfloat16. Its bits are read as uint16: they are the upper half of a float32.
_ON_DISK: dict[FloatType, np.dtype[np.generic]] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "bfloat16": np.dtype("<u2"),
}
_HEADER_LIMIT = 100_000_000  # bytes; the limit of the safetensors format itself


class Weight(Protocol):
    """A matrix or vector whose rows can be read as float32, some at a time."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> FloatType:
        """The type that it is stored in. `rows` always returns float32."""

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Rows `start` to `stop`, in an array that the caller may change."""


@dataclass(frozen=True)
class Tensor:
    """A tensor in a safetensors file. It is read on demand."""

    name: str
    path: Path
    offset: int
    dtype: FloatType
    shape: tuple[int, ...]

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Read some rows.

        The file is read, not mapped: the pages of a mapping would count as memory of this process.

        Raises:
            CheckpointError: the file has changed, or a value is not finite.
        """
        stored = _ON_DISK[self.dtype]
        width = int(np.prod(self.shape[1:], dtype=np.int64))
        offset = self.offset + start * width * stored.itemsize
        flat = np.fromfile(self.path, stored, (stop - start) * width, offset=offset)
        if flat.size != (stop - start) * width:
            raise CheckpointError(f"{self.path} became shorter while it was read. Download it again.")
        if self.dtype == "bfloat16":
            values = (flat.astype(np.uint32) << 16).view(np.float32)
        else:
            values = flat.astype(np.float32)
        if not np.isfinite(values).all():
            raise CheckpointError(f"{self.path}: {self.name} has values that are not finite: the training diverged.")
        return values.reshape(stop - start, *self.shape[1:])


class _TensorHeader(msgspec.Struct):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read the header of a safetensors file, and check it against the file's length.

    Raises:
        CheckpointError: the file is missing or damaged, or a tensor has another type than a plain float.
    """
    damaged = f"{path} is damaged"
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, _HEADER_LIMIT):
                raise CheckpointError(f"{damaged}: {size} bytes are too few for its header. Download it again.")
            raw = msgspec.json.decode(file.read(length), type=dict[str, msgspec.Raw])
            raw.pop("__metadata__", None)
            headers = {name: msgspec.json.decode(value, type=_TensorHeader) for name, value in raw.items()}
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing: copy or download the whole folder again.") from error
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise CheckpointError(f"{damaged}: {error}. Download it again.") from error
    expected = 8 + length + max((header.data_offsets[1] for header in headers.values()), default=0)
    if size != expected:
        raise CheckpointError(f"{damaged}: it has {size} bytes, its header says {expected}. Download it again.")
    return {name: _tensor(path, name, header, 8 + length) for name, header in headers.items()}


def _tensor(path: Path, name: str, header: _TensorHeader, data: int) -> Tensor:
    dtype = _FLOAT_TYPES.get(header.dtype)
    if dtype is None:
        raise CheckpointError(
            f"{path}: {name} is {header.dtype}, expected F32, F16 or BF16: use a checkpoint that is not quantized."
        )
    start, stop = header.data_offsets
    size = math.prod(header.shape) * _ON_DISK[dtype].itemsize
    if start < 0 or stop - start != size or min(header.shape, default=0) < 1:
        raise CheckpointError(f"{path} is damaged: {name} has impossible offsets in the header. Download it again.")
    return Tensor(name, path, data + start, dtype, header.shape)
