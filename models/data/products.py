"""Generate product queries from a catalogue of nouns, brands and product lines.

The catalogue is the files of the folder ``catalogue``. They consist of sections such as

    ## Shoes
    nouns: sneakers = trainers | running shoes, boots
    brands: nike, new balance
    lines: nike air max 90, adidas stan smith
    traits: waterproof, wide fit
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from sluicegate.models.data.templates import lines

COLOURS: Final = lines("""
    black|white|red|blue|navy|green|grey|gray|pink|purple|yellow|orange|brown|beige|cream|gold|silver|rose gold
    turquoise|teal|burgundy|maroon|khaki|olive|charcoal|ivory|multicolor|lavender|mint|coral|tan|bronze|copper
""")
UNCOLOURED: Final = (
    "groceries",
    "drinks coffee",
    "bar",
    "vitamins",
    "pharmacy",
    "garden plants",
    "fragrances",
    "software",
    "books",
)
"""The aisles whose goods are not chosen by colour: ``olive oil`` is not olive."""
_MATERIALS: Final = lines("""
    leather|cotton|wool|linen|silk|suede|denim|velvet|wooden|oak|walnut|pine|metal|steel|stainless steel|plastic
    glass|ceramic|marble|bamboo|rattan|wicker|memory foam|fleece|cashmere|canvas|nylon|polyester|rubber
""")
_ADJECTIVES: Final = lines("""
    cheap|best|new|used|vintage|modern|large|small|mini|portable|wireless|waterproof|foldable|adjustable|electric
    professional|lightweight|heavy duty|luxury|organic|refurbished|compact|outdoor|indoor|comfortable
    rechargeable|cordless|smart|personalized|handmade|quiet|slim|oversized|extra large|king size|queen size
    double|single|round|square|rustic|industrial
""")
_AUDIENCES: Final = lines("""
    women|men|kids|girls|boys|toddlers|teens|seniors|beginners|travel|running|hiking|camping|work|school
    the office|the kitchen|bedroom|living room|bathroom|garden|small spaces|gaming|winter|summer|wedding
    christmas|car|home gym|sensitive skin|dry hair|wide feet|back pain|curly hair|the beach|halloween
""")
_SIZES: Final = lines("""
    size 8|size 10|size 42|xl|xxl|small|medium|large|32 inch|55 inch|65 inch|15.6 inch|13 inch|27 inch|128gb
    256gb|512gb|1tb|2tb|16gb|500 ml|1 liter|10 ft|6 ft|12v|60w|3 piece|set of 4|set of 6|pack of 10|4k|1080p
    usb c|5x7|8x10|2 person|4 person
""")
_TAILS: Final = lines("""
    sale|on sale|deals|reviews|clearance|free shipping|near me|under 50|under 100|under $200|gift ideas|accessories
    replacement parts|black friday|bundle|price|discount|2026|compare|with warranty
""")


@dataclass(frozen=True)
class Product:
    """One noun of the catalogue."""

    noun: str
    synonyms: tuple[str, ...]


@dataclass(frozen=True)
class Aisle:
    """A section of the catalogue; `brands`, `lines` and `traits` may be empty."""

    category: str
    products: tuple[Product, ...]
    brands: tuple[str, ...]
    lines: tuple[str, ...]
    traits: tuple[str, ...]


def _read_catalogue() -> Iterator[Aisle]:
    for file in sorted(files("sluicegate.models.data").joinpath("catalogue").iterdir(), key=lambda file: file.name):
        for section in file.read_text("utf-8").split("## ")[1:]:
            title, *rows = section.strip().splitlines()
            entries = {key: tuple(value.split(", ")) for key, value in (row.split(": ", 1) for row in rows if row)}
            yield Aisle(
                title.lower().partition(" & ")[0],
                tuple(_product(entry) for entry in entries["nouns"]),
                *(entries.get(key, ()) for key in ("brands", "lines", "traits")),
            )


def _product(entry: str) -> Product:
    noun, _, synonyms = entry.partition(" = ")
    return Product(noun, tuple(synonyms.split(" | ")) if synonyms else ())


AISLES: Final = tuple(_read_catalogue())


def catalogue_phrases() -> Iterator[str]:
    """Every name and trait in the catalogue, as often as it occurs."""
    for aisle in AISLES:
        yield from (aisle.category, *aisle.brands, *aisle.lines, *aisle.traits)
        for product in aisle.products:
            yield from (product.noun, *product.synonyms)


_AISLE_SIZES: Final = [len(aisle.products) + len(aisle.lines) for aisle in AISLES]


@dataclass(frozen=True)
class ProductQuery:
    """A clean product query, with what else its product is called, None if that is not known, and its facets."""

    text: str
    synonyms: tuple[str, ...] | None
    facets: tuple[str, ...]


def product_query(rng: random.Random) -> ProductQuery:
    """One query such as ``nike red running shoes for women``, its synonyms and facets (at most two)."""
    aisle = rng.choices(AISLES, _AISLE_SIZES)[0]
    facets = [f"category:{aisle.category}"]
    kind = rng.random()
    if aisle.lines and kind < 0.3:
        return ProductQuery(_line_query(aisle, rng), None, tuple(facets))
    if aisle.brands and kind < 0.34:
        return ProductQuery(rng.choice(aisle.brands), None, tuple(facets))
    product = rng.choice(aisle.products)
    words = [product.noun if rng.random() < 0.85 or not product.synonyms else rng.choice(product.synonyms)]
    if aisle.traits and rng.random() < 0.35:
        trait = rng.choice(aisle.traits)
        words.insert(0 if rng.random() < 0.7 and not trait.startswith("for ") else 1, trait)
    if rng.random() < 0.1:
        words.insert(0, rng.choice(_MATERIALS))
    if rng.random() < 0.2:
        colour = rng.choice(COLOURS)
        words.insert(0, colour)
        facets.append(f"colour:{colour}")
    if rng.random() < 0.15:
        words.insert(0, rng.choice(_ADJECTIVES))
    if aisle.brands and rng.random() < 0.35:
        words.insert(0, rng.choice(aisle.brands))
    if rng.random() < 0.12:
        audience = rng.choice(_AUDIENCES)
        words.append(rng.choice((f"for {audience}", audience)))
    if rng.random() < 0.08:
        words.append(rng.choice(_SIZES))
    if rng.random() < 0.08:
        words.append(rng.choice(_TAILS))
    if rng.random() < 0.06:
        rng.shuffle(words)
    synonyms = tuple(name for name in (product.noun, *product.synonyms) if name not in " ".join(words))
    return ProductQuery(" ".join(words), synonyms, tuple(facets))


def _line_query(aisle: Aisle, rng: random.Random) -> str:
    words = [rng.choice(aisle.lines)]
    if rng.random() < 0.25:
        words.append(rng.choice(aisle.products).noun)
    if aisle.traits and rng.random() < 0.15:
        words.append(rng.choice(aisle.traits))
    if rng.random() < 0.08:
        words.append(rng.choice(_TAILS))
    return " ".join(words)
