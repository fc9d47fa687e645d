"""What a text mentions: dates, numbers, addresses, quotations, and ``label: value`` lines, each with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sluicegate.models.formatting.amounts import Amount, find_amounts
from sluicegate.models.formatting.dates import Moment, find_dates, find_impossible_dates, find_times

_BY_FORMAT: Final = {
    "email": re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+", re.ASCII),
    "uri": re.compile(r"\bhttps?://[^\s<>\"']{1,2000}[^\s<>\"'.,;:!?)\]]", re.IGNORECASE),
    "ipv4": re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", re.ASCII),
    "ipv6": re.compile(r"(?<![\w:])[0-9a-f:]{2,39}:[0-9a-f]{1,4}(?![\w:])", re.IGNORECASE | re.ASCII),
    "uuid": re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE | re.ASCII),
    "hostname": re.compile(r"\b(?:[a-z0-9-]{1,63}\.)+[a-z]{2,63}\b", re.IGNORECASE | re.ASCII),
    "duration": re.compile(r"\bP(?:\d+[YMWD])*(?:T(?:\d+[HMS])+)?\b"),
    "phone": re.compile(r"(?<![\w.])\+?\(?\d(?:[ ().\-/]{0,2}\d){7,14}(?!\w)"),
}
_QUOTED: Final = re.compile(
    r"[\"“”«](?P<quoted>[^\"“”»\n]{1,300})[\"“”»]|(?<!\w)['‘](?P<single>[^'’\n]{1,300})['’](?!\w)"
)
_LABELLED: Final = re.compile(r"(?:^|[\n,;.(])\s*(?P<label>[^\W\d_][\w /-]{0,40}?)\s*[:=]\s*(?P<value>[^\n;,]{1,300})")
WORD: Final = re.compile(r"[^\W_]+(?:['’.\-][^\W_]+)*")

_CODE: Final = re.compile(
    r"(?<!\w)(?:[^\W\d_]+[-/]\d[\w/-]*|\d[\d/-]{0,20}-[A-Z]+(?:[\d-][\w-]*)?(?![a-z])|\d+[A-Z]+\d\w*)"
)
"""Letters and digits that name a thing, as ``AB-12`` or ``12-XK``."""
_DIALLED: Final = re.compile(
    r"\b(?:call|phone|tel|telephone|mobile|fax|ring|whatsapp)\b\W{0,3}(?:(?:me|us|at|on|number|is|no)\b\W{0,3})*"
    r"(?:\+\d[\d ().\-/]*|\(?\d(?:[ ().\-/]{0,2}\d){4,14})"
    r"|(?<!\w)\+\d{1,3}[ (.\-/]{1,2}\d[\d ().\-/]*|(?<![\w-])\d{3}-\d{4}(?![\w-])",
    re.IGNORECASE,
)
"""Telephone numbers that only their surroundings or their shape show."""

_MOST_AMOUNTS: Final = 500


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of the text."""

    start: int
    end: int
    text: str


class Mentions:
    """Everything that a text mentions, found when it is first asked for."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def dates(self) -> list[Moment]:
        """The dates, in order."""
        return find_dates(self.text)

    @cached_property
    def impossible_dates(self) -> list[Span]:
        """What is written like a date and is none."""
        return [Span(start, end, self.text[start:end]) for start, end in find_impossible_dates(self.text)]

    @cached_property
    def times(self) -> list[Moment]:
        """The times of day, in order."""
        return find_times(self.text)

    @cached_property
    def amounts(self) -> list[Amount]:
        """The first numbers that are not part of a date, a time, an address, a code or a telephone number."""
        taken = [(one.start, one.end) for one in (*self.dates, *self.times)]
        taken += [(one.start, one.end) for one in self.impossible_dates]
        taken += [match.span() for pattern in (_CODE, _DIALLED) for match in pattern.finditer(self.text)]
        for name in ("email", "uri", "ipv4", "uuid", "phone"):
            taken += [(one.start, one.end) for one in self.of_format(name)]
        return [
            amount
            for amount in self.all_amounts[:_MOST_AMOUNTS]
            if not any(start < amount.end and amount.start < end for start, end in taken)
        ]

    @cached_property
    def inside(self) -> frozenset[int]:
        """The places within a date, a time, a number or an address: no free text begins or ends there."""
        spans = [(one.start, one.end) for one in (*self.dates, *self.times)]
        spans += [(one.start, one.end) for one in self.amounts]
        spans += [(one.start, one.end) for one in self.impossible_dates]
        for name in ("email", "uri", "uuid"):
            spans += [(one.start, one.end) for one in self.of_format(name)]
        return frozenset(place for start, end in spans for place in range(start + 1, end))

    @cached_property
    def all_amounts(self) -> list[Amount]:
        """Every number, also those within a date or an address."""
        return find_amounts(self.text)

    @cached_property
    def words(self) -> list[Span]:
        """The words, in order."""
        return [Span(match.start(), match.end(), match.group()) for match in WORD.finditer(self.text)]

    @cached_property
    def quoted(self) -> list[Span]:
        """What stands between quotation marks."""
        return [_trimmed(match, "quoted" if match["quoted"] else "single") for match in _QUOTED.finditer(self.text)]

    @cached_property
    def labelled(self) -> list[tuple[str, Span]]:
        """The ``label: value`` pairs; labels in lower case."""
        return [(match["label"].lower(), _trimmed(match, "value")) for match in _LABELLED.finditer(self.text)]

    def of_format(self, name: str) -> Iterator[Span]:
        """The pieces that look like `name`: a format of JSON Schema, or ``phone``."""
        if pattern := _BY_FORMAT.get(name):
            for match in pattern.finditer(self.text):
                yield Span(match.start(), match.end(), match.group())


def _trimmed(match: re.Match[str], group: str) -> Span:
    text = match[group]
    start = match.start(group) + len(text) - len(text.lstrip())
    text = text.strip().rstrip(".")
    return Span(start, start + len(text), text)
