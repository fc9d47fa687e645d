"""A small template grammar: ``{slot}`` is replaced by a random phrase of that slot, recursively.

The phrases are text files in the folder ``phrases``: lines that start with ``# `` are comments, ``## name`` begins a
slot, and its phrases follow, separated by ``|`` or by lines. A phrase that is there twice is drawn twice as often.
"""

import random
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final, TypeAlias

Phrases: TypeAlias = Mapping[str, Sequence[str]]
"""The phrases of each slot."""

_SLOT: Final = re.compile(r"\{(\w+)\}")
_COMMENT: Final = re.compile(r"^# .*$", re.MULTILINE)
_HEADER: Final = re.compile(r"^## ", re.MULTILINE)


def read_phrases(name: str) -> dict[str, tuple[str, ...]]:
    """The slots of the file ``phrases/<name>.txt``."""
    text = files("sluicegate.models.data").joinpath("phrases", f"{name}.txt").read_text("utf-8")
    sections = (section.partition("\n") for section in _HEADER.split(_COMMENT.sub("", text))[1:])
    return {slot: lines(block) for slot, _, block in sections}


def lines(block: str) -> tuple[str, ...]:
    """The phrases in `block`, one a line or separated by ``|``."""
    return tuple(phrase.strip() for phrase in re.split(r"[|\n]", block) if phrase.strip())


def fill(template: str, slots: Phrases, rng: random.Random) -> str:
    """`template` with every slot filled. Raises KeyError for a slot that does not exist."""
    while _SLOT.search(template):
        template = _SLOT.sub(lambda slot: rng.choice(slots[slot[1]]), template)
    return template
