"""How likely one word is typed as another: a channel model of single-letter slips, learnt from misspelt pairs.

The costs are negative logarithms of how often a slip happens where it could: a letter for another, a letter dropped or
added after another, two letters swapped (Kernighan, Church and Gale, 1990). Slips that the pairs do not have cost the
same, `unseen`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import log
from typing import Final

from rapidfuzz.distance import Levenshtein

_START: Final = "^"
_SMOOTHING: Final = 0.5


def slips(meant: str, typed: str) -> list[str]:
    """The slips that turn `meant` into `typed`, as the keys of `SlipModel.costs`."""
    found: list[str] = []
    operations = [(edit.tag, edit.src_pos, edit.dest_pos) for edit in Levenshtein.editops(meant, typed)]
    place = 0
    while place < len(operations):
        tag, i, j = operations[place]
        after = operations[place + 1] if place + 1 < len(operations) else None
        if after and _is_swap(meant, typed, operations[place], after):
            found.append(f"t{meant[min(i, after[1]) :][:2]}")
            place += 2
            continue
        before = meant[i - 1] if i else _START
        if tag == "replace":
            found.append(f"s{meant[i]}{typed[j]}")
        elif tag == "delete":
            found.append(f"d{before}{meant[i]}")
        else:
            found.append(f"i{before}{typed[j]}")
        place += 1
    return found


def _is_swap(meant: str, typed: str, first: tuple[str, int, int], second: tuple[str, int, int]) -> bool:
    """Whether two operations are a swap of two neighbours, which the library reports as an edit each."""
    kinds = {first[0], second[0]}
    i, j = min(first[1], second[1]), min(first[2], second[2])
    if kinds not in ({"insert", "delete"}, {"replace"}) or second[1] - first[1] > 2:
        return False
    pair = meant[i : i + 2]
    return len(pair) == 2 and pair[0] != pair[1] and typed[j : j + 2] == pair[::-1]


class SlipModel:
    """Costs of slips, in nats."""

    def __init__(self, costs: Mapping[str, float], unseen: float) -> None:
        self.costs: Final = dict(costs)
        self.unseen: Final = unseen

    @classmethod
    def learn(cls, pairs: Iterable[tuple[str, str]]) -> "SlipModel":
        """The model of `pairs` of a typed word and the word that was meant."""
        seen: Counter[str] = Counter()
        chances: Counter[str] = Counter()
        for typed, meant in pairs:
            seen.update(slips(meant, typed))
            chances.update(meant)
            chances.update(f"{before}{letter}" for before, letter in zip(_START + meant, meant, strict=False))
            chances[_START] += 1
        costs = {}
        for slip, times in seen.items():
            kind, context = slip[0], slip[1:]
            where = context if kind in "td" else context[0]
            costs[slip] = round(-log((times + _SMOOTHING) / (chances[where] + 26 * _SMOOTHING)), 2)
        return cls(costs, round(max(costs.values(), default=9.0) + 0.7, 2))

    def cost(self, typed: str, meant: str) -> float:
        """What it takes to type `typed` for `meant`."""
        costs, unseen = self.costs, self.unseen
        return sum([costs.get(slip, unseen) for slip in slips(meant, typed)])
