"""Every metric of a worker, with its unit and buckets. `Telemetry` records them."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.util.types import AttributeValue

from sluicegate.agents.telemetry import semconv
from sluicegate.agents.telemetry.histograms import CreatesHistograms

# The messaging conventions' buckets, with finer ones in front for stages that take microseconds.
_SECONDS = (1e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384)
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Tally:
    """A counter that costs one addition per event: the exporter's thread reads the sums. Only one thread may add."""

    def __init__(self, meter: Meter, name: str, description: str, *attributes: str) -> None:
        self._attributes = attributes
        self._sums: Counter[tuple[str, ...]] = Counter()
        meter.create_observable_counter(name, [self._observe], "{event}", description)

    def add(self, *values: str) -> None:
        """Count one event. `values` are those of the attributes, in their order."""
        self._sums[values] += 1

    def _observe(self, _: CallbackOptions) -> Iterator[Observation]:
        for values, events in self._sums.copy().items():
            yield Observation(events, dict(zip(self._attributes, values, strict=True)))


class Instruments:
    """The histograms and counters of one worker. The histograms are thread-safe."""

    def __init__(self, meter: Meter, histograms: CreatesHistograms) -> None:
        self._meter = meter
        self.process_duration = histograms.create_histogram(
            semconv.METRIC_PROCESS_DURATION,
            "s",
            "Time from taking an event from its topic to the acknowledgement of its last output.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.request_duration = histograms.create_histogram(
            semconv.METRIC_REQUEST_DURATION,
            "s",
            "Time from the head of an HTTP request to its answer.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.stage_duration = histograms.create_histogram(
            semconv.METRIC_STAGE_DURATION,
            "s",
            "Time that events wait for a batch and for the broker, and that batches take.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.batch_size = histograms.create_histogram(
            semconv.METRIC_BATCH_SIZE,
            "{query}",
            "Queries in one call of the model.",
            explicit_bucket_boundaries_advisory=_BATCH_SIZES,
        )
        self.token_usage = histograms.create_histogram(
            semconv.METRIC_TOKEN_USAGE,
            "{token}",
            "Tokens read and written by one call of the model.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self.verdicts = Tally(
            meter,
            semconv.METRIC_VERDICTS,
            "Events decided, by verdict and category.",
            semconv.VERDICT,
            semconv.CATEGORY,
        )
        self.deadletters = Tally(
            meter, semconv.METRIC_DEADLETTERS, "Events that became dead letters, by class of error.", semconv.ERROR_TYPE
        )
        self.answers = Tally(
            meter, semconv.METRIC_ANSWERS, "Events decided, by where the answer came from.", semconv.ANSWERED_BY
        )
        self.degraded = Tally(
            meter, semconv.METRIC_DEGRADED, "Events decided by policy without the model, by reason.", semconv.REASON
        )
        self.duplicates = Tally(
            meter, semconv.METRIC_DUPLICATES, "Events that were decided before: nothing was published for them."
        )

        self.chats = Tally(meter, semconv.METRIC_CHATS, "Chats behind the gate, by who answered.", semconv.SERVED_BY)
        self.upstream_duration = histograms.create_histogram(
            semconv.METRIC_UPSTREAM_DURATION,
            "s",
            "Time of each attempt to ask the upstream chat API, by what it failed with.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.upstream_json = Tally(
            meter,
            semconv.METRIC_UPSTREAM_JSON,
            "Answers of the upstream chat API that must follow a schema: valid, repaired or failed.",
            semconv.OUTCOME_OF_JSON,
        )

    def observe(self, *, queue_depth: Callable[[], int], events_in_flight: Callable[[], int]) -> None:
        """Report two levels with every export from now on."""
        watch_level(self._meter, semconv.METRIC_QUEUE_DEPTH, "{query}", "Queries that wait for a batch.", queue_depth)
        watch_level(
            self._meter,
            semconv.METRIC_EVENTS_IN_FLIGHT,
            "{event}",
            "Events taken and not yet acknowledged.",
            events_in_flight,
        )


def report_uptime(meter: Meter) -> None:
    """Report how long the process has run. It is always there: readers get nothing while there is no metric at all."""
    started = time.monotonic()
    watch_level(meter, semconv.METRIC_UPTIME, "s", "Time that the process has run.", lambda: time.monotonic() - started)


def watch_level(
    meter: Meter,
    name: str,
    unit: str,
    description: str,
    level: Callable[[], float],
    attributes: Mapping[str, AttributeValue] | None = None,
) -> None:
    """Report `level` with every export from now on."""

    def observe(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(level(), attributes)]

    meter.create_observable_gauge(name, [observe], unit, description)
