"""Writes the catalogue's nouns, synonyms and colours for the model's folder, see `models.inference.expansions`."""

from collections import defaultdict
from pathlib import Path

from sluicegate.models.data.products import AISLES, COLOURS


def write_expansions(path: Path) -> None:
    """Write every noun with its aisles and what else it is called; a synonym is a noun too."""
    aisles: dict[str, dict[str, None]] = defaultdict(dict)
    synonyms: dict[str, dict[str, None]] = defaultdict(dict)
    for aisle in AISLES:
        for product in aisle.products:
            names = (product.noun, *product.synonyms)
            for name in names:
                aisles[name][aisle.category] = None
                synonyms[name].update(dict.fromkeys(other for other in names if other != name))
    lines = ["\t".join(("noun", noun, "|".join(aisles[noun]), "|".join(synonyms[noun]))).rstrip() for noun in aisles]
    path.write_text("".join(f"{line}\n" for line in (*(f"colour\t{colour}" for colour in COLOURS), *lines)), "utf-8")
