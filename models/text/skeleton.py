"""The skeleton: what a text reads as when its disguise is undone. It is judged, never published.

    decode ─► look-alike letters ─► signs ─► words: separators closed, digits for letters, masked and drawn-out letters

Only what hides words is undone, and only where it yields known English words or drops what is no word at all. Real
Russian and Greek, part numbers, addresses and ordinary punctuation stay. Disguise in other languages is undone as far
as it is one of accents, styled letters and signs.
"""

import re
from dataclasses import dataclass
from typing import Final

from sluicegate.models.text.casing import lower_case
from sluicegate.models.text.disguised_letters import plain_letters
from sluicegate.models.text.disguised_words import plain_words
from sluicegate.models.text.encodings import reveal
from sluicegate.models.text.known_words import KnownWords, known_words
from sluicegate.schemas.reason_codes import DisguiseCode


@dataclass(frozen=True)
class Skeleton:
    """A text with its disguise undone, in lower case, and what was undone."""

    text: str
    codes: tuple[DisguiseCode, ...]


# Ordinary words, numbers and punctuation: nearly every query is this, and need not be looked into.
_ORDINARY: Final = re.compile(r"(?:(?:[A-Za-z]{2,19}+(?:'[A-Za-z]{1,2}+)?|[0-9]{1,9}+|[aAiI])[.,?!]?+(?: |$))++")
_DRAWN_OUT: Final = re.compile(r"([A-Za-z])\1\1", re.IGNORECASE)


def skeleton(text: str, words: KnownWords | None = None) -> Skeleton | None:
    """What a normalised `text` reads as without disguise; None where that differs in case and spacing only.

    `words` are those that a disguise is undone to, by default the package's. Accents that are folded and signs that are
    left out are not called a disguise.
    """
    if _ORDINARY.fullmatch(text) and not _DRAWN_OUT.search(text):
        return None
    words = words or known_words()
    revealed = reveal(text)
    letters = plain_letters(lower_case(revealed), words)
    plain = plain_words(letters.text, words)
    if plain.text.split() == lower_case(text).split():
        return None
    codes = []
    if revealed != text or letters.disguised or plain.disguised:
        codes.append(DisguiseCode.DISGUISED)
    if letters.mixed:
        codes.append(DisguiseCode.MIXED_SCRIPT)
    return Skeleton(plain.text, tuple(codes)) if plain.text else None
