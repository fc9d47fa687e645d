"""The contracts for other languages and tools: a JSON Schema 2020-12 file per event and one AsyncAPI 3 document.

The schemas are written so that code generators understand them: every field says itself what it means, and a field with
one value is a typed constant. To a validator that makes no difference.
"""

from collections.abc import Mapping
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from sluicegate.schemas.errors import StreamFailed
from sluicegate.schemas.events import Output
from sluicegate.schemas.headers import REPLAY_OF, REPLAY_SIGNATURE, REPLAY_TIMESTAMP
from sluicegate.schemas.topics import TOPICS

_TYPES: Final = {str: "string", int: "integer", bool: "boolean"}
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_OUTPUT_HEADERS: Final = {
    "traceparent": {"type": "string", "description": "W3C Trace Context of the event."},
    REPLAY_OF: {"type": "string", "description": "For a replay: topic-partition-offset of the original record."},
}
_HEADERS: Final = {
    **_OUTPUT_HEADERS,
    REPLAY_TIMESTAMP: {"type": "string", "description": "For a replay: the original's Kafka timestamp in ms."},
    REPLAY_SIGNATURE: {"type": "string", "description": "For a replay: the proof that `sluice replay` published it."},
}


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of the event `name` (a key of `TOPICS`), with its definitions inside."""
    event = TOPICS[name].event
    (reference,), components = msgspec.json.schema_components([event], ref_template="#/$defs/{name}")
    root = components.pop(reference["$ref"].rpartition("/")[2])
    if issubclass(event, Output):
        root["required"] += ["schema", "schema_version"]
    for part in (root, *components.values()):
        part["description"] = cleandoc(part["description"])
        part["properties"] = {field: _plain(of, components) for field, of in part["properties"].items()}
    return {"$schema": _DIALECT, "$id": f"urn:sluicegate:{name}:1", **root, "$defs": components}


def describe_field(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """The description of a field in a JSON Schema: its own, or that of the one thing that it can be."""
    if "description" in field:
        return str(field["description"])
    if "$ref" in field:
        definition = definitions[field["$ref"].rpartition("/")[2]]
        return str(definition["description"]).partition("\n")[0]
    choices = [choice for choice in field.get("anyOf", ()) if choice.get("type") != "null"]
    return describe_field(choices[0], definitions) if len(choices) == 1 else ""


def _plain(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """`field` as code generators understand it: described where it is used, with a type beside its values."""
    plain = {"description": describe_field(field, definitions), **field}
    if "anyOf" in field:
        plain["anyOf"] = [{key: of for key, of in choice.items() if key != "description"} for choice in field["anyOf"]]
    if "enum" in field:
        values = plain.pop("enum")
        plain["type"] = _TYPES[type(values[0])]
        plain |= {"const": values[0]} if len(values) == 1 else {"enum": values}
    return plain


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0.0 document of the workers. It refers to the JSON Schema files in the same folder."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Sluicegate",
            "version": "1",
            "description": "Raw queries in; moderated, understood and rewritten queries out. Raw actions in; JSON that "
            "follows their schemas out. Topic names are settings.",
        },
        "defaultContentType": "application/json",
        "channels": {
            name: {
                "address": topic.default_topic,
                "description": topic.summary,
                "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            }
            for name, topic in TOPICS.items()
        },
        "operations": {
            f"{topic.direction}_{name}": {
                "action": topic.direction,
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}],
            }
            for name, topic in TOPICS.items()
        },
        "components": {
            "messages": {
                name: {
                    "name": topic.event.__name__,
                    "summary": (topic.event.__doc__ or "").partition("\n")[0],
                    "headers": {
                        "type": "object",
                        "properties": _HEADERS if topic.direction == "receive" else _OUTPUT_HEADERS,
                    },
                    "payload": {
                        "schemaFormat": "application/schema+json;version=draft-2020-12",
                        "schema": {"$ref": f"./{name}.schema.json"},
                    },
                }
                for name, topic in TOPICS.items()
            }
        },
    }


def export(folder: Path) -> list[Path]:
    """Write every document into `folder` and return the files. Equal contracts give equal bytes.

    Raises:
        StreamFailed: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write(folder)
    except OSError as error:
        raise StreamFailed(f"cannot write into {folder}: {error.strerror or error}") from None


def _write(folder: Path) -> list[Path]:
    documents = {f"{name}.schema.json": json_schema(name) for name in TOPICS} | {"asyncapi.json": asyncapi()}
    written = []
    for file_name, document in documents.items():
        path = folder / file_name
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        written.append(path)
    return written
