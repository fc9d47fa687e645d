"""What /healthz and /readyz say about each state of a worker."""

import asyncio
import json
import logging

import msgspec
import pytest

from sluicegate.agents.process import health
from sluicegate.agents.process.health import Health
from sluicegate.agents.process.state import WorkerState
from sluicegate.agents.telemetry.levels import PartitionLag, WorkerLevels
from sluicegate.agents.time_budget import TimeBudget

BUDGET = TimeBudget(deadline_s=10, publish_timeout_s=10, deduplicates=False)
LIMIT_S = 10 + 4 * 10 + 10
READY = WorkerState(
    in_flight=3,
    oldest_event_s=1,
    commit_late_s=1,
    silent_s=1,
    models="tiny@1",
    joined=True,
    rebalancing=False,
    can_publish=True,
    stopping=False,
)


def health_of(state: WorkerState) -> Health:
    return Health(lambda: state, BUDGET)


def changed(**fields: object) -> Health:
    return health_of(msgspec.structs.replace(READY, **fields))


def page(of: Health, path: str) -> tuple[int, dict[str, object]]:
    status, body = of.pages()[path]()
    return status, json.loads(body)


def test_a_worker_that_decides_is_alive_and_ready() -> None:
    for path in ("/healthz", "/readyz"):
        status, body = page(health_of(READY), path)
        assert status == 200
        assert body.pop("version")
        assert body == {"status": "ok", "in_flight": 3, "models": "tiny@1", "policy": None}


def test_alerts_watch_what_the_probes_say_and_how_far_behind_the_worker_is() -> None:
    lags = (PartitionLag("queries.raw", 0, 12),)
    assert changed(lags=lags).levels() == WorkerLevels(ready=True, commit_late_s=1, lags=lags)
    assert not changed(rebalancing=True).levels().ready
    assert changed(commit_late_s=40.0).levels().commit_late_s == 40


def test_alerts_do_not_watch_a_lag_that_kafka_has_not_confirmed_for_long() -> None:
    fresh, old = PartitionLag("queries.raw", 0, 12, 1.0), PartitionLag("queries.raw", 1, 7, 11.0)
    assert changed(lags=(fresh, old)).levels().lags == (fresh,)


async def test_levels_are_reported_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_REPORT_EVERY_S", 0)
    reported: asyncio.Queue[WorkerLevels] = asyncio.Queue()
    task = asyncio.create_task(health_of(READY).report_levels(reported.put_nowait))
    assert [await reported.get(), await reported.get()] == [health_of(READY).levels()] * 2
    task.cancel()


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("oldest_event_s", "an event has been in flight for 61 s, 60 are allowed"),
        ("commit_late_s", "nothing could be committed for 61 s, 60 are allowed"),
    ],
)
def test_what_is_stuck_fails_both_probes_once_its_time_budget_is_over(field: str, problem: str) -> None:
    assert changed(**{field: LIMIT_S}).problems() == []
    stuck = changed(**{field: LIMIT_S + 1.0})
    assert stuck.problems() == stuck.reasons_not_ready() == [problem]
    assert page(stuck, "/healthz")[0] == page(stuck, "/readyz")[0] == 503


def test_a_background_task_that_failed_is_a_warning_on_the_page_of_a_worker_that_is_alive() -> None:
    status, body = page(changed(failing_tasks=("the model follower has failed",)), "/healthz")
    assert (status, body["status"], body["warnings"]) == (200, "ok", ["the model follower has failed"])


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("models", None, "the model is not loaded yet"),
        ("joined", False, "the group is not joined yet"),
        ("rebalancing", True, "partitions are being reassigned"),
        ("silent_s", 11.0, "Kafka has not answered for 11 s"),
        ("can_publish", False, "the producer can no longer publish"),
        ("stopping", True, "stopping"),
        ("failing_tasks", ("the model follower has failed",), "the model follower has failed"),
    ],
)
def test_a_worker_that_decides_nothing_now_is_alive_but_not_ready(field: str, value: object, reason: str) -> None:
    found = changed(**{field: value})
    assert page(found, "/healthz")[0] == 200
    status, body = page(found, "/readyz")
    assert (status, body["status"]) == (503, reason)


async def test_a_worker_that_is_not_ready_logs_why_again_and_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "_LOG_EVERY_S", 0.001)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(changed(joined=False).log_when_not_ready(), 0.5)
    assert len(caplog.messages) > 1
    assert set(caplog.messages) == {"not ready: the group is not joined yet"}


def test_the_state_is_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    health_of(READY).log_state()
    changed(models=None).log_state()
    assert caplog.messages == [
        "state: ready; 3 events in flight; models: tiny@1; policy: the model's thresholds",
        "state: the model is not loaded yet; 3 events in flight; models: none; policy: the model's thresholds",
    ]


def test_a_policy_file_that_is_refused_is_a_warning_and_the_worker_stays_ready() -> None:
    refused = changed(policy="shop@1", policy_warnings=("refused the policy: broken",))
    for path in ("/healthz", "/readyz"):
        status, body = page(refused, path)
        assert (status, body["status"], body["policy"]) == (200, "ok", "shop@1")
        assert body["warnings"] == ["refused the policy: broken"]


def test_the_status_page_says_the_same_as_the_probes_with_what_to_do_and_earlier() -> None:
    good = health_of(READY).standing()
    assert (good.state, good.notices) == ("Ready", ())
    for fields in ({"joined": False}, {"silent_s": 11.0}, {"oldest_event_s": LIMIT_S + 1.0}, {"models": None}):
        changed_now = changed(**fields)
        standing = changed_now.standing()
        assert standing.state == "Not ready"
        said = [notice.what.rstrip(".").lower() for notice in standing.notices]
        assert said == [reason.lower() for reason in changed_now.reasons_not_ready()]
        assert all(notice.remedy and notice.serious for notice in standing.notices)
    for fields in ({"silent_s": 4.0}, {"commit_late_s": 4.0}):
        [notice] = changed(**fields).standing().notices
        assert "for 4 s" in notice.what
    assert changed(stopping=True).standing().state == "Stopping"
    [warning] = changed(policy_warnings=("refused the policy: broken",)).standing().notices
    assert (warning.what, warning.serious) == ("Refused the policy: broken.", False)
