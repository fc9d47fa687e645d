"""Candidates for one value: what in the text may be this string, number, boolean or enum value, and how surely."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import time
from typing import Final

from rapidfuzz import fuzz, utils

from sluicegate.models.formatting.dates import Moment
from sluicegate.models.formatting.formatter import How
from sluicegate.models.formatting.hints import Hints, stem, word_set
from sluicegate.models.formatting.keywords import Json
from sluicegate.models.formatting.mentions import Mentions, Span

SIMILAR: Final = 86.0
"""The least similarity, in percent, of an enum value and the words that stand for it."""

_NO: Final = re.compile(
    r"\b(?:no|not|without|don't|dont|do not|doesn't|never|isn't|aren't|won't|neither|false|off)\b", re.IGNORECASE
)
_NEGATED: Final = re.compile(
    r"(?:\bno(?: longer| more)?|\b(?:not|never|neither|nor|without|rather than|instead of|dont)|n['’]t)"
    r"(?: (?!only\b|just\b)[\w'’-]+){0,2}\s*$",
    re.IGNORECASE,
)
"""The end of a clause whose next words are denied, as in "not very"."""
_YES_NO: Final = {
    "yes": True,
    "true": True,
    "y": True,
    "on": True,
    "no": False,
    "false": False,
    "n": False,
    "off": False,
}
_MONEY: Final = word_set("price cost amount total sum fee charge budget pay paid salary")
_WHOLE: Final = word_set("text message comment comments note notes body content feedback query request original")
_CUES: Final = (
    (word_set("destination arrival"), r"\bto"),
    (word_set("origin departure"), r"\bfrom"),
    (word_set("name customer person contact guest author sender user who"),
     r"\b(?:my name is|name is|i am|i'm|this is|named|called|for|by|from|signed)"),
    (word_set("recipient assignee attendee to"), r"\b(?:to|for|with)"),
    (word_set("city place location venue town country address where"), r"\b(?:in|at|near|to)"),
    (word_set("brand maker manufacturer company employer organisation organization"), r"\b(?:by|from|at|for)"),
)  # fmt: skip
_CAPITALISED: Final = r"(?:[A-Z\u00c0-\u00de][\w'’.-]*(?:\s+(?:of|de|van|von|the|and|&)\s+(?=[A-Z]))?\s?)+"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible value and its place in the text; `score` from 0 to 1, where below 0.3 only the type speaks for it.

    `assumed`: the text leaves a part of it open. `shared`: a remark, whose parts may be other values too.
    """

    value: Json
    start: int | None
    end: int | None
    how: How
    score: float
    assumed: bool = False
    shared: bool = False


def enum_candidates(values: list[Json], mentions: Mentions, hints: Hints) -> Iterator[Candidate]:
    """The values of an enum that the text names, exactly or nearly."""
    for value in values:
        if isinstance(value, bool):
            yield from (found for found in boolean_candidates(mentions, hints) if found.value is value)
        elif isinstance(value, (int, float)):
            for amount in mentions.amounts:
                if amount.value == value:
                    near = hints.nearness(mentions, amount.start, amount.end)
                    yield Candidate(value, amount.start, amount.end, "enum", 0.3 + 0.7 * near)
        elif isinstance(value, str) and value:
            yield from _named(value, mentions, hints)
            currency = next((one for one in mentions.amounts if one.currency == value), None)
            if currency:
                yield Candidate(value, currency.start, currency.end, "enum", 0.9)


def _named(value: str, mentions: Mentions, hints: Hints) -> Iterator[Candidate]:
    wanted = utils.default_process(re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]", " ", value)).strip()
    if not wanted:
        return
    count = len(wanted.split())
    words = mentions.words
    for width in {count, max(1, count - 1), count + 1}:
        for place in range(len(words) - width + 1):
            start, end = words[place].start, words[place + width - 1].end
            piece = mentions.text[start:end].lower().replace("-", " ")
            similar = (
                100.0
                if piece == wanted
                else fuzz.ratio(" ".join(map(stem, piece.split())), " ".join(map(stem, wanted.split())))
            )
            if similar >= (SIMILAR if len(wanted) > 4 else 100) and not _NEGATED.search(_clause(mentions, start)):
                near = hints.nearness(mentions, start, end)
                yield Candidate(
                    value, start, end, "enum", 0.6 * similar / 100 + 0.2 * near + 0.02 * min(len(wanted), 10)
                )


def _clause(mentions: Mentions, start: int) -> str:
    """What stands before `start` in its clause."""
    return re.split(r"[.,;:!?\n]|\bbut\b|\band\b", mentions.text[max(0, start - 40) : start])[-1]


def boolean_candidates(mentions: Mentions, hints: Hints) -> Iterator[Candidate]:
    """True where the text speaks of the property, False where it does so with a negation, as in "no gift wrap"."""
    labelled = hints.labelled(mentions)
    if labelled and (answer := _YES_NO.get(labelled.text.lower().split()[0] if labelled.text else "")) is not None:
        yield Candidate(answer, labelled.start, labelled.end, "boolean", 1.0)
        return
    own = [stem(word) for word in hints.name if word not in ("is", "has", "needs", "wants", "include", "with")]
    for place, word in enumerate(mentions.words):
        if not own or stem(word.text.lower()) != own[0]:
            continue
        matched = [stem(next_.text.lower()) for next_ in mentions.words[place : place + len(own)]]
        if matched != own:
            continue
        end = mentions.words[place + len(own) - 1].end
        yield Candidate(not _NO.search(_clause(mentions, word.start)), word.start, end, "boolean", 0.9)


def number_candidates(schema: Json, mentions: Mentions, hints: Hints) -> Iterator[Candidate]:
    """The numbers of the text. An integer is never rounded from a fraction."""
    whole = "integer" in types_of(schema) and "number" not in types_of(schema)
    wants_money = bool(_MONEY & set(hints.name))
    for amount in mentions.amounts:
        value = amount.value
        if whole and isinstance(value, float) and value.is_integer():
            value = int(value)
        score = 0.1 + 0.8 * hints.nearness(mentions, amount.start, amount.end)
        if amount.unit and hints.weights.get(stem(amount.unit), 0):
            score = max(score, 0.6 + 0.35 * hints.weights[stem(amount.unit)])
        if amount.currency:
            score = min(1.0, score + 0.4) if wants_money else score - 0.4
        yield Candidate(value, amount.start, amount.end, "number", max(score, 0.01))


def string_candidates(schema: Json, mentions: Mentions, hints: Hints) -> Iterator[Candidate]:
    """Pieces of the text: by format, label, cue words such as "from", quotation marks, or shape."""
    match schema.get("format"):
        case "date":
            yield from _moments(mentions.dates, mentions, hints)
            yield from _impossible(mentions)
        case "time":
            yield from _moments(mentions.times, mentions, hints)
        case "date-time":
            yield from _date_times(mentions, hints)
            yield from _impossible(mentions)
        case str(name):
            for span in mentions.of_format(name):
                yield Candidate(
                    span.text, span.start, span.end, "text", 0.3 + 0.7 * hints.nearness(mentions, span.start, span.end)
                )
        case _:
            remark = bool(_WHOLE & set(hints.name))
            for one in _free_strings(schema, mentions, hints):
                if "pattern" in schema or not {one.start, one.end} & mentions.inside:
                    yield replace(one, shared=remark)


def _moments(moments: list[Moment], mentions: Mentions, hints: Hints) -> Iterator[Candidate]:
    """Dates, and times of day. A time in JSON has an offset from UTC: ``Z`` is assumed where the text has none."""
    for one in moments:
        near = hints.nearness(mentions, one.start, one.end, after=0.4)
        clock = isinstance(one.value, time)
        value = one.value.isoformat() + (one.offset or "Z" if clock else "")
        assumed = (clock and one.offset is None) or not one.sure
        yield Candidate(value, one.start, one.end, "date", 0.3 + 0.7 * near, assumed)


def _date_times(mentions: Mentions, hints: Hints) -> Iterator[Candidate]:
    """A date with the time of day nearest to it; midnight and UTC are assumed where the text has none."""
    for day in mentions.dates:
        near = min(mentions.times, key=lambda moment: abs(moment.start - day.start), default=None)
        if near and abs(near.start - day.start) >= 40:
            near = None
        start, end = (min(day.start, near.start), max(day.end, near.end)) if near else (day.start, day.end)
        clock = near.value if near else time(0)
        offset = near.offset if near else None
        score = 0.3 + 0.7 * hints.nearness(mentions, start, end, after=0.4)
        value = f"{day.value.isoformat()}T{clock.isoformat()}{offset or 'Z'}"
        yield Candidate(value, start, end, "date", score, offset is None or not day.sure)


def _impossible(mentions: Mentions) -> Iterator[Candidate]:
    """What is written like a date and is none: the schema refuses it and says why."""
    for span in mentions.impossible_dates:
        yield _text(span, 0.3)


def free_string(schema: Json) -> bool:
    """Whether any text may be the value: a string without format, pattern or list of values."""
    return "string" in types_of(schema) and not {"format", "pattern", "enum"} & schema.keys()


def _free_strings(schema: Json, mentions: Mentions, hints: Hints) -> Iterator[Candidate]:
    text, own = mentions.text, set(hints.name)
    if labelled := hints.labelled(mentions):
        yield _text(labelled, 1.0)
    if own & {"phone", "telephone", "mobile", "tel"}:
        yield from (_text(span, 0.9) for span in mentions.of_format("phone"))
    if own & {"email", "mail"}:
        yield from (_text(span, 0.95) for span in mentions.of_format("email"))
    if own & {"url", "link", "website", "uri"}:
        yield from (_text(span, 0.95) for span in mentions.of_format("uri"))
    if "currency" in own:
        for amount in mentions.amounts:
            if amount.currency:
                yield Candidate(amount.currency, amount.start, amount.end, "enum", 0.9)
    if "pattern" in schema:
        yield from (
            _text(span, 0.6 + 0.3 * hints.nearness(mentions, span.start, span.end)) for span in _pieces(mentions)
        )
        return
    for span in mentions.quoted:
        yield _text(span, 0.45 + 0.5 * hints.nearness(mentions, span.start, span.end))
    for words, cue in _CUES:
        if words & own:
            for match in re.finditer(rf"(?i:{cue})\s+(?:the\s+)?(?P<value>{_CAPITALISED})", text):
                yield _text(_stripped(match.start("value"), match["value"]), 0.75)
    for word in mentions.words:
        weight = hints.weights.get(stem(word.text.lower()), 0)
        follows = re.compile(
            rf"\s*(?:is|was|are|=|:|of|called|named)?\s*(?P<value>{_CAPITALISED}|[\w-]*\d[\w-]*)"
        ).match(text, word.end)
        if weight == 1 and follows:
            yield _text(_stripped(follows.start("value"), follows["value"]), 0.7)
    if own & {"name", "customer", "person", "city", "title", "product", "brand", "company", "contact"}:
        for match in re.finditer(_CAPITALISED, text):
            if match.start() and text[: match.start()].rstrip()[-1:] not in ".!?\n":
                yield _text(_stripped(match.start(), match.group()), 0.35)
    if own & _WHOLE:
        yield _text(_stripped(0, text), 0.32)


def _pieces(mentions: Mentions) -> Iterator[Span]:
    """Runs of up to four words, and each run of characters without white space: a pattern may want either."""
    for match in re.finditer(r"\S+", mentions.text):
        yield _stripped(match.start(), match.group())
        yield Span(match.start(), match.end(), match.group())
    words = mentions.words
    for width in range(1, 5):
        for place in range(len(words) - width + 1):
            start, end = words[place].start, words[place + width - 1].end
            yield Span(start, end, mentions.text[start:end])


def _text(span: Span, score: float) -> Candidate:
    return Candidate(span.text, span.start, span.end, "text", score)


def _stripped(start: int, text: str) -> Span:
    left = len(text) - len(text.lstrip(" \t\n\"'“(["))
    text = text.strip(" \t\n\"'“”()[].,;:!?")
    return Span(start + left, start + left + len(text), text)


def types_of(schema: Json) -> list[str]:
    """The types that `schema` names, as a list."""
    named = schema.get("type", [])
    return [named] if isinstance(named, str) else list(named)
