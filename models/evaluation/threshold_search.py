"""Searches the cuts that catch most within a budget: greedy steps first, then exchanges between two cuts.

A cut is a place in an ascending list of thresholds, one per category. The search is exact about the budget and
approximate about the optimum: it ends where no exchange catches more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sluicegate.models.evaluation.calibration import Floats

Cuts = tuple[int, ...]

_STEPS: Final = (1, 2, 4, 8, 16, 32, 64)
_LEAST: Final = 1e-9


@dataclass(frozen=True)
class Profiles:
    """What becomes of some cuts if one of them is replaced: arrays of shape (categories, cuts), of shares.

    `caught` is to be high, `worst` must keep to the budget, `spent` is to be low.
    """

    caught: Floats
    worst: Floats
    spent: Floats


Profile = Callable[[Cuts], Profiles]


def search_cuts(highest: Cuts, lowest: Sequence[int], profile: Profile, budget: float) -> Cuts:
    """The best cuts found between `lowest` and `highest`. If `highest` exceeds the budget, it is the answer."""
    return exchange_cuts(lower_cuts(highest, lowest, profile, budget), highest, lowest, profile, budget)


def lower_cuts(cuts: Cuts, lowest: Sequence[int], profile: Profile, budget: float) -> Cuts:
    """`cuts`, lowered step by step: each step catches most for what it costs, and none exceeds the budget.

    No cut goes below its `lowest`. If `cuts` exceed the budget already, they are returned as they are.
    """
    while True:
        found = profile(cuts)
        now = (0, cuts[0])
        if found.worst[now] > budget:
            return cuts
        gain, price = found.caught - found.caught[now], found.spent - found.spent[now]
        allowed = _between(lowest, cuts, found) & (found.worst <= budget) & (gain > _LEAST)
        if not allowed.any():
            return cuts
        worth = np.where(allowed, gain / np.maximum(price, _LEAST), -np.inf)
        place, cut = np.unravel_index(worth.argmax(), worth.shape)
        cuts = _with(cuts, int(place), int(cut))


def exchange_cuts(cuts: Cuts, highest: Sequence[int], lowest: Sequence[int], profile: Profile, budget: float) -> Cuts:
    """`cuts`, improved by raising one and lowering another, as long as that catches more within the budget."""
    while (better := _best_exchange(cuts, highest, lowest, profile, budget)) is not None:
        cuts = better
    return cuts


def _best_exchange(
    cuts: Cuts, highest: Sequence[int], lowest: Sequence[int], profile: Profile, budget: float
) -> Cuts | None:
    best, most = None, profile(cuts).caught[0, cuts[0]] + _LEAST
    for raised in range(len(cuts)):
        for step in _STEPS:
            if cuts[raised] + step > highest[raised]:
                break
            looser = _with(cuts, raised, cuts[raised] + step)
            found = profile(looser)
            caught = np.where(_between(lowest, looser, found) & (found.worst <= budget), found.caught, -np.inf)
            if caught.max() > most:
                place, cut = np.unravel_index(caught.argmax(), caught.shape)
                best, most = _with(looser, int(place), int(cut)), caught.max()
    return best


def _between(lowest: Sequence[int], cuts: Cuts, found: Profiles) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    every = np.arange(found.caught.shape[1])
    return (every >= np.array(lowest)[:, None]) & (every < np.array(cuts)[:, None])


def _with(cuts: Cuts, place: int, cut: int) -> Cuts:
    return (*cuts[:place], cut, *cuts[place + 1 :])
