"""Traces, metrics and logs of a worker; `Telemetry` is the face of it."""

from sluicegate.agents.telemetry.telemetry import EventSpan, Outcome, Telemetry

__all__ = ["EventSpan", "Outcome", "Telemetry"]
