"""Short unsafe requests of every category: topics and forms only, no working instructions, no slurs.

They cover what no permitted source of training rows covers; see the model card.
"""

import random
from typing import Final

from sluicegate.models.data.forms import disguised, request, sentence
from sluicegate.models.data.safe import padded
from sluicegate.models.data.templates import fill, read_phrases
from sluicegate.models.inference.labels import Category

_SLOTS: Final = read_phrases("unsafe")

_REQUESTED: Final = {
    Category.HATE: ("{hatedo}", 0.18),
    Category.HARASSMENT: ("{bullydo}", 0.2),
    Category.VIOLENCE: ("{violentdo}", 0.55),
    Category.SELF_HARM: ("{selfdo}", 0.5),
    Category.ILLICIT: ("{crimedo}", 0.68),
}
"""The slot that fills the shared forms of a request, and the share of these; the rest use the category's templates."""

_MILD: Final = read_phrases("mild")

_TEMPLATES: Final = {Category(category): forms for category, forms in read_phrases("unsafe_requests").items()}

_EVERYDAY: Final = frozenset(read_phrases("everyday_words")["everyday"])
"""Words of unsafe phrases that are harmless alone."""

LOADED_WORDS: Final = frozenset(
    word
    for slot in ("act", "drug", "harm", "insult", "vile", "weapon", "grownact", "alarming")
    for phrase in _SLOTS[slot]
    for word in phrase.split()
    if len(word) > 2 and word.isalpha() and word not in _EVERYDAY
)
"""Words that a random safe query should not be made of."""


_PADDED: Final = 0.09
_DISGUISED: Final = 0.12
_AS_A_SENTENCE: Final = 0.08


def _with_a_disguise(text: str, rng: random.Random) -> str:
    words = text.split()
    loaded = [i for i, word in enumerate(words) if word in LOADED_WORDS]
    if loaded:
        i = rng.choice(loaded)
        words[i] = disguised(words[i], rng)
    return " ".join(words)


def unsafe(category: Category, rng: random.Random) -> str:
    """A short unsafe request of `category`, sometimes disguised, padded or with a mark at its end."""
    phrase, share = _REQUESTED.get(category, ("", 0.0))
    if rng.random() < share:
        text = request(" ".join(fill(phrase, _SLOTS, rng).split()), rng)
    else:
        text = " ".join(fill(rng.choice(_TEMPLATES[category]), _SLOTS, rng).split())
    if rng.random() < _DISGUISED:
        text = _with_a_disguise(text, rng)
    if rng.random() < _PADDED:
        text = padded(text, rng)
    return sentence(text, rng) if rng.random() < _AS_A_SENTENCE else text


def mild(rng: random.Random) -> str:
    """A request for what is against some rule and hurts little, such as cheating at school: to review, not to block."""
    return fill(rng.choice(_MILD["mild"]), _MILD, rng)
