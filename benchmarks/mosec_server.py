"""Our engine behind mosec (https://github.com/mosecorg/mosec), for `python -m benchmarks.http`: the peer.

mosec's server is written in Rust. It gathers requests into batches and gives each to a Python process, which does what
our decider does with a query of one reading: normalise, encode, judge, by equal length. MOSEC_PORT is its port.
"""

import os
from collections import defaultdict
from collections.abc import Sequence

import orjson
from mosec import Server, Worker

from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.settings import load_settings
from sluicegate.models.inference.judge import EncodedQuery
from sluicegate.models.text.normalise import normalise

WORKERS = int(os.environ.get("BENCHMARK_WORKERS", "1"))
MOST_WAIT_MS = 1


class Gate(Worker):
    """Judges batches of texts."""

    def __init__(self) -> None:
        super().__init__()
        self._engine = load_engine(load_settings())

    def deserialize(self, data: bytes) -> str:
        """The text of a request."""
        return str(orjson.loads(data)["text"])

    def forward(self, data: Sequence[str]) -> list[dict[str, object]]:
        """What our engine says about each text."""
        groups: dict[int, list[tuple[int, EncodedQuery]]] = defaultdict(list)
        for place, text in enumerate(data):
            encoded = self._engine.encode(normalise(text).text)
            groups[len(encoded.tokens)].append((place, encoded))
        answers: dict[int, dict[str, object]] = {}
        for group in groups.values():
            results = self._engine.judge([encoded for _, encoded in group])
            for (place, _), result in zip(group, results, strict=True):
                answers[place] = {
                    "verdict": result.policy_result.verdict,
                    "reason": result.policy_result.reason,
                    "probabilities": result.probabilities,
                    "lexical": result.lexical,
                    "semantic": result.semantic,
                    "intent": result.intent,
                }
        return [answers[place] for place in range(len(data))]

    def serialize(self, data: dict[str, object]) -> bytes:
        """An answer as JSON."""
        return orjson.dumps(data)


if __name__ == "__main__":
    server = Server()
    server.append_worker(Gate, num=WORKERS, max_batch_size=64, max_wait_time=MOST_WAIT_MS)
    server.run()
