"""``sluice worker``: an agent as a process."""

from enum import StrEnum
from typing import Annotated

import typer

from sluicegate.agents.cli.options import Brokers


class AgentName(StrEnum):
    """The agents that a worker can run."""

    GATE = "gate"
    FORMAT = "format"
    REVIEW = "review"


def worker(
    agent: Annotated[
        AgentName,
        typer.Argument(
            help="`gate` decides raw queries. `review` asks reviewers about unsure ones. `format` turns raw actions "
            "into JSON."
        ),
    ] = AgentName.GATE,
    brokers: Brokers = None,
) -> None:
    """Run a worker until SIGTERM or Ctrl-C. Either one finishes and commits the events in flight.

    A worker runs one agent, by default the gate. Each agent has a consumer group, a window and a deadline of its own,
    so run each as a process of its own.

    Example: `SLUICE_BOOTSTRAP_SERVERS=kafka:9092 sluice worker`
    """
    # Before the imports that take a second.
    from sluicegate.agents.process.signals import ignore_other_signals
    from sluicegate.agents.process.standard_streams import open_missing_streams
    from sluicegate.agents.process.start_environment import restart_with_environment

    open_missing_streams()
    ignore_other_signals()  # the process that is started next keeps ignoring them
    restart_with_environment()

    from sluicegate.agents.process.start import run_agent, run_worker
    from sluicegate.agents.settings import load_settings

    settings = load_settings(bootstrap_servers=brokers)
    match agent:
        case AgentName.GATE:
            run_worker(settings)
        case AgentName.FORMAT:
            from sluicegate.agents.format.agent import format_agent

            run_agent(settings, format_agent(settings))
        case AgentName.REVIEW:
            from sluicegate.agents.review.agent import review_agent

            run_agent(settings, review_agent(settings), has_review_queue="people" in settings.reviewer_names)
