"""The names in spans and metrics, held against the released list of OpenTelemetry's conventions."""

import ast
import importlib
import inspect
import time
from collections.abc import Iterator
from types import ModuleType

import pytest

from sluicegate.agents.local.otlp_receiver import OtlpReceiver
from sluicegate.agents.telemetry import Outcome, Telemetry, semconv

MODULES = [
    importlib.import_module(f"opentelemetry.semconv.{name}")
    for name in (
        "_incubating.attributes.messaging_attributes",
        "_incubating.attributes.gen_ai_attributes",
        "_incubating.attributes.service_attributes",
        "_incubating.metrics.messaging_metrics",
        "_incubating.metrics.gen_ai_metrics",
        "_incubating.metrics.process_metrics",
        "attributes.error_attributes",
        "attributes.http_attributes",
        "attributes.service_attributes",
        "metrics.http_metrics",
    )
]
MOVED = "Moved to the [OpenTelemetry GenAI semantic conventions repository]"
"""What the list says of every `gen_ai.*` name: they keep their meaning, and have no other released list yet."""


def documented(module: ModuleType) -> Iterator[tuple[str, str]]:
    """The names in `module`, each with what the list says of it."""
    body = ast.parse(inspect.getsource(module)).body
    for statement, following in zip(body, [*body[1:], None], strict=True):
        match statement, following:
            case ast.AnnAssign(value=ast.Constant(value=str(name))), ast.Expr(value=ast.Constant(value=str(said))):
                yield name, said.strip()
            case ast.AnnAssign(value=ast.Constant(value=str(name))), _:
                yield name, ""


RELEASED = {name: said for module in MODULES for name, said in documented(module)}
OURS = {value for name, value in vars(semconv).items() if name.isupper() and "." in value} - {semconv.SCHEMA_URL}


def is_released(name: str) -> bool:
    return name in RELEASED or name.startswith("sluicegate.")


def test_every_name_that_is_not_ours_is_in_the_released_list_and_not_deprecated() -> None:
    assert not [name for name in OURS if not is_released(name)]
    deprecated = {name: RELEASED.get(name, "").removeprefix("Deprecated: ") for name in OURS}
    said = {name: text for name, text in deprecated.items() if text != RELEASED.get(name, "")}
    assert [name for name, text in said.items() if not text.startswith(MOVED)] == []


def test_the_schema_that_spans_and_metrics_name_is_a_released_one() -> None:
    schemas = importlib.import_module("opentelemetry.semconv.schemas").Schemas
    assert semconv.SCHEMA_URL in {schema.value for schema in schemas}


@pytest.mark.parametrize(
    ("values", "ours"),
    [
        ("MessagingSystemValues", [semconv.MESSAGING_SYSTEM_KAFKA]),
        (
            "MessagingOperationTypeValues",
            [semconv.MESSAGING_OPERATION_TYPE_PROCESS, semconv.MESSAGING_OPERATION_TYPE_SEND],
        ),
        ("GenAiOperationNameValues", [semconv.GEN_AI_OPERATION_CHAT]),
        ("GenAiTokenTypeValues", [semconv.GEN_AI_TOKEN_TYPE_INPUT, semconv.GEN_AI_TOKEN_TYPE_OUTPUT]),
    ],
)
def test_values_are_those_of_the_released_list(values: str, ours: list[str]) -> None:
    [released] = [vars(module)[values] for module in MODULES if values in vars(module)]
    assert set(ours) <= {value.value for value in released}


def test_what_is_exported_has_no_other_names() -> None:
    now = time.time_ns()
    with OtlpReceiver() as receiver:
        telemetry = Telemetry.start(
            otlp_endpoint=receiver.endpoint, sample_ratio=1, service_version="1", instance_id="test"
        )
        with telemetry.process_span(
            telemetry.extract([]), topic="queries.raw", partition=0, offset=1, group="gate", body_size=1
        ) as event:
            telemetry.record_stage(event, "queue", now, now + 1)
            telemetry.record_model(event, now, now + 1, model="m", input_tokens=1, output_tokens=1)
            telemetry.record_batch([event], now, now + 1, model="m", input_tokens=1, output_tokens=1)
            with telemetry.publish_span(event, ["queries.recall"]):
                pass
            telemetry.record(event, Outcome(event_id="e", duration_s=1, verdict="allow", answered_by="model"))
        with telemetry.requests.span(telemetry.extract([]), method="POST", route="/v1/gate") as request:
            telemetry.requests.record(request, method="POST", status=500, duration_s=1, error="failed")
        telemetry.shutdown(5)
        spans = receiver.spans()
        attributes = {name for span in spans for name in span.attributes}
        for name in OURS:
            attributes |= {key for point in receiver.points(name) for key in point.attributes}
    assert {span.name for span in spans} >= {"process queries.raw", "model", "publish", "POST /v1/gate"}
    assert len(attributes) > 20
    assert not [name for name in attributes if not is_released(name)]
