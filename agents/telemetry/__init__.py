"""Traces, metrics and logs of a worker."""

from sluicegate.agents.telemetry.telemetry import EventSpan, Outcome, Telemetry

__all__ = ["EventSpan", "Outcome", "Telemetry"]
