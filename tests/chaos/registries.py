"""Breaks the registry that the workers follow, in each way that an operator or a full disk can."""

import shutil
import time
from typing import Final

import orjson

from sluicegate.models.artifacts.deployment import DEPLOYMENT_FILE
from sluicegate.models.artifacts.manifest import WEIGHTS_FILE
from tests.chaos.scenario import Chaos
from tests.support.worker_process import wait_for

_GARBAGE: Final = (
    b"",
    b"\0" * 4096,
    b'{"versions": ["a\\u0000b@000000000000"]}',
    b'{"versions": ["../../../etc@000000000000"]}',
    b'{"versions": ' + b"[" * 900_000,
    b" " * 2_000_000,
    b'{"versions": ["gone@000000000000"]}',
)
_NOTICED_WITHIN_S: Final = 30.0


def break_registry(chaos: Chaos) -> None:
    """Write garbage, delete the file, name a candidate without files and one whose files grow; then restore it."""
    file = chaos.registry.folder / DEPLOYMENT_FILE
    good = file.read_bytes()
    in_use = chaos.registry.deployment().versions[-1]
    for content in (*_GARBAGE, None):
        if content is None:
            file.unlink()
        else:
            file.write_bytes(content)
        _await_problem(chaos, "")
        file.write_bytes(good)
        _await_no_problem(chaos)
    candidates = {"gone@000000000000": False, "late@000000000000": True}
    for candidate, arrives in candidates.items():
        trial = {"version": candidate, "mode": "canary", "share": 1}
        file.write_bytes(orjson.dumps({"versions": [in_use], "candidate": trial}))
        if arrives:
            _copy_slowly(chaos, in_use, candidate)
        _await_problem(chaos, f"refused {candidate}")
    file.write_bytes(good)
    _await_no_problem(chaos)


def _copy_slowly(chaos: Chaos, in_use: str, candidate: str) -> None:
    """Copy a model for some seconds, and leave its weights incomplete."""
    source, arriving = chaos.registry.folder / in_use, chaos.registry.folder / candidate
    shutil.copytree(source, arriving, ignore=shutil.ignore_patterns(WEIGHTS_FILE))
    weights = (source / WEIGHTS_FILE).read_bytes()
    for share in range(1, 10):
        (arriving / WEIGHTS_FILE).write_bytes(weights[: len(weights) * share // 10])
        time.sleep(0.5)


def _await_problem(chaos: Chaos, named: str) -> None:
    """Wait until every worker reports a problem that contains `named`, and still serves its model."""
    for number in range(len(chaos.workers)):
        wait_for(
            lambda number=number: named in chaos.models_of(number) and ";" in chaos.models_of(number),  # type: ignore[misc]
            _NOTICED_WITHIN_S,
            f"worker {number} does not report the broken registry {named}",
        )


def _await_no_problem(chaos: Chaos) -> None:
    for number in range(len(chaos.workers)):
        wait_for(
            lambda number=number: ";" not in chaos.models_of(number),  # type: ignore[misc]
            _NOTICED_WITHIN_S,
            f"worker {number} does not follow the repaired registry",
        )
