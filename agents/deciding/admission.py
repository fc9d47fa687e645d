"""Which queries are worth queueing: those whose deadline can still be met. Plain and synchronous.

The time that the queue will take is the estimate of the cost model for full batches of queries as long as the last
batches had, corrected by how much slower than the estimate those were. Both are medians, so one batch that is slow (a
cold model, a busy core) or long causes no refusals.
"""

import statistics
from collections import deque
from typing import Final

from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.schemas.errors import DeadlineExceeded, Overloaded

_TIMED_BATCHES: Final = 5
"""The correction is the median of this many last batches. Nothing is refused before as many were timed."""

_LEAST_PREDICTED_S: Final = 1e-6
"""A cost model may predict no time at all."""


class Admission:
    """Estimates when a query would be answered. Times are seconds of one monotonic clock, the event loop's."""

    def __init__(self, cost: BatchCost, batch_size: int, replicas: int) -> None:
        self._cost = cost
        self._batch_size = batch_size
        self._started_at = [0.0] * replicas
        self._predicted_s = [0.0] * replicas
        self._free_at = [0.0] * replicas
        self._timed: deque[float] = deque(maxlen=_TIMED_BATCHES)
        self._slowness = 1.0
        self._each_ms: deque[float] = deque(maxlen=_TIMED_BATCHES)
        """By the cost model, a query's part in a full batch of the lengths of each of the last batches."""

    def check(self, length: int, deadline: float, now: float, waiting: int) -> None:
        """Raise if a query of `length` tokens, behind `waiting` others, would be answered after `deadline`.

        Raises:
            DeadlineExceeded: it has passed already.
            Overloaded: the queue would take too long.
        """
        if deadline <= now:
            raise DeadlineExceeded("the event's deadline had passed before the model could be asked")
        if not waiting and not min(self._free_at):
            return  # a replica is idle: try it, or one slow batch would refuse every later query
        if len(self._timed) < _TIMED_BATCHES or now + self._expected_s(length, now, waiting) <= deadline:
            return
        raise Overloaded(f"the model cannot answer before the event's deadline: {waiting} queries wait for it")

    def batch_started(self, replica: int, members: int, shortest: int, longest: int, now: float) -> None:
        """`replica` begins a batch of `members` queries of `shortest` to `longest` tokens."""
        predicted_s = max(_LEAST_PREDICTED_S, self._cost.milliseconds(members, shortest, longest) / 1000)
        self._started_at[replica], self._predicted_s[replica] = now, predicted_s
        self._free_at[replica] = now + predicted_s * self._slowness
        self._each_ms.append(self._cost.milliseconds(self._batch_size, shortest, longest) / self._batch_size)

    def busy_s(self, now: float) -> float:
        """For how long the longest of the present batches has run; 0 without one."""
        busy = (now - at for at, free_at in zip(self._started_at, self._free_at, strict=True) if free_at)
        return max(busy, default=0.0)

    def batch_ended(self, replica: int, now: float) -> None:
        """`replica` is free again; the time of its batch corrects the estimates."""
        self._free_at[replica] = 0.0
        self._timed.append((now - self._started_at[replica]) / self._predicted_s[replica])
        self._slowness = statistics.median(self._timed)

    def _expected_s(self, length: int, now: float, waiting: int) -> float:
        own = self._cost.milliseconds(1, length, length)
        ahead = waiting * statistics.median(self._each_ms) / len(self._free_at)
        busy = max(0.0, min(self._free_at) - now)
        return busy + self._slowness * (ahead + own) / 1000
