"""How much of a text the formatter without a model reads rightly: ``python -m benchmarks.extraction`` prints a table.

The texts, their schemas and the right values are in ``extraction_rows.json``. They were written before the formatter
was run on any of them, and it was not changed for them. So the numbers are few and honest, not many and good.

    right      the value of the row
    wrong      another value than that of the row
    missed     null, left out, or no object at all, where the row has a value
    invented   a value where the row has none
    empty      rightly null, left out or false by its absence
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table

from sluicegate.models.evaluation.intervals import share_of
from sluicegate.models.formatting.extractive import ExtractiveFormatter
from sluicegate.models.formatting.formatter import FormatRequest, Formatted
from sluicegate.models.formatting.schema import FormatSchema

ROWS: Final = Path(__file__).with_name("extraction_rows.json")
_COLUMNS: Final = ("right", "wrong", "missed", "invented", "empty")


def main() -> None:
    """Print how each kind of value ended."""
    document = json.loads(ROWS.read_text())
    schemas = {name: FormatSchema.from_json(schema) for name, schema in document["schemas"].items()}
    ends: dict[str, Counter[str]] = {}
    whole = failures = 0
    for row in document["rows"]:
        [result] = ExtractiveFormatter().format([FormatRequest(row["text"], schemas[row["schema"]])])
        found = json.loads(result.value) if isinstance(result, Formatted) else None
        failures += found is None
        whole += found == row["value"]
        for end in _ends(row["value"], found or {}):
            ends.setdefault(row["schema"], Counter())[end] += 1
    table = Table("schema", *_COLUMNS)
    for name, counts in ends.items():
        table.add_row(name, *(str(counts[column]) for column in _COLUMNS))
    total = sum(ends.values(), Counter[str]())
    table.add_row("all", *(str(total[column]) for column in _COLUMNS))
    console = Console()
    console.print(table)
    values = total["right"] + total["wrong"] + total["missed"]
    given = total["right"] + total["wrong"] + total["invented"]
    for what, of, part in (
        ("values of the texts that were read rightly", values, total["right"]),
        ("values given that are right", given, total["right"]),
        ("whole objects that are right", len(document["rows"]), whole),
        ("texts without an object", len(document["rows"]), failures),
    ):
        console.print(f"{what}: {part} of {of}, {share_of(part, of)}")


def _ends(right: Any, found: Any) -> Iterator[str]:
    """How each value of `right`, an object, ended in `found`. Arrays are compared element by element."""
    if isinstance(right, dict):
        for name, value in right.items():
            yield from _ends(value, found.get(name) if isinstance(found, dict) else None)
        for name in found.keys() - right.keys() if isinstance(found, dict) else ():
            if found[name] is not None:
                yield "invented"
    elif isinstance(right, list):
        given = found if isinstance(found, list) else []
        for index, value in enumerate(right):
            yield from _ends(value, given[index] if index < len(given) else None)
        for _ in given[len(right) :]:
            yield "invented"
    elif right is None:
        yield "empty" if found is None else "invented"
    elif found is None:
        yield "missed"
    else:
        yield "right" if found == right else "wrong"


if __name__ == "__main__":
    typer.run(main)
