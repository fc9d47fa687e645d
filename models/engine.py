"""The engine: a batch of encoded queries in, a judgement for each out. The only room that calls CTranslate2.

A batch is two calls. The first prefills every query and reads the label logits of one step. The second continues those
that were not blocked with the rewrite. CTranslate2 prefills a batch only up to its shortest prompt in one pass, so all
queries of a batch must have the same number of tokens: the micro-batcher sees to that.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from models.labels import LABELS, LABELS_VERSION, Category, Intent
from models.manifest import read_manifest, verify_weights
from models.policy import Policy, Ruling, Verdict
from models.prompts import PROMPT_VERSIONS, UNSURE, Answer, Frame, profile_for
from models.rewrite import check_expansions, check_rewrite, semantic_query
from models.tokenizer import QueryTokenizer
from schemas.errors import CompiledModelError, EngineFailed
from schemas.events import Threshold

Device = Literal["cpu", "cuda"]

_SINGLE_THREADED_BELOW: Final = 50_000_000
"""Parameters below which one thread is faster than several: they would wait for each other more than they compute.

Measured with the embedded model on 2 cores, one query at a time: 1.9 ms with one thread, 31 ms with two.
"""

_ANSWER_ROOM: Final = 24
"""Tokens that an answer may have beyond twice the query's: intent, expansions, end."""


@dataclass(frozen=True)
class EncodedQuery:
    """A normalised query as the model reads it; `text` is what `tokens` stand for. `truncated`: it was longer."""

    text: str
    tokens: tuple[str, ...]
    truncated: bool

    @property
    def codes(self) -> tuple[str, ...]:
        """Reason codes of reading it."""
        return ("truncated_tokens",) if self.truncated else ()


@dataclass(frozen=True)
class Judgement:
    """What the model made of one query; `lexical` and `semantic` are checked, never the model's raw words."""

    ruling: Ruling
    probabilities: dict[str, float]
    intent: Intent
    lexical: str
    semantic: str
    synonyms: tuple[str, ...]
    facets: tuple[str, ...]
    codes: tuple[str, ...]
    prompt_hash: str | None
    output_hash: str | None
    input_tokens: int
    output_tokens: int


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
        max_query_tokens: int = 128,
        max_answer_tokens: int = 64,
    ) -> None:
        """Load the model in `folder`; `thresholds` override those of its manifest; no `intra_threads` means its best.

        Raises:
            CompiledModelError: the folder is incomplete, damaged, or made for other labels or prompts.
        """
        self.manifest = read_manifest(folder)
        verify_weights(folder, self.manifest)
        profile = self.manifest.profile
        if self.manifest.labels_version != LABELS_VERSION or self.manifest.prompt_version != PROMPT_VERSIONS[profile]:
            raise CompiledModelError(
                f"{folder} was compiled for labels {self.manifest.labels_version} and prompt "
                f"{self.manifest.prompt_version}; this version speaks {LABELS_VERSION} and {PROMPT_VERSIONS[profile]}. "
                "Compile the model again."
            )
        self.policy = Policy.layered(self.manifest.thresholds, thresholds or {})
        self._tokenizer = QueryTokenizer(folder)
        self._profile = profile_for(profile, self._tokenizer)
        self._max_query_tokens = max_query_tokens
        self._max_answer_tokens = max_answer_tokens
        if not intra_threads and self.manifest.parameters < _SINGLE_THREADED_BELOW:
            intra_threads = 1
        try:
            self._generator: Any = ctranslate2.Generator(
                str(folder), device=device, compute_type=compute_type, intra_threads=intra_threads
            )
        except (RuntimeError, ValueError) as error:
            raise CompiledModelError(
                f"cannot load {folder} on {device} as {compute_type}: {error}. "
                "Compile the model again, or choose another device or type."
            ) from None

    def encode(self, text: str) -> EncodedQuery:
        """The normalised query `text` as tokens, cut after `max_query_tokens` of them: nothing goes on unjudged."""
        encoding = self._tokenizer.encode(text)
        limit = self._max_query_tokens
        if len(encoding.tokens) <= limit:
            return EncodedQuery(text, tuple(encoding.tokens), truncated=False)
        return EncodedQuery(
            text[: encoding.offsets[limit - 1][1]].strip(), tuple(encoding.tokens[:limit]), truncated=True
        )

    def judge(self, batch: Sequence[EncodedQuery]) -> list[Judgement]:
        """One judgement per query of `batch`, in order; all must have the same number of tokens.

        Raises:
            EngineFailed: the model raised, or its logits are not finite.
            ValueError: the queries differ in length.
        """
        if len({len(query.tokens) for query in batch}) > 1:
            raise ValueError("the queries of a batch must have the same number of tokens")
        try:
            probabilities = self._gate(batch)
            rulings = [self.policy.judge(row) for row in probabilities]
            passed = [i for i, ruling in enumerate(rulings) if ruling.verdict is not Verdict.BLOCK]
            answers = dict(zip(passed, self._answer([batch[i] for i in passed]), strict=True))
        except (RuntimeError, ValueError, MemoryError) as error:
            raise EngineFailed(f"the model failed on a batch of {len(batch)}: {error}") from error
        return [
            self._judgement(query, row, ruling, answers.get(i))
            for i, (query, row, ruling) in enumerate(zip(batch, probabilities, rulings, strict=True))
        ]

    def _gate(self, batch: Sequence[EncodedQuery]) -> list[dict[str, float]]:
        results = self._generate(batch, self._profile.gate, max_length=1, return_logits_vocab=True)
        logits = np.stack([np.asarray(result.logits[0], np.float32).reshape(-1) for result in results])
        labels = logits[:, self._profile.label_ids] / self.manifest.temperature
        if not np.isfinite(labels).all():
            raise EngineFailed(f"the model's logits are not finite for a batch of {len(batch)}")
        return [dict(zip(LABELS, row, strict=True)) for row in _softmax(labels).tolist()]

    def _answer(self, batch: Sequence[EncodedQuery]) -> list[tuple[list[int], float]]:
        """For each query the ids of its answer, and the probability of its rewrite, or 1 where nobody asks for it."""
        if not batch:
            return []
        weighed = self._profile.least_probability > 0
        results = self._generate(
            batch,
            self._profile.rewrite,
            max_length=min(self._max_answer_tokens, 2 * len(batch[0].tokens) + _ANSWER_ROOM),
            end_token=self._profile.end_token,
            return_end_token=True,
            return_logits_vocab=weighed,
        )
        return [
            (result.sequences_ids[0], self._probability(result.sequences_ids[0], result.logits[0]) if weighed else 1.0)
            for result in results
        ]

    def _probability(self, ids: list[int], logits: Sequence[Any]) -> float:
        """Of the rewrite in the answer `ids`; `logits` has a row of the vocabulary's size for each of them."""
        rewrite = self._profile.rewrite_of(ids)
        if not rewrite:
            return 1.0
        steps = np.stack([np.asarray(row, np.float32).reshape(-1) for row in logits[1 : 1 + len(rewrite)]])
        highest = steps.max(axis=1)
        chosen = steps[np.arange(len(rewrite)), list(rewrite)]
        return float(np.exp((chosen - highest - np.log(np.exp(steps - highest[:, None]).sum(axis=1))).sum()))

    def _generate(self, batch: Sequence[EncodedQuery], frame: Frame, **options: Any) -> Any:
        return self._generator.generate_batch(
            [[*query.tokens, *frame.suffix] for query in batch],
            static_prompt=list(frame.static) or None,
            cache_static_prompt=True,
            include_prompt_in_result=False,
            sampling_topk=1,
            **options,
        )

    def _judgement(
        self,
        query: EncodedQuery,
        probabilities: dict[str, float],
        ruling: Ruling,
        answered: tuple[list[int], float] | None,
    ) -> Judgement:
        answer_ids, probability = answered or ([], 1.0)
        answer = self._profile.parse(answer_ids) if answered else Answer(Intent.OTHER, None)
        if probability < self._profile.least_probability and not answer.codes:
            answer = Answer(answer.intent, None, codes=(UNSURE,))
        check = check_rewrite(query.text, query.text if answer.rewrite is None else answer.rewrite)
        lexical = check.lexical
        # An answer that misread the query expands it no better.
        synonyms = check_expansions(lexical, answer.synonyms if check.accepted else ())
        facets = check_expansions(lexical, answer.facets if check.accepted else ())
        frames = [self._profile.gate, self._profile.rewrite] if answered else [self._profile.gate]
        return Judgement(
            ruling=ruling,
            probabilities=probabilities,
            intent=answer.intent,
            lexical=lexical,
            semantic=semantic_query(lexical, synonyms, facets),
            synonyms=synonyms,
            facets=facets,
            codes=(*query.codes, *answer.codes, *check.codes),
            prompt_hash=_hash(
                [self._profile.version, *(part for f in frames for part in (*f.static, *query.tokens, *f.suffix))]
            ),
            output_hash=_hash([ruling.category or "allow", *map(str, answer_ids)]),
            input_tokens=sum(len(f.static) + len(query.tokens) + len(f.suffix) for f in frames),
            output_tokens=1 + len(answer_ids),
        )


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
