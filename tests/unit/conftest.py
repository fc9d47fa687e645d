"""Two compiled models, to be served one after the other or together."""

from pathlib import Path

import pytest

from tests.support.compiled import compiled_twins


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return compiled_twins(tmp_path_factory.mktemp("models"))


@pytest.fixture
def first(twins: tuple[Path, Path]) -> Path:
    return twins[0]


@pytest.fixture
def second(twins: tuple[Path, Path]) -> Path:
    return twins[1]
