"""``sluice capacity``: what it prints, and what it says of wrong input."""

from pathlib import Path

import orjson
import pytest

from tests.support.command import sluice

COST = {"call": 0.4, "token": 0.045, "step": 0, "member": 0.045, "answer": 0}
PROFILE = {
    "compute_type": "int8",
    "threads": 1,
    "replicas": 2,
    "batch_size": 4,
    "batch_cost": COST,
    "rate": 2000,
    "tokens": 10,
}


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    file = tmp_path / "profile.json"
    file.write_bytes(orjson.dumps(PROFILE))
    return file


def test_a_plan_is_a_table_or_one_json_object(profile: Path) -> None:
    table = sluice("capacity", "--rate", "2000", "--p99", "200", "--profile", profile)
    assert table.returncode == 0, table.stderr
    plan = orjson.loads(sluice("capacity", "--rate", "2000", "--p99", "200", "--profile", profile, "--json").stdout)
    shown = table.stdout.decode()
    assert f"{plan['workers']}, of which 1 may be missing" in shown
    assert f"{plan['cost_month']:.0f} USD" in shown
    assert "The p99 counts 20 ms for Kafka and the pipeline." in shown


def test_the_cost_has_the_currency_of_the_price_and_the_p99_the_overhead_that_was_measured(profile: Path) -> None:
    options = ("--rate", "2000", "--profile", profile, "--price", "0.05", "--currency", "EUR", "--overhead-ms", "55")
    plan = orjson.loads(sluice("capacity", *options, "--json").stdout)
    assert (plan["currency"], plan["overhead_ms"]) == ("EUR", 55)
    assert plan["p99_ms"] > 55
    assert f"{plan['cost_month']:.0f} EUR" in sluice("capacity", *options).stdout.decode()


def test_the_profile_of_the_worker_is_the_default(profile: Path) -> None:
    given = sluice("capacity", "--rate", "200", "--json", environment={"SLUICE_PROFILE": str(profile)})
    assert orjson.loads(given.stdout)["workers"] == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (b"not JSON", "is not a profile: JSON is malformed"),
        (orjson.dumps({**PROFILE, "rate": 0}), "`rate` must be more than 0"),
        (orjson.dumps({**PROFILE, "batch_cost": {**COST, "call": -1}}), "`batch_cost` must be positive"),
        (orjson.dumps({name: value for name, value in PROFILE.items() if name != "tokens"}), "required field `tokens`"),
    ],
)
def test_a_file_that_is_no_profile_is_one_line_that_says_how_to_get_one(
    profile: Path, change: bytes, says: str
) -> None:
    profile.write_bytes(change)
    refused = sluice("capacity", "--rate", "10", "--profile", profile)
    [line] = refused.stderr.decode().splitlines()
    assert refused.returncode == 78
    assert says in line
    assert "sluice calibrate --out" in line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--rate", "0"), "--rate"),
        (("--rate", "10"), "name a profile"),
        (("--rate", "10", "--second-share", "0.1"), "need each other"),
        (("--rate", "10", "--second-share", "1.5"), "--second-share"),
    ],
)
def test_wrong_usage_is_one_line(arguments: tuple[str, ...], says: str) -> None:
    refused = sluice("capacity", *arguments)
    [line] = refused.stderr.decode().splitlines()
    assert refused.returncode == 2
    assert says in line


def test_a_limit_that_cannot_be_met_is_one_line(profile: Path) -> None:
    refused = sluice("capacity", "--rate", "10", "--p99", "5", "--profile", profile)
    [line] = refused.stderr.decode().splitlines()
    assert refused.returncode == 78
    assert "a p99 of 5 ms cannot be met" in line
