"""The schemas that actions name by id and version: a folder of JSON files.

FOLDER/order.json            the schema `order`, without a version
FOLDER/booking/1.json        the schema `booking`, version `1`
FOLDER/booking/2.json        its version `2`: the newest, which counts where an action names no version
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Self

from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.schemas.errors import ConfigurationError, SchemaRefused, SchemaUnknown

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_SHOWN: Final = 8


class SchemaFolder:
    """Every schema of a folder, checked. Immutable."""

    def __init__(self, schemas: Mapping[str, Mapping[str | None, FormatSchema]]) -> None:
        """`schemas` by id and version, the newest version last."""
        self._schemas = schemas

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read and check every file. Blocks, some milliseconds for each.

        Raises:
            ConfigurationError: the folder cannot be read, or a file is no schema that can be followed. Names the file.
        """
        if not folder.is_dir():
            raise ConfigurationError(f"SLUICE_FORMAT_SCHEMAS: there is no folder {folder}")
        schemas: dict[str, dict[str | None, FormatSchema]] = {}
        for path in schema_files(folder):
            versioned = path.parent != folder
            schema_id, version = (path.parent.name, path.stem) if versioned else (path.stem, None)
            versions = schemas.setdefault(schema_id, {})
            if versions and (None in versions or version is None):
                raise ConfigurationError(
                    f"SLUICE_FORMAT_SCHEMAS: {schema_id} has versions in {folder / schema_id}: move "
                    f"{folder / schema_id}.json there"
                )
            versions[version] = _schema(path, schema_id, version)
        return cls(schemas)

    def find(self, schema_id: str, version: str | None) -> FormatSchema:
        """The schema `schema_id`, in its newest version unless `version` is given.

        Raises:
            SchemaUnknown: there is none.
        """
        versions = self._schemas.get(schema_id)
        if versions is None:
            raise SchemaUnknown(f"there is no schema {schema_id!r}; there is {_listed(self._schemas)}")
        if version is None:
            return list(versions.values())[-1]
        if version not in versions:
            known = [known for known in versions if known is not None]
            raise SchemaUnknown(f"the schema {schema_id!r} has no version {version!r}; it has {_listed(known)}")
        return versions[version]

    def __len__(self) -> int:
        return sum(map(len, self._schemas.values()))


def schema_files(folder: Path) -> Iterator[Path]:
    """The schema files of `folder`: those of one name next to each other, in the order of their versions.

    Hidden files, and files that do not end in `.json`, are left out.

    Raises:
        ConfigurationError: the folder cannot be read, or a name cannot be one of a schema.
    """
    try:
        found = [path for path in folder.iterdir() if not path.name.startswith(".")]
        for path in sorted(found):
            inner = [each for each in path.iterdir() if not each.name.startswith(".")] if path.is_dir() else [path]
            for each in sorted(inner, key=lambda one: _order(one.stem)):
                if each.suffix == ".json" and each.is_file():
                    if not (_NAME.fullmatch(each.stem) and (each is path or _NAME.fullmatch(path.name))):
                        raise ConfigurationError(
                            f"SLUICE_FORMAT_SCHEMAS: {each} has a name that no schema can have: use letters, digits, "
                            "`.`, `_` and `-`"
                        )
                    yield each
    except OSError as error:
        raise ConfigurationError(f"SLUICE_FORMAT_SCHEMAS: cannot read {folder}: {error.strerror}") from None


def _schema(path: Path, schema_id: str, version: str | None) -> FormatSchema:
    try:
        return FormatSchema.from_json(path.read_bytes(), schema_id=schema_id, version=version)
    except SchemaRefused as error:
        raise ConfigurationError(f"SLUICE_FORMAT_SCHEMAS: {path} is refused: {error}") from None
    except OSError as error:
        raise ConfigurationError(f"SLUICE_FORMAT_SCHEMAS: cannot read {path}: {error.strerror}") from None


def _order(version: str) -> list[tuple[int, int, str]]:
    """Orders versions as people do: 2 before 10, and 1.9 before 1.10."""
    parts = re.findall(r"\d+|\D+", version)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _listed(names: Mapping[str, object] | list[str]) -> str:
    shown = ", ".join(list(names)[:_SHOWN])
    return (shown + (", …" if len(names) > _SHOWN else "")) or "none"
