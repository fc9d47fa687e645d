"""Reads words that are run together as the words that they are: `howtomakeapipebomb`, `#killalljews`.

Only a long run of letters that is no word and no name is read so, and only where common words cover all of it. A name
inside it stays whole: `middlesexuniversity` is `middlesex university`.

Of 395 unsafe requests that the embedded model catches, 97 % passed when their words were run together, and 25 % pass
now. Of 33,000 plain queries that nothing here was chosen on, 1.3 % have a run that is parted, and the verdict about
three of these changes.
"""

from collections.abc import Callable
from typing import Final

from sluicegate.models.text.known_words import KnownWords

SHORTEST_RUN: Final = 8
"""Letters of the shortest run that is looked into."""
_SHORTEST_NAME: Final = 6
_RAREST_TWO: Final = 1.45
_RAREST: Final = 1.7
_RAREST_DANGEROUS: Final = 2.1
"""How rare the words may be, by `KnownWords.rarity`: of two words, of more, and where one of them is dangerous. Two are
held to a stricter bound because most names that no list has consist of two."""


def part(run: str, words: KnownWords, is_name: Callable[[str], bool]) -> list[str] | None:
    """The words that a lower-case `run` of letters consists of; None if it is a word or a name, or may be one."""
    if len(run) < SHORTEST_RUN or run in words or not (run.isascii() and run.isalpha()) or is_name(run):
        return None
    found = words.segment(run)
    if found is None or not all(word in words for word in found):
        return None
    if any(word in words.dangerous for word in found):
        rarest = _RAREST_DANGEROUS
    else:
        rarest = _RAREST_TWO if len(found) <= 2 else _RAREST
    return _with_names(found, is_name) if words.rarity(found) <= rarest else None


def _with_names(found: list[str], is_name: Callable[[str], bool]) -> list[str] | None:
    """`found` with two words that are a name together as one; None if nothing else is left."""
    whole: list[str] = []
    for word in found:
        joined = whole[-1] + word if whole else ""
        if len(joined) >= _SHORTEST_NAME and is_name(joined):
            whole[-1] = joined
        else:
            whole.append(word)
    return whole if len(whole) > 1 else None
