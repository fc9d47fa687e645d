"""docs/reference.md: every event, reason code, category, intent and score name, generated from the code."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sluicegate.schemas.errors import ExitCode
from sluicegate.schemas.export import describe_field, json_schema
from sluicegate.schemas.reason_codes import (
    FAMILIES,
    AnswerCode,
    DisguiseCode,
    EncodingCode,
    NormaliseCode,
    PolicyCode,
    RecordCode,
    ReviewCode,
    RewriteCode,
)
from sluicegate.schemas.topics import TOPICS
from sluicegate.schemas.vocabulary import Category, Intent, ScoreName, Word

_INTRODUCTION: Final = """\
# Reference

What the events contain and what each value means. The JSON Schema files and the AsyncAPI document are in
[`schemas/json`](../schemas/json). A version of an event only ever gains optional fields, and later versions may use
values that are not listed here: consumers ignore fields and accept values that they do not know.

This page is generated from the code: `sluice schemas reference > docs/reference.md`.
"""

_RECORDS: Final = """\
The value of a record is its event, as JSON. An output has the key of its raw record, or the `event_id` if there was
none; a ledger record always has the `event_id`. Outputs and ledger records have the header `traceparent` (W3C Trace
Context) and, for a replay, `replay_of`. They repeat the headers of the raw record that `SLUICE_PASS_HEADERS` names,
such as `baggage`.

Names of headers are compared without regard to case, and several `tracestate` headers count as one list. B3 headers
(`b3`, `X-B3-TraceId`) are not read: a record that has only those begins a new trace. `SLUICE_PASS_HEADERS=b3,x-b3-*`
hands them on as they are.
"""

_CODE_SECTIONS: Final[tuple[tuple[str, type[Word]], ...]] = (
    ("The record around the query", RecordCode),
    ("Cleaning the text", NormaliseCode),
    ("Reading it into the model", EncodingCode),
    ("Disguise", DisguiseCode),
    ("The verdict", PolicyCode),
    ("The model's answer", AnswerCode),
    ("The rewrite", RewriteCode),
    ("The review", ReviewCode),
)


def as_markdown() -> str:
    """The page. The same on every machine."""
    return "\n".join([_INTRODUCTION, *_topics(), *_codes(), *_vocabularies(), *_exit_codes(), *_events()]) + "\n"


def _topics() -> Iterator[str]:
    yield "\n## Topics\n"
    rows = (
        (f"`{topic.default_topic}`", f"[{topic.event.__name__}](#{name})", topic.direction, topic.summary)
        for name, topic in TOPICS.items()
    )
    yield from _table(("topic", "event", "the workers", "meaning"), rows)
    yield f"\n{_RECORDS}"


def _codes() -> Iterator[str]:
    yield "\n## Reason codes\n"
    yield "Events list them in the order in which they arose.\n"
    families = (
        (f"`{family.prefix}:{family.parameter}`", family.meaning, _listed(family.meanings)) for family in FAMILIES
    )
    yield from _table(("code", "meaning", "parameters"), families)
    for title, codes in _CODE_SECTIONS:
        yield f"\n### {title}\n"
        yield from _table(("code", "meaning"), _words(codes))


def _vocabularies() -> Iterator[str]:
    for title, words in (("Categories", Category), ("Intents", Intent), ("Score names", ScoreName)):
        yield f"\n## {title}\n"
        yield from _table(("value", "meaning"), _words(words))


def _exit_codes() -> Iterator[str]:
    yield "\n## Exit codes\n"
    yield from _table(("code", "meaning"), ((str(code.value), code.meaning) for code in ExitCode))


def _events() -> Iterator[str]:
    yield "\n## Events\n"
    for name in TOPICS:
        schema = json_schema(name)
        yield f"\n### {name}\n"
        yield f"{_paragraph(schema['description'])}\n"
        yield from _table(("field", "type", "required", "meaning"), _fields(schema, schema["$defs"]))
        for part, definition in schema["$defs"].items():
            yield f"\n**{part}**: {_paragraph(definition['description'])}\n"
            yield from _table(("field", "type", "required", "meaning"), _fields(definition, schema["$defs"]))


def _fields(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, field in schema["properties"].items():
        required = "yes" if name in schema.get("required", ()) else ""
        yield f"`{name}`", _type_of(field), required, describe_field(field, definitions)


def _type_of(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(map(_type_of, field["anyOf"]))
    if "allOf" in field:
        return _type_of(field["allOf"][0])
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if values := [field["const"]] if "const" in field else field.get("enum"):
        return ", ".join(f"`{value}`".lower() if isinstance(value, bool) else f"`{value}`" for value in values)
    if field.get("type") == "array":
        return f"list of {_type_of(field['items'])}"
    if field.get("format") == "date-time":
        return "time"
    if field.get("contentEncoding") == "base64":
        return "base64"
    return str(field.get("type", "any"))


def _words(words: type[Word]) -> Iterator[tuple[str, str]]:
    return ((f"`{word.value}`", word.meaning) for word in words)


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _paragraph(text: str) -> str:
    return " ".join(text.split())


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
