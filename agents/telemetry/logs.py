"""Logs as JSON, one object a line on standard error, each with the trace of the event it is about.

    {"timestamp": "2026-01-31T12:00:00.000000+00:00", "level": "INFO", "logger": "agents.gate", "message": "…",
     "trace_id": "…", "span_id": "…", "exception": "…"}

The last three are there when there is something to say. A query's text is never logged, so that logs may be kept and
shipped freely; what else comes from outside cannot break a line, because JSON escapes it.
"""

import asyncio
import logging
import sys
import threading
from typing import TextIO

from opentelemetry.trace import format_span_id, format_trace_id, get_current_span
from pythonjsonlogger.core import LogData
from pythonjsonlogger.json import JsonFormatter

_LEVELS = {
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "aiokafka": logging.WARNING,
    # Their warnings list every event in flight.
    "faust.transport.consumer": logging.ERROR,
    "faust.transport.drivers.aiokafka": logging.ERROR,
    # Warns about each malformed tracestate, and quotes it: a producer could fill our disk.
    "opentelemetry.trace": logging.ERROR,
}
_SILENCE_S = 60.0
_TALKATIVE = ("opentelemetry", "aiokafka", "sluicegate.agents.kafka.publisher")
"""The last has what librdkafka says."""


def configure_logging(level: str) -> None:
    """Send all logs of this process through `json_handler`, from `level` ("INFO") up. Replaces what was set up before.

    Faust must be told to leave it so: `Worker(override_logging=False)`.
    """
    logging.basicConfig(level=level, handlers=[json_handler(sys.stderr)], force=True)
    for name, quiet in _LEVELS.items():
        logging.getLogger(name).setLevel(quiet)
    threading.excepthook = _log_end_of_thread


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    if issubclass(ended.exc_type, asyncio.CancelledError):  # how Faust's threads end
        return
    name = ended.thread.name if ended.thread else "a thread"
    logging.getLogger(__name__).warning("%s ended: %s: %s", name, ended.exc_type.__name__, ended.exc_value)


def json_handler(stream: TextIO) -> logging.Handler:
    """A handler that writes one JSON object a line to `stream`, in ASCII."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        _EventFormatter(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception", "stack_info": "stack"},
            timestamp=True,
        )
    )
    handler.addFilter(_QuietLibraries())
    return handler


class _EventFormatter(JsonFormatter):
    """Adds the current span's ids. The standard library's encoder, not orjson: lone surrogates must not lose a line."""

    def process_log_record(self, log_data: LogData) -> LogData:
        context = get_current_span().get_span_context()
        if context.is_valid:
            log_data["trace_id"] = format_trace_id(context.trace_id)
            log_data["span_id"] = format_span_id(context.span_id)
        return {"timestamp": log_data.pop("timestamp"), **log_data}


class _QuietLibraries(logging.Filter):
    """Lets the libraries say each thing once a minute: they repeat it many times a second while a server is away.

    OpenTelemetry's loggers say one thing each, as a warning: a missing collector harms no event.
    """

    def __init__(self) -> None:
        super().__init__()
        self._silent_until: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(_TALKATIVE):
            return True
        exporter = record.name.startswith("opentelemetry")
        said = (record.name, "" if exporter else record.msg)
        if record.created < self._silent_until.get(said, 0.0):
            return False
        self._silent_until[said] = record.created + _SILENCE_S
        if exporter and record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True
