"""The skeleton: what a text reads as when its accents are folded."""

import unicodedata
from dataclasses import dataclass

import regex  # type: ignore[import-untyped]  # it ships no types; what it returns is annotated where it is used

from sluicegate.schemas.reason_codes import DisguiseCode

_ACCENTS = regex.compile(r"(?<=\p{Latin})\p{Mn}+")


@dataclass(frozen=True)
class Skeleton:
    """A text with its disguise undone, in lower case, and what was undone."""

    text: str
    codes: tuple[DisguiseCode, ...]


def skeleton(text: str) -> Skeleton | None:
    """What a normalised `text` reads as when its accents are folded; None if that changes nothing but case."""
    if text.isascii():
        return None
    folded: str = _ACCENTS.sub("", unicodedata.normalize("NFD", text.lower()))
    folded = unicodedata.normalize("NFC", folded)
    return Skeleton(folded, ()) if folded != text.lower() else None
