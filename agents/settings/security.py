"""Settings of encryption and authentication: TLS and SASL, the same for every Kafka client of the process."""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from sluicegate.agents.settings.variables import variable


class SecuritySettings(BaseModel, title="Kafka security"):
    """How clients encrypt connections and authenticate."""

    security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext", description="Protocol of the connections to the brokers, for every client of the process."
    )
    ssl_ca: Path | None = Field(
        None,
        description="PEM file of the certificate authorities to trust. Default: those of the system. Host names are "
        "always checked.",
    )
    ssl_certificate: Path | None = Field(None, description="PEM file of the client certificate, for mutual TLS.")
    ssl_key: Path | None = Field(None, description="PEM file of the client certificate's private key.")
    ssl_key_password: SecretStr | None = Field(None, description="Password of the private key.")
    ssl_key_password_file: Path | None = Field(
        None, description="File that contains the private key's password, for example a mounted secret."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism."
    )
    sasl_username: str | None = Field(None, description="SASL user name. For OAUTHBEARER: the client id.")
    sasl_password: SecretStr | None = Field(None, description="SASL password. For OAUTHBEARER: the client secret.")
    sasl_password_file: Path | None = Field(
        None, description="File that contains the SASL password or client secret, for example a mounted secret."
    )
    sasl_token_url: str | None = Field(
        None, description="For OAUTHBEARER: URL that exchanges the client credentials for a token."
    )
    sasl_scope: str | None = Field(None, description="For OAUTHBEARER: the scope to request.")

    @field_validator("sasl_mechanism", mode="before")
    @classmethod
    def _mechanism_in_upper_case(cls, name: object) -> object:
        return name.upper() if isinstance(name, str) else name

    @field_validator("security_protocol", mode="before")
    @classmethod
    def _protocol_in_lower_case(cls, name: object) -> object:
        return name.lower() if isinstance(name, str) else name

    @field_validator("sasl_token_url")
    @classmethod
    def _no_secret_in_url(cls, url: str | None) -> str | None:
        return refuse_secrets(url)

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        given = [
            name
            for name in SecuritySettings.model_fields
            if name.startswith(("ssl_", "sasl_")) and name != "sasl_mechanism" and getattr(self, name)
        ]
        used = {"ssl": self.uses_tls, "sasl": self.uses_sasl}
        unused = [variable(name) for name in given if not used[name.partition("_")[0]]]
        if unused:
            raise ValueError(
                f"{', '.join(unused)} is set, but SLUICE_SECURITY_PROTOCOL={self.security_protocol} does not use it"
            )
        if bool(self.ssl_certificate) != bool(self.ssl_key):
            raise ValueError("SLUICE_SSL_CERTIFICATE and SLUICE_SSL_KEY must be set together")
        if self.ssl_key_password and self.ssl_key_password_file:
            raise ValueError("SLUICE_SSL_KEY_PASSWORD and SLUICE_SSL_KEY_PASSWORD_FILE exclude each other")
        if self.uses_sasl and not (self.sasl_username and (self.sasl_password or self.sasl_password_file)):
            raise ValueError("SASL needs SLUICE_SASL_USERNAME and SLUICE_SASL_PASSWORD or SLUICE_SASL_PASSWORD_FILE")
        if self.sasl_password and self.sasl_password_file:
            raise ValueError("SLUICE_SASL_PASSWORD and SLUICE_SASL_PASSWORD_FILE exclude each other")
        if self.uses_sasl and self.sasl_mechanism == "OAUTHBEARER" and not self.sasl_token_url:
            raise ValueError("SLUICE_SASL_MECHANISM=OAUTHBEARER needs SLUICE_SASL_TOKEN_URL")
        return self

    @model_validator(mode="after")
    def _files_are_readable(self) -> Self:
        for name in ("ssl_ca", "ssl_certificate", "ssl_key", "ssl_key_password_file", "sasl_password_file"):
            file = getattr(self, name)
            if file and (file.is_dir() or not os.access(file, os.R_OK)):
                raise ValueError(f"{variable(name)}: cannot read {file}")
        if self.sasl_password_file and not self.sasl_secret:
            raise ValueError(f"SLUICE_SASL_PASSWORD_FILE: {self.sasl_password_file} is empty")
        if self.ssl_key_password_file and not self.ssl_key_secret:
            raise ValueError(f"SLUICE_SSL_KEY_PASSWORD_FILE: {self.ssl_key_password_file} is empty")
        return self

    @property
    def ssl_key_secret(self) -> str:
        """The private key's password, from its setting or read from its file now; empty if there is none."""
        if self.ssl_key_password_file:
            return self.ssl_key_password_file.read_text(errors="replace").strip()
        return self.ssl_key_password.get_secret_value() if self.ssl_key_password else ""

    @property
    def uses_sasl(self) -> bool:
        """Whether clients authenticate with SASL."""
        return self.security_protocol.startswith("sasl_")

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.security_protocol in ("ssl", "sasl_ssl")

    @property
    def sasl_secret(self) -> str:
        """The password or client secret, from its setting or read from its file now; empty if there is none."""
        if self.sasl_password_file:
            return self.sasl_password_file.read_text(errors="replace").strip()
        return self.sasl_password.get_secret_value() if self.sasl_password else ""


def refuse_secrets(url: str | None) -> str | None:
    """`url`, unless it could contain a user, a password or a key.

    Raises:
        ValueError: it could.
    """
    if url and ("@" in url or "?" in url):
        raise ValueError("must not contain a user, a password or a query: `sluice config show` prints it")
    return url
