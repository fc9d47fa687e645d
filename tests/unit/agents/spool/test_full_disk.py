"""A disk that other files have filled: a real one, of 6 MiB, in a name space of its own."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

SCRIPT = """
import sys
from pathlib import Path
import orjson
from sluicegate.agents.spool import Spool, SpoolRecord
from sluicegate.schemas.errors import SpoolFull
folder = Path(sys.argv[1])
spool = Spool(folder / "spool", max_bytes=64 << 20, reserve_bytes=4 << 20, when_full=sys.argv[2])
added, refusal = 0, None
try:
    for added in range(6000):
        spool.add([SpoolRecord("ledger", str(added), b"x" * 1000)])
except SpoolFull as error:
    refusal = str(error)
kept = spool.statistics()
deleted = 0
while found := spool.oldest(256):
    spool.delete([stored.number for stored in found])
    deleted += len(found)
spool.add([SpoolRecord("ledger", "after", b"x" * 1000)])
print(orjson.dumps([added, refusal, kept.records, kept.dropped, deleted]).decode())
"""


def on_a_small_disk(folder: Path, when_full: str) -> tuple[int, str | None, int, int, int]:
    """How many were added, why one was refused, how many were kept, dropped, and deleted in the end."""
    mount = f'mount -t tmpfs -o size=6m tmpfs "{folder}" && exec "$@"'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh", sys.executable, "-c", SCRIPT]
    if subprocess.run([*command[:3], "true"], check=False, capture_output=True).returncode:
        pytest.skip("no name space of its own can be made here")
    done = subprocess.run([*command, folder, when_full], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    added, refusal, kept, dropped, deleted = orjson.loads(done.stdout)
    return added, refusal, kept, dropped, deleted


def test_a_full_disk_refuses_records_and_those_that_are_there_can_be_deleted(tmp_path: Path) -> None:
    added, refusal, kept, dropped, deleted = on_a_small_disk(tmp_path, "refuse")
    assert refusal
    assert "the disk of the spool" in refusal
    assert kept == added == deleted > 1000
    assert dropped == 0


def test_a_full_disk_drops_the_oldest_records_if_it_is_told_to(tmp_path: Path) -> None:
    added, refusal, kept, dropped, deleted = on_a_small_disk(tmp_path, "drop_oldest")
    assert (added, refusal) == (5999, None)
    assert kept + dropped == 6000
    assert kept == deleted > 1000
