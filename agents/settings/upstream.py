"""Settings of the chat API that `/v1/chat/completions` stands in front of."""

import os
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, model_validator


class UpstreamSettings(BaseModel, title="Upstream"):
    """With `SLUICE_UPSTREAM`, chats are gated and passed on. When that API fails, the compiled model answers."""

    upstream: str | None = Field(
        None,
        description="Base URL of an OpenAI-compatible chat API, for example `https://api.openai.com/v1`. Unset: the "
        "compiled model answers chats.",
    )
    upstream_model: str | None = Field(
        None, min_length=1, max_length=200, description="Name of the model that the upstream API is asked for."
    )
    upstream_key: SecretStr | None = Field(None, description="API key of the upstream API.")
    upstream_key_file: Path | None = Field(
        None, description="File that contains the upstream's API key. It is read for every request."
    )
    upstream_connect_timeout_ms: int = Field(
        2_000, ge=10, le=60_000, description="Time to connect to the upstream API, in milliseconds."
    )
    upstream_read_timeout_ms: int = Field(
        15_000,
        ge=10,
        le=600_000,
        description="Time for the upstream's answer, of a stream for its first words and for each part after them, in "
        "milliseconds. After that the compiled model answers, if it can chat and nothing was sent yet.",
    )
    upstream_moderate_answers: bool = Field(
        False,
        description="Moderate what the model says, too. A stream then comes in pieces of some 200 characters, and ends "
        "with `content_filter` before one that is not allowed.",
    )

    @model_validator(mode="after")
    def _upstream_is_complete(self) -> Self:
        if self.upstream is None:
            return self
        parts = urlsplit(self.upstream)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("SLUICE_UPSTREAM: write a base URL without user, password or query, as in https://host/v1")
        if self.upstream_model is None:
            raise ValueError("SLUICE_UPSTREAM needs SLUICE_UPSTREAM_MODEL")
        if self.upstream_key and self.upstream_key_file:
            raise ValueError("SLUICE_UPSTREAM_KEY and SLUICE_UPSTREAM_KEY_FILE exclude each other")
        file = self.upstream_key_file
        if file and (file.is_dir() or not os.access(file, os.R_OK)):
            raise ValueError(f"SLUICE_UPSTREAM_KEY_FILE: cannot read {file}")
        return self

    def read_upstream_key(self) -> str | None:
        """The API key, from its setting or read from its file now; None if there is none."""
        if self.upstream_key_file:
            return self.upstream_key_file.read_text(errors="replace").strip() or None
        return self.upstream_key.get_secret_value() if self.upstream_key else None
