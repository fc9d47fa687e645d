"""How to reach the Kafka cluster: its servers, with the TLS and SASL settings that every client of it needs."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from sluicegate.agents.settings import Settings
from sluicegate.schemas.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Connection:
    """One cluster and how to log in to it. Make it once, with `of`, and pass it to all that create Kafka clients."""

    servers: str
    """`host:port`, separated by commas."""
    _settings: Settings | None = field(repr=False)
    """Where TLS and SASL are configured; None for a cluster without them."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The connection that `settings` describe.

        Raises:
            ConfigurationError: a certificate or key cannot be used.
        """
        if settings.uses_tls:
            ssl_context(settings)  # librdkafka would report less, and not by the settings' names
        return cls(settings.bootstrap_servers, settings if settings.security_protocol != "plaintext" else None)

    @classmethod
    def plaintext(cls, servers: str) -> Self:
        """A connection without TLS and without a login, as to a broker on this machine."""
        return cls(servers, None)

    @property
    def secured(self) -> bool:
        """Whether TLS or a login is in use."""
        return self._settings is not None

    @property
    def password_login(self) -> tuple[str, str] | None:
        """The user and the password as they are now; None without a login by password.

        Raises:
            OSError: the password's file cannot be read.
        """
        settings = self._settings
        if settings is None or not settings.uses_sasl or settings.sasl_mechanism == "OAUTHBEARER":
            return None
        return settings.sasl_username or "", settings.sasl_secret

    def librdkafka(self) -> dict[str, str]:
        """The properties of a librdkafka client. They hold the secret as it is now: do not keep them."""
        return {"bootstrap.servers": self.servers} | (_security(self._settings) if self._settings else {})


def ssl_context(settings: Settings) -> ssl.SSLContext:
    """The TLS context for Python's own sockets.

    Raises:
        ConfigurationError: a certificate or key cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=settings.ssl_ca)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigurationError(f"SLUICE_SSL_CA: {settings.ssl_ca} cannot be used: {error}") from None
    if settings.ssl_certificate and settings.ssl_key:
        password = settings.ssl_key_secret
        try:
            # Without a password, OpenSSL would prompt for one on the terminal.
            context.load_cert_chain(settings.ssl_certificate, settings.ssl_key, password)
        except (OSError, ValueError) as error:
            raise ConfigurationError(_unusable(settings.ssl_certificate, settings.ssl_key, password, error)) from None
    return context


def _security(settings: Settings) -> dict[str, str]:
    properties = {
        "security.protocol": settings.security_protocol,
        "ssl.ca.location": settings.ssl_ca,
        "ssl.certificate.location": settings.ssl_certificate,
        "ssl.key.location": settings.ssl_key,
        "ssl.key.password": settings.ssl_key_secret or None,
    }
    if settings.uses_sasl:
        properties["sasl.mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == "OAUTHBEARER":
            properties |= {
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.token.endpoint.url": settings.sasl_token_url,
                "sasl.oauthbearer.client.id": settings.sasl_username,
                "sasl.oauthbearer.client.secret": settings.sasl_secret,
                "sasl.oauthbearer.scope": settings.sasl_scope,
            }
        else:
            properties |= {"sasl.username": settings.sasl_username, "sasl.password": settings.sasl_secret}
    return {name: str(value) for name, value in properties.items() if value is not None}


def _unusable(certificate: Path, key: Path, password: str, error: Exception) -> str:
    if b"ENCRYPTED" not in key.read_bytes():
        return f"SLUICE_SSL_CERTIFICATE {certificate} and SLUICE_SSL_KEY {key} cannot be used together: {error}"
    trouble = "SLUICE_SSL_KEY_PASSWORD does not open it" if password else "set SLUICE_SSL_KEY_PASSWORD"
    return f"SLUICE_SSL_KEY: {key} is encrypted: {trouble}, or SLUICE_SSL_CERTIFICATE {certificate} does not match it"
