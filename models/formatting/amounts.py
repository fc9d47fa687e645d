"""Numbers as people write them: digits with separators, words, money, and what stands beside them."""

import re
from dataclasses import dataclass
from typing import Final

_DIGITS: Final = re.compile(
    r"(?<![\w.,])(?P<sign>[-+\u2212](?=\d))?"
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+(?:,\d+)?(?!\d)|\d{1,3}(?:['\u00a0\u202f]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?)"
    r"(?:\s?(?P<scale>k|thousand|million|billion)\b)?",
    re.IGNORECASE,
)
_SCALES: Final = {"k": 10**3, "thousand": 10**3, "million": 10**6, "billion": 10**9, "hundred": 100, "dozen": 12}
_ONES_IN_ORDER: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS_IN_ORDER: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_ONES: Final = {word: number for number, word in enumerate(_ONES_IN_ORDER.split())}
_TENS: Final = {word: 10 * number for number, word in enumerate(_TENS_IN_ORDER.split(), start=2)}
_WORD: Final = "|".join([*_TENS, *sorted(_ONES, key=len, reverse=True), "hundred", "thousand", "million", "dozen"])
_WORDS: Final = re.compile(
    rf"\b(?:(?:an?|half a)\s+(?=hundred|thousand|million|dozen))?(?:{_WORD})(?:[ -](?:and )?(?:{_WORD}))*\b",
    re.IGNORECASE,
)

_CURRENCIES: Final = {
    "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR",
    "dollar": "USD", "dollars": "USD", "bucks": "USD", "euro": "EUR", "euros": "EUR", "pound": "GBP", "pounds": "GBP",
    "yen": "JPY", "rupees": "INR", "francs": "CHF",
}  # fmt: skip
_CODES: Final = frozenset(
    {"USD", "EUR", "GBP", "JPY", "INR", "CHF", "CAD", "AUD", "SEK", "NOK", "DKK", "PLN", "CZK", "CNY"}
)
_BESIDE: Final = re.compile(r"[ \u00a0-]?(?P<unit>[^\W\d_]+|[%°€£¥₹$])")
_BEFORE: Final = re.compile(r"(?P<unit>[$€£¥₹]|\b[A-Z]{3})[ \u00a0]?$")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number, its place in the text, the word or sign beside it, and the currency (ISO 4217) if it is money."""

    start: int
    end: int
    value: int | float
    unit: str
    currency: str | None


def find_amounts(text: str) -> list[Amount]:
    """Every number of `text`, in order."""
    found = [_amount(text, match, value) for match in _DIGITS.finditer(text) if (value := _digits(match)) is not None]
    for match in _WORDS.finditer(text):
        value = _spelt(match.group().lower())
        if value is not None:
            found.append(_amount(text, match, value))
    return sorted(found, key=lambda amount: amount.start)


def _amount(text: str, match: re.Match[str], value: float) -> Amount:
    before = _BEFORE.search(text[max(0, match.start() - 4) : match.start()])
    after = _BESIDE.match(text, match.end())
    sign = before["unit"] if before and (before["unit"] in _CURRENCIES or before["unit"] in _CODES) else ""
    unit = after["unit"] if after else ""
    money = next((found for name in (sign, unit) if (found := _currency(name))), None)
    return Amount(
        match.start() - len(sign and before.group() if before else ""), match.end(), value, unit.lower(), money
    )


def _currency(name: str) -> str | None:
    return name if name in _CODES else _CURRENCIES.get(name.lower())


def _digits(match: re.Match[str]) -> int | float | None:
    digits = re.sub(r"['\u00a0\u202f]", "", match["digits"])
    if "," in digits and "." in digits:
        decimal = max(digits.rfind(","), digits.rfind("."))
        digits = re.sub(r"[.,]", "", digits[:decimal]) + "." + digits[decimal + 1 :]
    elif digits.count(",") > 1 or re.fullmatch(r"\d{1,3},\d{3}", digits):
        digits = digits.replace(",", "")
    elif digits.count(".") > 1:
        digits = digits.replace(".", "")
    digits = digits.replace(",", ".")
    if len(digits) > 18:
        return None
    value = float(digits) if "." in digits else int(digits)
    value = value * _SCALES[match["scale"].lower()] if match["scale"] else value
    value = -value if match["sign"] in ("-", "\u2212") else value
    return int(value) if isinstance(value, float) and value.is_integer() and match["scale"] else value


def _spelt(words: str) -> int | float | None:
    total, part = 0.0, 0.0
    for word in re.split(r"[ -]+", words.replace("half a", "half")):
        if word in _ONES or word in _TENS:
            part += _ONES.get(word, 0) + _TENS.get(word, 0)
        elif word == "half":
            part = 0.5
        elif word in ("a", "an", "and"):
            continue
        elif word in ("hundred", "dozen"):
            part = (part or 1) * _SCALES[word]
        else:
            total += (part or 1) * _SCALES[word]
            part = 0
    value = total + part
    return int(value) if value.is_integer() else value
