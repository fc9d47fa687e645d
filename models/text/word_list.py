"""The speller's words: those that a correction may write, those that are only known, and known misspellings.

`speller_words.txt.gz` has them in sections, each with a title and one entry a line: words with their counts, names,
words of other languages, misspellings with what they mean. Names are many and only looked up, so they are kept as a
sorted array of 64-bit hashes: 8 bytes for each, not 100.
"""

import gzip
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from sluicegate.schemas.errors import CompiledModelError

SPELLER_WORDS_FILE: Final = "speller_words.txt.gz"

_SECTIONS: Final = ("# words", "# names", "# other languages", "# misspellings")


OWN_WORDS_FILE: Final = "lexicon.txt"
"""The words that users add: one a line, optionally with a count. Lines that start with # are comments."""

_OWN_COUNT: Final = 20_000


class WordSet:
    """Words that can only be looked up. In 64 bits, two of a million words share a hash once in 40 million sets."""

    def __init__(self, words: Iterable[str]) -> None:
        hashes = np.unique(np.fromiter(map(hash, words), np.int64))
        self._hashes = array("q", hashes.tobytes())

    def __contains__(self, word: str) -> bool:
        hashes, wanted = self._hashes, hash(word)
        place = bisect_left(hashes, wanted)
        return place < len(hashes) and hashes[place] == wanted

    def __len__(self) -> int:
        return len(self._hashes)


class WordList:
    """What the speller knows. All words are in lower case."""

    def __init__(
        self,
        counts: Mapping[str, int],
        names: Iterable[str] = (),
        foreign: Iterable[str] = (),
        misspellings: Mapping[str, str] | None = None,
    ) -> None:
        """`counts`: uses in a thousand million words of those that a correction may write."""
        self.counts: Final = dict(counts)
        self.names: Final = WordSet(names)
        self.foreign: Final = WordSet(foreign)
        self.misspellings: Final = dict(misspellings or {})

    @classmethod
    def load(cls, folder: Path) -> "WordList":
        """Read the list in `folder`, a compiled model, and the user's own words beside it.

        Raises:
            CompiledModelError: the file cannot be read, or a section of it is damaged.
        """
        path = folder / SPELLER_WORDS_FILE
        try:
            text = gzip.decompress(path.read_bytes()).decode()
            words, names, foreign, misspellings = map(_entries, text.split("\n\n"), _SECTIONS)
            pairs = words.split()
            counts = dict(zip(pairs[::2], map(int, pairs[1::2]), strict=True))
            typed = misspellings.split()
            counts |= read_own_words(folder / OWN_WORDS_FILE)
            return cls(counts, names.split("\n"), foreign.split("\n"), dict(zip(typed[::2], typed[1::2], strict=True)))
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise CompiledModelError(f"cannot read {path}: {error}. Copy or compile the model again.") from None

    def knows(self, word: str) -> bool:
        """Whether `word`, in lower case, is correct English as it is, or a name."""
        if word in self.counts or word in self.names:
            return True
        return any(form in self.counts or form in self.names for form in _base_forms(word))


def save_word_list(
    folder: Path,
    counts: Mapping[str, int],
    names: Iterable[str],
    foreign: Iterable[str],
    misspellings: Mapping[str, str],
) -> None:
    """Write `SPELLER_WORDS_FILE` into `folder`: the same bytes for the same words."""
    sections = (
        (f"{word} {count}" for word, count in sorted(counts.items())),
        sorted(names),
        sorted(foreign),
        (f"{typed} {meant}" for typed, meant in sorted(misspellings.items())),
    )
    text = "\n\n".join("\n".join((title, *lines)) for title, lines in zip(_SECTIONS, sections, strict=True))
    (folder / SPELLER_WORDS_FILE).write_bytes(gzip.compress(text.encode(), 9, mtime=0))


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


def _entries(section: str, title: str) -> str:
    first, _, rest = section.partition("\n")
    if first != title:
        raise ValueError(f"the section {title!r} is missing")
    return rest


def _base_forms(word: str) -> tuple[str, ...]:
    """What `word` is the plural or the possessive of, if it looks like one."""
    if word.endswith(("'s", "’s", "s'")):
        return (word[:-2], word[:-1])
    if not word.endswith("s") or word.endswith("ss") or len(word) < 5:
        return ()
    return (word[:-1], word[:-2]) if word.endswith("es") else (word[:-1],)
