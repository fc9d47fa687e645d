"""Synthetic rows for a formatter: a schema made up for each row, a text that says some of its values, and the JSON.

    row = action_row(random.Random(1))   # {"text": …, "schema": {…}, "value": {…}}

A schema has two to seven fields, drawn from the kinds below under one of several names, in any order, some of them
nullable, optional or inside an object. A value that the text does not say is null, or left out. So the rows teach to
copy and to abstain over thousands of schemas, and not to know a few of them.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from sluicegate.models.data.templates import lines

Sampler = Callable[[random.Random], tuple[Any, str]]
"""Draws a value and how a text writes it."""


@dataclass(frozen=True)
class _Kind:
    """A kind of field: its names, its schema, its values, and phrases in which ``{}`` is the value."""

    names: tuple[str, ...]
    schema: dict[str, Any]
    sample: Sampler
    phrases: tuple[str, ...]
    describe: str = ""


def _one_of(*values: str) -> Sampler:
    def sample(rng: random.Random) -> tuple[Any, str]:
        value = rng.choice(values)
        return value, value

    return sample


def _number(low: int, high: int, decimals: int = 0) -> Sampler:
    def sample(rng: random.Random) -> tuple[Any, str]:
        if decimals and rng.random() < 0.6:
            value = round(rng.uniform(low, high), decimals)
            return value, f"{value:,}"
        whole = rng.randint(low, high)
        return whole, _WORDS[whole] if whole < len(_WORDS) and rng.random() < 0.4 else f"{whole:,}"

    return sample


def _date(rng: random.Random) -> tuple[Any, str]:
    day = date(2025, 1, 1) + timedelta(days=rng.randrange(900))
    written = (day.isoformat(), f"{day.day} {day:%B %Y}", f"{day:%B} {day.day}, {day.year}", f"{day:%d.%m.%Y}")
    return day.isoformat(), rng.choice(written)


def _code(rng: random.Random) -> tuple[Any, str]:
    code = "".join(rng.choices("ABCDEFGHKLMNPRSTUVWX", k=2)) + f"-{rng.randrange(10_000):04}"
    return code, code


def _address(rng: random.Random) -> tuple[Any, str]:
    address = f"{rng.choice(_FIRST).lower()}.{rng.choice(_LAST).lower()}@{rng.choice(('mail', 'post', 'work'))}.example"
    return address, address


def _person(rng: random.Random) -> tuple[Any, str]:
    name = f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"
    return name, name


_WORDS: Final = lines("zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve")
_FIRST: Final = lines("Anna|Ben|Chidi|Dagny|Elif|Farah|Goran|Hanne|Ivan|Jun|Kofi|Lucia|Mei")
_LAST: Final = lines("Berg|Costa|Diaz|Eriksen|Fischer|Gupta|Haddad|Ito|Jansen|Kaya|Larsen|Moreau")
_CITIES: Final = lines("Oslo|Lagos|Lima|Kyoto|Turin|Porto|Tampere|Da Nang|Cape Town|New York|Graz")
_GOODS: Final = lines("desk lamp|rain jacket|coffee grinder|bike lock|garden hose|travel mug|scarf|tent")
_TEXT: Final[dict[str, Any]] = {"type": "string"}

KINDS: Final = (
    _Kind(("city", "destination", "delivery_city", "town"), _TEXT, _one_of(*_CITIES),
          ("to {}", "in {}", "it goes to {}")),
    _Kind(("origin", "from_city", "departure_city"), _TEXT, _one_of(*_CITIES),
          ("from {}", "starting in {}", "leaving {}")),
    _Kind(("customer", "name", "contact", "guest_name"), _TEXT, _person,
          ("for {}", "my name is {}", "{} here", "ask for {}")),
    _Kind(("product", "item", "article"), _TEXT, _one_of(*_GOODS),
          ("the {}", "about the {}", "I would like the {}", "{}, please")),
    _Kind(("quantity", "count", "pieces"), {"type": "integer", "minimum": 1, "maximum": 99}, _number(1, 60),
          ("{} of them", "{} pieces", "quantity {}")),
    _Kind(("guests", "people", "party_size"), {"type": "integer", "minimum": 1}, _number(1, 12),
          ("for {} people", "{} guests", "we are {}")),
    _Kind(("price", "budget", "max_price", "amount"), {"type": "number", "minimum": 0}, _number(1, 4000, 2),
          ("at most {} euros", "for {} dollars", "the price is {}", "{} kroner")),
    _Kind(("weight_kg", "weight"), {"type": "number", "exclusiveMinimum": 0}, _number(1, 90, 1),
          ("it weighs {} kg", "{} kilos", "weight: {}"), "in kilograms"),
    _Kind(("date", "day", "delivery_date", "due"), {"type": "string", "format": "date"}, _date,
          ("on {}", "by {}", "the date is {}")),
    _Kind(("email", "contact_email"), {"type": "string", "format": "email"}, _address,
          ("write to {}", "mail: {}", "{} is my address")),
    _Kind(("order_code", "reference", "ticket"), {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"}, _code,
          ("order {}", "reference {}", "it is about {}")),
    _Kind(("priority", "urgency"), {"enum": ["low", "normal", "high"]}, _one_of("low", "normal", "high"),
          ("priority {}", "this has {} priority", "urgency: {}")),
    _Kind(("colour", "color"), {"enum": ["red", "green", "blue", "black", "white"]},
          _one_of("red", "green", "blue", "black", "white"), ("in {}", "a {} one", "colour {}")),
    _Kind(("size",), {"enum": ["S", "M", "L", "XL"]}, _one_of("S", "M", "L", "XL"), ("size {}", "in {}, please")),
    _Kind(("status", "state"), {"enum": ["open", "closed", "waiting"]}, _one_of("open", "closed", "waiting"),
          ("it is {}", "status: {}")),
)  # fmt: skip

_FLAGS: Final = (
    ("gift_wrap", "gift wrapped", "no gift wrap"),
    ("express", "send it express", "no express delivery"),
    ("refundable", "it must be refundable", "it need not be refundable"),
    ("breakfast", "with breakfast", "without breakfast"),
)
_OPENINGS: Final = ("", "", "Hello, ", "Hi there! ", "Please note: ", "As discussed, ", "Could you take this: ")
_JOINTS: Final = (", ", ", ", "; ", " and ", ". ")


@dataclass
class _Made:
    """A row in the making."""

    rng: random.Random
    properties: dict[str, Any] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    value: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def add(self, name: str, schema: dict[str, Any], drawn: Any, phrase: str) -> None:
        """Add a field, and what the text says of it: sometimes nothing, where the schema allows that."""
        nullable, optional = self.rng.random() < 0.4, self.rng.random() < 0.3
        if nullable:
            schema = _nullable(schema)
        self.properties[name] = schema
        if not optional:
            self.required.append(name)
        if not (nullable or optional) or self.rng.random() < 0.6:
            self.value[name] = drawn
            self.said.append(phrase)
        elif not optional:
            self.value[name] = None


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    return {**schema, "type": [schema["type"], "null"]}


def action_row(rng: random.Random) -> dict[str, Any]:
    """A row with the fields `text`, `schema` and `value`."""
    made = _Made(rng)
    for kind in rng.sample(KINDS, rng.randint(2, 6)):
        drawn, written = kind.sample(rng)
        described = {"description": kind.describe} if kind.describe and rng.random() < 0.7 else {}
        made.add(rng.choice(kind.names), kind.schema | described, drawn, rng.choice(kind.phrases).format(written))
    if rng.random() < 0.4:
        name, yes, no = rng.choice(_FLAGS)
        answer = rng.random() < 0.5
        made.add(name, {"type": "boolean"}, answer, yes if answer else no)
    rng.shuffle(made.said)
    order = rng.sample(list(made.properties), len(made.properties))
    properties = {name: made.properties[name] for name in order}
    schema: dict[str, Any] = {"type": "object", "properties": properties, "required": made.required}
    value = {name: made.value[name] for name in order if name in made.value}
    if rng.random() < 0.2:
        schema = {"type": "object", "properties": {"request": schema}, "required": ["request"]}
        value = {"request": value}
    text = rng.choice(_OPENINGS) + rng.choice(_JOINTS).join(made.said)
    return {"text": text or "Hello", "schema": schema, "value": value}
