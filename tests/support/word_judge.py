"""A model whose probabilities a test knows: they depend on the words of the query alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sluicegate.models.inference.engine import Engine
from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from sluicegate.models.inference.labels import LABELS
from sluicegate.schemas.errors import EngineFailed
from tests.support.compiled import compiled_tiny


class WordJudge(Engine):
    """A real model, but a query has the highest probabilities that `words` give to any word of it.

    It fails on a query that contains "fail". `judged` has every text that it was asked about.
    """

    def __init__(self, folder: Path, words: Mapping[str, Mapping[str, float]]) -> None:
        """Compile the model into `folder`, which must not exist."""
        super().__init__(compiled_tiny(folder, "embedded"))
        self._words = words
        self.judged: list[str] = []

    def encode(self, text: str, locale: str | None = None, *, correct: bool = True) -> EncodedQuery:
        """The query with its text as one more token: no two texts have equal tokens, as they may without accents."""
        query = super().encode(text, locale, correct=correct)
        return replace(query, tokens=(*query.tokens[:-1], query.text, query.tokens[-1]))

    def judge(self, batch: Sequence[EncodedQuery]) -> list[ModelResult]:
        self.judged += [query.text for query in batch]
        if any("fail" in query.text for query in batch):
            raise EngineFailed("a test made it fail")
        return [self._judged(query, result) for query, result in zip(batch, super().judge(batch), strict=True)]

    def _judged(self, query: EncodedQuery, result: ModelResult) -> ModelResult:
        found = dict.fromkeys(LABELS, 0.0) | {"allow": 1.0}
        for word in query.text.lower().split():
            for label, probability in self._words.get(word, {}).items():
                found[label] = max(found[label], probability)
        return replace(
            result,
            policy_result=self.policy.judge(found),
            probabilities=found,
            lexical=query.text,
            semantic=query.text,
            synonyms=(),
            facets=(),
        )
