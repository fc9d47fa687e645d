"""Every reason code that an event can carry, with its meaning.

Code that emits a reason uses these members and families, and the fields that carry reasons have the type `ReasonCode`.
So the type checker refuses a code that is not listed here, and docs/reference.md is complete.

Consumers must accept codes that they do not know: a new version may add some.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NewType, TypeAlias

from sluicegate.schemas.vocabulary import Category, Word


class RecordCode(Word):
    """What was wrong with the record around the query."""

    REPLAY_UNPROVEN = (
        "replay_unproven",
        "The record claims to be a replay without a valid signature; it did not get the id of the original.",
    )


class NormaliseCode(Word):
    """Why the text of the query was changed before the model read it, in the order in which codes are reported."""

    ENCODING_REPAIRED = (
        "encoding_repaired",
        "A wrong encoding was repaired, or undecodable characters were removed.",
    )
    WHITESPACE_FOLDED = "whitespace_folded", "Runs of whitespace became one space."
    MARKUP_REMOVED = "markup_removed", "HTML elements and entities were removed or resolved."
    PERCENT_DECODED = "percent_decoded", "Percent-encoded words were decoded."
    UNICODE_NORMALISED = (
        "unicode_normalised",
        "Characters were replaced by their normal form (NFKC); fractions, powers and apostrophes by plain ones.",
    )
    BIDI_REMOVED = "bidi_removed", "Characters that reorder text were removed."
    HIDDEN_TEXT_REMOVED = "hidden_text_removed", "Text that was spelt out in invisible characters was removed."
    ZERO_WIDTH_REMOVED = "zero_width_removed", "Invisible characters were removed."
    CONTROLS_REMOVED = "controls_removed", "Control characters and unassigned characters were removed."
    COMBINING_CAPPED = "combining_capped", "Accents stacked on one letter were limited."
    CONTROL_TOKENS_NEUTRALISED = (
        "control_tokens_neutralised",
        "Control tokens of language models were made plain text.",
    )
    NESTING_FLATTENED = "nesting_flattened", "Text that changed in every round of cleaning was reduced to its words."
    TRUNCATED_CHARS = "truncated_chars", "The query was longer than SLUICE_MAX_QUERY_CHARS; the rest was cut off."
    EMPTY = "empty", "Nothing was left of the text."


class DisguiseCode(Word):
    """What the gate found when it undid disguises. The published text keeps what the user typed."""

    DISGUISED = (
        "disguised",
        "Words were hidden by look-alike or styled letters, signs, digits for letters, or an encoding.",
    )
    MIXED_SCRIPT = "mixed_script", "A word mixes letters of several scripts that look alike."


class EncodingCode(Word):
    """What happened while the query was turned into the model's tokens."""

    TRUNCATED_TOKENS = (
        "truncated_tokens",
        "The query was longer than SLUICE_MAX_QUERY_TOKENS; the rest was cut off.",
    )


class PolicyCode(Word):
    """How the verdict was reached."""

    BELOW_EVERY_THRESHOLD = "below_every_threshold", "Allowed: no category reached its threshold."
    BLOCK_SUM = (
        "block_threshold:sum",
        "Blocked: no category reached its own block threshold, but those that may block did so together.",
    )
    REVIEW_SUM = (
        "review_threshold:sum",
        "Sent to review: no category reached its threshold, but the sum of all reached the model's bound.",
    )
    BLOCK_UNCONFIRMED = (
        "block_unconfirmed",
        "Sent to review: the first model blocked the query, and the second model, which had to agree, did not.",
    )
    FAIL_CLOSED = "fail_closed", "The model gave no answer in time; the query went to review."
    FAIL_OPEN = "fail_open", "The model gave no answer in time; the query was allowed (SLUICE_FAIL=open)."


class AnswerCode(Word):
    """Why the model's rewrite, or a part of its answer, was not used."""

    UNREADABLE = "answer_unreadable", "The answer was not in the expected format."
    CUT = "answer_cut", "The answer ended too early; its last part was left out."


class RewriteCode(Word):
    """What happened to the rewrite. All but the first mean that the query was kept instead."""

    REWRITTEN = "rewritten", "The lexical query is the model's rewrite."
    EMPTY = "rewrite_empty", "The rewrite was empty."
    TOO_LONG = "rewrite_too_long", "The rewrite was too long."
    CONTROL = "rewrite_control", "The rewrite contained markup, control characters or control tokens."
    SCRIPT = "rewrite_script", "The rewrite used a script that the query does not use."
    NEGATION = "rewrite_negation", "The rewrite changed what the query excludes."
    OPERATOR = "rewrite_operator", "The rewrite changed a phrase, a filter or another search operator."
    NUMBER = "rewrite_number", "The rewrite changed a number."
    INVENTED = "rewrite_invented", "The rewrite contained a word that the query does not explain."
    DROPPED = "rewrite_dropped", "The rewrite lost a word of the query."
    UNSAFE = "rewrite_unsafe", "The model judged the rewrite more strictly than the query; that verdict counts."
    UNJUDGED = "rewrite_unjudged", "The model had no time to judge its rewrite."


class ReviewCode(Word):
    """What a review decided."""

    ALLOWED = "reviewer_allowed", "A reviewer allowed the query."
    DENIED = "reviewer_denied", "A reviewer denied the query."
    FELL_BACK_TO_GATE = (
        "review_fallback:gate",
        "No reviewer answered in time; the gate's own probabilities decided (SLUICE_REVIEW_FALLBACK=gate).",
    )
    FELL_BACK_TO_BLOCK = (
        "review_fallback:block",
        "No reviewer answered in time; the query was blocked (SLUICE_REVIEW_FALLBACK=block).",
    )
    HELD_TOO_LONG = (
        "review_fallback:hold",
        "No reviewer answered for as long as the query was held; it was blocked (SLUICE_REVIEW_FALLBACK=hold).",
    )


ParametrisedCode = NewType("ParametrisedCode", str)
"""A code of a `CodeFamily`; only `CodeFamily.code` makes one."""


@dataclass(frozen=True)
class CodeFamily:
    """Codes of the form ``prefix:parameter``."""

    prefix: str
    parameter: str
    """What the parameter is, for people."""
    meaning: str
    """Of every code of the family."""
    meanings: Mapping[str, str]
    """What the code of each of these parameters means: of some parameters, or of all."""

    def code(self, parameter: str) -> ParametrisedCode:
        """The code for one parameter."""
        return ParametrisedCode(f"{self.prefix}:{parameter}")


BLOCK_THRESHOLD: Final = CodeFamily(
    "block_threshold",
    "CATEGORY",
    "Blocked: the probability of the category reached its `block` threshold.",
    {category: f"Blocked: the probability of {category} reached its `block` threshold." for category in Category},
)
REVIEW_THRESHOLD: Final = CodeFamily(
    "review_threshold",
    "CATEGORY",
    "Sent to review: the probability of the category reached its `allow` threshold.",
    {
        category: f"Sent to review: the probability of {category} reached its `allow` threshold."
        for category in Category
    },
)
_OF_A_LIST: Final = "A list of the policy file matched: its terms block the query, send it to review, or do not count."
LIST: Final = CodeFamily(
    "list",
    "NAME",
    _OF_A_LIST,
    {"slurs": _OF_A_LIST},
)
DEGRADED: Final = CodeFamily(
    "degraded",
    "ERROR",
    "The policy decided because the model did not: it was too late, too busy, or it failed.",
    {
        "DeadlineExceeded": "The policy decided, because the model did not answer in time.",
        "Overloaded": "The policy decided, because too many queries waited for the model.",
        "EngineFailed": "The policy decided, because the model failed.",
    },
)
DROPPED: Final = CodeFamily(
    "dropped",
    "FIELD",
    "An optional field of the raw query broke its contract and was ignored.",
    {
        field: f"The optional field {field} of the raw query broke its contract and was ignored."
        for field in ("event_id", "user_id", "session_id", "locale", "surface", "event_time", "deadline_ms")
    },
)

READING: Final = CodeFamily(
    "reading",
    "NAME",
    "The verdict is not that of the query as it was typed but that of another reading, which was judged more strictly: "
    "its skeleton (disguise undone), a window of a long text, its correction, or the model's rewrite.",
    {
        "skeleton": "The verdict is that of the query with its disguise undone, which was judged more strictly.",
        "window": "The verdict is that of a part of the long query, which was judged more strictly.",
        "correction": "The verdict is that of the corrected query, which was judged more strictly.",
        "rewrite": "The verdict is that of the model's rewrite, which was judged more strictly.",
    },
)

SECOND: Final = CodeFamily(
    "second",
    "ANSWER",
    "The second model was asked too. It said allow, review or block, within its own thresholds; or it had no time "
    "(`overloaded`) or could not answer (`failed`), and the verdict of the first model stands.",
    {
        "allow": "The second model was asked too: by its own thresholds it allows the query.",
        "review": "The second model was asked too: by its own thresholds it sends the query to review.",
        "block": "The second model was asked too: by its own thresholds it blocks the query.",
        "overloaded": "The second model had no time, or too many events waited for it: the first one's verdict stands.",
        "failed": "The second model failed, or was not asked because it kept failing: the first one's verdict stands.",
    },
)

ReasonCode: TypeAlias = (
    RecordCode
    | NormaliseCode
    | DisguiseCode
    | EncodingCode
    | PolicyCode
    | AnswerCode
    | RewriteCode
    | ReviewCode
    | ParametrisedCode
)

FAMILIES: Final = (DROPPED, BLOCK_THRESHOLD, REVIEW_THRESHOLD, READING, SECOND, LIST, DEGRADED)
VOCABULARIES: Final[tuple[type[Word], ...]] = (
    RecordCode,
    NormaliseCode,
    DisguiseCode,
    EncodingCode,
    PolicyCode,
    AnswerCode,
    RewriteCode,
    ReviewCode,
)

KNOWN_CODES: Final[tuple[str, ...]] = (
    *(word.value for vocabulary in VOCABULARIES for word in vocabulary),
    *(family.code(parameter) for family in FAMILIES for parameter in family.meanings),
)
"""Every code of this version, as examples for the schemas."""


def meaning_of(code: str) -> str | None:
    """What `code` means, in one sentence; None for a code of another version."""
    for vocabulary in VOCABULARIES:
        for word in vocabulary:
            if word == code:
                return word.meaning
    prefix, colon, parameter = code.partition(":")
    family = next((each for each in FAMILIES if colon and each.prefix == prefix), None)
    return family.meanings.get(parameter, family.meaning) if family else None
