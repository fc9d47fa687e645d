"""Statements about groups of people that share their words and differ in what they do.

Hateful: derogation, threats, dehumanising, also as a question, an opinion, negated praise, or in a second sentence.
Harmless: the same words negated, quoted to reject them, said of objects or of no protected group, and plain praise.
In some, emoji say who is meant or what is wished. The distinctions follow those of functional tests of hate speech
detection (Röttger et al., 2021; Kirk et al., 2022, for emoji); the wording is ours.
"""

import random
from typing import Final

from sluicegate.models.data.templates import fill, read_phrases
from sluicegate.models.inference.labels import ALLOW, Category

_SLOTS: Final = {**read_phrases("unsafe"), **read_phrases("hate_functions")}

_KINDS: Final = (
    ("hateful", Category.HATE.value),
    ("harmless", ALLOW),
    ("hateful_signs", Category.HATE.value),
    ("harmless_signs", ALLOW),
    ("insulting", Category.HARASSMENT.value),
)
_SHARES: Final = (0.33, 0.33, 0.13, 0.13, 0.08)


def statement(rng: random.Random) -> tuple[str, str]:
    """One statement and its gate label."""
    kind, label = rng.choices(_KINDS, _SHARES)[0]
    return " ".join(fill(rng.choice(_SLOTS[kind]), _SLOTS, rng).split()), label
