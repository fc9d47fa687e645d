"""How requests are worded and words disguised: the same for `safe` and `unsafe`, so that the form says nothing."""

import random
import re
from typing import Final

from sluicegate.models.data.templates import fill, read_phrases

_PHRASES: Final = read_phrases("forms")
_REQUEST_FORMS: Final = _PHRASES["request_forms"]
"""The ways to ask how to do something, with ``{do}`` and ``{doing}`` for it; their other slots are `FORM_SLOTS`."""

FORM_SLOTS: Final = {slot: phrases for slot, phrases in _PHRASES.items() if slot != "request_forms"}

_LEET: Final = str.maketrans({"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7"})

_DOUBLED: Final = re.compile(r"[^aeiou]*(?:qu)?[aeiou][^aeiouwxy]")

_GERUNDS: Final = {
    "begin": "beginning",
    "commit": "committing",
    "ddos": "ddosing",
    "dox": "doxxing",
    "forget": "forgetting",
    "gut": "gutting",
    "handicap": "handicapping",
    "kidnap": "kidnapping",
    "program": "programming",
    "refer": "referring",
    "reset": "resetting",
    "submit": "submitting",
    "traffic": "trafficking",
}


def gerund(phrase: str) -> str:
    """`phrase`, which starts with a verb, with its gerund: ``hang a picture`` gives ``hanging a picture``."""
    verb, _, rest = phrase.partition(" ")
    if verb.endswith("ly") and rest:
        return f"{verb} {gerund(rest)}"
    if verb in _GERUNDS:
        verb = _GERUNDS[verb]
    elif verb.endswith("ie"):
        verb = verb[:-2] + "ying"
    elif verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")) and len(verb) > 2:
        verb = verb[:-1] + "ing"
    elif _DOUBLED.fullmatch(verb):
        verb += verb[-1] + "ing"
    else:
        verb += "ing"
    return f"{verb} {rest}" if rest else verb


def request(phrase: str, rng: random.Random) -> str:
    """One of the ways to ask for `phrase`, which starts with a verb."""
    form = rng.choice(_REQUEST_FORMS).replace("{doing}", gerund(phrase)).replace("{do}", phrase)
    return fill(form, FORM_SLOTS, rng)


def disguised(word: str, rng: random.Random) -> str:
    """`word` as people write it to slip past a filter: ``b0mb``, ``b o m b``, ``b*mb``, ``b.o.m.b``, ``bomb!!!``."""
    kind = rng.random()
    if kind < 0.55:
        whole = rng.random() < 0.4
        leet = "".join(letter.translate(_LEET) if whole or rng.random() < 0.6 else letter for letter in word)
        return leet if leet != word else word.translate(_LEET)
    if kind < 0.75:
        return rng.choice((" ", " ", ".", "-", "_")).join(word)
    if kind < 0.87:
        i = rng.randrange(1, len(word)) if len(word) > 1 else 0
        return word[:i] + rng.choice("*@#") + word[i + 1 :]
    if kind < 0.94:
        i = rng.randrange(len(word))
        return word[:i] + word[i] * rng.randint(2, 4) + word[i + 1 :]
    return word + rng.choice(("!!!", "???", "...", "!!", "?!?"))


def sentence(text: str, rng: random.Random) -> str:
    """`text` with a mark at its end."""
    return text + rng.choice((".", ".", "?", "?", "!"))
