"""Where and how a compiled model runs."""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import ctranslate2

from sluicegate.schemas.errors import CompiledModelError

Device = Literal["cpu", "cuda"]

_SMALL: Final = 50_000_000
"""Parameters below which a model runs once, with one thread: several would wait for each other more than they compute.
"""

_CUBLAS: Final = "libcublas.so.12"

_MOST: Final = 4
"""Copies of a large model, and threads of each, that are chosen without a measurement."""

_VECTOR_UNITS: Final = "CT2_FORCE_CPU_ISA"
_AVX512: Final = frozenset({"avx512f", "avx512cd", "avx512vl", "avx512dq", "avx512bw", "avx512_bf16"})
"""What CTranslate2 needs for AVX-512; and bfloat16, because CPUs that have it do not lower their clock for AVX-512."""


@dataclass(frozen=True)
class Placement:
    """The device, the type of its arithmetic, and how many calls run at once with how many threads each."""

    device: Device
    compute_type: str
    threads: int
    replicas: int

    @classmethod
    def chosen(cls, device: Device, compute_type: str, threads: int, replicas: int, parameters: int) -> "Placement":
        """The placement of a model with so many `parameters`; 0 `threads` or `replicas` are chosen here.

        A large model on a CPU gets a copy for each core, with one thread: two threads of one copy wait for each other
        at the end of every operation, and for Python between two batches. The copies share the weights.
        """
        if device == "cuda":
            return cls(device, compute_type, threads, replicas or 1)
        if parameters < _SMALL:
            return cls(device, compute_type, threads or 1, replicas or 1)
        cores = len(os.sched_getaffinity(0))
        replicas = replicas or max(1, min(cores // (threads or 1), _MOST))
        return cls(device, compute_type, threads or max(1, min(cores // replicas, _MOST)), replicas)

    def load(self, model_class: Any, folder: Path) -> Any:
        """The CTranslate2 model of `folder`, an instance of `model_class`.

        Raises:
            CompiledModelError: it cannot be loaded like this.
        """
        if self.device == "cuda":
            check_cuda()
        else:
            prefer_avx512()
        try:
            return model_class(
                str(folder),
                device=self.device,
                compute_type=self.compute_type,
                inter_threads=self.replicas,
                intra_threads=self.threads,
            )
        except (RuntimeError, ValueError) as error:
            raise CompiledModelError(
                f"cannot load {folder} on {self.device} as {self.compute_type}: {error}. "
                "Compile the model again, or choose another device or type."
            ) from None


def prefer_avx512() -> None:
    """Make CTranslate2 use AVX-512 if this CPU has it. By default it uses AVX2.

    To be called before the first model of the process is loaded: CTranslate2 looks once. A variable that is already set
    takes precedence. A call of Qwen3-0.6B's shape in int8 needed about 6 % less CPU time on an Intel Xeon (Sapphire
    Rapids), as CTranslate2 quantises activations faster. On an AMD EPYC (Zen 4) nothing changed.
    """
    if _VECTOR_UNITS not in os.environ and _cpu_flags() >= _AVX512:
        os.environ[_VECTOR_UNITS] = "AVX512"


def _cpu_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())


def check_cuda() -> None:
    """Find what CTranslate2 would miss only at the first query.

    Raises:
        CompiledModelError: there is no GPU, or no cuBLAS of the CUDA version that CTranslate2 is built for.
    """
    if not ctranslate2.get_cuda_device_count():
        raise CompiledModelError("SLUICE_DEVICE is cuda, but there is no NVIDIA GPU with a driver: set it to cpu.")
    try:
        ctypes.CDLL(_CUBLAS)
    except OSError as error:
        raise CompiledModelError(
            f"CTranslate2 needs cuBLAS of CUDA 12 ({error}): pip install nvidia-cublas-cu12, and add its folder lib to "
            "LD_LIBRARY_PATH."
        ) from None
