"""Untrusted text for a terminal: what cannot be seen is named, what was changed is marked, and nothing is obeyed."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

from rapidfuzz.distance import Levenshtein
from rich.text import Text

from sluicegate.agents.visible_text import named_characters

_REMOVED: Final = "red strike"
_ADDED: Final = "green"
_NAMED: Final = "reverse"


def visible(text: str, style: str = "") -> Text:
    """`text` with each character that is invisible, or that a terminal may obey, as in ``<U+200B>``."""
    shown = Text(style=style)
    for character, named in named_characters(text):
        shown.append(character, style=_NAMED if named else None)
    return shown


def mark_characters(before: str, after: str, *, plain: bool) -> Text:
    """`before` with what became of it in `after`, character by character."""
    parts: list[Text] = []
    for change in Levenshtein.opcodes(before, after):
        old = before[change.src_start : change.src_end]
        parts += _change(old, after[change.dest_start : change.dest_end], plain=plain)
    return Text("").join(parts)


def mark_words(before: str, after: str, *, plain: bool) -> Text:
    """`before` with what became of it in `after`, word by word."""
    parts: list[Text] = []
    old, new = before.split(), after.split()
    for change in Levenshtein.opcodes(old, new):
        words = old[change.src_start : change.src_end], new[change.dest_start : change.dest_end]
        for was, became in zip_longest(*words, fillvalue=""):
            parts += _change(was, became, plain=plain)
    return Text(" ").join(parts)


def _change(old: str, new: str, *, plain: bool) -> Iterator[Text]:
    """The difference: in colour, or where there is none as `wdiff` writes it, ``[-removed-] {+added+}``."""
    if old == new:
        yield visible(old)
        return
    if old:
        yield Text.assemble("[-", visible(old), "-]") if plain else visible(old, _REMOVED)
    if new:
        yield Text.assemble("{+", visible(new), "+}") if plain else visible(new, _ADDED)
