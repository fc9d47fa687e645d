"""The table of ``sluice up``: one row per sample query, filled in when its outcome arrives."""

from collections.abc import Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from sluicegate.agents.local.sample import SampleQuery

_OUTCOME_STYLE: Final = {"allowed": "green", "blocked": "red", "review": "yellow", "deadletter": "magenta"}
_COLUMNS: Final = {"kind": 3, "query": 7, "outcome": 3, "why": 4, "intent": 3, "rewrite": 7, "topics": 4}
_SECONDARY: Final = {"kind", "why"}
"""Columns that are left out on a terminal narrower than `_NARROW`."""
_NARROW: Final = 120
_WIDE: Final = 400
"""Columns from which on every cell is shown whole: no terminal is as wide, but a pipe is."""


def outcome_table(queries: Sequence[SampleQuery], width: int) -> Table:
    """The table for a terminal of `width` columns."""
    table = Table(box=None, padding=(0, 1), expand=width < _WIDE)
    shown = [heading for heading in _COLUMNS if width >= _NARROW or heading not in _SECONDARY]
    for heading in shown:
        table.add_column(heading, ratio=_COLUMNS[heading], no_wrap=True, overflow="ellipsis")
    table.add_column("ms", justify="right", no_wrap=True)
    for query in queries:
        cells = {"kind": query.kind, "query": _plain(query.text), "outcome": "…", **_outcome(query)}
        row = [cells.get(heading, "") for heading in (*shown, "ms")]
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return table


def _outcome(query: SampleQuery) -> dict[str, str | Text]:
    """The cells that need the query's ledger record; empty until it has arrived."""
    ledger = query.ledger
    if ledger is None:
        return {}
    decision = ledger["decision"] or {}
    event = query.events.get("recall") or query.events.get("review") or {}
    why = decision.get("category") or ""
    if decision and why:
        why += f" {decision['probabilities'].get(why, 0):.2f}"
    if ledger["outcome"] == "deadletter":
        why = ledger["validation"].partition(": ")[2]
    rewrite = event.get("lexical", "")
    return {
        "outcome": Text(ledger["outcome"], style=_OUTCOME_STYLE[ledger["outcome"]]),
        "why": why,
        "intent": event.get("intent", ""),
        "rewrite": rewrite if rewrite != query.text else "(kept)",
        "topics": ", ".join(position["topic"].removeprefix("queries.") for position in ledger["outputs"]),
        "ms": f"{ledger['latency_ms']['total']:.1f}",
    }


def _plain(text: str) -> str:
    """`text` with control characters made visible, so that the terminal does not obey them."""
    return "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in text)
