"""`sluice policy`: checks, decisions, comparisons, and a registry."""

from pathlib import Path

import orjson
import pytest

from sluicegate.models.inference.labels import Category
from tests.support.command import rows, sluice

REVIEWED = {"allow": 0.0, "block": 1.1}
"""With these thresholds every query is reviewed, whatever the model thinks of it."""
POLICY = """
name = "shop"
[list.banned]
action = "block"
category = "spam"
terms = ["casino bonus"]
[list.toys]
action = "block"
category = "violence"
surface = "kids"
file = "toys.txt"
[thresholds]
""" + "".join(f"{category} = {{ allow = 0.0, block = 1.1 }}\n" for category in Category)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "toys.txt").write_text("# not for children\nbeer\n")
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return path


def test_a_correct_policy_is_summed_up(policy: Path) -> None:
    finished = sluice("policy", "check", policy)
    assert finished.returncode == 0, finished.stderr
    assert b"shop@" in finished.stdout
    assert b"2 lists, 2 terms, surfaces kids" in finished.stdout
    [summary] = rows(sluice("policy", "check", policy, "--json"))
    assert str(summary["policy_version"]).startswith("shop@")


def test_each_query_is_explained(policy: Path) -> None:
    queries = (
        b'{"query": "CASINO b\xc3\xb6nus"}\n{"query": "beer", "surface": "kids"}\n{"query": "beer"}\n{"query": 3}\n'
    )
    finished = sluice("policy", "check", policy, "--jsonl", "--json", given=queries)
    assert finished.returncode == 65, finished.stderr
    banned, kids, beer, broken = rows(finished)
    assert (banned["verdict"], banned["reason"], banned["category"]) == ("block", "list:banned", "spam")
    assert banned["matches"] == [{"list": "banned", "action": "block", "term": "casino bonus"}]
    assert (kids["verdict"], kids["reason"], kids["surface"]) == ("block", "list:toys", "kids")
    assert (beer["verdict"], beer["matches"]) == ("review", [])
    assert beer["threshold"] == REVIEWED
    assert broken["verdict"] is None
    assert "$.query" in str(broken["error"])

    finished = sluice("policy", "check", policy, "--surface", "kids", "a beer", "\x1b[31m beer")
    lines = finished.stdout.decode().splitlines()
    assert [line.split()[:2] for line in lines] == [["block", "list:toys"]] * 2
    assert "\x1b" not in finished.stdout.decode()
    assert "[block toys: 'beer']" in lines[0]


def test_the_term_is_shown_that_a_disguise_hid(policy: Path) -> None:
    finished = sluice("policy", "check", policy, "c4s1no b0nus")
    assert finished.stdout.startswith(b"block   list:banned"), finished.stdout
    assert b"[block banned: 'casino bonus'" in finished.stdout


def test_a_surface_that_the_policy_does_not_name_is_refused(policy: Path) -> None:
    finished = sluice("policy", "check", policy, "--surface", "kidz", "beer")
    assert finished.returncode == 65
    assert finished.stderr == b"sluice: the policy shop has no surface 'kidz': use kids\n"
    assert finished.stdout == b""


def test_a_broken_policy_is_one_line_and_a_wrong_configuration(policy: Path) -> None:
    policy.write_text(POLICY.replace("casino bonus", " - "))
    for command in (["policy", "check", policy], ["policy", "check", policy, "shoes"], ["gate", "shoes"], ["worker"]):
        refused = sluice(*command, environment={"SLUICE_POLICY": str(policy)})
        assert refused.returncode in ({78, 69} if command == ["worker"] else {78})
        assert refused.stderr.count(b"\n") == 1
    assert b"list.banned.terms[0]: the term is empty" in sluice("policy", "check", policy).stderr


def test_thresholds_beside_a_policy_are_refused_with_the_remedy(policy: Path) -> None:
    thresholds = '{"hate": {"allow": 0.2, "block": 0.6}}'
    refused = sluice("gate", "x", environment={"SLUICE_POLICY": str(policy), "SLUICE_THRESHOLDS": thresholds})
    assert refused.returncode == 78
    assert b"write the thresholds into the policy file" in refused.stderr
    assert refused.stderr.count(b"\n") == 1


def test_the_gate_and_the_settings_name_the_policy(policy: Path) -> None:
    environment = {"SLUICE_POLICY": str(policy)}
    [decided] = rows(
        sluice("gate", "--jsonl", given=b'{"query": "a beer", "surface": "kids"}', environment=environment)
    )
    assert decided["verdict"] == "block"
    assert "list:toys" in decided["reason_codes"]  # type: ignore[operator]
    assert b"shop@" in sluice("config", "show", "--changed", environment=environment).stdout


def test_two_policies_are_compared_before_one_is_used(policy: Path, tmp_path: Path) -> None:
    stricter = tmp_path / "stricter.toml"
    stricter.write_text(POLICY.replace('"casino bonus"', '"casino bonus", "lottery"'))
    queries = tmp_path / "queries.jsonl"
    queries.write_bytes(b"\n".join(orjson.dumps({"query": word}) for word in ("shoes", "lottery", "beer", "lottery 2")))
    finished = sluice("policy", "diff", policy, stricter, "--rows", queries)
    assert finished.returncode == 0, finished.stderr
    assert "50.00% of 4 verdicts change" in finished.stdout.decode()
    assert "review → block: 2, on the lines 2, 4" in finished.stdout.decode()
    [found] = rows(sluice("policy", "diff", policy, stricter, "--rows", queries, "--json"))
    assert (found["categories"], found["rules"]) == ({"spam": 2}, {"list:banned": 2})


def test_a_policy_is_used_tried_and_rolled_back(policy: Path, tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    stricter = tmp_path / "stricter.toml"
    stricter.write_text(POLICY.replace('"shop"', '"stricter"'))

    def listed(*arguments: str | Path) -> dict[str, str]:
        finished = sluice("policy", *arguments, environment={"SLUICE_POLICY": str(registry)})
        assert finished.returncode == 0, finished.stderr
        lines = finished.stdout.decode().splitlines()
        return {line.split("@")[0].strip(): line for line in lines if "@" in line}

    assert "in use" in listed("use", policy)["shop"]
    assert "shadow 25.00%" in listed("shadow", stricter, "--share", "0.25")["stricter"]
    assert "in use" in listed("use", stricter)["stricter"]
    assert "in use" in listed("rollback")["shop"]
    assert listed("list").keys() == {"shop", "stricter"}
    finished = sluice("policy", "rollback", "--registry", registry)
    assert finished.returncode == 65
    assert b"the only version that was ever in use" in finished.stderr
    decided = sluice("gate", "casino bonus", environment={"SLUICE_POLICY": str(registry)})
    assert b'"verdict":"block"' in decided.stdout
