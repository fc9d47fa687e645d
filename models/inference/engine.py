"""The engine: a batch of encoded queries in, a result for each out. The only module that calls CTranslate2.

Where the prompt style allows it, a batch is one call: the first token is the verdict, the answer follows it, and a
label other than `allow` ends the generation. The policy reads the probabilities from the logits of the first step, so
it does not depend on the token that the model chose. A query that the policy lets pass although the model chose another
label is asked again, with `allow` given. CTranslate2 then keeps the logits of every step: 0.6 MB for each token that
Qwen3-0.6B writes to each query; the time for it was too short to measure.

Otherwise it is two calls: one step for the labels, then the answers to the queries that were not blocked.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import ctranslate2

from sluicegate.models.artifacts.servable import check_servable
from sluicegate.models.inference.batch_cost import INSTRUCTED_COST, LARGE_COST, SMALL_COST, BatchCost
from sluicegate.models.inference.generation import Generation, label_probabilities, probability_of
from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from sluicegate.models.inference.labels import ALLOW, LABELS, Category, Intent
from sluicegate.models.inference.policy import Policy, PolicyResult, Verdict
from sluicegate.models.inference.prompts import Answer, Frame, prompt_style_for
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.models.text.lexicon import LEXICON_FILE, Lexicon
from sluicegate.models.text.rewrite_guard import check_expansions, check_rewrite, semantic_query
from sluicegate.schemas.errors import CompiledModelError, EngineFailed
from sluicegate.schemas.events import Threshold
from sluicegate.schemas.reason_codes import AnswerCode

Device = Literal["cpu", "cuda"]

_SINGLE_THREADED_BELOW: Final = 50_000_000
"""Parameters below which one thread is faster than several: they would wait for each other more than they compute.

Measured with the embedded model on 2 cores, one query at a time: 1.9 ms with one thread, 31 ms with two.
"""


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
        replicas: int = 1,
        cost: BatchCost | None = None,
        max_query_tokens: int = 128,
        max_answer_tokens: int = 64,
    ) -> None:
        """Load the model in `folder`.

        `thresholds` override those of its manifest. `intra_threads` of 0 chooses the fastest number for the model's
        size. Up to `replicas` calls of `judge` run at once, each with its own threads. `cost` is what batches cost on
        this machine.

        Raises:
            CompiledModelError: the folder is incomplete, damaged, or made for other labels or prompts.
        """
        self.manifest = check_servable(folder)
        self.policy = Policy.layered(self.manifest.thresholds, thresholds or {}, sum_bound=self.manifest.sum_bound)
        self._tokenizer = QueryTokenizer(folder)
        self._style = prompt_style_for(self.manifest.prompt_style, self._tokenizer)
        self._allow = self._style.label_ids[LABELS.index(ALLOW)]
        self._fused = bool(self._style.stops)
        lexicon = folder / LEXICON_FILE
        self._lexicon = Lexicon.load(lexicon) if self._style.hint and lexicon.is_file() else None
        self._max_query_tokens = max_query_tokens
        self._max_answer_tokens = max_answer_tokens
        small = self.manifest.parameters < _SINGLE_THREADED_BELOW
        self.cost = cost or (SMALL_COST if small else LARGE_COST if self._fused else INSTRUCTED_COST)
        if not intra_threads and small:
            intra_threads = 1
        try:
            self._generator: Any = ctranslate2.Generator(
                str(folder),
                device=device,
                compute_type=compute_type,
                inter_threads=replicas,
                intra_threads=intra_threads,
            )
        except (RuntimeError, ValueError) as error:
            raise CompiledModelError(
                f"cannot load {folder} on {device} as {compute_type}: {error}. "
                "Compile the model again, or choose another device or type."
            ) from None

    def encode(self, text: str, locale: str | None = None) -> EncodedQuery:
        """The normalised query `text` as tokens, cut after `max_query_tokens`.

        The text of a query that is cut is cut with it: downstream gets no word that the model did not read. `locale` is
        for the speller.
        """
        encoding = self._tokenizer.encode(text)
        limit = self._max_query_tokens
        if len(encoding.tokens) > limit:
            text = text[: encoding.offsets[limit - 1][1]].strip()
            return EncodedQuery(text, self._style.filled(encoding.tokens[:limit]), truncated=True)
        hint = self._lexicon.hint(text) if self._lexicon else None
        if hint is None or self._style.hint is None:
            return EncodedQuery(text, self._style.filled(encoding.tokens))
        hinted = (*encoding.tokens, self._style.hint, *self._tokenizer.encode(hint).tokens)
        return (
            EncodedQuery(text, hinted, hint=hint)
            if len(hinted) <= limit
            else EncodedQuery(text, tuple(encoding.tokens))
        )

    def judge(self, batch: Sequence[EncodedQuery]) -> list[ModelResult]:
        """One result per query of `batch`, in order. It costs least when all have the same number of tokens.

        Raises:
            EngineFailed: the model raised, or its logits are not finite.
        """
        try:
            first = self._first_call(batch)
            probabilities = label_probabilities(first, self._style.label_ids, self.manifest.temperature)
            policy_results = [self.policy.judge(row) for row in probabilities]
            passed = [i for i, policy_result in enumerate(policy_results) if policy_result.verdict is not Verdict.BLOCK]
            answers = {i: first[i].after_verdict() for i in passed if self._fused and first[i].ids[0] == self._allow}
            unanswered = [i for i in passed if i not in answers]
            if unanswered:
                answers.update(zip(unanswered, self._answer_call([batch[i] for i in unanswered]), strict=True))
            rewrites = {i: self._rewrite_probability(answer) for i, answer in answers.items()}
        except (RuntimeError, ValueError, MemoryError) as error:
            raise EngineFailed(f"the model failed on a batch of {len(batch)}: {error}") from error
        asked_twice = set(unanswered)
        return [
            self._model_result(query, row, policy_result, answers.get(i), rewrites.get(i, 1.0), twice=i in asked_twice)
            for i, (query, row, policy_result) in enumerate(zip(batch, probabilities, policy_results, strict=True))
        ]

    def exercise(self, members: int, length: int, steps: int) -> None:
        """Do the work of a batch: `members` queries of `length` tokens, answers of `steps` tokens. For measuring."""
        filler = next(iter(self._tokenizer.encode("a").tokens))
        batch = [EncodedQuery("", (filler,) * length)] * members
        if self._fused:
            self._generate(batch, self._style.gate, min_length=1 + steps, max_length=1 + steps)
        else:
            self._generate(batch, self._style.gate, max_length=1)
            self._generate(batch, self._style.rewrite, min_length=steps, max_length=steps)

    def _first_call(self, batch: Sequence[EncodedQuery]) -> list[Generation]:
        if not self._fused:
            return self._generate(batch, self._style.gate, max_length=1, return_logits_vocab=True)
        return self._generate(
            batch,
            self._style.gate,
            max_length=1 + self._max_answer_tokens,
            end_token=[self._style.end_token, *self._style.stops],
            return_logits_vocab=True,
        )

    def _answer_call(self, batch: Sequence[EncodedQuery]) -> list[Generation]:
        return self._generate(
            batch,
            self._style.rewrite,
            max_length=self._max_answer_tokens,
            end_token=self._style.end_token,
            return_logits_vocab=self._style.least_probability > 0,
        )

    def _generate(self, batch: Sequence[EncodedQuery], frame: Frame, **options: Any) -> list[Generation]:
        results = self._generator.generate_batch(
            [[*query.tokens, *frame.suffix] for query in batch],
            static_prompt=list(frame.static) or None,
            cache_static_prompt=True,
            include_prompt_in_result=False,
            return_end_token=True,
            sampling_topk=1,
            **options,
        )
        generations = []
        for result in results:
            ids = result.sequences_ids[0]
            # The first rows are those of the query's own tokens where it is longer than the shortest of the batch.
            logits = result.logits[0][-len(ids) :] if result.logits else ()
            generations.append(Generation(ids, logits))
        return generations

    def _rewrite_probability(self, answer: Generation) -> float:
        """The probability of the rewrite in `answer`; 1 where the prompt style sets no bound for it."""
        rewrite = self._style.rewrite_of(answer.ids) if self._style.least_probability > 0 else ()
        return probability_of(rewrite, answer.logits[1 : 1 + len(rewrite)]) if rewrite else 1.0

    def _model_result(
        self,
        query: EncodedQuery,
        probabilities: dict[str, float],
        policy_result: PolicyResult,
        generation: Generation | None,
        rewrite_probability: float,
        *,
        twice: bool,
    ) -> ModelResult:
        answer_ids = generation.ids if generation else []
        answer = self._style.parse(answer_ids, query.hint) if generation else Answer(Intent.OTHER, None)
        took_hint = answer.rewrite is not None and answer.rewrite == query.hint
        least = self._style.least_hint_probability if took_hint else self._style.least_probability
        if rewrite_probability < least and not answer.codes:
            answer = Answer(answer.intent, None, codes=(AnswerCode.UNSURE,))
        check = check_rewrite(query.text, query.text if answer.rewrite is None else answer.rewrite)
        lexical = check.lexical
        # A model that misread the query does not expand it well either.
        synonyms = check_expansions(lexical, answer.synonyms if check.accepted else ())
        facets = check_expansions(lexical, answer.facets if check.accepted else ())
        frames = [self._style.gate, self._style.rewrite] if twice else [self._style.gate]
        return ModelResult(
            policy_result=policy_result,
            probabilities=probabilities,
            intent=answer.intent,
            lexical=lexical,
            semantic=semantic_query(lexical, synonyms, facets),
            synonyms=synonyms,
            facets=facets,
            codes=(*answer.codes, *check.codes),
            prompt_hash=_hash(
                [self._style.version, *(part for f in frames for part in (*f.static, *query.tokens, *f.suffix))]
            ),
            output_hash=_hash([policy_result.category or "allow", *map(str, answer_ids)]),
            input_tokens=sum(len(f.static) + len(query.tokens) + len(f.suffix) for f in frames),
            output_tokens=1 + len(answer_ids),
        )


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
