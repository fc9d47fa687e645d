"""Safe queries that say nothing: mashed keys, held keys, laughter, signs, single letters and runs of digits."""

import random
import string
from collections.abc import Callable
from typing import Final

_ROWS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890")
_LAUGHTER: Final = (
    "ha",
    "he",
    "hi",
    "ho",
    "lo",
    "la",
    "na",
    "blah ",
    "bla",
    "yo",
    "jaja",
    "xd",
    "test ",
    "abc",
    "ah",
    "hm",
)
_SIGNS: Final = ".-_=*+/\\|~^<>()[]{}#&%$§@!?,;:'\"°¬•·…–—«»¿¡×÷±√∞≠≈→←↑↓★☆■□▲△●○♪♫☺☹♠♣♥♦✓✗"
_SCRIPTS: Final = (
    (0x0391, 0x03C9), (0x0410, 0x044F), (0x05D0, 0x05EA), (0x0621, 0x064A), (0x0905, 0x0939), (0x0E01, 0x0E2E),
    (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x5FFF), (0xAC00, 0xD7A3), (0x1200, 0x1248), (0x10D0, 0x10F0),
)  # fmt: skip


def _mashed(rng: random.Random) -> str:
    """Neighbouring keys, as a hand falls on them: ``sdfjk lkjsdf``."""
    row = rng.choice(_ROWS[:3])
    words = ("".join(rng.choices(row, k=rng.randint(3, 12))) for _ in range(rng.choice((1, 1, 1, 2, 3))))
    return " ".join(words)


def _in_order(rng: random.Random) -> str:
    row = rng.choice((*_ROWS, string.ascii_lowercase))
    start = rng.randrange(len(row) - 3)
    run = row[start : start + rng.randint(3, len(row))]
    return rng.choice((run, run[::-1], run * 2, " ".join(run)))


def _held(rng: random.Random) -> str:
    """One key held down, or a word with its last letter held."""
    run = rng.choice(string.ascii_lowercase + string.digits) * rng.randint(2, 60)
    return rng.choice((run, run, f"{run} {run[:3]}", rng.choice(("hello", "no", "yes", "what", "so", "wow")) + run[:9]))


def _repeated(rng: random.Random) -> str:
    return (rng.choice(_LAUGHTER) * rng.randint(2, 14)).strip()


def _signs(rng: random.Random) -> str:
    signs = rng.choices(_SIGNS, k=rng.choice((1, 1, 2, 3)))
    return "".join(rng.choice(signs) for _ in range(rng.randint(1, 16)))


def _letters(rng: random.Random) -> str:
    letters = rng.choices(string.ascii_letters + string.digits, k=rng.randint(1, 5))
    return rng.choice(("", " ", " ")).join(letters)


def _digits(rng: random.Random) -> str:
    return "".join(rng.choices(string.digits, k=rng.choice((1, 2, 3, 4, 5, 7, 8))))


def _script(rng: random.Random) -> str:
    """Letters of another script, in words that nobody wrote."""
    first, last = rng.choice(_SCRIPTS)
    words = ("".join(chr(rng.randint(first, last)) for _ in range(rng.randint(1, 7))) for _ in range(rng.randint(1, 4)))
    return " ".join(words)


_MAKERS: Final[tuple[Callable[[random.Random], str], ...]] = (
    _mashed, _mashed, _in_order, _held, _held, _repeated, _signs, _letters, _digits, _script,
)  # fmt: skip


def junk(rng: random.Random) -> str:
    """A query without a meaning."""
    return rng.choice(_MAKERS)(rng)
