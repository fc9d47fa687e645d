"""Every setting of Sluicegate, typed and checked in one place. ``sluice config show`` prints them with their meaning.

Each field is the environment variable ``SLUICE_`` plus its name in capitals. Nothing else reads the environment. The
one other name is OpenTelemetry's own ``OTEL_EXPORTER_OTLP_ENDPOINT``. Each section is one file of this package.
"""

from sluicegate.agents.settings.describe import SettingDescription, as_markdown, describe_settings
from sluicegate.agents.settings.model import EMBEDDED_MODEL
from sluicegate.agents.settings.settings import SECTIONS, Settings, load_settings, unknown_variables, warnings_about
from sluicegate.agents.settings.variables import ENV_PREFIX, variable

__all__ = [
    "EMBEDDED_MODEL",
    "ENV_PREFIX",
    "SECTIONS",
    "SettingDescription",
    "Settings",
    "as_markdown",
    "describe_settings",
    "load_settings",
    "unknown_variables",
    "variable",
    "warnings_about",
]
