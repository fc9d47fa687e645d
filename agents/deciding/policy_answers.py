"""The model's answer about one text, by the policy of its event: allow lists and thresholds."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from sluicegate.agents.deciding.answer_cache import AnsweredQuery
from sluicegate.models.inference.judge import EncodedQuery, Judge, ModelResult
from sluicegate.models.policy.compiled import EventPolicy


@dataclass(frozen=True)
class PolicyAnswers:
    """Asks the model about the texts of one event. `ask` raises `EventFailed` if it does not answer."""

    judge: Judge
    policy: EventPolicy
    ask: Callable[[EncodedQuery], Awaitable[AnsweredQuery]]

    async def answer(self, query: EncodedQuery) -> AnsweredQuery:
        """The answer about `query`. Where an allow list covers a part of it, the verdict is that about the rest."""
        found = await self.ask(query)
        rest = self.policy.rest_of(query.text)
        judged: ModelResult | None = found.model_result
        if rest != query.text:
            judged = (await self.ask(self.judge.encode(rest, correct=False))).model_result if rest else None
        return msgspec.structs.replace(found, model_result=self.policy.judge(query.text, found.model_result, judged))
