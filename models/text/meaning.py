"""What no correction may do to a word: turn its meaning round, or write it as another country does."""

import re
from functools import lru_cache
from typing import Final

from rapidfuzz.distance import OSA

_NEGATING_PREFIXES: Final = ("un", "in", "im", "il", "ir", "dis", "de", "non", "anti", "mis")
_FIRST_LETTERS: Final = frozenset("uid")
_NEGATING_SUFFIXES: Final = ("less", "free")
_SHORTEST: Final = 3
"""Letters of the shortest word that a prefix can be put before."""

_VARIANTS: Final = tuple(
    (re.compile(british), american)
    for british, american in (
        ("our", "or"),
        ("is(e|ed|es|er|ers|ing|ation|ations|able)$", r"iz\1"),
        ("ys(e|ed|es|er|ers|ing)$", r"yz\1"),
        ("(?<=[a-z])re(s?)$", r"er\1"),
        ("ogue", "og"),
        ("ae(?=[a-z]{2})", "e"),
        ("oe(?=[a-z]{2})", "e"),
        ("(?<=[a-z])ll(?=(ed|ing|er|ers|or|ors|ery|y|ment|ful)$)", "l"),
        ("ence$|ences$", "ense"),
        ("mme(s?)$", r"m\1"),
        ("sulph", "sulf"),
        ("que(s?)$", r"ck\1"),
        ("grey", "gray"),
    )
)


def turns_meaning(word: str, meant: str) -> bool:
    """Whether writing `meant` for `word` drops or adds what negates: un-, in-, dis-, de-, non-, -less and the like.

    One of the two has the affix, the other has not, and without it they are at most one edit apart. A word that begins
    as the prefix does, as `ilegal` for `illegal`, has a part of it, so the prefix is not added.
    """
    dropped = any(_is_near(stem, meant) for stem in _without_affix(word, meant))
    added = any(
        stem == word or (word[:1] != meant[:1] and _is_near(stem, word)) for stem in _without_affix(meant, word)
    )
    return dropped or added or (word[1:] == meant and word[:1] in _FIRST_LETTERS)


def _without_affix(longer: str, shorter: str) -> list[str]:
    """`longer` without each negating affix that `shorter` lacks."""
    stems = [
        longer.removeprefix(prefix).lstrip("-")
        for prefix in _NEGATING_PREFIXES
        if longer.startswith(prefix) and not shorter.startswith(prefix)
    ]
    stems += [
        longer.removesuffix(suffix).rstrip("-")
        for suffix in _NEGATING_SUFFIXES
        if longer.endswith(suffix) and not shorter.endswith(suffix)
    ]
    return stems


def _is_near(stem: str, word: str) -> bool:
    if len(stem) < _SHORTEST:
        return False
    return OSA.distance(stem, word, score_cutoff=1) <= (1 if len(stem) > _SHORTEST else 0)


def has_negating_part(parts: tuple[str, str]) -> bool:
    """Whether one of two words is an affix that negates the other, as in `sugar free`: the two may be one word."""
    return parts[0] in _NEGATING_PREFIXES or parts[1] in _NEGATING_SUFFIXES


def is_other_spelling(word: str, meant: str) -> bool:
    """Whether the two are one word as the British and the Americans write it: colour and color, in either direction."""
    forms, others = _american_forms(word), _american_forms(meant)
    return meant in forms or word in others


@lru_cache(1024)
def _american_forms(word: str) -> frozenset[str]:
    forms = {word}
    for british, american in _VARIANTS:
        forms |= {british.sub(american, form) for form in forms}
    return frozenset(forms - {word})
