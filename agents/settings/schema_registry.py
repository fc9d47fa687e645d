"""Settings of the schema registry, and of the form in which outputs are written."""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from sluicegate.agents.settings.security import refuse_secrets
from sluicegate.agents.settings.variables import variable

_FILES = ("ca", "certificate", "key", "password_file")


class SchemaRegistrySettings(BaseModel, title="Schema registry"):
    """Where the schemas of the events are published, and whether outputs name them."""

    output_format: Literal["json", "confluent"] = Field(
        "json",
        description="How outputs are written. `confluent`: in Confluent's wire format, as JSON Schema serializers do.",
    )
    schema_registry_url: str | None = Field(
        None,
        description="A Confluent-compatible schema registry. A worker publishes the schema of each event there when it "
        "starts, under the subject `TOPIC-value`.",
    )
    schema_registry_register: bool = Field(
        True,
        description="false: a worker only asks for the ids of the schemas; `sluice schemas publish` publishes them.",
    )
    schema_registry_username: str | None = Field(None, description="User of the registry, or the API key.")
    schema_registry_password: SecretStr | None = Field(None, description="Password, or the secret of the API key.")
    schema_registry_password_file: Path | None = Field(None, description="File that contains the password.")
    schema_registry_ca: Path | None = Field(
        None, description="PEM file of the certificate authorities to trust. Default: those of the system."
    )
    schema_registry_certificate: Path | None = Field(
        None, description="PEM file of the client certificate, for mutual TLS."
    )
    schema_registry_key: Path | None = Field(None, description="PEM file of the client certificate's private key.")

    @field_validator("schema_registry_url")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return refuse_secrets(url)

    @model_validator(mode="after")
    def _registry_is_complete(self) -> Self:
        if self.output_format == "confluent" and not self.schema_registry_url:
            raise ValueError("SLUICE_OUTPUT_FORMAT=confluent needs SLUICE_SCHEMA_REGISTRY_URL")
        if self.schema_registry_password and self.schema_registry_password_file:
            raise ValueError(
                "SLUICE_SCHEMA_REGISTRY_PASSWORD and SLUICE_SCHEMA_REGISTRY_PASSWORD_FILE exclude each other"
            )
        has_password = bool(self.schema_registry_password or self.schema_registry_password_file)
        if bool(self.schema_registry_username) != has_password:
            raise ValueError("SLUICE_SCHEMA_REGISTRY_USERNAME and its password must be set together")
        if bool(self.schema_registry_certificate) != bool(self.schema_registry_key):
            raise ValueError("SLUICE_SCHEMA_REGISTRY_CERTIFICATE and SLUICE_SCHEMA_REGISTRY_KEY must be set together")
        for name in (f"schema_registry_{name}" for name in _FILES):
            file = getattr(self, name)
            if file and (file.is_dir() or not os.access(file, os.R_OK)):
                raise ValueError(f"{variable(name)}: cannot read {file}")
        return self

    @property
    def schema_registry_login(self) -> tuple[str, str] | None:
        """User and password, which may be read from its file now; None without a user."""
        if not self.schema_registry_username:
            return None
        if self.schema_registry_password_file:
            return self.schema_registry_username, self.schema_registry_password_file.read_text().strip()
        password = self.schema_registry_password
        return self.schema_registry_username, password.get_secret_value() if password else ""
