"""Traces, metrics and logs of a worker."""

from sluicegate.agents.telemetry.event_span import EventSpan
from sluicegate.agents.telemetry.prometheus import PrometheusPage
from sluicegate.agents.telemetry.telemetry import Outcome, Telemetry

__all__ = ["EventSpan", "Outcome", "PrometheusPage", "Telemetry"]
