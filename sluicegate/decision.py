"""What the Python API says about one query, with the field names of the events."""

from typing import Literal

from msgspec import Struct

from sluicegate.schemas.events import Expansion, SecondTrace, Suggestion, Threshold, Tokens


class Stages(Struct, frozen=True, kw_only=True):
    """Milliseconds of each stage. `queue` and `model` are None unless the model was asked about this very query."""

    normalise: float
    """Cleaning and tokenising the query."""
    queue: float | None
    """Waiting for the model."""
    model: float | None
    """The model's call."""


class GateReading(Struct, frozen=True, kw_only=True):
    """What one reading of the query was judged to be."""

    name: str
    """`query`: as it was typed. `skeleton`: with disguise undone. `window`: a part of a long query. `correction` and
    `rewrite`: what would be published."""
    text: str
    verdict: Literal["allow", "block", "review"]
    reason: str


class GateDecision(Struct, frozen=True, kw_only=True):
    """The decision about one query. Immutable; `msgspec.structs.asdict` makes a dictionary of it.

    The fields have the names and meanings that they have in the events `recall`, `review` and `blocked`. A blocked
    query has no `lexical`, `semantic` and `intent`: nothing may search for it.
    """

    event_id: str | None = None
    """Of the decision, in its audit record and its span."""
    verdict: Literal["allow", "block", "review"]
    allow: bool
    """True for the verdict `allow` only."""
    category: str | None
    """Why the query may be unsafe, as in `self_harm`; None when it is allowed, or when no single category decided."""
    probability: float
    """Of `category`; of `allow` for an allowed query; of several categories for a reason that ends in `:sum`. 1 where
    a list decided."""
    reason: str
    """The rule that decided, as in `block_threshold:illicit`."""
    reason_codes: tuple[str, ...]
    """Everything that happened to the query, in order: cleaning, the rule that decided, the rewrite."""
    probabilities: dict[str, float]
    """Of `allow` and of every category; they add up to 1. Empty when `degraded`."""
    thresholds: dict[str, Threshold]
    """Of every category: reviewed from `allow` on, blocked from `block` on, never blocked where that is above 1."""
    readings: tuple[GateReading, ...]
    """Every text of the query that the model judged; the strictest verdict counts, then the lists of the policy."""
    query: str
    """The query as the model read it: one clean line."""
    lexical: str | None
    """The user's terms, corrected, nothing invented: for BM25."""
    semantic: str | None
    """Corrected and expanded: for an embedding model."""
    intent: str | None
    synonyms: tuple[str, ...]
    facets: tuple[str, ...]
    expansions: tuple[Expansion, ...]
    """What `synonyms` and `facets` were chosen from, each with its probability, likeliest first."""
    suggestions: tuple[Suggestion, ...]
    """Corrections that are likely but not certain, likeliest first, for "did you mean". Empty unless allowed."""
    degraded: bool
    """True when the model failed, and `SLUICE_FAIL` decided."""
    answered_by: Literal["model", "cache", "in_flight", "policy"]
    """`cache` and `in_flight`: the model was asked about an equal query. `policy`: the query is `degraded`."""
    model_version: str
    prompt_version: str
    policy_version: str
    """The name and hash of the policy file, or of the model's own thresholds."""
    latency_ms: float
    """From the call to the model's answer."""
    stages_ms: Stages
    tokens: Tokens
    """Read and written by the model for this very query."""
    second: SecondTrace | None = None
    """What the second model said (`SLUICE_SECOND_MODEL`); None where it was not asked. Where it decided, `category`,
    `probability` and `reason` are its own; the other fields are always those of the first model."""
