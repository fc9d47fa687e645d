"""The Kafka Streams example: its own tests, with the events that the README shows."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.markdown import blocks_of
from tests.support.required import give_up

ROOT = Path(__file__).parents[2]


def test_the_join_makes_one_search_request_of_a_querys_recall_and_ranking_events(tmp_path: Path) -> None:
    if missing := [program for program in ("java", "mvn") if shutil.which(program) is None]:
        give_up("REQUIRE_APACHE_KAFKA", f"{' and '.join(missing)} not installed")
    for block in blocks_of(ROOT / "README.md"):
        if block.comment in ("event: recall", "event: ranking"):
            (tmp_path / f"{block.comment.removeprefix('event: ')}.json").write_text(block.text)
    project = tmp_path / "streams"
    shutil.copytree(ROOT / "examples" / "streams", project, ignore=shutil.ignore_patterns("target"))
    done = subprocess.run(
        ["mvn", "-q", "-B", "test"],
        cwd=project,
        env={**os.environ, "EVENTS": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    [report] = (project / "target" / "surefire-reports").glob("*.txt")
    assert "Tests run: 2, Failures: 0, Errors: 0, Skipped: 0" in report.read_text()
