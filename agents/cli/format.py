"""``sluice format``: a text becomes JSON of a schema, without Kafka."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

_MOST_BYTES: Final = 1_000_000


def format_text(
    text: Annotated[str | None, typer.Argument(help="The text. Default: all of standard input.")] = None,
    schema: Annotated[
        Path | None, typer.Option(help="File with a JSON Schema (2020-12).", show_default=False, metavar="FILE")
    ] = None,
    grounding: Annotated[
        bool, typer.Option("--grounding", help="Print where in the text each value was found, too.")
    ] = False,
    model: Annotated[
        Path | None, typer.Option(help="Folder of a compiled Qwen3 model. Default: SLUICE_FORMAT_MODEL, or no model.")
    ] = None,
) -> None:
    """Turn a text into JSON that follows a schema. Prints one line of JSON.

    If there is none, it says why on standard error and ends with 65.

    Example: `sluice format --schema order.json "three red ones, please"`
    """
    import msgspec

    from sluicegate.agents.cli.record_lines import escape_invisible
    from sluicegate.agents.cli.streams import reader_may_leave
    from sluicegate.agents.formatting.formatting import failure_of, load_formatter
    from sluicegate.agents.formatting.grounding import followed, grounding_of
    from sluicegate.agents.settings import load_settings
    from sluicegate.models.formatting.formatter import FormatFailure, FormatRequest
    from sluicegate.models.formatting.schema import FormatSchema
    from sluicegate.schemas.errors import StreamFailed

    if schema is None:
        raise typer.BadParameter("give the schema: --schema FILE")
    given = _text(text)
    try:
        followed_schema = FormatSchema.from_json(schema.read_bytes(), schema_id=schema.stem[:200] or "schema")
    except OSError as error:
        raise StreamFailed(f"cannot read {schema}: {error.strerror}") from None
    settings = load_settings(format_model=model)
    formatter = load_formatter(settings)
    seconds = settings.format_deadline_ms / 1000
    [result] = formatter.format([FormatRequest(given, followed_schema, seconds=seconds, null_ungrounded=True)])
    if isinstance(result, FormatFailure):
        raise failure_of(result)
    line = result.value
    if grounding:
        document = {
            "value": msgspec.Raw(result.value),
            "grounding": grounding_of(result),
            "ungrounded": result.ungrounded,
            "json_schema": followed(followed_schema),
            "model_version": formatter.model_version,
        }
        line = msgspec.json.encode(document)
    with reader_may_leave():
        sys.stdout.buffer.write(escape_invisible(line + b"\n"))


def _text(text: str | None) -> str:
    """The argument, or standard input.

    Raises:
        ContractError: it is empty, too long, or not UTF-8.
        StreamFailed: standard input cannot be read.
    """
    from sluicegate.schemas.errors import ContractError, StreamFailed

    try:
        if text is not None and text != "-":
            raw = text.encode("utf-8", "surrogateescape")
        elif sys.stdin is None:
            raise StreamFailed("cannot read standard input: it is closed")
        else:
            raw = sys.stdin.buffer.read(_MOST_BYTES + 1)
        decoded = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ContractError("the text is not UTF-8") from None
    except OSError as error:
        raise StreamFailed(f"cannot read standard input: {error.strerror}") from None
    if len(raw) > _MOST_BYTES:
        raise ContractError(f"the text has more than {_MOST_BYTES} bytes")
    if not decoded.strip():
        raise ContractError("the text is empty: give it as an argument or on standard input")
    return decoded
