"""The documentation does what it says: its commands run, its events keep their contracts, its links lead somewhere."""

import os
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import orjson
import pytest

from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from tests.support.markdown import Block, anchors_of, blocks_of, links_of
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
ELSEWHERE = [ROOT / "examples" / "README.md", ROOT / "models" / "embedded" / "MODEL_CARD.md"]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ELSEWHERE])
BLOCKS = [block for document in DOCUMENTS for block in blocks_of(document)]
NOT_RUN = "not run here: "
RUN_FIRST = "run first: "
LONGEST_README_LINE = 110


def name_of(item: Path | Block) -> str:
    return f"{item.file.name}:{item.line}" if isinstance(item, Block) else item.name


def runs(block: Block) -> bool:
    return not (block.comment or "").startswith(NOT_RUN)


def commands_of(block: Block) -> str:
    """The block, preceded by the commands that its comment names: they prepare what its reader already has."""
    comment = block.comment or ""
    return f"{comment.removeprefix(RUN_FIRST)}\n{block.text}" if comment.startswith(RUN_FIRST) else block.text


def shell_blocks(document: Path) -> list[Block]:
    return [block for block in blocks_of(document) if block.language == "sh" and runs(block)]


def test_the_readme_is_readable_in_a_terminal() -> None:
    lines = README.read_text("utf-8").splitlines()
    assert [number for number, line in enumerate(lines, 1) if len(line) > LONGEST_README_LINE] == []


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if shell_blocks(path)], ids=name_of)
def test_the_shell_blocks_of_a_document_run(document: Path, tmp_path: Path) -> None:
    """All blocks of a document run in one shell, in order. A block that cannot run says why in a comment before it."""
    with EmbeddedBroker() as broker:
        script = "\n".join(f"echo '--- line {block.line}'\n{commands_of(block)}" for block in shell_blocks(document))
        script = script.replace("localhost:9092", broker.bootstrap_servers).replace(". .venv/bin/activate", ":")
        script = script.replace("8080", str(free_port())).replace("8081", str(free_port()))
        # What a block starts in the background ends with the script.
        script = f"set -eu\ntrap 'jobs -p | xargs -r kill; wait' EXIT\n{script}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "OTEL_"))}
        environment |= {
            "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}",
            "SLUICE_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "SLUICE_HTTP_PORT": str(free_port()),  # another worker of this machine may have the default
            "ROOT": str(ROOT),
        }
        finished = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    assert finished.returncode == 0, f"{finished.stdout}\n{finished.stderr}"


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language == "python" and runs(block)], ids=name_of
)
def test_a_python_block_runs(block: Block, tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", block.text], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if (block.comment or "").startswith("event: ")], ids=name_of
)
def test_an_event_that_is_shown_keeps_its_contract(block: Block) -> None:
    event = (block.comment or "").removeprefix("event: ")
    schema = orjson.loads((ROOT / "schemas" / "json" / f"{event}.schema.json").read_bytes())
    shown = orjson.loads(block.text)
    jsonschema_rs.validator_for(schema, validate_formats=True).validate(shown)
    if event != "raw":  # a producer may leave fields out; the worker writes every field
        assert set(schema["properties"]) == set(shown)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(document: Path) -> None:
    broken = []
    for link in links_of(document):
        target, _, anchor = link.partition("#")
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file = (document.parent / target).resolve() if target else document
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors_of(file)):
            broken.append(link)
    assert broken == []
