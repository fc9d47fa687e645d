"""Two people and a model decide waiting reviews at once, in processes of their own, one of which is killed."""

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from sluicegate.agents.review_queue import ReviewQueue
from tests.support.reviews import make_new

REVIEWS = 300
LEASE_S = 1.0
POLL_S = 0.05

REVIEWER = """
import sys, time
from pathlib import Path
from sluicegate.agents.review_queue import PersonsDecision, ReviewQueue
from sluicegate.schemas.errors import RequestRefused
path, name, lease_s, poll_s = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
with ReviewQueue(path, lease_s=lease_s, max_events=10_000, retention_s=600) as queue:
    print("ready", file=sys.stderr, flush=True)
    sys.stdin.readline()
    while True:
        leased = queue.lease_next(name)
        if leased is not None:
            try:
                queue.decide(leased.id, name, PersonsDecision(allow=leased.place % 2 == 0, rationale=name))
            except RequestRefused:  # the lease has expired, and somebody else was quicker
                continue
            print(leased.id, flush=True)
            time.sleep(0.005)  # nobody is so fast that the others find nothing
        elif queue.statistics().waiting:
            time.sleep(poll_s)  # others have the leases
        else:
            break
"""


def start(path: Path, name: str, said: Path) -> subprocess.Popen[bytes]:
    with said.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-c", REVIEWER, str(path), name, str(LEASE_S), str(POLL_S)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.PIPE,
        )


def test_two_people_and_a_model_decide_each_review_once_although_one_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "queue"
    said = {name: tmp_path / name for name in ("anna", "ben", "model")}
    with ReviewQueue(path, lease_s=LEASE_S, max_events=REVIEWS, retention_s=600, make=True) as queue:
        queue.add([make_new(number) for number in range(REVIEWS)])
        left = queue.lease_next("carl")  # who takes a lease and goes home
        assert left is not None
        anna, *others = reviewers = [start(path, name, file) for name, file in said.items()]
        for each in reviewers:
            assert each.stderr is not None
            assert each.stderr.readline() == b"ready\n"
        for each in reviewers:
            assert each.stdin is not None
            each.stdin.close()
        while anna.poll() is None and len(said["anna"].read_bytes().split()) <= 10:
            time.sleep(0.001)
        anna.send_signal(signal.SIGKILL)

        published: dict[str, tuple[str | None, bool]] = {}
        while any(other.poll() is None for other in others) or queue.statistics().unpublished:
            batch = queue.decided(500)  # the agent publishes meanwhile
            for done in batch:
                assert done.decision
                assert done.id not in published
                published[done.id] = done.reviewer, done.decision.allow
            queue.finish([each.id for each in batch])
            time.sleep(POLL_S)

        assert [anna.wait(), *(other.wait() for other in others)] == [-signal.SIGKILL, 0, 0]
        assert len(published) == REVIEWS
        assert queue.statistics().waiting == 0
        assert published[left.id][0] in said
        for name, file in said.items():
            ids = file.read_text().split()
            decided = {review_id for review_id, (reviewer, _) in published.items() if reviewer == name}
            assert ids
            assert len(ids) == len(set(ids))
            assert decided >= set(ids)
            assert len(decided) - len(ids) <= (name == "anna")  # she may have been killed before she could say so
        assert Counter(allow for _, allow in published.values()) == {True: REVIEWS // 2, False: REVIEWS // 2}
