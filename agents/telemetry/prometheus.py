"""The metrics as a page for Prometheus to scrape: the names are those that deploy/collector.yaml makes of them."""

from typing import Final

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class PrometheusPage:
    """One page with a registry of its own. Give `reader` to a meter provider, once."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.reader = PrometheusMetricReader(scope_info_enabled=False, registry=self._registry)

    def render(self) -> bytes:
        """The page as it is now. Takes some milliseconds: call it in a thread."""
        return generate_latest(self._registry)
