"""The workflow, the hooks, the lock file, the Makefile and the Dockerfile agree with each other."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[3]
WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKED: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()


def test_ci_runs_what_a_checkout_has_on_every_python_that_the_package_names() -> None:
    steps = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
    assert {step["run"] for step in steps if "run" in step} == {"bash .ci/run", "make coverage"}
    assert (ROOT / ".ci" / "run").is_file()
    named = [found[1] for line in PROJECT["classifiers"] if (found := re.search(r":: (3\.\d+)$", line))]
    assert WORKFLOW["jobs"]["test"]["strategy"]["matrix"]["python"] == named
    assert all(version in SpecifierSet(PROJECT["requires-python"]) for version in named)


def test_what_ci_caches_by_exists() -> None:
    keys = [step["with"]["key"] for step in WORKFLOW["jobs"]["test"]["steps"] if "key" in step.get("with", {})]
    files = [name for key in keys for name in re.findall(r"'([^']+)'", key)]
    assert files
    assert all((ROOT / name).is_file() for name in files)


def test_every_hook_runs_a_tool_that_make_setup_installs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    tools = {hook["entry"].split()[0] for hook in hooks}
    assert tools == {".venv/bin/ruff", ".venv/bin/lint-imports", ".venv/bin/mypy"}
    dev = {Requirement(each).name for each in PROJECT["optional-dependencies"]["dev"]}
    assert {"ruff", "import-linter", "mypy"} <= dev


def test_the_lock_file_is_of_this_project() -> None:
    own = next(package for package in LOCKED["package"] if package["name"] == PROJECT["name"])
    given = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    expected = {
        (extra, requirement.name, str(requirement.specifier))
        for extra, requirements in given.items()
        for requirement in map(Requirement, requirements)
    }
    locked = set()
    for entry in own["metadata"]["requires-dist"]:
        extra = re.search(r"extra == '(.+)'", entry.get("marker", ""))
        locked.add((extra[1] if extra else "", entry["name"], str(SpecifierSet(entry.get("specifier", "")))))
    assert locked == expected, "run `make lock`"


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))))
def test_every_command_of_the_makefile_is_phony_and_has_a_line_of_help(command: str) -> None:
    assert re.search(rf"^\.PHONY:.*\b{command}\b", MAKEFILE, re.MULTILINE)
    assert re.search(rf"^{command}:.*## \S", MAKEFILE, re.MULTILINE)


def test_one_version_of_uv_installs_everywhere() -> None:
    locked = next(package["version"] for package in LOCKED["package"] if package["name"] == "uv")
    for text in (MAKEFILE, *((ROOT / name).read_text() for name in ("deploy/Dockerfile", "docs/deployment.md"))):
        assert re.findall(r"uv==([\d.]+)", text) == [locked]


def test_the_image_and_make_describe_the_dependencies_with_one_version_of_cyclonedx() -> None:
    locked = next(package["version"] for package in LOCKED["package"] if package["name"] == "cyclonedx-bom")
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert re.findall(r"cyclonedx-bom==([\d.]+)", dockerfile) == [locked]
