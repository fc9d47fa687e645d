"""One object out of one text without a model: for each place of the schema, the candidate that fits best.

A piece of the text is used once within an object: the surest candidate takes it. A free text that nothing names waits
for the dates, numbers and addresses.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from sluicegate.models.formatting.formatter import ValueSource
from sluicegate.models.formatting.hints import Hints
from sluicegate.models.formatting.keywords import Json, pointer
from sluicegate.models.formatting.leaves import (
    Candidate,
    boolean_candidates,
    enum_candidates,
    free_string,
    number_candidates,
    string_candidates,
    types_of,
)
from sluicegate.models.formatting.mentions import Mentions, Span
from sluicegate.models.formatting.schema import FormatSchema

_SURE: Final = 0.3
"""From this score on, more than the type speaks for a candidate."""
_NAMED: Final = 0.4
"""From this score on, more than the shape speaks for a free text: a label, a cue or quotation marks."""

_DEEPEST: Final = 16
_MOST_CANDIDATES: Final = 300


class TimeEnded(Exception):
    """The deadline passed."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value, where its parts come from, and how surely. `nothing`: it is null or empty."""

    value: Json
    sources: tuple[ValueSource, ...] = ()
    score: float = 0.0
    nothing: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """No value was found for the place `pointer`, which the schema requires.

    `keyword`: the rule of the schema that refuses what the text has for it.
    """

    pointer: str
    keyword: str | None = None


Outcome = Found | Missing
Path = tuple[str | int, ...]


@dataclass
class Extraction:
    """The work on one text. `deadline` is on `time.monotonic`. Not thread-safe."""

    schema: FormatSchema
    mentions: Mentions
    deadline: float | None = None
    assumed: dict[str, Path] = field(default_factory=dict)
    """The paths of the values that the text leaves partly open, by their pointers."""
    _taken: list[tuple[int, int, bool]] = field(default_factory=list)

    def run(self) -> Outcome:
        """The value of the whole schema. Raises TimeEnded."""
        return self._value(self.schema.document, (), Hints.of("", self.schema.document), 0)

    def _value(self, part: Json, path: Path, hints: Hints, depth: int) -> Outcome:
        part = self._merged(self.schema.target(part))
        if depth > _DEEPEST or part is False:
            return Missing(pointer(*path))
        if part is True or not part:
            part = {"type": "string"}
        for keyword in ("anyOf", "oneOf"):
            if keyword in part:
                rest = {name: value for name, value in part.items() if name != keyword}
                return self._best_of([self._with(rest, branch) for branch in part[keyword]], path, hints, depth)
        if "const" in part:
            return Found(part["const"], (ValueSource(pointer(*path), None, None, "enum"),), 0.2)
        if "enum" in part:
            return self._leaf(part, path, hints)
        types = types_of(part) or (["object"] if "properties" in part else ["array"] if "items" in part else ["string"])
        if "object" in types:
            return self._object(part, path, depth)
        if "array" in types:
            return self._array(part, path, hints, depth)
        return self._leaf(part, path, hints)

    def _with(self, rest: Json, branch: Json) -> Json:
        branch = self.schema.target(branch)
        return {**rest, **branch} if isinstance(branch, dict) else branch

    def _merged(self, part: Json) -> Json:
        """`part` with the properties and rules of its `allOf` in it."""
        if not isinstance(part, dict) or "allOf" not in part:
            return part
        merged = {name: value for name, value in part.items() if name != "allOf"}
        for one in part["allOf"]:
            one = self._merged(self.schema.target(one))
            for name, value in (one if isinstance(one, dict) else {}).items():
                if name == "properties":
                    merged[name] = {**merged.get(name, {}), **value}
                elif name == "required":
                    merged[name] = [*merged.get(name, []), *value]
                else:
                    merged.setdefault(name, value)
        return merged

    def _best_of(self, branches: list[Json], path: Path, hints: Hints, depth: int) -> Outcome:
        """What the best branch gives. A branch that finds nothing leaves the text to the others."""
        best: Outcome = Missing(pointer(*path))
        taken, best_taken = list(self._taken), self._taken
        for branch in branches:
            self._taken = list(taken)
            outcome = self._value(branch, path, hints, depth + 1)
            if isinstance(outcome, Found) and (isinstance(best, Missing) or outcome.score > best.score):
                best, best_taken = outcome, self._taken
            elif isinstance(outcome, Missing) and isinstance(best, Missing) and not best.keyword:
                best = outcome
        self._taken = best_taken
        return best

    def _leaf(self, part: Json, path: Path, hints: Hints) -> Outcome:
        chosen = next(iter(self._ranked(part, hints)), None)
        if chosen is None:
            return self._null(part, path, part, hints)
        return self._use(chosen, path)

    def _use(self, chosen: Candidate, path: Path) -> Found:
        if chosen.start is not None and chosen.end is not None and chosen.how != "boolean":
            self._taken.append((chosen.start, chosen.end, chosen.shared))
        if chosen.assumed:
            self.assumed[pointer(*path)] = path
        source = ValueSource(pointer(*path), chosen.start, chosen.end, chosen.how, chosen.assumed)
        return Found(chosen.value, (source,), chosen.score)

    def _null(self, part: Json, path: Path, leaf: Json, hints: Hints) -> Outcome:
        """Null where `part` allows it. `leaf` is the kind of value that was looked for."""
        if self.schema.part_allows(part, None):
            return Found(None, (ValueSource(pointer(*path), None, None, "null"),), nothing=True)
        return Missing(pointer(*path), self._refusal(leaf, hints))

    def _refusal(self, leaf: Json, hints: Hints) -> str | None:
        """The rule that refuses the best free candidate. A piece that a pattern alone would choose is none."""
        least = 1.0 if "pattern" in leaf else 0.1
        candidates = islice(self._candidates(leaf, hints), _MOST_CANDIDATES)
        free = [one for one in candidates if one.score >= least and self._is_free(one)]
        for one in sorted(free, key=lambda one: -one.score):
            if keyword := self.schema.part_refuses(leaf, one.value):
                return keyword
        return None

    def _ranked(self, part: Json, hints: Hints) -> list[Candidate]:
        """The candidates for a leaf that are free and that its schema allows, the best first."""
        return [one for one in self._allowed(part, hints) if self._is_free(one)]

    def _allowed(self, part: Json, hints: Hints) -> list[Candidate]:
        """The candidates for a leaf that its schema allows, the best first."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise TimeEnded
        candidates = islice(self._candidates(part, hints), _MOST_CANDIDATES)
        allowed = (one for one in candidates if self.schema.part_allows(part, one.value))
        return sorted(allowed, key=lambda one: -one.score)

    def _candidates(self, part: Json, hints: Hints) -> Iterator[Candidate]:
        if "enum" in part:
            yield from enum_candidates(part["enum"], self.mentions, hints)
            return
        types = types_of(part) or ["string"]
        if "boolean" in types:
            yield from boolean_candidates(self.mentions, hints)
        if "integer" in types or "number" in types:
            yield from number_candidates(part, self.mentions, hints)
        if "string" in types:
            yield from string_candidates(part, self.mentions, hints)

    def _is_free(self, one: Candidate) -> bool:
        if one.start is None or one.end is None or one.how in ("boolean", "enum"):
            return True
        return not any(
            start < one.end and one.start < end and shared == one.shared for start, end, shared in self._taken
        )

    def _object(self, part: Json, path: Path, depth: int) -> Outcome:
        properties = part.get("properties", {})
        required = part.get("required", [])
        found: dict[str, Found] = {}
        leaves = {}
        nested = []
        for name, one in properties.items():
            target = self._merged(self.schema.target(one))
            leaf = self._leaf_of(target)
            if leaf is None:
                nested.append((name, target))
            else:
                leaves[name] = (leaf, target, Hints.of(name, target))
        self._assign(leaves, required, path, found)
        for name, target in nested:
            outcome = self._value(target, (*path, name), Hints.of(name, target), depth + 1)
            if isinstance(outcome, Missing):
                if name in required:
                    return outcome
            elif name in required or not outcome.nothing:
                found[name] = outcome
        for name in required:
            if name in found:
                continue
            if name not in leaves:
                return Missing(pointer(*path, name))
            leaf, target, hints = leaves[name]
            absent = self._null(target, (*path, name), leaf, hints)
            if isinstance(absent, Missing):
                return absent
            found[name] = absent
        ordered = [name for name in properties if name in found]
        return Found(
            {name: found[name].value for name in ordered},
            tuple(source for name in ordered for source in found[name].sources),
            sum(found[name].score for name in ordered if not found[name].nothing),
            nothing=all(found[name].nothing or found[name].score <= 0.2 for name in ordered),
        )

    def _leaf_of(self, target: Json) -> Json | None:
        """The schema of the single value that `target` asks for, or None if it asks for more.

        A union of one kind of value with null is that kind.
        """
        if not isinstance(target, dict) or "const" in target:
            return None
        if "enum" in target:
            return target
        for keyword in ("anyOf", "oneOf"):
            if keyword in target:
                branches = [self.schema.target(branch) for branch in target[keyword]]
                others = [one for one in branches if isinstance(one, dict) and one.get("type") != "null"]
                return self._leaf_of(others[0]) if len(others) == 1 and len(branches) == 2 else None
        types = set(types_of(target)) - {"null"}
        return target if types and types <= {"string", "integer", "number", "boolean"} else None

    def _assign(
        self, leaves: dict[str, tuple[Json, Json, Hints]], required: list[str], path: Path, found: dict[str, Found]
    ) -> None:
        """Give each leaf its candidate: the surest first, then what is left to those that are required or alone.

        Free texts come last, but for those that the text names.
        """

        allowed = {name: self._allowed(leaf, hints) for name, (leaf, _, hints) in leaves.items()}

        def best(accept: Callable[[str, Candidate], bool]) -> tuple[str, Candidate] | None:
            choices = [
                (name, candidate)
                for name in leaves
                if name not in found
                for candidate in islice(filter(self._is_free, allowed[name]), 1)
                if accept(name, candidate)
            ]
            return max(choices, key=lambda choice: choice[1].score, default=None)

        def typed(name: str) -> bool:
            return not free_string(leaves[name][0])

        def open_to_rest(name: str) -> bool:
            return name in required or self._alone(name, leaves, found)

        rounds: tuple[Callable[[str, Candidate], bool], ...] = (
            lambda name, one: one.score > (_SURE if typed(name) else _NAMED),
            lambda name, _: typed(name) and open_to_rest(name),
            lambda _, one: one.score > _SURE,
            lambda name, _: open_to_rest(name),
        )
        for accept in rounds:
            while choice := best(accept):
                found[choice[0]] = self._use(choice[1], (*path, choice[0]))

    @staticmethod
    def _alone(name: str, leaves: dict[str, tuple[Json, Json, Hints]], found: dict[str, Found]) -> bool:
        """Whether no other open leaf is of the same kind."""

        def kind(one: str) -> tuple[object, ...]:
            return (*sorted(set(types_of(leaves[one][0])) - {"null"}), leaves[one][0].get("format"))

        return sum(kind(other) == kind(name) for other in leaves if other not in found) == 1

    def _array(self, part: Json, path: Path, hints: Hints, depth: int) -> Outcome:
        if "prefixItems" in part:
            return self._tuple(part, path, hints, depth)
        items = self._merged(self.schema.target(part.get("items", {"type": "string"})))
        most = part.get("maxItems", 100)
        leaf = self._leaf_of(items)
        if leaf is None:
            found = self._objects(items, path, depth, most)
        else:
            found = [self._use(one, (*path, index)) for index, one in enumerate(self._several(leaf, hints)[:most])]
        if len(found) < part.get("minItems", 0):
            if self.schema.part_allows(part, None):
                return Found(None, (ValueSource(pointer(*path), None, None, "null"),), nothing=True)
            return Missing(pointer(*path, len(found)), self._refusal(leaf, hints) if leaf is not None else None)
        return Found(
            [one.value for one in found],
            tuple(source for one in found for source in one.sources),
            sum(one.score for one in found),
            nothing=not found,
        )

    def _tuple(self, part: Json, path: Path, hints: Hints, depth: int) -> Outcome:
        values = []
        for index, one in enumerate(part["prefixItems"]):
            outcome = self._value(one, (*path, index), hints, depth + 1)
            if isinstance(outcome, Missing):
                return outcome
            values.append(outcome)
        return Found(
            [one.value for one in values],
            tuple(source for one in values for source in one.sources),
            sum(one.score for one in values),
        )

    def _several(self, leaf: Json, hints: Hints) -> list[Candidate]:
        """Values for an array, in the order of the text: each enum value once; else what stands in one list."""
        if "enum" not in leaf and (labelled := hints.labelled(self.mentions)) and "string" in types_of(leaf):
            return [
                Candidate(one.text, one.start, one.end, "text", 1.0)
                for one in _list_items(labelled)
                if self.schema.part_allows(leaf, one.text)
            ]
        chosen: list[Candidate] = []
        for one in self._ranked(leaf, hints):
            overlaps = any(
                other.start is not None
                and one.start is not None
                and other.start < (one.end or 0)
                and one.start < (other.end or 0)
                for other in chosen
            )
            if not overlaps and one.value not in [other.value for other in chosen]:
                chosen.append(one)
        return sorted(chosen, key=lambda one: one.start or 0)

    def _objects(self, items: Json, path: Path, depth: int, most: int) -> list[Found]:
        """An object from each part of the text between separators, where there is one."""
        found: list[Found] = []
        for piece in _clauses(self.mentions.text):
            if len(found) >= most:
                break
            inner = Extraction(self.schema, Mentions(piece.text), self.deadline)
            outcome = inner._value(items, (*path, len(found)), Hints.of("", items), depth + 1)
            if isinstance(outcome, Found) and not outcome.nothing:
                found.append(Found(outcome.value, _moved(outcome.sources, piece.start), outcome.score))
        return found


def _moved(sources: tuple[ValueSource, ...], by: int) -> tuple[ValueSource, ...]:
    return tuple(
        ValueSource(
            one.pointer,
            None if one.start is None else one.start + by,
            None if one.end is None else one.end + by,
            one.how,
        )
        for one in sources
    )


def _clauses(text: str) -> list[Span]:
    """The parts of `text` between line feeds, semicolons, commas with a space, and "and"."""
    return _split(text, 0, r"\n|;|,\s|\band\b|\bplus\b|\.\s")


def _list_items(span: Span) -> list[Span]:
    return _split(span.text, span.start, r",|\band\b|&|/")


def _split(text: str, start: int, separator: str) -> list[Span]:
    parts = []
    place = 0
    for match in [*re.finditer(separator, text), None]:
        end = match.start() if match else len(text)
        piece = text[place:end]
        left = len(piece) - len(piece.lstrip())
        if piece.strip():
            parts.append(Span(start + place + left, start + place + left + len(piece.strip()), piece.strip()))
        place = match.end() if match else end
    return parts
