"""Logs stay one JSON object a line, whatever is logged."""

import asyncio
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.agents.telemetry import EventSpan, Telemetry
from sluicegate.agents.telemetry.logs import (
    QuietLibraries,
    TerminalFormatter,
    expect_leaving,
    hide_quotes,
    json_formatter,
)
from sluicegate.schemas.errors import PublishFailed

TELEMETRY = Telemetry.start(otlp_endpoint=None, sample_ratio=1.0, service_version="0", instance_id="test")


@contextmanager
def captured(name: str = "agents.test") -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger on its own that writes what the worker would write."""
    stream = io.StringIO()
    logger = logging.Logger(name)  # noqa: LOG001 -- outside of the tree, so that nothing of it leaks into other tests
    handler = logging.StreamHandler(stream)
    handler.setFormatter(json_formatter())
    handler.addFilter(QuietLibraries())
    handler.addFilter(hide_quotes)
    logger.addHandler(handler)
    yield logger, stream


@contextmanager
def an_event() -> Iterator[EventSpan]:
    with TELEMETRY.process_span(
        TELEMETRY.extract([]), topic="queries.raw", partition=0, offset=0, group="gate", body_size=1
    ) as event:
        yield event


hostile = st.text(st.characters(codec=None)) | st.sampled_from(
    ['"}\n{"level": "FAKE"', "%s %(name)s {message}", "\r\n\x00\x1b[31m", "\u2028\u2029\x85", "\ud800", "<|im_start|>"]
)


@given(text=hostile, extra=hostile)
def test_hostile_text_stays_in_its_own_line_with_the_events_trace(text: str, extra: str) -> None:
    with captured() as (logger, stream), an_event() as event:
        logger.info("seen: %s", text, extra={"detail": extra})

    written = stream.getvalue()
    assert len(written.splitlines()) == 1
    line = json.loads(written)
    assert line["message"] == f"seen: {text}"
    assert line["detail"] == extra
    assert (line["level"], line["logger"], line["trace_id"]) == ("INFO", "agents.test", event.trace_id)
    age = datetime.now(UTC) - datetime.fromisoformat(line["timestamp"])
    assert timedelta(0) <= age < timedelta(minutes=1)


def test_a_line_outside_of_any_event_has_no_trace() -> None:
    with captured() as (logger, stream):
        logger.info("idle")
    assert set(json.loads(stream.getvalue())) == {"timestamp", "level", "logger", "message"}


async def test_tasks_of_different_events_keep_their_own_trace_ids() -> None:
    with captured() as (logger, stream):
        everybody_in = asyncio.Barrier(3)

        async def work() -> None:
            await everybody_in.wait()
            logger.info("from a task")

        async def event() -> str:
            with an_event() as span:
                await asyncio.create_task(work())
                return span.trace_id

        expected = await asyncio.gather(*(event() for _ in range(3)))
    assert sorted(json.loads(line)["trace_id"] for line in stream.getvalue().splitlines()) == sorted(expected)


def fail(text: str) -> None:
    raise RuntimeError(text)


def test_an_exception_is_one_field_without_the_text_that_it_quotes() -> None:
    with captured() as (logger, stream):
        try:
            try:
                fail("a query")
            except RuntimeError as error:
                raise PublishFailed("the broker is away") from error
        except PublishFailed:
            logger.exception("failed")
    [line] = stream.getvalue().splitlines()
    calls = json.loads(line)["exception"].splitlines()
    assert [re.sub(r":\d+", "", call) for call in calls] == [
        "  test_logs.py in test_an_exception_is_one_field_without_the_text_that_it_quotes",
        "  test_logs.py in fail",
        "RuntimeError at test_logs.py",
        "led to",
        "  test_logs.py in test_an_exception_is_one_field_without_the_text_that_it_quotes",
        "PublishFailed: the broker is away",
    ]


def test_the_errors_that_libraries_log_are_not_quoted() -> None:
    with captured("mode.worker") as (logger, stream):
        logger.error("Error: %r", ValueError("a query"))
    assert json.loads(stream.getvalue())["message"] == "Error: 'ValueError'"
    with captured("asyncio") as (logger, stream):
        logger.error("Task exception was never retrieved\nfuture: <Task exception=ValueError('a query')>")
    assert json.loads(stream.getvalue())["message"] == "Task exception was never retrieved"


@given(text=hostile)
def test_on_a_terminal_a_message_is_one_line_that_a_terminal_does_not_obey(text: str) -> None:
    record = logging.LogRecord("agents.test", logging.INFO, "", 0, "seen: %s", (text,), None)
    line = TerminalFormatter().format(record)
    assert line.isprintable()
    assert re.match(r"\d\d:\d\d:\d\d INFO     agents\.test: seen: ", line)


def test_on_a_terminal_an_exception_has_its_calls_on_lines_of_their_own() -> None:
    try:
        fail("a query")
    except RuntimeError:
        record = logging.LogRecord("agents.test", logging.ERROR, "", 0, "failed", None, sys.exc_info())
    first, *_, last = TerminalFormatter().format(record).splitlines()
    assert first.endswith("ERROR    agents.test: failed")
    assert re.fullmatch(r"RuntimeError at test_logs.py:\d+", last)


def test_an_exporter_that_keeps_failing_is_one_warning_a_minute() -> None:
    with captured("opentelemetry.exporter.otlp") as (logger, stream):
        for _ in range(3):
            logger.error("Failed to export")
    [line] = stream.getvalue().splitlines()
    assert json.loads(line)["level"] == "WARNING"


def test_each_warning_about_an_unreachable_kafka_is_logged_once_a_minute() -> None:
    with captured("aiokafka.conn") as (logger, stream):
        for attempt in range(3):
            logger.error("Unable to connect to node %d", attempt)
            logger.error("Unable to update metadata from %d", attempt)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["Unable to connect to node 0", "Unable to update metadata from 0"]


def test_configured_logs_go_to_standard_error_and_libraries_below_warning_are_quiet() -> None:
    program = """
import logging
from sluicegate.agents.telemetry.logs import configure_logging
configure_logging("INFO")
configure_logging("INFO")
for name in ("agents.gate", "faust.app", "mode.worker", "aiokafka.consumer"):
    logging.getLogger(name).info("quiet")
    logging.getLogger(name).warning("loud")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.stdout == ""
    assert [(line["logger"], line["message"]) for line in lines] == [
        ("agents.gate", "quiet"),
        ("agents.gate", "loud"),
        ("faust.app", "loud"),
        ("mode.worker", "loud"),
        ("aiokafka.consumer", "loud"),
    ]


def test_a_process_that_leaves_its_group_does_not_raise_an_alarm_about_the_coordinator_but_about_lost_commits() -> None:
    coordinator = logging.getLogger("aiokafka.consumer.group_coordinator")
    expect_leaving()
    try:
        levels = {}
        for message in ("Error sending OffsetFetchRequest to node 1", "OffsetCommit failed for group g"):
            record = coordinator.makeRecord(coordinator.name, logging.ERROR, "", 0, message, (), None)
            assert coordinator.filter(record)
            levels[message.split()[0]] = record.levelname
        assert levels == {"Error": "INFO", "OffsetCommit": "ERROR"}
    finally:
        coordinator.filters.clear()
