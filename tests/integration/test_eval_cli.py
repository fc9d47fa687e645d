"""`sluice eval` on the embedded model: tables, JSON, and thresholds that become a new version."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from sluicegate.agents.settings import EMBEDDED_MODEL
from sluicegate.models.artifacts.manifest import read_manifest
from sluicegate.models.artifacts.registry import Registry
from tests.support.command import sluice
from tests.support.guard_models import compiled_verdict

MODERATION: Sequence[dict[str, str]] = (
    {"text": "red running shoes", "label": "allow", "category": "none", "source": "ours"},
    {"text": "blue sofa", "label": "allow", "category": "none", "source": "ours"},
    {"text": "how to forge a passport", "label": "block", "category": "illicit", "source": "ours"},
    {"text": "you are such a pathetic loser", "label": "review", "category": "harassment", "source": "ours"},
)
INTENT = (
    {"text": "book a flight to boston", "domain": "travel", "split": "dev"},
    {"text": "what is my bank balance", "domain": "banking", "split": "dev"},
    {"text": "how to forge a passport", "domain": "banking", "split": "train"},
)
REWRITE = ({"query": "chep runing shoes", "clean": "cheap running shoes"}, {"query": "waterproof bluetooth speaker"})
EXPANSIONS = (
    {"query": "red ankle boots", "facets": ["category:boots", "colour:red"]},
    {"query": "wireless headphones", "synonyms": ["headset", "cans"], "facets": ["category:headphones"]},
)


def write(file: Path, rows: Sequence[dict[str, Any]]) -> Path:
    file.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return file


def measured(tmp_path: Path, *arguments: str | Path) -> tuple[str, dict[str, Any]]:
    """What the command printed, and its JSON."""
    finished = sluice("eval", *arguments, "--json", tmp_path / "out.json")
    assert (finished.returncode, finished.stderr) == (0, b"")
    return finished.stdout.decode(), orjson.loads((tmp_path / "out.json").read_bytes())


def test_moderation_is_compared_with_the_baseline(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", MODERATION)
    train = write(tmp_path / "train.jsonl", [row for row in MODERATION for _ in range(5)])
    shown, report = measured(tmp_path, "moderation", rows, "--train", train, "--html", tmp_path / "out.html")
    model, baseline = report["systems"]
    assert model == read_manifest(EMBEDDED_MODEL).model_version
    assert report["rows"] == 4
    assert report["systems"][model]["caught"] == 1
    assert report["systems"][baseline]["unsafe"]["auprc"] == pytest.approx(1)
    assert "AUPRC" in shown
    assert (tmp_path / "out.html").read_text().startswith("<!doctype html>")


def test_what_moderation_chose_becomes_a_new_version_and_the_model_stays_as_it_is(tmp_path: Path) -> None:
    folder, new = shutil.copytree(EMBEDDED_MODEL, tmp_path / "model"), tmp_path / "new"
    rows = write(tmp_path / "rows.jsonl", MODERATION)
    out = tmp_path / "out.json"
    arguments = ("eval", "moderation", rows, "--model", folder, "--apply", "--out", new)
    refused = sluice(*arguments)
    assert refused.returncode == 65
    assert refused.stderr.startswith(b"sluice: nothing was applied: 4 rows, 1 of them labelled block and 2 allow")
    assert not new.exists()
    finished = sluice(*arguments, "--force", "--json", out)
    assert (finished.returncode, finished.stderr) == (0, b"")
    [scores] = orjson.loads(out.read_bytes())["systems"].values()
    before, manifest = read_manifest(folder), read_manifest(new)
    assert before == read_manifest(EMBEDDED_MODEL)
    assert manifest.model_version != before.model_version
    assert f"{manifest.model_version} is in {new}" in finished.stdout.decode()
    assert manifest.temperature == pytest.approx(scores["calibration"]["temperature"], abs=1e-3)
    chosen = scores["thresholds"]
    assert {name: (limit.allow, limit.block) for name, limit in manifest.thresholds.items()} == {
        name: (limit["allow"], limit["block"]) for name, limit in chosen["thresholds"].items()
    }
    assert manifest.sum_bound == chosen["sum_bound"]
    _, again = measured(tmp_path, "moderation", rows, "--model", new)
    [served] = again["systems"].values()
    assert served["calibration"]["served_temperature"] == manifest.temperature


def test_a_second_model_decides_what_the_screen_would_review(tmp_path: Path) -> None:
    second = compiled_verdict(tmp_path / "guard", {"Safe": 20.0, "Controversial": 0.0, "Unsafe": 0.0})
    rows = write(tmp_path / "rows.jsonl", MODERATION)
    profile = tmp_path / "profile.json"
    cost = {"call": 10.0, "token": 0.0, "step": 0.0, "member": 0.0, "answer": 0.0}
    speed = {"threads": 1, "replicas": 1, "batch_size": 10, "rate": 1000.0, "tokens": 4}
    profile.write_bytes(orjson.dumps({**speed, "batch_cost": cost}))
    options = ("--second", second, "--screen-profile", profile, "--second-profile", profile)
    shown, report = measured(tmp_path, "cascade", rows, *options, "--html", tmp_path / "out.html")
    scores = report["systems"]["cascade"]
    screen, other, both, _ = scores["outcomes"].values()
    assert (screen["reviewed"]["count"], other["reviewed"]["count"], both["reviewed"]["count"]) == (1, 0, 0)
    assert (both["asked"]["count"], both["asked_for"]) == (1, {"review": 1})
    assert (both["caught"]["count"], other["caught"]["count"]) == (1, 0)
    assert scores["agreement"] == {"review → allow": 1}
    assert both["rate"] == pytest.approx(screen["rate"])
    assert "review → allow" in shown
    assert "goes on to the second model" in (tmp_path / "out.html").read_text()
    refused = sluice("eval", "cascade", rows, *options, "--apply")
    assert (refused.returncode, b"too few to choose thresholds" in refused.stderr) == (65, True)
    forced = sluice("eval", "cascade", rows, *options, "--apply", "--force")
    version = read_manifest(second).model_version
    assert f"{version} has this temperature and these thresholds already" in forced.stdout.decode()


def test_a_cascade_without_a_second_model_is_refused_in_one_line(tmp_path: Path) -> None:
    finished = sluice("eval", "cascade", write(tmp_path / "rows.jsonl", MODERATION))
    assert finished.returncode == 78
    assert finished.stderr == b"sluice: there is no second model: name one with --second, or set SLUICE_SECOND_MODEL\n"


def test_files_and_folders_are_measured_as_one_and_each_wrong_row_names_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    write(folder / "a.jsonl", MODERATION[:2])
    write(folder / "b.jsonl", [{**MODERATION[2], "label": "allow", "category": "none", "lang": "en", "use": "eval"}])
    more = write(tmp_path / "more.jsonl", MODERATION[3:])
    arguments = (folder, more, "--plain", "ou*", "--max-review", "0.2", "--max-blocked", "0.01")
    shown, report = measured(tmp_path, "moderation", *arguments)
    assert (report["rows"], report["file"]) == (4, f"{folder}, {more}")
    [scores] = report["systems"].values()
    [wrong] = scores["wrong"]
    assert (wrong["file"], wrong["row"]) == (str(folder / "b.jsonl"), 1)
    assert scores["served"]["plain"] == {"ours": {"rows": 3, "review": 0, "blocked": pytest.approx(1 / 3)}}
    assert "plain: ours (3 rows)" in shown


def test_what_was_chosen_for_a_model_in_a_registry_joins_it_and_is_not_in_use(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    in_use = registry.use(str(EMBEDDED_MODEL))
    rows = write(tmp_path / "rows.jsonl", MODERATION)
    finished = sluice("eval", "moderation", rows, "--model", registry.folder, "--apply", "--force")
    assert finished.returncode == 0, finished.stderr
    assert registry.deployment().versions == (in_use,)
    versions = {model.version: model.problem for model in registry.models()}
    assert set(versions.values()) == {None}
    (new,) = versions.keys() - {in_use}
    assert f"sluice models canary {new}" in finished.stdout.decode()


def test_the_files_are_written_although_the_reader_of_the_output_leaves(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", MODERATION)
    html, json = tmp_path / "r.html", tmp_path / "r.json"
    arguments = ["eval", "moderation", str(rows), "--html", str(html), "--json", str(json)]
    command = [sys.executable, "-m", "sluicegate", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert orjson.loads(json.read_bytes())["rows"] == 4
    assert html.read_text().endswith("</html>\n")


def test_models_of_the_same_weights_are_compared_by_their_folders(tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(EMBEDDED_MODEL, other)
    rows = write(tmp_path / "rows.jsonl", MODERATION)
    _, report = measured(tmp_path, "moderation", rows, "--model", EMBEDDED_MODEL, "--model", other)
    version = read_manifest(EMBEDDED_MODEL).model_version
    assert list(report["systems"]) == [f"{version} in {EMBEDDED_MODEL}", f"{version} in {other}"]


def test_two_models_are_compared_on_intents_of_a_split(tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(EMBEDDED_MODEL, other)
    manifest = orjson.loads((other / "manifest.json").read_bytes())
    (other / "manifest.json").write_bytes(orjson.dumps({**manifest, "name": "other"}))
    rows = write(tmp_path / "rows.jsonl", INTENT)
    _, report = measured(tmp_path, "intent", rows, "--split", "dev", "--model", EMBEDDED_MODEL, "--model", other)
    assert [name.partition("@")[0] for name in report["systems"]] == ["sluice-embedded", "other"]
    assert {scores["accuracy"] for scores in report["systems"].values()} == {1}
    assert report["rows"] == 2


def test_a_blocked_query_has_no_intent(tmp_path: Path) -> None:
    _, report = measured(tmp_path, "intent", write(tmp_path / "rows.jsonl", INTENT), "--split", "train")
    [scores] = report["systems"].values()
    assert scores["accuracy"] == 0


def test_rewrites_are_compared_with_the_speller(tmp_path: Path) -> None:
    _, report = measured(tmp_path, "rewrite", write(tmp_path / "rows.jsonl", REWRITE))
    model, speller = report["systems"].values()
    assert model["pairs"] == speller["pairs"] == 2
    assert model["restored"] >= 0.5
    assert model["clean"]["recall_at_10"] == 1


def test_expansions_are_measured_by_kind(tmp_path: Path) -> None:
    shown, report = measured(tmp_path, "expansions", write(tmp_path / "rows.jsonl", EXPANSIONS))
    [scores] = report["systems"].values()
    assert set(scores["kinds"]) == {"synonym", "category", "colour"}
    assert scores["kinds"]["synonym"]["rows"] == 1
    assert scores["kinds"]["colour"]["precision"]["count"] == 1
    assert "rows with a right one used" in shown


@pytest.mark.parametrize(
    ("arguments", "exit_code", "named"),
    [
        (["moderation", "/nowhere.jsonl"], 74, "/nowhere.jsonl"),
        (["moderation", "/nowhere.jsonl", "--json", "/nowhere/report.json"], 74, "/nowhere/report.json"),
        (["intent", "{rows}"], 65, "line 1"),
        (["moderation", "{rows}", "--model", "/nowhere"], 78, "/nowhere"),
        (["rewrite", "{none}"], 65, "can be misspelt"),
        (["expansions", "{none}"], 65, "`synonyms` or `facets`"),
        (["moderation", "{empty}"], 74, "has no .jsonl file"),
        (["moderation", "{rows}", "--plain", "books"], 65, "no source with safe rows is named books"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(
    tmp_path: Path, arguments: list[str], exit_code: int, named: str
) -> None:
    rows = str(write(tmp_path / "rows.jsonl", MODERATION))
    none = str(write(tmp_path / "none.jsonl", [{"query": "a 1"}]))
    empty = tmp_path / "empty"
    empty.mkdir()
    finished = sluice("eval", *(argument.format(rows=rows, none=none, empty=empty) for argument in arguments))
    assert (finished.returncode, finished.stdout) == (exit_code, b"")
    assert named in finished.stderr.decode()
    assert finished.stderr.count(b"\n") == 1


def test_a_report_that_cannot_be_written_is_a_one_line_error(tmp_path: Path) -> None:
    finished = sluice("eval", "moderation", write(tmp_path / "rows.jsonl", MODERATION), "--json", tmp_path)
    assert finished.returncode == 74
    assert finished.stderr.decode() == f"sluice: cannot write {tmp_path}: Is a directory\n"
