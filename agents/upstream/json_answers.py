"""How a chat API is asked for JSON: by a schema, as any JSON object, or in words alone, where it refuses the former."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from sluicegate.agents.upstream.config import JsonMode

Mode: TypeAlias = Literal["schema", "object", "text"]

_STRICTEST_FIRST: Final[tuple[Mode, ...]] = ("schema", "object", "text")


@dataclass(frozen=True)
class AnswerSchema:
    """The JSON Schema that an answer must follow, and its name."""

    name: str
    schema: Mapping[str, object]


class JsonAnswers:
    """Finds out how an API can be asked, once: the strictest way that it answered to is used from then on.

    A refusal after that is about the request. Before it, nothing is learnt from refusals alone.
    """

    def __init__(self, mode: JsonMode) -> None:
        self._known: Mode | None = None if mode == "auto" else mode

    def modes(self) -> Sequence[Mode]:
        """What to try, in order."""
        return (self._known,) if self._known else _STRICTEST_FIRST

    def falls_back(self, refused: Mode) -> bool:
        """Whether another one may be tried after `refused`."""
        return self._known is None and refused != _STRICTEST_FIRST[-1]

    def worked(self, mode: Mode) -> None:
        """The API has answered to `mode`."""
        self._known = self._known or mode

    @staticmethod
    def fields(mode: Mode, schema: AnswerSchema) -> dict[str, object]:
        """What `mode` adds to a request."""
        if mode == "schema":
            of_schema = {"name": schema.name, "strict": True, "schema": dict(schema.schema)}
            return {"response_format": {"type": "json_schema", "json_schema": of_schema}}
        return {"response_format": {"type": "json_object"}} if mode == "object" else {}
