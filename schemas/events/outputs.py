"""What the gate publishes about a query that it decided: recall and ranking, or blocked."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from sluicegate.schemas.events.fields import (
    CategoryName,
    Codes,
    Context,
    Degraded,
    IntentName,
    Label,
    Output,
    Position,
    Probability,
    Reason,
    SecondModelVersion,
    Text,
    Understood,
)
from sluicegate.schemas.vocabulary import ScoreName


class Suggestion(Struct, frozen=True, kw_only=True):
    """A query that the user may have meant, for "did you mean"."""

    text: Annotated[Text, Meta(description="The whole query, corrected.")]
    probability: Annotated[Probability, Meta(description="How likely the user meant it.")]


class Expansion(Struct, frozen=True, kw_only=True):
    """A synonym or a facet of a query, with the model's belief in it."""

    kind: Annotated[Label, Meta(description="`synonym` or `facet`. Accept kinds that you do not know.")]
    text: Annotated[Label, Meta(description="The synonym, or the facet as `kind:value`.")]
    probability: Annotated[Probability, Meta(description="How likely it fits the query.")]


class Recall(Understood, frozen=True, kw_only=True):
    """An allowed query, for the services that find candidates."""

    schema: Annotated[Literal["sluicegate.recall"], Meta(description="Name of the contract.")] = "sluicegate.recall"
    schema_version: Annotated[Literal[1], Meta(description="Version of the contract.")] = 1
    suggestions: Annotated[
        list[Suggestion],
        Meta(description="Corrections that are likely but not certain, likeliest first: offered, not applied."),
    ] = field(default_factory=list)
    expansions: Annotated[
        list[Expansion],
        Meta(
            description="What `synonyms` and `facets` were chosen from, likeliest first. Empty where the model "
            "gives no probabilities."
        ),
    ] = field(default_factory=list)


class Score(Struct, frozen=True, kw_only=True):
    """One signal for a ranker, with its reason."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=200,
            description="What is measured. Accept names that you do not know.",
            examples=[word.value for word in ScoreName],
        ),
    ]
    value: Annotated[Probability, Meta(description="From 0 to 1.")]
    reason: Annotated[Label, Meta(description="Why it has this value, for people.")]


class Ranking(Output, frozen=True, kw_only=True):
    """An allowed query, for the services that order candidates."""

    schema: Annotated[Literal["sluicegate.ranking"], Meta(description="Name of the contract.")] = "sluicegate.ranking"
    schema_version: Annotated[Literal[1], Meta(description="Version of the contract.")] = 1
    intent: IntentName
    allow_probability: Annotated[
        Probability | None, Meta(description="The model's probability of `allow`. Null when the model did not answer.")
    ]
    scores: Annotated[list[Score], Meta(description="Signals for a ranker.")]
    reason_codes: Codes
    degraded: Degraded
    context: Context
    query: Annotated[Text, Meta(description="The normalised query.")] | None = None
    lexical: (
        Annotated[Text, Meta(description="The user's words, corrected, with nothing invented: for BM25.")] | None
    ) = None
    semantic: (
        Annotated[Text, Meta(description="The lexical query with synonyms and facets: for an embedding model.")] | None
    ) = None
    second_model_version: SecondModelVersion = None


class Blocked(Output, frozen=True, kw_only=True):
    """A query that goes no further. It does not repeat the user's words.

    `sluice review appeal` asks people to decide the query again. It reads the text from the raw record at `source`.
    """

    schema: Annotated[Literal["sluicegate.blocked"], Meta(description="Name of the contract.")] = "sluicegate.blocked"
    schema_version: Annotated[Literal[1], Meta(description="Version of the contract.")] = 1
    allow: Annotated[Literal[False], Meta(description="Always false.")] = False
    gate: Annotated[Literal["model", "reviewer"], Meta(description="Who blocked the query.")] = "model"
    category: Annotated[CategoryName, Meta(description="Why the query is unsafe. Accept values that you do not know.")]
    probability: Annotated[
        Probability, Meta(description="The model's probability of the category. 1 where a list blocked it.")
    ]
    reason: Reason
    reason_codes: Codes
    context: Context
    source: Annotated[Position | None, Meta(description="Where the raw record is, which has the text.")] = None
    second_model_version: SecondModelVersion = None
