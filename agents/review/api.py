"""A reviewer behind an OpenAI-compatible chat API."""

from collections.abc import Sequence
from typing import Final

from sluicegate.agents.review.prompt import ANSWER_SCHEMA, Prompt, parse_answer, rewrites_of
from sluicegate.agents.review.reviewer import Asked, ReviewDecision, ReviewerKind, ReviewTask, Unanswered
from sluicegate.agents.upstream.client import ChatClient
from sluicegate.schemas.errors import UpstreamFailed

MAX_ANSWER_TOKENS: Final = 300


class ApiReviewer:
    """Asks a chat API with the prompt of a file."""

    kind: ReviewerKind = "api"

    def __init__(self, client: ChatClient, prompt: Prompt) -> None:
        self.client: Final = client
        self.name = f"api:{client.config.model}"
        self._prompt = prompt

    async def review(self, task: ReviewTask, asked: Sequence[Asked], *, deadline: float) -> ReviewDecision:
        """The API's decision.

        Raises:
            Unanswered: it did not answer in time, or not as it was asked to.
        """
        return await self._decide(task.review.query, rewrites_of(task.review), deadline)

    async def check(self, *, deadline: float) -> None:
        """Ask about the prompt's two canaries.

        Raises:
            Unanswered: it does not answer both correctly by `deadline`.
        """
        canary = self._prompt.canary
        for query, allow in ((canary.allow, True), (canary.deny, False)):
            if (await self._decide(query, (), deadline)).allow is not allow:
                expected = "allowed" if allow else "denied"
                raise Unanswered("canary", f"{self.name} did not answer that a canary query is to be {expected}")

    async def _decide(self, query: str, rewrites: Sequence[str], deadline: float) -> ReviewDecision:
        try:
            answer = await self.client.complete(
                self._prompt.messages(query, rewrites),
                deadline=deadline,
                max_tokens=MAX_ANSWER_TOKENS,
                schema=ANSWER_SCHEMA,
            )
        except UpstreamFailed as error:
            raise Unanswered(error.reason, str(error)) from None
        allow, category, rationale = parse_answer(answer.text)
        return ReviewDecision(
            allow=allow,
            category=category,
            reviewer=self.name[:200],
            kind=self.kind,
            rationale=rationale,
            prompt_version=self._prompt.version,
            prompt_hash=self._prompt.hash,
            input_tokens=answer.usage.prompt_tokens if answer.usage else 0,
            output_tokens=answer.usage.completion_tokens if answer.usage else 0,
            cost=answer.cost,
        )
