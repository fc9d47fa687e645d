"""Ways to hide the words of a text from a filter, each seeded: for tests that they are undone."""

import base64
import random
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

Disguise = Callable[[str, random.Random], str]

_PLAIN: Final = "abcdefghijklmnopqrstuvwxyz"
_CYRILLIC: Final = dict(zip("aceopxyisjhdkmtb", "асеорхуіѕјһԁкмтв", strict=True))
_GREEK: Final = dict(zip("aovpiutke", "αονριυτκε", strict=True))
_ACCENTS: Final = dict(zip("aeioucny", "áëîõüçñÿ", strict=True))
_STROKES: Final = dict(zip("lodhbf", "łøđħƀƒ", strict=True))
_SMALL_CAPITALS: Final = dict(zip("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", strict=True))
_TURNED: Final = dict(zip(_PLAIN, "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz", strict=True))
_LEET: Final = dict(zip("oieast", "013457", strict=True))
_SIGNS: Final = dict(zip("asi", "@$!", strict=True))
_EMOJI: Final = ("😀", "🔥", "❤️", "👍🏽", "⭐", "👩‍🔬", "🎉")


def _by_letter(letters: Mapping[str, str]) -> Disguise:
    return lambda text, _: "".join(letters.get(letter, letter) for letter in text)


def _shifted(first: str) -> Disguise:
    letters = {letter: chr(ord(first) + place) for place, letter in enumerate(_PLAIN)}
    return _by_letter(letters)


def _between_letters(sign: str) -> Disguise:
    return lambda text, _: " ".join(sign.join(word) for word in text.split())


def _between_words(sign: str) -> Disguise:
    return lambda text, _: text.replace(" ", sign)


def _stretch(text: str, rng: random.Random) -> str:
    words = []
    for word in text.split():
        place = rng.randrange(len(word))
        drawn_out = word[:place] + word[place] * rng.randint(3, 5) + word[place + 1 :]
        words.append(drawn_out if len(word) > 1 else word)
    return " ".join(words)


def _emoji_between(text: str, rng: random.Random) -> str:
    return "".join(f" {rng.choice(_EMOJI)} " if letter == " " else letter for letter in text)


def _emoji_inside(text: str, rng: random.Random) -> str:
    words = []
    for word in text.split():
        place = rng.randint(1, max(1, len(word) - 1))
        words.append(word[:place] + rng.choice(_EMOJI) + word[place:] if len(word) > 3 else word)
    return " ".join(words)


BY_LETTER: Final[Mapping[str, Disguise]] = {
    "accents": _by_letter(_ACCENTS),
    "strokes": _by_letter(_STROKES),
    "Cyrillic letters": _by_letter(_CYRILLIC),
    "Greek letters": _by_letter(_GREEK),
    "small capitals": _by_letter(_SMALL_CAPITALS),
    "squared letters": _shifted("🄰"),
    "squared letters, filled": _shifted("🅰"),
    "circled letters": _shifted("ⓐ"),
    "circled letters, filled": _shifted("🅐"),
    "Fraktur": _shifted("𝖆"),
    "full-width letters": _shifted("ａ"),
    "letters of flags, spaced": lambda text, _: "  ".join(
        " ".join(chr(ord("🇦") + ord(letter) - ord("a")) for letter in word) for word in text.split()
    ),
    "upside down": lambda text, _: "".join(_TURNED.get(letter, letter) for letter in reversed(text)),
    "struck through": lambda text, _: "".join(letter if letter == " " else f"{letter}\u0336" for letter in text),
    "digits for letters": _by_letter(_LEET),
    "signs for letters": _by_letter(_SIGNS),
    "spaces between letters": _between_letters(" "),
    "dots between letters": _between_letters("."),
    "hyphens between letters": _between_letters("-"),
    "underscores between letters": _between_letters("_"),
    "asterisks between letters": _between_letters("*"),
    "zero-width spaces between letters": _between_letters("\u200b"),
    "soft hyphens between letters": _between_letters("\u00ad"),
    "drawn-out letters": _stretch,
    "emoji inside words": _emoji_inside,
    "percent signs": lambda text, _: "".join(f"%{ord(letter):02x}" for letter in text),
    "percent signs, twice": lambda text, _: quote("".join(f"%{ord(letter):02x}" for letter in text)),
    "entities": lambda text, _: "".join(f"&#{ord(letter)};" for letter in text),
    "entities, escaped twice": lambda text, _: "".join(f"&amp;amp;#{ord(letter)};" for letter in text),
    "escapes": lambda text, _: "".join(f"\\x{ord(letter):02x}" for letter in text),
}
"""Disguises of single words, and of texts."""

OF_TEXTS: Final[Mapping[str, Disguise]] = {
    "emoji between words": _emoji_between,
    "emoji after": lambda text, rng: f"{text} {''.join(rng.choices(_EMOJI, k=3))}",
    "emoji before": lambda text, rng: f"{''.join(rng.choices(_EMOJI, k=3))} {text}",
    "underscores between words": _between_words("_"),
    "asterisks between words": _between_words("*"),
    "dots between words": _between_words("."),
    "pluses between words": _between_words("+"),
    "signs between words": _between_words(" ~ "),
    "signs after": lambda text, _: f"{text} ### !!!",
    "base64": lambda text, _: base64.b64encode(text.encode()).decode(),
    "hexadecimal digits": lambda text, _: text.encode().hex(),
}
"""Disguises of texts of several words."""

ALL: Final[Mapping[str, Disguise]] = {**BY_LETTER, **OF_TEXTS}
