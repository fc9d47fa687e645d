"""Every time limit of one event, and of the worker's stop, in one place.

    one event    [wait for an equal one] ─► decide ─► publish outputs ─► ledger
                                                         └─ fails ─► dead letter ─► ledger
                                                                       └─ too large ─► shorter dead letter ─► ledger

    a rebalance  waits for every event in flight
    a stop       waits for every event in flight, commits, leaves the group, sends the last telemetry and log lines

Each limit is longer than what it waits for; `tests/unit/agents/test_time_budget.py` checks every such pair.
"""

from dataclasses import dataclass
from typing import Final

REBALANCE_S: Final = 85.0
"""How long the group waits for a worker that finishes its events before it gives partitions away."""
REQUEST_S: Final = 90.0
"""How long the consumer waits for Kafka's answer: an answer to joining the group takes as long as the rebalance."""
LONGEST_EVENT_S: Final = 80.0
"""The longest time of an event that settings may allow: a rebalance waits for it, and for the commit after it."""
DEDUP_WAIT_S: Final = 5.0
"""How long an event waits for an equal one that is in flight."""
PUBLISHES: Final = 4
"""The most publishes of one event, each after the other failed: outputs, dead letter, shorter dead letter, ledger."""
LATE_S: Final = 10.0
"""How much later than its budget an event or a commit may be before /healthz calls it stuck."""
LEAVE_GROUP_S: Final = 10.0
"""Time for the last commit, and for leaving the group, once no event is in flight."""
CLOSE_PUBLISHER_S: Final = 5.0
"""Time for the publisher's last records. None of them belongs to an event in flight: those are over by then."""
TELEMETRY_S: Final = 5.0
"""Time for the last spans and metrics."""
LOGS_S: Final = 1.0
"""Time for the last log lines."""
END_CONNECTIONS_S: Final = 2.0
"""Time for the last answers of the HTTP API to leave, once no request is in flight."""
WATCHDOG_POLL_S: Final = 0.2
"""How often the watchdog of the stop looks at the worker."""
PREFLIGHT_S: Final = 15.0
"""How long a start waits for Kafka before it fails."""


@dataclass(frozen=True)
class TimeBudget:
    """The limits that follow from the settings, in seconds."""

    deadline_s: float
    publish_timeout_s: float
    deduplicates: bool
    held_s: float = 0.0
    """How long an event may also be held while nobody works on it. No rebalance and no stop waits for that."""

    @property
    def event_s(self) -> float:
        """The longest that one event can take, from Kafka to its acknowledgement."""
        return self.deadline_s + PUBLISHES * self.publish_timeout_s + DEDUP_WAIT_S * self.deduplicates

    @property
    def stuck_after_s(self) -> float:
        """The age from which on /healthz reports an event in flight, or a commit, as stuck."""
        return self.event_s + self.held_s + LATE_S

    @property
    def leave_after_s(self) -> float:
        """The time after a signal at which the watchdog ends a worker that has not ended by itself."""
        return self.event_s + LEAVE_GROUP_S

    @property
    def stop_s(self) -> float:
        """The longest that a stop can take, from the signal to the end of the process. Grant more before SIGKILL."""
        return self.leave_after_s + 2 * WATCHDOG_POLL_S + TELEMETRY_S + LOGS_S
