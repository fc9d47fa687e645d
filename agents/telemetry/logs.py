"""Logs as JSON, one object a line on standard error, each with the trace of the event it is about.

    {"timestamp": "2026-01-31T12:00:00.000000+00:00", "level": "INFO", "logger": "sluicegate.agents.gate.agent",
     "message": "…", "trace_id": "…", "span_id": "…", "exception": "…"}

The last three are there when there is something to say. On a terminal, a line is text for people instead.

No query and no secret is ever logged, so that logs may be kept and shipped freely. Libraries would quote both in the
errors that they log, so an error is logged as its type and its place (`error_text`). What else comes from outside
cannot break a line: control characters are escaped.
"""

import asyncio
import logging
import os
import sys
import threading
from types import TracebackType
from typing import Final, TypeAlias

from opentelemetry.trace import format_span_id, format_trace_id, get_current_span
from pythonjsonlogger.core import LogData
from pythonjsonlogger.json import JsonFormatter

from sluicegate.agents.error_text import describe_error, describe_traceback
from sluicegate.agents.telemetry.log_writer import LogWriter

_LEVELS: Final = {
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "aiokafka": logging.WARNING,
    "uvicorn": logging.ERROR,  # warns about each malformed request: a client could fill our disk
    # Their warnings list every event in flight.
    "faust.transport.consumer": logging.ERROR,
    "faust.transport.drivers.aiokafka": logging.ERROR,
    # Warns about each malformed tracestate, and quotes it: a producer could fill our disk.
    "opentelemetry.trace": logging.ERROR,
}
_OURS: Final = "sluicegate"
_SILENCE_S: Final = 60.0
_COORDINATOR: Final = "aiokafka.consumer.group_coordinator"
_ON_LEAVING: Final = (
    "Error sending OffsetFetchRequest",
    "Error sending LeaveGroupRequest",
    "Marking the coordinator dead",
    "LeaveGroup request failed",
)
"""What aiokafka logs of the group's coordinator when a consumer that still joins the group is stopped."""
_TALKATIVE: Final = ("opentelemetry", "aiokafka", "sluicegate.agents.kafka.publisher")
"""The last logs what librdkafka says."""

_ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def configure_logging(level: str) -> None:
    """Send all logs of this process to standard error, from `level` ("INFO") up. Replaces what was set up before.

    Configure Faust so that it leaves this alone: `Worker(override_logging=False)`.
    """
    descriptor = sys.stderr.fileno() if sys.stderr else os.open(os.devnull, os.O_WRONLY)
    handler = LogWriter(descriptor, TerminalFormatter() if os.isatty(descriptor) else json_formatter())
    handler.addFilter(QuietLibraries())
    handler.addFilter(hide_quotes)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name, quiet in _LEVELS.items():
        logging.getLogger(name).setLevel(quiet)
    threading.excepthook = _log_end_of_thread
    sys.unraisablehook = _log_unraisable


def expect_leaving() -> None:
    """From now on this process leaves its consumer group: what aiokafka then complains of is logged as INFO."""
    logging.getLogger(_COORDINATOR).addFilter(_calm_on_leaving)


def _calm_on_leaving(record: logging.LogRecord) -> bool:
    if record.getMessage().startswith(_ON_LEAVING):
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    if issubclass(ended.exc_type, asyncio.CancelledError):  # how Faust's threads end
        return
    name = ended.thread.name if ended.thread else "a thread"
    error = describe_error(ended.exc_value) if ended.exc_value else ended.exc_type.__name__
    logging.getLogger(__name__).warning("the thread %s has ended: %s", name, error)


def _log_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    error = unraisable.exc_value
    logging.getLogger(__name__).warning("an error was ignored: %s", describe_error(error) if error else "unknown")


def hide_quotes(record: logging.LogRecord) -> bool:
    """A filter that removes the messages of errors from a library's log records: they may quote a query."""
    if record.name.startswith(_OURS):
        return True
    if isinstance(record.args, tuple):
        record.args = tuple(describe_error(arg) if isinstance(arg, BaseException) else arg for arg in record.args)
    if record.name == "asyncio":  # its first line says what happened, the others show tasks with their errors
        record.msg, record.args = record.getMessage().partition("\n")[0], None
    return True


def json_formatter() -> logging.Formatter:
    """Formats a record as one JSON object, in ASCII."""
    return _EventFormatter(
        "%(levelname)s %(name)s %(message)s",
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception", "stack_info": "stack"},
        timestamp=True,
    )


class _EventFormatter(JsonFormatter):
    """Adds the current span's ids. The standard library's encoder, not orjson: lone surrogates must not lose a line."""

    def process_log_record(self, log_data: LogData) -> LogData:
        context = get_current_span().get_span_context()
        if context.is_valid:
            log_data["trace_id"] = format_trace_id(context.trace_id)
            log_data["span_id"] = format_span_id(context.span_id)
        return {"timestamp": log_data.pop("timestamp"), **log_data}

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - the library's name
        return describe_traceback(ei[1]) if ei[1] else ""


class TerminalFormatter(logging.Formatter):
    """Formats a record as text for people: time, level, module, message, and an error's calls on lines of their own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-8s %(name)s: %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """The line, with everything escaped that a terminal would obey."""
        return "".join(
            character if character.isprintable() else character.encode("unicode_escape").decode()
            for character in super().formatMessage(record)
        )

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - the library's name
        """The error's calls."""
        return describe_traceback(ei[1]) if ei[1] else ""


class QuietLibraries(logging.Filter):
    """Lets each message of the libraries through once a minute: while a server is down they repeat it all the time.

    All messages of one OpenTelemetry logger count as one, and become warnings: a missing collector harms no event.
    """

    def __init__(self) -> None:
        super().__init__()
        self._silent_until: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log `record`."""
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
