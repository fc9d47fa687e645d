"""A worker with a scripted model: ``python -m tests.chaos.worker``.

The first word of a query (allow, block, review) is its verdict. While the file that CHAOS_MODEL_FAULT names contains
"raise", "hang", "garbage" or "memory", the model fails in that way. With SLUICE_SECOND_MODEL there is a second model of
the same kind, which fails as CHAOS_SECOND_FAULT says.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sluicegate.agents.deciding.live_models import LoadedModels
from sluicegate.agents.process.start import run_worker
from sluicegate.agents.settings import Settings, load_settings
from sluicegate.models.artifacts.manifest import read_manifest
from sluicegate.models.artifacts.registry import served_from
from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from sluicegate.models.inference.labels import LABELS, Category
from sluicegate.models.inference.policy import Policy, PolicyResult, Verdict
from sluicegate.schemas.reason_codes import PolicyCode

HANG_S: Final = 4.0

_PROBABILITIES: Final = dict.fromkeys(LABELS, 0.0) | {"allow": 1.0}
_HASH: Final = "0" * 64


class ScriptedEngine:
    """A `Judge` that needs no model."""

    cost = BatchCost(call=0.01, token=0, step=0, member=0, answer=0)
    replicas = 1

    def __init__(self, settings: Settings, fault: Path) -> None:
        self.manifest = read_manifest(served_from(settings.model).model)
        self.policy = Policy.layered(self.manifest.thresholds)
        self._fault = fault

    def encode(self, text: str, _locale: str | None = None, *, correct: bool = True) -> EncodedQuery:
        """One token per word."""
        del correct
        return EncodedQuery(text, tuple(text.split()))

    def is_name(self, word: str) -> bool:
        """Nothing is parted."""
        del word
        return True

    def judge(self, batch: Sequence[EncodedQuery]) -> list[ModelResult]:
        """Judge each query by its first word, or fail as the file says."""
        match self._fault.read_text() if self._fault.exists() else "":
            case "raise":
                raise RuntimeError(f"an error that quotes its queries: {batch}")
            case "memory":
                raise MemoryError
            case "hang":
                time.sleep(HANG_S)
            case "garbage":
                return [_model_result(query) for query in batch][1:]
        return [_model_result(query) for query in batch]


def _model_result(query: EncodedQuery) -> ModelResult:
    verdict = Verdict(query.tokens[0])
    category = None if verdict is Verdict.ALLOW else Category.SPAM
    return ModelResult(
        PolicyResult(verdict, category, 1.0, PolicyCode.BELOW_EVERY_THRESHOLD),
        lexical=query.text,
        semantic=query.text,
        probabilities=_PROBABILITIES,
        prompt_hash=_HASH,
        output_hash=_HASH,
        input_tokens=len(query.tokens),
        output_tokens=1,
    )


def _load(settings: Settings) -> LoadedModels:
    served = served_from(settings.model)
    engine = ScriptedEngine(settings, Path(os.environ["CHAOS_MODEL_FAULT"]))
    return LoadedModels(served, {served.model: engine}, second=_second(settings.of_second_model))


def _second(settings: Settings | None) -> LoadedModels | None:
    if settings is None:
        return None
    served = served_from(settings.model)
    engine = ScriptedEngine(settings, Path(os.environ["CHAOS_SECOND_FAULT"]))
    return LoadedModels(served, {served.model: engine})


if __name__ == "__main__":
    run_worker(load_settings(), _load)
