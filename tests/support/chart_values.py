"""What is generated for the Helm chart: `python -m tests.support.chart_values` writes it.

The table of its values, from them and their schema, and the list of the settings that it knows.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from sluicegate.agents.settings import Settings
from sluicegate.agents.settings.variables import variable

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "sluicegate"
TABLE = ROOT / "docs" / "chart-values.md"
SETTINGS = CHART / "files" / "settings.txt"

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


def known_settings() -> str:
    """files/settings.txt of the chart: the variables that it accepts, one a line."""
    return "".join(f"{name}\n" for name in sorted(map(variable, Settings.model_fields)))


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
    TABLE.write_text(as_markdown())
    SETTINGS.write_text(known_settings())
