"""Every event that crosses a topic, as a frozen struct. The JSON Schema and AsyncAPI files are made from here.

How contracts evolve: a version only ever gains optional fields, and readers ignore fields that they do not know.
Anything else (a field removed, renamed, made required, given another meaning) is a new `schema_version` on a topic with
a new suffix. Both are published until the readers of the old one have moved.

Times are RFC 3339 in UTC. Probabilities are in [0, 1]. Latencies are in milliseconds.
"""

from sluicegate.schemas.events.actions import (
    FollowedSchema,
    FormattedAction,
    FormattingTrace,
    Grounding,
    RawAction,
)
from sluicegate.schemas.events.deadletter import DeadLetter, RecordHeader
from sluicegate.schemas.events.fields import (
    Context,
    EventId,
    Label,
    Output,
    Position,
    Sha256,
    Threshold,
    Timestamp,
    Tokens,
    Understood,
)
from sluicegate.schemas.events.ledger import (
    AskedReviewer,
    DecisionTrace,
    LedgerRecord,
    OutcomeName,
    ReadingTrace,
    ReviewTrace,
    SecondTrace,
    StageLatencies,
)
from sluicegate.schemas.events.outputs import Blocked, Expansion, Ranking, Recall, Score, Suggestion
from sluicegate.schemas.events.raw import RawQuery
from sluicegate.schemas.events.review import Appeal, Review, Reviewed

OutputEvent = Recall | Ranking | Blocked | Review | Reviewed | DeadLetter | LedgerRecord | FormattedAction

__all__ = [
    "Appeal",
    "AskedReviewer",
    "Blocked",
    "Context",
    "DeadLetter",
    "DecisionTrace",
    "EventId",
    "Expansion",
    "FollowedSchema",
    "FormattedAction",
    "FormattingTrace",
    "Grounding",
    "Label",
    "LedgerRecord",
    "OutcomeName",
    "Output",
    "OutputEvent",
    "Position",
    "Ranking",
    "RawAction",
    "RawQuery",
    "ReadingTrace",
    "Recall",
    "RecordHeader",
    "Review",
    "ReviewTrace",
    "Reviewed",
    "Score",
    "SecondTrace",
    "Sha256",
    "StageLatencies",
    "Suggestion",
    "Threshold",
    "Timestamp",
    "Tokens",
    "Understood",
]
