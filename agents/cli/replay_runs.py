"""What ``sluice replay`` does: it makes a plan, shows it or carries it out, and prints the result in one line."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from datetime import timedelta
from typing import Literal

import typer
from rich.console import Console
from rich.table import Column, Table

from sluicegate.agents.cli.progress import show_progress
from sluicegate.agents.cli.streams import exit_on_sigterm
from sluicegate.agents.cli.table_console import table_console
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.preflight import require_topics
from sluicegate.agents.kafka.record_log import RecordLog, Span
from sluicegate.agents.replay.publishing import TOO_LARGE, Progress, publish_originals
from sluicegate.agents.replay.selection import (
    Filter,
    Recorded,
    input_topics,
    make_plan,
    read_dead_letters,
    read_decisions,
    read_raw_records,
)
from sluicegate.agents.settings import Settings
from sluicegate.schemas.errors import BrokerUnavailable, ContractError, PublishFailed

_TOPICS_TIMEOUT_S = 10.0
_EXAMPLES = 5


def range_of(written: str, settings: Settings) -> Span:
    """The span that `TOPIC:PARTITION:FROM-TO` names, both ends included.

    Raises:
        BadParameter: it is not of that form, or its topic holds no input of an agent.
    """
    form = re.fullmatch(r"([\w.-]+):(\d+):(\d+)-(\d+)", written, re.ASCII)
    if form is None:
        raise typer.BadParameter(
            f"{written!r} is not a range: write TOPIC:PARTITION:FROM-TO, as queries.raw:3:1000-1999"
        )
    topic, *numbers = form.groups()
    partition, first, last = map(int, numbers)
    if first > last:
        raise typer.BadParameter(f"{written} ends before it starts")
    if topic in set(settings.topics.values()) - input_topics(settings):
        raise typer.BadParameter(f"no agent reads {topic}: use `sluice replay deadletters` or `ledger`")
    return Span(topic, partition, first, last + 1)


def replay_events(
    settings: Settings, source: Literal["deadletter", "ledger"] | Span, wanted: Filter, *, rate: float, dry_run: bool
) -> None:
    """Replay what `wanted` takes of `source`, or only show it. Prints the result, also after an error or Ctrl-C.

    Raises:
        BadParameter: the times or the range cannot hold anything.
        BrokerUnavailable: the cluster cannot be read from, or did not take a record; says how to continue.
        ConfigurationError: a topic is missing.
        ContractError: the input topic refused records as too large; the others are published.
    """
    if wanted.since and wanted.until and wanted.since >= wanted.until:
        raise typer.BadParameter("--since must be before --until")
    topic = source.topic if isinstance(source, Span) else settings.topics[source]
    connection = Connection.of(settings)
    require_topics(connection, {settings.topic_raw, topic}, _TOPICS_TIMEOUT_S)
    with RecordLog(connection) as log:
        plan = _plan(log, settings, source, wanted)
        if dry_run:
            _show(plan, log, settings)
        else:
            _carry_out(plan, log, connection, settings, rate)


def _plan(
    log: RecordLog, settings: Settings, source: Literal["deadletter", "ledger"] | Span, wanted: Filter
) -> list[Recorded]:
    if isinstance(source, Span):
        _require_records(log, source)
        return make_plan(read_raw_records(log.read([source]), settings.replay_secret), wanted)
    read = read_dead_letters if source == "deadletter" else read_decisions
    seen = _FilterValues(read(log.read(log.spans(settings.topics[source], wanted.since))), wanted.event_ids)
    plan = make_plan(seen, wanted)
    for option, names, known in (
        ("--reason", wanted.reasons, seen.reasons),
        ("--model-version", wanted.model_versions, seen.model_versions),
    ):
        if unknown := sorted(names - known):
            there = ", ".join(sorted(known)) or "nothing"
            typer.echo(f"sluice: no record has {option} {', '.join(unknown)}; there is {there}", err=True)
    if unknown := sorted(wanted.event_ids - seen.event_ids):
        typer.echo(f"sluice: no record has --event-id {', '.join(unknown)}", err=True)
    return plan


def _require_records(log: RecordLog, span: Span) -> None:
    held = log.spans(span.topic, None)
    partitions = [there.partition for there in held]
    if span.partition not in partitions:
        raise typer.BadParameter(f"{span.topic} has the partitions {', '.join(map(str, partitions))}")
    there = held[partitions.index(span.partition)]
    if max(span.start, there.start) >= min(span.stop, there.stop):
        has = f"the offsets {there.start} to {there.stop - 1}" if there.start < there.stop else "no record"
        raise typer.BadParameter(f"{span.topic}:{span.partition} holds {has}")


class _FilterValues:
    """Yields `events`, and collects the values in them that filters can name."""

    def __init__(self, events: Iterable[Recorded], event_ids: Set[str]) -> None:
        self._events = events
        self._wanted_ids = event_ids
        self.event_ids: set[str] = set()
        self.reasons: set[str] = set()
        self.model_versions: set[str] = set()

    def __iter__(self) -> Iterator[Recorded]:
        for event in self._events:
            if event.event_id in self._wanted_ids:
                self.event_ids.add(event.event_id)
            self.reasons.update(event.reasons)
            if event.model_version:
                self.model_versions.add(event.model_version)
            yield event


def _carry_out(
    plan: Sequence[Recorded], log: RecordLog, connection: Connection, settings: Settings, rate: float
) -> None:
    progress = Progress()
    exit_on_sigterm()
    try:
        with show_progress("replaying") as show:
            asyncio.run(publish_originals(connection, settings, log, plan, progress, rate=rate, show=show))
    except PublishFailed as error:
        raise BrokerUnavailable(f"{error}; then continue with the same command and the times above") from error
    finally:
        _summarise(progress, plan)
    if too_large := progress.left_out[TOO_LARGE]:
        raise ContractError(f"{_targets(plan, settings)} refuses {too_large} as too large: raise its max.message.bytes")


def _summarise(progress: Progress, plan: Sequence[Recorded]) -> None:
    parts = [
        f"{progress.replayed} of {len(plan)} replayed",
        *(f"{count} {reason}" for reason, count in progress.left_out.items()),
    ]
    if progress.resume:
        until = plan[-1].time + timedelta(milliseconds=1)  # the new decisions are recorded later
        parts.append(f"continue with --since {progress.resume.isoformat()} --until {until.isoformat()}")
    Console().print("; ".join(parts), highlight=False, soft_wrap=True)
    if progress.without_id:
        typer.echo(
            f"sluice: {progress.without_id} have no event_id and get a new one: to keep the id of the original, "
            "set SLUICE_REPLAY_KEY here and for the workers",
            err=True,
        )


def _show(plan: Sequence[Recorded], log: RecordLog, settings: Settings) -> None:
    counts: dict[str, Counter[str]] = {
        "outcome": Counter(event.outcome for event in plan if event.outcome),
        "model version": Counter(event.model_version for event in plan if event.model_version),
        "reason": Counter(reason for event in plan for reason in event.reasons),
        "partition": Counter(f"{event.at.topic}:{event.at.partition}" for event in plan),
    }
    table = Table("by", Column("value", overflow="fold"), Column("events", justify="right"))
    for by, counter in counts.items():
        for value, count in counter.most_common():
            table.add_row(by, value, str(count))
    console = table_console()
    if plan:
        console.print(table)
        ids = ", ".join(repr(event.event_id) for event in plan[:_EXAMPLES])  # a producer's: no codes for the terminal
        console.print(
            f"recorded from {plan[0].time.isoformat()} to {plan[-1].time.isoformat()}; "
            f"{'all' if len(plan) <= _EXAMPLES else 'first'}: {ids}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    gone = len(plan) - log.held([event.at for event in plan])
    would = f"{len(plan) - gone} would be replayed to {_targets(plan, settings)}"
    console.print(f"{would}; {gone} no longer in Kafka" if gone else would, highlight=False, soft_wrap=True)


def _targets(plan: Sequence[Recorded], settings: Settings) -> str:
    return ", ".join(sorted({event.target(settings) for event in plan})) or settings.topic_raw
