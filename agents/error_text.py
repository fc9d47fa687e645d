"""Errors in the log, without what they may quote: a query, or a password."""

import traceback
from pathlib import Path

from sluicegate.schemas.errors import ContractError, SluicegateError


def describe_error(error: BaseException) -> str:
    """The error's type and where it was raised, in one line; with its message where that is known to be safe.

    Safe are our own messages and those of the operating system. Others may quote what they failed on, and so may a
    ContractError, whose message goes into a dead letter.
    """
    kind = type(error).__name__
    if isinstance(error, SluicegateError | OSError) and not isinstance(error, ContractError):
        return f"{kind}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{kind} at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else kind


def describe_traceback(error: BaseException) -> str:
    """The calls that led to the error and to its causes, one a line, and `describe_error` of each."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    calls = [
        f"  {Path(frame.filename).name}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return "\n".join([*([describe_traceback(cause), "led to"] if cause else []), *calls, describe_error(error)])
