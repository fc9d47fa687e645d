"""Reports the second model to telemetry, the same way for every way in."""

from typing import Final

from sluicegate.agents.breaker import Circuit
from sluicegate.agents.deciding.decision import Decision, SecondOpinion
from sluicegate.agents.deciding.second_model import SecondModel
from sluicegate.agents.telemetry import EventSpan, Telemetry
from sluicegate.agents.telemetry.second_model import SecondAsked

_LEVELS: Final = {Circuit.CLOSED: 0, Circuit.HALF_OPEN: 1, Circuit.OPEN: 2}


def report_second(telemetry: Telemetry, span: EventSpan, decision: Decision) -> None:
    """Report what the second model said about the event of `span`, if it was asked."""
    if decision.second is None:
        return
    for batched in decision.second.batches:
        telemetry.record_stage(span, "second.queue", batched.queued_ns, batched.started_ns)
    telemetry.second.record(span, asked_of(decision.second))


def asked_of(opinion: SecondOpinion) -> SecondAsked:
    """The question behind `opinion`, for a span and for metrics."""
    return SecondAsked(
        model=opinion.model_version,
        asked_for=opinion.asked_for.value,
        result=opinion.outcome,
        screened=opinion.screened.verdict.value,
        verdict=opinion.verdict.value if opinion.verdict else None,
        started_ns=opinion.started_ns,
        ended_ns=opinion.ended_ns,
        input_tokens=opinion.tokens.input,
        output_tokens=opinion.tokens.output,
    )


def observe_second(telemetry: Telemetry, second: SecondModel[EventSpan] | None) -> None:
    """Report how many events wait for the second model, and whether it is asked, from now on."""
    if second:
        telemetry.second.observe(waiting=lambda: second.waiting, circuit=lambda: _LEVELS[second.circuit])
