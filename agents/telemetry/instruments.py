"""Every metric that a worker keeps, with its unit and buckets. `Telemetry` writes to them."""

from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from agents.telemetry import semconv

# The messaging conventions' buckets, with finer ones in front for stages that take microseconds.
_SECONDS = (1e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384)
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Instruments:
    """The histograms and counters made from one meter. Thread-safe, as all OpenTelemetry instruments are."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.process_duration = meter.create_histogram(
            semconv.METRIC_PROCESS_DURATION,
            "s",
            "Time from taking an event from its topic to the acknowledgement of its last output.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.stage_duration = meter.create_histogram(
            semconv.METRIC_STAGE_DURATION,
            "s",
            "Time that events spend in each stage.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.batch_size = meter.create_histogram(
            semconv.METRIC_BATCH_SIZE,
            "{query}",
            "Queries in one call of the model.",
            explicit_bucket_boundaries_advisory=_BATCH_SIZES,
        )
        self.token_usage = meter.create_histogram(
            semconv.METRIC_TOKEN_USAGE,
            "{token}",
            "Tokens read and written by the model for one event.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self.verdicts = meter.create_counter(
            semconv.METRIC_VERDICTS, "{event}", "Events decided, by verdict and category."
        )
        self.deadletters = meter.create_counter(
            semconv.METRIC_DEADLETTERS, "{event}", "Events that became dead letters, by class of error."
        )
        self.answers = meter.create_counter(
            semconv.METRIC_ANSWERS, "{event}", "Events decided, by where the answer came from."
        )
        self.degraded = meter.create_counter(
            semconv.METRIC_DEGRADED, "{event}", "Events decided by policy without the model, by reason."
        )
        self.duplicates = meter.create_counter(
            semconv.METRIC_DUPLICATES, "{event}", "Events that had been decided before: nothing was published for them."
        )

    def observe(self, *, queue_depth: Callable[[], int], events_in_flight: Callable[[], int]) -> None:
        """Report two levels with every export from now on."""
        self._watch(semconv.METRIC_QUEUE_DEPTH, "{query}", "Queries that wait for a batch.", queue_depth)
        self._watch(
            semconv.METRIC_EVENTS_IN_FLIGHT, "{event}", "Events taken and not yet acknowledged.", events_in_flight
        )

    def _watch(self, name: str, unit: str, description: str, level: Callable[[], int]) -> None:
        def callback(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(level())]

        self._meter.create_observable_gauge(name, [callback], unit, description)
