"""Logs stay one JSON object a line, whatever is logged."""

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.agents.telemetry import EventSpan, Telemetry
from sluicegate.agents.telemetry.logs import json_handler

TELEMETRY = Telemetry.start(otlp_endpoint=None, sample_ratio=1.0, service_version="0", instance_id="test")


@contextmanager
def captured(name: str = "agents.test") -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger on its own that writes what the worker would write."""
    stream = io.StringIO()
    logger = logging.Logger(name)  # noqa: LOG001 -- outside of the tree, so that nothing of it leaks into other tests
    logger.addHandler(json_handler(stream))
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


def test_an_exception_is_one_field() -> None:
    with captured() as (logger, stream):
        try:
            raise RuntimeError("first\nsecond")
        except RuntimeError:
            logger.exception("failed")
    [line] = stream.getvalue().splitlines()
    assert json.loads(line)["exception"].endswith("RuntimeError: first\nsecond")


def test_an_exporter_that_keeps_failing_is_one_warning_a_minute() -> None:
    with captured("opentelemetry.exporter.otlp") as (logger, stream):
        for _ in range(3):
            logger.error("Failed to export")
    [line] = stream.getvalue().splitlines()
    assert json.loads(line)["level"] == "WARNING"


def test_a_kafka_that_is_away_is_told_once_a_minute_by_each_line() -> None:
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
