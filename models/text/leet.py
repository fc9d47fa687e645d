"""Undoes what is done to single words: digits and signs for letters, letters drawn out, masked or set apart by signs.

A word is changed only into a known one, so that part numbers, models and sizes stay: `b0 4x2`, `iphone5`, `4door`.
"""

import re
from itertools import product
from typing import Final

from sluicegate.models.text.known_words import KnownWords

_LETTERS: Final = {
    "0": "o",
    "1": "il",
    "3": "e",
    "4": "a",
    "5": "s",
    "6": "gb",
    "7": "t",
    "8": "b",
    "9": "g",
    "$": "s",
    "@": "a",
    "!": "il",
    "|": "li",
    "€": "e",
    "£": "l",
    "+": "t",
    "¢": "c",
    "¥": "y",
    "₿": "b",
    "฿": "b",
    "₳": "a",
    "₵": "c",
    "₣": "f",
    "₲": "g",
    "₭": "k",
    "₥": "m",
    "₦": "n",
    "₱": "p",
    "₴": "s",
    "₮": "t",
    "₩": "w",
}
_MOST_WAYS: Final = 64
_LONGEST: Final = 24
_CERTAIN: Final = 4
"""Letters from which on any known word is taken; shorter ones must be common."""
_COMMON: Final = 2000

_DIGITS_AT_AN_END: Final = re.compile(r"\d+([a-z]+)|([a-z]+)\d+")


def undo_leet(token: str, words: KnownWords, *, lenient: bool = False) -> str | None:
    """The known word that a lower-case `token` stands for, whose digits and signs are read as letters.

    `lenient`: short and rare words are good enough, because other words of the text are disguised.
    """
    if not (2 if lenient else 3) <= len(token) <= _LONGEST or not re.search("[a-z]", token):
        return None
    choices = [_LETTERS.get(character, character) for character in token]
    ways = 1
    for choice in choices:
        ways *= len(choice)
    if ways > _MOST_WAYS:
        return None
    candidates = ["".join(letters) for letters in product(*choices)]
    if hidden := next((word for word in candidates if word in words.dangerous), None):
        return hidden
    if (found := _DIGITS_AT_AN_END.fullmatch(token)) and not _may_be_letters(found, words, lenient=lenient):
        return None
    known = [word for word in candidates if word in words.ranks]
    best = min(known, key=words.ranks.__getitem__, default=None)
    if best is None or (len(best) < _CERTAIN and words.ranks[best] > _COMMON and not lenient):
        return None
    return best


def _may_be_letters(found: re.Match[str], words: KnownWords, *, lenient: bool) -> bool:
    """Whether digits at one end of a word may be letters: in `suicid3`, not in `iphone5`, `4door`, `100k` and `ps5`."""
    letters = found[1] or found[2]
    digits = len(found[0]) - len(letters)
    if letters in words:
        return False
    return digits == 1 if lenient else digits <= _MOST_DIGITS and len(letters) >= _LEAST_LETTERS


_MOST_DIGITS: Final = 2
_LEAST_LETTERS: Final = 3

_DRAWN_OUT: Final = re.compile(r"([a-z])\1{2,}")


def shorten(token: str, words: KnownWords) -> str | None:
    """The known word that a token with a letter three times or more in a row is drawn out of; `fuuuuck`."""
    runs = len(_DRAWN_OUT.findall(token))
    if not 0 < runs <= _MOST_RUNS:
        return None
    for lengths in product((1, 2), repeat=runs):
        remaining = iter(lengths)
        short = _DRAWN_OUT.sub(lambda run: run[1] * next(remaining), token)  # noqa: B023 - used at once
        if len(short) >= _SHORTEST and short in words:
            return short
    return None


_MOST_RUNS: Final = 4
_SHORTEST: Final = 2


def plain_word(token: str, words: KnownWords) -> str | None:
    """What a lower-case `token` without spaces stands for, if it is a disguised word."""
    if token in words:
        return None
    if token.isalpha():
        return shorten(token, words)
    return undo_leet(token, words) or words.masked(token) or _undo_both(token, words)


def _undo_both(token: str, words: KnownWords) -> str | None:
    """`fuuu0ck`: letters drawn out around a digit."""
    short = re.sub(r"([a-z0-9])\1{2,}", r"\1", token)
    return undo_leet(short, words) if short != token else None
