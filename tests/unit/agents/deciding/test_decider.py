"""A model that fails: refused at start where it can be, and else never silently."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sluicegate.agents.deciding.decider import Decider, load_engine
from sluicegate.agents.settings import load_settings
from sluicegate.models.inference.engine import Engine
from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from sluicegate.models.inference.labels import Category
from sluicegate.models.text.speller import Correction
from sluicegate.schemas.errors import CompiledModelError
from sluicegate.schemas.events import Suggestion
from tests.support.compiled import compiled_tiny, edit_manifest


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A model whose every probability is infinite, and which loads all the same."""
    folder = compiled_tiny(tmp_path / "model", "embedded")
    edit_manifest(folder, temperature=1e-42)
    return folder


def test_a_model_that_cannot_judge_is_refused_before_it_serves(broken: Path) -> None:
    with np.errstate(all="ignore"), pytest.raises(CompiledModelError, match=r"cannot judge: .* not finite"):
        load_engine(load_settings(model=broken))


@pytest.mark.filterwarnings("ignore:overflow")
async def test_a_failing_model_is_logged_once_for_many_events(broken: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = load_settings(model=broken)
    async with Decider[None].running(Engine(broken), settings) as decider:
        decisions = [await decider.decide(f"red shoes {n}", None) for n in range(5)]
    assert {decision.degraded for decision in decisions} == {"EngineFailed"}
    [line] = [record.getMessage() for record in caplog.records if record.name == "sluicegate.agents.deciding.decider"]
    assert line.startswith("deciding without the model (fail closed): EngineFailed: ")
    assert "red shoes" not in line


async def test_equal_queries_get_equal_decisions_that_say_where_they_came_from(tmp_path: Path) -> None:
    settings = load_settings(model=compiled_tiny(tmp_path / "model", "embedded"))
    async with Decider[None].running(load_engine(settings), settings) as decider:
        texts = ("red shoes", "  red\u200b shoes ")  # equal once they are normalised
        first, joined = await asyncio.gather(*(decider.decide(text, None) for text in texts))
        later = await decider.decide("red shoes", None)
    assert [decision.answered_by for decision in (first, joined, later)] == ["model", "in_flight", "cache"]
    assert first.model_result == joined.model_result == later.model_result
    assert first.normalisation != joined.normalisation


class StuckJudge(Engine):
    """A real model that answers only when released."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.release = threading.Event()

    def judge(self, batch: Sequence[EncodedQuery]) -> list[ModelResult]:
        self.release.wait(30)
        return super().judge(batch)


async def test_every_copy_of_the_model_has_a_batch_of_its_own(tmp_path: Path) -> None:
    folder = compiled_tiny(tmp_path / "model", "embedded")
    both = threading.Barrier(2)

    class Pair(Engine):
        """A real model that answers only when it is asked about two batches at once."""

        def judge(self, batch: Sequence[EncodedQuery]) -> list[ModelResult]:
            both.wait(30)
            return super().judge(batch)

    settings = load_settings(model=folder, batch_size=1)
    async with Decider[None].running(Pair(folder, replicas=2), settings) as decider:
        decisions = await asyncio.gather(*(decider.decide(text, None) for text in ("red shoes", "blue hats")))
    assert [decision.answered_by for decision in decisions] == ["model", "model"]
    assert not any(decision.degraded for decision in decisions)


async def test_only_the_workers_own_deadline_opens_the_gate(tmp_path: Path) -> None:
    folder = compiled_tiny(tmp_path / "model", "embedded")
    settings = load_settings(model=folder, deadline_ms=200, shed_after_ms=1_000, fail="open")
    judge = StuckJudge(folder)
    async with Decider[None].running(judge, settings) as decider:
        decisions = await asyncio.gather(
            decider.decide("red shoes", None),
            decider.decide("blue shoes", None, deadline_ms=500),
            decider.decide("green shoes", None, deadline_ms=100),
            decider.decide("black shoes", None, deadline_ms=1),
            decider.decide("old shoes", None, age_s=0.9),
            decider.decide("older shoes", None, age_s=2),
        )
        judge.release.set()
    reasons = [decision.model_result.policy_result.reason for decision in decisions]
    assert reasons == ["fail_open", "fail_open", *["fail_closed"] * 4]
    assert {decision.degraded for decision in decisions} == {"DeadlineExceeded"}


@pytest.mark.filterwarnings("ignore:overflow")
async def test_a_failing_model_opens_the_gate_whatever_the_deadline(broken: Path) -> None:
    settings = load_settings(model=broken, fail="open")
    async with Decider[None].running(Engine(broken), settings) as decider:
        decision = await decider.decide("red shoes", None, deadline_ms=5_000)
    assert (decision.degraded, decision.model_result.policy_result.reason) == ("EngineFailed", "fail_open")


async def test_the_codes_of_a_cut_query_stay_with_it(tmp_path: Path) -> None:
    settings = load_settings(model=compiled_tiny(tmp_path / "model", "embedded"), max_query_tokens=8)
    async with Decider[None].running(load_engine(settings), settings) as decider:
        cut, joined = await asyncio.gather(*(decider.decide(text, None) for text in ("bookshopper", "bookshopping")))
        whole = await decider.decide(cut.text, None)
    assert cut.text == joined.text == whole.text == "bookshop"
    assert [decision.answered_by for decision in (cut, joined, whole)] == ["model", "in_flight", "cache"]
    assert "truncated_tokens" in cut.reason_codes
    assert "truncated_tokens" in joined.reason_codes
    assert "truncated_tokens" not in whole.reason_codes


async def test_a_query_that_is_too_old_is_decided_by_the_policy_at_once(tmp_path: Path) -> None:
    settings = load_settings(model=compiled_tiny(tmp_path / "model", "embedded"), shed_after_ms=500)
    async with Decider[None].running(load_engine(settings), settings) as decider:
        fresh = await decider.decide("red shoes", None, age_s=0.1)
        stale = await decider.decide("blue shoes", None, age_s=0.6)
    assert (fresh.answered_by, fresh.degraded) == ("model", None)
    assert (stale.answered_by, stale.degraded) == ("policy", "DeadlineExceeded")
    assert stale.model_result.policy_result.reason == "fail_closed"


async def test_the_locale_reaches_the_speller_and_its_suggestions_the_decision(tmp_path: Path) -> None:
    asked: list[tuple[str, str | None]] = []

    class Offering(Engine):
        def encode(self, text: str, locale: str | None = None, *, correct: bool = True) -> EncodedQuery:
            query = super().encode(text, locale, correct=correct)
            if not correct:
                return query
            asked.append((text, locale))
            offered = Suggestion(text="bike shed", probability=0.6)
            return replace(query, correction=Correction(text, suggestions=(offered,)))

    folder = compiled_tiny(tmp_path / "model", "embedded")
    tolerant = {category.value: {"allow": 1.0, "block": 1.1} for category in Category}
    settings = load_settings(model=folder, thresholds=tolerant)
    async with Decider[None].running(Offering(folder, thresholds=settings.thresholds), settings) as decider:
        decision = await decider.decide("bike ched", None, locale="en-GB")
    assert asked == [("bike ched", "en-GB")]  # not what is offered: that is only judged
    assert [suggestion.text for suggestion in decision.suggestions] == ["bike shed"]
