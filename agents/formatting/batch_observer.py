"""Reports every call of a formatter to telemetry, the same way for the agent and for HTTP."""

from collections.abc import Sequence

from sluicegate.agents.formatting.formatting import BatchObserver, Result
from sluicegate.agents.telemetry import EventSpan, Telemetry


def format_batch_observer(telemetry: Telemetry, model: str) -> BatchObserver[EventSpan]:
    """The observer of the batches of the formatter whose version is `model`."""

    def observe(owners: Sequence[EventSpan], results: Sequence[Result], started_ns: int, ended_ns: int) -> None:
        telemetry.record_batch(
            owners,
            started_ns,
            ended_ns,
            model=model,
            input_tokens=sum(result.input_tokens for result in results),
            output_tokens=sum(result.output_tokens for result in results),
        )

    return observe
