"""What the model reads of one query besides its normalised text: the skeleton, and windows of a long text.

Padding dilutes: a model that reads one bad sentence among many plain words may find the whole harmless. So a long text
is also read in overlapping windows. Their number is bounded, and with it the cost: of a very long text they are wider.
Its first and its last words are read by themselves too, because people pad after or before what they want: of 254
unsafe rows that are caught, 7.5 % passed when plain words followed them, and 4.7 % pass now.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sluicegate.models.text.skeleton import skeleton
from sluicegate.schemas.reason_codes import DisguiseCode

LONG: Final = 24
"""Words from which on a text is also read in windows."""
WINDOW: Final = 16
OVERLAP: Final = 7
"""Words of a window, and words that it shares with the next."""
EDGE: Final = 8
"""Words at the start and at the end that are a window each."""
MOST_WINDOWS: Final = 12


class ReadingName(StrEnum):
    """Which text of a query the model read."""

    QUERY = "query"
    SKELETON = "skeleton"
    WINDOW = "window"
    CORRECTION = "correction"
    REWRITE = "rewrite"
    SUGGESTION = "suggestion"
    """What is offered to the user, if it is allowed; it changes no verdict."""


@dataclass(frozen=True)
class Reading:
    """One text to judge."""

    name: ReadingName
    text: str


@dataclass(frozen=True)
class FurtherReadings:
    """What to judge besides the query itself, and whether something was hidden in it.

    `replace_query`: the query itself is not to be judged. Its skeleton, the first of `readings`, says all of it.
    """

    readings: tuple[Reading, ...] = ()
    codes: tuple[DisguiseCode, ...] = ()
    replace_query: bool = False


def further_readings(
    text: str, correction: str | None = None, is_name: Callable[[str], bool] = lambda _: True
) -> FurtherReadings:
    """The readings of a normalised query, without the query itself; `correction` is what will be published for it.

    A long word is not read as several that are run together if it `is_name`.
    """
    plain = skeleton(text, is_name=is_name)
    readings = [Reading(ReadingName.SKELETON, plain.text)] if plain else []
    readings += [Reading(ReadingName.WINDOW, window) for window in windows(plain.text if plain else text)]
    if correction is not None and not same_words(correction, text) and not (plain and plain.is_whole):
        readings.append(Reading(ReadingName.CORRECTION, correction))
    return FurtherReadings(tuple(readings), plain.codes, plain.is_whole) if plain else FurtherReadings(tuple(readings))


def windows(text: str) -> list[str]:
    """Overlapping parts of a text of at least `LONG` words, at most `MOST_WINDOWS`; none of a shorter one."""
    words = text.split(" ")
    if len(words) < LONG:
        return []
    step = max(WINDOW - OVERLAP, -(-(len(words) - OVERLAP) // (MOST_WINDOWS - 2)))
    inner = [words[start : start + step + OVERLAP] for start in range(0, len(words) - OVERLAP, step)]
    return [" ".join(part) for part in (words[:EDGE], *inner, words[-EDGE:])]


def same_words(text: str, other: str) -> bool:
    """Whether two texts differ in case and spacing only."""
    return text == other or text.lower().split() == other.lower().split()
