"""One engine for all tests of a file: loading it takes longer than most of them."""

import pytest

from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.settings import load_settings
from sluicegate.models.inference.judge import Judge


@pytest.fixture(scope="module")
def engine() -> Judge:
    return load_engine(load_settings())
