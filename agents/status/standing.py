"""How a process is, as it says of itself: the status page adds what its metrics say."""

import msgspec

from sluicegate.agents.status.snapshot import Notice
from sluicegate.agents.telemetry.levels import PartitionLag


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One moment of a process."""

    state: str
    """`Ready`, or why not, in a few words."""
    notices: tuple[Notice, ...]
    """From the same conditions as the probes."""
    models: str
    policy: str
    in_flight: int
    oldest_event_s: float = 0.0
    """For how long the oldest event has been in flight; 0 without any."""
    model_busy_s: float = 0.0
    """For how long the model's present call has run; 0 without one."""
    event_age_s: float | None = None
    """How old the last event was when it was taken from its topic."""
    lags: tuple[PartitionLag, ...] = ()
