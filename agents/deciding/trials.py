"""What is tried on events that were decided: models and policies in shadow, and samples for the second model.

A trial decides an event once more, for the ledger and the metrics only. Nobody waits for it.
"""

from collections.abc import Iterator
from typing import Generic, NamedTuple

from sluicegate.agents.deciding.decider import Decider, OwnerT, Trial
from sluicegate.agents.deciding.decision import Decision
from sluicegate.agents.deciding.live_models import LiveModels
from sluicegate.models.policy.compiled import CompiledPolicy


class Tried(NamedTuple, Generic[OwnerT]):
    """How an event is decided once more."""

    decider: Decider[OwnerT]
    policy: CompiledPolicy | None = None
    """None: the one in use."""
    trial: Trial | None = None
    """How the second model is tried."""


def trials_of(
    models: LiveModels[OwnerT], event_id: str, decider: Decider[OwnerT], decision: Decision
) -> Iterator[Tried[OwnerT]]:
    """The trials of the event that `decider` has decided.

    A model in shadow decides by the policy in use, and the event's model by a policy in shadow. The second model judges
    a sample of what it was not asked about, and a version of it in shadow what it was asked about.
    """
    if candidate := models.shadow(event_id):
        yield Tried(candidate)
    if policy := models.policies.shadow(event_id):
        yield Tried(decider, policy)
    second = models.second
    if second is None or decision.degraded:
        return
    if decision.second is None and second.samples(event_id):
        yield Tried(decider, trial="sample")
    elif decision.second and second.has_shadow(event_id):
        yield Tried(decider, trial="shadow")
