"""What a spool keeps, what it refuses, and what it does about a full or a corrupt file."""

import logging
import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from sluicegate.agents.settings import load_settings
from sluicegate.agents.spool import GroupCommit, Spool, SpoolRecord, WhenFull
from sluicegate.agents.spool.reading import find_problems, read_all, read_statistics
from sluicegate.schemas.errors import ConfigurationError, SpoolFailed, SpoolFull

MIB = 1 << 20


def record(number: int, size: int = 100, **changes: str) -> SpoolRecord:
    return SpoolRecord(changes.get("topic", "ledger"), f"id-{number}", b"%d " % number + b"x" * size, b"key")


def ids(path: Path) -> list[str]:
    return [stored.record.id for stored in read_all(path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "device.spool"


Opener = Callable[..., Spool]


@pytest.fixture
def opened(path: Path) -> Iterator[Opener]:
    """Opens the spool, to be closed after the test."""
    spools: list[Spool] = []

    def open_spool(*, max_mib: int = 8, when_full: WhenFull = "refuse") -> Spool:
        spools.append(Spool(path, max_bytes=max_mib * MIB, reserve_bytes=4 * MIB, when_full=when_full))
        return spools[-1]

    yield open_spool
    for spool in spools:
        spool.close()


def test_records_come_back_as_they_were_in_the_order_in_which_they_were_added(path: Path, opened: Opener) -> None:
    given = [
        SpoolRecord("ledger", "a", b"\x00\xff", None, (("twice", b"\xff"), ("twice", None))),
        SpoolRecord("raw", "a", b"", b"", ()),
        SpoolRecord("ledger", "b\u202e", b"{}", b"k", (("traceparent", b"00-1"),)),
    ]
    spool = opened()
    spool.add(given[:1])
    spool.add(given[1:])
    spool.close()
    again = opened()
    assert [stored.record for stored in again.oldest(10)] == given
    assert [stored.record.id for stored in again.oldest(1, after=1)] == ["a"]
    assert all(stored.intact for stored in again.oldest(10))


def test_a_second_record_of_the_same_id_and_topic_is_not_kept(path: Path, opened: Opener) -> None:
    spool = opened()
    spool.add([record(1), record(1), record(1, topic="raw")])
    spool.add([record(1, size=9)])
    assert [(stored.record.topic, len(stored.record.value)) for stored in spool.oldest(9)] == [
        ("ledger", 102),
        ("raw", 102),
    ]


def test_a_number_is_never_used_again_so_a_late_acknowledgement_deletes_no_other_record(opened: Opener) -> None:
    spool = opened()
    spool.add([record(1)])
    (sent,) = spool.oldest(1)
    spool.delete([sent.number])
    spool.add([record(2)])
    spool.delete([sent.number])
    assert [stored.record.id for stored in spool.oldest(9)] == ["id-2"]


def test_the_statistics_count_by_topic(path: Path, opened: Opener) -> None:
    spool = opened()
    assert (spool.statistics().records, spool.statistics().oldest_age_s) == (0, None)
    spool.add([record(1), record(2), record(3, topic="raw")])
    found = read_statistics(path)  # as another process does
    assert [(each.topic, each.records) for each in found.topics] == [("ledger", 2), ("raw", 1)]
    assert found.oldest_age_s is not None
    assert 0 <= found.oldest_age_s < 60
    assert (found.records, found.dropped) == (3, 0)


def test_a_full_spool_refuses_in_one_line_and_keeps_what_it_has(path: Path, opened: Opener) -> None:
    spool = opened()

    def fill() -> None:
        for number in range(10_000):
            spool.add([record(number, size=10_000)])

    with pytest.raises(SpoolFull, match=r"is full: publish its records with `sluice spool sync`") as refused:
        fill()
    assert "\n" not in str(refused.value)
    kept = ids(path)
    assert kept == [f"id-{number}" for number in range(len(kept))]
    assert 300 < len(kept) < 420
    assert size_on_disk(path) <= 8 * MIB
    spool.delete([stored.number for stored in spool.oldest(100)])
    spool.add([record(number, size=10_000) for number in range(20_000, 20_050)])
    assert len(ids(path)) == len(kept) - 50


def test_a_full_spool_drops_the_oldest_and_counts_them_if_it_is_told_to(
    path: Path, opened: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    spool = opened(when_full="drop_oldest")
    for start in range(0, 2000, 20):
        spool.add([record(number, size=5_000) for number in range(start, start + 20)])
    kept = ids(path)
    assert kept == [f"id-{number}" for number in range(2000 - len(kept), 2000)]
    assert len(kept) > 500
    assert read_statistics(path).dropped == 2000 - len(kept)
    assert size_on_disk(path) <= 8 * MIB
    (line,) = caplog.messages
    assert re.search(r"device\.spool is full: \d+ of the oldest records were dropped, \d+ in all", line)


def test_a_record_that_is_larger_than_the_spool_is_refused_and_drops_nothing(path: Path, opened: Opener) -> None:
    spool = opened(when_full="drop_oldest")
    spool.add([record(1)])
    with pytest.raises(SpoolFull):
        spool.add([record(2, size=20 * MIB)])
    assert ids(path) == ["id-1"]
    assert read_statistics(path).dropped == 0


def size_on_disk(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.iterdir())


def test_a_second_process_is_refused_in_one_line(path: Path, opened: Opener) -> None:
    opened()
    script = """
import sys
from pathlib import Path
from sluicegate.agents.settings import load_settings
from sluicegate.agents.spool import Spool
Spool.open(load_settings(), Path(sys.argv[1]))
"""
    second = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    said = second.stderr.splitlines()[-1]
    assert f"{path} is in use: one process at a time can add its records (process {os.getpid()})" in said


def test_the_process_that_publishes_does_not_keep_out_the_one_that_adds(path: Path, opened: Opener) -> None:
    opened().add([record(1)])
    with Spool.open(load_settings(), path, role="publish") as publishing:
        (stored,) = publishing.oldest(9)
        publishing.delete([stored.number])
        with pytest.raises(SpoolFailed, match="one process at a time can publish its records"):
            Spool.open(load_settings(), path, role="publish")
    assert ids(path) == []


def test_a_spool_does_not_survive_a_fork_and_its_lock_ends_with_its_owner(path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from sluicegate.agents.settings import load_settings
from sluicegate.agents.spool import Spool, SpoolRecord
spool = Spool.open(load_settings(), Path(sys.argv[1]))
if os.fork():
    os._exit(0)
print(os.getpid(), flush=True)
try:
    spool.add([SpoolRecord("t", "id", b"")])
except Exception as error:
    print(error, flush=True)
spool.close()
signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        try:
            assert "was opened before a fork: open one in this process" in parent.stdout.readline()
            parent.wait()  # the child holds nothing, although it still runs
            Spool.open(load_settings(), path).close()
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"\0" * 4096 + content[4096:],
        lambda content: content[: len(content) // 2],
        lambda content: content[:40_000] + os.urandom(40_000) + content[80_000:],
        lambda _: b"no database at all " * 1000,
    ],
    ids=["zeroed head", "cut off", "noise inside", "another file"],
)
def test_a_corrupt_file_is_put_aside_and_the_service_starts(
    path: Path, opened: Opener, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes]
) -> None:
    spool = opened()
    spool.add([record(number, size=3_000) for number in range(100)])
    spool.close()
    path.write_bytes(damage(path.read_bytes()))
    spool = opened()
    spool.add([record(1)])
    assert ids(path) == ["id-1"]
    (aside,) = path.parent.glob("device.spool.corrupt-*")
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "is corrupt" in line
    assert f"it is now {aside}, and a new one is started" in line
    assert "\n" not in line


def test_a_file_that_becomes_corrupt_while_it_is_used_is_put_aside_too(path: Path, opened: Opener) -> None:
    spool = opened(max_mib=24)
    spool.add([record(number, size=3_000) for number in range(3000)])  # more than SQLite keeps in memory
    spool.close()
    spool = opened(max_mib=24)
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
    assert spool.oldest(100) == []
    assert len(list(path.parent.glob("device.spool.corrupt-*"))) == 1
    spool.add([record(1)])
    assert ids(path) == ["id-1"]


def test_a_database_that_is_no_spool_is_refused_and_left_alone(path: Path, opened: Opener) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table cats (name)")
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="is a database, but not a spool"):
        opened()
    assert path.read_bytes() == before


def test_damage_that_the_database_does_not_see_is_found_by_the_checksums(path: Path, opened: Opener) -> None:
    spool = opened()
    spool.add([record(number, size=3_000) for number in range(20)])
    spool.close()
    content = path.read_bytes()
    at = content.index(b"7 xxxx") + 100
    path.write_bytes(content[:at] + b"y" + content[at + 1 :])
    assert list(find_problems(path)) == ["record 8 is damaged: its checksum is wrong"]
    assert [stored.intact for stored in opened().oldest(99)] == [number != 7 for number in range(20)]


def test_a_folder_that_is_missing_or_read_only_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpoolFailed, match=r"cannot use the spool .*nowhere/x: No such file or directory"):
        Spool.open(load_settings(), tmp_path / "nowhere" / "x")
    with pytest.raises(SpoolFailed, match="cannot use the spool /proc/x"):  # read-only for root too
        Spool.open(load_settings(), Path("/proc/x"))
    with pytest.raises(SpoolFailed, match=r"cannot read the spool .*: No such file"):
        read_statistics(tmp_path / "x")


def test_only_the_owner_can_read_the_files(path: Path, opened: Opener) -> None:
    opened().add([record(1)])
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_threads_share_a_commit_and_each_gets_its_own_answer(path: Path, opened: Opener) -> None:
    commits = GroupCommit(opened())
    with ThreadPoolExecutor(8) as threads:
        added = list(threads.map(lambda number: commits.add(record(number, size=500)), range(1000)))
    too_large = commits.add(record(5000, size=20 * MIB))
    after = commits.add(record(5001))
    assert [future.result(30) for future in added] == [None] * 1000
    with pytest.raises(SpoolFull):
        too_large.result(30)
    assert after.result(30) is None
    commits.close()
    commits.close()
    assert sorted(ids(path)) == sorted([*(f"id-{number}" for number in range(1000)), "id-5001"])
    with pytest.raises(SpoolFailed, match="is closed"):
        commits.add(record(1))


KILLED = """
import sys
from pathlib import Path
from sluicegate.agents.settings import load_settings
from sluicegate.agents.spool import Spool, SpoolRecord
spool = Spool.open(load_settings(), Path(sys.argv[1]))
for number in range(int(sys.argv[2]), 1_000_000):
    spool.add([SpoolRecord("ledger", str(number), b"x" * 700)])
    print(number, flush=True)
"""


def test_what_was_added_survives_kill_9(path: Path) -> None:
    told = -1
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, path, str(told + 1)], stdout=subprocess.PIPE, text=True
        ) as adding:
            assert adding.stdout
            for _ in range(40):
                told = int(adding.stdout.readline())
            adding.kill()
            for line in adding.stdout:
                told = int(line)
    kept = [int(number) for number in ids(path)]
    assert kept[: told + 1] == list(range(told + 1))
    assert len(kept) <= told + 2  # one may be on disk without having been told
    assert list(find_problems(path)) == []
