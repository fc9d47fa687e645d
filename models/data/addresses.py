"""Safe queries that are not words: pasted web addresses, file names, identifiers and codes."""

import random
import string
from collections.abc import Callable
from typing import Final

from sluicegate.models.data.templates import fill, read_phrases

_DOMAINS: Final = [
    "en.wikipedia.org",
    "wikipedia.org",
    "github.com",
    "stackoverflow.com",
    "youtube.com",
    "www.youtube.com",
    "reddit.com",
    "amazon.com",
    "bbc.co.uk",
    "nytimes.com",
    "docs.python.org",
    "etsy.com",
    "ebay.com",
    "linkedin.com",
    "medium.com",
    "who.int",
    "nhs.uk",
    "gov.uk",
    "irs.gov",
    "support.google.com",
    "maps.google.com",
    "apple.com",
    "support.microsoft.com",
    "ikea.com",
    "walmart.com",
    "target.com",
    "imdb.com",
    "archive.org",
    "openstreetmap.org",
    "npmjs.com",
    "pypi.org",
    "arxiv.org",
    "nature.com",
    "w3.org",
    "example.com",
    "example.org",
    "mozilla.org",
    "weather.gov",
    "booking.com",
    "airbnb.com",
    "spotify.com",
    "netflix.com",
    "paypal.com",
    "ups.com",
    "dhl.de",
    "zalando.de",
    "lemonde.fr",
]
_PATHS: Final = [
    "wiki/Coffee",
    "wiki/World_War_II",
    "wiki/Berlin",
    "help",
    "contact",
    "products/123",
    "questions/11227809",
    "watch?v=dQw4w9WgXcQ",
    "search?q=red+shoes",
    "en/latest/index.html",
    "docs/install",
    "about-us",
    "blog/2026/01/new-release",
    "r/AskReddit",
    "news/health",
    "dp/B08N5WRWNW",
    "item/334455",
    "recipes/lemon-cake",
    "maps/place/London",
    "user/settings",
    "login",
    "account/orders",
    "faq",
    "pricing",
    "articles/how-to-fix-a-bike",
    "download/setup.exe",
    "category/shoes/men",
    "index.php?id=42",
    "static/manual.pdf",
    "topic/climate",
]
_FILES: Final = [
    "report final {n}.pdf",
    "invoice_{n}.xlsx",
    "IMG_{n}.jpg",
    "main.py",
    "index.html",
    "notes.txt",
    "setup.exe",
    "backup_{n}.zip",
    "config.yaml",
    "package.json",
    "song {n}.mp3",
    "README.md",
    "error.log",
    "video_{n}.mp4",
    "budget {n}.xlsx",
]


def _digits(count: int, rng: random.Random) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _address(rng: random.Random) -> str:
    domain = rng.choice(_DOMAINS)
    start = rng.choice(("https://", "https://", "http://", "", "www.")) if not domain.startswith("www") else ""
    return f"{start}{domain}/{rng.choice(_PATHS)}" if rng.random() < 0.7 else f"{start}{domain}"


_SHOPS: Final = read_phrases("shop_addresses")


def _shop(rng: random.Random) -> str:
    """The address of a shop that nobody knows: an address alone is no advertisement."""
    return fill(rng.choice(_SHOPS["address"]), _SHOPS, rng)


def _file(rng: random.Random) -> str:
    return rng.choice(_FILES).replace("{n}", _digits(rng.randint(1, 4), rng))


def _code(rng: random.Random) -> str:
    """A part, stock or model number: groups of letters and digits."""
    groups = [
        "".join(rng.choices(rng.choice((string.digits, string.ascii_lowercase, string.ascii_uppercase + string.digits)),
                            k=rng.randint(1, 5)))
        for _ in range(rng.randint(1, 4))
    ]  # fmt: skip
    return rng.choice(("-", "-", "", " ", ".", "/")).join(groups)


def _isbn(rng: random.Random) -> str:
    number = rng.choice(("978", "979", "400", "501", "761", "0")) + _digits(10, rng)
    return rng.choice((number[:13], f"isbn {number[:13]}", f"ean {number[:13]}", f"{number[:3]}-{number[3:13]}"))


def _token(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_letters + string.digits + "-_", k=rng.choice((8, 10, 11, 11, 12, 16))))


def _measure(rng: random.Random) -> str:
    a, b = rng.randint(1, 400), rng.randint(1, 400)
    forms = (
        f"{a}x{b}", f"{a} x {b} cm", f"{a} {b}", f"{a}/{b}", f"{a}.{b}", f"{a}-{b}", f"{a} + {b}", f"{a}%",
        f"${a}.{b:02}",
        f"v{a % 20}.{b % 30}.{a % 9}", f"#{a * b % 0xFFFFFF:06x}", f"{a % 24:02}:{b % 60:02}", f"{a}mm", f"{a} {b}v",
        f"20{a % 30:02}-{b % 12 + 1:02}", f"{a}w {b}v", f"{a}.{b} usd in eur", f"10.0.{a % 255}.{b % 255}",
        f"{a} {b} calculator",
    )  # fmt: skip
    return rng.choice(forms)


_MAKERS: Final[tuple[Callable[[random.Random], str], ...]] = (
    _address, _address, _shop, _shop, _shop, _shop, _file, _code, _code, _code, _isbn, _token, _measure, _measure,
)  # fmt: skip


def not_words(rng: random.Random) -> str:
    """An address, a file name, an identifier, a code or a measure; nothing of it belongs to a person."""
    return rng.choice(_MAKERS)(rng)
