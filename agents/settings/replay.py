"""Settings of replays."""

import os
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

_SHORTEST_KEY: Final = 16


class ReplaySettings(BaseModel, title="Replay"):
    """How a replay proves that `sluice replay` published it."""

    replay_key: SecretStr | None = Field(
        None,
        min_length=_SHORTEST_KEY,
        description="Secret of at least 16 characters with which `sluice replay` signs and workers verify. A signed "
        "replay keeps the id of its original; without a key, or a signature, nothing takes the id of another record.",
    )
    replay_key_file: Path | None = Field(None, description="File that contains the key, for example a mounted secret.")

    @model_validator(mode="after")
    def _key_file_is_readable(self) -> Self:
        file = self.replay_key_file
        if not file:
            return self
        if self.replay_key:
            raise ValueError("SLUICE_REPLAY_KEY and SLUICE_REPLAY_KEY_FILE exclude each other")
        if file.is_dir() or not os.access(file, os.R_OK):
            raise ValueError(f"SLUICE_REPLAY_KEY_FILE: cannot read {file}")
        if len(self.replay_secret or b"") < _SHORTEST_KEY:
            raise ValueError(f"SLUICE_REPLAY_KEY_FILE: {file} must contain at least {_SHORTEST_KEY} characters")
        return self

    @property
    def replay_secret(self) -> bytes | None:
        """The key, from its setting or read from its file now; None if there is none."""
        if self.replay_key_file:
            return self.replay_key_file.read_bytes().strip()
        return self.replay_key.get_secret_value().encode() if self.replay_key else None
