"""The format agent: raw actions in, and for each one formatted or dead letter."""

from functools import partial

from sluicegate.agents.agent import Agent, Loaded
from sluicegate.agents.format.pipeline import FormatPipeline
from sluicegate.agents.formatting.formatting import LoadedFormatting
from sluicegate.agents.kafka.source import Subscription
from sluicegate.agents.settings import Settings


def format_agent(settings: Settings) -> Agent[FormatPipeline]:
    """The formatter of `settings` as an agent.

    Raises:
        ConfigurationError: no rebalance would wait for one of its events.
    """
    return Agent(
        Subscription(settings.topic_actions_raw, settings.format_consumer_group, settings.format_window),
        outputs=("actions_formatted", "deadletter", "ledger"),
        budget=settings.format_time_budget,
        load=lambda: _loaded(settings, LoadedFormatting.load(settings)),
    )


def _loaded(settings: Settings, formatting: LoadedFormatting) -> Loaded[FormatPipeline]:
    return Loaded(f"{formatting.description} loaded", partial(FormatPipeline.running, settings, formatting))
