"""Where a chat API is, and what a request to it may take and cost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

JsonMode: TypeAlias = Literal["auto", "schema", "object", "text"]
"""How an answer in JSON is asked for: by its schema, as any JSON object, or in words alone. `auto` finds out."""


@dataclass(frozen=True, kw_only=True)
class UpstreamConfig:
    """One chat API. Prices are in any currency, per million tokens."""

    name: str
    """What metrics call it."""
    url: str
    """Its base URL, as in ``https://api.openai.com/v1``."""
    model: str
    key: Callable[[], str | None] = lambda: None
    """The API key, read for every request, so that a key in a file can be changed."""
    body: Mapping[str, object] = field(default_factory=dict)
    """Fields of the request that are added or replaced; null removes one."""
    connect_timeout_s: float = 2.0
    read_timeout_s: float = 15.0
    """For the whole answer; of a stream, for each part of it."""
    attempts: int = 3
    max_answer_bytes: int = 1_048_576
    concurrency: int = 16
    rate: str | None = None
    """As in ``600/minute``."""
    open_s: float = 15.0
    """How long the circuit breaker stays open."""
    price_in: float = 0.0
    price_out: float = 0.0
    daily_budget: float | None = None
    spent_file: Path | None = None
    """Keeps what was spent today, over a restart and for all processes of this machine that name the file."""
    json_mode: JsonMode = "auto"
