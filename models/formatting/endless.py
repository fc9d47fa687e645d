"""Schemas that only an endless value follows, as an object that must have another one like itself inside."""

from sluicegate.models.formatting.keywords import Json, pointer, resolve, subschemas
from sluicegate.schemas.errors import SchemaRefused


def check_ends(document: Json) -> None:
    """Raises SchemaRefused where every value of `document` would be endless."""
    references = {
        part["$ref"] for _, part in subschemas(document) if isinstance(part, dict) and isinstance(part.get("$ref"), str)
    }
    ended: set[str] = set()
    while newly := {one for one in references - ended if _ends(resolve(document, one), ended)}:
        ended |= newly
    if _ends(document, ended):
        return
    for path, part in subschemas(document):
        if isinstance(part, dict) and part.get("$ref") in references - ended:
            raise SchemaRefused(
                "every value of this schema is endless: make a property optional or allow null",
                path=pointer(*path),
                keyword="$ref",
            )


def _ends(part: Json, ended: set[str]) -> bool:
    """Whether a value of `part` can end, given the references in `ended`, whose values can."""
    if not isinstance(part, dict):
        return True
    if "$ref" in part and part["$ref"] not in ended:
        return False
    if not all(_ends(one, ended) for one in part.get("allOf", ())):
        return False
    if any(keyword in part and not any(_ends(one, ended) for one in part[keyword]) for keyword in ("anyOf", "oneOf")):
        return False
    types = part.get("type", ())
    types = {types} if isinstance(types, str) else set(types)
    if types == {"object"}:
        properties = part.get("properties", {})
        return all(_ends(properties.get(name), ended) for name in part.get("required", ()))
    if types == {"array"} and part.get("minItems", 0) > 0:
        first = part.get("prefixItems", [])[: part["minItems"]]
        return all(_ends(one, ended) for one in [*first, part.get("items")])
    return True
