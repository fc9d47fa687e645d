"""Reads disguised words as the known words that they hide: spaced, parted by signs, masked, digits for letters."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from sluicegate.models.text.known_words import KnownWords
from sluicegate.models.text.leet import plain_word, undo_leet
from sluicegate.models.text.run_together import part


@dataclass(frozen=True)
class PlainWords:
    """A text in plain words. `disguised`: some were hidden, by more than being drawn out or parted by signs."""

    text: str
    disguised: bool


@dataclass
class _Read:
    """One token on its way: what it was, and what is read for it (None: as it was)."""

    token: str
    core: str
    read: str | None = None
    disguised: bool = False


_EDGES: Final = ".,?!:;\"'()[]{}<>~_-*=^\\#&/|+%\u2026\u201c\u201d\u201e\u00bf\u00a1\u2013\u2014\u2018\u2019"
_STAYS: Final = re.compile(
    r"\d+[.,/:x-]\d|.*://|www\.|[^@\s]+@[^@\s]+\.[a-z]{2,}$|\S+\.(?:com|org|net|edu|gov|io|co|uk|de|html?)\b"
)
"""Numbers with signs, and addresses."""
_PARTS: Final = re.compile(r"[^\W_]+")


def plain_words(text: str, words: KnownWords, is_name: Callable[[str], bool]) -> PlainWords:
    """A lower-case `text` with every disguised word plain, run-together words parted, and signs that are no words out.

    What `is_name` is not parted.
    """
    read = [_read(token, words, is_name) for token in _without_quotes(text).split()]
    _close_spaces(read, words)
    disguised = sum(each.disguised for each in read)
    if disguised:
        for each in read:
            each.read = _read_leniently(each, words, many=disguised > 1) if each.read is None else each.read
    signs = [each for each in read if not each.core and each.read is None]
    if len(signs) > 1 or (signs and signs[0].token not in _ORDINARY_SIGNS):
        for each in signs:
            each.read = ""
    plain = " ".join(each.token if each.read is None else each.read for each in read)
    return PlainWords(" ".join(plain.split()), any(each.disguised for each in read))


def _without_quotes(text: str) -> str:
    """`text` without the quotes around the whole of it."""
    return text[1:-1] if len(text) > 1 and text[0] in '"\u201c\u201e' and text[-1] in '"\u201c\u201d' else text


_ORDINARY_SIGNS: Final = frozenset({"&", "-", "+", "/", "|", "\u2013", "\u2014", "=", "x", ":", ","})


def _read(token: str, words: KnownWords, is_name: Callable[[str], bool]) -> _Read:
    core = token.strip(_EDGES)
    each = _Read(token, core)
    if not core or _STAYS.match(core):
        return each
    hidden = words.masked(token) if not token.isalnum() else None  # a mask may be the last letter
    if hidden is None:
        hidden = plain_word(core, words)
    if hidden is None and token != core and undo_leet(token, words) in words.dangerous:  # as in !nce$t
        hidden = undo_leet(token, words)
    if hidden is not None:
        each.read, each.disguised = hidden, not core.isalpha()
    elif parted := part(core, words, is_name):
        each.read = " ".join(parted)
    elif not core.isalnum():
        _open(each, words)
    if each.read is None and len(core) > _PIECE and _is_noise(token.replace(core, "", 1)):
        each.read = core
    return each


_NUMBERS_FOR_WORDS: Final = {"4": "a", "1": "i", "70": "to", "47": "at", "15": "is", "17": "it", "50": "so", "45": "as"}


def _read_leniently(each: _Read, words: KnownWords, *, many: bool) -> str | None:
    """What a token of a text is read as in which other words are disguised; `many`: numbers are then words too."""
    if each.core == "@":
        return "a"
    if many and each.core in _NUMBERS_FOR_WORDS:
        return _NUMBERS_FOR_WORDS[each.core]
    written = each.token if each.token.startswith("!") else each.core  # as in !nto
    if written.isalpha():
        return None
    joined = "".join(_PARTS.findall(written))
    return joined if joined in words else undo_leet(written, words, lenient=True)


def _is_noise(edges: str) -> bool:
    """Whether the signs before and after a word are more than punctuation and quotes."""
    signs = _QUOTES.sub("", edges.replace("...", "."))
    if signs.startswith("-"):  # an option of a command: --version
        return False
    return len(signs) >= _MUCH or (len(signs) > 1 and not set(signs) <= _PUNCTUATION)


_QUOTES: Final = re.compile("[\"'()\\[\\]{}\u201c\u201d\u201e\u2018\u2019]")
_PUNCTUATION: Final = frozenset(".,?!:;\u2026")
_MUCH: Final = 3


def _open(each: _Read, words: KnownWords) -> None:
    """Decide whether the signs inside a token part words, hide in one, or belong there."""
    parts = _PARTS.findall(each.core)
    if len(parts) < 2 or all(part.isdecimal() for part in parts):
        return
    signs = set(each.core) - set("".join(parts))
    if not signs & (_USUAL | _JOINING) and "".join(parts) in words:
        each.read, each.disguised = "".join(parts), True
        return
    if all(part in words for part in parts):
        if len(parts) > _USUAL_PARTS or not signs <= _USUAL or (signs == {"."} and min(map(len, parts)) > _PIECE):
            each.read = " ".join(parts)
        return
    whole = _hidden(parts, signs, words)
    if whole:
        is_abbreviation = signs == {"."} and max(map(len, parts)) == 1
        each.read, each.disguised = whole, whole in words.dangerous or not is_abbreviation
    elif len(parts) > (_SHORT if signs & _ABBREVIATING else _USUAL_PARTS):
        grouped = _group(parts, signs, words)
        if grouped:
            each.read, each.disguised = " ".join(grouped), True
        elif sum(part in words for part in parts) >= _MOSTLY * len(parts):
            each.read = " ".join(parts)


_USUAL: Final = frozenset("-'./:,%\u2013\u2019")
_USUAL_PARTS: Final = 2
"""`t-shirt` and `e.g` have no more parts; `how-to-make` is read as three words."""
_JOINING: Final = frozenset("-'&+/;()[]\u2019")
"""Signs that belong between the parts of `e-mail`, `at&t`, `o'neal's` and `page(s)`."""
_PIECE: Final = 2
"""Letters of the longest part that is more likely a piece than a word."""
_SHORT: Final = 3
_MOSTLY: Final = 0.6


def _hidden(parts: Sequence[str], signs: set[str], words: KnownWords) -> str | None:
    """The known word that `parts` are pieces of, with `signs` between them."""
    joined = "".join(parts)
    whole = joined if joined in words else undo_leet(joined, words)
    if whole is None or whole in words.dangerous:
        return whole
    if any(len(part) > _PIECE and part in words for part in parts):
        return None
    longest = max(map(len, parts))
    if len(whole) <= _SHORT:
        return whole if longest == 1 and len(whole) == _SHORT and not signs & _ABBREVIATING else None
    return whole if (longest <= _PIECE and len(parts) > _USUAL_PARTS) or not signs & _JOINING else None


_ABBREVIATING: Final = frozenset(".&'+/\u2019")


def _group(parts: Sequence[str], signs: set[str], words: KnownWords) -> list[str] | None:
    """`parts` joined into known words, the longest first; None if a part belongs to none."""
    if max(map(len, parts)) == 1:
        return words.segment("".join(parts))
    if signs & _JOINING:
        return None
    grouped: list[str] = []
    start = 0
    while start < len(parts):
        for end in range(min(len(parts), start + _LONGEST_GROUP), start, -1):
            pieces = parts[start:end]
            whole = _hidden(pieces, signs, words) if len(pieces) > 1 else pieces[0] if pieces[0] in words else None
            if whole:
                grouped.append(whole)
                start = end
                break
        else:
            return None
    return grouped


_LONGEST_GROUP: Final = 16


def _close_spaces(read: list[_Read], words: KnownWords) -> None:
    """Read runs of single letters as the words that they spell."""
    for single, group in groupby(read, key=lambda each: len(each.core) == 1 and each.core.isalnum()):
        run = list(group)
        if single and len(run) >= _LEAST_SPACED and any(each.core.isalpha() for each in run):
            letters = "".join(each.core for each in run)
            whole = letters if letters in words else undo_leet(letters, words)
            spelt = [whole] if whole else words.segment(letters)
            if spelt and max(map(len, spelt)) >= _LEAST_SPACED:
                run[0].read, run[0].disguised = " ".join(spelt), any(len(word) > _LEAST_SPACED for word in spelt)
                for each in run[1:]:
                    each.read = ""


_LEAST_SPACED: Final = 3
