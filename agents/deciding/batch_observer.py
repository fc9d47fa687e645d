"""Reports every call of a model to telemetry, the same way for the worker and for HTTP."""

from collections.abc import Sequence

from sluicegate.agents.deciding.decider import BatchObserver
from sluicegate.agents.deciding.live_models import BatchObservers
from sluicegate.agents.telemetry import EventSpan, Telemetry
from sluicegate.models.inference.judge import ModelResult


def batch_observers(telemetry: Telemetry) -> BatchObservers[EventSpan]:
    """A function that makes the observer of a model's batches from the model's version."""

    def observer_of(model: str, *, second: bool = False) -> BatchObserver[EventSpan]:
        def observe_batch(
            owners: Sequence[EventSpan], model_results: Sequence[ModelResult], started_ns: int, ended_ns: int
        ) -> None:
            telemetry.record_batch(
                owners,
                started_ns,
                ended_ns,
                model=model,
                second=second,
                input_tokens=sum(model_result.input_tokens for model_result in model_results),
                output_tokens=sum(model_result.output_tokens for model_result in model_results),
            )

        return observe_batch

    return observer_of
