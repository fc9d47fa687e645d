"""The gate agent: raw queries in, and for each one allowed, blocked, review or dead letter."""

from collections.abc import Callable
from functools import partial

from sluicegate.agents.agent import Agent, Loaded
from sluicegate.agents.deciding.live_models import LoadedModels, load_models
from sluicegate.agents.gate.pipeline import Pipeline
from sluicegate.agents.kafka.source import Subscription
from sluicegate.agents.settings import Settings


def gate_agent(settings: Settings, load: Callable[[Settings], LoadedModels] = load_models) -> Agent[Pipeline]:
    """The gate. `load` loads its models and its policies."""
    return Agent(
        _subscription(settings),
        outputs=("recall", "ranking", "blocked", "review", "deadletter", "ledger"),
        budget=settings.time_budget,
        load=lambda: _loaded(settings, load(settings)),
    )


def _subscription(settings: Settings) -> Subscription:
    topic, group, window = settings.topic_raw, settings.group_id, settings.window
    if settings.second_model is None:
        return Subscription(topic, group, window)
    # What waits for the second model takes no slot from what the screen decides alone, and holds up none behind it.
    return Subscription(topic, group, window + settings.second_queue_size, behind=settings.second_window)


def _loaded(settings: Settings, models: LoadedModels) -> Loaded[Pipeline]:
    versions = ", ".join(engine.manifest.model_version for engine in models.engines.values())
    policy = (models.policies.description if models.policies else None) or "of the model's own thresholds"
    return Loaded(f"model {versions} loaded, policy {policy}", partial(Pipeline.running, settings, models))
