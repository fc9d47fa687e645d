"""Queries that a reviewer must decide, and the reviewer's decisions."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from sluicegate.schemas.events.fields import (
    CategoryName,
    Label,
    Output,
    Position,
    Probabilities,
    Reason,
    Sha256,
    Text,
    Threshold,
    Understood,
)

Rationale = Annotated[str, Meta(max_length=4096, description="Why, for people.")]


class Appeal(Struct, frozen=True, kw_only=True):
    """Somebody asks people to decide a blocked query again."""

    blocked: Annotated[Position, Meta(description="Where the blocked event is that is appealed against.")]
    gate: Annotated[Literal["model", "reviewer"], Meta(description="Who blocked the query.")]
    appellant: Annotated[Label, Meta(description="Who appeals: a person or a service.")]
    rationale: Rationale


class Review(Understood, frozen=True, kw_only=True):
    """A query that a reviewer must decide, with everything that search needs if it is allowed."""

    schema: Annotated[Literal["sluicegate.review"], Meta(description="Name of the contract.")] = "sluicegate.review"
    schema_version: Annotated[Literal[1], Meta(description="Version of the contract.")] = 1
    category: Annotated[
        CategoryName | None,
        Meta(description="Why the query may be unsafe. Null when the model did not answer."),
    ]
    probabilities: Probabilities
    reason: Reason
    thresholds: Annotated[
        dict[str, Threshold],
        Meta(description="Thresholds of each category when the gate decided. Empty in older events."),
    ] = field(default_factory=dict)
    appeal: Annotated[
        Appeal | None,
        Meta(
            description="For a query that was blocked and is appealed for: people decide, no model alone. The event "
            "has the id of the blocked one, and the query as it was normalised again, without a rewrite."
        ),
    ] = None
    source: Annotated[Position | None, Meta(description="Where the raw record is. Null in older events.")] = None


class Reviewed(Output, frozen=True, kw_only=True):
    """A reviewer's decision: about a review event, or about an appeal against a blocked event.

    Exactly one of `review` and `blocked` says what was decided. A review event is included whole, so that an allowed
    query can be processed without a join. A blocked event is only referred to: nothing repeats a query that stays
    blocked.
    """

    schema: Annotated[Literal["sluicegate.reviewed"], Meta(description="Name of the contract.")] = "sluicegate.reviewed"
    schema_version: Annotated[Literal[1], Meta(description="Version of the contract.")] = 1
    allow: Annotated[bool, Meta(description="True: the query is allowed. False: it is blocked.")]
    category: Annotated[CategoryName | None, Meta(description="Why the query is unsafe, if it is.")] = None
    reviewer: Annotated[
        Label,
        Meta(
            description="Who decided: a person, a team or a model. The review agent writes the kind and the name, as "
            "in `api:gpt-5-mini`, `model:VERSION` or `people:anna`; `policy:gate` and `policy:block` where no reviewer "
            "answered."
        ),
    ]
    rationale: Rationale | None = None
    review: Annotated[Review | None, Meta(description="The review event that is decided.")] = None
    blocked: Annotated[
        Position | None,
        Meta(description="For an appeal: where the blocked event is. Its `source` leads to the raw record."),
    ] = None
    query: Annotated[Text, Meta(description="For an appeal that is allowed: the normalised query.")] | None = None
    fallback: Annotated[
        Label | None,
        Meta(
            description="Set if no reviewer answered in time: what SLUICE_REVIEW_FALLBACK said. `gate`: the gate's own "
            "probabilities decided. `block`: it was blocked. `hold`: it was held, and then blocked. Accept values that "
            "you do not know."
        ),
    ] = None
    reviewer_prompt_version: Annotated[
        Label | None, Meta(description="Version of the prompt that the reviewer was asked with, where it has one.")
    ] = None
    reviewer_prompt_hash: Annotated[Sha256 | None, Meta(description="SHA-256 of that prompt, without the query.")] = (
        None
    )

    def __post_init__(self) -> None:
        if (self.review is None) == (self.blocked is None):
            raise ValueError("exactly one of `review` and `blocked` must be given")
