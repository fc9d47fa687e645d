"""Who may ask, and how often: API keys, the loopback rule without keys, and the rate of each client."""

from typing import Final

from starlette.types import Scope

from sluicegate.agents.http.body import header_of
from sluicegate.agents.http.keys import KeyFile
from sluicegate.agents.http.rates import RateLimit
from sluicegate.agents.settings import Settings
from sluicegate.schemas.errors import ConfigurationError, RequestRefused

LOOPBACK: Final = frozenset(("127.0.0.1", "::1", "localhost"))
_BEARER: Final = b"bearer "


class Access:
    """Finds the client of a request, or refuses it."""

    def __init__(self, settings: Settings) -> None:
        """Read the keys.

        Raises:
            ConfigurationError: they cannot be read; or there are none, and another address than loopback is served.
        """
        if settings.http_keys is None and settings.http_host not in LOOPBACK:
            raise ConfigurationError(
                f"the HTTP API on {settings.http_host} needs API keys: `sluice keys add NAME` makes one, and "
                "SLUICE_HTTP_KEYS names their file. Without keys, SLUICE_HTTP_HOST must be 127.0.0.1."
            )
        self.key_file = None if settings.http_keys is None else KeyFile(settings.http_keys)
        self._rate = None if settings.http_rate is None else RateLimit(settings.http_rate)

    async def client_of(self, scope: Scope) -> str:
        """The name of the request's key; the client's address where no keys are used.

        Raises:
            RequestRefused: it has no key that is accepted, or it sends too many requests.
        """
        client = _owner_of(scope, self.key_file) if self.key_file else _local_client_of(scope)
        if self._rate:
            await self._rate.check(client)
        return client


def _owner_of(scope: Scope, key_file: KeyFile) -> str:
    given = header_of(scope, b"authorization")
    key = header_of(scope, b"x-api-key") if given is None else given[len(_BEARER) :].strip()
    if key is None or (given is not None and given[: len(_BEARER)].lower() != _BEARER):
        raise RequestRefused("invalid_api_key", "send an API key: `Authorization: Bearer KEY`")
    owner = key_file.keys.owner_of(key)
    if owner is None:
        raise RequestRefused("invalid_api_key", "this API key is not accepted: `sluice keys add NAME` makes one")
    return owner


def _local_client_of(scope: Scope) -> str:
    """The client's address. The host that was asked for must be loopback, or a web page could ask us by its own name.

    (A browser that has resolved a page's name to 127.0.0.1 sends that name.)
    """
    if host_of(scope) not in LOOPBACK:
        raise RequestRefused(
            "misdirected_request", "without API keys only http://127.0.0.1 and http://localhost are served"
        )
    client = scope.get("client")
    return client[0] if client else "local"


def host_of(scope: Scope) -> str:
    """The host that was asked for, in lower case, without its port."""
    host = (header_of(scope, b"host") or b"").decode("latin-1").lower()
    return host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
