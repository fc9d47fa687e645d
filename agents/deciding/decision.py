"""What was decided about one query, by the screen alone or together with the second model."""

from dataclasses import replace
from typing import Literal

import msgspec

from sluicegate.agents.deciding.answer_cache import Source
from sluicegate.agents.deciding.micro_batcher import Batched
from sluicegate.models.inference.cascade import AskedFor, CascadeRule
from sluicegate.models.inference.judge import ModelResult
from sluicegate.models.inference.policy import Policy, PolicyResult, Verdict
from sluicegate.models.inference.strictest import JudgedReading
from sluicegate.schemas.events import Suggestion, Tokens
from sluicegate.schemas.reason_codes import DEGRADED, READING, SECOND, DisguiseCode, ReasonCode


class SecondOpinion(msgspec.Struct, frozen=True, kw_only=True):
    """What the second model said about a query, or why it did not answer. Times are `time.time_ns`.

    `screened` is what the screen alone decided. `result` is that of the strictest of `readings`, None unless the second
    model `answered` all of them. `error` names what kept it from that.
    """

    asked_for: AskedFor
    screened: PolicyResult
    outcome: Literal["answered", "overloaded", "failed"]
    error: str | None = None
    model_version: str
    prompt_version: str
    policy_version: str
    thresholds: Policy
    started_ns: int
    ended_ns: int
    result: ModelResult | None = None
    readings: tuple[JudgedReading, ...] = ()
    batches: tuple[Batched[ModelResult], ...] = ()
    answered_by: Source | None = None

    @property
    def verdict(self) -> Verdict | None:
        """Its verdict; None if it did not answer."""
        return self.result.policy_result.verdict if self.result else None

    @property
    def tokens(self) -> Tokens:
        """What it read and wrote for this event."""
        return _tokens(self.batches)


class Decision(msgspec.Struct, frozen=True):
    """What was decided about a query, why, and when each stage was (`time.time_ns`).

    `degraded` names the error that kept the model from answering; the policy decided in its place. `batched` is None
    unless the model was asked about this very query; `batches` are those of all its readings that it was asked about.
    `disguise` says what undoing disguises found, `readings` has each reading's verdict, the query's first.
    """

    text: str
    input_codes: tuple[ReasonCode, ...]
    normalisation: tuple[ReasonCode, ...]
    encoding: tuple[ReasonCode, ...]
    model_result: ModelResult
    answered_by: Source | Literal["policy"]
    degraded: str | None
    batched: Batched[ModelResult] | None
    normalise_started_ns: int
    normalise_ended_ns: int
    suggestions: tuple[Suggestion, ...] = ()
    disguise: tuple[DisguiseCode, ...] = ()
    readings: tuple[JudgedReading, ...] = ()
    batches: tuple[Batched[ModelResult], ...] = ()
    policy_version: str | None = None
    thresholds: Policy | None = None
    """By which the screen decided this event."""
    second: SecondOpinion | None = None
    """What the second model said, where it was asked. `model_result` then has the verdict that counts."""

    @property
    def answered_ns(self) -> int:
        """When the last answer of a model was there; without one, when the query was normalised."""
        ended_ns = max((batched.ended_ns for batched in self.batches), default=self.normalise_ended_ns)
        return max(ended_ns, self.second.ended_ns) if self.second else ended_ns

    @property
    def tokens(self) -> Tokens:
        """What the model read and wrote for this event, in all readings."""
        return _tokens(self.batches)

    @property
    def reason_codes(self) -> list[str]:
        """Every code, in the order of the stages."""
        degraded = [DEGRADED.code(self.degraded)] if self.degraded else []
        reason = self.model_result.policy_result.reason
        codes: list[ReasonCode] = [*self.input_codes, *self.normalisation, *self.disguise, *degraded, reason]
        codes += self.encoding
        codes += self.model_result.codes
        return list(codes)

    @property
    def second_decided(self) -> bool:
        """Whether the verdict is that of the second model."""
        return bool(
            self.second and self.second.result and self.model_result.policy_result is self.second.result.policy_result
        )

    @property
    def second_model_version(self) -> str | None:
        """The version of the second model; None if it did not answer."""
        return self.second.model_version if self.second and self.second.result else None

    @property
    def allow_probability(self) -> float | None:
        """The probability of `allow`, from the model that decided. None if no model answered."""
        result = self.second.result if self.second and self.second_decided else self.model_result
        return result.probabilities.get("allow") if result else None

    def with_second(self, opinion: SecondOpinion, rule: CascadeRule) -> "Decision":
        """The decision once the second model was asked: see `models.inference.cascade`."""
        if opinion.asked_for is AskedFor.SAMPLE:
            return msgspec.structs.replace(self, second=opinion)
        result, screen = self.model_result, self.model_result.policy_result
        decided = rule.combine(opinion.asked_for, screen, opinion.result.policy_result) if opinion.result else screen
        codes = result.codes
        if decided.verdict is Verdict.ALLOW:  # then no reading is judged more strictly than the query
            codes = tuple(code for code in codes if not code.startswith(f"{READING.prefix}:"))
        codes = (SECOND.code(opinion.verdict or opinion.outcome), *codes)
        return msgspec.structs.replace(
            self, model_result=replace(result, policy_result=decided, codes=codes), second=opinion
        )


def _tokens(batches: tuple[Batched[ModelResult], ...]) -> Tokens:
    asked = [batched.result for batched in batches]
    return Tokens(
        input=sum(result.input_tokens for result in asked),
        output=sum(result.output_tokens for result in asked),
    )
