"""Seeded corruption of clean queries: typing errors, phonetic slips, markup. (corrupted, clean) trains a rewrite.

Every function takes a `random.Random` and is a pure function of it. Words with digits stay as they are: a model number
with another digit is another product.
"""

import random
from collections.abc import Callable
from typing import Final

from sluicegate.models.text.keyboard import NEIGHBOURS

_VOWELS: Final = "aeiou"

_PHONETIC: Final = (
    ("ph", "f"), ("ck", "k"), ("ie", "ei"), ("ei", "ie"), ("tion", "shun"), ("tion", "sion"), ("sion", "tion"),
    ("qu", "kw"), ("wh", "w"), ("kn", "n"), ("wr", "r"), ("gh", "g"), ("gh", ""), ("mb", "m"), ("x", "ks"),
    ("cks", "x"), ("ou", "u"), ("ea", "ee"), ("ee", "ea"), ("ai", "ay"), ("ay", "ai"), ("oo", "u"), ("ce", "se"),
    ("se", "ce"), ("ci", "si"), ("ca", "ka"), ("co", "ko"), ("c", "k"), ("k", "c"), ("s", "z"), ("z", "s"),
    ("y", "ie"), ("ies", "ys"), ("ence", "ance"), ("ance", "ence"), ("ent", "ant"), ("ant", "ent"),
    ("able", "ible"), ("ible", "able"), ("er", "or"), ("or", "er"), ("ar", "er"), ("le", "el"), ("el", "le"),
    ("ough", "uff"), ("j", "g"), ("g", "j"), ("v", "w"), ("th", "t"), ("sh", "s"), ("ch", "sh"), ("i", "y"),
    ("e", "i"), ("a", "e"),
)  # fmt: skip
"""How a sound is spelt, and how else it may be."""


def _near_key(word: str, i: int, rng: random.Random) -> str:
    return word[:i] + rng.choice(NEIGHBOURS.get(word[i], word[i])) + word[i + 1 :]


def _extra_key(word: str, i: int, rng: random.Random) -> str:
    return word[: i + 1] + rng.choice(NEIGHBOURS.get(word[i], word[i])) + word[i + 1 :]


def _dropped(word: str, i: int, _: random.Random) -> str:
    return word[:i] + word[i + 1 :]


def _doubled(word: str, i: int, _: random.Random) -> str:
    return word[: i + 1] + word[i:]


def _swapped(word: str, i: int, _: random.Random) -> str:
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :] if i + 1 < len(word) else word


def _undoubled(word: str, _: int, rng: random.Random) -> str:
    pairs = [i for i in range(1, len(word)) if word[i] == word[i - 1]]
    return _dropped(word, rng.choice(pairs), rng) if pairs else word


def _wrong_vowel(word: str, _: int, rng: random.Random) -> str:
    places = [i for i, letter in enumerate(word) if letter in _VOWELS]
    if not places:
        return word
    i = rng.choice(places)
    return word[:i] + rng.choice(_VOWELS) + word[i + 1 :]


def _as_it_sounds(word: str, _: int, rng: random.Random) -> str:
    slips = [(spelt, heard) for spelt, heard in _PHONETIC if spelt in word]
    return word.replace(*rng.choice(slips), 1) if slips else word


_SLIPS: Final[tuple[Callable[[str, int, random.Random], str], ...]] = (
    *(_near_key, _extra_key, _dropped, _dropped, _doubled, _swapped, _swapped),
    *(_undoubled, _wrong_vowel, _as_it_sounds, _as_it_sounds),
)


def is_spellable(word: str) -> bool:
    """Whether a slip in `word` can be recognised as one: four letters or more, and nothing else."""
    return len(word) >= 4 and word.isascii() and word.isalpha()


def misspell(word: str, rng: random.Random) -> str:
    """`word` with one slip, or two if it is long; mostly not in the first letter. May return `word` itself."""
    for _ in range(2 if len(word) >= 8 and rng.random() < 0.25 else 1):
        start = 0 if rng.random() < 0.12 else 1
        word = rng.choice(_SLIPS)(word, rng.randrange(start, len(word)), rng)
    return word


def corrupt(query: str, rng: random.Random) -> str:
    """`query` with one to three slips: misspelt words, words run together or split. May return it unchanged."""
    words = query.split(" ")
    for _ in range(rng.choices((1, 2, 3), (60, 28, 12))[0]):
        kind = rng.random()
        i = rng.randrange(len(words))
        if kind < 0.08 and i + 1 < len(words):
            words[i : i + 2] = [words[i] + words[i + 1]]
        elif kind < 0.14 and is_spellable(words[i]) and len(words[i]) >= 6:
            cut = rng.randrange(3, len(words[i]) - 2)
            words[i : i + 1] = [words[i][:cut], words[i][cut:]]
        elif spellable := [j for j, word in enumerate(words) if is_spellable(word)]:
            j = rng.choice(spellable)
            words[j] = misspell(words[j], rng)
    return " ".join(words)


EMOJI: Final = "😀😂😍🙏👍🔥🎉✨🤔😭💯🍕🎄🐶🚗🏠👟📱💻🎧🎁🛒☕🌹"
_ELEMENTS: Final = ("b", "i", "em", "span", "p", "div")
_FULL_WIDTH: Final = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def dress(query: str, rng: random.Random) -> str:
    """`query` as phones and pages send it: with an emoji, in full-width letters, or inside markup."""
    kind = rng.random()
    if kind < 0.5:
        emoji = rng.choice(EMOJI) * rng.choice((1, 1, 2))
        return rng.choice((f"{query} {emoji}", f"{query}{emoji}", f"{emoji} {query}"))
    if kind < 0.75:
        return query.translate(_FULL_WIDTH)
    element = rng.choice(_ELEMENTS)
    return f"<{element}>{query}</{element}>"
