"""Devices with arm64: uv.lock has a wheel of every runtime dependency for them, with one exception that is named."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.utils import parse_wheel_filename
from packaging.version import Version

LOCK = Path(__file__).parents[3] / "uv.lock"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
FROM_SOURCE = ["faust-streaming 0.15.3"]
"""It has wheels for x86-64 only. pip builds it on the device, without a compiler: its extensions are optional."""


def environment(python: str) -> dict[str, str]:
    """The markers of CPython on Linux with arm64."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": "aarch64",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
        "extra": "",
    }


def runtime_packages(lock: Mapping[str, Any], python: str) -> Iterator[Mapping[str, Any]]:
    """What `pip install sluicegate` brings to that machine, the project itself left out."""
    target = environment(python)
    packages: dict[str, list[Mapping[str, Any]]] = {}
    for package in lock["package"]:
        if any(
            Marker(marker).evaluate(target) for marker in package.get("resolution-markers", ["python_version > '3'"])
        ):
            packages.setdefault(package["name"], []).append(package)
    waiting: list[tuple[str, str | None, tuple[str, ...]]] = [("sluicegate", None, ())]
    seen: set[tuple[str, str | None, tuple[str, ...]]] = set()
    while waiting:
        wanted = waiting.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        name, version, extras = wanted
        for package in packages[name]:
            if version not in (None, package["version"]):
                continue
            if name != "sluicegate":
                yield package
            optional = package.get("optional-dependencies", {})
            needed = [*package.get("dependencies", []), *(each for extra in extras for each in optional.get(extra, []))]
            waiting += [
                (each["name"], each.get("version"), tuple(each.get("extra", [])))
                for each in needed
                if "marker" not in each or Marker(each["marker"]).evaluate(target)
            ]


def runs_on_arm64(wheel: str, python: str) -> bool:
    """Whether CPython `python` on Linux with arm64 can install `wheel`."""
    _, _, _, tags = parse_wheel_filename(wheel)
    number = f"cp{python.replace('.', '')}"
    for tag in tags:
        abi3 = tag.abi == "abi3" and Version(python) >= Version(f"3.{tag.interpreter.removeprefix('cp3') or 0}")
        pure = tag.interpreter in ("py3", f"py{python.replace('.', '')}") and tag.abi == "none"
        own = tag.interpreter == number and tag.abi in (number, "none")
        on_arm64 = "manylinux" in tag.platform and tag.platform.endswith("_aarch64")
        if (own or abi3 or pure) and (tag.platform == "any" or on_arm64):
            return True
    return False


def without_wheel(lock: Mapping[str, Any], python: str) -> list[str]:
    """The runtime dependencies that would have to be compiled on the device."""
    return sorted(
        {
            f"{package['name']} {package['version']}"
            for package in runtime_packages(lock, python)
            if not any(runs_on_arm64(wheel["url"].rsplit("/", 1)[1], python) for wheel in package.get("wheels", []))
        }
    )


@pytest.mark.parametrize("python", PYTHONS)
def test_every_runtime_dependency_has_a_wheel_for_arm64(python: str) -> None:
    lock = tomllib.loads(LOCK.read_text())
    found = {package["name"] for package in runtime_packages(lock, python)}
    assert {"ctranslate2", "numpy", "aiokafka", "pydantic-core", "uvloop"} <= found
    assert "torch" not in found
    assert without_wheel(lock, python) == FROM_SOURCE


def test_a_dependency_without_such_a_wheel_is_named() -> None:
    lock = tomllib.loads(LOCK.read_text())
    for package in lock["package"]:
        if package["name"] == "ctranslate2":
            package["wheels"] = [wheel for wheel in package["wheels"] if "aarch64" not in wheel["url"]]
            version = package["version"]
    assert without_wheel(lock, "3.12") == [f"ctranslate2 {version}", *FROM_SOURCE]


@pytest.mark.parametrize(
    ("wheel", "runs"),
    [
        ("numpy-2.4.0-cp312-cp312-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl", True),
        ("numpy-2.4.0-cp312-cp312-musllinux_1_2_aarch64.whl", False),
        ("numpy-2.4.0-cp312-cp312-macosx_14_0_arm64.whl", False),
        ("numpy-2.4.0-cp313-cp313-manylinux_2_27_aarch64.whl", False),
        ("numpy-2.4.0-cp313-cp313t-manylinux_2_27_aarch64.whl", False),
        ("tokenizers-0.22.0-cp39-abi3-manylinux_2_17_aarch64.manylinux2014_aarch64.whl", True),
        ("tokenizers-0.22.0-cp313-abi3-manylinux_2_17_aarch64.whl", False),
        ("rich-14.0.0-py3-none-any.whl", True),
        ("uv-0.9.0-py3-none-manylinux_2_28_aarch64.whl", True),
        ("numpy-2.4.0-cp312-cp312-manylinux_2_27_x86_64.whl", False),
    ],
)
def test_a_wheel_is_judged_by_its_name(wheel: str, runs: bool) -> None:
    assert runs_on_arm64(wheel, "3.12") is runs
