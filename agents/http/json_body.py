"""From the bytes of a body to the request in them, or to an error that names the field and the remedy."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec

from sluicegate.schemas.errors import RequestRefused

BodyT = TypeVar("BodyT")

_PLACE: Final = re.compile(r"(.*) - at `(\$[^`]*)`", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_LONGEST_NAME: Final = 80

_Members = list[tuple[str, Any]]


class BodyDecoder(Generic[BodyT]):
    """Decodes the bodies of one type."""

    def __init__(self, body: type[BodyT]) -> None:
        self._decode = msgspec.json.Decoder(body).decode
        self._choices = _choices_of(body)

    def decode(self, content: bytes) -> BodyT:
        """The request in `content`.

        Raises:
            RequestRefused: it is not JSON, it repeats a key, or it is not what the route takes. The message names the
                field.
        """
        try:
            body = self._decode(content)
            refuse_repeated_keys(content)
        except msgspec.ValidationError as error:
            raise self._refusal(str(error)) from None
        except UnicodeDecodeError:
            raise RequestRefused("invalid_json", "the body is not UTF-8: encode the JSON as UTF-8") from None
        except RecursionError:
            raise RequestRefused("invalid_json", "the body is nested too deeply: send one flat JSON object") from None
        except (msgspec.DecodeError, OverflowError, ValueError) as error:
            raise RequestRefused("invalid_json", f"the body is not JSON: {error}") from None
        return body

    def _refusal(self, problem: str) -> RequestRefused:
        message, field = problem, "$"
        if place := _PLACE.fullmatch(problem):
            message, field = place.groups()
        if unknown := _UNKNOWN.fullmatch(message):
            name = unknown[1][:_LONGEST_NAME]
            message, field = f"unknown field `{name}`: see /openapi.json", f"{field}.{name}"
        if (choices := self._choices.get(field.rpartition(".")[2])) and message.startswith("Invalid enum value"):
            message = f"{message[:_LONGEST_NAME]}: send {choices}"
        return RequestRefused("invalid_field", message, field=None if field == "$" else field)


def refuse_repeated_keys(content: bytes) -> None:
    """Refuse JSON with an object that has a key twice: which value counts differs from one parser to the next.

    A proxy in front, or a log, may have read the other one. `content` was decoded before, so it is JSON.

    Raises:
        RequestRefused: names the key.
    """
    last: _Members = []
    repeating: _Members = []

    def see(members: _Members) -> None:
        nonlocal last, repeating
        last = members  # the outermost is read to its end last
        if not repeating and len({key for key, _ in members}) < len(members):
            repeating = members

    json.loads(content, object_pairs_hook=see, parse_int=float)
    if repeating:
        key, _ = Counter(key for key, _ in repeating).most_common(1)[0]
        name = key[:_LONGEST_NAME]
        raise RequestRefused(
            "invalid_field",
            f"the key `{name}` is there twice: send it once",
            field=f"$.{name}" if repeating is last else None,
        )


def _choices_of(body: type[object]) -> Mapping[str, str]:
    """The values that a field may have, by its name, for fields of `body` and of the objects in it."""
    _, components = msgspec.json.schema_components([body], schema_hook=lambda _: {"description": "Any value."})
    fields = (field for each in components.values() for field in each.get("properties", {}).items())
    return {
        name: " or ".join(f"`{value}`" for value in values)
        for name, field in fields
        for each in (field, *field.get("anyOf", ()))
        if (values := each.get("enum"))
    }
