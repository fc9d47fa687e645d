"""Text as the lists of a policy read it: a sequence of words, without case and accents.

A word is a run of letters, digits and their marks. White space, hyphens and underscores separate words. Every other
character is a word of its own, and so is each letter and vowel sign of the scripts that write without spaces (Chinese,
Japanese, Thai, Lao, Khmer, Burmese, Tibetan). So a term is found as whole words: `ass` is not in `assistance`, but it
is in `ass!`.

Letters are compared as Unicode's caseless compatibility match does (Unicode 16, section 3.13.5), then without the
marks that several scripts share, such as the acute and the tilde. The marks of one script alone are letters to it:
they stay, and so do the voiced sound marks of Japanese. A curly apostrophe is a straight one.
"""

import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

import regex  # type: ignore[import-untyped]  # it ships no types; what it returns is annotated where it is used

_UNSPACED: Final = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"  # UAX #29 leaves them to others
)
_WORD: Final = regex.compile(
    rf"(?V1)[[\p{{L}}\p{{M}}\p{{N}}\u200c\u200d]--[{_UNSPACED}]]+"
    rf"|[\p{{Han}}\p{{Hiragana}}\p{{Katakana}}]\p{{M}}*|[{_UNSPACED}]"
    r"|[^\s\p{Pd}\p{Pc}\p{Default_Ignorable_Code_Point}]"
)
_SHARED_MARKS: Final = regex.compile(
    r"(?V1)[[\p{Mn}&&\p{Inherited}]--[\u3099\u309a]]+|\p{Default_Ignorable_Code_Point}+"
)
_APOSTROPHES: Final = str.maketrans("\u2018\u2019\u02bc", "'''")


class Word(NamedTuple):
    """A folded word, and where it is in the text: `text[start:end]`."""

    folded: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """The words of `text`, in its order. Time grows with its length alone."""
    found = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        found += [Word(folded, start, end) for folded in _folded(match.group())]
    return found


def _folded(word: str) -> tuple[str, ...]:
    """`word` without case and accents. It may be several words, as `½` is `1⁄2`, or none, as a lone accent."""
    return (word.lower(),) if word.isascii() else _folded_unicode(word)


@lru_cache(100_000)
def _folded_unicode(word: str) -> tuple[str, ...]:
    for _ in range(2):
        word = unicodedata.normalize("NFKD", word).casefold()
    word = _SHARED_MARKS.sub("", unicodedata.normalize("NFKD", word))
    word = unicodedata.normalize("NFC", word.translate(_APOSTROPHES))
    return (word,) if word.isalnum() else tuple(_WORD.findall(word))
