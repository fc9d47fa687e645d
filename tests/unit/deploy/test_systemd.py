"""The systemd unit: systemd itself reads it, and it fits the worker that it runs."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from sluicegate.agents.time_budget import LONGEST_EVENT_S, TimeBudget
from sluicegate.schemas.errors import ExitCode
from sluicegate.schemas.version import VERSION
from tests.support.markdown import blocks_of
from tests.support.required import give_up
from tests.unit.deploy.test_deploy import ROOT

UNIT = ROOT / "deploy" / "systemd" / "sluicegate-worker@.service"
SLUICE = Path(sys.executable).with_name("sluice")
SIGNAL_S = 5.0
MOST_EXPOSED = 20
"""Of 100, by `systemd-analyze security`: below 20 it calls a service OK, the best but one of its words."""


def given(name: str) -> list[str]:
    """The values of a directive, in order."""
    return [line.partition("=")[2] for line in UNIT.read_text().splitlines() if line.startswith(f"{name}=")]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit of the gate, as it is on a machine where `sluice` is installed."""
    if shutil.which("systemd-analyze") is None:
        give_up("REQUIRE_SYSTEMD", "systemd-analyze is not installed: apt-get install systemd")
    text = UNIT.read_text()
    assert "/opt/sluicegate/bin/sluice" in text
    for name in (UNIT.name, "sluicegate-worker@gate.service"):
        (tmp_path / name).write_text(text.replace("/opt/sluicegate/bin/sluice", str(SLUICE)))
    return tmp_path / "sluicegate-worker@gate.service"


def test_systemd_finds_nothing_wrong(installed: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", installed], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_service_is_confined(installed: Path) -> None:
    judge = ["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={MOST_EXPOSED}"]
    done = subprocess.run([*judge, installed], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_stop_is_granted_more_than_any_settings_can_take() -> None:
    longest = TimeBudget(deadline_s=LONGEST_EVENT_S, publish_timeout_s=0, deduplicates=False).stop_s
    [granted] = given("TimeoutStopSec")
    assert float(granted) > longest + SIGNAL_S


def test_what_a_restart_does_not_help_is_not_restarted() -> None:
    [codes] = given("RestartPreventExitStatus")
    assert set(map(int, codes.split())) == {ExitCode.USAGE, ExitCode.CONFIG}


def test_the_documentation_installs_the_locked_versions_where_the_unit_expects_them(tmp_path: Path) -> None:
    mark = "not run here: test_systemd.py runs it"
    [block] = [each for each in blocks_of(ROOT / "docs" / "deployment.md") if (each.comment or "").startswith(mark)]
    [expected] = given("ExecStart")
    script = block.text.replace("/opt/", f"{tmp_path}/").replace(" --compile-bytecode", "")
    subprocess.run(["bash", "-euc", script], cwd=ROOT, check=True, capture_output=True)
    installed = tmp_path / "sluicegate" / "bin"
    assert f"/opt/sluicegate/bin/{(installed / 'sluice').name}" == expected.split()[0]
    done = subprocess.run([installed / "sluice", "--version"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["sluicegate", VERSION]
    locked = {(each["name"], each["version"]) for each in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    ask = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()))"
    found = subprocess.run([installed / "python", "-c", ask], capture_output=True, text=True, check=True, cwd=tmp_path)
    versions = dict(each.split("==") for each in found.stdout.split())
    assert {"ctranslate2", "faust-streaming", "aiokafka"} <= set(versions)
    assert {(canonicalize_name(name), version) for name, version in versions.items()} <= locked
