"""Writes the catalogue's nouns, synonyms and colours for the model's folder, see `models.inference.expansions`."""

from collections import defaultdict
from pathlib import Path
from typing import Final

from sluicegate.models.data.products import AISLES, COLOURS, UNCOLOURED

_CALIBRATION: Final = {"synonym": (1.066, 1.028), "category": (1.016, 1.617), "colour": (0.6, 0.4)}
"""Slope and offset of each kind, fitted on equal parts of generated and of real queries: see the model card."""


def write_expansions(path: Path) -> None:
    """Write every noun with its aisles and what else it is called; a synonym is a noun too.

    An aisle that is named after a noun is its only one: headphones are sold in three, and found among headphones.
    """
    aisles: dict[str, dict[str, None]] = defaultdict(dict)
    synonyms: dict[str, dict[str, None]] = defaultdict(dict)
    for aisle in AISLES:
        for product in aisle.products:
            names = (product.noun, *product.synonyms)
            for name in names:
                aisles[name][aisle.category] = None
                synonyms[name].update(dict.fromkeys(other for other in names if other != name))
    for aisle in AISLES:
        for noun in (aisle.category, aisle.category.removesuffix("s")):
            if aisle.category in aisles.get(noun, ()):
                aisles[noun] = {aisle.category: None}
    lines = ["\t".join(("noun", noun, "|".join(aisles[noun]), "|".join(synonyms[noun]))).rstrip() for noun in aisles]
    head = [
        *(f"calibration\t{kind}\t{slope}\t{offset}" for kind, (slope, offset) in _CALIBRATION.items()),
        *(f"uncoloured\t{aisle}" for aisle in UNCOLOURED),
        *(f"colour\t{colour}" for colour in COLOURS),
    ]
    path.write_text("".join(f"{line}\n" for line in (*head, *lines)), "utf-8")
