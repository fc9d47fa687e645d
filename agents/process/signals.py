"""Every signal that can reach the worker, and what it does. Faust's own handlers are never installed.

    SIGTERM, SIGINT, SIGHUP, SIGQUIT   drain: finish and commit what is in flight, leave the group, exit with 0
    SIGUSR1                            log the worker's state: what is wrong, events in flight, models
    SIGUSR2, SIGALRM, real-time, …     ignored: by default they would end the process without a drain

(Faust's handlers log the local variables of every task on SIGUSR1, queries and passwords among them, and start a
debugger on SIGUSR2.) A worker started with ``nohup`` keeps on ignoring SIGHUP. Until the event loop runs, a draining
signal ends the process at once, since nothing has begun. Signals for faults in native code (SIGSEGV, SIGABRT, …) and
for job control (SIGSTOP, SIGTSTP, SIGCONT, …) keep their default.
"""

import signal
from asyncio import AbstractEventLoop
from collections.abc import Callable
from types import FrameType
from typing import Final

DRAIN: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
REPORT: Final = signal.SIGUSR1

_DEFAULT: Final = {
    signal.SIGKILL,
    signal.SIGSTOP,
    *(signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCONT),
    *(signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS),
    *(signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH),  # the system ignores these itself
}
IGNORED: Final = tuple(sorted(signal.valid_signals() - {*DRAIN, REPORT} - _DEFAULT))


def ignore_other_signals() -> None:
    """Ignore what neither drains nor is for the system. Call it first, in the main thread."""
    for number in (REPORT, *IGNORED):
        signal.signal(number, signal.SIG_IGN)


def install_handlers(
    loop: AbstractEventLoop, drain: Callable[[signal.Signals], None], report: Callable[[], None]
) -> Callable[[], bool]:
    """From now on, call `drain` or `report` on `loop` when their signals arrive. Call it in the main thread.

    The handlers belong to the interpreter, not to the loop: they stay when the loop is closed, so that a second SIGTERM
    does not cut the end short. Returns a function that says whether a draining signal has arrived, even if the loop
    hangs. Any thread may call it.
    """
    arrived: list[int] = []

    def on_drain(number: int, _frame: FrameType | None) -> None:
        arrived.append(number)
        _call(loop, drain, signal.Signals(number))

    def on_report(_number: int, _frame: FrameType | None) -> None:
        _call(loop, report)

    for number in DRAIN:
        if number != signal.SIGHUP or signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(number, on_drain)
    signal.signal(REPORT, on_report)
    return lambda: bool(arrived)


def _call(loop: AbstractEventLoop, function: Callable[..., None], *arguments: object) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function, *arguments)
