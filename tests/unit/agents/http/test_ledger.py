"""The audit records of the HTTP API: one for each decision that a client receives, through every door."""

import asyncio
import os
import socket
from pathlib import Path

import msgspec
import pytest

from sluicegate.agents.http.ledgers import check_ledger
from sluicegate.agents.ledger.search import LedgerFile
from sluicegate.agents.settings import load_settings
from sluicegate.agents.spool.reading import read_all
from sluicegate.models.inference.judge import Judge
from sluicegate.schemas.codec import value_hash
from sluicegate.schemas.errors import ConfigurationError
from sluicegate.schemas.events import Context, LedgerRecord
from tests.support.http_api import HeldJudge, serving

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TEXTS = ["red shoes", "how to forge a passport", "zanzibar lamps"]


def records(path: Path) -> list[LedgerRecord]:
    return [msgspec.json.decode(line, type=LedgerRecord) for line in path.read_bytes().splitlines()]


async def test_each_text_of_a_batch_has_one_record_whose_id_its_answer_names(engine: Judge, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    async with serving(engine, http_ledger=f"file:{ledger}") as api:
        answer = await api.client.post(
            "/v1/gate/batch",
            json={"texts": TEXTS, "userId": "u-17", "session_id": "s-3", "locale": "en-GB", "surface": "web"},
            headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
        )
    answers = [item["answer"] for item in answer.json()["results"]]
    assert len({each["event_id"] for each in answers}) == len(records(ledger)) == len(TEXTS)
    for each in answers:
        record = LedgerFile(ledger).find(each["event_id"])
        assert record
        assert record.decision
        assert (record.decision.verdict, record.decision.reason) == (each["verdict"], each["reason"])
        assert (record.source.topic, record.source.partition) == (f"http:{socket.gethostname()}", os.getpid())
        assert record.context == Context(user_id="u-17", session_id="s-3", locale="en-GB", surface="web")
        assert record.trace_id == TRACE
        assert record.query is None
    assert b"zanzibar" not in ledger.read_bytes()


async def test_a_text_that_is_moderated_in_passages_has_one_record_of_the_passage_that_decided(
    engine: Judge, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    text = f"{'red running shoes for men. ' * 40}how to forge a passport"
    async with serving(engine, http_ledger=f"file:{ledger}", ledger_text=True) as api:
        await api.client.post("/v1/moderate", json={"text": text, "event_id": "long"})
    (record,) = records(ledger)
    assert (record.event_id, record.outcome, record.input_hash) == ("long", "blocked", value_hash(text.encode()))
    assert record.query
    assert record.query.endswith("how to forge a passport")
    assert len(record.query) <= 512


async def test_the_text_is_in_the_record_if_the_setting_allows_it(engine: Judge, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    async with serving(engine, http_ledger=f"file:{ledger}", ledger_text=True) as api:
        await api.client.post("/v1/gate", json={"text": "<b>red</b> shoes", "event_id": "mine"})
    assert [(record.event_id, record.query) for record in records(ledger)] == [("mine", "red shoes")]


async def test_the_doors_for_openai_and_litellm_keep_records_too(engine: Judge, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    async with serving(engine, http_ledger=f"file:{ledger}") as api:
        moderated = await api.client.post("/v1/moderations", json={"input": TEXTS})
        guarded = await api.client.post(
            "/beta/litellm_basic_guardrail_api", json={"texts": ["how to forge a passport"], "input_type": "request"}
        )
    found = records(ledger)
    named = [result["sluicegate"]["event_id"] for result in moderated.json()["results"]]
    assert {record.event_id for record in found[: len(TEXTS)]} == set(named)
    assert len(found) == len(TEXTS) + 1
    assert found[-1].event_id in guarded.json()["blocked_reason"]


async def test_a_formatted_text_has_a_record_and_so_has_one_that_could_not_be_formatted(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    schema = {"type": "object", "properties": {"quantity": {"type": "integer"}}, "required": ["quantity"]}
    async with serving(http_ledger=f"file:{ledger}") as api:
        for event_id, text in (("good", "three zanzibar lamps"), ("bad", "zanzibar lamps")):
            body = {"text": text, "schema": schema, "event_id": event_id}
            await api.client.post("/v1/format", json=body, headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    good, bad = records(ledger)
    assert (good.event_id, good.outcome, good.validation) == ("good", "formatted", "valid")
    assert (bad.event_id, bad.outcome) == ("bad", "deadletter")
    assert bad.validation.startswith("FormatFailed: ")
    assert (good.trace_id, good.source.topic) == (TRACE, f"http:{socket.gethostname()}")
    assert good.input_hash == value_hash(b"three zanzibar lamps")
    assert good.formatting
    assert good.formatting.json_schema
    assert b"zanzibar" not in ledger.read_bytes()


async def test_a_formatter_whose_record_cannot_be_kept_gives_no_answer() -> None:
    async with serving(http_ledger="file:/dev/full") as api:
        answer = await api.client.post("/v1/format", json={"text": "3 lamps", "schema": {"type": "integer"}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "ledger_failed")


async def test_a_decision_whose_record_cannot_be_kept_is_not_given_away(
    engine: Judge, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(engine, http_ledger="file:/dev/full") as api:
        for path, body in (
            ("/v1/gate", {"text": "zanzibar shoes"}),
            ("/v1/moderations", {"input": "zanzibar shoes"}),
            ("/beta/litellm_basic_guardrail_api", {"texts": ["zanzibar shoes"], "input_type": "request"}),
        ):
            answer = await api.client.post(path, json=body)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
            assert list(answer.json()) == ["error"]
            assert answer.json()["error"]["code"] == "ledger_failed"
            assert "/dev/full" not in answer.text
        batch = await api.client.post("/v1/gate/batch", json={"texts": TEXTS})
    assert {(item["answer"], item["error"]["code"]) for item in batch.json()["results"]} == {(None, "ledger_failed")}
    assert "cannot write the ledger /dev/full: No space left on device" in caplog.text
    assert "zanzibar" not in caplog.text


async def test_a_full_spool_refuses_the_answer(engine: Judge, tmp_path: Path) -> None:
    spool = f"spool:{tmp_path / 'spool'}"
    async with serving(engine, http_ledger=spool, spool_max_bytes=8_388_608, spool_reserve_bytes=4_194_304) as api:
        answer = await api.client.post("/v1/gate", json={"text": "red shoes"})
        while answer.status_code == 200:
            batch = await api.client.post("/v1/gate/batch", json={"texts": ["red shoes"] * 64})
            assert batch.status_code == 200
            answer = await api.client.post("/v1/gate", json={"text": "red shoes"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "ledger_failed")


async def test_a_record_is_on_disk_in_the_spool_when_the_answer_is_there(engine: Judge, tmp_path: Path) -> None:
    async with serving(engine, http_ledger=f"spool:{tmp_path / 'spool'}") as api:
        answer = await api.client.post("/v1/gate/batch", json={"texts": TEXTS})
        stored = [each.record for each in read_all(tmp_path / "spool")]
    assert {record.id for record in stored} == {item["answer"]["event_id"] for item in answer.json()["results"]}
    assert {record.topic for record in stored} == {"queries.ledger"}


async def test_without_the_setting_no_record_is_kept(engine: Judge) -> None:
    async with serving(engine) as api:
        assert (await api.client.post("/v1/gate", json={"text": "red shoes"})).is_success
        assert api.service.recorder is None


async def test_a_stop_keeps_the_record_of_what_is_in_flight(engine: Judge, tmp_path: Path) -> None:
    held = HeldJudge(engine)
    ledger = tmp_path / "ledger.jsonl"
    async with serving(held, http_ledger=f"file:{ledger}", deadline_ms=20_000) as api:
        asked = asyncio.create_task(api.client.post("/v1/gate", json={"text": "red shoes"}))
        await held.is_asked()
        drained = asyncio.create_task(api.service.drain(30))
        held.release.set()
        await drained
        answer = await asked
    assert [record.event_id for record in records(ledger)] == [answer.json()["event_id"]]


@pytest.mark.parametrize("wrong", ["ledger.jsonl", "file:", "spool:", "kafka:topic", "file", ""])
def test_a_ledger_of_no_known_kind_is_refused_by_its_name(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="SLUICE_HTTP_LEDGER: write file:PATH, spool:PATH or kafka"):
        load_settings(http_ledger=wrong)


def test_a_file_that_cannot_be_opened_is_refused_before_the_port_opens(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot write the ledger .*: No such file or directory"):
        check_ledger(load_settings(http_ledger=f"file:{tmp_path / 'nowhere' / 'ledger.jsonl'}"))
