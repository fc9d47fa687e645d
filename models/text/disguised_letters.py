"""Reads look-alike letters as the letters that they look like, and signs as nothing, or as the word they stand for."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

import regex  # type: ignore[import-untyped]  # it ships no types; what it returns is annotated where it is used

from sluicegate.models.text.known_words import KnownWords
from sluicegate.models.text.look_alikes import Kind, likeness, turned_letters

BETWEEN: Final = "~"
"""Written for a sign between two letters: the words decide whether it parts two words or hides in one."""

_SIGN_WORDS: Final = {"🖕": "fuck you", "💣": "bomb", "🔫": "gun", "🔪": "knife", "🗡": "knife", "🧨": "dynamite"}
_PARTS_OF_SIGNS: Final = regex.compile(r"[\u200d\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]+")
_FLAG_LETTER: Final = r"[\U0001f1e6-\U0001f1ff]"
_FLAGS: Final = regex.compile(rf"{_FLAG_LETTER}(?: ?{_FLAG_LETTER})*")
_SQUARED: Final = regex.compile("[🄰-🅉🅐-🅩🅰-🆉]")
_SIGN: Final = regex.compile(r"(?V1)[[\p{So}\p{Sk}\p{Extended_Pictographic}\u2190-\u21ff\u2022\u00b7]--[\p{ASCII}°]]+")
_DROPPED: Final = "\x00"
_INSIDE: Final = regex.compile(r"(?<=[^\W_])\x00+(?=[^\W_])")
_WORD: Final = regex.compile(r"[\p{L}\p{M}]+")


@dataclass(frozen=True)
class PlainLetters:
    """A text in plain letters. `disguised`: letters were hidden; `mixed`: scripts were mixed inside a word."""

    text: str
    disguised: bool = False
    mixed: bool = False


def plain_letters(text: str, words: KnownWords) -> PlainLetters:
    """A lower-case `text` with look-alike letters plain, accents folded, and signs left out."""
    if text.isascii():
        return PlainLetters(text)
    if turned := turned_letters(text):  # a text that stands on its head reads from its end
        best = max(text, turned, turned[::-1], key=lambda way: _known(way, words))
        if best is not text:
            return PlainLetters(best, disguised=True)
    unflagged: str = _FLAGS.sub(lambda run: _read_flags(run[0], words), text)
    styled: str = _SQUARED.sub(lambda sign: likeness(sign[0]).letters, unflagged)
    plain = _without_signs(styled)
    read = [_read(found[0]) for found in _WORD.finditer(plain)]
    has_latin = any(word.script in (_Script.LATIN, _Script.MIXED) for word in read)
    has_foreign = any(word.script is _Script.FOREIGN for word in read)
    letters: list[str] = []
    end, disguised, mixed = 0, unflagged != _FLAGS.sub(_DROPPED, text) or styled != unflagged, False
    for found, word in zip(_WORD.finditer(plain), read, strict=True):
        kept = word.script is _Script.ALIKE and (has_foreign or not (has_latin or word.letters in words))
        letters += plain[end : found.start()], found[0] if kept else word.letters
        end = found.end()
        if not kept:
            mixed |= word.script is _Script.MIXED
            disguised |= word.styled or word.script is _Script.MIXED or (word.script is _Script.ALIKE and has_latin)
    return PlainLetters("".join([*letters, plain[end:]]), disguised, mixed)


def _read_flags(run: str, words: KnownWords) -> str:
    """What a run of the letters of flags spells, unless it is flags: two letters are one."""
    pieces = ["".join(likeness(letter).letters for letter in piece) for piece in run.split()]
    single = len(pieces) > _LETTERS_OF_A_FLAG and max(map(len, pieces)) == 1
    spells = single or any(len(piece) > _LETTERS_OF_A_FLAG and piece in words for piece in pieces)
    return " ".join(pieces) if spells else _DROPPED


_LETTERS_OF_A_FLAG: Final = 2


def _known(text: str, words: KnownWords) -> int:
    return sum((word in words) + (word in words.dangerous) for word in text.split())


def _without_signs(text: str) -> str:
    """`text` with the words of the few signs that stand for one, and without the others."""
    text = _PARTS_OF_SIGNS.sub("", text)
    for sign, word in _SIGN_WORDS.items():
        text = text.replace(sign, f" {word} ")
    text = _SIGN.sub(_DROPPED, text)
    return " ".join(_INSIDE.sub(BETWEEN, text).replace(_DROPPED, " ").split())


class _Script(Enum):
    LATIN = 0
    MIXED = 1
    """Latin letters, and letters of another script that look like Latin ones."""
    ALIKE = 2
    """Letters of another script, all of which look like Latin ones."""
    FOREIGN = 3
    """A letter looks like none of Latin."""


class _Word(NamedTuple):
    letters: str
    script: _Script
    styled: bool


def _read(word: str) -> _Word:
    if word.isascii():
        return _Word(word, _Script.LATIN, styled=False)
    alike = [likeness(character) for character in word if not _MARK.match(character)]
    kinds = {each.kind for each in alike}
    letters = "".join(each.letters for each in alike)
    if not letters.isascii():
        return _Word(word, _Script.FOREIGN, styled=False)
    if Kind.FOREIGN not in kinds:
        return _Word(letters, _Script.LATIN, styled=Kind.STYLED in kinds)
    script = _Script.ALIKE if kinds == {Kind.FOREIGN} else _Script.MIXED
    return _Word(letters, script, styled=Kind.STYLED in kinds)


_MARK: Final = regex.compile(r"\p{M}")
