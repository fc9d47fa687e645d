"""Where each value of finished JSON comes from: the text, the schema, or nowhere."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sluicegate.models.formatting.formatter import How, ValueSource
from sluicegate.models.formatting.keywords import Json, pointer
from sluicegate.models.formatting.mentions import Mentions
from sluicegate.models.formatting.schema import FormatSchema

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d")
Path = tuple[str | int, ...]


@dataclass
class Grounding:
    """The sources of a value's parts, and the paths of those that come from nowhere."""

    sources: list[ValueSource] = field(default_factory=list)
    ungrounded: list[Path] = field(default_factory=list)


def ground(value: Json, schema: FormatSchema, text: str) -> Grounding:
    """Look for each part of `value` in `text`, then among the values that the schema itself names."""
    mentions = Mentions(text)
    grounding = Grounding()
    for path, leaf in _leaves(value):
        place = None if leaf is None or isinstance(leaf, bool) else _place(leaf, mentions)
        if leaf is None:
            grounding.sources.append(ValueSource(pointer(*path), None, None, "null"))
        elif isinstance(leaf, bool):
            grounding.sources.append(ValueSource(pointer(*path), None, None, "boolean"))
        elif schema.names_value(path, leaf):
            start, end = place or (None, None)
            grounding.sources.append(ValueSource(pointer(*path), start, end, "enum"))
        elif place:
            how: How = "number"
            if isinstance(leaf, str):
                how = "date" if _MOMENT.match(leaf) else "text"
            grounding.sources.append(ValueSource(pointer(*path), *place, how))
        else:
            grounding.ungrounded.append(path)
    return grounding


def nulled(value: Json, schema: FormatSchema, paths: list[Path]) -> Json:
    """`value` with null at each of `paths` where the schema allows it."""
    for path in paths:
        changed = _with_null(value, path)
        if schema.allows(changed):
            value = changed
    return value


def _with_null(value: Json, path: Path) -> Json:
    if not path:
        return None
    copy = value.copy()
    copy[path[0]] = _with_null(value[path[0]], path[1:])
    return copy


def _leaves(value: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _leaves(one, (*path, name))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _leaves(one, (*path, index))
    else:
        yield path, value


def _place(leaf: str | float, mentions: Mentions) -> tuple[int, int] | None:
    if not isinstance(leaf, str):
        found = next((one for one in mentions.all_amounts if one.value == leaf), None)
        return (found.start, found.end) if found else _written(str(leaf), mentions.text, whole=True)
    return _written(leaf, mentions.text, whole=False) or _moment(leaf, mentions)


def _written(piece: str, text: str, *, whole: bool) -> tuple[int, int] | None:
    """Where `piece` stands in `text`, whatever the case and the white space; not inside a word."""
    words = piece.split()
    if not words:
        return (0, 0) if not whole else None
    pattern = r"\s+".join(map(re.escape, words))
    found = re.search(rf"(?<!\w){pattern}(?!\w)", text, re.IGNORECASE)
    return (found.start(), found.end()) if found else None


def _moment(leaf: str, mentions: Mentions) -> tuple[int, int] | None:
    """The place of the date or time that `leaf` is in ISO 8601; a time of midnight may come with the date alone."""
    for day in mentions.dates:
        if leaf == day.value.isoformat():
            return day.start, day.end
        if leaf.startswith(f"{day.value.isoformat()}T"):
            clock = leaf[11:16]
            if clock == "00:00" or any(moment.value.isoformat().startswith(clock) for moment in mentions.times):
                return day.start, day.end
    if re.match(r"\d\d:\d\d", leaf):
        found = next((one for one in mentions.times if one.value.isoformat().startswith(leaf[:5])), None)
        return (found.start, found.end) if found else None
    return None
