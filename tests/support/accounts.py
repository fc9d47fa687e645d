"""Compare the inputs of a stream with its outputs: every input has an outcome, every output belongs to one."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import jsonschema_rs
import orjson
from confluent_kafka import Message

from sluicegate.schemas.codec import event_id_of
from tests.support.worker_process import Output

DEMANDED: Mapping[str, list[str]] = {
    "allowed": ["ranking", "recall"],
    "blocked": ["blocked"],
    "review": ["review"],
    "deadletter": ["deadletter"],
    "formatted": ["actions_formatted"],
}
"""The topics, sorted, that an event of an outcome is published to, other than the ledger."""

_SCHEMAS = Path(__file__).parents[2] / "schemas" / "json"


def expected_event_id(message: Message) -> str:
    """The producer's id if it is valid, else the position of the record or of the record that it replays.

    Valid is what Python's own decoder reads, with numbers of any length and any bytes in its other fields. Of what is
    no plain JSON, or a CloudEvent, the worker's decoder says it: unit tests hold that against what was packed.
    """
    headers: Any = message.headers() or ()
    text = (message.value() or b"").decode("utf-8-sig", "surrogateescape")
    try:
        document = json.loads(text, parse_int=float, parse_constant=_refuse)
    except (ValueError, RecursionError):
        document = None
    given = document.get("event_id") if isinstance(document, dict) else None
    cloud_event = isinstance(document, dict) and "specversion" in document
    if document is None or cloud_event or any(name.lower().startswith("ce_") for name, _ in headers):
        given = event_id_of(message.value(), headers)
    if (
        isinstance(given, str)
        and 1 <= len(given) <= 200
        and not any("\ud800" <= letter <= "\udfff" for letter in given)
    ):
        return given
    replay_of = dict(headers).get("replay_of")
    return replay_of.decode() if replay_of else f"{message.topic()}-{message.partition()}-{message.offset()}"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def assert_accounted_for(inputs: Iterable[Message], outputs: Sequence[Output], *, once: bool = True) -> None:
    """Every input has a ledger record whose outcome's topics hold exactly the outputs that it lists, with one event id.

    With `once`, there is one ledger record an input, and no output that none lists; a crash allows more of both, but
    only of known events.
    """
    records = {(message.partition(), message.offset()): message for message in inputs}
    published = {output.at: output for output in outputs if output.name != "ledger"}
    seen = []
    listed = set()
    for ledger in (output for output in outputs if output.name == "ledger"):
        source = ledger.event["source"]
        seen.append((source["partition"], source["offset"]))
        assert ledger.event_id == expected_event_id(records[seen[-1]])
        positions = [(at["topic"], at["partition"], at["offset"]) for at in ledger.event["outputs"]]
        own = [published[at] for at in positions]
        assert sorted(output.name for output in own) == DEMANDED[ledger.event["outcome"]]
        assert {output.event_id for output in own} == {ledger.event_id}
        assert {output.trace_id for output in [ledger, *own]} == {ledger.event["trace_id"]}
        listed.update(positions)
    assert set(seen) == set(records), "an event has no outcome"
    if once:
        assert len(seen) == len(records), "an event has two outcomes"
        assert listed == set(published), "an output belongs to no ledger record"
    else:
        assert {output.event_id for output in outputs} == set(map(expected_event_id, records.values()))


def assert_contracts_hold(outputs: Iterable[Output]) -> None:
    """Every output is valid by the exported JSON Schema of its event, formats such as date-time included."""
    for output in outputs:
        _validator(output.name).validate(output.event)


@cache
def _validator(name: str) -> jsonschema_rs.Validator:
    schema = orjson.loads((_SCHEMAS / f"{name}.schema.json").read_bytes())
    return jsonschema_rs.validator_for(schema, validate_formats=True)
