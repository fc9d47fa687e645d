"""How a setting is called in the environment, and how a JSON value is read from it."""

from typing import Any, Final

import msgspec

ENV_PREFIX: Final = "SLUICE_"


def variable(field: str) -> str:
    """The environment variable of the setting `field`."""
    return ENV_PREFIX + field.upper()


def from_json(value: object, kind: Any) -> object:
    """A setting that is JSON text in the environment, and an object in a profile or a test.

    Raises:
        ValueError: it is not JSON, or not a `kind`.
    """
    try:
        return msgspec.json.decode(value, type=kind) if isinstance(value, str) else msgspec.convert(value, kind)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
