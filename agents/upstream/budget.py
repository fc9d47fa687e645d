"""What requests cost, and the budget of a day: money is reserved before a request and settled after it.

A request reserves the most that it can cost: as many input tokens as it has bytes, since no token is shorter, and all
the output tokens that it allows. So the budget is never exceeded, however many requests are under way; towards its end
asking stops a little early.

The day is that of UTC. Without a file, what was spent is the memory of this process, and a restart begins at 0. With
one, it is kept: what was reserved when the process died stays spent. All processes of a machine that name the same file
share its budget; the file is locked while it is changed.
"""

import fcntl
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec

from sluicegate.schemas.errors import ConfigurationError

_MILLION: Final = 1_000_000
_WIDTH: Final = 64


class Prices(msgspec.Struct, frozen=True):
    """Per million tokens, in any currency."""

    input: float
    output: float

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        """What so many tokens cost."""
        return (input_tokens * self.input + output_tokens * self.output) / _MILLION


class BudgetSpent(Exception):
    """What is left of the day's budget does not pay for the request."""


class _Day(msgspec.Struct):
    """What was spent on one day, reservations included."""

    day: str
    spent: float


class _Memory(Protocol):
    def add(self, day: str, amount: float, limit: float | None) -> float: ...


class DailyBudget:
    """The money of one day. `limit` of None: there is no limit, and what is spent is counted all the same."""

    def __init__(
        self,
        limit: float | None,
        file: Path | None = None,
        today: Callable[[], str] = lambda: datetime.now(UTC).date().isoformat(),
    ) -> None:
        """Raises ConfigurationError if `file` cannot be used."""
        self._limit = limit
        self._today = today
        self._memory: _Memory = _InFile(file) if file else _InProcess()
        self.spent_today()

    @property
    def limit(self) -> float | None:
        """The budget of a day."""
        return self._limit

    def spent_today(self) -> float:
        """What was spent today, with what is reserved."""
        return self._memory.add(self._today(), 0.0, None)

    def reserve(self, amount: float) -> "Reservation":
        """Set `amount` aside.

        Raises:
            BudgetSpent: that is more than is left.
            ConfigurationError: the file cannot be used any more.
        """
        day = self._today()
        self._memory.add(day, amount, self._limit)
        return Reservation(self._memory, day, amount)


class Reservation:
    """Money that was set aside for one request."""

    def __init__(self, memory: _Memory, day: str, amount: float) -> None:
        self._memory = memory
        self._day = day
        self.amount: Final = amount

    def settle(self, cost: float) -> None:
        """Give back what the request did not cost. Call it once; without it the whole amount stays spent.

        Raises:
            ConfigurationError: the file cannot be used any more.
        """
        if cost != self.amount:
            self._memory.add(self._day, cost - self.amount, None)


class _InProcess:
    def __init__(self) -> None:
        self._of = _Day("", 0.0)

    def add(self, day: str, amount: float, limit: float | None) -> float:
        self._of = _added(self._of, day, amount, limit)
        return self._of.spent


class _InFile:
    """One line of a fixed width, so that a process that dies while it writes leaves the old line or the new one."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def add(self, day: str, amount: float, limit: float | None) -> float:
        try:
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            return self._add(descriptor, day, amount, limit)
        except OSError as error:
            raise ConfigurationError(f"cannot keep what is spent in {self._file}: {error.strerror}") from None

    def _add(self, descriptor: int, day: str, amount: float, limit: float | None) -> float:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # for microseconds, since every holder does only this
            before = self._read(os.pread(descriptor, 4 * _WIDTH, 0))
            after = _added(before, day, amount, limit)
            if after != before:
                os.pwrite(descriptor, msgspec.json.encode(after).ljust(_WIDTH), 0)
            return after.spent
        finally:
            os.close(descriptor)

    def _read(self, line: bytes) -> _Day:
        try:
            return msgspec.json.decode(line, type=_Day) if line.strip() else _Day("", 0.0)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ConfigurationError(
                f"{self._file} does not hold what was spent on a day: name another file, or delete it to begin at 0"
            ) from None


def _added(before: _Day, day: str, amount: float, limit: float | None) -> _Day:
    """`before` and `amount`. What is settled for a day that is over changes nothing.

    Raises:
        BudgetSpent: that is more than `limit`.
    """
    if limit is not None or day > before.day:
        day = max(day, before.day)  # a clock that was set back spends the later day's money
    elif day < before.day:
        return before
    spent = max(0.0, amount + (before.spent if day == before.day else 0.0))
    if limit is not None and spent > limit:
        raise BudgetSpent
    return _Day(day, round(spent, 9))
