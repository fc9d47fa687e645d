"""What a worker knows about itself at one moment. `agents.process.health` judges it."""

import msgspec

from sluicegate.agents.telemetry.levels import PartitionLag


class WorkerState(msgspec.Struct, frozen=True, kw_only=True):
    """Safe to log: it holds numbers and versions, and of text from outside only
    what is wrong with the owner's own policy file.
    """

    in_flight: int
    """Events taken from Kafka and not yet acknowledged."""
    oldest_event_s: float
    """For how long the oldest of them has been in flight; 0 without any."""
    commit_late_s: float
    """For how long Kafka has not confirmed a commit that is due; 0 if none is."""
    silent_s: float
    """For how long the group's coordinator has confirmed no heartbeat."""
    lags: tuple[PartitionLag, ...] = ()
    """The lag of each of its partitions."""
    event_age_s: float | None = None
    """How old the last event was when it was taken from Kafka; None before the first."""
    model_busy_s: float = 0.0
    """For how long the model's present call has run; 0 without one."""
    models: str | None
    """The versions in service; None until they are loaded."""
    policy: str | None = None
    """The policies in service; None without a policy file."""
    policy_warnings: tuple[str, ...] = ()
    """Why the policy file is not in use as it is, one sentence each. Events are decided all the same."""
    joined: bool
    rebalancing: bool
    can_publish: bool
    stopping: bool
    failing_tasks: tuple[str, ...] = ()
    """A sentence for each background task that does not run although it should."""
