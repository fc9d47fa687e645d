"""The engine: a batch of encoded queries in, a result for each out.

It loads the reader that the model's prompt style needs, an encoder or a generator, applies the policy to the
probabilities that it gives, and checks what it writes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from sluicegate.models.artifacts.manifest import Manifest
from sluicegate.models.artifacts.servable import check_servable
from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.models.inference.device import Device, Placement
from sluicegate.models.inference.encoder_reader import EncoderReader
from sluicegate.models.inference.expansions import USED_FROM
from sluicegate.models.inference.generator_reader import GeneratorReader
from sluicegate.models.inference.guard_reader import GuardReader
from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.policy import Policy, Verdict
from sluicegate.models.inference.probabilities import of_text
from sluicegate.models.inference.reader import Reader, Reply
from sluicegate.models.text.rewrite_guard import check_expansions, check_rewrite, semantic_query
from sluicegate.schemas.errors import EngineFailed
from sluicegate.schemas.events import Threshold


class Engine:
    """A compiled model on a device, ready to judge. `judge` blocks and releases the GIL: call it off the event loop."""

    def __init__(
        self,
        folder: Path,
        *,
        thresholds: Mapping[Category, Threshold] | None = None,
        device: Device = "cpu",
        compute_type: str = "default",
        intra_threads: int = 0,
        replicas: int = 0,
        cost: BatchCost | None = None,
        max_query_tokens: int = 128,
        max_answer_tokens: int = 64,
    ) -> None:
        """Load the model in `folder`.

        `thresholds` override those of its manifest. Up to `replicas` calls of `judge` run at once, each with
        `intra_threads` threads; 0 chooses by the model's size and the number of cores. `cost` is what batches cost on
        this machine. With `max_answer_tokens` of 0 the model only judges: it names no intent and writes no rewrite.

        Raises:
            CompiledModelError: the folder is incomplete, damaged, or made for other labels or prompts.
        """
        self.manifest: Manifest = check_servable(folder)
        self.policy = Policy.layered(self.manifest.thresholds, thresholds or {}, sum_bound=self.manifest.sum_bound)
        self._only_judges = not max_answer_tokens
        placement = Placement.chosen(device, compute_type, intra_threads, replicas, self.manifest.parameters)
        self.replicas = placement.replicas
        self._reader = _reader(folder, self.manifest, placement, max_query_tokens, max_answer_tokens, cost)
        self.cost = cost or self._reader.cost

    def encode(self, text: str, locale: str | None = None, *, correct: bool = True) -> EncodedQuery:
        """The normalised query `text` as tokens, cut after `max_query_tokens`.

        The text of a query that is cut is cut with it: downstream gets no word that the model did not read. `locale` is
        for the speller, which reads the query only if `correct`.
        """
        return self._reader.encode(text, locale, correct=correct)

    def is_name(self, word: str) -> bool:
        """Whether a list of the model's has `word`, in lower case, as a word or a name; True where it has no list."""
        return self._reader.is_name(word)

    def judge(self, batch: Sequence[EncodedQuery]) -> list[ModelResult]:
        """One result per query of `batch`, in order.

        A generator costs least when all have the same number of tokens. An encoder pads the shorter ones.

        Raises:
            EngineFailed: the model raised, or its logits are not finite.
        """
        try:
            replies = self._reader.read(batch, self._is_blocked)
        except (RuntimeError, ValueError, MemoryError) as error:
            raise EngineFailed(f"the model failed on a batch of {len(batch)}: {error}") from error
        return [self._model_result(query, reply) for query, reply in zip(batch, replies, strict=True)]

    def exercise(self, members: int, length: int, steps: int) -> None:
        """Do the work of a batch: `members` queries of `length` tokens, answers of `steps` tokens. For measuring."""
        self._reader.exercise(members, length, steps)

    def exercise_drafts(self, members: int, length: int) -> None:
        """Verify drafts for a batch. Only where `cost` has a price of drafts. For measuring."""
        self._reader.exercise_drafts(members, length)

    def _is_blocked(self, probabilities: Mapping[str, float]) -> bool:
        return self._only_judges or self.policy.judge(probabilities).verdict is Verdict.BLOCK

    def _model_result(self, query: EncodedQuery, reply: Reply) -> ModelResult:
        probabilities = of_text(query.text, reply.probabilities)
        policy_result = self.policy.judge(probabilities)
        check = check_rewrite(query.text, query.text if reply.rewrite is None else reply.rewrite)
        used = [expansion for expansion in reply.expansions if expansion.probability >= USED_FROM]
        synonyms = (*reply.synonyms, *(expansion.text for expansion in used if expansion.kind == "synonym"))
        facets = (*reply.facets, *(expansion.text for expansion in used if expansion.kind == "facet"))
        # A model that misread the query does not expand it well either.
        kept_synonyms = check_expansions(check.lexical, synonyms if check.accepted else ())
        kept_facets = check_expansions(check.lexical, facets if check.accepted else ())
        return ModelResult(
            policy_result=policy_result,
            probabilities=probabilities,
            intent=reply.intent,
            lexical=check.lexical,
            semantic=semantic_query(check.lexical, kept_synonyms, kept_facets),
            synonyms=kept_synonyms,
            facets=kept_facets,
            expansions=reply.expansions if check.accepted else (),
            codes=(*reply.codes, *check.codes),
            prompt_hash=_hash(reply.read),
            output_hash=_hash((policy_result.category or "allow", *reply.written)),
            input_tokens=len(reply.read) - 1,
            output_tokens=reply.output_tokens,
        )


def _reader(
    folder: Path,
    manifest: Manifest,
    placement: Placement,
    max_query_tokens: int,
    max_answer_tokens: int,
    cost: BatchCost | None,
) -> Reader:
    match manifest.prompt_style:
        case "embedded":
            return EncoderReader(folder, manifest.prompt_version, manifest.temperature, placement, max_query_tokens)
        case "qwen3guard":
            return GuardReader(folder, manifest, placement, max_query_tokens)
        case _:
            return GeneratorReader(folder, manifest, placement, max_query_tokens, max_answer_tokens, cost)


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
