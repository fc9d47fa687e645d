"""Every error that Sluicegate raises on purpose, in one tree, and every exit code of its commands.

    SluicegateError
    ├── ConfigurationError      a setting, a model folder or a topic is wrong: refuse to start
    │   ├── CheckpointError     a Hugging Face checkpoint or adapter that cannot be compiled
    │   ├── CompiledModelError  a compiled model folder that cannot be served
    │   │   └── CannotChat      a compiled model that judges queries and cannot write answers
    │   └── PolicyFileError     a policy file or one of its lists is broken; names the key or the line
    ├── BrokerUnavailable       the Kafka cluster cannot be reached
    ├── SchemaRegistryUnavailable   the schema registry cannot be reached, or fails
    ├── ContractError           bytes that are not the event they claim to be; names the field
    │   ├── UnreadableRecord    bytes of the log that are not a valid Kafka record
    │   ├── SchemaRefused       a JSON Schema that a formatter cannot follow; names the path and the keyword
    │   ├── SchemaUnknown       an action names a schema that is not in the folder
    │   └── PromptTooLong       a conversation with more tokens than the model may read
    ├── StreamFailed            a stream or a file of a command cannot be read or written
    ├── GateClosed              a gate of the Python API that is not open in this process
    ├── RequestRefused          a request that is not answered: it breaks its contract, or it comes at a bad time
    ├── LedgerFailed            a decision's audit record cannot be kept
    ├── SpoolFailed             the spool on disk cannot be used
    │   └── SpoolFull           it has no room for a record
    ├── ReviewQueueFailed       the queue of queries that wait for people cannot be used
    │   └── ReviewQueueFull     it is full
    └── EventFailed             one event cannot be decided now
        ├── EngineFailed        the model raised on this event's batch
        ├── DeadlineExceeded    the event's deadline passed first
        ├── Overloaded          the event's deadline cannot be met: too many events are waiting
        ├── UpstreamFailed      a chat API gave no answer
        ├── Unanswered          a reviewer did not decide
        ├── FormatFailed        a text gives no JSON of its schema; names the place and the keyword
        └── PublishFailed       the broker refused an output, or did not acknowledge it in time

Each message is one line that says what happened, where, and what to do about it.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command ends with: 0 to 2 by convention, 3 our own, 64 to 78 from sysexits.h, 128 + n after signal n."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> "ExitCode":
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    OK = 0, "done"
    FAILED = 1, "the worker stopped because of an event that got no outcome"
    USAGE = 2, "wrong usage"
    MISSING = 3, "topics or rights are missing"
    DATA = 65, "wrong input"
    UNAVAILABLE = 69, "Kafka is unavailable"
    SOFTWARE = 70, "a fault of Sluicegate"
    IO = 74, "input cannot be read or output cannot be written"
    CONFIG = 78, "wrong configuration"
    INTERRUPTED = 130, "interrupted by Ctrl-C"
    TERMINATED = 143, "ended by SIGTERM (the worker ends with 0)"


class SluicegateError(Exception):
    """The root of the tree. A command that it escapes from ends with `exit_code`."""

    exit_code = ExitCode.SOFTWARE


class ConfigurationError(SluicegateError):
    """A setting, a model folder or a topic is wrong."""

    exit_code = ExitCode.CONFIG


class CheckpointError(ConfigurationError):
    """A Hugging Face checkpoint or a LoRA adapter that is broken, partial or of another architecture."""


class CompiledModelError(ConfigurationError):
    """A compiled model folder that is incomplete, damaged or of an unknown format."""


class CannotChat(CompiledModelError):
    """A compiled model that judges queries and cannot write answers."""


class PolicyFileError(ConfigurationError):
    """A policy file, one of its lists, or a registry of policies that is broken."""


class BrokerUnavailable(SluicegateError):
    """The Kafka cluster cannot be reached."""

    exit_code = ExitCode.UNAVAILABLE


class SchemaRegistryUnavailable(SluicegateError):
    """The schema registry cannot be reached, or fails."""

    exit_code = ExitCode.UNAVAILABLE


class ContractError(SluicegateError):
    """Bytes that are not the event they claim to be. The message names the field, as in ``$.query``."""

    exit_code = ExitCode.DATA


class UnreadableRecord(ContractError):
    """Bytes of the log that are not a valid Kafka record."""


class SchemaRefused(ContractError):
    """A JSON Schema that a formatter cannot follow to the letter.

    `path` is the JSON pointer of the refused part within the schema, empty for the whole. `keyword` is the one that is
    wrong or not supported, where one is.
    """

    def __init__(self, message: str, *, path: str = "", keyword: str | None = None) -> None:
        where = f"at `#{path}`" + (f", keyword `{keyword}`" if keyword else "")
        super().__init__(f"{message} - {where}")
        self.reason = message
        self.path = path
        self.keyword = keyword


class SchemaUnknown(ContractError):
    """An action names a schema, or a version of it, that is not in the folder of schemas."""


class PromptTooLong(ContractError):
    """A conversation with more tokens than the model may read."""


class StreamFailed(SluicegateError):
    """Standard input, standard output, or a file that a command reads or writes, fails."""

    exit_code = ExitCode.IO


class GateClosed(SluicegateError):
    """A gate of the Python API that was closed, was never opened, or was made before a fork."""


class RequestRefused(SluicegateError):
    """A request that is not answered. `code` says why, as in ``too_large``; `field` is the one that is wrong.

    `retry_after_s` is when the same request may succeed, where that is known.
    """

    exit_code = ExitCode.DATA

    def __init__(
        self, code: str, message: str, *, field: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.retry_after_s = retry_after_s


class LedgerFailed(SluicegateError):
    """The audit record of a decision cannot be kept."""

    exit_code = ExitCode.IO


class SpoolFailed(SluicegateError):
    """The spool on disk cannot be used."""

    exit_code = ExitCode.IO


class SpoolFull(SpoolFailed):
    """The spool, or the disk, has no room for a record."""


class ReviewQueueFailed(SluicegateError):
    """The file of the review queue cannot be used, or the worker that has it cannot be reached."""

    exit_code = ExitCode.IO


class ReviewQueueFull(ReviewQueueFailed):
    """The review queue is full."""


class EventFailed(SluicegateError):
    """One event cannot be decided now. The policy decides its outcome."""


class EngineFailed(EventFailed):
    """The model raised on the batch that contained this event."""


class DeadlineExceeded(EventFailed):
    """The event's deadline passed before it was decided."""


class Overloaded(EventFailed):
    """The event's deadline cannot be met: too many events are waiting for the model."""


class UpstreamFailed(EventFailed):
    """A chat API gave no answer. `reason` is a word for metrics, as in ``timed_out``."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Unanswered(EventFailed):
    """A reviewer did not decide. `reason` is a word for metrics and the ledger, as in ``timed_out``."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class FormatFailed(EventFailed):
    """A text gives no JSON that follows its schema.

    `code` says why, as in ``not_found``; `path` is the JSON pointer of the place, and `keyword` the schema's keyword,
    as far as they are known.
    """

    exit_code = ExitCode.DATA

    def __init__(self, code: str, message: str, *, path: str | None = None, keyword: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.path = path
        self.keyword = keyword


class PublishFailed(EventFailed):
    """The broker refused an output, or did not acknowledge it in time. `too_large`: a smaller one may be accepted."""

    exit_code = ExitCode.UNAVAILABLE

    def __init__(self, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large
        if too_large:
            self.exit_code = ExitCode.DATA
