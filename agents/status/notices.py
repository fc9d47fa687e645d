"""What the metrics say is wrong, beside what the probes know, early enough for somebody who watches."""

from collections.abc import Iterator
from typing import Final

from sluicegate.agents.status.history import History, levels
from sluicegate.agents.status.snapshot import Notice
from sluicegate.agents.status.standing import Standing
from sluicegate.agents.status.words import count, decimal, duration, long_duration, percent
from sluicegate.agents.visible_text import visible_text

SOON_S: Final = 3.0
"""After so long without progress the page says so; the probes wait for longer."""
_MINUTE_S: Final = 60.0
_MIX_S: Final = 300.0
_LEAST_LAG: Final = 100
_DEAD_SHARE: Final = 0.01
_LEAST_DECIDED: Final = 200
_DRIFT: Final = 0.1


def notices_of(history: History, standing: Standing) -> Iterator[Notice]:
    """What is wrong at the newest sample."""
    yield from _model_hangs(history, standing)
    yield from _lag_grows(history)
    yield from _degraded(history)
    yield from _dead_letters(history)
    yield from _drift(history)
    yield from _second_model(history)
    yield from _upstreams(history)


def _model_hangs(history: History, standing: Standing) -> Iterator[Notice]:
    usual_s = history.last(_MIX_S).quantile("sluicegate_stage_duration_seconds", 0.99, sluicegate_stage="model") or 0
    if standing.model_busy_s < max(SOON_S, 2 * usual_s):
        return
    waiting = levels(history.newest, "sluicegate_queue_depth").get("", 0)
    usual = f" 99 of 100 batches take less than {duration(usual_s)}." if usual_s else ""
    yield Notice(
        f"The model has not answered for {standing.model_busy_s:.0f} s, and {count(waiting)} more queries wait for it."
        f"{usual}",
        "Events that reach their deadline are decided by SLUICE_FAIL. If it goes on, restart the process: nothing is "
        "lost. If it happens again, use the model before (“sluice models rollback”) or fewer threads (SLUICE_THREADS).",
        serious=True,
    )


def _lag_grows(history: History) -> Iterator[Notice]:
    lag = sum(levels(history.newest, LAG).values())
    change = history.last(SOON_S)
    growth, rate = change.rate(LAG), change.rate("messaging_process_duration_seconds_count")
    if not change.began_with(LAG) or lag < _LEAST_LAG + 2 * rate or growth <= 0.02 * rate + 1:
        return
    wait = f"At this rate it takes {long_duration(lag / rate)} to decide them." if rate else "None is being decided."
    yield Notice(
        f"The lag grows by {decimal(growth)} records a second: {count(lag)} wait. {wait}",
        "If all partitions are behind, start more workers, up to one for each partition, or calibrate this machine "
        "(“sluice calibrate”). If one is behind, most records have the same key.",
    )


LAG: Final = "page:lag"
"""The series of the lag that the page adds to each sample: the metric is only measured every few seconds."""


def _degraded(history: History) -> Iterator[Notice]:
    reasons = history.last(_MINUTE_S).by("sluicegate_degraded_total", "sluicegate_reason")
    for reason, events in reasons.items():
        if events:
            yield Notice(
                f"{count(events)} events were decided without the model in the last minute: {visible_text(reason)}.",
                "SLUICE_FAIL says where they went. Overloaded and DeadlineExceeded mean too many queries or too slow a "
                "model: more workers help. EngineFailed means that the model fails: see the log, and "
                "“sluice models rollback”.",
                serious=True,
            )


def _dead_letters(history: History) -> Iterator[Notice]:
    last = history.last(_MINUTE_S)
    errors = last.by("sluicegate_deadletters_total", "error_type")
    ended, dead = last.of("messaging_process_duration_seconds_count"), sum(errors.values())
    if dead and dead >= _DEAD_SHARE * ended:
        names = ", ".join(f"{visible_text(name)} {count(events)}" for name, events in errors.items() if events)
        yield Notice(
            f"{count(dead)} of {count(ended)} events became dead letters in the last minute: {names}.",
            "“sluice tail deadletter --newest 10” shows why. ContractError: a producer breaks the contract. "
            "PublishFailed: an output topic refuses records; correct it, then “sluice replay deadletters”.",
        )


def _drift(history: History) -> Iterator[Notice]:
    name, label = "sluicegate_verdicts_total", "sluicegate_verdict"
    now, before = history.last(_MIX_S).by(name, label), history.before(_MIX_S).by(name, label)
    if min(sum(now.values()), sum(before.values())) < _LEAST_DECIDED:
        return
    for verdict in sorted(now):
        share, was = now[verdict] / sum(now.values()), before.get(verdict, 0) / sum(before.values())
        if verdict != "allow" and abs(share - was) >= _DRIFT:
            yield Notice(
                f"{percent(share)} of the verdicts of the last 5 minutes are {visible_text(verdict)}, before it was "
                f"{percent(was)}.",
                "Did the traffic change, the policy or the model? “sluice tail” shows the events; "
                "“sluice models rollback” and the policy file undo a change.",
            )


def _second_model(history: History) -> Iterator[Notice]:
    if any(levels(history.newest, "sluicegate_second_circuit").values()):
        yield Notice(
            "The second model is not asked for now: it failed, or it was too slow, again and again.",
            "It is tried again by itself. Until then the first model or the fallback decides. The log says why.",
        )


def _upstreams(history: History) -> Iterator[Notice]:
    for name, circuit in levels(history.newest, "sluicegate_upstream_circuit", "sluicegate_upstream").items():
        if circuit:
            yield Notice(
                f"The chat API of {visible_text(name)} fails, and is not asked for now.",
                "It is tried again by itself. Until then the next reviewer or SLUICE_REVIEW_FALLBACK decides.",
            )
    for name, left in levels(history.newest, "sluicegate_upstream_budget_left", "sluicegate_upstream").items():
        if left <= 0:
            yield Notice(
                f"The day's budget of {visible_text(name)} is spent.",
                "It is asked again after midnight UTC, or after a restart with a larger SLUICE_REVIEW_API_BUDGET.",
            )
