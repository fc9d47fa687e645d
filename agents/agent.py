"""What an agent is: it reads one topic, and brings each record to an outcome that the broker has acknowledged.

    Agent ──► load ──► Loaded ──► running ──► RunningAgent.process(record), many at once ─┬─► returns: it is acked
                                                                                          └─► raises: the process stops

`agents.process.start.run_agent` runs one per process.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import msgspec

from sluicegate.agents.kafka.record import Record
from sluicegate.agents.kafka.source import Subscription
from sluicegate.agents.telemetry import Telemetry
from sluicegate.agents.time_budget import TimeBudget


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """How a running agent is, for the probes and the log. It has no text from outside, and no query."""

    models: str
    """The versions in service, or who else decides."""
    policy: str | None = None
    """The policies in service; None without a policy file."""
    policy_warnings: tuple[str, ...] = ()
    """Why the policy file is not in use as it is, one sentence each. Events are decided all the same."""
    can_publish: bool
    """False after a fatal error of the producer: only a new process can publish."""
    model_busy_s: float = 0.0
    """For how long the model's present call has run; 0 without one."""
    failing_tasks: tuple[str, ...] = ()
    """A sentence for each background task that does not run although it should."""


class RunningAgent(Protocol):
    """Processes records. Used on one event loop, for many records at once."""

    @property
    def queue_depth(self) -> int:
        """Events that wait for a model. Read from any thread."""

    def condition(self) -> Condition:
        """How it is at this moment. Called on the event loop."""

    async def process(self, record: Record) -> None:
        """Bring `record` to an outcome that the broker has acknowledged, its ledger record included.

        It ends within the agent's time budget. If it holds the record instead, it raises `Released` once
        `Agent.recalled` is set. Whatever else it raises stops the process without an ack: the record is then
        redelivered, to another process.
        """


class Released(Exception):
    """`process` gives up a record that it held, because it was recalled. The record is redelivered."""


RunningT = TypeVar("RunningT", bound=RunningAgent)


@dataclass(frozen=True)
class Loaded(Generic[RunningT]):
    """An agent whose models are in memory."""

    description: str
    """What was loaded, in a few words, for the log."""
    running: Callable[[Telemetry], AbstractAsyncContextManager[RunningT]]
    """The agent at work. The block ends once no record is in flight."""


@dataclass(frozen=True)
class Agent(Generic[RunningT]):
    """One kind of agent, before it runs: what the process checks first, and what it then loads."""

    subscription: Subscription
    """What it reads, with a consumer group and a window of its own."""
    outputs: tuple[str, ...]
    """The topics that it writes, by their names in `Settings.topics`. The process needs the right to write them."""
    budget: TimeBudget
    """How long one of its events can take."""
    load: Callable[[], Loaded[RunningT]]
    """Loads what takes long. Blocks, and raises ConfigurationError if that cannot be served."""
    recalled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while a rebalance, or the stop, waits for the records in flight."""
