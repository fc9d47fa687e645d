"""The gate around the upstream API: what users say is moderated and cleaned, and what the model says if asked for."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Final

from sluicegate.agents.http.deciding import Decided, Options
from sluicegate.agents.http.openai.upstream_answers import Answer, AnswerEnd
from sluicegate.agents.http.passages import decide_texts, decide_whole
from sluicegate.agents.http.route import Call
from sluicegate.agents.http.service import HttpService
from sluicegate.models.inference.chat_template import ChatMessage
from sluicegate.models.text.invisible import drop_bidi, drop_controls, drop_hidden, drop_zero_width
from sluicegate.schemas.errors import ContractError, RequestRefused

_CONTROL_TOKEN: Final = re.compile(r"<\|[^<>|\s]{0,40}\|>")
_PIECE: Final = 200
"""Characters that are moderated at a time."""
_OVERLAP: Final = 64
"""Characters before a piece that are moderated with it."""


async def gated(service: HttpService, call: Call[Any], messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """`messages` without what is invisible in them. Those of the user are moderated.

    Raises:
        RequestRefused: one of them is not allowed, or there are too many or too long ones.
        LedgerFailed: an audit record could not be kept.
    """
    texts = {
        f"$.messages[{place}].content": message.content
        for place, message in enumerate(messages)
        if message.role == "user" and message.content.strip()
    }
    decided = await decide_texts(service, call, texts)
    for field, each in zip(texts, decided, strict=True):
        if not _passes(service, each):
            decision = each.decision
            why = f"{decision.category}, {decision.reason}" if decision.category else decision.reason
            message = f"the message is not allowed ({why}; decision {each.event_id})"
            raise RequestRefused("content_policy_violation", message, field=field)
    return [replace(message, content=clean(message.content)) for message in messages]


def clean(text: str) -> str:
    """`text` without invisible and reordering characters and control tokens. Its lines and its markup stay."""
    return "\n".join(map(_clean_line, text.splitlines()))


def _clean_line(line: str) -> str:
    tabs = line.split("\t")
    visible = (drop_controls(drop_zero_width(drop_hidden(drop_bidi(each)))) for each in tabs)
    return _CONTROL_TOKEN.sub(" ", "\t".join(visible))


class ModeratedAnswer:
    """An answer of which only what is allowed is given out. It ends with `content_filter` before anything else."""

    def __init__(self, answer: Answer, service: HttpService, call: Call[Any]) -> None:
        self._answer = answer
        self._service = service
        self._call = call
        self._is_cut = False

    @property
    def ended(self) -> Any:
        """How it ended."""
        return AnswerEnd("content_filter") if self._is_cut else self._answer.ended

    async def pieces(self) -> AsyncIterator[str]:
        """The text, in pieces that were moderated."""
        held = before = ""
        async for piece in self._answer.pieces():
            held += piece
            if len(held) < _PIECE:
                continue
            cut = held.rfind(" ") + 1 or len(held)
            if not await self._allows(before + held[:cut]):
                return
            yield held[:cut]
            before, held = (before + held[:cut])[-_OVERLAP:], held[cut:]
        if held and await self._allows(before + held):
            yield held

    async def close(self) -> None:
        """End it."""
        await self._answer.close()

    async def _allows(self, text: str) -> bool:
        try:
            decided = await decide_whole(self._service, self._call, text, Options())
        except ContractError:  # nothing but signs and spaces
            return True
        self._is_cut = not _passes(self._service, decided)
        return not self._is_cut


def _passes(service: HttpService, decided: Decided) -> bool:
    passed = service.settings.guardrail_review == "pass" and decided.decision.verdict == "review"
    return decided.decision.allow or passed
