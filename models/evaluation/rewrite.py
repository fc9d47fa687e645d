"""Rewriting: are misspelt queries restored, are clean ones left alone, what harm is done, and does search find more?

Search is known-item search: the clean queries are the documents of a BM25 index. Each query, misspelt, rewritten or
clean, should find its own among the first ten.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final

import bm25s
import msgspec
import numpy as np
from rapidfuzz.distance import Levenshtein

from sluicegate.models.data.corruption import corrupt
from sluicegate.models.data.rows import QueryRow
from sluicegate.models.evaluation.harm import score_harm
from sluicegate.models.evaluation.intervals import Share, share_of
from sluicegate.models.text.normalise import normalise

SEED: Final = 7
TOP: Final = 10
_NAMES: Final = ("name", "brand")


class Pair(msgspec.Struct, frozen=True):
    """A query as typed and as meant, both normalised and in lower case."""

    typed: str
    meant: str


class Retrieval(msgspec.Struct, frozen=True):
    """Known-item search among the clean queries."""

    recall_at_10: float
    ndcg_at_10: float


class RewriteScores(msgspec.Struct, frozen=True):
    """One system's scores over the pairs, as shares. Character error rates are edits per character of the clean query.

    `spoilt`: clean queries that were changed, `harm`: the same by group of queries and by what was done to them.
    `worsened`: misspelt ones that are farther from the clean query than before. `recovered`: the share of the recall@10
    lost by misspelling that rewriting recovered; None if none was lost.
    """

    pairs: int
    restored: float
    spoilt: float
    worsened: float
    character_error_rate_before: float
    character_error_rate: float
    corrupted: Retrieval
    rewritten: Retrieval
    clean: Retrieval
    recovered: float | None
    harm: dict[str, Share]

    def interval_of(self, share: float) -> Share:
        """`share`, of the pairs, with its interval."""
        return share_of(round(share * self.pairs), self.pairs)

    @property
    def restored_for_each_damaged(self) -> float | None:
        """Misspelt queries that were restored, for each query that was made worse, misspelt or clean; None if none was.

        As if as many queries were misspelt as clean.
        """
        damaged = self.worsened + self.spoilt
        return self.restored / damaged if damaged else None


def pairs_of(rows: Sequence[QueryRow], *, seed: int = SEED) -> list[Pair]:
    """A pair per distinct clean query: the file's own if the row has `clean`, else a misspelling by seed."""
    rng = random.Random(seed)  # noqa: S311 - reproducible corruption, not a secret
    spellable = [row for row in rows if row.clean or (row.kind not in _NAMES and row.lang in (None, "en"))]
    rows_by_meaning = {normalise(row.clean or row.written).text.lower(): row for row in spellable}
    rows_by_meaning.pop("", None)
    pairs = [
        Pair(normalise(row.written).text.lower() if row.clean else corrupt(meant, rng), meant)
        for meant, row in rows_by_meaning.items()
    ]
    return [pair for pair in pairs if pair.typed != pair.meant]


def score_rewrites(
    pairs: Sequence[Pair],
    rewrite: Callable[[Sequence[str]], Sequence[str]],
    harmless: Sequence[tuple[str, str]] = (),
) -> RewriteScores:
    """The scores of a system that answers many queries with `rewrite`, in order.

    `harmless` are correct queries with their groups, see `models.evaluation.harm`.
    """
    meant, typed = [pair.meant for pair in pairs], [pair.typed for pair in pairs]
    queries = [query for query, _ in harmless]
    answers = [text.lower() for text in rewrite([*typed, *meant, *queries])]
    restored, kept, unharmed = answers[: len(pairs)], answers[len(pairs) : 2 * len(pairs)], answers[2 * len(pairs) :]
    search = _search_among(meant)
    corrupted, rewritten, clean = search(typed), search(restored), search(kept)
    best = search(meant).recall_at_10
    cost = best - corrupted.recall_at_10
    before = [Levenshtein.distance(a, b) for a, b in zip(typed, meant, strict=True)]
    after = [Levenshtein.distance(a, b) for a, b in zip(restored, meant, strict=True)]
    letters = sum(map(len, meant))
    return RewriteScores(
        pairs=len(pairs),
        restored=_mean([a == b for a, b in zip(restored, meant, strict=True)]),
        spoilt=_mean([a != b for a, b in zip(kept, meant, strict=True)]),
        worsened=_mean([a > b for a, b in zip(after, before, strict=True)]),
        character_error_rate_before=sum(before) / letters,
        character_error_rate=sum(after) / letters,
        corrupted=corrupted,
        rewritten=rewritten,
        clean=clean,
        recovered=(rewritten.recall_at_10 - corrupted.recall_at_10) / cost if cost > 0 else None,
        harm=score_harm(queries, unharmed, [group for _, group in harmless]),
    )


def _search_among(documents: Sequence[str]) -> Callable[[Sequence[str]], Retrieval]:
    def tokens(texts: Sequence[str]) -> list[list[str]]:
        return [text.split() or [""] for text in texts]

    index = bm25s.BM25()
    index.index(tokens(documents), show_progress=False)
    top = min(TOP, len(documents))

    def search(queries: Sequence[str]) -> Retrieval:
        """Query n should find document n. A document without a score is not found."""
        found, scores = index.retrieve(tokens(queries), k=top, show_progress=False)
        hits = (found == np.arange(len(queries))[:, None]) & (scores > 0)
        gains = hits / np.log2(np.arange(2, top + 2))
        return Retrieval(float(hits.any(axis=1).mean()), float(gains.sum(axis=1).mean()))

    return search


def _mean(values: Sequence[bool]) -> float:
    return sum(values) / len(values)
