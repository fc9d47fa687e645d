"""The speller's words: those that a correction may write, those that are only known, and known misspellings.

`speller_words.txt.gz` has them in sections, each with a title and sorted lines: words that a correction may write,
words that are only known, rare names, each with its count; words of other languages; misspellings with what they mean.
In memory a section stays as it is, and a word is looked up by bisection: in some microseconds, and in a tenth of the
memory of a dictionary.
"""

import gzip
import re
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from sluicegate.schemas.errors import CompiledModelError

SPELLER_WORDS_FILE: Final = "speller_words.txt.gz"

_SECTIONS: Final = ("# words", "# only known", "# rare names", "# other languages", "# misspellings")

OWN_WORDS_FILE: Final = "lexicon.txt"
"""The words that users add: one a line, optionally with a count. Lines that start with # are comments."""

_OWN_COUNT: Final = 20_000
_CACHED: Final = 16_384
_BLOCK: Final = 64
_WORD: Final = re.compile(rb"[^ \n]*")


class Kind(IntEnum):
    """How well a word is known."""

    UNKNOWN = 0
    RARE = 1
    """A name of few people or of a small place. It may be a misspelling as well."""
    KNOWN = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a word. `count`: uses in a thousand million words, 0 if unknown or rarer than that."""

    kind: Kind
    count: int
    may_be_written: bool
    is_own: bool = False
    """Whether the user has added it: it is never corrected."""


_UNKNOWN: Final = Entry(Kind.UNKNOWN, 0, may_be_written=False)


class _Lines:
    """Sorted lines of a word and, after a space, its value: every 64th word is found by bisection, then the line."""

    def __init__(self, lines: bytes) -> None:
        self._lines = b"\n" + lines + b"\n" if lines else b""
        starts = np.flatnonzero(np.frombuffer(self._lines, np.uint8) == ord("\n"))[:-1:_BLOCK].tolist()
        self._starts = [*starts, len(self._lines)]
        self._firsts = [match[0] for start in starts if (match := _WORD.match(self._lines, start + 1))]

    def value_of(self, word: str) -> bytes | None:
        """What stands after `word`; None if there is no such line."""
        lines, line = self._lines, b"\n" + word.encode()
        block = bisect_right(self._firsts, line[1:])
        if not block:
            return None
        start = lines.find(line, self._starts[block - 1], self._starts[block] + 1)
        end = start + len(line)
        if start < 0 or lines[end] not in b" \n":  # a line with the word alone comes before longer words
            return None
        return lines[end + 1 : lines.index(b"\n", end)] if lines[end] == ord(" ") else b""

    def words(self) -> list[str]:
        """Every word."""
        return [line.partition(" ")[0] for line in self._lines.decode().split("\n")[1:-1] if line]


class WordList:
    """What the speller knows. All words are in lower case. Thread-safe."""

    def __init__(
        self,
        words: bytes,
        only_known: bytes = b"",
        rare: bytes = b"",
        foreign: bytes = b"",
        misspellings: bytes = b"",
        *,
        own: Mapping[str, int] | None = None,
    ) -> None:
        """The sections as sorted lines, see `lines_of`; `own` are words of the user with their counts."""
        self._words = _Lines(words)
        self._only_known = _Lines(only_known)
        self._rare = _Lines(rare)
        self._foreign = _Lines(foreign)
        self._misspellings = _Lines(misspellings)
        self._own = dict(own or {})
        self.entry = lru_cache(_CACHED)(self._entry)
        """What is known of a word in lower case."""

    @classmethod
    def load(cls, folder: Path) -> "WordList":
        """Read the list in `folder`, a compiled model, and the user's own words beside it.

        Raises:
            CompiledModelError: the file cannot be read, or a section of it is damaged.
        """
        path = folder / SPELLER_WORDS_FILE
        try:
            sections = gzip.decompress(path.read_bytes()).split(b"\n\n")
            lines = [_content(section, title) for section, title in zip(sections, _SECTIONS, strict=True)]
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise CompiledModelError(f"cannot read {path}: {error}. Copy or compile the model again.") from None
        return cls(*lines, own=read_own_words(folder / OWN_WORDS_FILE))

    def forget(self) -> None:
        """Forget the words that were looked up before: for measuring."""
        self.entry.cache_clear()

    def knows(self, word: str) -> bool:
        """Whether `word`, in lower case, is correct English as it is, or a name."""
        return self.known_as(word).kind > Kind.UNKNOWN

    def known_as(self, word: str) -> Entry:
        """What is known of `word`, or of the word that it is the plural or possessive of."""
        entry = self.entry(word)
        if entry.kind is Kind.UNKNOWN:
            for form in base_forms(word):
                if (base := self.entry(form)).kind > Kind.UNKNOWN:
                    return base
        return entry

    def count(self, word: str) -> int:
        """Uses of `word` in a thousand million words, if a correction may write it; else 0."""
        entry = self.entry(word)
        return entry.count if entry.may_be_written else 0

    def is_foreign(self, word: str) -> bool:
        """Whether `word` is a word of another language."""
        return self._foreign.value_of(word) is not None

    def meant_by(self, word: str) -> str | None:
        """What the known misspelling `word` means; None if it is none."""
        meant = None if word in self._own else self._misspellings.value_of(word)
        return None if meant is None else meant.decode()

    def writable(self) -> list[str]:
        """Every word that a correction may write."""
        return [*self._words.words(), *(word for word in self._own if self._words.value_of(word) is None)]

    def _entry(self, word: str) -> Entry:
        if own := self._own.get(word):
            return Entry(Kind.KNOWN, own, may_be_written=True, is_own=True)
        if (count := self._words.value_of(word)) is not None:
            return Entry(Kind.KNOWN, int(count), may_be_written=True)
        if (count := self._only_known.value_of(word)) is not None:
            return Entry(Kind.KNOWN, int(count or 0), may_be_written=False)
        if (count := self._rare.value_of(word)) is not None:
            return Entry(Kind.RARE, int(count or 0), may_be_written=False)
        return _UNKNOWN


def lines_of(words: Mapping[str, object] | Iterable[str]) -> bytes:
    """A section: the words, with their values if there are any, sorted as `WordList` needs them."""
    pairs = words.items() if isinstance(words, Mapping) else ((word, "") for word in words)
    lines = sorted((word.encode(), b"" if value == "" else f" {value}".encode()) for word, value in pairs)
    return b"\n".join(word + value for word, value in lines)


def save_word_list(folder: Path, sections: Iterable[bytes]) -> None:
    """Write `SPELLER_WORDS_FILE` into `folder`: the same bytes for the same sections, in the order of `WordList`."""
    text = b"\n\n".join(title.encode() + b"\n" + lines for title, lines in zip(_SECTIONS, sections, strict=True))
    (folder / SPELLER_WORDS_FILE).write_bytes(gzip.compress(text, 9, mtime=0))


def read_own_words(path: Path) -> dict[str, int]:
    """The words in `path` with their counts; none if there is no such file.

    Raises:
        CompiledModelError: it cannot be read, or a line of it is wrong; names the line.
    """
    counts: dict[str, int] = {}
    try:
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
    except (OSError, ValueError) as error:
        raise CompiledModelError(f"cannot read {path}: {error}. Copy or compile the model again.") from None
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        word, space, count = line.partition(" ")
        if not word or word != word.lower() or (space and not (count.isascii() and count.isdecimal() and int(count))):
            raise CompiledModelError(
                f"{path}, line {number}: {line[:60]!r} must be a word in lower case, with a count or without, as "
                "`shoes 9` or `shoes`."
            )
        counts[word] = int(count) if space else _OWN_COUNT
    return counts


def _content(section: bytes, title: str) -> bytes:
    first, _, rest = section.partition(b"\n")
    if first != title.encode():
        raise ValueError(f"the section {title!r} is missing")
    return rest


_TAKE_ES: Final = ("ses", "xes", "zes", "ches", "shes", "oes")


def base_forms(word: str) -> tuple[str, ...]:
    """What `word` is the plural or the possessive of, if it looks like one."""
    if word.endswith(("'s", "’s", "s'")):
        return (word[:-2], word[:-1])
    if not word.endswith("s") or word.endswith("ss") or len(word) < 5:
        return ()
    return (word[:-1], word[:-2]) if word.endswith(_TAKE_ES) else (word[:-1],)
