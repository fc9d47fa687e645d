"""Publishes numbered events at a steady rate from a thread. Most have an `event_id`; some are not valid JSON."""

import random
import threading
import time
from collections.abc import Callable
from typing import Final, Literal

import orjson
from confluent_kafka import KafkaError, Message, Producer

Kind = Literal["allow", "block", "review", "poison"]

_TICK_S: Final = 0.02
_ID_SHARE: Final = 0.75
_SHARES: Final[dict[Kind, int]] = {"allow": 14, "block": 3, "review": 2, "poison": 1}

QUERY_TEXTS: Final = tuple(f"{kind} event " for kind in _SHARES)
"""Each query contains one of these texts."""


class SteadyProducer:
    """Publishes `count` events, `rate` per second, each with the timestamp of `timestamp_of` or the present time."""

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        count: int,
        rate: float,
        seed: int,
        timestamp_of: Callable[[random.Random], int] | None = None,
    ) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "enable.idempotence": True,
                "linger.ms": 5,
                "max.in.flight.requests.per.connection": 1,  # with more, it spins until its first batches are acked
                "delivery.timeout.ms": 300_000,
                "topic.metadata.refresh.interval.ms": 2_000,
                "log_level": 0,
            }
        )
        self._topic = topic
        self._count = count
        self._rate = rate
        self._rng = random.Random(seed)
        self._timestamp_of = timestamp_of
        self._thread = threading.Thread(target=self._run, name="producer", daemon=True)
        self.sent = 0
        self.acknowledged = 0
        self.refused: KafkaError | None = None

    def start(self) -> None:
        """Start publishing."""
        self._thread.start()

    def wait_for(self, count: int) -> None:
        """Wait until `count` events are sent."""
        while self.sent < count and self._thread.is_alive():
            time.sleep(_TICK_S)

    def finish(self) -> None:
        """Wait until the brokers have acknowledged every event."""
        self._thread.join()
        assert self._producer.flush(300) == 0
        assert self.refused is None, self.refused
        assert self.acknowledged == self._count

    def _run(self) -> None:
        began = time.monotonic()
        while self.sent < self._count:
            due = min(self._count, int((time.monotonic() - began) * self._rate))
            while self.sent < due:
                self._send(self.sent)
                self.sent += 1
            self._producer.poll(_TICK_S)

    def _send(self, number: int) -> None:
        (kind,) = self._rng.choices(list(_SHARES), list(_SHARES.values()))
        document: dict[str, str] = {"query": f"{kind} event {number}"}
        if self._rng.random() < _ID_SHARE:
            document["event_id"] = f"event-{number}"
        value = b"{%d" % number if kind == "poison" else orjson.dumps(document)
        timestamp = self._timestamp_of(self._rng) if self._timestamp_of else 0
        self._producer.produce(self._topic, value, str(number), on_delivery=self._delivered, timestamp=timestamp)

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        self.refused = self.refused or error
        self.acknowledged += 1


def kind_of(value: bytes) -> Kind:
    """The kind of an event, from its value."""
    try:
        kind: Kind = orjson.loads(value)["query"].split()[0]
    except orjson.JSONDecodeError:
        return "poison"
    return kind
