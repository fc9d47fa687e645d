"""Qwen3Guard as it comes: the verdict is the first token of its answer, the category the next few on a hit.

Its answer begins ``Safety:``, which is given, so one forward pass over the query has the distribution over the three
tiers. Only where the query may be unsafe it is asked to continue ``Safety: Unsafe``, newline, ``Categories:``.

It names no intent and writes no rewrite.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import ctranslate2
import msgspec

from sluicegate.models.artifacts.manifest import Manifest
from sluicegate.models.inference.batch_cost import GUARD_COST, BatchCost
from sluicegate.models.inference.device import Placement
from sluicegate.models.inference.generation import first_logits, generate
from sluicegate.models.inference.guard_categories import (
    CONTROVERSIAL,
    TIERS,
    UNSAFE,
    Tiers,
    label_scores,
    named_categories,
)
from sluicegate.models.inference.guard_prompt import read_guard_prompt
from sluicegate.models.inference.judge import EncodedQuery
from sluicegate.models.inference.probabilities import finite_softmax
from sluicegate.models.inference.prompts import Frame
from sluicegate.models.inference.reader import IsBlocked, Reply
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.errors import CompiledModelError
from sluicegate.schemas.reason_codes import AnswerCode

_ASKED_FROM: Final = 0.02
"""The category is asked for from this score on. A lower score is below every threshold that makes sense."""

_LONGEST_ANSWER: Final = 24
"""Tokens: enough for the two longest names of categories."""

_END: Final = "<|im_end|>"


class GuardReader:
    """A compiled Qwen3Guard-Gen."""

    def __init__(self, folder: Path, manifest: Manifest, placement: Placement, max_query_tokens: int) -> None:
        """Load the model in `folder`; raises CompiledModelError."""
        self._tokenizer = QueryTokenizer(folder)
        self._prompt = read_guard_prompt(folder)
        self._tiers = tier_ids(self._tokenizer)
        self._verdict = self._prompt.frame(self._tokenizer)
        self.cost: BatchCost = msgspec.structs.replace(GUARD_COST, suffix=len(self._verdict.suffix))
        self._categories = {
            tier: self._prompt.frame(self._tokenizer, f"{tier}\nCategories:") for tier in (CONTROVERSIAL, UNSAFE)
        }
        self._version = manifest.prompt_version
        self._temperature = manifest.temperature
        self._sensitive = manifest.sensitive_topics
        self._max_query_tokens = max_query_tokens
        self._generator: Any = placement.load(ctranslate2.Generator, folder)

    def encode(self, text: str, locale: str | None, *, correct: bool) -> EncodedQuery:
        """The normalised `text` as tokens, as they stand in the prompt; the model does not correct it."""
        del locale, correct
        encoding = self._tokenizer.encode(text)
        truncated = len(encoding.tokens) > self._max_query_tokens
        if truncated:
            text = text[: encoding.offsets[self._max_query_tokens - 1][1]].strip()
        placed = self._tokenizer.encode(f"{self._prompt.lead}{text}{self._prompt.trail}")
        return EncodedQuery(text, tuple(placed.tokens), truncated=truncated)

    def is_name(self, word: str) -> bool:
        """True of every word: the model reads words that are run together by itself."""
        del word
        return True

    def read(self, batch: Sequence[EncodedQuery], is_blocked: IsBlocked) -> list[Reply]:
        """A reply per query: the probabilities of its labels, no intent and no rewrite."""
        del is_blocked
        verdicts = generate(self._generator, batch, self._verdict, max_length=1, return_logits_vocab=True)
        rows = finite_softmax(first_logits(verdicts, self._tiers), self._temperature)
        tiers = [Tiers(*row) for row in rows.tolist()]
        answers = dict[int, str]()
        for tier, frame in self._categories.items():
            hits = [i for i, each in enumerate(tiers) if each.score >= _ASKED_FROM and _likelier(each) == tier]
            answers |= zip(hits, self._ask(frame, [batch[i] for i in hits]), strict=True)
        return [self._reply(query, tiers[i], answers.get(i)) for i, query in enumerate(batch)]

    def exercise(self, members: int, length: int, steps: int) -> None:
        """Do the work of a batch: `members` queries of `length` tokens, and `steps` more. For measuring."""
        filler = next(iter(self._tokenizer.encode("a").tokens))
        batch = [EncodedQuery("", (filler,) * length)] * members
        generate(
            self._generator,
            batch,
            self._verdict,
            min_length=1 + steps,
            max_length=1 + steps,
            return_logits_vocab=True,
        )

    def exercise_drafts(self, members: int, length: int) -> None:
        """It has no drafts."""

    def _ask(self, frame: Frame, queries: Sequence[EncodedQuery]) -> list[str]:
        if not queries:
            return []
        generations = generate(self._generator, queries, frame, max_length=_LONGEST_ANSWER, end_token=_END)
        return [self._tokenizer.decode(generation.ids).removesuffix(_END) for generation in generations]

    def _reply(self, query: EncodedQuery, tiers: Tiers, answer: str | None) -> Reply:
        names = None if answer is None else named_categories(answer)
        unreadable = answer is not None and names is None
        return Reply(
            probabilities=label_scores(tiers, names, self._sensitive),
            codes=(AnswerCode.UNREADABLE,) if unreadable else (),
            read=(self._version, *self._verdict.static, *query.tokens, *self._verdict.suffix),
            written=() if answer is None else (_likelier(tiers), answer),
            output_tokens=1,
        )


def tier_ids(tokenizer: QueryTokenizer) -> tuple[int, ...]:
    """The first tokens of the three tiers; raises CompiledModelError where they are not three different ones."""
    first = [tokenizer.encode_template(tier)[0] for tier in TIERS]
    if len(set(first)) != len(TIERS):
        raise CompiledModelError(
            "the first tokens of Safe, Controversial and Unsafe do not differ in this vocabulary: "
            "compile a Qwen3Guard-Gen checkpoint with its own tokenizer."
        )
    return tuple(map(tokenizer.id_of, first))


def _likelier(tiers: Tiers) -> str:
    return UNSAFE if tiers.unsafe >= tiers.controversial else CONTROVERSIAL
