"""One decision on behalf of a request. Every door decides through `judge` and `keep`, so that none differs."""

import uuid
from dataclasses import dataclass
from typing import Any, Final

from sluicegate.agents.deciding.decider import Decider, Fail
from sluicegate.agents.deciding.decision import Decision
from sluicegate.agents.deciding.second_report import report_second
from sluicegate.agents.http.route import Call
from sluicegate.agents.http.service import HttpService
from sluicegate.agents.http.trials import DecidedText
from sluicegate.agents.telemetry import EventSpan
from sluicegate.agents.telemetry.recent import Recent
from sluicegate.async_gate import gate_decision
from sluicegate.decision import GateDecision
from sluicegate.models.inference.policy import Verdict
from sluicegate.models.text.normalise import WORK_FACTOR
from sluicegate.schemas.errors import Overloaded, RequestRefused
from sluicegate.schemas.events import Context
from sluicegate.schemas.reason_codes import EncodingCode, NormaliseCode

_TRUNCATED: Final = frozenset((NormaliseCode.TRUNCATED_CHARS, EncodingCode.TRUNCATED_TOKENS))


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller may ask for one decision. None: the setting decides."""

    event_id: str | None = None
    locale: str | None = None
    fail: Fail | None = None
    deadline_ms: float | None = None
    surface: str | None = None
    user_id: str | None = None
    session_id: str | None = None

    @property
    def context(self) -> Context:
        """What the audit record says about the search."""
        return Context(user_id=self.user_id, session_id=self.session_id, locale=self.locale, surface=self.surface)


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision, its id, whether a part of the text was not read, and whether it is about one passage of the text."""

    event_id: str
    decision: GateDecision
    truncated: bool
    of_passage: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision before its audit record is kept, and who made it."""

    decision: Decision
    decider: Decider[EventSpan]
    truncated: bool
    of_passage: bool = False


async def decide_query(service: HttpService, call: Call[Any], text: str, options: Options) -> Decided:
    """The decision about the untrusted `text`, of which what is too long is cut off.

    Adds the time of each stage to the call's `timings_ms`. The audit record is kept before the decision is returned,
    if SLUICE_HTTP_LEDGER is set.

    Raises:
        ContractError: nothing is left of it once it is cleaned.
        RequestRefused: it is far too long; or too many queries wait, and SLUICE_HTTP_OVERLOAD is `refuse`.
        LedgerFailed: the audit record could not be kept.
    """
    check_length(text, WORK_FACTOR * service.settings.max_query_chars)
    event_id = options.event_id or new_event_id()
    return await keep(service, call, text, options, event_id, await judge(service, call, text, options, event_id))


def new_event_id() -> str:
    """The id of a decision for which the caller gave none."""
    return uuid.uuid4().hex


def check_length(text: str, longest: int, field: str = "$.text") -> None:
    """Refuse a `text` of more than `longest` characters."""
    if len(text) > longest:
        raise RequestRefused(
            "too_large", f"the text has {len(text)} characters, at most {longest} are allowed", field=field
        )


async def judge(service: HttpService, call: Call[Any], text: str, options: Options, event_id: str) -> Judged:
    """The decision about `text`, or about one passage of a longer one, without an audit record.

    Raises:
        ContractError: nothing is left of it once it is cleaned.
        RequestRefused: too many queries wait, and SLUICE_HTTP_OVERLOAD is `refuse`.
    """
    decider = service.models.choose(event_id)
    decision = await decider.decide(
        text,
        call.span,
        locale=options.locale,
        deadline_ms=options.deadline_ms,
        fail=options.fail,
        surface=options.surface,
        wait_for_place=False,
        event_id=event_id,
    )
    if decision.degraded == Overloaded.__name__ and service.settings.http_overload == "refuse":
        raise RequestRefused("overloaded", "too many queries are waiting for the model: try again later")
    _report(service, call, decision, decider.engine.manifest.model_version)
    return Judged(decision, decider, not _TRUNCATED.isdisjoint((*decision.normalisation, *decision.encoding)))


async def keep(
    service: HttpService, call: Call[Any], text: str, options: Options, event_id: str, judged: Judged
) -> Decided:
    """Keep the audit record of what was `judged` about `text`, if SLUICE_HTTP_LEDGER is set, and return the decision.

    What is tried on the text besides has begun then.

    Raises:
        LedgerFailed: the audit record could not be kept.
    """
    decision, decider = judged.decision, judged.decider
    verdict = decision.model_result.policy_result
    if verdict.verdict is Verdict.REVIEW:
        recent = Recent(event_id, category=verdict.category, reason=verdict.reason, query=decision.text)
        service.telemetry.recent.add("review", recent)
    if service.recorder is not None:
        await service.recorder.record(
            text,
            decision,
            decider,
            event_id=event_id,
            trace_id=call.span.trace_id,
            headers=(("traceparent", call.span.traceparent),),
            context=options.context,
        )
    if service.trials:
        tried = DecidedText(decision.text if judged.of_passage else text, event_id, options.context, call.span)
        service.trials.start(service.models, tried, decider, decision)
    return Decided(event_id, gate_decision(decision, decider, event_id=event_id), judged.truncated, judged.of_passage)


def _report(service: HttpService, call: Call[Any], decision: Decision, model_version: str) -> None:
    telemetry, result = service.telemetry, decision.model_result
    span, timings_ms = call.span, call.timings_ms
    started_ns, ended_ns = decision.normalise_started_ns, decision.normalise_ended_ns
    telemetry.record_stage(span, "normalise", started_ns, ended_ns)
    _add(timings_ms, "normalise", started_ns, ended_ns)
    for batched in decision.batches:
        telemetry.record_stage(span, "queue", batched.queued_ns, batched.started_ns)
        telemetry.record_model(
            span,
            batched.started_ns,
            batched.ended_ns,
            model=model_version,
            input_tokens=batched.result.input_tokens,
            output_tokens=batched.result.output_tokens,
        )
        _add(timings_ms, "queue", batched.queued_ns, batched.started_ns)
        _add(timings_ms, "model", batched.started_ns, batched.ended_ns)
    if decision.degraded or result.policy_result.verdict != "allow":
        span.keep()
    report_second(telemetry, span, decision)
    if decision.second:
        _add(timings_ms, "second", decision.second.started_ns, decision.second.ended_ns)
    telemetry.requests.record_decision(
        verdict=result.policy_result.verdict,
        category=result.policy_result.category,
        answered_by=decision.answered_by,
        degraded=decision.degraded,
    )


def _add(timings_ms: dict[str, float], stage: str, started_ns: int, ended_ns: int) -> None:
    """Add a stage's time; of several queries the longest time counts, because they are decided side by side."""
    timings_ms[stage] = max(timings_ms.get(stage, 0.0), max(0, ended_ns - started_ns) / 1e6)
