"""A WSGI application under gunicorn, a gate in each worker: ``gunicorn --workers 2 --threads 8 gunicorn_app:app``.

gunicorn forks its workers. A gate has threads, and they do not survive a fork. So each worker makes its own gate, when
it gets its first request: this works with and without ``--preload``. The threads of a worker share its gate.
"""

import json
import os
from collections.abc import Callable, Iterable
from functools import cache
from threading import Lock
from urllib.parse import parse_qs

from sluicegate import ContractError, Gate, JsonLinesLedger

_making = Lock()


@cache
def _gate_of(process: int) -> Gate:
    return Gate(ledger=JsonLinesLedger(os.environ.get("LEDGER", "ledger.jsonl")))


def gate() -> Gate:
    """The gate of this process, made at the first call."""
    with _making:
        return _gate_of(os.getpid())


def app(environ: dict[str, str], start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """What to search for, or 403 for a query that is not allowed."""
    query = parse_qs(environ.get("QUERY_STRING", "")).get("q", [""])[0]
    answer: dict[str, object]
    try:
        decision = gate().decide(query)
    except ContractError as error:
        status, answer = "422 Unprocessable Content", {"detail": str(error)}
    else:
        if decision.allow:
            status, answer = "200 OK", {"search_for": decision.lexical, "event_id": decision.event_id}
        else:
            status, answer = "403 Forbidden", {"reason": decision.reason, "event_id": decision.event_id}
    answer["process"] = os.getpid()
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
