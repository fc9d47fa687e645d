"""What reads queries for the engine: an encoder (the embedded model) or a generator (Qwen3). Their common face.

A reader turns text into tokens, and a batch of tokens into a `Reply` for each query. It knows no policy: the engine
tells it which probabilities block a query, so that no answer is written for one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.models.inference.judge import EncodedQuery
from sluicegate.models.inference.labels import Intent
from sluicegate.schemas.events import Expansion
from sluicegate.schemas.reason_codes import AnswerCode

IsBlocked = Callable[[Mapping[str, float]], bool]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a model made of one query, not yet checked. `rewrite` is None for "keep the query".

    `probabilities` are those of `models.inference.labels.LABELS`. `expansions` have a probability each; `synonyms` and
    `facets` are those of a model that gives none. `read` and `written` are what the hashes in the ledger cover.
    """

    probabilities: dict[str, float]
    intent: Intent = Intent.OTHER
    rewrite: str | None = None
    synonyms: tuple[str, ...] = ()
    facets: tuple[str, ...] = ()
    expansions: tuple[Expansion, ...] = ()
    codes: tuple[AnswerCode, ...] = ()
    read: tuple[str, ...]
    written: tuple[str, ...] = ()
    output_tokens: int = 0


class Reader(Protocol):
    """A loaded model."""

    @property
    def cost(self) -> BatchCost:
        """What a batch costs where nobody measured it."""

    def encode(self, text: str, locale: str | None, *, correct: bool) -> EncodedQuery:
        """The normalised `text` as the model reads it, with a correction of it if `correct`."""

    def is_name(self, word: str) -> bool:
        """Whether a list has `word` as a word or a name; True without a list."""

    def read(self, batch: Sequence[EncodedQuery], is_blocked: IsBlocked) -> list[Reply]:
        """A reply per query of `batch`, in order. Raises what CTranslate2 and numpy raise, or EngineFailed."""

    def exercise(self, members: int, length: int, steps: int) -> None:
        """Do the work of a batch: `members` queries of `length` tokens, answers of `steps` tokens. For measuring."""

    def exercise_drafts(self, members: int, length: int) -> None:
        """Verify drafts for a batch. Only for readers whose `cost` has a price of drafts. For measuring."""
