"""What must be right before the model is loaded, which takes longest."""

from importlib.util import find_spec

from sluicegate.agents.http.ledgers import check_ledger
from sluicegate.agents.settings import Settings
from sluicegate.schemas.errors import ConfigurationError


def check_settings(settings: Settings) -> None:
    """Check what the HTTP API needs besides its keys. Call it before there is an event loop.

    Raises:
        ConfigurationError: the ledger cannot be opened, or a package that a setting needs is not installed.
        SpoolFailed: the ledger is a spool that cannot be opened, or that another process has open.
    """
    check_ledger(settings)
    if settings.http_mcp and find_spec("mcp") is None:
        raise ConfigurationError("SLUICE_HTTP_MCP needs the extra `mcp`. In a clone: pip install --editable '.[mcp]'")
