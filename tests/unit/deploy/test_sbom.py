"""The software bill of materials names every runtime dependency of uv.lock, with its version and its licence."""

import json
import subprocess
import sys
import tomllib
from typing import Any

import pytest

from tests.unit.deploy.test_arm64 import LOCK, runtime_packages

ROOT = LOCK.parent
WITHOUT_LICENCE = {"protobuf"}
"""Its metadata says "3-Clause BSD License", which cyclonedx-bom does not take."""


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of this environment: the runtime dependencies are in it, with others."""
    file = tmp_path_factory.mktemp("sbom") / "sbom.cdx.json"
    describe = ["environment", sys.executable, "--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible"]
    command = [sys.executable, "-m", "cyclonedx_py", *describe, "--output-file", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def test_every_runtime_dependency_is_named_with_its_version_and_licence(bill: dict[str, Any]) -> None:
    python = ".".join(map(str, sys.version_info[:2]))
    expected = {each["name"]: each["version"] for each in runtime_packages(tomllib.loads(LOCK.read_text()), python)}
    found = {each["name"].lower().replace("_", "-").replace(".", "-"): each for each in bill["components"]}
    assert len(expected) > 50
    assert {name: found[name]["version"] for name in expected if name in found} == expected
    assert {name for name in expected if not found[name].get("licenses")} == WITHOUT_LICENCE


def test_it_describes_this_version_under_its_licence(bill: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    described = bill["metadata"]["component"]
    assert (described["name"], described["version"]) == (project["name"], project["version"])
    assert described["licenses"][0]["license"]["id"] == project["license"]


def test_it_has_no_time_and_no_random_number_so_that_two_runs_are_equal(bill: dict[str, Any]) -> None:
    assert "timestamp" not in bill["metadata"]
    assert "serialNumber" not in bill
