"""Who may read the status page, how many may watch it, and what it makes of hostile text."""

import asyncio
import base64
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import orjson
import pytest

from sluicegate.agents.http.keys import KeyFile, add_key
from sluicegate.agents.http.status import viewers
from sluicegate.agents.http.status.access import may_read
from sluicegate.agents.http.status.viewers import MOST_VIEWERS
from sluicegate.agents.status.snapshot import Notice
from sluicegate.agents.telemetry.levels import PartitionLag
from sluicegate.agents.telemetry.recent import Recent, RecentOutcomes, Source
from tests.support.status_pages import GOOD, MadeUp, made_up

HOSTILE = "<script>alert(1)</script>\u202egnp.exe\x1b[2J\u200b\"'&"


async def get(process: MadeUp, path: str = "", headers: Mapping[str, str] | None = None) -> httpx.Response:
    async with httpx.AsyncClient(verify=False) as client:
        return await client.get(process.url + path, headers=dict(headers or {}))


async def page_with(process: MadeUp, text: str) -> str:
    """The page, once it shows `text`: a snapshot may be two seconds old."""
    async with asyncio.timeout(20):
        while text not in (page := (await get(process)).text):  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(0.1)
    return page


def scope(client: str, **headers: str) -> dict[str, Any]:
    sent = {"host": "localhost:6066", **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]
    return {"type": "http", "client": (client, 50_000), "headers": raw}


@pytest.mark.parametrize(
    ("request_", "readable"),
    [
        (scope("127.0.0.1"), True),
        (scope("::1", host="[::1]:6066"), True),
        (scope("::ffff:127.0.0.1"), True),
        (scope("10.0.0.5"), False),
        (scope("::ffff:10.0.0.5"), False),
        (scope("127.0.0.1", host="evil.example:6066"), False),
        (scope("127.0.0.1", host="127.0.0.1.evil.example"), False),
        (scope("127.0.0.1", x_forwarded_for="10.0.0.5"), False),
        (scope("127.0.0.1", forwarded="for=10.0.0.5"), False),
    ],
)
def test_without_keys_only_this_machine_may_read_the_page(request_: dict[str, Any], readable: bool) -> None:
    assert may_read(request_, None) is readable


async def test_with_keys_a_reader_needs_one_as_a_password_or_as_the_api_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    key = add_key(path, "operator")
    basic = base64.b64encode(f"anybody:{key}".encode()).decode()
    async with made_up(keys=KeyFile(path)) as process:
        for path_ in ("", "status/events", "status.js"):
            refused = await get(process, path_)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"].startswith("Basic ")
        for accepted in ({"authorization": f"Basic {basic}"}, {"authorization": f"Bearer {key}"}, {"x-api-key": key}):
            assert (await get(process, headers=accepted)).status_code == 200
        for wrong in ("Basic !", "Basic", "Bearer x", f"Digest {key}", "Basic " + base64.b64encode(b"a:b").decode()):
            assert (await get(process, headers={"authorization": wrong})).status_code == 401


async def test_every_answer_forbids_inline_scripts_and_frames() -> None:
    async with made_up() as process:
        for path in ("", "status.js", "status.css", "status.svg"):
            answer = await get(process, path)
            policy = answer.headers["content-security-policy"]
            assert answer.status_code == 200
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
        page = (await get(process)).text
    assert "style=" not in page
    assert page.count("<script") == page.count('<script src="status.js" defer></script>') == 1


async def test_the_page_names_what_is_wrong_and_shows_no_secret() -> None:
    wrong = msgspec.structs.replace(
        GOOD,
        state="Not ready",
        notices=(Notice("Kafka has not answered for 4 s.", "Look at the brokers.", serious=True),),
    )
    async with made_up(
        security_protocol="sasl_plaintext", sasl_username="sluice", sasl_password="hunter2-secret"
    ) as process:
        process.standing = wrong
        page = await page_with(process, "Kafka has not answered for 4 s.")
    assert "Look at the brokers." in page
    assert "SLUICE_SASL_PASSWORD" in page
    assert "hunter2" not in page


async def test_a_lag_that_kafka_has_not_confirmed_for_seconds_is_shown_as_unknown_with_its_age() -> None:
    async with made_up() as process:
        await page_with(process, "records not committed")
        process.standing = msgspec.structs.replace(GOOD, lags=(PartitionLag("queries.raw", 0, 1234, 75.5),))
        page = await page_with(process, "it was 1,234 records 1 minute 15 seconds ago, when Kafka last answered")
        assert "unknown; 1,234 1 minute 15 seconds ago" in page
        process.standing = msgspec.structs.replace(GOOD, lags=())
        await page_with(process, "of no partition")


@pytest.mark.parametrize("with_text", [False, True])
async def test_hostile_text_is_shown_as_text_and_hidden_unless_a_setting_allows_it(with_text: bool) -> None:
    async with made_up(status_text=with_text) as process:
        recent = Recent(HOSTILE, category=HOSTILE, reason=HOSTILE, query="the secret query", error="the secret error")
        process.telemetry.recent.add("review", recent)
        process.telemetry.recent.add("deadletter", recent)
        page = await page_with(process, "gnp.exe")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&lt;U+202E&gt;gnp.exe&lt;U+001B&gt;[2J&lt;U+200B&gt;" in page
    for character in "\u202e\x1b\u200b":
        assert character not in page
    assert ("the secret query" in page) is with_text


def test_an_output_that_is_published_is_kept_without_its_text() -> None:
    recent = RecentOutcomes()
    value = orjson.dumps({"event_id": "e" * 500, "query": "red shoes", "category": "hate", "value": "x" * 100_000})
    recent.published("review", value)
    recent.published("recall", value)
    [kept] = recent.last("review")
    assert (len(kept.event_id), kept.query, kept.category) == (200, None, "hate")
    for number in range(50):
        source = {"topic": "queries.raw", "partition": 1, "offset": number}
        recent.published("deadletter", orjson.dumps({"event_id": "1", "source": source, "at": 5, "headers": []}))
    letters = recent.last("deadletter")
    assert len(letters) == 10
    assert letters[0].source == Source("queries.raw", 1, 49)
    recent.published("review", b'{"event_id": 5}')
    assert recent.last("review") == [kept]


async def read_events(process: MadeUp, count: int, got: list[Any]) -> int:
    async with (
        httpx.AsyncClient(verify=False, timeout=60) as client,
        client.stream("GET", process.url + "status/events") as answer,
    ):
        if answer.status_code != 200:
            return answer.status_code
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                got.append(line)
                if len(got) >= count:
                    break
    return 200


async def test_fifty_viewers_see_the_same_snapshots_and_one_more_than_allowed_is_told_why() -> None:
    async with made_up() as process:
        got: list[list[Any]] = [[] for _ in range(MOST_VIEWERS)]
        watching = [asyncio.create_task(read_events(process, 4, each)) for each in got]
        while not all(got):  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(0.01)
        refused = await get(process, "status/events")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
        assert f"{MOST_VIEWERS} viewers watch this page already" in refused.text
        assert (await get(process)).status_code == 200
        assert set(await asyncio.gather(*watching)) == {200}
        assert MOST_VIEWERS >= 50
        assert len({line for each in got for line in each[1:]}) <= 6
        again: list[Any] = []
        assert await read_events(process, 2, again) == 200


async def test_a_viewer_that_does_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewers, "SLOW_S", 0.3)
    monkeypatch.setattr(viewers, "WATCHED_S", 0.01)
    async with made_up() as process:
        process.standing = msgspec.structs.replace(GOOD, models="m" * 1_000_000)
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", process.port))
        slow.sendall(b"GET /status/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        ended = asyncio.to_thread(_read_when_closed, slow)
        fast: list[Any] = []
        assert await read_events(process, 20, fast) == 200
        assert await ended


def _read_when_closed(connection: socket.socket) -> bool:
    """Whether the other side closes the connection, of which only a little is read after a while."""
    time.sleep(3)
    connection.settimeout(30)
    try:
        while connection.recv(1_000_000):
            pass
    except ConnectionResetError:
        return True
    return True
