"""The end of a worker that cannot end by itself: Faust waits without a limit for a group that does not answer.

Joining a group with a dead member, or talking to a broker that is gone, can hold Faust's stop for more than a minute.
Nothing is left to do then: what has an outcome is acknowledged, and what could not be committed comes again.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Final

logger = logging.getLogger(__name__)

IDLE_S: Final = 10.0
"""Time for the last commit, and for leaving the group, once no event is in flight."""

_POLL_S: Final = 0.2


class StopWatchdog(threading.Thread):
    """Watches a worker from a thread of its own, since the event loop may be what hangs. Start it with the worker."""

    def __init__(
        self,
        *,
        stopping: Callable[[], bool],
        in_flight: Callable[[], int],
        longest_s: float,
        flush: Callable[[], None],
        exit_code: Callable[[], int],
    ) -> None:
        """Once `stopping`: `longest_s`, or `IDLE_S` without an event in flight, then `flush` and exit."""
        super().__init__(name="sluicegate-stop-limit", daemon=True)
        self._stopping, self._in_flight, self._longest_s = stopping, in_flight, longest_s
        self._flush, self._exit_code = flush, exit_code

    def run(self) -> None:
        """Wait for the stop to begin, then for its end; a process that ends by itself ends this thread too."""
        while not self._stopping():
            time.sleep(_POLL_S)
        logger.info("stopping: %d events in flight", self._in_flight())
        began = idle_since = time.monotonic()
        while (now := time.monotonic()) < min(began + self._longest_s, idle_since + IDLE_S):
            if self._in_flight():
                idle_since = now
            time.sleep(_POLL_S)
        logger.warning("Kafka did not let go: ending without it; what it has not committed comes again")
        self._flush()
        os._exit(self._exit_code())
