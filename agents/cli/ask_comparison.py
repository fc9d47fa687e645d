"""The decisions of several models about one query, side by side."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text

from sluicegate.agents.cli.ask_report import STYLES, report_console
from sluicegate.agents.cli.visible_text import visible
from sluicegate.decision import GateDecision


def print_comparison(query: str, decisions: Sequence[GateDecision]) -> None:
    """Print a table with a column per model. What differs between the models is bold."""
    console = report_console()
    console.print(visible(query))
    columns = [Column(visible(decision.model_version), overflow="fold") for decision in decisions]
    table = Table(Column("", style="dim", overflow="fold"), *columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    _add(table, "verdict", [Text(each.verdict, STYLES.get(each.verdict, "")) for each in decisions])
    _add(table, "reason", [visible(each.reason) for each in decisions])
    if any(each.second for each in decisions):
        _add(table, "second model", [_second(each) for each in decisions])
    _add(table, "search for", [visible(each.lexical or "nothing") for each in decisions])
    _add(table, "did you mean", [_suggestions(each) for each in decisions])
    _add(table, "intent", [visible(each.intent or "") for each in decisions])
    for label in dict.fromkeys(label for each in decisions for label in each.probabilities):
        _add(table, label, [_probability(each, label) for each in decisions])
    table.add_row("time", *(f"{each.latency_ms:.1f} ms" for each in decisions))
    table.add_row("tokens", *(f"{each.tokens.input} read, {each.tokens.output} written" for each in decisions))
    console.print(table)


def _add(table: Table, label: str, cells: Sequence[Text]) -> None:
    if len({cell.plain for cell in cells}) > 1:
        for cell in cells:
            cell.stylize("bold")
    table.add_row(label, *cells)


def _second(decision: GateDecision) -> Text:
    second = decision.second
    return Text((second.verdict or second.outcome) if second else "not asked")


def _suggestions(decision: GateDecision) -> Text:
    return visible(", ".join(f"{each.text} ({each.probability:.2f})" for each in decision.suggestions))


def _probability(decision: GateDecision, label: str) -> Text:
    probability, threshold = decision.probabilities.get(label), decision.thresholds.get(label)
    if probability is None:
        return Text("")
    if threshold is None or probability < threshold.allow:
        return Text(f"{probability:.3f}")
    verdict = "block" if probability >= threshold.block else "review"
    return Text(f"{probability:.3f} {verdict}", STYLES[verdict])
