"""Verdicts about texts of any length: each is judged in passages that are short enough for one judgement.

A query that is too long is cut, and what is cut off is not read. A text to be moderated must be read to its end, so
each passage is judged, and the strictest judgement is the decision about the whole text. Passages overlap, so that no
sentence escapes by lying across a border.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from sluicegate.agents.http.deciding import Decided, Judged, Options, check_length, judge, keep, new_event_id
from sluicegate.agents.http.route import Call
from sluicegate.agents.http.service import HttpService
from sluicegate.models.text.normalise import normalise
from sluicegate.schemas.errors import ContractError, RequestRefused

ResultT = TypeVar("ResultT")

_OVERLAP: Final = 64
"""Characters that a passage shares with the one before."""

_SHORTEST: Final = 32
"""Characters of a passage that is not divided again, even if it has more tokens than the model reads."""

_AT_ONCE: Final = 8
"""Passages of one request that are judged at the same time: others wait for the model too."""

_STRICTNESS: Final = {"allow": 0, "review": 1, "block": 2}


async def decide_texts(service: HttpService, call: Call[Any], texts: Mapping[str, str]) -> list[Decided]:
    """The decision about each of the untrusted `texts`, in order; their keys are the fields they come from.

    Raises:
        RequestRefused: nothing is left of a text once it is cleaned; they are too many or too long; or too many queries
            wait for the model.
        LedgerFailed: an audit record could not be kept.
    """
    settings = service.settings
    most_chars = settings.http_max_batch * settings.max_query_chars
    if len(texts) > settings.http_max_batch:
        raise RequestRefused(
            "too_large", f"{len(texts)} texts, at most {settings.http_max_batch} are allowed (SLUICE_HTTP_MAX_BATCH)"
        )
    if (chars := sum(map(len, texts.values()))) > most_chars:
        raise RequestRefused(
            "too_large",
            f"{chars} characters of text, at most {most_chars} are allowed (SLUICE_HTTP_MAX_BATCH times "
            "SLUICE_MAX_QUERY_CHARS)",
        )
    places = asyncio.Semaphore(_AT_ONCE)

    async def decide(field: str, text: str) -> Decided:
        try:
            return await decide_whole(service, call, text, Options(), places)
        except ContractError:
            raise RequestRefused("invalid_field", "nothing is left after normalisation: send words", field=field) from (
                None
            )

    return await _all(decide(field, text) for field, text in texts.items())


async def decide_whole(
    service: HttpService, call: Call[Any], text: str, options: Options, places: asyncio.Semaphore | None = None
) -> Decided:
    """The decision about all of the untrusted `text`: that about its strictest passage. One audit record is kept.

    `places` bounds how many passages are judged at the same time, by default those of this text.

    Raises:
        ContractError: nothing is left of it once it is cleaned.
        RequestRefused: it is too long; or too many queries wait, and SLUICE_HTTP_OVERLOAD is `refuse`.
        LedgerFailed: the audit record could not be kept.
    """
    settings = service.settings
    most_chars = settings.http_max_batch * settings.max_query_chars
    check_length(text, most_chars)
    event_id = options.event_id or new_event_id()
    places = places or asyncio.Semaphore(_AT_ONCE)
    began = time.monotonic()

    async def judge_one(passage: str) -> Judged:
        async with places:
            left = _time_left(options, service, time.monotonic() - began)
            return await judge(service, call, passage, left, event_id)

    async def judge_passage(passage: str) -> Judged:
        judged = await judge_one(passage)
        if not judged.truncated or len(passage) <= _SHORTEST:
            return judged
        return await judge_all(passage, len(passage) * 2 // 3)  # it has more tokens than the model reads

    async def judge_all(clean: str, longest: int) -> Judged:
        return _strictest(await _all(map(judge_passage, passages(clean, longest))))

    judged = await judge_one(text) if len(text) <= settings.max_query_chars else None
    if judged is None or judged.truncated:
        clean = await asyncio.to_thread(lambda: normalise(text, max_chars=most_chars).text)
        if not clean:
            raise ContractError("nothing is left after normalisation: send words - at `$.query`")
        judged = await judge_all(clean, settings.max_query_chars)
    return await keep(service, call, text, options, event_id, judged)


def _time_left(options: Options, service: HttpService, spent_s: float) -> Options:
    """The options for a passage that is judged `spent_s` after the first one began: one time limit holds for all."""
    settings = service.settings
    limit_ms = min(options.deadline_ms or settings.deadline_ms, settings.deadline_ms)
    fail = options.fail or (settings.fail if options.deadline_ms is None else None)
    return replace(options, deadline_ms=max(1.0, limit_ms - 1000 * spent_s), fail=fail)


def strictest(decided: Sequence[Decided]) -> Decided:
    """The decision that counts for all of several texts."""
    return max(decided, key=lambda each: _strictness(each.decision.verdict, each.decision.probabilities))


def _strictest(judged: Sequence[Judged]) -> Judged:
    """The judgement that counts for all of several passages."""

    def strictness(each: Judged) -> tuple[int, float]:
        result = each.decision.model_result
        return _strictness(result.policy_result.verdict, result.probabilities)

    return replace(max(judged, key=strictness), truncated=any(each.truncated for each in judged), of_passage=True)


def _strictness(verdict: str, probabilities: Mapping[str, float]) -> tuple[int, float]:
    return _STRICTNESS[verdict], -probabilities.get("allow", 0.0)


def passages(text: str, longest: int) -> Iterator[str]:
    """Parts of the normalised `text` of at most `longest` characters. They overlap, and are cut between words."""
    overlap = min(_OVERLAP, longest // 4)
    start = 0
    while len(text) - start > longest:
        space = text.rfind(" ", start + longest - overlap, start + longest + 1)
        end = start + longest if space < 0 else space
        yield text[start:end]
        space = text.find(" ", end - overlap, end)
        start = end - overlap if space < 0 else space + 1
    yield text[start:]


async def _all(work: Iterable[Coroutine[Any, Any, ResultT]]) -> list[ResultT]:
    """The results of all `work`; the first error cancels what is under way."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
