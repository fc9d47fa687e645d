"""`sluice serve` against a tool that makes requests from its OpenAPI document, and against many bad clients at once."""

import os
import subprocess
import sys
from pathlib import Path

from tests.chaos.http_soak import Server, soak

CONFIG = Path(__file__).parents[1] / "support" / "schemathesis.toml"
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "5")
"""Of each operation, beside some 1,300 cases that the tool makes of the document itself. `make contract`: 1000."""


def test_every_request_that_its_document_suggests_gets_an_answer_that_the_document_describes(tmp_path: Path) -> None:
    server = Server()
    try:
        server.await_ready()
        document = f"http://127.0.0.1:{server.port}/openapi.json"
        tool = Path(sys.executable).with_name("st")
        options = ["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--no-color"]
        done = subprocess.run(
            [tool, "--config-file", CONFIG, "run", document, *options, "--suppress-health-check", "all"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=max(600, 4 * int(EXAMPLES)),
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:]
        sys.stdout.write(done.stdout[done.stdout.rfind("Test cases:") :])
        assert server.held().open_requests == 0
    finally:
        server.process.kill()
        server.process.wait()


def test_slow_and_broken_clients_leave_nothing_and_keep_no_other_client_waiting() -> None:
    seen, problems = soak(connections=48, duration_s=8, longest_p99_s=20)
    assert problems == []
    assert seen.outcomes["too slow"] >= 8
