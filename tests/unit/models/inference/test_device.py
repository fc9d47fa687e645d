"""How many copies of a model run, with how many threads each, where nobody says it."""

import os
import subprocess
import sys
from pathlib import Path

import ctranslate2
import pytest

from sluicegate.agents.settings import EMBEDDED_MODEL
from sluicegate.models.inference import device
from sluicegate.models.inference.device import Placement
from sluicegate.schemas.errors import CompiledModelError

SMALL, LARGE = 12_000_000, 600_000_000
LOADS_A_MODEL = """
import sys, ctranslate2, pathlib
from sluicegate.models.inference.device import Placement
Placement("cpu", "default", 1, 1).load(ctranslate2.Encoder, pathlib.Path(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("cores", "parameters", "asked", "chosen"),
    [
        (1, LARGE, (0, 0), (1, 1)),
        (2, LARGE, (0, 0), (1, 2)),
        (8, LARGE, (0, 0), (2, 4)),
        (64, LARGE, (0, 0), (4, 4)),
        (4, LARGE, (2, 0), (2, 2)),
        (4, LARGE, (0, 1), (4, 1)),
        (2, LARGE, (8, 0), (8, 1)),
        (4, LARGE, (3, 5), (3, 5)),
        (8, SMALL, (0, 0), (1, 1)),
        (8, SMALL, (0, 2), (1, 2)),
    ],
)
def test_a_large_model_uses_all_cores_first_by_copies_then_by_threads(
    monkeypatch: pytest.MonkeyPatch, cores: int, parameters: int, asked: tuple[int, int], chosen: tuple[int, int]
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    placement = Placement.chosen("cpu", "int8", *asked, parameters)
    assert (placement.threads, placement.replicas) == chosen


@pytest.mark.parametrize(
    ("gpus", "said"),
    [
        (0, "SLUICE_DEVICE is cuda, but there is no NVIDIA GPU with a driver: set it to cpu."),
        (1, r"CTranslate2 needs cuBLAS of CUDA 12 \(libcublas.so.0: .*\): pip install nvidia-cublas-cu12"),
    ],
)
def test_what_a_gpu_lacks_is_said_before_the_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gpus: int, said: str
) -> None:
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: gpus)
    monkeypatch.setattr(device, "_CUBLAS", "libcublas.so.0")
    with pytest.raises(CompiledModelError, match=said) as refused:
        Placement("cuda", "auto", 0, 1).load(ctranslate2.Generator, tmp_path)
    assert "\n" not in str(refused.value)


def test_one_copy_runs_on_a_gpu() -> None:
    assert Placement.chosen("cuda", "auto", 0, 0, LARGE) == Placement("cuda", "auto", 0, 1)


@pytest.mark.parametrize("forced", [None, "GENERIC"], ids=["nothing set", "set by the user"])
def test_ctranslate2_uses_avx512_where_the_cpu_has_it_unless_the_user_says_otherwise(forced: str | None) -> None:
    flags = frozenset(Path("/proc/cpuinfo").read_text().split())
    chosen = forced or ("AVX512" if flags >= device._AVX512 else "AVX2")
    environment = {name: value for name, value in os.environ.items() if name != "CT2_FORCE_CPU_ISA"}
    done = subprocess.run(
        [sys.executable, "-c", LOADS_A_MODEL, str(EMBEDDED_MODEL)],
        env=environment | {"CT2_VERBOSE": "1"} | ({"CT2_FORCE_CPU_ISA": forced} if forced else {}),
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert f"Selected ISA: {chosen}\n" in done.stderr
