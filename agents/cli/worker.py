"""``sluice worker``: the gate agent as a process."""

from sluicegate.agents.cli.options import Brokers


def worker(brokers: Brokers = None) -> None:
    """Run the gate worker until SIGTERM or Ctrl-C. Either one finishes and commits the events in flight.

    Example: `SLUICE_BOOTSTRAP_SERVERS=kafka:9092 sluice worker`
    """
    # Before the imports that take a second.
    from sluicegate.agents.process.allocator import restart_with_allocator_settings
    from sluicegate.agents.process.signals import ignore_other_signals
    from sluicegate.agents.process.standard_streams import open_missing_streams

    open_missing_streams()
    ignore_other_signals()  # the process that is started next keeps ignoring them
    restart_with_allocator_settings()

    from sluicegate.agents.process.start import run_worker
    from sluicegate.agents.settings import load_settings

    run_worker(load_settings(bootstrap_servers=brokers))
