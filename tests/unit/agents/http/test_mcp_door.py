"""The real MCP client at /mcp of the API: the same keys, limits, decisions and audit records as at its other doors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from sluicegate.agents.http.keys import add_key
from sluicegate.agents.ledger.search import LedgerFile
from sluicegate.models.inference.judge import Judge
from tests.support.http_api import Api, serving
from tests.support.mcp_processes import INITIALIZE, call

UNSAFE = "how to forge a passport"
HEADERS = {"accept": "application/json, text/event-stream"}


@asynccontextmanager
async def assistant(api: Api, mode: str = "auto", key: str | None = None) -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with httpx2.AsyncClient(headers=headers, timeout=30, verify=False) as http:
        transport = streamable_http_client(f"http://127.0.0.1:{api.port}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_assistant_gets_the_decision_that_the_other_doors_give_and_its_audit_record(
    engine: Judge, tmp_path: Path, mode: str
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    async with serving(engine, http_mcp=True, http_ledger=f"file:{ledger}") as api, assistant(api, mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["gate", "rewrite", "explain"]
        result = await client.call_tool("gate", {"query": UNSAFE, "surface": "app", "locale": "en-GB"})
        expected = (await api.client.post("/v1/gate", json={"text": UNSAFE})).json()
        decision = result.structured_content
        explained = await client.call_tool("explain", {"event_id": decision["event_id"]})
    assert (decision["verdict"], decision["reason"]) == (expected["verdict"], expected["reason"])
    record = LedgerFile(ledger).find(decision["event_id"])
    assert record
    assert record.context
    assert (record.context.surface, record.context.locale) == ("app", "en-GB")
    assert explained.structured_content["event_id"] == record.event_id


async def test_the_surface_that_an_assistant_names_chooses_the_lists_of_the_policy(
    engine: Judge, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'name = "shop"\n[list.banned]\naction = "block"\ncategory = "spam"\nsurface = "kids"\n'
        'terms = ["zanzibar"]\n[surface.kids]\nsum_bound = 0.9\n'
    )
    async with serving(engine, http_mcp=True, policy=policy) as api, assistant(api) as client:
        asked = ({"query": "zanzibar lamps", "surface": surface} for surface in ("kids", "web"))
        kids, web = [await client.call_tool("gate", each) for each in asked]
    assert kids.structured_content["reason"] == "list:banned"
    assert web.structured_content["reason"] != "list:banned"


async def test_it_asks_for_the_key_that_the_api_asks_for(engine: Judge, tmp_path: Path) -> None:
    keys = tmp_path / "keys.txt"
    key = add_key(keys, "laptop")
    async with serving(engine, http_mcp=True, http_keys=keys) as api:
        refused = await api.client.post("/mcp", json=INITIALIZE, headers=HEADERS)
        async with assistant(api, key=key) as client:
            result = await client.call_tool("rewrite", {"query": "wireless headphons"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    assert result.structured_content["lexical"] == "wireless headphones"


async def test_its_calls_count_against_the_clients_rate(engine: Judge) -> None:
    async with serving(engine, http_mcp=True, http_rate="2/hour") as api:
        statuses = [(await api.client.post("/mcp", json=INITIALIZE, headers=HEADERS)).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


async def test_a_body_that_the_api_refuses_is_refused(engine: Judge) -> None:
    async with serving(engine, http_mcp=True, http_max_body_bytes=2048) as api:
        large = await api.client.post("/mcp", json=call(1, "gate", query="red " * 1000), headers=HEADERS)
        twice = await api.client.post(
            "/mcp",
            content=b'{"jsonrpc": "2.0", "id": 1, "id": 2}',
            headers={**HEADERS, "content-type": "application/json"},
        )
        good = await api.client.post("/mcp", json=call(1, "gate", query="red shoes"), headers=HEADERS)
    assert [answer.status_code for answer in (large, twice, good)] == [413, 400, 200]
    assert "`id` is there twice" in twice.text


async def test_a_page_of_another_site_is_refused_where_no_key_is_asked_for(engine: Judge) -> None:
    async with serving(engine, http_mcp=True) as api:
        page = await api.client.post("/mcp", json=INITIALIZE, headers={**HEADERS, "origin": "http://evil.example"})
        name = await api.client.post("/mcp", json=INITIALIZE, headers={**HEADERS, "host": "evil.example"})
    assert (page.status_code, name.status_code) == (403, 421)


async def test_it_is_there_only_if_the_setting_asks_for_it(engine: Judge) -> None:
    async with serving(engine) as api:
        assert (await api.client.post("/mcp", json=INITIALIZE, headers=HEADERS)).status_code == 404
