"""A stream keeps an engine busy, and no busier than it should be."""

import asyncio
import time

import pytest

from benchmarks.feeding import Request, ask, feed

REQUESTS = [Request([1, 2, 3], 1)] * 40


class OneAtATime:
    """An engine that answers the request that has waited longest."""

    def __init__(self) -> None:
        self.waiting: list[int] = []
        self.most = 0

    def add(self, key: int, request: Request) -> None:
        assert request is REQUESTS[key]
        self.waiting.append(key)
        self.most = max(self.most, len(self.waiting))

    def step(self) -> list[int]:
        return [self.waiting.pop(0)]


def test_an_engine_always_has_as_many_requests_as_the_window_holds() -> None:
    engine = OneAtATime()
    assert len(feed(engine, REQUESTS, window=8)) == len(REQUESTS)
    assert engine.most == 8


def test_requests_with_a_time_come_at_their_time() -> None:
    engine, began = OneAtATime(), time.perf_counter()
    latencies = feed(engine, REQUESTS, window=1, arrivals=[place / 1000 for place in range(len(REQUESTS))])
    assert time.perf_counter() - began >= 0.039
    assert all(latency >= 0 for latency in latencies)


@pytest.mark.parametrize("window", [1, 8])
async def test_a_coroutine_is_asked_about_no_more_than_the_window_at_once(window: int) -> None:
    running, most = 0, 0

    async def decide(_: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    assert len(await ask(decide, range(40), window)) == 40
    assert most == window
