"""The engine: a batch of encoded queries in, a judgement for each out. The only room that calls CTranslate2.

Where the profile allows it, a batch is one call: the verdict is the first token, the answer follows it, and a label
that is not `allow` ends the generation. The probabilities are read from the first step's logits, so the policy decides,
not the greedy token: what it lets pass although the model said otherwise is asked again, with `allow` given.
CTranslate2 then keeps the logits of every step: of Qwen3-0.6B 0.6 MB for each token that it writes to each query, in no
time that could be measured.

Otherwise it is two calls: one step for the labels, then the answers of those that were not blocked.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from sluicegate.models.artifacts.manifest import read_manifest, verify_weights
from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.models.inference.labels import ALLOW, LABELS, LABELS_VERSION, Category, Intent
from sluicegate.models.inference.policy import Policy, PolicyResult, Verdict
from sluicegate.models.inference.prompts import PROMPT_VERSIONS, UNSURE, Answer, Frame, prompt_style_for
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.models.text.lexicon import LEXICON_FILE, Lexicon
from sluicegate.models.text.rewrite_guard import check_expansions, check_rewrite, semantic_query
from sluicegate.schemas.errors import CompiledModelError, EngineFailed
from sluicegate.schemas.events import Threshold

Device = Literal["cpu", "cuda"]

_SINGLE_THREADED_BELOW: Final = 50_000_000
"""Parameters below which one thread is faster than several: they would wait for each other more than they compute.

Measured with the embedded model on 2 cores, one query at a time: 1.9 ms with one thread, 31 ms with two.
"""

_SMALL_COST: Final = BatchCost(call=0.24, token=0.034, step=0.14, member=0.04, answer=10)
_LARGE_COST: Final = BatchCost(call=90, token=1.6, step=70, member=2.8, answer=10)
_INSTRUCTED_COST: Final = BatchCost(call=300, token=4.0, step=60, member=5.0, answer=12, calls=2)
"""Of the embedded model and of Qwen3-0.6B in int8, bare and behind instructions, on two cores. Only proportions matter:
see `agents.deciding.micro_batcher`."""


@dataclass(frozen=True)
class EncodedQuery:
    """A normalised query as the model reads it: `tokens` stand for `text` and, after it, the `hint`.

    `truncated`: it was longer.
    """

    text: str
    tokens: tuple[str, ...]
    truncated: bool = False
    hint: str | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """Reason codes of reading it."""
        return ("truncated_tokens",) if self.truncated else ()


@dataclass(frozen=True)
class ModelResult:
    """What the model made of one query; `lexical` and `semantic` are checked, never the model's raw words.

    The defaults are those of a query that the model was not asked about.
    """

    policy_result: PolicyResult
    lexical: str
    semantic: str
    codes: tuple[str, ...] = ()
    probabilities: dict[str, float] = field(default_factory=dict)
    intent: Intent = Intent.OTHER
    synonyms: tuple[str, ...] = ()
    facets: tuple[str, ...] = ()
    prompt_hash: str | None = None
    output_hash: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class _Generated:
    """What the model said to one query, and the logits of each step if they were kept."""

    ids: list[int]
    logits: Sequence[Any]

    def after_verdict(self) -> "_Generated":
        return _Generated(self.ids[1:], self.logits[1:])


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
        """Load the model in `folder`; `thresholds` override those of its manifest; no `intra_threads` means its best.

        `replicas` calls of `judge` may run at once, each with threads of its own. `cost` is what batches cost here.

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
        self._profile = prompt_style_for(profile, self._tokenizer)
        self._allow = self._profile.label_ids[LABELS.index(ALLOW)]
        self._fused = bool(self._profile.stops)
        lexicon = folder / LEXICON_FILE
        self._lexicon = Lexicon.load(lexicon) if self._profile.hint and lexicon.is_file() else None
        self._max_query_tokens = max_query_tokens
        self._max_answer_tokens = max_answer_tokens
        small = self.manifest.parameters < _SINGLE_THREADED_BELOW
        self.cost = cost or (_SMALL_COST if small else _LARGE_COST if self._fused else _INSTRUCTED_COST)
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

    def encode(self, text: str) -> EncodedQuery:
        """The normalised query `text` as tokens, cut after `max_query_tokens` of them: nothing goes on unjudged."""
        encoding = self._tokenizer.encode(text)
        limit = self._max_query_tokens
        if len(encoding.tokens) > limit:
            text = text[: encoding.offsets[limit - 1][1]].strip()
            return EncodedQuery(text, self._profile.filled(encoding.tokens[:limit]), truncated=True)
        hint = self._lexicon.hint(text) if self._lexicon else None
        if hint is None or self._profile.hint is None:
            return EncodedQuery(text, self._profile.filled(encoding.tokens))
        hinted = (*encoding.tokens, self._profile.hint, *self._tokenizer.encode(hint).tokens)
        return (
            EncodedQuery(text, hinted, hint=hint)
            if len(hinted) <= limit
            else EncodedQuery(text, tuple(encoding.tokens))
        )

    def judge(self, batch: Sequence[EncodedQuery]) -> list[ModelResult]:
        """One judgement per query of `batch`, in order. It costs least when all have the same number of tokens.

        Raises:
            EngineFailed: the model raised, or its logits are not finite.
        """
        try:
            first = self._first_call(batch)
            probabilities = self._probabilities([spoken.logits[0] for spoken in first])
            policy_results = [self.policy.judge(row) for row in probabilities]
            passed = [i for i, policy_result in enumerate(policy_results) if policy_result.verdict is not Verdict.BLOCK]
            answers = {i: first[i].after_verdict() for i in passed if self._fused and first[i].ids[0] == self._allow}
            unanswered = [i for i in passed if i not in answers]
            if unanswered:
                answers.update(zip(unanswered, self._answer_call([batch[i] for i in unanswered]), strict=True))
            weights = {i: self._probability(answer) for i, answer in answers.items()}
        except (RuntimeError, ValueError, MemoryError) as error:
            raise EngineFailed(f"the model failed on a batch of {len(batch)}: {error}") from error
        asked_twice = set(unanswered)
        return [
            self._model_result(query, row, policy_result, answers.get(i), weights.get(i, 1.0), twice=i in asked_twice)
            for i, (query, row, policy_result) in enumerate(zip(batch, probabilities, policy_results, strict=True))
        ]

    def exercise(self, members: int, length: int, steps: int) -> None:
        """Do the work of a batch of `members` queries of `length` tokens whose answers have `steps`: for measuring."""
        filler = next(iter(self._tokenizer.encode("a").tokens))
        batch = [EncodedQuery("", (filler,) * length)] * members
        if self._fused:
            self._generate(batch, self._profile.gate, min_length=1 + steps, max_length=1 + steps)
        else:
            self._generate(batch, self._profile.gate, max_length=1)
            self._generate(batch, self._profile.rewrite, min_length=steps, max_length=steps)

    def _first_call(self, batch: Sequence[EncodedQuery]) -> list[_Generated]:
        if not self._fused:
            return self._generate(batch, self._profile.gate, max_length=1, return_logits_vocab=True)
        return self._generate(
            batch,
            self._profile.gate,
            max_length=1 + self._max_answer_tokens,
            end_token=[self._profile.end_token, *self._profile.stops],
            return_logits_vocab=True,
        )

    def _answer_call(self, batch: Sequence[EncodedQuery]) -> list[_Generated]:
        return self._generate(
            batch,
            self._profile.rewrite,
            max_length=self._max_answer_tokens,
            end_token=self._profile.end_token,
            return_logits_vocab=self._profile.least_probability > 0,
        )

    def _generate(self, batch: Sequence[EncodedQuery], frame: Frame, **options: Any) -> list[_Generated]:
        results = self._generator.generate_batch(
            [[*query.tokens, *frame.suffix] for query in batch],
            static_prompt=list(frame.static) or None,
            cache_static_prompt=True,
            include_prompt_in_result=False,
            return_end_token=True,
            sampling_topk=1,
            **options,
        )
        spoken = []
        for result in results:
            ids = result.sequences_ids[0]
            logits = result.logits[0][-len(ids) :] if result.logits else ()  # before: what the query was still fed by
            spoken.append(_Generated(ids, logits))
        return spoken

    def _probabilities(self, first_logits: Sequence[Any]) -> list[dict[str, float]]:
        columns = list(self._profile.label_ids)
        labels = np.stack([_row(row)[columns] for row in first_logits]) / self.manifest.temperature
        if not np.isfinite(labels).all():
            raise EngineFailed(f"the model's logits are not finite for a batch of {len(labels)}")
        return [dict(zip(LABELS, row, strict=True)) for row in _softmax(labels).tolist()]

    def _probability(self, answer: _Generated) -> float:
        """Of the rewrite in `answer`; 1 where nobody asks for it."""
        rewrite = self._profile.rewrite_of(answer.ids) if self._profile.least_probability > 0 else ()
        if not rewrite:
            return 1.0
        steps = np.stack([_row(row) for row in answer.logits[1 : 1 + len(rewrite)]])
        highest = steps.max(axis=1)
        chosen = steps[np.arange(len(rewrite)), list(rewrite)]
        return float(np.exp((chosen - highest - np.log(np.exp(steps - highest[:, None]).sum(axis=1))).sum()))

    def _model_result(
        self,
        query: EncodedQuery,
        probabilities: dict[str, float],
        policy_result: PolicyResult,
        spoken: _Generated | None,
        probability: float,
        *,
        twice: bool,
    ) -> ModelResult:
        answer_ids = spoken.ids if spoken else []
        answer = self._profile.parse(answer_ids, query.hint) if spoken else Answer(Intent.OTHER, None)
        took_hint = answer.rewrite is not None and answer.rewrite == query.hint
        least = self._profile.least_hint_probability if took_hint else self._profile.least_probability
        if probability < least and not answer.codes:
            answer = Answer(answer.intent, None, codes=(UNSURE,))
        check = check_rewrite(query.text, query.text if answer.rewrite is None else answer.rewrite)
        lexical = check.lexical
        # An answer that misread the query expands it no better.
        synonyms = check_expansions(lexical, answer.synonyms if check.accepted else ())
        facets = check_expansions(lexical, answer.facets if check.accepted else ())
        frames = [self._profile.gate, self._profile.rewrite] if twice else [self._profile.gate]
        return ModelResult(
            policy_result=policy_result,
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
            output_hash=_hash([policy_result.category or "allow", *map(str, answer_ids)]),
            input_tokens=sum(len(f.static) + len(query.tokens) + len(f.suffix) for f in frames),
            output_tokens=1 + len(answer_ids),
        )


def _row(step: Any) -> NDArray[np.float32]:
    """One step's logits as an array; copies none."""
    return np.asarray(step, np.float32).reshape(-1)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
