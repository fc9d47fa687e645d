"""A screen and a second model whose probabilities a test knows, and which fail as it says."""

import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sluicegate.agents.deciding.live_models import LiveModels, LoadedModels
from sluicegate.agents.settings import load_settings
from sluicegate.models.artifacts.registry import ServedModels
from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from tests.support.word_judge import WordJudge

UNSURE: Mapping[str, float] = {"allow": 0.6, "illicit": 0.4}
"""The screen's default thresholds review this."""
SURE: Mapping[str, float] = {"allow": 0.02, "illicit": 0.98}
"""They block this."""


class SecondJudge(WordJudge):
    """A second model that hangs while `hold` is set, and fails while `error` is."""

    def __init__(self, folder: Path, words: Mapping[str, Mapping[str, float]]) -> None:
        super().__init__(folder, words)
        self.error: Exception | None = None
        self.going_on = threading.Event()
        self.going_on.set()

    def judge(self, batch: Sequence[EncodedQuery]) -> list[ModelResult]:
        self.going_on.wait(30)
        if self.error:
            raise self.error
        return super().judge(batch)


@asynccontextmanager
async def both_serving(screen: WordJudge, second: WordJudge, **given: object) -> AsyncIterator[LiveModels[None]]:
    """The two models in service, with these settings."""
    settings = load_settings(model=Path("screen"), second_model=Path("second"), **given)
    async with LiveModels[None].running(loaded(screen, second), settings) as live_models:
        yield live_models


def loaded(screen: WordJudge, second: WordJudge) -> LoadedModels:
    """Both, as `load_models` gives them."""
    of_second = LoadedModels(ServedModels(Path("second")), {Path("second"): second})
    return LoadedModels(ServedModels(Path("screen")), {Path("screen"): screen}, second=of_second)
