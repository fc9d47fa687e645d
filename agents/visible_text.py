"""Untrusted text where people read it: what cannot be seen, or what a terminal or a page may obey, is named."""

from collections.abc import Iterator
from typing import Final

import regex  # type: ignore[import-untyped]  # it ships no types; what it returns is annotated where it is used

_IGNORABLE: Final = regex.compile(r"\p{Default_Ignorable_Code_Point}")


def named_characters(text: str) -> Iterator[tuple[str, bool]]:
    """Each character of `text`, and whether it is named, as in ``<U+200B>``, where it cannot be seen."""
    for character in text:
        if character.isprintable() and not _IGNORABLE.match(character):
            yield character, False
        else:
            yield f"<U+{ord(character):04X}>", True


def visible_text(text: str, longest: int = 200) -> str:
    """`text` with such characters named; at most `longest` characters of it."""
    shown = "".join(character for character, _ in named_characters(text[:longest]))
    return f"{shown}…" if len(text) > longest else shown
