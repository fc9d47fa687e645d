"""Each time limit is longer than what it waits for, whatever the settings."""

import math
import re
from pathlib import Path

import pytest

from sluicegate.agents.settings import Settings, load_settings
from sluicegate.agents.time_budget import (
    CLOSE_PUBLISHER_S,
    LATE_S,
    LEAVE_GROUP_S,
    LOGS_S,
    LONGEST_EVENT_S,
    REBALANCE_S,
    REQUEST_S,
    TELEMETRY_S,
    WATCHDOG_POLL_S,
    TimeBudget,
)

COMMIT_S = 1.0 + 1.0
"""Faust commits once a second, and notices a rebalance by a heartbeat, of which it sends one a second."""


@pytest.fixture(params=[{}, {"dedup_window": 1}, {"deadline_ms": 40_000}], ids=str)
def settings(request: pytest.FixtureRequest) -> Settings:
    return load_settings(**request.param)


def test_the_budget_counts_the_wait_for_a_duplicate_and_four_publishes() -> None:
    assert TimeBudget(deadline_s=10, publish_timeout_s=7, deduplicates=False).event_s == 10 + 4 * 7
    assert TimeBudget(deadline_s=10, publish_timeout_s=7, deduplicates=True).event_s == 10 + 4 * 7 + 5


def test_a_rebalance_waits_for_every_event_and_its_commit(settings: Settings) -> None:
    assert settings.time_budget.event_s <= LONGEST_EVENT_S
    assert LONGEST_EVENT_S + COMMIT_S < REBALANCE_S < REQUEST_S


def test_an_event_within_its_budget_is_not_reported_as_stuck(settings: Settings) -> None:
    assert settings.time_budget.stuck_after_s >= settings.time_budget.event_s + LATE_S


def test_the_watchdog_lets_every_event_end_and_be_committed(settings: Settings) -> None:
    assert settings.time_budget.leave_after_s >= settings.time_budget.event_s + COMMIT_S


def test_the_publisher_is_closed_before_the_watchdog_calls_the_worker_idle_too_long() -> None:
    assert CLOSE_PUBLISHER_S + COMMIT_S < LEAVE_GROUP_S


def test_a_stop_counts_everything_that_it_may_wait_for(settings: Settings) -> None:
    budget = settings.time_budget
    assert budget.stop_s >= budget.leave_after_s + WATCHDOG_POLL_S + TELEMETRY_S + LOGS_S


def test_the_documented_time_of_a_stop_is_the_default_budget() -> None:
    operations = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    stop_s = load_settings().time_budget.stop_s
    assert f"{math.ceil(stop_s)} s by default" in operations
    [granted] = re.findall(r"`terminationGracePeriodSeconds` from the settings: (\d+) s by default", operations)
    assert int(granted) > stop_s
