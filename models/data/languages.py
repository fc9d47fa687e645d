"""Short requests in German, French, Spanish, Italian, Portuguese and Dutch, unsafe and safe in the same frames.

A few hundred phrases of each language: enough to know the commonest requests, not to read the language.
"""

import random
from typing import Final

from sluicegate.models.data.templates import Phrases, fill, read_phrases
from sluicegate.models.inference.labels import ALLOW, Category

LANGUAGES: Final = ("de", "fr", "es", "it", "pt", "nl")

_PHRASES: Final[dict[str, Phrases]] = {language: read_phrases(f"language_{language}") for language in LANGUAGES}

_IN_FRAMES: Final = {Category.ILLICIT, Category.VIOLENCE, Category.SELF_HARM}
"""The categories whose phrases are verb phrases; those of the others stand alone."""

_ALONE: Final = 0.35
"""The share of requests of these categories that are whole sentences instead."""

_SHARES: Final = {
    ALLOW: 54,
    Category.ILLICIT: 17,
    Category.VIOLENCE: 12,
    Category.SELF_HARM: 6,
    Category.SEXUAL: 4,
    Category.HATE: 4,
    Category.PROMPT_INJECTION: 3,
}


def foreign_request(rng: random.Random) -> tuple[str, str]:
    """One request and its gate label."""
    phrases = _PHRASES[rng.choice(LANGUAGES)]
    label = rng.choices(list(_SHARES), list(_SHARES.values()))[0]
    if label == ALLOW:
        template = rng.choice(phrases["safe"]) if rng.random() < 0.55 else _framed("safe_do", phrases, rng)
    elif label in _IN_FRAMES:
        alone = rng.random() < _ALONE
        template = rng.choice(phrases[f"{label}_alone"]) if alone else _framed(label, phrases, rng)
    else:
        template = rng.choice(phrases[label])
    return fill(template, phrases, rng), str(label)


def _framed(slot: str, phrases: Phrases, rng: random.Random) -> str:
    return rng.choice(phrases["frame"]).replace("{do}", rng.choice(phrases[slot]))
