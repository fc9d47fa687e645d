"""Tests that share a broker, or measure a time, run one after the other in one process."""

import pytest


@pytest.mark.xdist_group("together")
def test_a_group_of_tests_is_known_to_the_scheduler(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("the tests do not run in parallel")
    assert request.node.nodeid.endswith("@together")
