"""Qwen3 as a gate: the verdict is the first token that it would write, the answer is what it writes next.

Where the prompt style allows it, a batch is one call: the first token is the verdict, the answer follows it, and a
label other than `allow` ends the generation. The probabilities are read from the logits of the first step, so they do
not depend on the token that the model chose. A query that passes although the model chose another label is asked again,
with `allow` given. CTranslate2 then keeps the logits of every step: 0.6 MB for each token that Qwen3-0.6B writes to
each query; the time for it was too short to measure.

In a small batch a draft of the answer is verified instead (`models.inference.read_ahead`): verdict and answer are one
pass. Where the draft is wrong, the answer is decoded as if there had been none.

Otherwise it is two calls: one step for the labels, then the answers to the queries that were not blocked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ctranslate2
import msgspec
import numpy as np
from numpy.typing import NDArray

from sluicegate.models.artifacts.manifest import Manifest
from sluicegate.models.inference.batch_cost import INSTRUCTED_COST, LARGE_COST, BatchCost
from sluicegate.models.inference.device import Placement
from sluicegate.models.inference.generation import first_logits, generate
from sluicegate.models.inference.judge import EncodedQuery
from sluicegate.models.inference.labels import ALLOW, LABELS, Intent
from sluicegate.models.inference.probabilities import label_probabilities
from sluicegate.models.inference.prompts import ALLOW_LETTER, HINT, KEEP, Answer, prompt_style_for
from sluicegate.models.inference.read_ahead import ReadAhead, read_ahead
from sluicegate.models.inference.reader import IsBlocked, Reply
from sluicegate.models.inference.spelling_hints import SpellingHints
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.reason_codes import AnswerCode

_ACCEPTED_AT_FIRST: Final = 0.9
_MEMORY: Final = 0.02
"""How much one answer changes the estimate of the share of drafts that are right."""


@dataclass(frozen=True, slots=True)
class _Opening:
    """What the first call says of a query.

    `labels` are the logits of the verdict. `allows`: the model would write `allow` by itself. `answer` is what it
    writes after that; None where it has to be asked.
    """

    labels: NDArray[np.float32]
    allows: bool
    answer: list[int] | None


class GeneratorReader:
    """A compiled Qwen3 with its prompt style."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        placement: Placement,
        max_query_tokens: int,
        max_answer_tokens: int,
        cost: BatchCost | None = None,
    ) -> None:
        """Load the model in `folder`; raises CompiledModelError. `cost` is what batches cost on this machine."""
        self._tokenizer = QueryTokenizer(folder)
        self._style = prompt_style_for(manifest.prompt_style, self._tokenizer)
        self._allow = self._style.label_ids[LABELS.index(ALLOW)]
        self._fused = bool(self._style.stops)
        self._hints = SpellingHints.load(folder) if self._style.takes_hints else None
        self._temperature = manifest.temperature
        self._max_query_tokens = max_query_tokens
        self._max_answer_tokens = max_answer_tokens
        self.cost: BatchCost = cost or (LARGE_COST if self._fused else INSTRUCTED_COST)
        if placement.device != "cpu":  # the price of drafts is that of CPUs
            self.cost = msgspec.structs.replace(self.cost, draft_token=0.0)
        self._accepted = _ACCEPTED_AT_FIRST
        self._generator: Any = placement.load(ctranslate2.Generator, folder)

    def encode(self, text: str, locale: str | None, *, correct: bool) -> EncodedQuery:
        """The normalised `text` as tokens, and a hint if `correct` and the prompt style takes hints."""
        encoding = self._tokenizer.encode(text)
        limit = self._max_query_tokens
        truncated = len(encoding.tokens) > limit
        if truncated:
            text = text[: encoding.offsets[limit - 1][1]].strip()
        hint = self._hints.of(text, locale) if self._hints and correct and not truncated else None
        hint_tokens = self._tokenizer.encode(hint).tokens if hint else ()
        tokens = self._style.with_hint(encoding.tokens[:limit], hint_tokens)
        return EncodedQuery(text, tokens, truncated=truncated, hint=hint)

    def is_name(self, word: str) -> bool:
        """True of every word: the model reads words that are run together by itself."""
        del word
        return True

    def read(self, batch: Sequence[EncodedQuery], is_blocked: IsBlocked) -> list[Reply]:
        """A reply per query; a blocked one has only probabilities."""
        openings = self._drafted(batch) if self._draft_pays(batch) else self._decoded(batch)
        rows = label_probabilities(np.stack([opening.labels for opening in openings]), self._temperature)
        passed = [i for i, row in enumerate(rows) if not is_blocked(row)]
        answers = {i: answer for i in passed if (answer := openings[i].answer) is not None}
        unanswered = [i for i in passed if i not in answers]
        if unanswered:
            answers.update(zip(unanswered, self._answer_call([batch[i] for i in unanswered]), strict=True))
        self._count_accepted(batch, answers)
        return [
            self._reply(query, row, answers.get(i), twice=i in answers and not openings[i].allows)
            for i, (query, row) in enumerate(zip(batch, rows, strict=True))
        ]

    def exercise(self, members: int, length: int, steps: int) -> None:
        """Do the work of a batch: `members` queries of `length` tokens, answers of `steps` tokens. For measuring."""
        filler = next(iter(self._tokenizer.encode("a").tokens))
        batch = [EncodedQuery("", (filler,) * length)] * members
        if self._fused:
            generate(self._generator, batch, self._style.gate, min_length=1 + steps, max_length=1 + steps)
        else:
            generate(self._generator, batch, self._style.gate, max_length=1)
            generate(self._generator, batch, self._style.rewrite, min_length=steps, max_length=steps)

    def exercise_drafts(self, members: int, length: int) -> None:
        """Verify drafts for `members` queries of `length` tokens. For measuring."""
        filler = next(iter(self._tokenizer.encode("a").tokens))
        self._passes([EncodedQuery("", (filler,) * length)] * members)

    def _decoded(self, batch: Sequence[EncodedQuery]) -> list[_Opening]:
        """Decode verdicts and, where the prompt style has them in one generation, the answers after `allow`."""
        generations = generate(
            self._generator,
            batch,
            self._style.gate,
            max_length=1 + self._max_answer_tokens if self._fused else 1,
            end_token=[*self._style.stops, *self._style.ends],
            return_logits_vocab=True,
        )
        allows = [self._fused and generation.ids[0] == self._allow for generation in generations]
        return [
            _Opening(labels, allowed, generation.ids[1:] if allowed else None)
            for labels, allowed, generation in zip(
                first_logits(generations, self._style.label_ids), allows, generations, strict=True
            )
        ]

    def _draft_pays(self, batch: Sequence[EncodedQuery]) -> bool:
        lengths = [len(query.tokens) for query in batch]
        return self._fused and self.cost.draft_pays(len(batch), min(lengths), max(lengths), self._accepted)

    def _drafted(self, batch: Sequence[EncodedQuery]) -> list[_Opening]:
        """Verify drafts that keep the query, or take its hint. Decode the others from their start."""
        passes = self._passes(batch)
        columns, most = list(self._style.label_ids), self._max_answer_tokens
        openings = [_Opening(each.first[columns], each.first_id == self._allow, each.ids[:most]) for each in passes]
        wrong = [i for i, each in enumerate(passes) if not (each.sure and each.finished)]
        if wrong:
            for i, opening in zip(wrong, self._decoded([batch[i] for i in wrong]), strict=True):
                openings[i] = opening
        return openings

    def _passes(self, batch: Sequence[EncodedQuery]) -> list[ReadAhead]:
        return read_ahead(
            self._generator,
            [[*query.tokens, *self._style.gate.suffix] for query in batch],
            [[ALLOW_LETTER, _drafted_action(query)] for query in batch],
            self._tokenizer.id_of,
            self._style.ends,
        )

    def _answer_call(self, batch: Sequence[EncodedQuery]) -> list[list[int]]:
        generations = generate(
            self._generator,
            batch,
            self._style.rewrite,
            max_length=self._max_answer_tokens,
            end_token=list(self._style.ends),
        )
        return [generation.ids for generation in generations]

    def _count_accepted(self, batch: Sequence[EncodedQuery], answers: Mapping[int, Sequence[int]]) -> None:
        """Follow the share of drafts that are right, or would have been: so it is known without drafts too."""
        for i, ids in answers.items() if self._fused else ():
            right = len(ids) == 2 and ids[0] == self._tokenizer.id_of(_drafted_action(batch[i]))
            self._accepted += _MEMORY * (right - self._accepted)

    def _reply(
        self, query: EncodedQuery, probabilities: dict[str, float], ids: list[int] | None, *, twice: bool
    ) -> Reply:
        answer = Answer(Intent.OTHER, None) if ids is None else self._style.parse(ids)
        made_up = answer.takes_hint and query.hint is None
        frames = [self._style.gate, self._style.rewrite] if twice else [self._style.gate]
        read = [part for frame in frames for part in (*frame.static, *query.tokens, *frame.suffix)]
        return Reply(
            probabilities=probabilities,
            intent=answer.intent,
            rewrite=query.hint if answer.takes_hint else answer.rewrite,
            synonyms=answer.synonyms,
            facets=answer.facets,
            codes=(*answer.codes, AnswerCode.UNREADABLE) if made_up else answer.codes,
            read=(self._style.version, *read),
            written=tuple(map(str, ids or ())),
            output_tokens=1 + len(ids or ()),
        )


def _drafted_action(query: EncodedQuery) -> str:
    return KEEP if query.hint is None else HINT
