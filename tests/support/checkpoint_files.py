"""Take the files of a checkpoint apart and write them again with a change; compile the reference checkpoint.

The references in tests/fixtures/qwen3_random were made once, by tests/fixtures/make_qwen3_random.py.
"""

import json
import shutil
from pathlib import Path

import msgspec

from sluicegate.models.artifacts.manifest import Manifest, Quantization
from sluicegate.models.compiler.compile import compile_checkpoint

FIXTURE = Path(__file__).parents[1] / "fixtures" / "qwen3_random"


def compile_to(
    destination: Path, source: Path = FIXTURE / "checkpoint", quantization: Quantization = "float32", **more: object
) -> Manifest:
    return compile_checkpoint(
        source,
        destination,
        quantization=quantization,
        prompt_style="zero_shot",
        **more,  # type: ignore[arg-type]  # each test names the options it is about
    )


def edit_json(path: Path, **fields: object) -> None:
    content = {**json.loads(path.read_text()), **fields}
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not ...}))


def split_safetensors(path: Path) -> tuple[dict[str, dict[str, list[int]]], bytes]:
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    return msgspec.json.decode(raw[8 : 8 + length]), raw[8 + length :]


def write_safetensors(path: Path, header: object, data: bytes) -> None:
    encoded = json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + data)


def split_in_two(source: Path, destination: Path) -> Path:
    """The same checkpoint in two shards."""
    shutil.copytree(source, destination)
    header, data = split_safetensors(destination / "model.safetensors")
    (destination / "model.safetensors").unlink()
    names = sorted(header.keys() - {"__metadata__"})
    weight_map = {}
    for number, part in enumerate((names[::2], names[1::2])):
        pieces, shard, offset = [], {}, 0
        for name in part:
            start, stop = header[name]["data_offsets"]
            pieces.append(data[start:stop])
            shard[name] = {**header[name], "data_offsets": [offset, offset + stop - start]}
            offset += stop - start
        file = f"part-{number}.safetensors"
        weight_map.update(dict.fromkeys(part, file))
        write_safetensors(destination / file, shard, b"".join(pieces))
    (destination / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return destination


def truncate(path: Path, by: int) -> None:
    path.write_bytes(path.read_bytes()[:-by])
