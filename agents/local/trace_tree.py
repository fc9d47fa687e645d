"""A trace as a tree for the terminal: what happened, when, and how long it took."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from rich.text import Text
from rich.tree import Tree

from sluicegate.agents.local.otlp_receiver import ReceivedSpan, Value
from sluicegate.agents.telemetry import semconv
from sluicegate.agents.telemetry.otlp_export import SERVICE

_SHOWN = {
    semconv.MESSAGING_DESTINATION_PARTITION_ID: "partition",
    semconv.MESSAGING_KAFKA_OFFSET: "offset",
    semconv.TOPICS: "topics",
    semconv.VERDICT: "verdict",
    semconv.CATEGORY: "category",
    semconv.INTENT: "intent",
    semconv.REASON_CODES: "reason_codes",
    semconv.DEGRADED: "degraded",
    semconv.BATCH_SIZE: "batch_size",
    semconv.GEN_AI_REQUEST_MODEL: "model",
    semconv.GEN_AI_USAGE_INPUT_TOKENS: "input_tokens",
    semconv.GEN_AI_USAGE_OUTPUT_TOKENS: "output_tokens",
    semconv.ERROR_TYPE: "error",
}
"""The attributes that a span's line shows, and their short names."""


def draw(spans: Sequence[ReceivedSpan]) -> Tree:
    """Draw the spans of one trace: names, durations, offsets from the root's start, and the main attributes.

    The root is the span without a parent. If there is none, because the producer's span went to another collector, it
    is the earliest span whose parent is missing. Other spans whose parent is missing become children of the root.
    Children are in order of their start.

    Raises:
        ValueError: there are no spans.
    """
    if not spans:
        raise ValueError("no spans to draw: wait until the trace has arrived")
    by_id = {span.span_id: span for span in sorted(spans, key=lambda span: span.start_ns)}
    root = min(by_id.values(), key=lambda span: (span.parent_id is not None, span.parent_id in by_id, span.start_ns))
    children: dict[str, list[ReceivedSpan]] = defaultdict(list)
    for span in by_id.values():
        if span is not root:
            parent = span.parent_id if span.parent_id in by_id else None
            children[parent or root.span_id].append(span)
    tree = Tree(_line(root, root))
    _grow(tree, root, root, children)
    return tree


def _grow(branch: Tree, span: ReceivedSpan, root: ReceivedSpan, children: Mapping[str, Sequence[ReceivedSpan]]) -> None:
    for child in children.get(span.span_id, ()):
        _grow(branch.add(_line(child, root)), child, root, children)


def _line(span: ReceivedSpan, root: ReceivedSpan) -> Text:
    """One span's line, as plain text: names and attributes are not interpreted as markup."""
    line = Text(span.name, style="bold red" if span.failed else "bold")
    if span.service and span.service != SERVICE:
        line.append(f"  {span.service}", style="italic")
    line.append(f"  {_ms(span.end_ns - span.start_ns)}", style="cyan")
    if span is not root:
        line.append(f"  +{_ms(span.start_ns - root.start_ns)}", style="dim")
    for name, label in _SHOWN.items():
        if name in span.attributes:
            line.append(f"  {label}=", style="dim")
            line.append(_show(span.attributes[name]))
    return line


def _show(value: Value) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _ms(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:.1f} ms"
