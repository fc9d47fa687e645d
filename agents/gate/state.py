"""What a worker knows about itself at one moment. `agents.process.health` judges it."""

import msgspec


class WorkerState(msgspec.Struct, frozen=True, kw_only=True):
    """Safe to log: it holds numbers and versions, and no text from outside."""

    in_flight: int
    """Events taken from Kafka and not yet acknowledged."""
    oldest_event_s: float
    """For how long the oldest of them has been in flight; 0 without any."""
    commit_late_s: float
    """For how long Kafka has not confirmed a commit that is due; 0 if none is."""
    silent_s: float
    """For how long the group's coordinator has confirmed no heartbeat."""
    models: str | None
    """The versions in service; None until they are loaded."""
    joined: bool
    rebalancing: bool
    can_publish: bool
    stopping: bool
    failing_tasks: tuple[str, ...] = ()
    """A sentence for each background task that does not run although it should."""
