"""The table of the Helm chart's values, from its values and their schema: `python -m tests.support.chart_values`."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "sluicegate"

_INTRODUCTION = """\
# Values of the Helm chart

[Deployment](deployment.md#kubernetes) explains how to use the chart. An unknown name or a value of a wrong kind stops
`helm` in one line.

This page is generated: `make docs` writes it from `values.yaml` and `values.schema.json`.

| value | default | meaning |
|---|---|---|
"""


def as_markdown() -> str:
    """docs/chart-values.md."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    return _INTRODUCTION + "".join(f"{row}\n" for row in _rows(schema, values, ""))


def _rows(schema: Mapping[str, Any], values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, value in schema["properties"].items():
        if name not in values:
            continue
        if "properties" in value:
            yield f"| **`{prefix}{name}`** | | {_cell(value)} |"
            yield from _rows(value, values[name], f"{prefix}{name}.")
        else:
            yield f"| `{prefix}{name}` | `{json.dumps(values[name])}` | {_cell(value)} |"


def _cell(schema: Mapping[str, Any]) -> str:
    choices = f" One of {', '.join(f'`{each}`' for each in schema['enum'])}." if "enum" in schema else ""
    return f"{schema['description']}{choices}".replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
