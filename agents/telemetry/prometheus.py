"""The metrics as a page for Prometheus to scrape: the names are those that deploy/collector.yaml makes of them."""

from collections.abc import Iterable
from typing import Final

from opentelemetry.sdk.metrics.export import MetricReader
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, choose_encoder

from sluicegate.agents.telemetry.histograms import Histograms, PrometheusReader

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
"""Of the text format, which is written unless a scraper asks for OpenMetrics."""


class PrometheusPage:
    """One page with a registry of its own. Give `reader` to a meter provider, once."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.histograms = Histograms()
        self.reader: MetricReader = PrometheusReader(self._registry, self.histograms)

    def render(self, accept: str = "") -> tuple[str, bytes]:
        """The page as it is now, and its content type, as the header `accept` asks for it.

        Takes some milliseconds: call it in a thread.
        """
        encode, content_type = choose_encoder(accept)
        return content_type, encode(self._registry)

    def collect(self) -> Iterable[Metric]:
        """What the page says, as data. Takes a millisecond: call it in a thread."""
        return self._registry.collect()
