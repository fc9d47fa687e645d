"""The chat API of the reviewer `api`, as the settings describe it, and what is measured of it."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Final

from sluicegate.agents.breaker import Circuit
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry.reviews import ReviewTelemetry
from sluicegate.agents.upstream.client import ChatClient
from sluicegate.agents.upstream.completion import Usage
from sluicegate.agents.upstream.config import UpstreamConfig
from sluicegate.agents.upstream.failures import Failure
from sluicegate.schemas.errors import ConfigurationError

logger = logging.getLogger(__name__)

_LEVELS: Final = {Circuit.CLOSED: 0, Circuit.HALF_OPEN: 1, Circuit.OPEN: 2}


def config_of(settings: Settings) -> UpstreamConfig:
    """The API of the settings.

    Raises:
        ConfigurationError: it has no address or no model.
    """
    if settings.review_api_url is None or settings.review_api_model is None:
        raise ConfigurationError(
            "SLUICE_REVIEWERS names `api`: set SLUICE_REVIEW_API_URL, as in https://api.openai.com/v1, and "
            "SLUICE_REVIEW_API_MODEL"
        )
    return UpstreamConfig(
        name="review",
        url=settings.review_api_url,
        model=settings.review_api_model,
        key=lambda: settings.review_api_secret,
        body=settings.review_api_body,
        connect_timeout_s=settings.review_api_connect_timeout_ms / 1000,
        read_timeout_s=settings.review_api_read_timeout_ms / 1000,
        attempts=settings.review_api_attempts,
        concurrency=settings.review_api_concurrency,
        rate=settings.review_api_rate,
        open_s=settings.review_api_open_ms / 1000,
        price_in=settings.review_api_price_in,
        price_out=settings.review_api_price_out,
        daily_budget=settings.review_api_budget,
        spent_file=settings.review_api_spent_file,
        json_mode=settings.review_api_json,
    )


@asynccontextmanager
async def open_client(settings: Settings, telemetry: ReviewTelemetry) -> AsyncIterator[ChatClient]:
    """A client of that API, measured, until the end of the block."""
    config = config_of(settings)
    observer = _Observer(config.name, telemetry)
    async with ChatClient(config, observer, observer) as client:
        observer.watch(client)
        yield client


class _Observer:
    """Counts requests and money, and logs when the circuit opens or closes, and when the budget is spent."""

    def __init__(self, name: str, telemetry: ReviewTelemetry) -> None:
        self._name = name
        self._telemetry = telemetry
        self._answers = 0
        self._spent_on: date | None = None
        self._cost = 0.0

    def watch(self, client: ChatClient) -> None:
        """Report the levels of `client`."""
        limit = client.budget.limit
        self._telemetry.observe_upstream(
            self._name,
            circuit=lambda: _LEVELS[client.breaker.circuit],
            budget_left=(lambda: max(0.0, 1 - client.budget.spent_today() / limit)) if limit else None,
            cost_per_1000=lambda: 1000 * self._cost / self._answers if self._answers else 0.0,
        )

    def attempted(self, failure: Failure | None, seconds: float) -> None:
        """Count an attempt."""
        self._answers += failure is None
        self._telemetry.attempted(self._name, failure.value if failure else "answered")

    def circuit_changed(self, circuit: Circuit) -> None:
        """Log it: these lines are as rare as the circuit is slow."""
        if circuit is Circuit.OPEN:
            logger.warning("the chat API %s fails too often: it is not asked for a while", self._name)
        else:
            logger.info("the chat API %s works again", self._name)

    def budget_spent(self) -> None:
        """Log it once a day."""
        today = datetime.now(UTC).date()
        if self._spent_on != today:
            self._spent_on = today
            logger.warning(
                "the day's budget of the chat API %s is spent: it is not asked before midnight UTC", self._name
            )

    def paid(self, usage: Usage, cost: float) -> None:
        """Count money."""
        self._cost += cost
        self._telemetry.paid(self._name, usage.prompt_tokens, usage.completion_tokens, cost)
