"""A template grammar in twenty lines: ``{slot}`` is replaced by a random member of that slot, recursively."""

import random
import re
from collections.abc import Mapping, Sequence
from typing import Final

_SLOT: Final = re.compile(r"\{(\w+)\}")


def lines(block: str) -> tuple[str, ...]:
    """The members of a slot, written one a line or separated by ``|``."""
    return tuple(member.strip() for member in re.split(r"[|\n]", block) if member.strip())


def fill(template: str, slots: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    """`template` with every slot filled. Raises KeyError for a slot that does not exist."""
    while _SLOT.search(template):
        template = _SLOT.sub(lambda slot: rng.choice(slots[slot[1]]), template)
    return template
