"""One decision on behalf of a request. Every door decides through `decide`, so that none differs from the others."""

import uuid
from dataclasses import dataclass
from typing import Any, Final

from sluicegate.agents.deciding.decider import Decision, Fail
from sluicegate.agents.http.route import Call
from sluicegate.agents.http.service import HttpService
from sluicegate.async_gate import gate_decision
from sluicegate.decision import GateDecision
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
    """A decision, its id, and whether only the beginning of the query was read."""

    event_id: str
    decision: GateDecision
    truncated: bool


async def decide(service: HttpService, call: Call[Any], text: str, options: Options) -> Decided:
    """The decision about the untrusted `text`. Adds the time of each stage to the call's `timings_ms`.

    Its audit record is kept before it is returned, if SLUICE_HTTP_LEDGER is set.

    Raises:
        ContractError: nothing is left of it once it is cleaned.
        RequestRefused: it is far too long; or too many queries wait, and SLUICE_HTTP_OVERLOAD is `refuse`.
        LedgerFailed: the audit record could not be kept.
    """
    longest = WORK_FACTOR * service.settings.max_query_chars
    if len(text) > longest:
        raise RequestRefused(
            "too_large", f"the text has {len(text)} characters, at most {longest} are allowed", field="$.text"
        )
    event_id = options.event_id or uuid.uuid4().hex
    decider = service.models.choose(event_id)
    decision = await decider.decide(
        text,
        call.span,
        locale=options.locale,
        deadline_ms=options.deadline_ms,
        fail=options.fail,
        surface=options.surface,
        wait_for_place=False,
    )
    if decision.degraded == Overloaded.__name__ and service.settings.http_overload == "refuse":
        raise RequestRefused("overloaded", "too many queries are waiting for the model: try again later")
    _report(service, call, decision, decider.engine.manifest.model_version)
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
    truncated = not _TRUNCATED.isdisjoint((*decision.normalisation, *decision.encoding))
    return Decided(event_id, gate_decision(decision, decider, event_id=event_id), truncated)


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
    telemetry.requests.record_decision(
        verdict=result.policy_result.verdict,
        category=result.policy_result.category,
        answered_by=decision.answered_by,
        degraded=decision.degraded,
    )


def _add(timings_ms: dict[str, float], stage: str, started_ns: int, ended_ns: int) -> None:
    """Add a stage's time; of several queries the longest time counts, because they are decided side by side."""
    timings_ms[stage] = max(timings_ms.get(stage, 0.0), max(0, ended_ns - started_ns) / 1e6)
