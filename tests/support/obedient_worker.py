"""A worker whose model does what the query says: `hang` takes a minute, `slow` 50 ms, everything else no time."""

import time
from collections.abc import Sequence

from benchmarks.null_worker import NullEngine
from sluicegate.agents.deciding.live_models import LoadedModels
from sluicegate.agents.process.start import run_worker
from sluicegate.agents.settings import Settings, load_settings
from sluicegate.models.artifacts.registry import served_from
from sluicegate.models.inference.judge import EncodedQuery, ModelResult

_SECONDS = {"hang": 60.0, "slow": 0.05}


class _ObedientEngine(NullEngine):
    def judge(self, batch: Sequence[EncodedQuery]) -> list[ModelResult]:
        for query in batch:
            time.sleep(_SECONDS.get(query.text.split()[0], 0))
        return super().judge(batch)


def _load(settings: Settings) -> LoadedModels:
    served = served_from(settings.model)
    return LoadedModels(served, {served.model: _ObedientEngine(settings)})


if __name__ == "__main__":
    run_worker(load_settings(), _load)
