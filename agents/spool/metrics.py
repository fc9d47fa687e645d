"""The metrics of a spool."""

import sys
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from sluicegate.agents.spool.record import SpoolStatistics
from sluicegate.agents.spool.store import Spool
from sluicegate.schemas.errors import SpoolFailed

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation

_LEVELS: Final[tuple[tuple[str, str, str, Callable[[SpoolStatistics], float]], ...]] = (
    ("sluicegate.spool.records", "{record}", "Records that wait for a broker.", lambda found: found.records),
    ("sluicegate.spool.size", "By", "Bytes that these records take on disk.", lambda found: found.bytes),
    ("sluicegate.spool.age", "s", "Age of the oldest of them.", lambda found: found.oldest_age_s or 0),
    ("sluicegate.spool.dropped", "{record}", "Records that were dropped to make room.", lambda found: found.dropped),
)


def observe_spool(spool: Spool, meter: "Meter | None" = None) -> None:
    """Report the levels of `spool`, as long as it is in use.

    Without `meter`, to the meter provider that the process has configured, if it has imported OpenTelemetry's metrics.
    """
    if meter is None and "opentelemetry.metrics" not in sys.modules:
        return
    from opentelemetry.metrics import Observation, get_meter

    meter = meter or get_meter("sluicegate")
    watched = weakref.ref(spool)

    def callback(level: Callable[[SpoolStatistics], float]) -> "Callable[[CallbackOptions], Iterable[Observation]]":
        def observe(_: "CallbackOptions") -> "Iterable[Observation]":
            in_use = watched()
            if in_use is None:
                return []
            try:
                return [Observation(level(in_use.statistics()), {"sluicegate.spool.file": in_use.path.name})]
            except SpoolFailed:  # it is closed
                return []

        return observe

    for name, unit, description, level in _LEVELS:
        meter.create_observable_gauge(name, [callback(level)], unit, description)
    limit = spool.most_bytes
    meter.create_observable_gauge(
        "sluicegate.spool.limit", [callback(lambda _: limit)], "By", "Bytes that the records may take on disk."
    )
