"""The skeleton: what a text reads as when its disguise is undone. It is judged, never published.

    decode ─► look-alike letters ─► signs ─► words: separators closed, digits for letters, masked and drawn-out letters

Only what hides words is undone, and only where it yields known English words or drops what is no word at all. Real
Russian and Greek, part numbers, addresses and ordinary punctuation stay. Disguise in other languages is undone as far
as it is one of accents, styled letters and signs.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sluicegate.models.text.casing import lower_case
from sluicegate.models.text.disguised_letters import BETWEEN, plain_letters
from sluicegate.models.text.disguised_words import plain_words
from sluicegate.models.text.encodings import reveal
from sluicegate.models.text.known_words import KnownWords, known_words
from sluicegate.models.text.run_together import SHORTEST_RUN
from sluicegate.schemas.reason_codes import DisguiseCode


@dataclass(frozen=True)
class Skeleton:
    """A text with its disguise undone, in lower case, and what was undone.

    `is_whole`: the text itself has no words to judge. It consists of single letters that the skeleton joins, or it says
    one thing over and over.
    """

    text: str
    codes: tuple[DisguiseCode, ...]
    is_whole: bool = False


# Ordinary words, numbers and punctuation: nearly every query is this, and need not be looked into.
_ORDINARY: Final = re.compile(r"(?:(?:[A-Za-z]{2,19}+(?:'[A-Za-z]{1,2}+)?|[0-9]{1,9}+|[aAiI])[.,?!]?+(?: |$))++")
_DRAWN_OUT: Final = re.compile(r"([A-Za-z])\1\1", re.IGNORECASE)
_REPEATED: Final = re.compile(r"(.{1,128}?)(?: ?\1){3,}+")
_SINGLE_LETTERS: Final = re.compile(r"[\W_]*[^\W_](?:[\W_]+[^\W_]){2,}[\W_]*")


def skeleton(
    text: str, words: KnownWords | None = None, is_name: Callable[[str], bool] = lambda _: True
) -> Skeleton | None:
    """What a normalised `text` reads as without disguise; None where that differs in case and spacing only.

    `words` are those that a disguise is undone to, by default the package's. A long word is parted into several if it
    is none of them and not `is_name`. Accents that are folded, signs that are left out and words that are parted are
    not called a disguise.
    """
    words = words or known_words()
    repeated = _REPEATED.fullmatch(text)
    if not repeated and _is_ordinary(text, words):
        return None
    once = repeated[1] if repeated else text
    revealed = reveal(once)
    letters = plain_letters(lower_case(revealed), words)
    is_spelt = _is_spelt(letters.text, words)
    plain = plain_words(_joined(letters.text, words) if is_spelt else letters.text, words, is_name)
    if not plain.text or plain.text.split() == lower_case(text).split():
        return None
    codes = []
    hidden = is_spelt and max(map(len, plain.text.split())) >= _SHORTEST_HIDDEN
    if revealed != once or letters.disguised or plain.disguised or hidden:
        codes.append(DisguiseCode.DISGUISED)
    if letters.mixed:
        codes.append(DisguiseCode.MIXED_SCRIPT)
    is_whole = repeated is not None or is_spelt or _is_cut(letters.text, plain.text, words)
    return Skeleton(plain.text, tuple(codes), is_whole)


def _is_ordinary(text: str, words: KnownWords) -> bool:
    if not _ORDINARY.fullmatch(text) or _DRAWN_OUT.search(text):
        return False
    return all(len(word) < SHORTEST_RUN or word.rstrip(".,?!").lower() in words.ranks for word in text.split(" "))


def _letters_of(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _is_spelt(text: str, words: KnownWords) -> bool:
    """Whether a text consists of single letters, and is no abbreviation, as in `u.s.a.` and `m&m's`."""
    if not (text.isascii() and _SINGLE_LETTERS.fullmatch(text) and any(map(str.isalpha, text))):
        return False
    letters = _letters_of(text)
    return " " in text or len(letters) > _LONGEST_ABBREVIATION or letters in words.dangerous


_LONGEST_ABBREVIATION: Final = 4
_SHORTEST_HIDDEN: Final = 4
"""Letters of the shortest word that is hidden where its letters are parted: a shorter one is as `b b q`."""


def _joined(text: str, words: KnownWords) -> str:
    """Single letters as the words that they spell: spaces part these, unless there is no sign between letters."""
    parts = [_letters_of(part) for part in text.split()]
    letters = "".join(parts)
    return " ".join(parts) if any(len(part) > 1 for part in parts) else " ".join(words.segment(letters) or [letters])


def _is_cut(text: str, read: str, words: KnownWords) -> bool:
    """Whether a text, read as `read`, has words with signs inside that are no words beside them, as in `sho~es`."""
    cut = [token for token in text.split() if BETWEEN in token]
    return (
        bool(cut)
        and _letters_of(text) == _letters_of(read)
        and not any(all(part in words for part in token.split(BETWEEN)) for token in cut)
    )
