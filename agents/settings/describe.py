"""The settings for people: what each one means, its value here, and docs/settings.md."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args, get_origin

import annotated_types
import msgspec
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from sluicegate.agents.settings.settings import SECTIONS, Settings
from sluicegate.agents.settings.variables import variable

_HIDDEN: Final = "********"

_INTRODUCTION: Final = """\
# Settings

Every setting is an environment variable. `sluice config show` prints the values in effect, and
`sluice config show --changed` only those that differ from the default. A wrong value stops every command in one line
that names the variable. `sluice calibrate` writes a profile of settings; `SLUICE_PROFILE` reads it.

This page is generated from the code: `sluice config docs > docs/settings.md`.
"""


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One setting. Values are written as in the environment; None means unset. Secrets are masked."""

    section: str
    variable: str
    value: str | None
    default: str | None
    secret: bool
    allowed: str
    meaning: str

    @property
    def changed(self) -> bool:
        """Whether the value differs from the default."""
        return self.value != self.default


def describe_settings(settings: Settings) -> list[SettingDescription]:
    """Every setting, section by section."""
    return list(_describe(settings))


def as_markdown() -> str:
    """docs/settings.md. The same on every machine: it reads no environment."""
    lines = [_INTRODUCTION]
    for section in SECTIONS:
        lines += [f"\n## {_title(section)}\n", "| variable | default | allowed | meaning |", "|---|---|---|---|"]
        for name, field in section.model_fields.items():
            default = "the embedded model" if name == "model" else _code(_default(field))
            lines.append(f"| `{variable(name)}` | {default} | {_allowed(field)} | {_cell(field.description or '')} |")
    return "\n".join(lines) + "\n"


def _describe(settings: Settings) -> Iterator[SettingDescription]:
    for section in SECTIONS:
        for name, field in section.model_fields.items():
            value = getattr(settings, name)
            yield SettingDescription(
                section=_title(section),
                variable=variable(name),
                value=_written(value),
                default=_default(field),
                secret=isinstance(value, SecretStr),
                allowed=_allowed(field),
                meaning=field.description or "",
            )


def _title(section: type[BaseModel]) -> str:
    return section.model_config["title"] or section.__name__


def _default(field: FieldInfo) -> str | None:
    return _written(field.get_default(call_default_factory=True, validated_data={}))


def _written(value: object) -> str | None:
    """`value` as it is written in the environment; None if it is unset."""
    match value:
        case None:
            return None
        case SecretStr():
            return _HIDDEN
        case bool():
            return str(value).lower()
        case dict():
            return msgspec.json.encode(value).decode() if value else None
        case frozenset():
            return ",".join(sorted(map(str, value))) or None
        case msgspec.Struct():
            return msgspec.json.encode(value).decode()
        case _:
            return str(value)


def _allowed(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(field.annotation))
    if field.annotation is bool:
        return "`true`, `false`"
    low = next((limit.ge for limit in field.metadata if isinstance(limit, annotated_types.Ge)), None)
    high = next((limit.le for limit in field.metadata if isinstance(limit, annotated_types.Le)), None)
    return f"{low} to {high}" if low is not None else ""


def _code(value: str | None) -> str:
    return "" if value is None else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
