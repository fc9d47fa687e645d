"""Reading a policy file: TOML, checked as a whole, with the text files of its lists.

name = "toy-shop"

[thresholds.sexual]                # for all traffic; what is left out is the model's own
allow = 0.1
block = 0.4

[second.thresholds.sexual]         # for the second model, where it needs others (SLUICE_SECOND_MODEL)
allow = 0.3
block = 0.7

[surface.kids]                     # for the events of one surface
sum_bound = 0.2
thresholds.violence = { allow = 0.05, block = 0.3 }

[list.slurs]
action = "block"
category = "hate"
file = "slurs.txt"                 # in the folder of the policy file, one term a line
"""

import re
import tomllib
from collections.abc import Iterator
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec

from sluicegate.models.artifacts.files import open_regular
from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.threshold_errors import wrong_threshold
from sluicegate.models.policy.term_lists import Action, TermList, key_of
from sluicegate.models.policy.words import words_of
from sluicegate.schemas.errors import PolicyFileError
from sluicegate.schemas.events import Threshold

PolicyName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]

_ListName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}\Z")]
_FileName = Annotated[str, msgspec.Meta(pattern=r"^(?!policy\.toml\Z)[^/\\\0.][^/\\\0]{0,199}\Z")]
"""A plain name: lists lie in the folder of the policy file, and are copied with it."""
_SurfaceName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_SumBound = Annotated[float, msgspec.Meta(ge=0)]

_LARGEST_BYTES: Final = 64_000_000
_LONGEST_TERM: Final = 200
_REPORTED: Final = 5
"""Mistakes that one message names. The rest is counted."""

KindT = TypeVar("KindT")


class Bounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds by category and the bound on their sum. What is left out stays as it was."""

    thresholds: dict[Category, Threshold] = {}
    sum_bound: _SumBound | None = None


class PolicyFile(msgspec.Struct, frozen=True):
    """All that a policy file and its lists say."""

    name: str
    bounds: Bounds
    surfaces: dict[str, Bounds]
    lists: tuple[TermList, ...]
    second: Bounds | msgspec.UnsetType = msgspec.UNSET
    """What the second model needs otherwise than `bounds`. Unset, it leaves the version as it is without it."""

    @property
    def version(self) -> str:
        """The name and a hash of the content: the same for the same content, on every machine."""
        return f"{self.name}@{sha256(msgspec.json.encode(self, order='deterministic')).hexdigest()[:12]}"


class _ListTable(msgspec.Struct, forbid_unknown_fields=True):
    action: Action
    category: Category | None = None
    surface: _SurfaceName | None = None
    terms: list[str] = []
    file: _FileName | None = None

    def __post_init__(self) -> None:
        if self.action is not Action.ALLOW and self.category is None:
            raise ValueError(f"a list that says {self.action.value!r} needs a category")


def read_policy(path: Path) -> PolicyFile:
    """The policy in the file at `path`.

    Raises:
        PolicyFileError: it cannot be read, or is wrong. One line that names the key or the line of each mistake.
    """
    return _Reading(path).policy()


def files_of_policy(path: Path) -> list[Path]:
    """The policy file at `path` and the files of its lists, as far as it can be read."""
    try:
        tables = tomllib.loads(_text_of(path)).get("list", {})
    except (OSError, ValueError):
        return [path]
    names = [table.get("file") for table in tables.values() if isinstance(table, dict)] if tables else []
    return [path, *(path.parent / name for name in names if isinstance(name, str) and "\0" not in name)]


class _Reading:
    """One reading of a policy file. It collects the mistakes, so that one message can name several."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mistakes: list[str] = []

    def policy(self) -> PolicyFile:
        document = self._document()
        name = self._name(document)
        surfaces = self._tables(document, "surface")
        lists = self._tables(document, "list")
        second = self._table(document, "second")
        bounds = self._bounds(document, "")
        policy = PolicyFile(
            name or "",
            bounds or Bounds(),
            {surface: self._bounds(table, f"surface.{surface}.") or Bounds() for surface, table in surfaces.items()},
            tuple(each for each in (self._list(name, table) for name, table in sorted(lists.items())) if each),
            (self._bounds(second, "second.") or Bounds()) if second else msgspec.UNSET,
        )
        self._find_contradictions(policy.lists)
        if self._mistakes:
            more = len(self._mistakes) - _REPORTED
            named = "; ".join(self._mistakes[:_REPORTED])
            raise PolicyFileError(_one_line(f"{self._path}: {named}{f'; and {more} more' if more > 0 else ''}"))
        return policy

    def _name(self, document: dict[str, object]) -> str | None:
        if "name" not in document:
            self._mistakes.append('the key `name` is missing: write name = "…" at the top')
            return None
        return self._convert(document.pop("name"), PolicyName, "name")

    def _document(self) -> dict[str, object]:
        try:
            return tomllib.loads(_text_of(self._path))
        except OSError as error:
            raise PolicyFileError(f"cannot read the policy {self._path}: {error.strerror or error}") from None
        except (ValueError, RecursionError) as error:
            raise PolicyFileError(f"{self._path} is not TOML: {error or 'it is nested too deeply'}") from None

    def _tables(self, document: dict[str, object], key: str) -> dict[str, dict[str, object]]:
        found = document.pop(key, {})
        if not isinstance(found, dict) or not all(isinstance(table, dict) for table in found.values()):
            self._mistakes.append(f"{key}: write tables such as [{key}.NAME]")
            return {}
        names = _SurfaceName if key == "surface" else _ListName
        return {name: table for name, table in found.items() if self._convert(name, names, f"{key}.{name}") is not None}

    def _table(self, document: dict[str, object], key: str) -> dict[str, object]:
        found = document.pop(key, {})
        if isinstance(found, dict):
            return found
        self._mistakes.append(f"{key}: write a table such as [{key}.thresholds.hate]")
        return {}

    def _bounds(self, table: dict[str, object], where: str) -> Bounds | None:
        thresholds = table.get("thresholds", {})
        if isinstance(thresholds, dict):
            for category, threshold in thresholds.items():
                extra = sorted(set(threshold) - {"allow", "block"}) if isinstance(threshold, dict) else []
                if extra:
                    self._mistakes.append(f"{where}thresholds.{category}: unknown key `{extra[0]}`: use allow, block")
        if problem := wrong_threshold(thresholds):
            self._mistakes.append(f"{where}thresholds: {problem}")
            return None
        return self._convert(table, Bounds, where.removesuffix("."))

    def _list(self, name: str, table: dict[str, object]) -> TermList | None:
        where = f"list.{name}"
        found = self._convert(table, _ListTable, where)
        if found is None:
            return None
        placed = [(f"{where}.terms[{number}]", term) for number, term in enumerate(found.terms)]
        if found.file:
            placed += self._lines(self._path.parent / found.file, where)
        if not placed:
            self._mistakes.append(f"{where}: it has no terms: give terms or file")
        return TermList(name, found.action, found.category, found.surface, tuple(self._terms(placed)))

    def _lines(self, path: Path, where: str) -> list[tuple[str, str]]:
        """The terms of a text file, each with its line: empty lines and lines that begin with # are left out."""
        try:
            lines = _text_of(path).splitlines()
        except OSError as error:
            self._mistakes.append(f"{where}.file: cannot read {path}: {error.strerror or error}")
            return []
        except UnicodeDecodeError as error:
            self._mistakes.append(f"{where}.file: {path} is not UTF-8: {error.reason} at byte {error.start}")
            return []
        stripped = ((number, line.strip()) for number, line in enumerate(lines, 1))
        return [(f"{path.name}, line {number}", line) for number, line in stripped if line and line[0] != "#"]

    def _terms(self, placed: list[tuple[str, str]]) -> Iterator[str]:
        """The terms, each of them checked."""
        places: dict[str, str] = {}
        for place, term in placed:
            key = key_of(words_of(term))
            if not key:
                self._mistakes.append(f"{place}: the term is empty: it has no letter, digit or sign")
            elif len(term) > _LONGEST_TERM:
                self._mistakes.append(f"{place}: the term has {len(term)} characters, {_LONGEST_TERM} are allowed")
            elif key in places:
                self._mistakes.append(f"{place}: {term!r} is a duplicate of {places[key]}: remove one")
            else:
                places[key] = place
                yield term

    def _find_contradictions(self, lists: tuple[TermList, ...]) -> None:
        """A term may be in several lists, but not with two actions for the same events."""
        owners: dict[tuple[str | None, str], TermList] = {}
        for each in lists:
            for term in each.terms:
                owner = owners.setdefault((each.surface, key_of(words_of(term))), each)
                if owner.action is not each.action:
                    self._mistakes.append(
                        f"list.{owner.name} says {owner.action.value} and list.{each.name} says {each.action.value} "
                        f"for {term!r}: remove it from one"
                    )

    def _convert(self, value: object, kind: type[KindT], where: str) -> KindT | None:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            self._mistakes.append(_in_toml(str(error), kind, where))
            return None


def _in_toml(error: str, kind: type, where: str) -> str:
    """An error of msgspec in the words of a TOML file: where, and what to write instead."""
    reason, _, path = error.partition(" - at `$")
    reason = reason.replace(" | null", "")  # TOML has no null
    place = ".".join(filter(None, [where, path.strip("`.")]))
    known = [*getattr(kind, "__struct_fields__", ()), *(() if where else ("name", "second", "surface", "list"))]
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", reason, re.DOTALL):
        reason = f"unknown key `{unknown[1]}`: use {', '.join(known)}"
    elif missing := re.fullmatch(r"Object missing required field `(.*)`", reason):
        reason = f"the key `{missing[1]}` is missing"
    elif reason.startswith("Invalid enum value"):
        words: type[StrEnum] = Action if place.endswith("action") else Category
        reason = f"{reason.removeprefix('Invalid enum value ')} is unknown: use {', '.join(words)}"
    return f"{place or 'at the top'}: {reason}"


def _one_line(message: str) -> str:
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in message)


def _text_of(path: Path) -> str:
    """The content of a file of UTF-8.

    Raises:
        OSError, UnicodeDecodeError: it cannot be read.
    """
    with open_regular(path) as file:
        content = file.read(_LARGEST_BYTES + 1)
    if len(content) > _LARGEST_BYTES:
        raise OSError(27, f"it has more than {_LARGEST_BYTES} bytes", str(path))
    return content.decode("utf-8-sig")
