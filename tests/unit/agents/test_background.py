"""The end of a background task is always reported."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from sluicegate.agents import background
from sluicegate.agents.background import BackgroundTasks


@asynccontextmanager
async def background_tasks() -> AsyncIterator[BackgroundTasks]:
    tasks = BackgroundTasks()
    try:
        yield tasks
    finally:
        await tasks.stop()


async def fail() -> None:
    raise ValueError("secret")


async def return_at_once() -> None:
    pass


async def await_something_cancelled() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def run_out_of_memory() -> None:
    raise MemoryError


class Panic(BaseException):
    """What a library in Rust raises when it panics is no Exception either."""


async def panic() -> None:
    raise Panic("secret")


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("work", "failure"),
    [
        (fail, "ValueError at test_background.py:"),
        (run_out_of_memory, "MemoryError at test_background.py:"),
        (panic, "Panic at test_background.py:"),
        (return_at_once, "it returned"),
        (await_something_cancelled, "CancelledError at test_background.py:"),
    ],
)
async def test_a_task_that_ends_is_logged_and_reported_without_what_its_error_quotes(
    work: background.Work, failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with background_tasks() as tasks:
        tasks.start("follower", work)
        await until(tasks.warnings)
        [warning] = tasks.warnings()
        assert warning.startswith(f"the follower has failed and will be restarted: {failure}")
        [line] = caplog.messages
        assert line.startswith(f"the follower has failed: {failure}")
        assert line.endswith("; restarting it in 1 s")
        assert "secret" not in warning + line


async def test_a_task_is_restarted_after_a_growing_pause_and_is_not_reported_once_it_runs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(background, "LONGEST_PAUSE_S", 0.04)
    starts = 0
    running = asyncio.Event()

    async def succeed_the_sixth_time() -> None:
        nonlocal starts
        starts += 1
        if starts < 6:
            raise OSError("the disk is away")
        running.set()
        await asyncio.Event().wait()

    async with background_tasks() as tasks:
        tasks.start("follower", succeed_the_sixth_time)
        await until(tasks.warnings)
        [warning] = tasks.warnings()
        assert warning.startswith("the follower has failed and will be restarted: OSError: the disk is away")
        await asyncio.wait_for(running.wait(), 10)
        assert tasks.warnings() == []
    pauses = [line.rsplit("restarting it in ", 1)[1] for line in caplog.messages]
    assert pauses == ["0.01 s", "0.02 s", "0.04 s", "0.04 s", "0.04 s"]


async def test_a_long_run_makes_the_next_pause_short_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(background, "LONGEST_PAUSE_S", 0.02)
    runs = [0.0, 0.0, 0.0, 0.05, 60.0]

    async def work() -> None:
        await asyncio.sleep(runs.pop(0))

    async with background_tasks() as tasks:
        tasks.start("follower", work)
        await until(lambda: not runs)
    pauses = [line.rsplit("restarting it in ", 1)[1] for line in caplog.messages]
    assert pauses == ["0.01 s", "0.02 s", "0.02 s", "0.01 s"]


async def test_stop_ends_every_task_without_logging(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[int] = []

    async def work(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(number)

    tasks = BackgroundTasks()
    tasks.start("first", lambda: work(1))
    tasks.start("second", lambda: work(2))
    await asyncio.sleep(0)
    await tasks.stop()
    assert sorted(ended) == [1, 2]
    assert tasks.warnings() == caplog.messages == []


async def test_stop_ends_a_task_that_waits_for_its_restart() -> None:
    tasks = BackgroundTasks()
    tasks.start("follower", fail)
    await until(tasks.warnings)
    await asyncio.wait_for(tasks.stop(), 1)


async def test_a_task_that_somebody_else_cancels_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    async with background_tasks() as tasks:
        tasks.start("follower", asyncio.Event().wait)  # type: ignore[arg-type]  # never returns
        await asyncio.sleep(0)
        [task] = [task for task in asyncio.all_tasks() if task.get_name() == "follower"]
        task.cancel()
        await until(tasks.warnings)
        assert tasks.warnings() == caplog.messages == ["the follower was cancelled"]
