"""The speller's word list, from dictionaries, lists of names, and texts that are permitted to train on.

What a correction may write has a count: the words of books, and the names that many people type. All other words are
only known, so that nobody corrects them.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from sluicegate.models.data.products import catalogue_phrases
from sluicegate.models.data.vocabulary import english_words

DICTIONARIES: Final = ("en_us", "en_gb", "wordnet")
NAMES: Final = ("companies", "people-names", "firstnames", "cities", "unii", "pokemon", "gaming-terms")
LOOSE: Final = ("software", "humannames", "mnemonics")
"""Lists that hold misspelt words and fragments too: a known misspelling in one of these stays a misspelling."""

_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_FOREIGN_LISTS: Final = ("words_de", "words_fr", "words_es", "words_it")
_NAME_COUNT: Final = 400
"""The count of a name that corrections may write, where no text has it: that of a rare word."""
_RARE: Final = 40
_LEAST_USES: Final = 3
_SHARE_OF_TEXTS: Final = 0.4


@dataclass(frozen=True)
class Words:
    """What `models.text.word_list` saves."""

    counts: dict[str, int]
    names: frozenset[str]
    foreign: frozenset[str]
    misspellings: dict[str, str]


def build_words(
    lists: Path,
    dictionaries: Path,
    texts: Iterable[str],
    misspellings: Mapping[str, str],
    *,
    hidden: Callable[[str], bool] = lambda _: False,
) -> Words:
    """The words of `lists` and `dictionaries`, two folders, and of `texts`. Names that are `hidden` are left out."""
    proper = _words_of(dictionaries, DICTIONARIES)
    names = (
        _words_of(dictionaries, NAMES) | _table_words(lists / "brands.tsv", 0) | _table_words(lists / "names.tsv", 1)
    )
    loose = _words_of(dictionaries, LOOSE)
    books = _per_thousand_million(dict(english_words()))
    written = Counter(word for text in texts for word in words_in(text))
    known_to_someone = proper | names | loose | books.keys()
    in_texts = _per_thousand_million(
        {word: count for word, count in written.items() if count >= _LEAST_USES and word in known_to_someone}
    )
    counts: dict[str, int] = {}
    for word in books.keys() | in_texts.keys():
        share = (1 - _SHARE_OF_TEXTS) * books.get(word, 0) + _SHARE_OF_TEXTS * in_texts.get(word, 0)
        counts[word] = max(1, round(share))
    for word in _commonly_named(dictionaries, lists):
        counts[word] = max(counts.get(word, 0), _NAME_COUNT)
    for word in (word for word in proper if word in known_to_someone and _is_inflected(word, counts)):
        counts.setdefault(word, _RARE)
    misspelt = misspellings.keys() - proper
    counts = {word: count for word, count in counts.items() if word.isascii() and word not in misspelt}
    kept = proper | names | (loose - misspelt)
    ordinary = proper | books.keys()
    never = _never_written(lists)
    kept |= {word for word in counts if word in never}
    counts = {word: count for word, count in counts.items() if word not in never}
    counts = {word: count for word, count in counts.items() if word in ordinary or not hidden(word)}
    known = frozenset(
        word
        for word in kept
        if word.isascii() and len(word) > 1 and word not in counts and (word in ordinary or not hidden(word))
    )
    foreign = frozenset(word for word in foreign_words(lists, dictionaries) if counts.get(word, 0) < 30_000)
    return Words(
        counts,
        known,
        foreign,
        {
            typed: meant
            for typed, meant in misspellings.items()
            if typed not in counts and typed not in known and meant in counts
        },
    )


def _never_written(lists: Path) -> Set[str]:
    """Rude and unsafe words with their forms. They are known, but no correction writes them."""
    own = files("sluicegate.models.spelling").joinpath("never_written.txt").read_text("utf-8").splitlines()
    english = (line.split("\t") for line in (lists / "profanity_multilingual.tsv").read_text("utf-8").splitlines())
    stems = {line for line in own if line and not line.startswith("#")}
    rude = (line.split("\t")[0] for line in (lists / "profanity_en.tsv").read_text("utf-8").splitlines())
    stems |= {term.lower() for term in rude if term.isalpha()}  # of a phrase, each word may be harmless
    stems |= {term for language, term in english if language == "en" and term.isalpha()}
    ends = ("", "s", "es", "d", "ed", "ing", "er", "ers", "or", "ors", "y", "ist", "ists", "ism")
    shorter = {stem[:-1] for stem in stems if stem.endswith("e") and len(stem) > 4}
    doubled = {stem + stem[-1] for stem in stems if len(stem) > 2}
    return {stem + end for stem in stems | shorter | doubled for end in ends if stem + end not in _HARMLESS}


_HARMLESS: Final = frozenset({"asses", "assess", "assist", "gated", "hers", "homes", "tits", "bombay"})
"""Words that look like forms of such words."""


def words_in(text: str) -> Iterator[str]:
    """The words of `text` in lower case; letters only, parted at digits, signs and capitals inside a word."""
    yield from (word.removesuffix("'s") for word in _WORD.findall(text.lower().replace("’", "'")))


def foreign_words(lists: Path, dictionaries: Path) -> Set[str]:
    """Words of other languages, in lower case."""
    found = {word for name in _FOREIGN_LISTS for word in _table_words(lists / f"{name}.tsv", 0)}
    return found | _words_of(dictionaries, ("foreign",))


def _words_of(folder: Path, names: Iterable[str]) -> Set[str]:
    return {
        word
        for name in names
        for line in (folder / f"{name}.txt").read_text("utf-8").splitlines()
        for word in words_in(_parted(line))
    }


def _table_words(path: Path, column: int) -> Set[str]:
    lines = path.read_text("utf-8").splitlines()
    return {word for line in lines for word in words_in(_parted(line.split("\t")[column]))}


def _parted(term: str) -> str:
    """`term`, and its parts where it has capitals inside: `fooBar` has the words foobar, foo and bar."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", term)
    return term if parts == term else f"{term} {parts}"


def _commonly_named(dictionaries: Path, lists: Path) -> Set[str]:
    recent = files("sluicegate.models.data").joinpath("words.txt").read_text("utf-8")
    catalogue = {word for phrase in (*catalogue_phrases(), recent) for word in words_in(phrase)}
    return catalogue | _words_of(dictionaries, ("companies", "popular"))


def _is_inflected(word: str, counts: Mapping[str, int]) -> bool:
    """Whether `word` is a form of a word that has a count: summarizes of summarize."""
    stems = [
        (word[: -len(end)], end)
        for end in ("s", "es", "ed", "d", "ing", "er", "ers", "ly", "ness", "able")
        if word.endswith(end)
    ]
    return any(stem in counts or f"{stem}e" in counts for stem, _ in stems if len(stem) > 2)


def _per_thousand_million(counts: Mapping[str, int]) -> dict[str, int]:
    whole = sum(counts.values()) or 1
    return {word: max(1, round(1e9 * count / whole)) for word, count in counts.items()}
