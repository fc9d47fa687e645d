"""How long-running work reports how far it is."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with how many are done, and of how many, from the thread that does the work."""


class Meter:
    """Counts what is done of a total, and reports it."""

    def __init__(self, total: int, report: Progress | None) -> None:
        self._done = 0
        self._total = total
        self._report = report

    def add(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        if self._report is not None:
            self._report(self._done, self._total)
