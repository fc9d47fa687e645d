"""Qwen3 as a gate: the verdict is the first token that it would write, the answer is what it writes next.

Where the prompt style allows it, a batch is one call: the first token is the verdict, the answer follows it, and a
label other than `allow` ends the generation. The probabilities are read from the logits of the first step, so they do
not depend on the token that the model chose. A query that passes although the model chose another label is asked again,
with `allow` given. CTranslate2 then keeps the logits of every step: 0.6 MB for each token that Qwen3-0.6B writes to
each query; the time for it was too short to measure.

Otherwise it is two calls: one step for the labels, then the answers to the queries that were not blocked.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2

from sluicegate.models.artifacts.manifest import Manifest
from sluicegate.models.inference.batch_cost import INSTRUCTED_COST, LARGE_COST, BatchCost
from sluicegate.models.inference.device import Placement
from sluicegate.models.inference.generation import Generation, first_logits, generate
from sluicegate.models.inference.judge import EncodedQuery
from sluicegate.models.inference.labels import ALLOW, LABELS, Intent
from sluicegate.models.inference.probabilities import label_probabilities
from sluicegate.models.inference.prompts import Answer, prompt_style_for
from sluicegate.models.inference.reader import IsBlocked, Reply
from sluicegate.models.inference.spelling_hints import SpellingHints
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.reason_codes import AnswerCode


class GeneratorReader:
    """A compiled Qwen3 with its prompt style."""

    def __init__(
        self, folder: Path, manifest: Manifest, placement: Placement, max_query_tokens: int, max_answer_tokens: int
    ) -> None:
        """Load the model in `folder`; raises CompiledModelError."""
        self._tokenizer = QueryTokenizer(folder)
        self._style = prompt_style_for(manifest.prompt_style, self._tokenizer)
        self._allow = self._style.label_ids[LABELS.index(ALLOW)]
        self._fused = bool(self._style.stops)
        self._hints = SpellingHints.load(folder) if self._style.takes_hints else None
        self._temperature = manifest.temperature
        self._max_query_tokens = max_query_tokens
        self._max_answer_tokens = max_answer_tokens
        self.cost: BatchCost = LARGE_COST if self._fused else INSTRUCTED_COST
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
        first = self._first_call(batch)
        columns = list(self._style.label_ids)
        rows = label_probabilities(first_logits(first, columns), self._temperature)
        passed = [i for i, row in enumerate(rows) if not is_blocked(row)]
        answers = {i: first[i].ids[1:] for i in passed if self._fused and first[i].ids[0] == self._allow}
        unanswered = [i for i in passed if i not in answers]
        if unanswered:
            second = self._answer_call([batch[i] for i in unanswered])
            answers.update((i, generation.ids) for i, generation in zip(unanswered, second, strict=True))
        asked_twice = set(unanswered)
        return [
            self._reply(query, row, answers.get(i), twice=i in asked_twice)
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

    def _first_call(self, batch: Sequence[EncodedQuery]) -> list[Generation]:
        if not self._fused:
            return generate(self._generator, batch, self._style.gate, max_length=1, return_logits_vocab=True)
        return generate(
            self._generator,
            batch,
            self._style.gate,
            max_length=1 + self._max_answer_tokens,
            end_token=[*self._style.stops, *self._style.ends],
            return_logits_vocab=True,
        )

    def _answer_call(self, batch: Sequence[EncodedQuery]) -> list[Generation]:
        return generate(
            self._generator,
            batch,
            self._style.rewrite,
            max_length=self._max_answer_tokens,
            end_token=list(self._style.ends),
        )

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
