"""A record as one line: JSON for programs, a summary for people. A terminal shows either and obeys neither."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from sluicegate.agents.kafka.record import Record
from sluicegate.schemas.codec import decode_document, event_id_of
from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.headers import replay_of
from sluicegate.schemas.payloads import unwrap

_INVISIBLE: Final = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""What JSON allows in a string and a terminal may obey: control codes of C1, and what reorders or hides text."""
_LAYOUT: Final = bytes.maketrans(b"\t\n\r", b"   ")


def json_line(record: Record) -> bytes:
    """`record` as one line of JSON. What a producer wrapped around the JSON of its value is left out."""
    value = _unwrapped(record.value or b"null")
    line = orjson.dumps(
        {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "headers": {_name(name): (raw or b"").decode(errors="replace") for name, raw in record.headers},
            **({"unreadable": record.unreadable.reason} if record.unreadable else {}),
            "value": embedded(value) or value.decode(errors="replace"),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
    return escape_invisible(line)


def embedded(value: bytes) -> orjson.Fragment | None:
    """`value` to be part of a line of JSON; None if it is not JSON."""
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return orjson.Fragment(value.translate(_LAYOUT))  # tabs and line breaks are layout: in a string they are escaped


def escape_invisible(line: bytes) -> bytes:
    """A line of JSON with escapes for what a terminal may obey."""
    return _INVISIBLE.sub(_escaped, line.decode()).encode()


def event_id_in(record: Record) -> str:
    """The id of the event in `record`: the producer's, otherwise the position of the raw record or of its original."""
    return event_id_of(record.value, record.headers) or replay_of(record.headers) or str(record.position)


def short_line(record: Record, event: str, width: int | None = None) -> bytes:
    """`record` in at most `width` characters: time, event, id, and what matters most about that event."""
    try:
        document = decode_document(record.value or b"null").content
    except ContractError:
        document = None
    event_id = event_id_in(record)
    try:
        gist = _GISTS[event](document)  # type: ignore[arg-type]  # what is no object fails
    except (AttributeError, KeyError, TypeError, ValueError):
        gist = f"not a valid {event} event"
    line = f"{record.timestamp:%H:%M:%S}  {event:<10}  {event_id:<24}  {gist}"
    shown = "".join(character if character.isprintable() else " " for character in line)
    return f"{shown[:width]}\n".encode(errors="replace")


def _understood(event: Mapping[str, Any]) -> str:
    return f"{event.get('lexical')}  ({event.get('intent')})"


def _ranking(event: Mapping[str, Any]) -> str:
    return "  ".join(f"{score['name']} {score['value']:.2f}" for score in event.get("scores", ()))


def _blocked(event: Mapping[str, Any]) -> str:
    return f"{event.get('category')} {event.get('probability'):.2f}{_rule(event)}"


def _review(event: Mapping[str, Any]) -> str:
    return f"{event.get('query')}  ({event.get('reason')})"


def _reviewed(event: Mapping[str, Any]) -> str:
    return f"{'allowed' if event.get('allow') else 'blocked'} by {event.get('reviewer')}"


def _ledger(event: Mapping[str, Any]) -> str:
    return f"{event.get('outcome')}  {event['latency_ms']['total']:.1f} ms{_rule(event.get('decision') or {})}"


def _rule(decided: Mapping[str, Any]) -> str:
    reason = decided.get("reason")
    return f"  ({reason})" if reason else ""


_GISTS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "raw": lambda event: str(event.get("query")),
    "recall": _understood,
    "ranking": _ranking,
    "blocked": _blocked,
    "review": _review,
    "reviewed": _reviewed,
    "deadletter": lambda event: str(event.get("error")),
    "ledger": _ledger,
    "actions_raw": lambda event: str(event.get("text")),
    "actions_formatted": lambda event: orjson.dumps(event["value"]).decode(),
}


def _unwrapped(value: bytes) -> bytes:
    try:
        return unwrap(value).text
    except ContractError:
        return value


def _name(name: str) -> str:
    """A header's name, which may hold bytes that are not UTF-8, as text that JSON can hold."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
