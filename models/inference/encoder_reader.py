"""The embedded model: one pass of a small encoder gives verdict, intent and aisle; nothing is decoded.

It reads ``[CLS] query [SEP]``. The pooled vector of the first token goes through the heads. Rewrites come from the
speller, expansions from a word list weighted by intent and aisle.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from sluicegate.models.inference.batch_cost import ENCODER_COST, BatchCost
from sluicegate.models.inference.device import Placement
from sluicegate.models.inference.expansions import EXPANSIONS_FILE, Expansions
from sluicegate.models.inference.heads import HeadLogits, Heads
from sluicegate.models.inference.judge import EncodedQuery
from sluicegate.models.inference.labels import Intent
from sluicegate.models.inference.probabilities import label_probabilities, softmax
from sluicegate.models.inference.reader import IsBlocked, Reply
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.models.text.speller import SPELLER_FILE, Speller

FIRST: Final = "[CLS]"
LAST: Final = "[SEP]"
MAX_TOKENS: Final = 128
"""The positions that the encoder knows, first and last token included."""

Row = NDArray[np.float64]

_INTENTS: Final = {intent.value: intent for intent in Intent}


class EncoderReader:
    """A compiled encoder with its heads, speller and word list."""

    cost: BatchCost = ENCODER_COST

    def __init__(self, folder: Path, version: str, temperature: float, placement: Placement, max_tokens: int) -> None:
        """Load the model in `folder`; raises CompiledModelError."""
        self._tokenizer = QueryTokenizer(folder)
        for token in (FIRST, LAST):
            self._tokenizer.id_of(token)
        self._heads = Heads.load(folder)
        self._speller = Speller.load(folder) if (folder / SPELLER_FILE).is_file() else None
        expansions = folder / EXPANSIONS_FILE
        self._expansions = Expansions.load(expansions) if expansions.is_file() else None
        self._version = version
        self._temperature = temperature
        self._longest = min(max_tokens, MAX_TOKENS - 2)
        self._encoder: Any = placement.load(ctranslate2.Encoder, folder)

    def encode(self, text: str, locale: str | None, *, correct: bool) -> EncodedQuery:
        """The normalised `text` as tokens, and the speller's correction of it if `correct`."""
        encoding = self._tokenizer.encode(text)
        truncated = len(encoding.tokens) > self._longest
        if truncated:
            text = text[: encoding.offsets[self._longest - 1][1]].strip()
        tokens = (FIRST, *encoding.tokens[: self._longest], LAST)
        speller = self._speller if correct and not truncated else None
        correction = speller.correct(text, locale) if speller else None
        return EncodedQuery(text, tokens, truncated=truncated, correction=correction)

    def is_name(self, word: str) -> bool:
        """Whether the speller knows `word`."""
        return self._speller is None or self._speller.knows(word)

    def read(self, batch: Sequence[EncodedQuery], is_blocked: IsBlocked) -> list[Reply]:
        """A reply per query, a blocked one too: it costs nothing, and another surface may allow the query."""
        del is_blocked
        logits = self._logits([list(query.tokens) for query in batch])
        rows = label_probabilities(logits.labels, self._temperature)
        intents = softmax(logits.intents)
        aisles = softmax(logits.aisles)
        return [
            self._reply(query, probabilities, intents[i], aisles[i])
            for i, (query, probabilities) in enumerate(zip(batch, rows, strict=True))
        ]

    def exercise(self, members: int, length: int, steps: int) -> None:
        """Read a batch; an encoder writes no answer, so `steps` costs nothing."""
        del steps
        filler = next(iter(self._tokenizer.encode("a").tokens))
        self._logits([[filler] * length] * members)

    def exercise_drafts(self, members: int, length: int) -> None:
        """It has no drafts."""

    def _logits(self, tokens: list[list[str]]) -> HeadLogits:
        pooled = np.asarray(self._encoder.forward_batch(tokens).pooler_output, np.float32)
        return self._heads.logits(pooled)

    def _reply(self, query: EncodedQuery, probabilities: dict[str, float], intents: Row, aisles: Row) -> Reply:
        intent = self._heads.intent_names[int(intents.argmax())]
        rewrite = query.correction.text if query.correction and query.correction.text != query.text else None
        expansions = (
            self._expansions.of(
                rewrite or query.text,
                float(intents[self._heads.intent_names.index(Intent.PRODUCT_SEARCH)]),
                dict(zip(self._heads.aisle_names, map(float, aisles), strict=True)),
            )
            if self._expansions
            else ()
        )
        return Reply(
            probabilities=probabilities,
            intent=_INTENTS.get(intent, Intent.OTHER),
            rewrite=rewrite,
            expansions=expansions,
            read=(self._version, *query.tokens),
            written=(intent, rewrite or query.text, *(expansion.text for expansion in expansions)),
        )
