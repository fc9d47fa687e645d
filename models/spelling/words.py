"""The speller's word list, from dictionaries, lists of names, and texts that are permitted to train on.

What a correction may write has a count: the words of books and of the web, and the names that many people type. Others
are only known. Names of few people and of small places are rare: a list of all of them has nearly every short
misspelling.
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
from sluicegate.models.text.word_list import WordList, lines_of

DICTIONARIES: Final = ("en_us", "en_gb", "wordnet")
NAMES: Final = ("companies", "firstnames", "popular", "unii", "pokemon", "gaming-terms")
RARE_NAMES: Final = ("people-names", "cities", "humannames")
LOOSE: Final = ("software", "mnemonics")
"""Lists that hold misspelt words and fragments too: a known misspelling in one of these stays a misspelling."""

_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_FOREIGN_LISTS: Final = ("words_de", "words_fr", "words_es", "words_it")
_NAME_COUNT: Final = 400
"""The least count of a name that corrections may write."""
_RARE: Final = 40
_LEAST_COUNT: Final = 60
"""Uses in a thousand million of the rarest word that a correction writes, unless a known misspelling means it."""
_LEAST_NAME_COUNT: Final = 150
_LEAST_USES: Final = 3
_SHARES: Final = {"books": 0.5, "texts": 0.3, "products": 0.2}


@dataclass(frozen=True)
class Words:
    """What `models.text.word_list` saves. A word that is only known or rare may have the count 0."""

    counts: dict[str, int]
    only_known: dict[str, int]
    rare: dict[str, int]
    foreign: frozenset[str]
    misspellings: dict[str, str]

    def sections(self) -> list[bytes]:
        """The sections of the saved list, in their order."""
        known, rare = ({word: count or "" for word, count in each.items()} for each in (self.only_known, self.rare))
        return [lines_of(each) for each in (self.counts, known, rare, self.foreign, self.misspellings)]

    def word_list(self) -> WordList:
        """The list as it will be loaded."""
        return WordList(*self.sections())


def build_words(
    lists: Path,
    dictionaries: Path,
    texts: Iterable[str],
    products: Iterable[str],
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
    rare = _words_of(dictionaries, RARE_NAMES)
    books = _per_thousand_million(dict(english_words()))
    web = _web_counts(dictionaries)
    known_to_someone = proper | names | loose | books.keys()
    sources = {
        "books": books,
        "texts": _uses(texts, known_to_someone),
        "products": _uses(products, known_to_someone),
    }
    counts = {
        word: max(1, round(sum(_SHARES[source] * uses.get(word, 0) for source, uses in sources.items())))
        for word in set().union(*sources.values())
    }
    for word in names | loose:
        if (count := web.get(word, 0)) >= _LEAST_NAME_COUNT:
            counts[word] = max(counts.get(word, 0), count)
    for word in _commonly_named(dictionaries, lists):
        counts[word] = max(counts.get(word, 0), _NAME_COUNT)
    for word in (word for word in proper if _is_inflected(word, counts)):
        counts.setdefault(word, _RARE)
    misspelt = misspellings.keys() - proper
    never = _never_written(lists)
    ordinary = proper | books.keys()
    meant = set(misspellings.values())

    def is_kept(word: str) -> bool:
        return word.isascii() and (word in ordinary or not hidden(word))

    written = {
        word: count
        for word, count in counts.items()
        if (count >= _LEAST_COUNT or word in meant) and word not in misspelt and word not in never and is_kept(word)
    }
    known = proper | names | (loose - misspelt) | (counts.keys() - misspelt)
    only_known = {
        word: max(counts.get(word, 0), web.get(word, 0)) for word in known if word not in written and is_kept(word)
    }
    rarely = {word: web.get(word, 0) for word in rare if word not in written and word not in only_known}
    rarely = {word: count for word, count in rarely.items() if is_kept(word)}
    return Words(
        written,
        only_known,
        rarely,
        frozenset(word for word in foreign_words(lists, dictionaries) if written.get(word, 0) < 30_000),
        {
            typed: meant
            for typed, meant in misspellings.items()
            if typed not in written and typed not in only_known and meant in written
        },
    )


def _uses(texts: Iterable[str], known: Set[str]) -> dict[str, int]:
    """How often `texts` use each known word, in a thousand million words."""
    written = Counter(word for text in texts for word in words_in(text))
    return _per_thousand_million(
        {word: count for word, count in written.items() if count >= _LEAST_USES and word in known}
    )


def _web_counts(dictionaries: Path) -> dict[str, int]:
    """Uses in a thousand million words of the web."""
    lines = (dictionaries / "web.tsv").read_text("utf-8").splitlines()
    return _per_thousand_million({word: int(count) for word, count in (line.split("\t") for line in lines)})


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
