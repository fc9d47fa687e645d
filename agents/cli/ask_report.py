"""One decision on a terminal, from 40 columns on, or as plain text in a pipe."""

import sys
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from rich.console import Console
from rich.text import Text

from sluicegate.agents.cli.probability_bars import bars
from sluicegate.agents.cli.visible_text import mark_characters, mark_words, visible
from sluicegate.agents.explanation import explain_decision, why_second_was_not_asked
from sluicegate.decision import GateDecision
from sluicegate.schemas.events import DecisionTrace, SecondTrace
from sluicegate.schemas.reason_codes import meaning_of

STYLES: Final = {"allow": "green", "review": "yellow", "block": "red"}
"""The colour of each verdict."""

_WIDEST: Final = 100
_LABEL: Final = len("did you mean  ")
_ASKED: Final = {
    "review": "the first model would send the query to review",
    "block": "the first model would block it, for a category that needs both",
    "readings": "the first model would block it, but not as it was typed",
    "sample": "it is in the sample that compares the models",
}
"""By `asked_for` of the second model."""
_LONGEST_SHOWN: Final = 600
"""Characters of the query and of each reading that are shown."""


def report_console() -> Console:
    """The console for reports: at most 100 columns, and characters that the output cannot encode are replaced."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False, emoji=False, markup=False)
    console.width = min(console.width, _WIDEST)
    return console


Fact: TypeAlias = tuple[str, Text]
"""A label and what it is about. Several facts in a row may share one: the label of the others is empty."""


def print_report(query: str, decision: GateDecision, *, has_second: bool) -> None:
    """Print what was decided about `query`, as the user typed it, and why. `has_second`: there is a second model."""
    console = report_console()
    plain = console.color_system is None or console.no_color
    print_facts(console, [("", headline_of(decision))], indent=0)
    console.print()
    print_facts(console, [*_cleaning(query, decision, plain=plain), *rewrite_facts(decision, plain=plain)])
    if decision.probabilities:
        ascii_only = console.options.ascii_only
        console.print()
        if decision.second:
            console.print(Text("What the first model said:"))
        console.print(bars(decision.probabilities, decision.thresholds, console.width, ascii_only=ascii_only))
    second = [*second_facts(decision.second)]
    if has_second and not second:
        second = [("second model", visible(f"not asked: {why_second_was_not_asked(decision)}"))]
    console.print()
    print_facts(console, [*_readings(decision), *second, *reason_facts(decision), *_measurements(decision)])


def print_facts(console: Console, facts: Iterable[Fact], indent: int = _LABEL) -> None:
    """Print each fact behind its label, wrapped to the console's width."""
    for label, value in facts:
        for number, line in enumerate(value.wrap(console, console.width - indent, overflow="fold")):
            line.rstrip()
            console.print(Text.assemble((("" if number else label).ljust(indent), "dim"), line))


def headline_of(decision: GateDecision | DecisionTrace) -> Text:
    """The verdict and the rule behind it, in one sentence."""
    said = explain_decision(decision)
    headline = visible(said)
    end = min((at for at in (said.find(":"), said.find("."), said.find(" (")) if at > 0), default=len(said))
    headline.stylize(f"bold {STYLES[decision.verdict]}", 0, end)
    return headline


def _cleaning(query: str, decision: GateDecision, *, plain: bool) -> Iterator[Fact]:
    if query == decision.query:
        yield "query", visible(_shortened(query))
        return
    yield "typed", visible(_shortened(query))
    yield "read as", visible(_shortened(decision.query))
    changes = mark_characters(query, decision.query, plain=plain)
    if len(changes) <= _LONGEST_SHOWN:
        yield "changed", changes


def rewrite_facts(decision: GateDecision, *, plain: bool) -> Iterator[Fact]:
    """What would be searched for in place of the query, and what the query asks for."""
    if decision.lexical is None:
        yield "search for", Text("nothing: the query is blocked")
        return
    if decision.lexical == decision.query:
        yield "search for", Text("the query as it is")
    else:
        yield "corrected", mark_words(decision.query, decision.lexical, plain=plain)
        yield "search for", visible(decision.lexical)
    if decision.semantic and decision.semantic != decision.lexical:
        yield "embed", visible(decision.semantic)
    if decision.suggestions:
        yield (
            "did you mean",
            visible(", ".join(f"{each.text} ({each.probability:.2f})" for each in decision.suggestions)),
        )
    if decision.intent:
        yield "intent", visible(decision.intent)
    for label, values in (("synonyms", decision.synonyms), ("facets", decision.facets)):
        if values:
            yield label, visible(", ".join(values))


def _readings(decision: GateDecision) -> Iterator[Fact]:
    if len(decision.readings) > 1:
        for number, reading in enumerate(decision.readings):
            line = Text.assemble((reading.verdict, STYLES[reading.verdict]), f"  {reading.name}: ")
            yield "" if number else "readings", line.append_text(visible(_shortened(reading.text)))


def second_facts(second: SecondTrace | None) -> Iterator[Fact]:
    """What the second model said, and why it was asked. Nothing if it was not."""
    if second is None:
        return
    said = second.verdict or second.outcome
    line = Text.assemble((said, STYLES.get(said, "")), f", by {second.reason}" if second.reason else "")
    yield "second model", line if second.verdict else line.append_text(visible(f" ({second.error})"))
    waited = f" in {second.queue_ms:.1f} + {second.model_ms:.1f} ms" if second.queue_ms and second.model_ms else ""
    tokens = f"{second.tokens.input} tokens read, {second.tokens.output} written"
    yield "", visible(f"{second.model_version}{waited}, {tokens}")
    for reading in second.readings[1:] and second.readings:
        yield "", Text.assemble((reading.verdict, STYLES[reading.verdict]), f"  {reading.name}: {reading.reason}")
    yield "asked because", visible(f"{_ASKED.get(second.asked_for, second.asked_for)} ({second.screened_reason})")


def reason_facts(decision: GateDecision) -> Iterator[Fact]:
    """Each reason code with its meaning."""
    for number, code in enumerate(decision.reason_codes):
        yield "" if number else "reasons", visible(code).append(f"  {meaning_of(code) or ''}", style="dim")


def _measurements(decision: GateDecision) -> Iterator[Fact]:
    stages = decision.stages_ms
    parts = [("cleaning", stages.normalise), ("queue", stages.queue), ("model", stages.model)]
    detail = ", ".join(f"{name} {ms:.1f}" for name, ms in parts if ms is not None)
    yield "time", Text(f"{decision.latency_ms:.1f} ms: {detail}")
    yield "tokens", Text(f"{decision.tokens.input} read, {decision.tokens.output} written")
    yield "model", visible(decision.model_version)
    yield "policy", visible(decision.policy_version)


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_SHOWN:
        return text
    return f"{text[:_LONGEST_SHOWN]} … ({len(text)} characters)"
