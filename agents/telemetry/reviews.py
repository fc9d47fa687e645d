"""Traces and metrics of reviews. `Telemetry` has one `ReviewTelemetry`.

process queries.review
├── review api:MODEL          CLIENT, one for each reviewer that is asked
└── publish
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from opentelemetry.metrics import Meter
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from sluicegate.agents.telemetry import semconv
from sluicegate.agents.telemetry.event_span import EventSpan, StageSpan
from sluicegate.agents.telemetry.instruments import Tally, watch_level

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 45.0)
_ANSWERED: Final = "answered"


class Question:
    """One question to a reviewer, while it is asked."""

    def __init__(self) -> None:
        self.result = _ANSWERED
        self.attributes: dict[str, AttributeValue] = {}

    def failed(self, reason: str) -> None:
        """The reviewer did not decide."""
        self.result = reason

    def decided(self, *, allow: bool, tokens: tuple[int, int]) -> None:
        """It did; `tokens` are those that it read and wrote."""
        self.attributes = {
            semconv.VERDICT: "allow" if allow else "block",
            semconv.GEN_AI_USAGE_INPUT_TOKENS: tokens[0],
            semconv.GEN_AI_USAGE_OUTPUT_TOKENS: tokens[1],
        }


class ReviewTelemetry:
    """Spans and metrics of reviews, and of the chat APIs that are asked. Use it on one event loop."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._duration = meter.create_histogram(
            semconv.METRIC_REVIEW_DURATION,
            "s",
            "Time that a reviewer was asked for, by result.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._decisions = Tally(
            meter,
            semconv.METRIC_REVIEW_DECISIONS,
            "Reviews decided, by who decided.",
            semconv.REVIEWER,
            semconv.VERDICT,
        )
        self._fallbacks = Tally(
            meter, semconv.METRIC_REVIEW_FALLBACKS, "Reviews that no reviewer answered in time.", semconv.FALLBACK
        )
        self._checked = Tally(
            meter,
            semconv.METRIC_REVIEW_CHECKED,
            "Decisions that people checked, by category, by who decided first, and by result.",
            semconv.CATEGORY,
            semconv.FIRST_DECISION,
            semconv.RESULT,
        )
        self._attempts = meter.create_counter(
            semconv.METRIC_UPSTREAM_ATTEMPTS, "{request}", "Requests to a chat API, by result."
        )
        self._cost = meter.create_counter(semconv.METRIC_UPSTREAM_COST, "", "What the answers of a chat API cost.")
        self._tokens = meter.create_counter(
            semconv.METRIC_UPSTREAM_TOKENS, "{token}", "Tokens that a chat API counted, read and written."
        )

    @contextmanager
    def question(self, event: EventSpan, *, kind: str, name: str) -> Iterator[Question]:
        """One reviewer is asked about one event, in the block."""
        question = Question()
        started_ns = time.time_ns()
        try:
            yield question
        finally:
            ended_ns = max(started_ns, time.time_ns())
            self._duration.record(
                (ended_ns - started_ns) / 1e9, {semconv.REVIEWER: kind, semconv.RESULT: question.result}
            )
            if event.recording:
                event.stages.append(
                    StageSpan(
                        name=semconv.SPAN_REVIEW,
                        start_ns=started_ns,
                        end_ns=ended_ns,
                        attributes={semconv.REVIEWER: name, semconv.RESULT: question.result, **question.attributes},
                        kind=SpanKind.CLIENT,
                        failed=question.result != _ANSWERED,
                    )
                )

    def decided(self, kind: str, *, allow: bool) -> None:
        """Count a ruling; `kind` is that of the reviewer, or `policy`."""
        self._decisions.add(kind, "allow" if allow else "block")

    def fell_back(self, fallback: str) -> None:
        """Count an event that no reviewer answered."""
        self._fallbacks.add(fallback)

    def checked(self, category: str, by: str, *, upheld: bool) -> None:
        """Count a first decision, of `by`, that people have upheld or overturned."""
        self._checked.add(category, by, "upheld" if upheld else "overturned")

    def observe_waiting(self, waiting: Callable[[], int]) -> None:
        """Report how many events wait for people, from now on."""
        watch_level(self._meter, semconv.METRIC_REVIEW_WAITING, "{event}", "Events that wait for people.", waiting)

    def observe_held(self, held: Callable[[], int]) -> None:
        """Report how many events are held, from now on."""
        watch_level(
            self._meter, semconv.METRIC_REVIEW_HELD, "{event}", "Events that are held until a reviewer answers.", held
        )

    def attempted(self, upstream: str, result: str) -> None:
        """Count a request to a chat API."""
        self._attempts.add(1, {semconv.UPSTREAM: upstream, semconv.RESULT: result})

    def paid(self, upstream: str, input_tokens: int, output_tokens: int, cost: float) -> None:
        """Count what an answer cost."""
        self._cost.add(cost, {semconv.UPSTREAM: upstream})
        for kind, tokens in (
            (semconv.GEN_AI_TOKEN_TYPE_INPUT, input_tokens),
            (semconv.GEN_AI_TOKEN_TYPE_OUTPUT, output_tokens),
        ):
            self._tokens.add(tokens, {semconv.UPSTREAM: upstream, semconv.GEN_AI_TOKEN_TYPE: kind})

    def observe_upstream(
        self,
        upstream: str,
        *,
        circuit: Callable[[], int],
        budget_left: Callable[[], float] | None,
        cost_per_1000: Callable[[], float],
    ) -> None:
        """Report the levels of a chat API, from now on."""
        of_upstream = {semconv.UPSTREAM: upstream}
        watch = partial(watch_level, self._meter, attributes=of_upstream)
        watch(semconv.METRIC_UPSTREAM_CIRCUIT, "", "Circuit breaker: 0 closed, 1 half-open, 2 open.", circuit)
        watch(semconv.METRIC_UPSTREAM_COST_PER_1000, "", "What 1,000 answers cost, on average.", cost_per_1000)
        if budget_left:
            watch(semconv.METRIC_UPSTREAM_BUDGET_LEFT, "", "Share of the day's budget that is left.", budget_left)
