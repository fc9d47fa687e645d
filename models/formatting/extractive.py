"""Formatting without a model: deterministic, in about a millisecond, for the demo and where a model is no better."""

import hashlib
import time
from collections.abc import Sequence
from typing import Final

from sluicegate.models.formatting.compact import compact_json
from sluicegate.models.formatting.extraction import Extraction, Missing, TimeEnded
from sluicegate.models.formatting.formatter import FormatFailure, FormatRequest, Formatted, ValueSource
from sluicegate.models.formatting.grounding import nulled
from sluicegate.models.formatting.mentions import Mentions
from sluicegate.models.formatting.schema import Violation

MOST_CHARACTERS: Final = 20_000


class ExtractiveFormatter:
    """Finds dates, numbers, money, addresses, enum values and labelled or quoted text. It writes nothing of its own.

    What it cannot find, or the schema refuses, is null where the schema allows it, left out where it is optional, else
    a failure. What it assumes of a date or a time is `ungrounded`.
    """

    @property
    def model_version(self) -> str:
        """The name and version, for events and ledger records."""
        return "extractive@2"

    @property
    def prompt_version(self) -> str:
        """The version of the rules."""
        return "extractive-2"

    def format(self, batch: Sequence[FormatRequest]) -> list[Formatted | FormatFailure]:
        """A result per request of `batch`, in order."""
        return [self._one(request) for request in batch]

    def _one(self, request: FormatRequest) -> Formatted | FormatFailure:
        read = hashlib.sha256(
            f"{request.schema.schema_hash}\n{request.text}".encode("utf-8", "surrogatepass")
        ).hexdigest()
        if len(request.text) > MOST_CHARACTERS:
            return FormatFailure(
                code="too_long",
                message=f"the text has {len(request.text)} characters, at most {MOST_CHARACTERS} are read",
                prompt_hash=read,
            )
        deadline = None if request.seconds is None else time.monotonic() + request.seconds
        try:
            extraction = Extraction(request.schema, Mentions(request.text), deadline)
            outcome = extraction.run()
        except TimeEnded:
            return FormatFailure(code="budget_ended", message="the time ended", prompt_hash=read)
        if isinstance(outcome, Missing) and outcome.keyword:
            return _refused(Violation(outcome.pointer, outcome.keyword), read)
        if isinstance(outcome, Missing):
            return FormatFailure(
                code="not_found",
                message=f"the text has no value for {outcome.pointer or 'the document'}",
                pointer=outcome.pointer,
                prompt_hash=read,
            )
        if violation := request.schema.violation(outcome.value):
            return _refused(violation, read)
        found, sources = outcome.value, list(outcome.sources)
        for place, source in enumerate(sources):
            if source.assumed and request.null_ungrounded:
                without = nulled(found, request.schema, [extraction.assumed[source.pointer]])
                if without != found:
                    found, sources[place] = without, ValueSource(source.pointer, None, None, "null")
        value = compact_json(found)
        return Formatted(
            value=value,
            sources=tuple(sources),
            ungrounded=tuple(source.pointer for source in sources if source.assumed),
            prompt_hash=read,
            output_hash=hashlib.sha256(value).hexdigest(),
        )


def _refused(violation: Violation, read: str) -> FormatFailure:
    return FormatFailure(
        code="does_not_validate",
        message=f"the value at {violation.pointer or 'the root'} breaks `{violation.keyword}`",
        pointer=violation.pointer,
        keyword=violation.keyword,
        prompt_hash=read,
    )
