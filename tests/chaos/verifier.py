"""Compares the input topic with the output topics after a scenario."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from confluent_kafka import Message

from tests.chaos.producer import Kind, kind_of
from tests.support.accounts import DEMANDED, expected_event_id
from tests.support.worker_process import Output

OUTCOMES: Mapping[Kind, str] = {"allow": "allowed", "block": "blocked", "review": "review", "poison": "deadletter"}


@dataclass(frozen=True)
class Findings:
    """Counts of events, outcomes and outputs, and the latency.

    `lost`: events without an outcome. `wrong`: outcomes that the event may not have, or that lack an output.
    `fell_back`: outcomes that are allowed only because of the fault, or that the second model should have had a part
    in. `duplicates`: outcomes after an event's first.
    `unrecognisable`: outputs whose `event_id` belongs to no event. Latency: from the timestamp of the record to that of
    its first ledger record.
    """

    events: int
    lost: int
    wrong: int
    fell_back: int
    duplicates: int
    unrecognisable: int
    p50_ms: float
    p99_ms: float

    @property
    def correct(self) -> bool:
        """Whether every event has an outcome that it may have, and every output belongs to an event."""
        return not (self.lost or self.wrong or self.unrecognisable)


def verify(inputs: Sequence[Message], outputs: Sequence[Output], also_allowed: frozenset[str]) -> Findings:
    """Compare `inputs` with `outputs`. Because of the fault, any event may have an outcome of `also_allowed`."""
    records = {(message.partition(), message.offset()): message for message in inputs}
    ids = {at: expected_event_id(message) for at, message in records.items()}
    published = {output.at: output for output in outputs if output.name != "ledger"}
    outcomes: dict[tuple[int | None, int | None], list[int]] = defaultdict(list)
    wrong = fell_back = 0
    for ledger in (output for output in outputs if output.name == "ledger"):
        at = (ledger.event["source"]["partition"], ledger.event["source"]["offset"])
        outcome = ledger.event["outcome"]
        own = [published.get((one["topic"], one["partition"], one["offset"])) for one in ledger.event["outputs"]]
        expected = outcome == OUTCOMES[kind_of(records[at].value() or b"")]
        allowed = not expected and outcome in also_allowed
        complete = sorted(output.name for output in own if output) == DEMANDED[outcome]
        same_id = {ledger.event_id, *(output.event_id for output in own if output)} == {ids[at]}
        wrong += not ((expected or allowed) and complete and same_id)
        fell_back += allowed or _without_the_second(ledger.event)
        outcomes[at].append(ledger.timestamp_ms)
    known = set(ids.values())
    sent = {at: message.timestamp()[1] for at, message in records.items()}
    latencies = np.array([min(times) - sent[at] for at, times in outcomes.items()] or [0])
    return Findings(
        events=len(records),
        lost=len(records.keys() - outcomes.keys()),
        wrong=wrong,
        fell_back=fell_back,
        duplicates=sum(Counter({at: len(times) - 1 for at, times in outcomes.items()}).values()),
        unrecognisable=sum(output.event_id not in known for output in outputs),
        p50_ms=float(np.percentile(latencies, 50)),
        p99_ms=float(np.percentile(latencies, 99)),
    )


def _without_the_second(record: Mapping[str, Any]) -> bool:
    second = (record["decision"] or {}).get("second")
    return second is not None and second["outcome"] != "answered"
