"""``sluice config show``: readable at 80 columns, and in forms for programs. No form shows a secret."""

import os
import shlex
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from sluicegate.agents.cli.app import app
from sluicegate.agents.settings import Settings, load_settings, variable

SECRET = "correct-horse"
SECURED = {
    "SLUICE_SECURITY_PROTOCOL": "sasl_ssl",
    "SLUICE_SASL_USERNAME": "worker",
    "SLUICE_SASL_PASSWORD": SECRET,
}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("SLUICE_", "OTEL_")):
            monkeypatch.delenv(name)


def show(*options: str, **environment: str) -> str:
    result = CliRunner().invoke(app, ["config", "show", *options], env=environment)
    assert result.exit_code == 0, result.output
    assert SECRET not in result.output
    return result.stdout


def test_every_setting_is_shown_within_80_columns() -> None:
    lines = show(**SECURED).splitlines()
    for name in Settings.model_fields:
        assert any(line.startswith(f"  {variable(name)} = ") for line in lines), name
    too_long = [line for line in lines if len(line) > 80 and "SLUICE_MODEL = " not in line]
    assert too_long == []


def test_a_changed_value_is_shown_with_its_default() -> None:
    assert "  SLUICE_FAIL = open  (default: closed)" in show(SLUICE_FAIL="open").splitlines()


def test_only_changed_settings_are_shown_on_request() -> None:
    shown = orjson.loads(show("--changed", "--json", **SECURED, SLUICE_BATCH_SIZE="32"))
    assert set(shown) == set(SECURED)


def test_settings_are_shown_as_json() -> None:
    shown = orjson.loads(show("--json", SLUICE_FAIL="open"))
    assert set(shown) == {variable(name) for name in Settings.model_fields}
    assert (shown["SLUICE_FAIL"]["value"], shown["SLUICE_FAIL"]["default"]) == ("open", "closed")
    assert shown["SLUICE_FAIL"]["changed"] is True
    assert shown["SLUICE_SSL_CA"]["value"] is None


def test_the_lines_for_an_environment_file_give_the_same_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {
        "SLUICE_THRESHOLDS": '{"hate": {"allow": 0.2, "block": 1.1}}',
        "SLUICE_LEDGER_TEXT": "true",
        "SLUICE_SECOND_CONFIRMS": "violence, hate",
        "SLUICE_GROUP_ID": "a group",
        "SLUICE_BATCH_COST": '{"call": 1, "token": 2, "step": 3, "member": 4, "answer": 5}',
    }
    lines = [line for line in show("--env", **given).splitlines() if not line.startswith("#")]
    expected = load_settings(
        thresholds=given["SLUICE_THRESHOLDS"],
        ledger_text=True,
        second_confirms=given["SLUICE_SECOND_CONFIRMS"],
        group_id=given["SLUICE_GROUP_ID"],
        batch_cost=given["SLUICE_BATCH_COST"],
    )
    for line in lines:
        name, value = shlex.split(line)[0].split("=", 1)
        monkeypatch.setenv(name, value)
    assert load_settings() == expected


def test_a_secret_is_a_comment_in_the_environment_file() -> None:
    assert "# SLUICE_SASL_PASSWORD is set; its value is not shown" in show("--env", **SECURED).splitlines()


def test_a_variable_that_is_not_a_setting_is_named_on_standard_error() -> None:
    result = CliRunner().invoke(app, ["config", "show", "--changed"], env={"SLUICE_BATCH": "9"})
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "sluice: there is no setting SLUICE_BATCH: ignored\n"


def test_settings_of_a_second_model_that_is_not_set_are_named_on_standard_error() -> None:
    result = CliRunner().invoke(app, ["config", "show", "--changed"], env={"SLUICE_SECOND_DEADLINE_MS": "900"})
    assert result.exit_code == 0
    assert result.stderr == "sluice: SLUICE_SECOND_MODEL is not set: SLUICE_SECOND_DEADLINE_MS ignored\n"
