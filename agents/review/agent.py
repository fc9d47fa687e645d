"""The review agent: review events in, and for each one allowed, blocked, dead letter, or left to people."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from sluicegate.agents.agent import Agent, Loaded
from sluicegate.agents.background import BackgroundTasks
from sluicegate.agents.kafka.source import Subscription
from sluicegate.agents.outcomes.publishing import OutcomePublisher
from sluicegate.agents.review.api import ApiReviewer
from sluicegate.agents.review.chat_api import config_of, open_client
from sluicegate.agents.review.concluding import Concluding
from sluicegate.agents.review.desk import QueueDesk
from sluicegate.agents.review.model import ModelReviewer, load_reviewer
from sluicegate.agents.review.panel import Panel
from sluicegate.agents.review.people import PeopleReviewer
from sluicegate.agents.review.pipeline import ReviewPipeline
from sluicegate.agents.review.prompt import OUR_PROMPT, Prompt
from sluicegate.agents.review.reviewer import Reviewer
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import Telemetry
from sluicegate.agents.upstream.budget import DailyBudget
from sluicegate.models.inference.judge import Judge
from sluicegate.schemas.errors import ConfigurationError

logger = logging.getLogger(__name__)

_FIRST_CHECK_AGAIN_S: Final = 2.0
_LAST_CHECK_AGAIN_S: Final = 60.0


@dataclass(frozen=True)
class _Parts:
    """What was loaded: the prompt, and the second model if there is one."""

    prompt: Prompt
    engine: Judge | None


def review_agent(settings: Settings) -> Agent[ReviewPipeline]:
    """The review agent."""
    recalled = asyncio.Event()
    return Agent(
        Subscription(settings.topic_review, settings.review_consumer_group, settings.review_window),
        outputs=("reviewed", "recall", "ranking", "blocked", "deadletter", "ledger"),
        budget=settings.review_time_budget,
        load=lambda: _loaded(settings, recalled),
        recalled=recalled,
    )


def _loaded(settings: Settings, recalled: asyncio.Event) -> Loaded[ReviewPipeline]:
    _require_settings(settings)
    parts = _Parts(
        Prompt.read(settings.review_prompt or OUR_PROMPT),
        load_reviewer(settings) if "model" in settings.reviewer_names else None,
    )
    if settings.review_canary == "refuse":
        asyncio.run(_require_canaries(settings, parts))
    return Loaded(
        f"reviewers {settings.reviewers}, prompt {parts.prompt.version} ({parts.prompt.hash[:12]})",
        partial(_running, settings, parts, recalled),
    )


def _require_settings(settings: Settings) -> None:
    """Raises ConfigurationError if a reviewer lacks a setting, or the file of the budget cannot be used."""
    if "api" in settings.reviewer_names:
        config = config_of(settings)
        DailyBudget(config.daily_budget, config.spent_file)
    if "people" in settings.reviewer_names and settings.review_queue is None:
        raise ConfigurationError("SLUICE_REVIEWERS names `people`: name the file of their queue in SLUICE_REVIEW_QUEUE")


async def _require_canaries(settings: Settings, parts: _Parts) -> None:
    async with AsyncExitStack() as stack:
        telemetry = Telemetry.off()
        reviewers = await _open_reviewers(settings, parts, telemetry, stack)
        panel = Panel(list(reviewers.values()), parts.prompt, telemetry.reviews)
        await panel.check(settings.review_deadline_ms / 1000)
        if warnings := panel.warnings():
            raise ConfigurationError(f"{'; '.join(warnings)}. SLUICE_REVIEW_CANARY=wait would start, and ask again.")


@asynccontextmanager
async def _running(
    settings: Settings, parts: _Parts, recalled: asyncio.Event, telemetry: Telemetry
) -> AsyncIterator[ReviewPipeline]:
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(OutcomePublisher.running(settings, telemetry))
        concluding = Concluding(settings, publisher, telemetry)
        opened = await _open_reviewers(settings, parts, telemetry, stack)
        if "people" in settings.reviewer_names:
            desk = await stack.enter_async_context(QueueDesk.running(settings))
            opened["people"] = PeopleReviewer(desk)
            telemetry.reviews.observe_waiting(lambda: desk.waiting)
            concluding.follow(desk)
            stack.push_async_callback(concluding.stop)
        panel = Panel([opened[name] for name in settings.reviewer_names], parts.prompt, telemetry.reviews)
        background = BackgroundTasks()
        background.start("canary of the reviewers", partial(_check_until_trusted, panel, settings))
        stack.push_async_callback(background.stop)
        yield ReviewPipeline(settings, panel, concluding, telemetry, recalled)


async def _open_reviewers(
    settings: Settings, parts: _Parts, telemetry: Telemetry, stack: AsyncExitStack
) -> dict[str, Reviewer]:
    """The reviewers that are no people, by their names in the settings."""
    opened: dict[str, Reviewer] = {}
    if "api" in settings.reviewer_names:
        client = await stack.enter_async_context(open_client(settings, telemetry.reviews))
        opened["api"] = ApiReviewer(client, parts.prompt)
    if parts.engine:
        opened["model"] = await stack.enter_async_context(ModelReviewer.running(parts.engine, settings))
    return opened


async def _check_until_trusted(panel: Panel, settings: Settings) -> None:
    """Ask canaries until all reviewers have answered them. Does not return."""
    pause_s, known = _FIRST_CHECK_AGAIN_S, list[str]()
    while True:
        await panel.check(settings.review_deadline_ms / 1000)
        if not panel.warnings():
            if panel.checked:
                logger.info("the reviewers have answered their canary queries: %s", ", ".join(panel.checked))
            await asyncio.Event().wait()
        if panel.warnings() != known:
            known = panel.warnings()
            logger.warning("%s", "; ".join(known))
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LAST_CHECK_AGAIN_S)
