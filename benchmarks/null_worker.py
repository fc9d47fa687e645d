"""A worker whose model takes no time, to measure the rest of the pipeline. Run it in place of ``sluice worker``."""

from collections.abc import Sequence

from sluicegate.agents.deciding.live_models import LoadedModels
from sluicegate.agents.process.start import run_worker
from sluicegate.agents.settings import Settings, load_settings
from sluicegate.models.artifacts.manifest import read_manifest
from sluicegate.models.artifacts.registry import served_from
from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from sluicegate.models.inference.labels import LABELS, Intent
from sluicegate.models.inference.policy import Policy, PolicyResult, Verdict
from sluicegate.schemas.reason_codes import PolicyCode

_PROBABILITIES = dict.fromkeys(LABELS, 0.0) | {"allow": 1.0}
_HASH = "0" * 64


class NullEngine:
    """A judge that allows every query unchanged."""

    cost = BatchCost(call=0.01, token=0, step=0, member=0, answer=0)
    replicas = 1

    def __init__(self, settings: Settings) -> None:
        self.manifest = read_manifest(settings.model)
        self.policy = Policy.layered(self.manifest.thresholds)

    def encode(self, text: str, _locale: str | None = None, *, correct: bool = True) -> EncodedQuery:
        """One token per word."""
        del correct
        return EncodedQuery(text, tuple(text.split()), truncated=False)

    def is_name(self, word: str) -> bool:
        """Nothing is parted."""
        del word
        return True

    def judge(self, batch: Sequence[EncodedQuery]) -> list[ModelResult]:
        """The same result for every query."""
        policy_result = PolicyResult(Verdict.ALLOW, None, 1.0, PolicyCode.BELOW_EVERY_THRESHOLD)
        return [
            ModelResult(
                policy_result,
                lexical=query.text,
                semantic=query.text,
                probabilities=_PROBABILITIES,
                intent=Intent.PRODUCT_SEARCH,
                prompt_hash=_HASH,
                output_hash=_HASH,
                input_tokens=len(query.tokens),
                output_tokens=1,
            )
            for query in batch
        ]


def _load(settings: Settings) -> LoadedModels:
    served = served_from(settings.model)
    return LoadedModels(served, {served.model: NullEngine(settings)})


if __name__ == "__main__":
    run_worker(load_settings(), _load)
