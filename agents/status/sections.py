"""The parts of the page that are tables. Each is there only if the process has what it is about."""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Final

from sluicegate.agents.status.history import History, levels
from sluicegate.agents.status.notices import SOON_S
from sluicegate.agents.status.snapshot import Section, Table
from sluicegate.agents.status.standing import Standing
from sluicegate.agents.status.words import count, decimal, duration, long_duration, percent, points
from sluicegate.agents.telemetry.levels import PartitionLag
from sluicegate.agents.telemetry.recent import Kind, Recent, RecentOutcomes
from sluicegate.agents.visible_text import visible_text

MINUTE_S: Final = 60.0
MIX_S: Final = 300.0
_QUANTILES: Final = (0.5, 0.95, 0.99)


def sections_of(history: History, standing: Standing, recent: RecentOutcomes) -> tuple[Section, ...]:
    """All that apply, in the order of the page."""
    found = [
        _latency(history),
        _verdicts(history),
        _answers(history),
        _second_model(history),
        _batches(history),
        _lags(standing),
        _requests(history),
        *_reviewers(history),
        _recent(recent, "deadletter", "Last dead letters"),
        _recent(recent, "review", "Last reviews asked for"),
        _recent(recent, "reviewed", "Last reviews decided"),
    ]
    return tuple(section for section in found if section)


def _latency(history: History) -> Section | None:
    last = history.last(MINUTE_S)
    stages = {
        "whole event": ("messaging_process_duration_seconds", {}),
        "wait for a batch": ("sluicegate_stage_duration_seconds", {"sluicegate_stage": "queue"}),
        "model, by batch": ("sluicegate_stage_duration_seconds", {"sluicegate_stage": "model"}),
        "acknowledgement by Kafka": ("sluicegate_stage_duration_seconds", {"sluicegate_stage": "publish"}),
        "second model": ("sluicegate_second_duration_seconds", {}),
        "a reviewer": ("sluicegate_review_duration_seconds", {}),
        "HTTP request": ("http_server_request_duration_seconds", {}),
    }
    rows = []
    for stage, (name, labels) in stages.items():
        quantiles = [last.quantile(name, share, **labels) for share in _QUANTILES]
        if quantiles[0] is not None:
            rows.append(
                (stage, *(duration(value or 0) for value in quantiles), decimal(last.rate(f"{name}_count", **labels)))
            )
    return Section(
        "latency",
        "Latency by stage, last minute",
        Table(("stage", "p50", "p95", "p99", "a second"), tuple(rows), "" if rows else "Nothing was measured."),
    )


def _verdicts(history: History) -> Section | None:
    now = history.last(MIX_S).by("sluicegate_verdicts_total", "sluicegate_verdict")
    before = history.before(MIX_S).by("sluicegate_verdicts_total", "sluicegate_verdict")
    if not now:
        return None
    rows = []
    for verdict in sorted(now, key=lambda verdict: -now[verdict]):
        share, was = _share(now, verdict), _share(before, verdict)
        drift = points(share - was) if share is not None and was is not None else "—"
        rows.append((verdict, percent(share), percent(was), drift, count(now[verdict])))
    return Section(
        "verdicts",
        "Verdicts, and how their mix has changed",
        Table(
            ("verdict", "last 5 minutes", "before, since the start", "change, in points", "events"),
            tuple(rows),
        ),
    )


def _share(counts: Mapping[str, float], name: str) -> float | None:
    total = sum(counts.values())
    return counts.get(name, 0) / total if total else None


def _answers(history: History) -> Section | None:
    name, label = "sluicegate_answers_total", "sluicegate_answered_by"
    reasons = history.last(MIX_S).by("sluicegate_degraded_total", "sluicegate_reason")
    rows = _shares(history.last(MIX_S).by(name, label), _ANSWERED_BY)
    without = ", ".join(f"{visible_text(reason)}: {count(events)}" for reason, events in reasons.items() if events)
    note = f"Decided without the model, by reason: {without}." if without else ""
    return (
        Section("answers", "Who answered, last 5 minutes", Table(("by", "share", "events"), rows, note))
        if rows
        else None
    )


_ANSWERED_BY: Final = {
    "model": "the model",
    "cache": "the cache: the same query was answered before",
    "in_flight": "the same call: an equal query was in flight",
    "policy": "the policy alone",
}


def _second_model(history: History) -> Section | None:
    last = history.last(MIX_S)
    outcomes = last.by("sluicegate_second_outcomes_total", "sluicegate_outcome")
    rows = _shares(outcomes, {})
    decided = sum(last.by("sluicegate_verdicts_total", "sluicegate_verdict").values())
    note = (
        f"The second model was asked about {percent(sum(outcomes.values()) / decided)} of the events."
        if decided
        else ""
    )
    columns = ("what it did", "share", "events")
    return Section("second", "Second model, last 5 minutes", Table(columns, rows, note)) if rows else None


def _shares(counts: Mapping[str, float], names: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    total = sum(counts.values())
    return tuple(
        (names.get(name, visible_text(name)), percent(events / total if total else None), count(events))
        for name, events in sorted(counts.items(), key=lambda item: -item[1])
    )


def _batches(history: History) -> Section | None:
    last, rows = history.last(MINUTE_S), []
    for model, batches in last.by("sluicegate_batch_size_count", "gen_ai_request_model").items():
        if batches:
            labels = {"gen_ai_request_model": model}
            mean = last.of("sluicegate_batch_size_sum", **labels) / batches
            largest = last.quantile("sluicegate_batch_size", 0.95, **labels) or 0
            took = last.quantile("sluicegate_stage_duration_seconds", 0.95, sluicegate_stage="model", **labels) or 0
            rows.append(
                (
                    visible_text(model),
                    decimal(batches / last.seconds),
                    decimal(mean),
                    count(ceil(largest)),
                    duration(took),
                )
            )
    columns = ("model", "batches a second", "queries, mean", "queries, p95", "time, p95")
    return Section("batches", "Batches, last minute", Table(columns, tuple(rows))) if rows else None


def _lags(standing: Standing) -> Section | None:
    rows = tuple(
        (visible_text(lag.topic), str(lag.partition), _records(lag))
        for lag in sorted(standing.lags, key=lambda lag: (lag.topic, lag.partition))
    )
    columns = ("topic", "partition", "records not committed")
    return Section("lags", "Lag by partition of this worker", Table(columns, rows)) if rows else None


def _records(lag: PartitionLag) -> str:
    records = count(lag.records)
    return records if lag.age_s <= SOON_S else f"unknown; {records} {long_duration(lag.age_s)} ago"


def _requests(history: History) -> Section | None:
    last, rows = history.last(MINUTE_S), []
    name = "http_server_request_duration_seconds"
    for route, requests in sorted(last.by(f"{name}_count", "http_route").items()):
        if requests:
            failed = sum(
                number
                for status, number in last.by(f"{name}_count", "http_response_status_code", http_route=route).items()
                if not status.startswith("2")
            )
            p99 = last.quantile(name, 0.99, http_route=route) or 0
            rows.append(
                (visible_text(route), decimal(requests / last.seconds), duration(p99), percent(failed / requests))
            )
    columns = ("path", "requests a second", "p99", "not answered with 200")
    return Section("requests", "HTTP requests, last minute", Table(columns, tuple(rows))) if rows else None


def _reviewers(history: History) -> Iterator[Section]:
    last, newest = history.last(MIX_S), history.newest
    decided = _shares(last.by("sluicegate_review_decisions_total", "sluicegate_reviewer"), {})
    if decided:
        fallbacks = count(last.of("sluicegate_review_fallbacks_total"))
        note = f"{fallbacks} of them by SLUICE_REVIEW_FALLBACK, because no reviewer answered in time."
        yield Section("reviewers", "Reviews decided, last 5 minutes", Table(("by", "share", "reviews"), decided, note))
    circuits = levels(newest, "sluicegate_upstream_circuit", "sluicegate_upstream")
    left = levels(newest, "sluicegate_upstream_budget_left", "sluicegate_upstream")
    rows = tuple(
        (
            visible_text(name),
            ("closed: it is asked", "half-open: single requests try", "open: it is not asked")[int(circuit)],
            percent(left[name]) if name in left else "no limit",
        )
        for name, circuit in circuits.items()
    )
    if rows:
        columns = ("chat API", "circuit breaker", "the day's budget left")
        yield Section("upstreams", "Chat APIs", Table(columns, rows))


def _recent(recent: RecentOutcomes, kind: Kind, title: str) -> Section | None:
    last = recent.last(kind)
    if not last:
        return None
    columns: tuple[str, ...]
    columns, row = {
        "deadletter": (("at", "event", "error", "record"), _dead_letter),
        "review": (("at", "event", "category", "why"), _review),
        "reviewed": (("at", "event", "decision", "by"), _reviewed),
    }[kind]
    rows: tuple[tuple[str, ...], ...] = tuple(row(each) for each in last)
    note = "Their text is hidden: SLUICE_STATUS_TEXT=true shows it."
    if recent.with_text and kind != "reviewed":
        columns, note = (*columns, "text"), ""
        rows = tuple(
            (*cells, visible_text(each.query or each.error or "")) for cells, each in zip(rows, last, strict=True)
        )
    return Section(kind, title, Table(columns, rows, "" if kind == "reviewed" else note), wide=True)


def _dead_letter(recent: Recent) -> tuple[str, ...]:
    source = recent.source
    record = f"{source.topic}-{source.partition}-{source.offset}" if source else ""
    return _at(recent), visible_text(recent.event_id), visible_text(recent.error_type or ""), visible_text(record)


def _review(recent: Recent) -> tuple[str, ...]:
    category, reason = visible_text(recent.category or "none"), visible_text(recent.reason or "")
    return _at(recent), visible_text(recent.event_id), category, reason


def _reviewed(recent: Recent) -> tuple[str, ...]:
    decision = "allowed" if recent.allow else f"blocked: {visible_text(recent.category or 'none')}"
    return _at(recent), visible_text(recent.event_id), decision, visible_text(recent.reviewer or "the fallback")


def _at(recent: Recent) -> str:
    return f"{recent.at:%H:%M:%S}"
