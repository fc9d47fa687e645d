"""Traces and metrics of the second model. `Telemetry` has one `SecondTelemetry`.

process queries.raw
└── second                    from the screen's verdict to the second model's, with gen_ai.* attributes
"""

from collections.abc import Callable
from typing import Final

import msgspec
from opentelemetry.metrics import Meter
from opentelemetry.util.types import AttributeValue

from sluicegate.agents.telemetry import semconv
from sluicegate.agents.telemetry.event_span import EventSpan, StageSpan
from sluicegate.agents.telemetry.instruments import Tally, watch_level

_ANSWERED: Final = "answered"
_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)


class SecondAsked(msgspec.Struct, frozen=True, kw_only=True):
    """One question to the second model. Labels and numbers only: no text of the query."""

    model: str
    asked_for: str
    result: str
    """`answered`, `overloaded` or `failed`."""
    screened: str
    """The verdict of the screen alone."""
    verdict: str | None
    """The second model's; None if it did not answer."""
    started_ns: int
    ended_ns: int
    input_tokens: int
    output_tokens: int

    @property
    def attributes(self) -> dict[str, AttributeValue]:
        """Of its span."""
        return {
            semconv.GEN_AI_OPERATION_NAME: semconv.GEN_AI_OPERATION_CHAT,
            semconv.GEN_AI_PROVIDER_NAME: semconv.GEN_AI_PROVIDER_CTRANSLATE2,
            semconv.GEN_AI_REQUEST_MODEL: self.model,
            semconv.GEN_AI_USAGE_INPUT_TOKENS: self.input_tokens,
            semconv.GEN_AI_USAGE_OUTPUT_TOKENS: self.output_tokens,
            semconv.ASKED_FOR: self.asked_for,
            semconv.RESULT: self.result,
            semconv.SCREENED: self.screened,
            **({semconv.VERDICT: self.verdict} if self.verdict else {}),
        }


class SecondTelemetry:
    """Spans and metrics of the second model. Use it on one event loop."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._outcomes = Tally(
            meter,
            semconv.METRIC_SECOND_OUTCOMES,
            "Queries that the second model was asked about, by its verdict or by why it gave none, by why it was "
            "asked, and by the verdict of the first model.",
            semconv.SECOND_OUTCOME,
            semconv.ASKED_FOR,
            semconv.SCREENED,
        )
        self._duration = meter.create_histogram(
            semconv.METRIC_SECOND_DURATION,
            "s",
            "Time from the screen's verdict to the second model's, by result.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )

    def record(self, event: EventSpan, asked: SecondAsked) -> None:
        """Report a question that has ended: its metrics, and a child span if the event is sampled."""
        self._outcomes.add(asked.verdict or asked.result, asked.asked_for, asked.screened)
        ended_ns = max(asked.started_ns, asked.ended_ns)
        self._duration.record((ended_ns - asked.started_ns) / 1e9, {semconv.RESULT: asked.result})
        if event.recording:
            event.stages.append(
                StageSpan(
                    name=semconv.SPAN_SECOND,
                    start_ns=asked.started_ns,
                    end_ns=ended_ns,
                    attributes=asked.attributes,
                    failed=asked.result != _ANSWERED,
                )
            )

    def observe(self, *, waiting: Callable[[], int], circuit: Callable[[], int]) -> None:
        """Report two levels from now on. Both callbacks run on the exporter's thread, so they must only read."""
        watch_level(
            self._meter, semconv.METRIC_SECOND_WAITING, "{event}", "Events that wait for the second model.", waiting
        )
        watch_level(
            self._meter,
            semconv.METRIC_SECOND_CIRCUIT,
            "",
            "Whether the second model is asked: 0 yes, 1 with one question at a time, 2 no.",
            circuit,
        )
