"""The wheel and the source distribution as users get them, in one environment with OpenAI's Agents SDK."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import orjson
import pytest

pytestmark = pytest.mark.xdist_group("packages")  # built and installed once

ROOT = Path(__file__).parents[2]
PACKAGES = ("agents", "models", "schemas")


def uv(*arguments: str | Path) -> str:
    """Run uv; without a network the test is skipped, unless this is CI."""
    done = subprocess.run(
        [sys.executable, "-m", "uv", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode and "CI" not in os.environ and re.search("Failed to fetch|error sending request", done.stderr):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what packages are built from: building leaves files behind."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, copy)
    for name in (*PACKAGES, "sluicegate"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    uv("build", "--quiet", "--wheel", "--out-dir", out, source)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and `openai-agents`, whose import name is `agents`."""
    folder = tmp_path_factory.mktemp("environment")
    constraints = folder / "constraints.txt"
    constraints.write_text(uv("export", "--frozen", "--quiet", "--no-hashes", "--no-emit-project"))
    uv("venv", "--quiet", "--python", sys.executable, folder / "venv")
    python = folder / "venv" / "bin" / "python"
    uv("pip", "install", "--quiet", "--python", python, "--constraint", constraints, wheel, "openai-agents")
    return python.parent


def contents(wheel: Path) -> dict[str, int]:
    """The files of the package in a wheel, with their checksums."""
    with zipfile.ZipFile(wheel) as archive:
        return {file.filename: file.CRC for file in archive.infolist() if ".dist-info/" not in file.filename}


def test_the_wheel_holds_every_file_of_the_packages_under_one_name(wheel: Path, source: Path) -> None:
    own = {f"sluicegate/{file.name}" for file in (source / "sluicegate").glob("*.py")}
    for name in PACKAGES:
        own |= {f"sluicegate/{file.relative_to(source)}" for file in (source / name).rglob("*") if file.is_file()}
    assert set(contents(wheel)) == own | {"sluicegate/py.typed"}


def test_a_wheel_from_the_source_distribution_is_the_same(wheel: Path, source: Path, tmp_path: Path) -> None:
    uv("build", "--quiet", "--sdist", "--out-dir", tmp_path, source)
    (sdist,) = tmp_path.glob("*.tar.gz")
    uv("build", "--quiet", "--wheel", "--out-dir", tmp_path, sdist)
    (again,) = tmp_path.glob("*.whl")
    assert contents(again) == contents(wheel)


def test_the_package_lives_with_the_agents_sdk_of_openai(environment: Path, tmp_path: Path) -> None:
    program = "import agents, sluicegate; print(agents.Agent.__module__, sluicegate.__name__, agents.__file__)"
    shown = subprocess.run([environment / "python", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    theirs, ours, file = shown.stdout.split()
    assert (theirs.split(".")[0], ours) == ("agents", "sluicegate")
    assert Path(file).is_relative_to(environment.parent)


def test_the_installed_command_decides(environment: Path, tmp_path: Path) -> None:
    command = [str(environment / "sluice"), "gate", "wireless headphons"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=True)
    decision = orjson.loads(shown.stdout)
    assert (decision["verdict"], decision["lexical"]) == ("allow", "wireless headphones")
