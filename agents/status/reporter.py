"""Makes the snapshots that the status page shows: one a second while somebody watches, else one in ten seconds."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sluicegate.agents.status.history import Change, History, Sample, levels, values_of
from sluicegate.agents.status.notices import LAG, SOON_S, notices_of
from sluicegate.agents.status.sections import sections_of
from sluicegate.agents.status.snapshot import Figure, Notice, Snapshot
from sluicegate.agents.status.standing import Standing
from sluicegate.agents.status.words import NONE, count, decimal, duration, long_duration, percent
from sluicegate.agents.telemetry import PrometheusPage, Telemetry
from sluicegate.schemas.version import VERSION

READY: Final = "Ready"
WATCHED_S: Final = 1.0
UNWATCHED_S: Final = 10.0
_NOW_S: Final = 10.0
_MINUTE_S: Final = 60.0
_MIX_S: Final = 300.0
_EVENTS: Final = "messaging_process_duration_seconds"
_REQUESTS: Final = "http_server_request_duration_seconds"


class Reporter:
    """Used on one event loop."""

    def __init__(
        self, title: str, metrics: PrometheusPage, telemetry: Telemetry, standing: Callable[[], Standing]
    ) -> None:
        """`title` says what runs here. `standing` is called on the event loop."""
        self._title = title
        self._metrics = metrics
        self._telemetry = telemetry
        self._standing = standing
        self._started = time.monotonic()
        self._history = History(self._started)

    async def snapshot(self) -> Snapshot:
        """How it is now."""
        standing = self._standing()
        values = await asyncio.to_thread(lambda: dict(values_of(self._metrics.collect())))
        if standing.lags and _lag_age_s(standing) <= SOON_S:
            values[LAG, ()] = sum(lag.records for lag in standing.lags)
        self._history.add(Sample(time.monotonic(), values))
        notices = (*standing.notices, *notices_of(self._history, standing))
        serious = standing.state != READY or any(notice.serious for notice in notices)
        return Snapshot(
            state=_state(standing, notices),
            level="serious" if serious else "warning" if notices else "good",
            at=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
            facts=(
                self._title,
                f"version {VERSION}",
                f"up for {long_duration(time.monotonic() - self._started)}",
                f"model: {standing.models}",
                f"policy: {standing.policy}",
            ),
            notices=notices,
            figures=tuple(self._figures(standing)),
            sections=sections_of(self._history, standing, self._telemetry.recent),
        )

    def _figures(self, standing: Standing) -> list[Figure]:
        history = self._history
        now, minute, mix = history.last(_NOW_S), history.last(_MINUTE_S), history.last(_MIX_S)
        serves_http = mix.of(f"{_REQUESTS}_count") > 0
        of = _REQUESTS if serves_http and not mix.of(f"{_EVENTS}_count") else _EVENTS
        quantiles = [minute.quantile(of, share) for share in (0.5, 0.99)]
        verdicts = mix.by("sluicegate_verdicts_total", "sluicegate_verdict")
        answers = mix.by("sluicegate_answers_total", "sluicegate_answered_by")
        waiting = levels(history.newest, "sluicegate_queue_depth").get("", 0)
        found = [
            _chart(
                Figure("Throughput", decimal(now.rate(f"{of}_count")), "a second, last 10 s"),
                [step.rate(f"{of}_count") for step in history.steps],
            ),
            Figure("Latency", _time(quantiles[1]), f"p99 of the last minute; p50 is {_time(quantiles[0])}"),
            Figure("Waiting", count(waiting), "queries, for a batch"),
            Figure(
                "In flight",
                count(standing.in_flight),
                f"the oldest for {duration(standing.oldest_event_s)}" if standing.in_flight else "taken and not ended",
            ),
        ]
        if standing.event_age_s is not None:
            found += [
                _chart(_lag(standing), _lags(history)),
                Figure("Age", duration(standing.event_age_s), "of the last event, when it was taken"),
            ]
        if verdicts:
            found.append(Figure("To review", percent(_part(verdicts, "review")), "of the verdicts, last 5 minutes"))
        if answers:
            found.append(Figure("From the cache", percent(_part(answers, "cache")), "of the answers, last 5 minutes"))
        found += _rare(mix)
        found += _waiting(history)
        return found


def _state(standing: Standing, notices: tuple[Notice, ...]) -> str:
    if standing.state != READY or not notices:
        return standing.state
    return (
        f"{READY}, but something is wrong" if any(notice.serious for notice in notices) else f"{READY}, with warnings"
    )


def _time(seconds: float | None) -> str:
    return NONE if seconds is None else duration(seconds)


def _part(counts: dict[str, float], name: str) -> float | None:
    total = sum(counts.values())
    return counts.get(name, 0) / total if total else None


def _rare(mix: Change) -> list[Figure]:
    names = {
        "Dead letters": "sluicegate_deadletters_total",
        "Duplicates": "sluicegate_duplicates_total",
        "Chats": "sluicegate_chats_total",
    }
    return [
        Figure(label, count(events), "last 5 minutes") for label, name in names.items() if (events := mix.of(name)) > 0
    ]


def _waiting(history: History) -> list[Figure]:
    people = levels(history.newest, "sluicegate_review_waiting")
    held = levels(history.newest, "sluicegate_review_held")
    return [
        *([Figure("With people", count(people[""]), "events that wait for a decision")] if people else []),
        *([Figure("Held", count(held[""]), "events, until a reviewer answers")] if held else []),
    ]


def _lag(standing: Standing) -> Figure:
    if not standing.lags:
        return Figure("Lag", NONE, "of no partition: the worker has none now, or Kafka has not answered yet")
    records, age_s = count(sum(partition.records for partition in standing.lags)), _lag_age_s(standing)
    if age_s <= SOON_S:
        return Figure("Lag", records, "records not committed")
    return Figure("Lag", "unknown", f"it was {records} records {long_duration(age_s)} ago, when Kafka last answered")


def _lag_age_s(standing: Standing) -> float:
    return max((partition.age_s for partition in standing.lags), default=0.0)


def _lags(history: History) -> list[float]:
    """The lag of the last minutes, where it was known."""
    return [sample.values[LAG, ()] for sample in history.samples if (LAG, ()) in sample.values]


def _chart(figure: Figure, values: list[float]) -> Figure:
    if len(values) < 2:
        return figure
    top = max(*values, 1.0)
    line = " ".join(
        f"{100 * at / (len(values) - 1):.1f},{23 - 22 * value / top:.1f}" for at, value in enumerate(values)
    )
    says = f"In the last 5 minutes between {count(min(values))} and {count(max(values))}, at last {count(values[-1])}."
    return Figure(figure.label, figure.value, figure.note, line, says)
