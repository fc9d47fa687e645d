"""Which Latin letter a character looks like: styled letters, letters with strokes, and letters of other scripts.

Styled letters are found by their Unicode names (ʙ is LATIN LETTER SMALL CAPITAL B, 🅱 NEGATIVE SQUARED LATIN CAPITAL
LETTER B). Look-alikes of other scripts are those of Unicode TR39, in the table of the package `confusable-homoglyphs`.
"""

import unicodedata
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

import msgspec
import regex  # type: ignore[import-untyped]  # it ships no types; what it returns is annotated where it is used


class Kind(Enum):
    """How a character is like its letter."""

    PLAIN = 0
    """It is a letter of ASCII, or like none."""
    ACCENTED = 1
    STYLED = 2
    FOREIGN = 3
    """A letter of another script."""


class Likeness(NamedTuple):
    """A character's lower-case Latin letters, or the character itself where it looks like none."""

    letters: str
    kind: Kind


@lru_cache(maxsize=4096)
def likeness(character: str) -> Likeness:
    """What one lower-case `character` looks like."""
    if character.isascii():
        return Likeness(character, Kind.PLAIN)
    base = unicodedata.normalize("NFD", character)[0]
    if base.isascii() and base.isalpha():
        return Likeness(base, Kind.ACCENTED)
    if character in _LIGATURES:
        return Likeness(_LIGATURES[character], Kind.ACCENTED)
    name = unicodedata.name(character, "")
    if found := _STYLED.fullmatch(name):
        return Likeness(found[1].lower(), Kind.STYLED)
    if found := _WITH_STROKE.fullmatch(name):
        return Likeness(found[1].lower(), Kind.ACCENTED)
    letter = _foreign(base)
    if letter:
        return Likeness(letter, Kind.STYLED if name.startswith("LATIN") else Kind.FOREIGN)
    return Likeness(character, Kind.PLAIN)


def turned_letters(text: str) -> str | None:
    """`text` with each letter turned round, if one of its letters stands on its head."""
    return None if _ONLY_TURNED.isdisjoint(text) else text.translate(_TURNED)


_LIGATURES: Final = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i", "ə": "e", "ɛ": "e"}
_FAUX: Final = {"я": "r", "и": "n", "п": "n", "ш": "w", "б": "b", "λ": "a", "ω": "w"}
"""Letters that people use for Latin ones although TR39 does not list them."""
_STYLED: Final = regex.compile(
    r"(?|LATIN LETTER SMALL CAPITAL (?:REVERSED |INVERTED |BARRED |TURNED )?([A-Z])"
    r"|LATIN (?:SMALL|CAPITAL) LETTER (?:TURNED |REVERSED |SIDEWAYS |SCRIPT |LONG |DOTLESS )([A-Z])(?: WITH .*)?"
    r"|(?:NEGATIVE )?(?:SQUARED|CIRCLED) LATIN CAPITAL LETTER ([A-Z])"
    r"|REGIONAL INDICATOR SYMBOL LETTER ([A-Z])"
    r"|(?:SUBSCRIPT|SUPERSCRIPT|COMBINING) LATIN (?:SMALL|CAPITAL) LETTER ([A-Z])"
    r"|MODIFIER LETTER (?:SMALL|CAPITAL) ([A-Z]))"
)
_WITH_STROKE: Final = regex.compile(r"LATIN SMALL LETTER (?:OPEN |BROAD )?([A-Z]) WITH .*")

_TURNED: Final = str.maketrans("ɐqɔpǝɟƃɥᴉıɾʞןlɯuodbɹsʇnʌʍxʎz", "abcdefghiijkllmnopqrstuvwxyz")
_ONLY_TURNED: Final = frozenset("ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎ")

_SCRIPTS: Final = regex.compile(
    r"[\p{Cyrillic}\p{Greek}\p{Armenian}\p{Cherokee}\p{Coptic}\p{Lisu}\p{Canadian_Aboriginal}\p{Deseret}\p{Latin}]"
)


def _foreign(base: str) -> str | None:
    """The letter that `base` looks like, small or else as a capital: small к is like no letter, but К is like K."""
    if base == "μ" or not _SCRIPTS.match(base):  # the sign for millionths is typed for itself, as in μm
        return None
    table = _table()
    return table.get(base) or table.get(base.upper()) or _FAUX.get(base)


class _Confusable(msgspec.Struct, frozen=True):
    c: str


@lru_cache(maxsize=1)
def _table() -> Mapping[str, str]:
    """The ASCII letter of every character that TR39 takes for one, in lower case."""
    written = files("confusable_homoglyphs").joinpath("confusables.json").read_bytes()
    rows = msgspec.json.decode(written, type=dict[str, list[_Confusable]])
    letters = {
        character: next((each.c for each in row if each.c.isascii() and each.c.isalpha()), None)
        for character, row in rows.items()
    }
    return {character: letter.lower() for character, letter in letters.items() if letter}
