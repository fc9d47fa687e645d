"""How long-running work reports its progress."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with the number of units done and the total, from the thread that does the work."""


class Meter:
    """Counts the units of work that are done, and reports them."""

    def __init__(self, total: int, report: Progress | None) -> None:
        self._done = 0
        self._total = total
        self._report = report

    def add(self, count: int) -> None:
        """Report that `count` more units are done."""
        self._done += count
        if self._report is not None:
            self._report(self._done, self._total)
