"""TLS and SASL for Faust's consumer; for clients of librdkafka, see `agents.kafka.connection`."""

import ssl
import time
from typing import Any, Final

import faust.auth
import httpx
from aiokafka.conn import AbstractTokenProvider  # type: ignore[import-untyped]
from aiokafka.errors import KafkaConnectionError  # type: ignore[import-untyped]

from sluicegate.agents.kafka.connection import ssl_context
from sluicegate.agents.settings import Settings

_TOKEN_TIMEOUT_S: Final = 10.0
_RENEW_AT: Final = 0.8
"""Of a token's lifetime."""


def faust_credentials(settings: Settings) -> faust.auth.Credentials | None:
    """How Faust's consumer logs in; None for a plaintext cluster.

    Raises:
        ConfigurationError: a certificate or key cannot be used.
    """
    context = ssl_context(settings) if settings.uses_tls else None
    if not settings.uses_sasl:
        return faust.auth.SSLCredentials(context) if context else None
    if settings.sasl_mechanism == "OAUTHBEARER":
        return faust.auth.OAuthCredentials(oauth_cb=_ClientCredentials(settings), ssl_context=context)
    return PasswordCredentials(settings, context)


class PasswordCredentials(faust.auth.SASLCredentials):
    """A login by user and password that reads the password again for each new connection, in case it was rotated."""

    def __init__(self, settings: Settings, context: ssl.SSLContext | None) -> None:
        super().__init__(
            username=settings.sasl_username,
            password=settings.sasl_secret,
            mechanism=settings.sasl_mechanism,
            ssl_context=context,
        )
        self._settings = settings

    def renew_in(self, client: Any) -> None:
        """Let aiokafka's `client` ask for the password whenever it connects."""
        client.__class__ = type("RenewingClient", (type(client),), {"_sasl_plain_password": property(self._current)})

    def _current(self, _: Any) -> str:
        return self._settings.sasl_secret


class _ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]  # untyped, see above
    """OAuth 2.0 client credentials (RFC 6749, section 4.4); a token is used for most of its lifetime."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._token = ""
        self._renew_at = 0.0

    async def token(self) -> str:
        """A token that is valid now.

        Raises:
            KafkaConnectionError: the endpoint gave none; aiokafka tries again, as with a broker that is down.
        """
        if time.monotonic() >= self._renew_at:
            try:
                await self._renew()
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                raise KafkaConnectionError(f"no token from {self._settings.sasl_token_url}: {error!r}") from error
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
