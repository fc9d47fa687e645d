"""Verdicts about texts of any length: each is decided in passages that are short enough for one decision.

A query that is too long is cut, and what is cut off is not read. A document or a prompt must be read to its end, so
each passage is decided, and the strictest decision is that of the whole text. Passages overlap, so that no sentence
escapes by lying across a border.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sluicegate.agents.http.deciding import Decided, Options, decide
from sluicegate.agents.http.route import Call
from sluicegate.agents.http.service import HttpService
from sluicegate.models.text.normalise import normalise
from sluicegate.schemas.errors import ContractError, RequestRefused

_OVERLAP: Final = 64
"""Characters that a passage shares with the one before."""

_AT_ONCE: Final = 8
"""Passages of one request that are decided at the same time: others wait for the model too."""

_STRICTNESS: Final = {"allow": 0, "review": 1, "block": 2}


async def decide_texts(service: HttpService, call: Call[Any], texts: Mapping[str, str]) -> list[Decided]:
    """The strictest decision about each of the untrusted `texts`, in order; their keys are the fields they come from.

    Raises:
        RequestRefused: nothing is left of a text once it is cleaned; they are too many or too long; or too many queries
            wait for the model.
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

    async def decide_one(text: str) -> Decided:
        async with places:
            return await decide(service, call, text, Options())

    async def decide_passages(field: str, text: str) -> Decided:
        nothing_left = RequestRefused("invalid_field", "nothing is left after normalisation: send words", field=field)
        if len(text) <= settings.max_query_chars:
            try:
                decided = await decide_one(text)
            except ContractError:
                raise nothing_left from None
            if not decided.truncated:
                return decided
        clean = await asyncio.to_thread(lambda: normalise(text, max_chars=most_chars).text)
        if not clean:
            raise nothing_left
        parts = passages(clean, settings.max_query_chars)
        return strictest(await _all(map(decide_one, parts)))

    return await _all(decide_passages(field, text) for field, text in texts.items())


def strictest(decided: Sequence[Decided]) -> Decided:
    """The decision that counts for all of several texts."""
    return max(decided, key=lambda each: (_STRICTNESS[each.decision.verdict], -_allow_probability(each)))


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


async def _all(decisions: Iterable[Coroutine[Any, Any, Decided]]) -> list[Decided]:
    """All `decisions`; the first error cancels those that are under way."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(decision) for decision in decisions]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def _allow_probability(decided: Decided) -> float:
    return decided.decision.probabilities.get("allow", 0.0)
