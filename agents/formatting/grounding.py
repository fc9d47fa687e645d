"""What an event, an answer over HTTP and the command line say about a formatted value."""

from sluicegate.models.formatting.formatter import Formatted
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.schemas.events import FollowedSchema, Grounding


def followed(schema: FormatSchema) -> FollowedSchema:
    """The schema that a value follows."""
    return FollowedSchema(id=schema.schema_id, version=schema.version, hash=schema.schema_hash)


def grounding_of(formatted: Formatted) -> list[Grounding]:
    """Where the values come from."""
    return [
        Grounding(pointer=source.pointer, how=source.how, start=source.start, end=source.end)
        for source in formatted.sources
    ]
