"""Requests that no honest client sends: each gets one clear error, and the next request is answered."""

import asyncio
import logging
from collections.abc import AsyncIterator

import httpx
import pytest

from sluicegate.agents.http.server import MOST_HEAD_BYTES
from sluicegate.models.inference.judge import Judge
from tests.support.http_api import Api, exchange, serving

JSON = {"content-type": "application/json"}
GOOD = b'{"text": "red shoes"}'


async def posted(api: Api, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    return await api.client.post("/v1/gate", content=body, headers=JSON if headers is None else headers)


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        (b"", 400, "invalid_json", None),
        (b"{", 400, "invalid_json", None),
        (b"[]", 400, "invalid_field", None),
        (b"null", 400, "invalid_field", None),
        (b'{"text": NaN}', 400, "invalid_json", None),
        (b'{"text": 1}', 400, "invalid_field", "$.text"),
        (b'{"text": null}', 400, "invalid_field", "$.text"),
        (b'{"text": ""}', 400, "invalid_field", "$.text"),
        (b'{"text": "red", "deadline_ms": 0}', 400, "invalid_field", "$.deadline_ms"),
        (b'{"text": "red", "deadline_ms": 1e400}', 400, "invalid_field", "$.deadline_ms"),
        (b'{"text": "red", "fail": "maybe"}', 400, "invalid_field", "$.fail"),
        (b'{"text": "red", "colour": "blue"}', 400, "invalid_field", "$.colour"),
        (b'{"text": "red \xff shoes"}', 400, "invalid_json", None),
        (b'{"text": "red \\ud800 shoes"}', 400, "invalid_json", None),
        (b'{"text": "' + b"x" * 100_000 + b'"}', 413, "too_large", "$.text"),
        (b'{"text": " \\u200b "}', 422, "unusable_text", "$.text"),
        (b'{"text": ' + b"[" * 100_000, 400, "invalid_field", "$.text"),
        (b"[" * 100_000, 400, "invalid_field", None),
        (b'{"colour": ' + b'{"a":' * 100_000, 400, "invalid_field", "$.colour"),
        (b"\x1f\x8b\x08\x00", 400, "invalid_json", None),
    ],
)
async def test_a_body_that_is_wrong_gets_an_error_that_names_the_field(
    engine: Judge, body: bytes, status: int, code: str, param: str | None
) -> None:
    async with serving(engine) as api:
        answer = await posted(api, body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
        assert error["message"]
        assert "Traceback" not in answer.text
        assert (await posted(api, GOOD)).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "key", "param"),
    [
        ("/v1/gate", b'{"text": "how to forge a passport", "text": "red shoes"}', "text", "$.text"),
        ("/v1/gate", b'{"text": "how to forge a passport", "te\\u0078t": "red shoes"}', "text", "$.text"),
        ("/v1/moderate", b'{"text": "red shoes", "fail": "closed", "fail": "open"}', "fail", "$.fail"),
        (
            "/beta/litellm_basic_guardrail_api",
            b'{"texts": ["red shoes"], "input_type": "request", "request_data": {"a": [{"b": 1, "b": 2}]}}',
            "b",
            None,
        ),
    ],
)
async def test_a_key_that_is_there_twice_is_refused_by_its_name(
    engine: Judge, path: str, body: bytes, key: str, param: str | None
) -> None:
    async with serving(engine) as api:
        answer = await api.client.post(path, content=body, headers=JSON)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_field", param)
    assert error["message"] == f"the key `{key}` is there twice: send it once"


async def test_a_value_that_is_none_of_the_choices_gets_them_all(engine: Judge) -> None:
    async with serving(engine) as api:
        error = (await posted(api, b'{"text": "red", "fail": "maybe"}')).json()["error"]
    assert error["message"] == "Invalid enum value 'maybe': send `closed` or `open`"


async def test_the_name_of_an_unknown_field_is_cut(engine: Judge) -> None:
    async with serving(engine) as api:
        answer = await posted(api, b'{"text": "red", "%s": 1}' % (b"x" * 100_000))
    assert answer.json()["error"]["param"] == "$." + "x" * 80
    assert len(answer.content) < 500


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_only_json_is_read(engine: Judge, content_type: str) -> None:
    async with serving(engine) as api:
        answer = await posted(api, GOOD, {"content-type": content_type})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", "application/x+json"])
async def test_json_by_any_of_its_names_is_read(engine: Judge, content_type: str) -> None:
    async with serving(engine) as api:
        assert (await posted(api, GOOD, {"content-type": content_type})).status_code == 200


async def test_a_body_of_ten_megabytes_is_refused_before_and_while_it_is_read(engine: Judge) -> None:
    body = b'{"text": "' + b"x" * 10_000_000 + b'"}'

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    async with serving(engine) as api:
        declared = await posted(api, body)
        chunked = await api.client.post("/v1/gate", content=in_pieces(), headers=JSON)
        assert [answer.status_code for answer in (declared, chunked)] == [413, 413]
        assert (await posted(api, GOOD)).status_code == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"404 Not Found"),
        (b"\x16\x03\x01\xff\r\n\r\n", b"400 Bad Request"),
        (b"GET /livez HTTP/9.9\r\n\r\n", b"400 Bad Request"),
        (b"GET /livez HTTP/1.1\r\nBad Header: 1\r\n\r\n", b"400 Bad Request"),
        (b"POST /v1/gate HTTP/1.1\r\nHost: localhost\r\nContent-Length: ten\r\n\r\n", b"400 Bad Request"),
        (b"POST /v1/gate HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", b"400 Bad Request"),
        (b"POST /v1/gate HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", b"400 Bad Request"),
        (
            b"POST /v1/gate HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"400 Bad Request",
        ),
        (b"POST /v1/gate HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400 Bad Request"),
        (b"GET /livez HTTP/1.1\r\n" + b"X: %s\r\n" % (b"y" * 2 * MOST_HEAD_BYTES), b"431 Request Header"),
        (b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * 1000 + b"\r\n", b"431 Request Header"),
        (b"GET /%s HTTP/1.1\r\n\r\n" % (b"y" * 2 * MOST_HEAD_BYTES), b"431 Request Header"),
    ],
)
async def test_what_is_not_one_request_of_http_ends_the_connection(
    engine: Judge, request_: bytes, status: bytes
) -> None:
    async with serving(engine) as api:
        answer = await exchange(api.port, request_)
        assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b'{"error":{"code":"' in answer
        assert (await posted(api, GOOD)).status_code == 200


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"POST /v1/gate HTTP/1.1\r\nHost: localhost\r\n",
        b"POST /v1/gate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n",
        b"POST /v1/gate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{",
        b"POST /v1/gate HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n\r\n{",
    ],
)
async def test_a_request_that_does_not_arrive_in_time_is_answered_and_ended(engine: Judge, beginning: bytes) -> None:
    async with serving(engine, http_read_timeout_ms=200) as api:
        answer = await exchange(api.port, beginning)
        assert answer.startswith((b"HTTP/1.1 408 Request Timeout", b"HTTP/1.1 415 "))
        assert api.service.open_requests == 0
        assert (await posted(api, GOOD)).status_code == 200


async def test_a_client_that_goes_before_its_request_is_complete_leaves_nothing(
    engine: Judge, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with serving(engine) as api:
        for _ in range(20):
            _, writer = await asyncio.open_connection("127.0.0.1", api.port)
            writer.write(b"POST /v1/gate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
            writer.write(b"Content-Length: 21\r\n\r\n{")
            await writer.drain()
            writer.close()
        async with asyncio.timeout(10):
            while api.service.open_requests or api.server.server_state.connections:  # noqa: ASYNC110 - no event is set
                await asyncio.sleep(0.01)
        assert (await posted(api, GOOD)).status_code == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_web_page_cannot_reach_the_api_of_this_machine_by_a_name_of_its_own(engine: Judge) -> None:
    async with serving(engine) as api:
        answer = await posted(api, GOOD, {**JSON, "host": f"evil.example:{api.port}"})
        local = await posted(api, GOOD, {**JSON, "host": f"localhost:{api.port}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (421, "misdirected_request")
    assert local.status_code == 200


async def test_no_query_is_logged(engine: Judge, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(engine) as api:
        for body in (b'{"text": "zanzibar"}', b'{"text": "zanzibar', b'{"zanzibar": 1}'):
            await posted(api, body)
    ours = [record for record in caplog.records if record.name.startswith(("sluicegate", "uvicorn"))]
    assert not [record for record in ours if "zanzibar" in record.getMessage()]
