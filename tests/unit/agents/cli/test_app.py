"""The command line as a whole: every command is documented, and help stays quick."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from sluicegate.agents.cli.app import app, main
from sluicegate.schemas import errors
from sluicegate.schemas.errors import ExitCode

HEAVY = ("faust", "ctranslate2", "confluent_kafka", "numpy", "opentelemetry", "pydantic", "sklearn", "torch")


def every_command() -> Iterator[tuple[list[str], Any]]:
    def walk(command: Any, path: list[str]) -> Iterator[tuple[list[str], Any]]:
        yield path, command
        for name, child in getattr(command, "commands", {}).items():
            yield from walk(child, [*path, name])

    return walk(typer.main.get_command(app), [])


COMMANDS = list(every_command())


@pytest.mark.parametrize("path", [path for path, _ in COMMANDS], ids=" ".join)
def test_every_command_has_help(path: list[str]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout


GROUPS_WITH_A_GUIDE = ("models", "eval", "learn", "replay")
"""Their examples are whole procedures, in docs/."""


@pytest.mark.parametrize(
    ("path", "command"),
    [
        (path, command)
        for path, command in COMMANDS
        if path and path[0] not in GROUPS_WITH_A_GUIDE and not hasattr(command, "commands")
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_help_of_every_command_has_an_example(path: list[str], command: Any) -> None:
    assert f"sluice {' '.join(path)}".replace("tune", "calibrate") in command.help


def test_help_loads_no_kafka_client_no_engine_and_no_settings() -> None:
    program = (
        "import sys\n"
        "from sluicegate.agents.cli import main\n"
        "sys.argv = ['sluice', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Usage" in finished.stdout
    assert finished.stderr.strip() == "[]"


def test_ctrl_c_while_modules_are_imported_shows_no_traceback() -> None:
    program = (
        "import importlib.abc, sys\n"
        "class Interrupt(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'sluicegate.agents.cli.app':\n"
        "            raise KeyboardInterrupt\n"
        "from sluicegate.agents.cli import main\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "main()"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout, finished.stderr) == (130, "", "")


def test_tune_is_a_hidden_alias_of_calibrate() -> None:
    commands = {" ".join(path): command for path, command in COMMANDS}
    assert commands["tune"].hidden
    assert commands["tune"].callback.__wrapped__ is commands["calibrate"].callback.__wrapped__
    assert "tune" not in CliRunner().invoke(app, ["--help"]).stdout


@pytest.mark.parametrize(("typed", "completed"), [("sluice to", ["topics"]), ("sluice tail rec", ["recall"])])
def test_the_shell_can_complete_a_command_and_an_event(typed: str, completed: list[str]) -> None:
    sluice = Path(sys.executable).with_name("sluice")
    finished = subprocess.run(
        [sluice],
        env={
            **os.environ,
            "_SLUICE_COMPLETE": "complete_bash",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(typed.count(" ")),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.stdout.split() == completed


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[object, str]:
    """The exit code of `sluice` with `arguments`, and what it writes to standard error."""
    monkeypatch.setattr(sys, "argv", ["sluice", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "sluice: No such command 'nope': see `sluice --help`\n"),
        (["gate", "--jsno"], "sluice: No such option: --jsno (Possible options: --jsonl): see `sluice gate --help`\n"),
        (["ask"], "sluice: Missing argument 'query': see `sluice ask --help`\n"),
        (
            ["gate", "--jsonl", "--lines"],
            "sluice: --jsonl, --lines and --csv exclude each other: see `sluice gate --help`\n",
        ),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    assert run(capsys, monkeypatch, *arguments) == (2, said)


def test_no_argument_reaches_the_terminal_raw(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in (["--\x1b[2J"], ["\x1b[2J"], ["gate", "--lines", "/no\x1b[2J\nfile"]):
        code, said = run(capsys, monkeypatch, *arguments)
        assert code in (2, 74)
        assert said.removesuffix("\n").isprintable()


def test_a_group_without_a_command_shows_its_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, monkeypatch, "topics") == (2, "")


def test_every_error_ends_a_command_with_a_documented_exit_code() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SluicegateError)
    ]
    assert len(kinds) > 5
    assert all(isinstance(kind.exit_code, ExitCode) for kind in kinds)


def test_help_lists_every_exit_code() -> None:
    shown = " ".join(CliRunner().invoke(app, ["--help"], terminal_width=200).stdout.split())
    assert all(code.meaning in shown for code in ExitCode)
