"""Background tasks that never end in silence.

An asyncio task that fails keeps its exception to itself, and its work just stops. Work that must continue for as
long as its owner does (following a file, feeding an engine, reporting) therefore runs as a background task:

    tasks = BackgroundTasks()
    tasks.start("model follower", self._follow)
    ...
    await tasks.stop()

Such work has no end of its own, so a return counts as a failure too. Each failure is logged, and the work is restarted
after a growing pause. Until then `warnings` reports it, for /healthz and /readyz.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

from sluicegate.agents.error_text import describe_error

logger = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class BackgroundTasks:
    """The background tasks of one owner. Use it on one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._warnings: dict[str, str] = {}
        self._stopping = False

    def start(self, name: str, work: Work) -> None:
        """Run `work` until `stop`. `name` says what it does, as in "model follower"; it must be unique."""
        task = asyncio.get_running_loop().create_task(self._supervise(name, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def warnings(self) -> list[str]:
        """The tasks that do not run although they should, one sentence each."""
        return list(self._warnings.values())

    async def stop(self) -> None:
        """Cancel every task and wait until all have ended."""
        self._stopping = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _supervise(self, name: str, work: Work) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            started = time.monotonic()
            failure = await self._failure_of(name, work)
            if time.monotonic() - started > LONGEST_PAUSE_S:
                pause_s = FIRST_PAUSE_S
            self._warnings[name] = f"the {name} has failed and will be restarted: {failure}"
            logger.error("the %s has failed: %s; restarting it in %g s", name, failure, pause_s)
            await asyncio.sleep(pause_s)
            del self._warnings[name]
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _failure_of(self, name: str, work: Work) -> str:
        """Run `work` until it ends, and say why it did. Raises CancelledError when this task is cancelled."""
        try:
            await work()
        except asyncio.CancelledError as error:
            if not _is_cancelled():  # the work awaited something that was cancelled
                return describe_error(error)
            if not self._stopping:
                self._warnings[name] = f"the {name} was cancelled"
                logger.error("the %s was cancelled", name)
            raise
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - reported here; a panic of a library in Rust is no Exception
            return describe_error(error)
        return "it returned"


def _is_cancelled() -> bool:
    """Whether the current task is being cancelled.

    A function of its own: as a local variable next to the exception, the task would be in a reference cycle that keeps
    all that the work holds, such as a model, in memory.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
