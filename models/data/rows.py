"""Read evaluation files: JSON Lines, one row per line. Fields that an evaluation does not need are ignored."""

from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

import msgspec

from sluicegate.models.inference.labels import ALLOW, Category
from sluicegate.schemas.errors import ContractError, StreamFailed

NONE: Final = "none"
"""The category of a row that is allowed."""

Text = Annotated[str, msgspec.Meta(min_length=1)]
Facet = Annotated[str, msgspec.Meta(pattern="^[a-z_]+:.")]
Label = Literal["allow", "review", "block"]


def check_category(label: Label | None, category: str) -> None:
    """Raise ValueError unless `category` is a known one or "none", and "none" exactly when `label` is "allow"."""
    if category not in (NONE, *Category):
        raise ValueError(f"category {category!r} is none of {', '.join((NONE, *Category))}")
    if label is not None and (category == NONE) != (label == "allow"):
        raise ValueError(f"label {label!r} does not go with category {category!r}")


def gate_label_of(category: str) -> str:
    """The label of `models.inference.labels.LABELS` that the gate should give a row of `category`."""
    return ALLOW if category == NONE else category


class ModerationRow(msgspec.Struct, frozen=True):
    """A text, its correct verdict and its category, which is "none" exactly when `label` is "allow".

    `lang` is the language's code, such as "en"; empty if unknown.
    """

    text: Text
    label: Label
    category: str = NONE
    source: str = ""
    lang: str = ""

    def __post_init__(self) -> None:
        check_category(self.label, self.category)

    @property
    def gate_label(self) -> str:
        """The label of `models.inference.labels.LABELS` that the gate should give."""
        return gate_label_of(self.category)


class IntentRow(msgspec.Struct, frozen=True):
    """A text and the domain of its intent, a name of `models.inference.labels.Intent` or "out_of_scope"."""

    text: Text
    domain: str
    split: str | None = None


class QueryRow(msgspec.Struct, frozen=True):
    """A query. If `clean` is given, `query` is misspelt and `clean` is its correction; else `query` is clean.

    `kind` groups rows, for example web or name; those of `name` and `brand` get no misspellings. `lang`: the language,
    if not English.
    """

    query: Text | None = None
    text: Text | None = None
    clean: Text | None = None
    split: str | None = None
    kind: str | None = None
    lang: str | None = None

    def __post_init__(self) -> None:
        if self.query is None and self.text is None:
            raise ValueError("Object missing required field `query` (or `text`)")

    @property
    def written(self) -> str:
        """The query as the file has it."""
        return self.query or self.text or ""


class ExpansionRow(msgspec.Struct, frozen=True):
    """A product query and what is right for it: every synonym, and every facet such as ``category:boots``.

    An empty list says that nothing is right; a missing one that the row does not tell.
    """

    query: Text | None = None
    text: Text | None = None
    synonyms: list[Text] | None = None
    facets: list[Facet] | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        if self.query is None and self.text is None:
            raise ValueError("Object missing required field `query` (or `text`)")

    @property
    def written(self) -> str:
        """The query as the file has it."""
        return self.query or self.text or ""


RowT = TypeVar("RowT", bound=msgspec.Struct)


def read_rows(path: Path, row_type: type[RowT], *, split: str | None = None) -> list[RowT]:
    """The rows of `path`; with `split`, only the rows of that split.

    Raises:
        StreamFailed: the file cannot be read.
        ContractError: it has no such rows, or a line is not such a row; names line and field.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise StreamFailed(f"cannot read {path}: {error.strerror or error}") from None
    decode = msgspec.json.Decoder(row_type).decode
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ContractError(f"{path}, line {number}: {error}") from None
    if split is not None:
        rows = [row for row in rows if getattr(row, "split", None) == split]
    if not rows:
        raise ContractError(f"{path} holds no row" + (f' of split "{split}"' if split else ""))
    return rows
