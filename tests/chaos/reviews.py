"""Review events through an API that fails in every way, while workers come, go and are killed.

``python -m tests.chaos.reviews`` sends 20,000 events through Apache Kafka (Java 17 or newer; Maven the first time), and
prints what became of them. Most words have an answer; some are answered wrongly, slowly, in part, or never. Meanwhile

    a worker is killed, one joins, one is terminated;  the API fails altogether, then recovers;  the budget ends

It exits with 1 if an event is lost, was decided otherwise than its reviewer or the policy says, or lacks an output; if
the circuit did not open and close; or if more was spent than the budget of the day.
"""

import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from sluicegate.schemas.codec import encode
from tests.support.chat_server import ChatServer, Reply, error
from tests.support.kafka_client import Record
from tests.support.kafka_cluster import ApacheKafka, available
from tests.support.review_stream import api_of, by_words
from tests.support.reviews import make_review
from tests.support.worker_process import Output, Stream, WorkerProcess, fresh_stream, run_worker, wait_for

WORDS: Final = {
    "allow": 70,
    "deny": 17,
    "label": 3,
    "contradiction": 2,
    "words": 2,
    "garbage": 2,
    "half": 1,
    "busy": 1,
    "hang": 1,
    "drip": 1,
}
ANSWERS: Final = {"allow": True, "deny": False}
"""What the API says about the words that it answers."""
COST: Final = 120 / 1e6
"""Of one answer, at a price of 1 for a million tokens."""
FOLLOWED_BY: Final = {True: {"reviewed", "recall", "ranking", "ledger"}, False: {"reviewed", "blocked", "ledger"}}
SETTINGS: Final[dict[str, object]] = {
    "review_fallback": "gate",
    "review_deadline_ms": 3_000,
    "review_api_read_timeout_ms": 500,
    "review_api_attempts": 2,
    "review_api_open_ms": 1_000,
    "session_timeout_ms": 6_000,
}


class BilledServer(ChatServer):
    """The API, and what it has billed: all that it answered, also wrongly or too slowly."""

    billed = 0.0
    fails = False

    def reply(self, body: dict[str, Any], number: int) -> Reply:
        """By the words of the query, unless it fails altogether."""
        if self.fails:
            return error(500)
        reply = by_words(body, number)
        self.billed += COST * (reply.status == 200 and reply.body is not None and b"usage" in reply.body)
        return reply


def run(stream: Stream, folder: Path, *, count: int, budget: float, kill: bool, seed: int = 1) -> list[str]:
    """Send `count` events through the faults; returns what is wrong, a sentence each."""
    rng = random.Random(seed)
    words = rng.choices(list(WORDS), list(WORDS.values()), k=count)
    records: list[Record] = []
    for number, word in enumerate(words):
        gate = {"allow": float(number % 2), "illicit": float(1 - number % 2)}
        review = make_review(f"event-{number}", f"{word} {number}", probabilities=gate)
        records.append((str(number).encode(), encode(review), []))
    server = BilledServer(lambda body, number: server.reply(body, number))
    with server, ExitStack() as workers:
        settings = {
            **api_of(server),
            **SETTINGS,
            "review_api_budget": budget,
            "review_api_spent_file": folder / "spent",
        }

        def start() -> WorkerProcess:
            return workers.enter_context(run_worker(stream, folder, **settings))

        def send(share: int) -> None:
            at = len(records) * share // 5
            stream.produce(records[at : len(records) * (share + 1) // 5])

        def ends(event: str, at_least: int) -> None:
            wait_for(lambda: stream.ledger_count() >= at_least, 600, f"{event}: too few events are decided")

        first, second = start(), start()
        send(0)
        ends("at the start", count // 10)
        if kill:
            first.kill()
        send(1)
        third = start()
        ends("with another worker", count * 3 // 10)
        server.fails = True
        send(2)
        time.sleep(4)
        server.fails = False
        second.stop()
        send(3)
        start()
        ends("after the failure", count * 7 // 10)
        send(4)
        stream.await_commits(900)
        third.stop()
    return check(words, stream.outputs(), server.billed, spent_in(folder / "spent"), budget)


def spent_in(file: Path) -> float:
    """What the workers say that they spent."""
    return float(orjson.loads(file.read_bytes())["spent"])


def check(words: Sequence[str], outputs: Sequence[Output], billed: float, spent: float, budget: float) -> list[str]:
    """What is wrong with what became of the events, a sentence each."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    of_event: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    reasons: Counter[str] = Counter()
    for output in outputs:
        names[output.event_id].add(output.name)
        if output.name == "reviewed":
            of_event[output.event_id].append(output.event)
        if output.name == "ledger" and output.event["review"]:
            reasons.update(asked["reason"] for asked in output.event["review"]["unanswered"])
    ids = [f"event-{number}" for number in range(len(words))]
    problems = [f"{unknown} is no event that was sent" for unknown in set(names) - set(ids)]
    fell_back = 0
    for number, event_id in enumerate(ids):
        if not of_event[event_id]:
            problems.append(f"{event_id} is lost")
        wanted: set[str] = set()
        for event in of_event[event_id]:
            expected = number % 2 == 1 if event["fallback"] else ANSWERS.get(words[number])
            fell_back += event["fallback"] is not None
            wanted |= FOLLOWED_BY[event["allow"]]
            if event["allow"] is not expected:
                problems.append(f"{event_id} ({words[number]}) was decided wrongly: {event['reviewer']}")
        if names[event_id] != wanted:
            problems.append(f"{event_id} has {sorted(names[event_id])} instead of {sorted(wanted)}")
    if not reasons["circuit_open"]:
        problems.append("the circuit did not open")
    later = ids[len(ids) * 3 // 5 : len(ids) * 4 // 5]
    if all(event["fallback"] for event_id in later for event in of_event[event_id]):
        problems.append("the circuit did not close: after the failure no reviewer was asked")
    if not billed <= spent <= budget:
        problems.append(f"{billed:.4f} was billed, {spent:.4f} counted, {budget:.4f} allowed")
    repeated = sum(len(events) - 1 for events in of_event.values() if events)
    sys.stdout.write(
        f"{len(words)} events: {sum(map(bool, of_event.values()))} reviewed, {repeated} of them repeated, "
        f"{fell_back} by the policy; not answered: {dict(reasons)}; "
        f"billed {billed:.4f}, counted {spent:.4f} of {budget:.4f}\n"
    )
    return problems


def main(
    events: Annotated[int, typer.Option(min=200, help="Events to send.")] = 20_000,
    budget: Annotated[float, typer.Option(help="Budget of the day: an answer costs 0.00012.")] = 6.0,
    seed: Annotated[int, typer.Option(help="Seed of the events.")] = 1,
) -> None:
    """Run it once; exit with 1 if anything is wrong."""
    if reason := available():
        sys.exit(f"no real Kafka: {reason}")
    with tempfile.TemporaryDirectory(prefix="sluicegate-reviews-") as folder, ApacheKafka() as cluster:
        stream = fresh_stream(cluster.bootstrap_servers, "reviews", partitions=6).of_review_agent()
        started = time.monotonic()
        problems = run(stream, Path(folder), count=events, budget=budget, kill=True, seed=seed)
        sys.stdout.write(f"{time.monotonic() - started:.0f} s\n")
    for problem in problems[:20]:
        sys.stdout.write(f"{problem}\n")
    raise typer.Exit(bool(problems))


if __name__ == "__main__":
    typer.run(main)
