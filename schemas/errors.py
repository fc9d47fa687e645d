"""Every error that Sluicegate raises on purpose, in one tree.

    SluicegateError
    ├── ConfigurationError      a setting, a model folder or a topic is wrong: refuse to start (exit 78, EX_CONFIG)
    │   ├── CheckpointError     a Hugging Face checkpoint or adapter that cannot be compiled
    │   └── CompiledModelError  a compiled model folder that cannot be served
    ├── BrokerUnavailable       the Kafka cluster cannot be reached (exit 69, EX_UNAVAILABLE)
    ├── ContractError           bytes that are not the event they claim to be; names the field
    └── EventFailed             one event cannot be decided now
        ├── EngineFailed        the model raised on this event's batch
        ├── DeadlineExceeded    the event's deadline passed first
        ├── Overloaded          the event's deadline cannot be met: too much waits already
        └── PublishFailed       the broker refused, or did not acknowledge in time

Each message says what happened, where, and what to do about it, in one line.
"""


class SluicegateError(Exception):
    """The root of the tree; `exit_code` is what a command ends with when it escapes (sysexits.h)."""

    exit_code = 70


class ConfigurationError(SluicegateError):
    """A setting, a model folder or a topic is wrong."""

    exit_code = 78


class CheckpointError(ConfigurationError):
    """A Hugging Face checkpoint or a LoRA adapter that is broken, partial or of another architecture."""


class CompiledModelError(ConfigurationError):
    """A compiled model folder that is incomplete, damaged or of an unknown format."""


class BrokerUnavailable(SluicegateError):
    """The Kafka cluster cannot be reached."""

    exit_code = 69


class ContractError(SluicegateError):
    """Bytes that are not the event they claim to be. The message names the field, as in ``$.query``."""

    exit_code = 65


class EventFailed(SluicegateError):
    """One event cannot be decided now; the policy says what becomes of it."""


class EngineFailed(EventFailed):
    """The model raised on the batch that this event was in."""


class DeadlineExceeded(EventFailed):
    """The event's deadline passed before it was decided."""


class Overloaded(EventFailed):
    """The event's deadline cannot be met: too many others wait for the model already."""


class PublishFailed(EventFailed):
    """The broker refused an output, or did not acknowledge it in time. `too_large`: a smaller one might be taken."""

    def __init__(self, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large
