"""What ``sluice gate`` reads: arguments, JSON lines, text lines, or a column of a CSV file.

Every source is a blocking iterator of rows. A row that is broken is a row with an error; a source that breaks off
raises.
"""

import codecs
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import orjson

from sluicegate.agents.cli.streams import open_input, raw_queries
from sluicegate.schemas.codec import decode_document, raw_query_of
from sluicegate.schemas.errors import ContractError, StreamFailed

_raw_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True)
class Row:
    """One query to decide, or why there is none. `number` is that of its line, from 1: of its last line, in CSV."""

    number: int
    query: str | None = None
    locale: str | None = None
    surface: str | None = None
    error: str | None = None
    fields: Mapping[str, bytes] = field(default_factory=dict)
    """The row's fields unchanged, each as JSON: they are passed through."""


def rows_of_arguments(queries: Iterable[str]) -> Iterator[Row]:
    """The arguments of the command line.

    Raises:
        ContractError: one of them is not UTF-8.
    """
    return iter([_json_row(number, line) for number, line in enumerate(raw_queries(queries), 1)])


def rows_of_json_lines(path: Path | None) -> Iterator[Row]:
    """The objects of a file, of standard input for None; empty lines are left out."""
    for number, line in _lines(path):
        if line.strip():
            yield _json_row(number, line)


def rows_of_text(path: Path | None) -> Iterator[Row]:
    """The lines of a file, of standard input for None; empty lines are left out."""
    for number, line in _lines(path):
        if line.strip():
            try:
                query = line.strip().decode()
            except UnicodeDecodeError:
                yield Row(number, error="the line is not UTF-8")
            else:
                yield Row(number, query, fields={"query": orjson.dumps(query)})


def rows_of_csv(path: Path | None, column: str) -> Iterator[Row]:
    """The rows of a CSV file with a header, of standard input for None; `column` has the queries.

    Raises:
        ContractError: the file has no such column, or is not CSV.
        StreamFailed: it cannot be read.
    """
    name = str(path or "standard input")
    with open_input(path) as file:
        # A byte that is not UTF-8 becomes a lone surrogate, which JSON cannot hold: it is an error of its row.
        text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
        reader = csv.DictReader(text, strict=True)
        try:
            if column not in (reader.fieldnames or ()):
                known = ", ".join(reader.fieldnames or ()) or "none"
                raise ContractError(f"{name} has no column {column!r}; its columns: {known}")
            for values in reader:
                yield _csv_row(reader.line_num, column, values)
        except csv.Error as error:
            raise ContractError(f"{name}, line {reader.line_num + 1}: not CSV: {error}") from None
        except OSError as error:
            raise StreamFailed(f"cannot read {name}: {error.strerror}") from None


def _csv_row(number: int, column: str, values: Mapping[str | None, object]) -> Row:
    if None in values:
        return Row(number, error="the row has more fields than the header")
    try:
        fields = {str(name): orjson.dumps(value) for name, value in values.items()}
    except orjson.JSONEncodeError:
        return Row(number, error="the row is not UTF-8")
    query = values[column]
    if query is None:
        return Row(number, error=f"the row has no {column!r}", fields=fields)
    return Row(number, str(query), fields=fields)


def _json_row(number: int, line: bytes) -> Row:
    """The row in `line`, by the worker's own decoder. `text` is accepted in place of `query`."""
    fields: Mapping[str, bytes] = {}
    try:
        document = decode_document(line)
        if isinstance(document.content, dict):
            fields = _passed_through(line, document.content)
            if "text" in document.content:
                document.content.setdefault("query", document.content["text"])
        raw = raw_query_of(document).query
        return Row(number, raw.query, raw.locale, raw.surface, fields=fields)
    except ContractError as error:
        return Row(number, error=str(error), fields=fields)


def _passed_through(line: bytes, content: Mapping[str, object]) -> dict[str, bytes]:
    """The fields of `line` byte for byte; if a part of it is not UTF-8 or not Unicode, written again without that."""
    try:
        line.decode()
        return {name: bytes(value) for name, value in _raw_fields(line).items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    fields = {}
    for name, value in content.items():
        with suppress(ValueError):  # a name or a number that JSON cannot express
            name.encode()
            fields[name] = json.dumps(value, allow_nan=False, ensure_ascii=False).encode(errors="replace")
    return fields


def _lines(path: Path | None) -> Iterator[tuple[int, bytes]]:
    """Numbered lines without their byte order mark.

    Raises:
        StreamFailed: they cannot be read.
    """
    with open_input(path) as file:
        try:
            for number, line in enumerate(_split(file), 1):
                yield number, line.removeprefix(codecs.BOM_UTF8)
        except OSError as error:
            raise StreamFailed(f"cannot read {path or 'standard input'}: {error.strerror}") from None


def _split(file: BinaryIO) -> Iterator[bytes]:
    """Each line as soon as it is there: iterating over the file itself would read ahead."""
    return iter(file.readline, b"")
