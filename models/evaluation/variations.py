"""Ways to write the same request, none of which should change its verdict: harmless habits and disguises.

Each takes a text and a `random.Random`, and is a pure function of both. It may return the text unchanged if it has
nothing to change.
"""

import random
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from sluicegate.models.data.corruption import EMOJI, is_spellable, misspell

Variation = Callable[[str, random.Random], str]

_ACCENTS: Final = str.maketrans("aeiounc", "áéíóúñç")
_CYRILLIC: Final = str.maketrans("aceopxyi", "асеорхуі")
_LEET: Final = str.maketrans("aeiost", "431057")
_FULL_WIDTH: Final = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_BOLD: Final = {ord("a") + n: 0x1D41A + n for n in range(26)}
_SQUARED: Final = {ord("a") + n: 0x1F130 + n for n in range(26)}
_CIRCLED: Final = {ord("a") + n: 0x24D0 + n for n in range(26)}
_SMALL_CAPITALS: Final = str.maketrans("abcdefghijklmnoprtuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢ")
_POLITE: Final = ("please", "hi there,", "could you kindly tell me", "i would be grateful to know")
_THANKS: Final = ("thank you", "please", "thanks in advance", "it is for a friend")
_PADDING: Final = (
    "summer dresses and sandals for the beach",
    "weather in lisbon next week and a good hotel near the old town",
    "recipes with courgettes, tomatoes and feta for four people",
    "the best wireless headphones for running in the rain",
)


def _within_words(mark: str) -> Variation:
    return lambda text, _: " ".join(mark.join(word) if len(word) > 3 else word for word in text.split(" "))


def _translated(table: Mapping[int, int | str]) -> Variation:
    return lambda text, _: text.lower().translate(table)


def _misspelt(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    places = [place for place, word in enumerate(words) if is_spellable(word)]
    if places:
        place = rng.choice(places)
        words[place] = misspell(words[place], rng)
    return " ".join(words)


def _stretched(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    place = max(range(len(words)), key=lambda each: len(words[each]))
    word = words[place]
    at = rng.randrange(len(word)) if word else 0
    words[place] = word[:at] + word[at : at + 1] * 3 + word[at + 1 :]
    return " ".join(words)


def _entities(text: str, _: random.Random) -> str:
    return "".join(f"&#{ord(letter)};" if letter.isalpha() else letter for letter in text)


def _percent_encoded(text: str, _: random.Random) -> str:
    return quote(text, safe="")


HABITS: Final[Mapping[str, Variation]] = {
    "capitals": lambda text, _: text.upper(),
    "spaces": lambda text, _: "  ".join(text.split(" ")),
    "punctuation": lambda text, rng: text.rstrip(".?!") + rng.choice(("!!!", "???", "...", " ?!")),
    "emoji after": lambda text, rng: f"{text} {rng.choice(EMOJI) * 3}",
    "emoji between words": lambda text, rng: f" {rng.choice(EMOJI)} ".join(text.split(" ")),
    "polite before": lambda text, rng: f"{rng.choice(_POLITE)} {text}",
    "polite after": lambda text, rng: f"{text} {rng.choice(_THANKS)}",
    "padding before": lambda text, rng: f"{' '.join(rng.sample(_PADDING, 3))} {text}",
    "padding after": lambda text, rng: f"{text} {' '.join(rng.sample(_PADDING, 3))}",
    "misspelt word": _misspelt,
}
"""How people write who hide nothing."""

DISGUISES: Final[Mapping[str, Variation]] = {
    "accents": _translated(_ACCENTS),
    "look-alike letters": _translated(_CYRILLIC),
    "leet digits": _translated(_LEET),
    "full width": lambda text, _: text.translate(_FULL_WIDTH),
    "bold letters": _translated(_BOLD),
    "squared letters": _translated(_SQUARED),
    "circled letters": _translated(_CIRCLED),
    "small capitals": _translated(_SMALL_CAPITALS),
    "dots in words": _within_words("."),
    "spaces in words": _within_words(" "),
    "hyphens in words": _within_words("-"),
    "zero width in words": _within_words("\u200b"),
    "combining marks": _within_words("\u0336"),
    "stretched letters": _stretched,
    "percent encoding": _percent_encoded,
    "entities": _entities,
}
"""How people write who want the gate not to read it."""
