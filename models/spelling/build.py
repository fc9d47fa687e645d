"""From lists and rows to the speller's files, in one go: words, slips, letters, ranker, judge.

The judge must know what an unknown name looks like. So while it learns, a third of the names is hidden from the word
list, and half of the misspellings too. What is saved has all of them.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from sluicegate.models.spelling import rows
from sluicegate.models.spelling.training import examples_of, learn_judge, learn_ranker
from sluicegate.models.spelling.words import Words, build_words
from sluicegate.models.text.candidates import CandidateFinder
from sluicegate.models.text.language import LetterModel
from sluicegate.models.text.ranking import LinearModel
from sluicegate.models.text.slip_model import SlipModel
from sluicegate.models.text.speller import JUDGE_SIGNS, SPELLER_FILE, Speller, SpellerWeights
from sluicegate.models.text.word_list import WordList, save_word_list

SURE_ALONE: Final = 0.85
SURE: Final = 0.9
ALL_SURE: Final = 0.9
LIKELY: Final = 0.5
"""The bounds. Chosen on dev rows and on rows that may not be trained on; SPELLING.md has the numbers."""

_HIDDEN_NAMES: Final = 1 / 3
_HIDDEN_MISSPELLINGS: Final = 0.5
_RANKER_PAIRS: Final = 4_000
_SHARES: Final = {
    "misspelt word": 0.1,
    "misspelt query": 0.2,
    "slipped": 0.04,
    "run together": 0.015,
    "other language": 0.8,
    "clean name": 0.4,
}
_SHARE_OF_CLEAN: Final = 0.12
"""Shares of the rows that the judge learns from, so that it takes a minute."""


def build(data: Path, dictionaries: Path, out: Path, progress: Callable[[str], None]) -> None:
    """Write the speller's files into `out`."""
    misspelt = list(rows.pairs(data, "train"))
    clean, foreign = list(rows.clean(data)), list(rows.foreign(data))
    progress(f"{len(misspelt)} misspelt, {len(clean)} clean, {len(foreign)} rows of other languages")
    pairs = {
        row.typed.lower(): row.meant.lower()
        for row in misspelt
        if row.kind == "misspelt word" and row.typed.isalpha() and row.meant.isalpha()
    }
    texts = [row.meant for row in clean] + [row.meant for row in misspelt if row.kind == "misspelt query"]
    lists = data / "lists"
    words = build_words(lists, dictionaries, texts, pairs)
    known_half = {typed: meant for typed, meant in pairs.items() if rows.share_of(typed) >= _HIDDEN_MISSPELLINGS}
    fewer = build_words(lists, dictionaries, texts, known_half, hidden=lambda word: rows.share_of(word) < _HIDDEN_NAMES)
    progress(f"{len(words.counts)} words with counts, {len(words.names)} names, {len(words.foreign)} foreign words")
    sample = _sample([*misspelt, *clean, *foreign, *rows.slipped(clean)])
    weights = learn(words, fewer, pairs, sample, progress)
    out.mkdir(parents=True, exist_ok=True)
    save_word_list(out, words.counts, words.names, words.foreign, words.misspellings)
    (out / SPELLER_FILE).write_bytes(msgspec.json.encode(weights) + b"\n")


def learn(
    words: Words, fewer: Words, pairs: dict[str, str], sample: Sequence[rows.Row], progress: Callable[[str], None]
) -> SpellerWeights:
    """The weights. `fewer` are `words` without the hidden ones."""
    slip_model = SlipModel.learn(pairs.items())
    english = [word for word, count in words.counts.items() if count >= 1_000]
    letters = LetterModel.learn(english, sorted(words.foreign))
    finder = CandidateFinder(fewer.counts, slip_model)
    some = sorted(pairs.items(), key=lambda pair: rows.share_of(pair[0] + "ranker"))[:_RANKER_PAIRS]
    joined = [(row.typed, row.meant) for row in sample if row.kind == "run together"]
    ranker = learn_ranker(finder, some + joined)
    progress(f"ranker: {ranker.weights}")
    unjudged = SpellerWeights(
        slips=slip_model.costs,
        unseen_slip=slip_model.unseen,
        letters=letters.ratios,
        ranker=ranker,
        judge=LinearModel(dict.fromkeys(JUDGE_SIGNS, 0.0), 0.0),
        sure_alone=SURE_ALONE,
        sure=SURE,
        all_sure=ALL_SURE,
        likely=LIKELY,
    )
    speller = Speller(WordList(fewer.counts, fewer.names, _half(fewer.foreign), fewer.misspellings), unjudged)
    examples = examples_of(speller, sample)
    progress(f"judge: {len(examples)} findings, {sum(right for _, right in examples)} of them right")
    judge = learn_judge(examples)
    progress(f"judge: {judge.weights}")
    return msgspec.structs.replace(unjudged, judge=judge)


def _half(foreign: frozenset[str]) -> list[str]:
    return [word for word in foreign if rows.share_of(word) < 0.5]


def _sample(everything: Sequence[rows.Row]) -> list[rows.Row]:
    return [row for row in everything if rows.share_of(row.typed + row.kind) < _SHARES.get(row.kind, _SHARE_OF_CLEAN)]
