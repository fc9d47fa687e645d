"""Finding the terms of all lists in a text, in one pass over its words.

Each term is a key of one dictionary: its words, joined by spaces. At each word of a text the keys that begin with it
are tried, up to the length of the longest term with that first word. So a query costs the same for ten terms as for
a hundred thousand.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.policy import Verdict
from sluicegate.models.policy.words import Word, words_of


class Action(StrEnum):
    """What a list does with a query that contains one of its terms."""

    BLOCK = "block"
    REVIEW = "review"
    ALLOW = "allow"

    @property
    def verdict(self) -> Verdict:
        """The verdict about such a query. An allow list decides only if nothing else is in the query."""
        return Verdict(self.value)


class TermList(msgspec.Struct, frozen=True):
    """One list. It applies to the events of `surface`, or to all where that is None."""

    name: str
    action: Action
    category: Category | None
    surface: str | None
    terms: tuple[str, ...]


class Match(NamedTuple):
    """A term that was found, and where in the text."""

    term_list: TermList
    term: str
    start: int
    end: int


def key_of(words: Iterable[Word]) -> str:
    """The words of a term or of a part of a text, as they are compared."""
    return " ".join(word.folded for word in words)


class TermLists:
    """All lists of a policy, ready to search. Immutable."""

    def __init__(self, lists: Sequence[TermList]) -> None:
        """Compile `lists`: about a second for 100,000 terms."""
        self._terms: dict[str, list[tuple[TermList, str]]] = {}
        self._longest: dict[str, int] = {}
        for term_list in lists:
            for term in term_list.terms:
                words = words_of(term)
                self._terms.setdefault(key_of(words), []).append((term_list, term))
                first = words[0].folded
                self._longest[first] = max(len(words), self._longest.get(first, 0))

    def find(self, text: str, surface: str | None) -> list[Match]:
        """The terms in `text` of the lists that apply to `surface`, in the order of the text."""
        if not self._terms:
            return []
        words = words_of(text)
        longest: Mapping[str, int] = self._longest
        found = []
        for start, first in enumerate(words):
            most = longest.get(first.folded, 0)
            key = ""
            for end in range(start, min(start + most, len(words))):
                key = f"{key} {words[end].folded}" if key else first.folded
                for term_list, term in self._terms.get(key, ()):
                    if term_list.surface is None or term_list.surface == surface:
                        found.append(Match(term_list, term, first.start, words[end].end))
        return found
