"""From lists and rows to the speller's files, in one go: words, slips, letters, ranker, judge.

The judge must know what an unknown name looks like. So while it learns, a third of the names is hidden from the word
list, and half of the misspellings too. What is saved has all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from sluicegate.models.data.products import catalogue_phrases
from sluicegate.models.spelling import rows
from sluicegate.models.spelling.pairs import build_pairs
from sluicegate.models.spelling.training import examples_of, learn_judge, learn_ranker, ranked_examples
from sluicegate.models.spelling.words import Words, build_words
from sluicegate.models.text.candidates import SIGNS, CandidateFinder
from sluicegate.models.text.findings import JUDGE_SIGNS, Finder
from sluicegate.models.text.language import LetterModel
from sluicegate.models.text.ranking import LinearModel
from sluicegate.models.text.slip_model import SlipModel
from sluicegate.models.text.speller import SPELLER_FILE, Speller, SpellerWeights
from sluicegate.models.text.word_list import save_word_list
from sluicegate.models.text.word_pairs import WordPairs

SURE_ALONE: Final = 0.88
SURE: Final = 0.72
SURE_KNOWN: Final = 0.92
ALL_SURE: Final = 0.72
LIKELY: Final = 0.5
"""The bounds, chosen on rows that nothing was learnt from; SPELLING.md has the numbers."""

_HIDDEN_NAMES: Final = 1 / 3
_HIDDEN_MISSPELLINGS: Final = 0.5
_HIDDEN_PAIRS: Final = 0.5
_PRODUCTS: Final = 60_000
_SHARES: Final = {
    "misspelt word": 0.08,
    "misspelt query": 0.2,
    "slipped": 0.08,
    "run together": 0.015,
    "other language": 0.7,
    "clean name": 0.35,
    "clean brand": 0.3,
    "clean product": 0.08,
    "clean request": 0.12,
    "clean question": 0.4,
    "clean text": 0.2,
    "clean shopping": 1.0,
}
"""Shares of the rows that ranker and judge learn from, so that it takes minutes."""


def build(data: Path, dictionaries: Path, out: Path, progress: Callable[[str], None]) -> None:
    """Write the speller's files into `out`."""
    misspelt = list(rows.pairs(data, "train"))
    clean, foreign = list(rows.clean(data)), list(rows.foreign(data))
    progress(f"{len(misspelt)} misspelt, {len(clean)} clean, {len(foreign)} rows of other languages")
    misspellings = {
        row.typed.lower(): row.meant.lower()
        for row in misspelt
        if row.kind == "misspelt word" and row.typed.isalpha() and row.meant.isalpha()
    }
    texts = [row.meant for row in clean] + [row.meant for row in misspelt if row.kind == "misspelt query"]
    products = [row.meant for row in rows.products(_PRODUCTS, seed=2)]
    lists = data / "lists"
    words = build_words(lists, dictionaries, texts, products, misspellings)
    known_half = {typed: meant for typed, meant in misspellings.items() if rows.share_of(typed) >= _HIDDEN_MISSPELLINGS}
    fewer = build_words(
        lists, dictionaries, texts, products, known_half, hidden=lambda word: rows.share_of(word) < _HIDDEN_NAMES
    )
    progress(
        f"{len(words.counts)} words with counts, {len(words.only_known)} only known, {len(words.rare)} rare names, "
        f"{len(words.foreign)} foreign words, {len(words.misspellings)} misspellings"
    )
    queries = [*texts, *products, *catalogue_phrases()]
    pairs = build_pairs(words.word_list(), queries)
    fewer_pairs = build_pairs(fewer.word_list(), queries, hidden=lambda pair: rows.share_of(pair) < _HIDDEN_PAIRS)
    progress(f"{len(pairs)} pairs of words")
    fresh = list(rows.products(_PRODUCTS // 3, seed=3))
    sample = _sample([*misspelt, *clean, *foreign, *fresh, *rows.slipped([*clean, *fresh])])
    weights = learn(fewer, fewer_pairs, words, misspellings, sample, progress)
    out.mkdir(parents=True, exist_ok=True)
    save_word_list(out, words.sections())
    pairs.save(out)
    (out / SPELLER_FILE).write_bytes(msgspec.json.encode(weights) + b"\n")


def learn(
    fewer: Words,
    pairs: WordPairs,
    words: Words,
    misspellings: dict[str, str],
    sample: Sequence[rows.Row],
    progress: Callable[[str], None],
) -> SpellerWeights:
    """The weights. `fewer` are `words` without the hidden ones, and `pairs` those of `fewer`."""
    slip_model = SlipModel.learn([*misspellings.items(), *rows.slips_in(words.counts)])
    english = [word for word, count in words.counts.items() if count >= 1_000]
    letters = LetterModel.learn(english, sorted(words.foreign))
    known = replace(fewer, foreign=_half(fewer.foreign)).word_list()
    candidates = CandidateFinder(known, slip_model, pairs.gain)
    unranked = LinearModel(dict.fromkeys(SIGNS, 0.0), 0.0)
    finder = Finder(known, pairs, candidates, unranked, letters)
    misspelt = [row for row in sample if row.typed != row.meant]
    ranker = learn_ranker(ranked_examples(known, finder, candidates, misspelt))
    progress(f"ranker: {ranker.weights}")
    unjudged = SpellerWeights(
        slips=slip_model.costs,
        unseen_slip=slip_model.unseen,
        letters=letters.ratios,
        ranker=ranker,
        judge=LinearModel(dict.fromkeys(JUDGE_SIGNS, 0.0), 0.0),
        sure_alone=SURE_ALONE,
        sure=SURE,
        sure_known=SURE_KNOWN,
        all_sure=ALL_SURE,
        likely=LIKELY,
    )
    speller = Speller(known, pairs, unjudged)
    examples = examples_of(speller, sample, misspellings)
    progress(f"judge: {len(examples)} findings, {sum(example.right for example in examples)} of them right")
    judge = learn_judge(examples)
    progress(f"judge: {judge.weights}")
    return msgspec.structs.replace(unjudged, judge=judge)


def _half(foreign: frozenset[str]) -> frozenset[str]:
    return frozenset(word for word in foreign if rows.share_of(word) < 0.5)


def _sample(everything: Sequence[rows.Row]) -> list[rows.Row]:
    return [row for row in everything if rows.share_of(row.typed + row.kind) < _SHARES[row.kind]]
