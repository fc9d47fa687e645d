"""A Confluent-compatible schema registry: it gets our schemas, and outputs may name them by their ids.

    POST /subjects/TOPIC-value/versions  {"schemaType": "JSON", "schema": …}  ──►  {"id": 7}
    an output in the wire format:        00 00 00 00 07 {"event_id": …}

A process asks for the ids once, when it starts. To publish an equal schema again changes nothing.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

import ssl
from collections.abc import Mapping
from typing import Final

import httpx
import msgspec

from sluicegate.agents.settings import Settings
from sluicegate.schemas.errors import ConfigurationError, SchemaRegistryUnavailable
from sluicegate.schemas.export import json_schema
from sluicegate.schemas.payloads import WIRE_FORMAT_BYTES

_TIMEOUT_S: Final = 10.0
_CONTENT_TYPE: Final = "application/vnd.schemaregistry.v1+json"
_LONGEST_REASON: Final = 300
_NO_LOGIN: Final = (401, 403)
_INCOMPATIBLE: Final = 409
_NOT_FOUND: Final = 404


class _Registered(msgspec.Struct):
    id: int


class _Refused(msgspec.Struct):
    message: str = ""


def publish_schemas(settings: Settings) -> dict[str, int]:
    """Publish the schema of every event under the subject of its topic; returns their ids by topic. Blocks.

    With SLUICE_SCHEMA_REGISTRY_REGISTER=false it only asks for the ids.

    Raises:
        ConfigurationError: the address or the login is wrong, or the registry refuses a schema.
        SchemaRegistryUnavailable: it cannot be reached, or fails.
    """
    url = (settings.schema_registry_url or "").rstrip("/")
    login = settings.schema_registry_login
    with httpx.Client(
        auth=login, verify=_trust(settings), timeout=_TIMEOUT_S, headers={"Accept": _CONTENT_TYPE}
    ) as client:
        return {
            topic: _id_of(client, url, f"{topic}-value", name, register=settings.schema_registry_register)
            for name, topic in settings.topics.items()
        }


def wire_format_of(settings: Settings) -> Mapping[str, bytes]:
    """What comes before each value, by topic; empty unless SLUICE_OUTPUT_FORMAT is `confluent`. Blocks.

    Raises what `publish_schemas` does.
    """
    if settings.output_format != "confluent":
        return {}
    ids = publish_schemas(settings)
    return {topic: schema_id.to_bytes(WIRE_FORMAT_BYTES) for topic, schema_id in ids.items()}  # the magic byte is 0


def _id_of(client: httpx.Client, url: str, subject: str, name: str, *, register: bool) -> int:
    document = {"schemaType": "JSON", "schema": msgspec.json.encode(json_schema(name)).decode()}
    path = f"{url}/subjects/{subject}" + ("/versions" if register else "")
    try:
        answer = client.post(path, json=document, headers={"Content-Type": _CONTENT_TYPE})
    except httpx.HTTPError as error:
        raise SchemaRegistryUnavailable(
            f"cannot reach the schema registry at {url} (SLUICE_SCHEMA_REGISTRY_URL): {error or type(error).__name__}"
        ) from None
    if answer.is_success:
        try:
            return msgspec.json.decode(answer.content, type=_Registered).id
        except msgspec.DecodeError:
            raise ConfigurationError(f"{url} does not answer as a schema registry: check its address") from None
    raise _refusal(answer, url, subject, register=register)


def _refusal(answer: httpx.Response, url: str, subject: str, *, register: bool) -> Exception:
    """What the registry's error means, and the remedy, in one line."""
    status = answer.status_code
    if status in _NO_LOGIN:
        return ConfigurationError(
            f"the schema registry at {url} refuses access to {subject} ({status}): check "
            "SLUICE_SCHEMA_REGISTRY_USERNAME and its password, or the rights of this user"
        )
    if status == _INCOMPATIBLE:
        return ConfigurationError(
            f"the schema registry finds our schema of {subject} incompatible with the one that it has: set the "
            "compatibility of this subject to FORWARD, because a new version of an event adds fields"
        )
    if status == _NOT_FOUND and not register:
        return ConfigurationError(
            f"the schema registry at {url} does not have our schema of {subject}: run `sluice schemas publish`, or set "
            "SLUICE_SCHEMA_REGISTRY_REGISTER=true"
        )
    reason = f"the schema registry at {url} answers {status} for {subject}: {_reason(answer)}"
    return SchemaRegistryUnavailable(reason) if answer.is_server_error else ConfigurationError(reason)


def _reason(answer: httpx.Response) -> str:
    try:
        message = msgspec.json.decode(answer.content, type=_Refused).message
    except msgspec.DecodeError:
        message = ""
    printable = "".join(letter if letter.isprintable() else " " for letter in message)
    return printable[:_LONGEST_REASON].strip() or answer.reason_phrase


def _trust(settings: Settings) -> ssl.SSLContext:
    ca = settings.schema_registry_ca
    try:
        context = ssl.create_default_context(cafile=ca)
        if settings.schema_registry_certificate:
            context.load_cert_chain(settings.schema_registry_certificate, settings.schema_registry_key)
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(
            f"SLUICE_SCHEMA_REGISTRY_CA, _CERTIFICATE or _KEY: not a PEM file that can be used: {error}"
        ) from None
    return context
