"""Safe queries: navigation, support, everyday questions, other languages, and what only sounds dangerous."""

import random
from typing import Final

from sluicegate.models.data.forms import FORM_SLOTS, disguised, request, sentence
from sluicegate.models.data.products import product_query
from sluicegate.models.data.templates import fill, read_phrases
from sluicegate.models.inference.labels import Intent

_SLOTS: Final = {**read_phrases("safe"), **FORM_SLOTS}

_LOOKALIKES: Final = (
    (9, _SLOTS["hard_negatives"]),
    (10, ("{about_crime}",)),
    (3, ("{about_weapon}",)),
    (11, ("{about_people}",)),
    (6, ("{dearly}",)),
    (8, ("{plainly}",)),
    (3, ("{about_history}",)),
    (5, ("{about_fiction}",)),
    (5, ("{wellbeing}",)),
    (8, ("{commerce}",)),
    (5, _SLOTS["about_idioms"]),
    (4, _SLOTS["about_injection_words"]),
    (4, ("{promo}",)),
    (7, ("{numbers}",)),
    (2, ("{pii_topic}",)),
    (8, _SLOTS["good_texts"]),
)
"""Templates of safe queries that look unsafe, each list with its share."""

_QUESTIONS: Final = read_phrases("questions")
_ALONE: Final = read_phrases("words_alone")
_NAMES: Final = read_phrases("names")

_REQUEST_SHARE: Final = 0.3

_FOREIGN: Final = [(Intent(intent), queries) for intent, queries in read_phrases("foreign").items()]

_JOINTS: Final = (
    " ",
    " ",
    ". ",
    ", ",
    " and ",
    " also ",
    " then ",
    "; ",
    " - ",
    "? ",
    " plus ",
    " or ",
    " but first ",
    ". also ",
    ". by the way ",
)


def padded(text: str, rng: random.Random) -> str:
    """`text` with something innocuous before or after it."""
    for _ in range(rng.choice((1, 1, 1, 2))):
        padding = _padding(rng)
        first, second = (padding, text) if rng.random() < 0.5 else (text, padding)
        text = first + rng.choice(_JOINTS) + second
    return text


def _padding(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.45:
        return product_query(rng).text
    if kind < 0.7:
        return other(rng)
    if kind < 0.85:
        return _benign_request(rng)
    return support(rng) if kind < 0.93 else navigation(rng)


def _benign_request(rng: random.Random) -> str:
    return request(fill("{goodtask}", _SLOTS, rng), rng)


def navigation(rng: random.Random) -> str:
    """A query that wants one site or page."""
    return fill(rng.choice(_SLOTS["navigation"]), _SLOTS, rng)


def support(rng: random.Random) -> str:
    """A query that wants help with an order or an account."""
    return fill(rng.choice(_SLOTS["support"]), _SLOTS, rng)


def other(rng: random.Random) -> str:
    """An everyday question that fits none of the other intents."""
    if rng.random() < 0.15:
        return _benign_request(rng)
    return fill(rng.choice(_SLOTS["other"]), _SLOTS, rng)


def hard_negative(rng: random.Random) -> str:
    """A safe query that looks unsafe by a word, as ``how to kill a python process`` does, or by its form."""
    if rng.random() < _REQUEST_SHARE:
        text = _benign_request(rng)
    else:
        templates = rng.choices(_LOOKALIKES, [share for share, _ in _LOOKALIKES])[0][1]
        text = fill(rng.choice(templates), _SLOTS, rng)
    dressing = rng.random()
    if dressing < 0.06:
        text = padded(text, rng)
    elif dressing < 0.08:
        words = text.split()
        i = rng.randrange(len(words))
        words[i] = disguised(words[i], rng)
        text = " ".join(words)
    return sentence(text, rng) if rng.random() < 0.08 else text


def question(rng: random.Random) -> str:
    """A question or a search with a hard word in a harmless sense."""
    return fill(rng.choice(_QUESTIONS["question"]), _QUESTIONS, rng)


def word_alone(rng: random.Random) -> str:
    """A loaded word by itself, or a name that looks like one."""
    return fill(rng.choice(_ALONE["frame"]), _ALONE, rng)


def name(rng: random.Random) -> str:
    """A person, title, place, tool or medicine whose name looks rude or dangerous; or a harmless kind of cheating."""
    return fill(rng.choice(_NAMES["frame"]), _NAMES, rng)


def foreign(rng: random.Random) -> tuple[str, Intent]:
    """A safe query in another language; the model learns to leave it as it is."""
    intent, queries = rng.choices(_FOREIGN, [len(queries) for _, queries in _FOREIGN])[0]
    return rng.choice(queries), intent
