"""The readings of a query as the model reads them: which texts to judge, before and after the model has answered."""

from collections.abc import Sequence
from dataclasses import dataclass

from sluicegate.models.inference.judge import EncodedQuery, Judge, ModelResult
from sluicegate.models.inference.policy import Verdict
from sluicegate.models.text.readings import ReadingName, further_readings, same_words
from sluicegate.schemas.events import Suggestion
from sluicegate.schemas.reason_codes import DisguiseCode


@dataclass(frozen=True)
class EncodedReading:
    """One reading as the model reads it."""

    name: ReadingName
    query: EncodedQuery


@dataclass(frozen=True)
class EncodedReadings:
    """Every reading of `query` to judge. The first supplies the answer: the query itself, unless that has no words."""

    query: EncodedQuery
    readings: tuple[EncodedReading, ...]
    codes: tuple[DisguiseCode, ...]


def encode_readings(judge: Judge, text: str, locale: str | None = None) -> EncodedReadings:
    """The normalised query `text` in all its readings. Of readings with equal tokens only the first is kept.

    `locale` is the user's: it decides how the query is corrected. A query that is cut for the model is read whole
    otherwise: encoded words have many tokens.
    """
    query = judge.encode(text, locale)
    further = further_readings(text, query.correction.text if query.correction else None, judge.is_name)
    first = [] if further.replace_query else [EncodedReading(ReadingName.QUERY, query)]
    encoded = {reading.query.tokens: reading for reading in first}
    for reading in further.readings:
        also = judge.encode(reading.text, correct=False)
        encoded.setdefault(also.tokens, EncodedReading(reading.name, also))
    return EncodedReadings(query, tuple(encoded.values()), further.codes)


def unread_rewrites(judge: Judge, readings: EncodedReadings, result: ModelResult) -> tuple[EncodedReading, ...]:
    """What `result` would publish that no reading contains: it must be judged too. Nothing of a blocked query.

    The `embedded` style chooses expansions from a closed list. Other styles write them freely, so these are read too.
    """
    if result.policy_result.verdict is Verdict.BLOCK:
        return ()
    written = [result.lexical]
    if judge.manifest.prompt_style != "embedded" and (result.synonyms or result.facets):
        written.append(result.semantic)
    read = [readings.query.text, *(reading.query.text for reading in readings.readings)]
    unread = {text: None for text in written if not any(same_words(text, each) for each in read)}
    return tuple(EncodedReading(ReadingName.REWRITE, judge.encode(text, correct=False)) for text in unread)


def encode_suggestions(judge: Judge, suggestions: Sequence[Suggestion]) -> tuple[EncodedReading, ...]:
    """What is offered to the user, to be judged before it is."""
    return tuple(EncodedReading(ReadingName.SUGGESTION, judge.encode(each.text, correct=False)) for each in suggestions)
