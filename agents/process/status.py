"""The status page of a process, if SLUICE_STATUS_PAGE asks for it."""

from collections.abc import Callable

from sluicegate.agents.http.keys import KeyFile
from sluicegate.agents.http.status.page import StatusPage
from sluicegate.agents.settings import Settings
from sluicegate.agents.status.reporter import Reporter
from sluicegate.agents.status.standing import Standing
from sluicegate.agents.telemetry import PrometheusPage, Telemetry


def status_keys(settings: Settings) -> KeyFile | None:
    """The keys that the page asks for. Read them before anything that takes long.

    Raises:
        ConfigurationError: they cannot be read.
    """
    return KeyFile(settings.http_keys) if settings.status_page and settings.http_keys else None


def status_page(
    settings: Settings,
    keys: KeyFile | None,
    title: str,
    metrics: PrometheusPage,
    telemetry: Telemetry,
    standing: Callable[[], Standing],
) -> StatusPage | None:
    """The page, which is yet to be started; None if it is switched off. `title` says what runs here."""
    if not settings.status_page:
        return None
    telemetry.recent.with_text = settings.status_text
    return StatusPage(settings, Reporter(title, metrics, telemetry, standing), keys)
