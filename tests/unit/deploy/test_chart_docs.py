"""The ten minutes of docs/deployment.md: its own commands render the chart and validate it."""

import subprocess
from pathlib import Path

from tests.support.chart import require_kubernetes_tools
from tests.support.markdown import blocks_of
from tests.unit.deploy.test_deploy import ROOT

MARK = "not run here: test_chart_docs.py runs it"


def test_the_commands_of_the_documentation_render_a_chart_that_is_valid(tmp_path: Path) -> None:
    require_kubernetes_tools()
    for name in (".cache", "deploy", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    blocks = [each for each in blocks_of(ROOT / "docs" / "deployment.md") if (each.comment or "").startswith(MARK)]
    assert len(blocks) == 2
    script = "\n".join(block.text for block in blocks)
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Invalid: 0, Errors: 0, Skipped: 0" in done.stdout
