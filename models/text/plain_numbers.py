"""Writes fractions, powers and circled numbers so that Unicode's NFKC runs no digit into another.

NFKC alone makes ``51/2`` of ``5½`` and ``102`` of ``10²``.
"""

import unicodedata
from functools import lru_cache

import regex  # type: ignore[import-untyped]  # it ships no types; what it returns is annotated where it is used

# Numbers that are no digits of a script, signs of powers, units and dates that NFKC begins or ends with a digit.
_NUMBER_SIGN = regex.compile(r"(?V1)[\p{No}⁺⁻㋀-㋋㍘-㍰㍸㍹㎗-㏿]")
_POWERS = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_INDICES = frozenset("₀₁₂₃₄₅₆₇₈₉")


def separate_digits(text: str) -> str:
    """`text` with ``5½`` as ``5 1/2``, ``10²`` as ``10^2``, and a space between any other number sign and a digit."""
    if text.isascii():
        return text
    text = text.replace("\N{FRACTION SLASH}", "/")
    if not _NUMBER_SIGN.search(text):
        return text
    written: list[str] = []
    last = before = ""  # the last character written, and the one that it was written for
    for character in text:
        plain = _plain_form(character)
        if character in _POWERS and (before in _POWERS or last.isdecimal()):
            mark = "" if before in _POWERS else "^"
        elif character in _INDICES and (before in _INDICES or last.isdecimal()):
            mark = "" if before in _INDICES else "_"
        else:
            is_sign = plain is not character or _plain_form(before) is not before
            mark = " " if is_sign and last.isdecimal() and plain[:1].isdecimal() else ""
        written += mark, plain
        last, before = plain[-1:], character
    return "".join(written)


@lru_cache(maxsize=1024)
def _plain_form(character: str) -> str:
    if not _NUMBER_SIGN.match(character):
        return character
    plain = unicodedata.normalize("NFKC", character)
    return plain.replace("\N{FRACTION SLASH}", "/").replace("\N{MINUS SIGN}", "-")
