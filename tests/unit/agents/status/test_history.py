"""Rates, shares and quantiles from samples, as Prometheus computes them."""

import pytest

from sluicegate.agents.status.history import History, Labels, Sample, levels

STAGE: Labels = (("stage", "model"),)


def bucket(le: str) -> Labels:
    return (("le", le), ("stage", "model"))


def test_a_change_counts_what_came_within_the_time_and_a_new_series_from_nothing() -> None:
    history = History(0.0)
    for second in range(1, 31):
        values: dict[tuple[str, Labels], float] = {("done", STAGE): 10.0 * second}
        if second > 25:
            values["done", (("stage", "new"),)] = float(second - 25)
        history.add(Sample(float(second), values))
    last = history.last(10)
    assert last.seconds == 10
    assert last.of("done", stage="model") == 100
    assert last.rate("done") == pytest.approx(10.5)
    assert last.by("done", "stage") == {"model": 100, "new": 5}
    assert history.last(60).of("done", stage="model") == 300
    assert levels(history.newest, "done", "stage") == {"model": 300, "new": 5}


@pytest.mark.parametrize(("share", "seconds"), [(0.5, 0.1), (0.25, 0.05), (0.75, 0.3), (0.99, 0.5)])
def test_a_quantile_is_interpolated_within_its_bucket(share: float, seconds: float) -> None:
    history = History(0.0)
    values = {
        ("d_bucket", bucket("0.1")): 50.0,
        ("d_bucket", bucket("0.5")): 100.0 if share != 0.99 else 98.0,
        ("d_bucket", bucket("+Inf")): 100.0,
    }
    history.add(Sample(1.0, values))
    assert history.last(60).quantile("d", share) == pytest.approx(seconds)
    assert history.last(60).quantile("other", share) is None


def test_hours_of_samples_take_the_room_of_minutes() -> None:
    history = History(0.0)
    for second in range(1, 7201):
        history.add(Sample(float(second), {("done", ()): float(second)}))
    assert len(history._fine) + len(history._coarse) < 100
    assert history.last(60).of("done") == 60
    assert history.last(300).of("done") == pytest.approx(300, abs=10)
    assert history.before(300).of("done") == pytest.approx(6900, abs=20)
    assert all(step.rate("done") == 1 for step in history.steps)
