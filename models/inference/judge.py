"""What a judge of queries is: the types that go in and come out, and the protocol that every engine satisfies.

`Judge` is satisfied by the engine, by the engine of a benchmark that takes no time, and by the scripted ones of tests.
Nothing here loads a model, so code that only handles results does not import CTranslate2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sluicegate.models.artifacts.manifest import Manifest
from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.models.inference.labels import Intent
from sluicegate.models.inference.policy import Policy, PolicyResult
from sluicegate.models.text.speller import Correction
from sluicegate.schemas.events import Expansion
from sluicegate.schemas.reason_codes import EncodingCode, ReasonCode


@dataclass(frozen=True)
class EncodedQuery:
    """A normalised query as the model reads it.

    `truncated`: the query had more tokens than the model may read, and `text` is what is left of it. `correction` is
    what the speller made of `text`; None where it was not asked, and where the model writes rewrites by itself. `hint`
    is the speller's correction that such a model may take; its tokens are among `tokens`.
    """

    text: str
    tokens: tuple[str, ...]
    truncated: bool = False
    correction: Correction | None = None
    hint: str | None = None

    @property
    def codes(self) -> tuple[EncodingCode, ...]:
        """Reason codes of the encoding."""
        return (EncodingCode.TRUNCATED_TOKENS,) if self.truncated else ()


@dataclass(frozen=True)
class ModelResult:
    """What the model made of one query; `lexical` and `semantic` were checked, they are never the model's raw words.

    `codes` are those of the model's answer. The codes of the encoding are not among them: queries that are cut to the
    same text share a result. `expansions` are what `synonyms` and `facets` were chosen from, where the model gives each
    a probability. The defaults are those of a query that the model was not asked about.
    """

    policy_result: PolicyResult
    lexical: str
    semantic: str
    codes: tuple[ReasonCode, ...] = ()
    probabilities: dict[str, float] = field(default_factory=dict)
    intent: Intent = Intent.OTHER
    synonyms: tuple[str, ...] = ()
    facets: tuple[str, ...] = ()
    expansions: tuple[Expansion, ...] = ()
    prompt_hash: str | None = None
    output_hash: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0


class Judge(Protocol):
    """A model ready to judge."""

    @property
    def manifest(self) -> Manifest:
        """What the model is."""

    @property
    def policy(self) -> Policy:
        """The thresholds by which it judges."""

    @property
    def cost(self) -> BatchCost:
        """What a batch costs."""

    @property
    def replicas(self) -> int:
        """How many batches it judges at once."""

    def encode(self, text: str, locale: str | None = None, *, correct: bool = True) -> EncodedQuery:
        """The normalised query `text` as the model reads it. Fast enough for an event loop.

        `locale` is the user's, as `en-GB`: it decides in which language the query is corrected. Unless `correct`, it is
        not corrected: for a text that is only judged.
        """

    def is_name(self, word: str) -> bool:
        """Whether a list of the model's has `word`, in lower case, as a word or a name of any language.

        True where the model needs no list to read words that are run together.
        """

    def judge(self, batch: Sequence[EncodedQuery]) -> list[ModelResult]:
        """One result per query of `batch`, in order. Blocks: call it in a thread.

        Raises:
            EngineFailed: the model could not judge the batch.
        """
