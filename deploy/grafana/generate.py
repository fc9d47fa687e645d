"""Writes the dashboards that dashboards.toml describes, as Grafana's JSON: ``python deploy/grafana/generate.py``."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
EVENTS = 'job=~".*sluicegate.*"'
"""What `{events}` stands for: other services of the same Prometheus may use the same conventions."""

_ROW_HEIGHT = 8
_COLUMNS = 24
_TYPES = {"graph": "timeseries", "stat": "stat", "traces": "table"}
_PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
_JAEGER = {"type": "jaeger", "uid": "jaeger"}


def dashboards() -> Iterator[tuple[Path, str]]:
    """Each dashboard's file, and what belongs in it."""
    described = tomllib.loads((HERE / "dashboards.toml").read_text())["dashboard"]
    for dashboard in described:
        document = _dashboard(dashboard)
        yield HERE / "dashboards" / f"{dashboard['file']}.json", f"{json.dumps(document, indent=1)}\n"


def _dashboard(described: Mapping[str, Any]) -> dict[str, Any]:
    jaeger = {"title": "Jaeger", "type": "link", "url": "http://localhost:16686/search?service=sluicegate"}
    others = {"title": "Sluicegate", "type": "dashboards", "tags": ["sluicegate"], "asDropdown": False}
    return {
        "uid": f"sluicegate-{described['file']}",
        "title": described["title"],
        "description": described["description"],
        "tags": ["sluicegate"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "timezone": "browser",
        "links": [others, jaeger | {"icon": "external link", "targetBlank": True}],
        "annotations": {"list": []},
        "templating": {"list": []},
        "panels": list(_panels(described["row"])),
    }


def _panels(rows: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows below each other; within one, panels from left to right."""
    number, y = 0, 0
    for row in rows:
        number, x = number + 1, 0
        place = {"h": 1, "w": _COLUMNS, "x": 0, "y": y}
        yield {"id": number, "type": "row", "title": row["title"], "collapsed": False, "gridPos": place, "panels": []}
        y += 1
        for panel in row["panel"]:
            number, width = number + 1, panel.get("width", 8)
            if x + width > _COLUMNS:
                x, y = 0, y + _ROW_HEIGHT
            place = {"h": _ROW_HEIGHT, "w": width, "x": x, "y": y}
            yield {"id": number, "gridPos": place, **_panel(panel)}
            x += width
        y += _ROW_HEIGHT


def _panel(described: Mapping[str, Any]) -> dict[str, Any]:
    kind = described.get("type", "graph")
    source = _JAEGER if kind == "traces" else _PROMETHEUS
    if kind == "traces":
        targets = [{"refId": "A", "datasource": source, "queryType": "search", "service": "sluicegate", "limit": 20}]
    else:
        targets = [
            {
                "refId": chr(ord("A") + place),
                "datasource": source,
                "expr": query["expr"].replace("{events}", EVENTS),
                "legendFormat": query["legend"],
            }
            for place, query in enumerate(described["queries"])
        ]
    return {
        "type": _TYPES[kind],
        "title": described["title"],
        "description": described["description"],
        "datasource": source,
        "fieldConfig": {"defaults": _defaults(described, kind), "overrides": []},
        "options": _options(kind),
        "targets": targets,
    }


def _defaults(described: Mapping[str, Any], kind: str) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": described["unit"]}
    if kind == "graph":
        stacked = described.get("stacked", False)
        custom: dict[str, Any] = {"lineWidth": 1, "fillOpacity": 60 if stacked else 10, "showPoints": "never"}
        if stacked:
            custom["stacking"] = {"mode": "normal", "group": "A"}
        defaults |= {"min": 0, "custom": custom}
        if described["unit"] == "percentunit":
            defaults["max"] = 1
    return defaults


def _options(kind: str) -> dict[str, Any]:
    match kind:
        case "graph":
            legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
            return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
        case "stat":
            return {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"}
        case _:
            return {"showHeader": True}


if __name__ == "__main__":
    for file, text in dashboards():
        file.write_text(text)
