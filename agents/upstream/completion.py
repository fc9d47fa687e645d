"""What a chat API answers, as far as it is read here."""

from typing import Any

import msgspec

from sluicegate.agents.upstream.failures import CallFailed, Failure


class Usage(msgspec.Struct, frozen=True):
    """The tokens of one request."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Message(msgspec.Struct, frozen=True):
    """What the model said."""

    content: str | None = None


class Choice(msgspec.Struct, frozen=True):
    """One answer. `finish_reason` is `length` where it was cut."""

    message: Message
    finish_reason: str | None = None


class _Answer(msgspec.Struct, frozen=True):
    choices: list[Choice]
    usage: Usage | None = None


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of a chat API. `usage` is None where it counts no tokens; `document` is all of it, as it came."""

    choices: list[Choice]
    usage: Usage | None
    cost: float
    """What it cost, in the currency of the prices; the most that it can have cost where no tokens were counted."""
    document: dict[str, Any]

    @property
    def text(self) -> str:
        """The text of its first choice."""
        return self.choices[0].message.content or ""


def read_completion(document: dict[str, Any], upstream: str) -> tuple[list[Choice], Usage | None]:
    """Choices, at least one, and usage.

    Raises:
        CallFailed: it is no completion.
    """
    try:
        answer = msgspec.convert(document, _Answer)
    except msgspec.ValidationError:
        raise CallFailed(Failure.UNREADABLE, upstream, "not a chat completion") from None
    if not answer.choices:
        raise CallFailed(Failure.UNREADABLE, upstream, "no choices")
    return answer.choices, answer.usage


def read_usage(document: dict[str, Any]) -> Usage | None:
    """The usage in a part of a stream; None if it has none."""
    try:
        return msgspec.convert(document.get("usage"), Usage | None)
    except msgspec.ValidationError:
        return None
