"""The version of the installed distribution."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _installed() -> str:
    try:
        return version("sluicegate")
    except PackageNotFoundError:
        return "(not installed)"


VERSION: Final = _installed()
"""As in pyproject.toml."""
