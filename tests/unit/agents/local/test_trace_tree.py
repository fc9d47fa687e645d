"""A trace is drawn as a tree in the order of its events."""

import io

import pytest
from rich.console import Console

from sluicegate.agents.local.otlp_receiver import ReceivedSpan, Value
from sluicegate.agents.local.trace_tree import draw


def span(
    span_id: str,
    parent_id: str | None,
    name: str,
    start_ms: float,
    end_ms: float,
    failed: bool = False,
    **attributes: Value,
) -> ReceivedSpan:
    return ReceivedSpan(
        trace_id="t",
        span_id=span_id,
        parent_id=parent_id,
        name=name,
        kind="internal",
        service="sluicegate",
        start_ns=int(start_ms * 1e6),
        end_ns=int(end_ms * 1e6),
        attributes={name.replace("__", "."): value for name, value in attributes.items()},
        links=(),
        failed=failed,
    )


def drawn(*spans: ReceivedSpan) -> list[str]:
    console = Console(file=io.StringIO(), width=160, record=True)
    console.print(draw(spans))
    return [line.rstrip() for line in console.export_text().splitlines()]


PRODUCER = span("a", None, "publish queries.raw", 100, 102)
PROCESS = span("b", "a", "process queries.raw", 103, 123.4, sluicegate__verdict="allow", unshown="x")
MODEL = span("d", "b", "model", 106, 120, gen_ai__usage__input_tokens=17)
QUEUE = span("c", "b", "queue", 104, 106)


def test_a_trace_is_drawn_from_the_producer_down_in_order_of_time() -> None:
    assert drawn(MODEL, PROCESS, QUEUE, PRODUCER) == [
        "publish queries.raw  2.0 ms",
        "└── process queries.raw  20.4 ms  +3.0 ms  verdict=allow",
        "    ├── queue  2.0 ms  +4.0 ms",
        "    └── model  14.0 ms  +6.0 ms  input_tokens=17",
    ]


def test_without_the_producers_span_the_process_span_is_the_root() -> None:
    assert drawn(QUEUE, PROCESS)[0].startswith("process queries.raw  20.4 ms  verdict=allow")


def test_spans_with_a_missing_parent_become_children_of_the_root() -> None:
    lost = span("x", "never-arrived", "process queries.recall", 130, 131)
    assert drawn(PRODUCER, lost, PROCESS) == [
        "publish queries.raw  2.0 ms",
        "├── process queries.raw  20.4 ms  +3.0 ms  verdict=allow",
        "└── process queries.recall  1.0 ms  +30.0 ms",
    ]


def test_spans_that_claim_to_be_each_others_parent_end() -> None:
    assert drawn(span("a", "b", "one", 1, 2), span("b", "a", "two", 1, 2)) == [
        "one  1.0 ms",
        "└── two  1.0 ms  +0.0 ms",
    ]


def test_text_from_the_wire_is_never_markup() -> None:
    [line] = drawn(span("a", None, "[bold]name[/]", 0, 1, sluicegate__reason_codes=("[red]", "ok")))
    assert line == "[bold]name[/]  1.0 ms  reason_codes=[red],ok"


def test_drawing_no_spans_is_an_error() -> None:
    with pytest.raises(ValueError, match="no spans"):
        draw([])
