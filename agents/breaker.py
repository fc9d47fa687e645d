"""A circuit breaker: it stops asking what fails, and finds out with one question at a time if that is over.

    closed ──── enough questions, too many failed ────► open
      ▲                                                  │ open_s
      └── the probe succeeds ── half-open ◄──────────────┘
                                    └── the probe fails ────► open

Half-open there is exactly one probe at a time; everybody else is refused. A probe whose question is cancelled, or says
nothing about who was asked, gives its place to the next question. A question that began before the state changed does
not count: it tells about another time.

Plain and synchronous, for one event loop.
"""

import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from types import TracebackType
from typing import Final, Self

WINDOW_S: Final = 30.0
MINIMUM: Final = 10
SHARE: Final = 0.5
_MOST_REMEMBERED: Final = 1000


class Circuit(StrEnum):
    """The state of a breaker."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class CircuitOpen(Exception):
    """The question is not asked."""


class CircuitBreaker:
    """Opens when at least `share` of at least `minimum` questions within `window_s` failed, for `open_s`."""

    def __init__(
        self,
        *,
        open_s: float,
        window_s: float = WINDOW_S,
        minimum: int = MINIMUM,
        share: float = SHARE,
        clock: Callable[[], float] = time.monotonic,
        changed: Callable[[Circuit], None] = lambda _: None,
    ) -> None:
        """`changed` is called with each new state but half-open, which comes by the passing of time."""
        self._open_s = open_s
        self._window_s = window_s
        self._minimum = minimum
        self._share = share
        self._clock = clock
        self._changed = changed
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=max(minimum, _MOST_REMEMBERED))
        """When each question of the closed circuit ended, and whether it failed."""
        self._open_until: float | None = None
        self._probe: Question | None = None
        self._epoch = 0

    @property
    def circuit(self) -> Circuit:
        """Its state now."""
        if self._open_until is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self._clock() < self._open_until else Circuit.HALF_OPEN

    @property
    def opens_in_s(self) -> float:
        """Seconds until the next question may be asked; 0 if one may be asked now, or a probe is under way."""
        return max(0.0, (self._open_until or 0.0) - self._clock())

    def refuses(self) -> bool:
        """Whether a question would be refused now."""
        circuit = self.circuit
        return circuit is Circuit.OPEN or (circuit is Circuit.HALF_OPEN and self._probe is not None)

    def question(self) -> "Question":
        """Permission to ask one question: say in its `with` block how that ended.

        Raises:
            CircuitOpen: not now.
        """
        if self.refuses():
            raise CircuitOpen
        question = Question(self, self._epoch)
        if self._open_until is not None:
            self._probe = question
        return question

    def _ended(self, question: "Question", failed: bool | None, *, opens: bool) -> None:
        if question.epoch != self._epoch:
            return
        if question is self._probe:
            self._probe = None
            if failed:
                self._open()
            elif failed is False:
                self._close()
            return
        if failed is None:
            return
        now = self._clock()
        self._outcomes.append((now, failed))
        while self._outcomes[0][0] <= now - self._window_s:
            self._outcomes.popleft()
        failures = sum(each for _, each in self._outcomes)
        enough = len(self._outcomes) >= self._minimum and failures >= self._share * len(self._outcomes)
        if failed and (opens or enough):
            self._open()

    def _open(self) -> None:
        self._epoch += 1
        self._outcomes.clear()
        self._open_until = self._clock() + self._open_s
        self._changed(Circuit.OPEN)

    def _close(self) -> None:
        self._epoch += 1
        self._open_until = None
        self._changed(Circuit.CLOSED)


class Question:
    """One question under way. Leaving its block without a word, as a cancellation does, counts as nothing."""

    def __init__(self, breaker: CircuitBreaker, epoch: int) -> None:
        self.epoch: Final = epoch
        self._breaker = breaker
        self._failed: bool | None = None
        self._opens = False

    def succeeded(self) -> None:
        """It was answered."""
        self._failed = False

    def failed(self, *, opens: bool = False) -> None:
        """It was not. `opens`: no need to count, the next questions would fail too."""
        self._failed, self._opens = True, opens

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._breaker._ended(self, self._failed, opens=self._opens)
