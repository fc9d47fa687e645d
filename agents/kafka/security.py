"""TLS and SASL, from the same settings for every client: librdkafka's (producer, admin, command line) and Faust's."""

import ssl
import time
from pathlib import Path
from typing import Final

import faust.auth
import httpx
from aiokafka.conn import AbstractTokenProvider  # type: ignore[import-untyped]
from aiokafka.errors import KafkaConnectionError  # type: ignore[import-untyped]

from sluicegate.agents.settings import Settings
from sluicegate.schemas.errors import ConfigurationError

_TOKEN_TIMEOUT_S: Final = 10.0
_RENEW_AT: Final = 0.8
"""Of a token's lifetime."""


def librdkafka_security(settings: Settings) -> dict[str, str]:
    """What makes a client of confluent-kafka secure; empty for a plaintext cluster.

    Raises:
        ConfigurationError: a certificate or key cannot be used.
    """
    if settings.security_protocol == "plaintext":
        return {}
    if settings.uses_tls:
        _ssl_context(settings)  # librdkafka would say less, and not by the settings' names
    given = {
        "security.protocol": settings.security_protocol,
        "ssl.ca.location": settings.ssl_ca,
        "ssl.certificate.location": settings.ssl_certificate,
        "ssl.key.location": settings.ssl_key,
        "ssl.key.password": settings.ssl_key_password and settings.ssl_key_password.get_secret_value(),
    }
    if settings.uses_sasl:
        given["sasl.mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == "OAUTHBEARER":
            given |= {
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.token.endpoint.url": settings.sasl_token_url,
                "sasl.oauthbearer.client.id": settings.sasl_username,
                "sasl.oauthbearer.client.secret": settings.sasl_secret,
                "sasl.oauthbearer.scope": settings.sasl_scope,
            }
        else:
            given |= {"sasl.username": settings.sasl_username, "sasl.password": settings.sasl_secret}
    return {name: str(value) for name, value in given.items() if value is not None}


def faust_credentials(settings: Settings) -> faust.auth.Credentials | None:
    """The same for Faust's consumer; None for a plaintext cluster.

    Raises:
        ConfigurationError: a certificate or key cannot be used.
    """
    context = _ssl_context(settings) if settings.uses_tls else None
    if not settings.uses_sasl:
        return faust.auth.SSLCredentials(context) if context else None
    if settings.sasl_mechanism == "OAUTHBEARER":
        return faust.auth.OAuthCredentials(oauth_cb=_ClientCredentials(settings), ssl_context=context)
    return faust.auth.SASLCredentials(
        username=settings.sasl_username,
        password=settings.sasl_secret,
        mechanism=settings.sasl_mechanism,
        ssl_context=context,
    )


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ssl_ca)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigurationError(f"SLUICE_SSL_CA: {settings.ssl_ca} cannot be used: {error}") from None
    if settings.ssl_certificate and settings.ssl_key:
        given = settings.ssl_key_password.get_secret_value() if settings.ssl_key_password else ""
        try:
            context.load_cert_chain(settings.ssl_certificate, settings.ssl_key, given)  # without, it asks a terminal
        except (OSError, ValueError) as error:
            raise ConfigurationError(_unusable(settings.ssl_certificate, settings.ssl_key, given, error)) from None
    return context


def _unusable(certificate: Path, key: Path, password: str, error: Exception) -> str:
    if b"ENCRYPTED" not in key.read_bytes():
        return f"SLUICE_SSL_CERTIFICATE {certificate} and SLUICE_SSL_KEY {key} cannot be used together: {error}"
    trouble = "SLUICE_SSL_KEY_PASSWORD does not open it" if password else "set SLUICE_SSL_KEY_PASSWORD"
    return f"SLUICE_SSL_KEY: {key} is encrypted: {trouble}, or SLUICE_SSL_CERTIFICATE {certificate} is not its own"


class _ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]  # untyped, see above
    """OAuth 2.0 client credentials (RFC 6749, section 4.4); a token is used for most of its lifetime."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._token = ""
        self._renew_at = 0.0

    async def token(self) -> str:
        """A token that is valid now.

        Raises:
            KafkaConnectionError: the endpoint gave none; aiokafka tries again, as it does with a broker that is away.
        """
        if time.monotonic() >= self._renew_at:
            try:
                await self._renew()
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                raise KafkaConnectionError(f"no token of {self._settings.sasl_token_url}: {error!r}") from error
        return self._token

    async def _renew(self) -> None:
        settings = self._settings
        form = {"grant_type": "client_credentials", **({"scope": settings.sasl_scope} if settings.sasl_scope else {})}
        async with httpx.AsyncClient(timeout=_TOKEN_TIMEOUT_S) as client:
            answer = await client.post(
                settings.sasl_token_url or "", data=form, auth=(settings.sasl_username or "", settings.sasl_secret)
            )
        granted = answer.raise_for_status().json()
        self._token = granted["access_token"]
        self._renew_at = time.monotonic() + _RENEW_AT * float(granted.get("expires_in", 0))
