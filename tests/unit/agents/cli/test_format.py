"""`sluice format`: JSON out, and one line with an exit code where there is none."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from sluicegate.agents.cli.app import app
from sluicegate.agents.settings import EMBEDDED_MODEL
from sluicegate.schemas.errors import ExitCode, SluicegateError

ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {"quantity": {"type": "integer"}, "colour": {"enum": ["red", "blue", None]}},
    "required": ["quantity", "colour"],
}


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "order.json"
    path.write_bytes(orjson.dumps(ORDER))
    return path


def run(*arguments: object, given: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["format", *map(str, arguments)], input=given)


def exit_code(result: Result) -> int:
    return result.exception.exit_code if isinstance(result.exception, SluicegateError) else result.exit_code


def test_a_text_becomes_one_line_of_json(schema: Path) -> None:
    for result in (
        run("--schema", schema, "three, please"),
        run("--schema", schema, given=b"\xef\xbb\xbfthree,\nplease\n"),
        run("--schema", schema, "-", given=b"three"),
    ):
        assert (exit_code(result), result.stdout) == (0, '{"quantity":3,"colour":null}\n')


def test_the_grounding_says_where_each_value_was_found(schema: Path) -> None:
    shown = orjson.loads(run("--schema", schema, "--grounding", "three, please").stdout)
    assert shown["value"] == {"quantity": 3, "colour": None}
    assert shown["grounding"][0] == {"pointer": "/quantity", "how": "number", "start": 0, "end": 5}
    assert (shown["ungrounded"], shown["json_schema"]["id"]) == ([], "order")


def test_what_a_terminal_would_obey_is_escaped(schema: Path) -> None:
    schema.write_text('{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}')
    written = run("--schema", schema, 'name: "\u202eevil\x9b31m"').stdout
    assert "evil" in written
    assert written[:-1].isprintable()


@pytest.mark.parametrize(
    ("arguments", "given", "code", "said"),
    [
        (["nothing of use"], None, ExitCode.DATA, "not_found: the text has no value for /quantity"),
        ([], b"\xff", ExitCode.DATA, "the text is not UTF-8"),
        ([], b" \n", ExitCode.DATA, "the text is empty"),
        (["--model", EMBEDDED_MODEL, "three"], None, ExitCode.CONFIG, "judges queries and cannot write"),
    ],
)
def test_without_json_there_is_a_reason_and_an_exit_code(
    schema: Path, arguments: list[object], given: bytes | None, code: ExitCode, said: str
) -> None:
    result = run("--schema", schema, *arguments, given=given)
    assert (exit_code(result), result.stdout) == (code, "")
    assert said in str(result.exception)


def test_a_wrong_schema_is_named(tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_text('{"properties": {"a": {"not": {}}}}')
    refused = run("--schema", tmp_path / "wrong.json", "three")
    assert exit_code(refused) == ExitCode.DATA
    assert "`#/properties/a`, keyword `not`" in str(refused.exception)
    assert exit_code(run("--schema", tmp_path / "none.json", "three")) == ExitCode.IO
    assert exit_code(run("three")) == ExitCode.USAGE
