import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from sluicegate.agents.breaker import Circuit
from sluicegate.agents.upstream.budget import DailyBudget
from sluicegate.agents.upstream.client import ChatClient
from sluicegate.agents.upstream.completion import Completion
from sluicegate.agents.upstream.config import UpstreamConfig
from sluicegate.agents.upstream.failures import TREATMENTS, CallFailed, Failure
from sluicegate.agents.upstream.json_answers import AnswerSchema
from tests.support.chat_server import HANG, ChatServer, Reply, error, said, streamed
from tests.support.ports import free_port

ANSWER = said("yes")
PATIENT_S = 20.0
SCHEMA = AnswerSchema("verdict", {"type": "object"})
Opened: TypeAlias = Callable[..., AbstractAsyncContextManager[ChatClient]]


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(lambda body, number: ANSWER) as server:
        yield server


@pytest.fixture
def opened(server: ChatServer) -> Opened:
    @asynccontextmanager
    async def opened(**config: Any) -> AsyncIterator[ChatClient]:
        given = {"name": "test", "url": server.url, "model": "m", **config}
        async with ChatClient(UpstreamConfig(**given)) as client:
            yield client

    return opened


async def ask(client: ChatClient, text: str = "hello", *, within_s: float = PATIENT_S, **options: Any) -> Completion:
    deadline = asyncio.get_running_loop().time() + within_s
    return await client.complete([{"role": "user", "content": text}], deadline=deadline, max_tokens=50, **options)


async def failure(client: ChatClient, **options: Any) -> Failure:
    with pytest.raises(CallFailed) as raised:
        await ask(client, **options)
    assert raised.value.reason == raised.value.failure
    return raised.value.failure


async def test_an_answer_comes_with_its_text_its_tokens_and_its_cost(server: ChatServer, opened: Opened) -> None:
    async with opened(price_in=1.0, price_out=10.0, key=lambda: "k-1") as client:
        answer = await ask(client)
    assert (answer.text, answer.usage and answer.usage.prompt_tokens) == ("yes", 100)
    assert answer.cost == pytest.approx((100 * 1 + 20 * 10) / 1e6)
    assert server.keys == ["bearer k-1"]
    assert server.requests[0]["model"] == "m"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (error(429), Failure.BUSY),
        (error(503), Failure.BUSY),
        (error(500), Failure.SERVER_ERROR),
        (Reply(b"<html>", 502), Failure.SERVER_ERROR),
        (error(429, "insufficient_quota"), Failure.QUOTA),
        (error(402), Failure.QUOTA),
        (error(401), Failure.UNAUTHORISED),
        (error(400), Failure.REFUSED),
        (error(418), Failure.UNKNOWN),
        (Reply(b"", 302, {"location": "http://127.0.0.1:1/"}), Failure.UNKNOWN),
        (Reply(b"not json"), Failure.UNREADABLE),
        (Reply(b"[]"), Failure.UNREADABLE),
        (Reply(b'{"choices": []}'), Failure.UNREADABLE),
        (Reply(b'{"choices": "text"}'), Failure.UNREADABLE),
        (Reply(b"[" * 100_000), Failure.UNREADABLE),
        (Reply(b'{"choices": [' + b" " * 2000), Failure.UNREADABLE),
        (Reply(b"\x1f\x8b", 200, {"content-encoding": "gzip"}), Failure.UNREADABLE),
        (said("yes", sent=0.5), Failure.BROKEN_OFF),
        (Reply(b"", 200, {"content-length": "nonsense"}), Failure.BROKEN_OFF),
        (said("yes", drips=True), Failure.TIMED_OUT),
        (HANG, Failure.TIMED_OUT),
    ],
)
async def test_each_failure_has_its_class_and_only_some_are_tried_again(
    server: ChatServer, opened: Opened, reply: Reply, expected: Failure
) -> None:
    server.script = lambda body, number: reply
    async with opened(attempts=2, read_timeout_s=0.3, max_answer_bytes=1000) as client:
        assert await failure(client) is expected
    assert len(server.requests) == (2 if TREATMENTS[expected].retried else 1)


async def test_a_closed_port_is_unreachable(opened: Opened) -> None:
    async with opened(url=f"http://127.0.0.1:{free_port()}/v1", attempts=1) as client:
        assert await failure(client) is Failure.UNREACHABLE


async def test_a_failure_that_passes_costs_an_attempt_and_no_answer(server: ChatServer, opened: Opened) -> None:
    server.script = lambda body, number: [error(500), said("yes", sent=0.1), ANSWER][number]
    async with opened() as client:
        assert (await ask(client)).text == "yes"
    assert len(server.requests) == 3


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_the_api_says_when_it_wants_to_be_asked_again(server: ChatServer, opened: Opened, form: str) -> None:
    times = []

    def script(body: dict[str, Any], number: int) -> Reply:
        times.append(time.monotonic())
        after = "1" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
        return error(429, retry_after=after) if number == 0 else ANSWER

    server.script = script
    async with opened() as client:
        await ask(client)
    assert 0.9 <= times[1] - times[0] < 3


async def test_nobody_waits_for_a_retry_after_that_lies_behind_the_deadline(server: ChatServer, opened: Opened) -> None:
    server.script = lambda body, number: error(429, retry_after="3000")
    async with opened() as client:
        started = time.monotonic()
        assert await failure(client) is Failure.BUSY
    assert time.monotonic() - started < 2
    assert len(server.requests) == 1


async def test_the_deadline_ends_retries_and_a_request_that_hangs(server: ChatServer, opened: Opened) -> None:
    server.script = lambda body, number: HANG
    async with opened(attempts=100, read_timeout_s=0.4) as client:
        started = time.monotonic()
        assert await failure(client, within_s=1.0) is Failure.TIMED_OUT
    assert time.monotonic() - started < 1.5


async def test_no_more_requests_are_open_at_once_than_allowed_and_who_has_no_turn_in_time_is_told(
    server: ChatServer, opened: Opened
) -> None:
    server.script = lambda body, number: said("yes", delay_s=0.2)
    async with opened(concurrency=2) as client:
        await asyncio.gather(*(ask(client) for _ in range(6)))
        assert server.most_at_once == 2
        server.script = lambda body, number: HANG
        async with asyncio.TaskGroup() as tasks:
            hanging = [tasks.create_task(ask(client)) for _ in range(2)]
            async with asyncio.timeout(PATIENT_S):
                while len(server.requests) < 8:  # noqa: ASYNC110 - nothing sets an event
                    await asyncio.sleep(0.01)
            assert await failure(client, within_s=0.2) is Failure.NO_TURN
            assert len(server.requests) == 8
            for task in hanging:
                task.cancel()


async def test_a_turn_that_comes_when_no_time_is_left_is_none(server: ChatServer, opened: Opened) -> None:
    loop = asyncio.get_running_loop()
    async with opened(concurrency=1) as client:
        past = loop.time()
        with pytest.raises(CallFailed) as raised:
            await client.send({"messages": []}, deadline=past)
        assert raised.value.failure is Failure.NO_TURN
        assert (await ask(client)).text == "yes"
    assert len(server.requests) == 1


async def test_the_rate_of_requests_is_bounded(server: ChatServer, opened: Opened) -> None:
    async with opened(rate="5/second") as client:
        started = time.monotonic()
        await asyncio.gather(*(ask(client) for _ in range(12)))
    assert time.monotonic() - started > 1.9


async def test_an_api_that_fails_is_left_alone_and_then_probed_by_one_request(
    server: ChatServer, opened: Opened
) -> None:
    server.script = lambda body, number: error(500)
    async with opened(attempts=1, open_s=0.5, concurrency=50) as client:
        await asyncio.gather(*(failure(client) for _ in range(12)))
        assert client.breaker.refuses()
        asked = len(server.requests)
        assert await failure(client) is Failure.CIRCUIT_OPEN
        assert len(server.requests) == asked

        server.script = lambda body, number: said("yes", delay_s=0.2)
        await asyncio.sleep(0.6)
        outcomes = await asyncio.gather(*(ask(client) for _ in range(20)), return_exceptions=True)
        assert len(server.requests) == asked + 1
        assert sum(isinstance(outcome, Completion) for outcome in outcomes) == 1
        assert client.breaker.circuit is Circuit.CLOSED


async def test_an_exhausted_quota_opens_the_circuit_at_once(server: ChatServer, opened: Opened) -> None:
    server.script = lambda body, number: error(429, "insufficient_quota")
    async with opened() as client:
        assert await failure(client) is Failure.QUOTA
        assert await failure(client) is Failure.CIRCUIT_OPEN
    assert len(server.requests) == 1


async def test_requests_that_are_refused_say_nothing_about_the_api(server: ChatServer, opened: Opened) -> None:
    server.script = lambda body, number: error(400)
    async with opened() as client:
        assert [await failure(client) for _ in range(15)] == [Failure.REFUSED] * 15


async def test_a_server_that_refuses_a_schema_is_asked_in_words_from_then_on(
    server: ChatServer, opened: Opened
) -> None:
    server.script = lambda body, number: error(400) if "response_format" in body else ANSWER
    async with opened() as client:
        await ask(client, schema=SCHEMA)
        await ask(client, schema=SCHEMA)
    formats = [body.get("response_format", {}).get("type") for body in server.requests]
    assert formats == ["json_schema", "json_object", None, None]


async def test_a_server_that_has_answered_by_schema_is_asked_so_even_if_it_then_refuses(
    server: ChatServer, opened: Opened
) -> None:
    server.script = lambda body, number: ANSWER if number == 0 else error(400)
    async with opened() as client:
        await ask(client, schema=SCHEMA)
        assert await failure(client, schema=SCHEMA) is Failure.REFUSED
    assert [body["response_format"]["type"] for body in server.requests] == ["json_schema"] * 2


async def test_fields_of_the_request_can_be_added_replaced_and_removed(server: ChatServer, opened: Opened) -> None:
    async with opened(body={"max_tokens": None, "max_completion_tokens": 9, "seed": 1}) as client:
        await ask(client)
    [body] = server.requests
    assert (body["max_completion_tokens"], body["seed"], "max_tokens" in body) == (9, 1, False)


async def test_the_budget_of_the_day_ends_the_asking_and_is_never_exceeded(
    server: ChatServer, opened: Opened, tmp_path: Path
) -> None:
    replies = [*[said("yes", delay_s=0.05)] * 4, said("yes", sent=0.5), error(500)]
    server.script = lambda body, number: replies[number % 6]
    spent = tmp_path / "spent.json"
    price = {"price_in": 1000.0, "price_out": 1000.0, "daily_budget": 5.0, "spent_file": spent, "attempts": 1}
    async with opened(**price, concurrency=8) as client:
        outcomes = await asyncio.gather(*(ask(client) for _ in range(60)), return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, CallFailed)]
        assert Failure.BUDGET in {outcome.failure for outcome in refused}
        billed = 0.12 * sum(number % 6 < 5 for number in range(len(server.requests)))
        before = client.budget.spent_today()
        assert billed <= before <= 5.0
    server.script, asked = lambda body, number: ANSWER, len(server.requests)
    async with opened(**price) as client:  # another process, or the next one
        outcomes = [(await asyncio.gather(ask(client), return_exceptions=True))[0] for _ in range(50)]
        assert isinstance(outcomes[-1], CallFailed)
        assert outcomes[-1].failure is Failure.BUDGET
        assert before + 0.12 * (len(server.requests) - asked) == pytest.approx(client.budget.spent_today())
        assert client.budget.spent_today() <= 5.0


async def test_an_answer_without_usage_costs_the_most_that_it_can_have_cost(server: ChatServer, opened: Opened) -> None:
    server.script = lambda body, number: said("yes", tokens=None)
    async with opened(price_in=1.0, price_out=1.0) as client:
        answer = await ask(client)
        assert answer.cost == client.budget.spent_today() > 50 / 1e6


def test_a_new_day_has_a_new_budget(tmp_path: Path) -> None:
    day = ["2026-11-26"]
    budget = DailyBudget(1.0, tmp_path / "spent", lambda: day[0])
    before = budget.reserve(0.9)
    day[0] = "2026-11-27"
    budget.reserve(0.8)
    before.settle(0.1)
    assert budget.spent_today() == pytest.approx(0.8)


async def test_a_stream_is_handed_on_part_by_part_and_paid_for_at_its_end(server: ChatServer, opened: Opened) -> None:
    server.script = lambda body, number: error(503) if number == 0 else streamed("a", "b")
    deadline = asyncio.get_running_loop().time() + PATIENT_S
    async with opened(price_in=1e6) as client, client.stream({"messages": []}, deadline=deadline) as parts:
        texts = [part["choices"][0]["delta"]["content"] async for part in parts if part["choices"]]
        assert client.budget.spent_today() == 7
    assert texts == ["a", "b"]
    assert server.requests[1]["stream"] is True


async def test_a_stream_without_an_end_fails_where_it_is_read(server: ChatServer, opened: Opened) -> None:
    server.script = lambda body, number: streamed("a", done=False)
    deadline = asyncio.get_running_loop().time() + PATIENT_S
    async with opened() as client:
        with pytest.raises(CallFailed) as raised:
            async with client.stream({"messages": []}, deadline=deadline) as parts:
                assert [part async for part in parts]
    assert raised.value.failure is Failure.BROKEN_OFF


async def test_no_error_names_the_key_or_what_was_asked_or_answered(server: ChatServer, opened: Opened) -> None:
    secrets = ("k-secret", "asked words", "answered words")
    replies = [
        Reply(json.dumps({"error": {"message": "answered words k-secret"}}).encode(), 400),
        Reply(b"answered words"),
    ]
    server.script = lambda body, number: replies[number]
    async with opened(key=lambda: "k-secret") as client:
        for _ in replies:
            with pytest.raises(CallFailed) as raised:
                await ask(client, "asked words")
            assert not any(secret in repr(raised.value) + str(raised.value) for secret in secrets)
