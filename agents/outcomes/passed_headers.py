"""The producer's headers that every output repeats: those that SLUICE_PASS_HEADERS names."""

from collections.abc import Sequence
from typing import Final

from sluicegate.schemas.headers import REPLAY_HEADERS, Header, Headers

MAX_HEADERS: Final = 64
MAX_BYTES: Final = 16 * 1024
"""Of names and values together. Every output of an event has them, so they cost as many times over."""

_OURS: Final = frozenset({"traceparent", "tracestate", *REPLAY_HEADERS})
"""Written by the worker itself, or a claim that only a signature proves."""


class PassedHeaders:
    """Chooses headers by their names, without regard to case."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """`patterns` are names in lower case; one that ends in `*` stands for every name that begins like it."""
        self._names = frozenset(pattern for pattern in patterns if not pattern.endswith("*"))
        self._beginnings = tuple(pattern[:-1] for pattern in patterns if pattern.endswith("*"))

    def of(self, headers: Headers) -> list[Header]:
        """The headers to repeat, as they are and in their order, never the worker's own.

        From the first that would exceed MAX_HEADERS or MAX_BYTES on, none is repeated. Neither is one whose name is not
        UTF-8, because clients cannot publish it.
        """
        if not (self._names or self._beginnings):
            return []
        chosen: list[Header] = []
        size = 0
        for name, value in headers:
            if not self._takes(name):
                continue
            size += len(name.encode()) + len(value or b"")
            if size > MAX_BYTES or len(chosen) == MAX_HEADERS:
                break
            chosen.append((name, value))
        return chosen

    def _takes(self, name: str) -> bool:
        lowered = name.lower()
        return (
            lowered not in _OURS
            and (lowered in self._names or lowered.startswith(self._beginnings))
            and not any("\ud800" <= letter <= "\udfff" for letter in name)
        )
