"""Ends a worker whose stop hangs: Faust waits without a limit for a group that does not answer.

Joining a group with a dead member, or talking to a broker that is gone, can hold Faust's stop for more than a minute.
Nothing is left to do then: what has an outcome is acknowledged, and what could not be committed is redelivered.
"""

import logging
import os
import threading
import time
from collections.abc import Callable

from sluicegate.agents.time_budget import WATCHDOG_POLL_S

logger = logging.getLogger(__name__)


class StopWatchdog(threading.Thread):
    """Watches a worker from a thread of its own, because the event loop may hang. Start it with the worker."""

    def __init__(
        self,
        *,
        stopping: Callable[[], bool],
        in_flight: Callable[[], int],
        longest_s: float,
        idle_s: float,
        flush: Callable[[], None],
        exit_code: Callable[[], int],
    ) -> None:
        """Once `stopping`: wait `longest_s`, or `idle_s` without an event in flight, then `flush` and exit."""
        super().__init__(name="sluicegate-stop-limit", daemon=True)
        self._stopping, self._in_flight = stopping, in_flight
        self._longest_s, self._idle_s = longest_s, idle_s
        self._flush, self._exit_code = flush, exit_code

    def run(self) -> None:
        """Wait for the stop to begin, then for its end. If the process ends earlier, so does this thread."""
        while not self._stopping():
            time.sleep(WATCHDOG_POLL_S)
        logger.info("stopping: %d events in flight", self._in_flight())
        began = idle_since = time.monotonic()
        while (now := time.monotonic()) < min(began + self._longest_s, idle_since + self._idle_s):
            if self._in_flight():
                idle_since = now
            time.sleep(WATCHDOG_POLL_S)
        logger.warning("Kafka does not answer: ending without it; what it has not committed will be redelivered")
        self._flush()
        os._exit(self._exit_code())
