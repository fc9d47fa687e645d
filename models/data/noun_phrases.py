"""Requests that are noun phrases, such as ``bank robbery plan`` or ``key copying price``: unsafe ones and safe ones.

Both use the same words of trade and form, so that only what is wanted decides.
"""

import random
from typing import Final

from sluicegate.models.data.templates import fill, read_phrases
from sluicegate.models.inference.labels import ALLOW, Category

_SLOTS: Final = {**read_phrases("unsafe"), **read_phrases("noun_phrases")}

_KINDS: Final = (
    (ALLOW, "safe", 50),
    (Category.ILLICIT.value, "unsafe_illicit", 26),
    (Category.VIOLENCE.value, "unsafe_violence", 10),
    (Category.SELF_HARM.value, "unsafe_self_harm", 5),
    (Category.SEXUAL.value, "unsafe_sexual", 6),
    (Category.HATE.value, "unsafe_hate", 3),
)
_SHARES: Final = [share for _, _, share in _KINDS]


def noun_phrase(rng: random.Random) -> tuple[str, str]:
    """One noun phrase and its gate label."""
    label, slot, _ = rng.choices(_KINDS, _SHARES)[0]
    return " ".join(fill(rng.choice(_SLOTS[slot]), _SLOTS, rng).split()), label
