"""Who may read the status page.

* With API keys (SLUICE_HTTP_KEYS): whoever has one. A browser asks for it as a password; the user's name is ignored.
* Without: only clients of this machine, on whatever address the port listens. `kubectl port-forward` and `ssh -L` count
  as such. A request that a proxy has passed on does not.
"""

import base64
import binascii
import ipaddress
from typing import Final

from starlette.types import Scope

from sluicegate.agents.http.access import LOOPBACK, host_of
from sluicegate.agents.http.body import header_of
from sluicegate.agents.http.keys import KeyFile

REALM: Final = b'Basic realm="Sluicegate status: an API key as the password", charset="UTF-8"'
_PROXIED: Final = (b"forwarded", b"x-forwarded-for", b"x-real-ip")


def may_read(scope: Scope, keys: KeyFile | None) -> bool:
    """Whether the client of a request may read the page."""
    if keys is None:
        return _is_local(scope)
    key = _key_of(scope)
    return key is not None and keys.keys.owner_of(key) is not None


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    if not client or any(header_of(scope, name) is not None for name in _PROXIED):
        return False
    address = ipaddress.ip_address(client[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback and host_of(scope) in LOOPBACK


def _key_of(scope: Scope) -> bytes | None:
    given = header_of(scope, b"authorization")
    if given is None:
        return header_of(scope, b"x-api-key")
    kind, _, value = given.partition(b" ")
    if kind.lower() == b"bearer":
        return value.strip()
    if kind.lower() != b"basic":
        return None
    try:
        return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
    except binascii.Error:
        return None
