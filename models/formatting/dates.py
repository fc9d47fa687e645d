"""Dates and times as people write them, read as ISO 8601. A date without its year is no date here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time
from typing import Final

_MONTH_NAMES: Final = (
    "jan,january feb,february mar,march apr,april may jun,june jul,july aug,august sep,sept,september oct,october "
    "nov,november dec,december"
)
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        _MONTH_NAMES.split(),
        start=1,
    )
    for name in names.split(",")
}
_MONTH: Final = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY: Final = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"

_DATES: Final = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        r"(?<!\d)(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)",
        r"(?<![\d.])(?P<a>\d{1,2})(?P<mark>[-/.])(?P<b>\d{1,2})(?P=mark)(?P<y>\d{4})(?!\d)",
        rf"(?<!\w){_DAY}(?: of)?[ -](?P<name>{_MONTH})\.?,?[ -](?P<y>\d{{4}})(?!\d)",
        rf"(?<!\w)(?P<name>{_MONTH})\.? {_DAY},? (?P<y>\d{{4}})(?!\d)",
    )
)
_TIME: Final = re.compile(
    r"(?<![\d:.])(?P<h>\d{1,2})(?:[:.](?P<min>[0-5]\d)(?::(?P<s>[0-5]\d))?)?\s?(?P<half>[ap]\.?m\b\.?)"
    r"|(?<![\d:])(?P<h24>[01]?\d|2[0-3]):(?P<min24>[0-5]\d)(?::(?P<s24>[0-5]\d))?(?![\d:])"
    r"|\b(?P<word>noon|midnight)\b",
    re.IGNORECASE | re.ASCII,
)
_OFFSET: Final = re.compile(
    r"(?:\s?(?:UTC|GMT)(?P<named>[+-]\d{1,2}(?::?[0-5]\d)?)?(?![\w+-])|(?P<zulu>Z)\b|(?P<bare>\+\d\d:?[0-5]\d)(?!\d))",
    re.IGNORECASE | re.ASCII,
)
"""What may follow a time of day. ``09:00-12:00`` is two times, so a bare offset is east of UTC."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or a time of day, and its place in the text.

    `sure`: it can be read in one way only. `offset` from UTC, as ``Z`` or ``+02:00``, where the text gives one.
    """

    start: int
    end: int
    value: date | time
    sure: bool = True
    offset: str | None = None


def find_dates(text: str) -> list[Moment]:
    """Every date of `text`, in order. ``3/4/2026`` is the third of April, and not sure; ``3/14/2026`` is in March."""
    found: dict[int, Moment] = {}
    for pattern in _DATES:
        for match in pattern.finditer(text):
            if (value := _date(match)) and not any(
                one.start < match.end() and match.start() < one.end for one in found.values()
            ):
                found[match.start()] = Moment(match.start(), match.end(), value, sure=not _reads_both_ways(match))
    return [found[start] for start in sorted(found)]


def find_impossible_dates(text: str) -> list[tuple[int, int]]:
    """The places of what is written like a date and is none, as ``30 February 2027``."""
    return [match.span() for pattern in _DATES for match in pattern.finditer(text) if _date(match) is None]


def find_times(text: str) -> list[Moment]:
    """Every time of day in `text`, in order."""
    return list(_times(text))


def _times(text: str) -> Iterator[Moment]:
    for match in _TIME.finditer(text):
        if match["word"]:
            value = time(12 if match["word"].lower() == "noon" else 0)
        elif match["h"]:
            hour = int(match["h"])
            if not 1 <= hour <= 12:
                continue
            afternoon = match["half"].lower().startswith("p")
            value = time(hour % 12 + 12 * afternoon, int(match["min"] or 0), int(match["s"] or 0))
        else:
            value = time(int(match["h24"]), int(match["min24"]), int(match["s24"] or 0))
        offset = _OFFSET.match(text, match.end())
        yield Moment(
            match.start(), offset.end() if offset else match.end(), value, offset=_offset(offset) if offset else None
        )


def _offset(match: re.Match[str]) -> str:
    """``Z``, or hours and minutes as RFC 3339 writes them."""
    written = match["named"] or match["bare"]
    if not written:
        return "Z"
    digits = written[1:].replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "00")
    return f"{written[0]}{hours:0>2}:{minutes}"


def _reads_both_ways(match: re.Match[str]) -> bool:
    """Whether day and month may change places. With dots the day comes first."""
    parts = match.groupdict()
    if "a" not in parts or parts["mark"] == ".":
        return False
    first, second = int(parts["a"]), int(parts["b"])
    return first != second and max(first, second) <= 12


def _date(match: re.Match[str]) -> date | None:
    parts = match.groupdict()
    year = int(parts["y"])
    if "a" in parts:
        first, second = int(parts["a"]), int(parts["b"])
        day, month = (second, first) if second > 12 else (first, second)
    else:
        day = int(parts["d"])
        month = _MONTHS[parts["name"].lower()] if "name" in parts else int(parts["m"])
    try:
        return date(year, month, day)
    except ValueError:
        return None
