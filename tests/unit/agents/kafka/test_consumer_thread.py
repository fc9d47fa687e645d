"""What the thread of the consumer adds to aiokafka."""

import asyncio
import time
from types import SimpleNamespace

from sluicegate.agents.kafka.consumer_thread import _PAUSE_S, _pause_after_empty_fetches


async def test_a_broker_that_answers_empty_fetches_at_once_is_not_asked_without_a_pause() -> None:
    answers = iter([False, False, False, True])

    async def fetch(*_: object) -> bool:
        return next(answers)

    fetcher = SimpleNamespace(_proc_fetch_request=fetch)
    _pause_after_empty_fetches(fetcher)
    started = time.monotonic()
    assert [await fetcher._proc_fetch_request() for _ in range(4)] == [False, False, False, True]
    assert time.monotonic() - started >= 3 * _PAUSE_S * 0.9


async def test_a_fetch_that_is_cancelled_during_the_pause_ends_like_any_other() -> None:
    async def fetch(*_: object) -> bool:
        return False

    fetcher = SimpleNamespace(_proc_fetch_request=fetch)
    _pause_after_empty_fetches(fetcher)
    task = asyncio.ensure_future(fetcher._proc_fetch_request())
    await asyncio.sleep(0)
    task.cancel()
    assert await task is False
