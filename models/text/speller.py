"""Corrects the spelling of a query, or offers a correction: by word lists, pairs of words and small learnt models.

    query ──► findings: doubtful words, each with its likeliest correction ──► judge: is it right? ──► sure: done
                 ▲                                                                                 └► likely: offered
                 └────────────── again, with the surest correction written ◄───────────────────────┘

It does no harm before it does good. It changes only English queries, only words that are unknown or rare, and never the
things that `models.text.meaning` and `models.text.rewrite_guard` name. `speller.json` has the weights and the bounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from sluicegate.models.text.candidates import SIGNS, CandidateFinder
from sluicegate.models.text.findings import JUDGE_SIGNS, Finder, Finding
from sluicegate.models.text.language import LetterModel, is_english
from sluicegate.models.text.ranking import LinearModel, probability_of
from sluicegate.models.text.slip_model import SlipModel
from sluicegate.models.text.word_list import WordList
from sluicegate.models.text.word_pairs import WordPairs
from sluicegate.schemas.errors import CompiledModelError
from sluicegate.schemas.events import Suggestion

SPELLER_FILE: Final = "speller.json"

_SMALL: Final = 2
"""Letters of the longest word that says nothing about the others."""
_MOST_CORRECTIONS: Final = 4


@dataclass(frozen=True)
class Correction:
    """A query with its certain corrections, and what was probably meant but is not certain.

    `text` equals the query where nothing is corrected, and `probability` is then 1. `suggestions`, likeliest first, are
    whole queries: for "did you mean". No word of a correction or of a suggestion is rude or unsafe unless the user
    typed it.
    """

    text: str
    probability: float = 1.0
    suggestions: tuple[Suggestion, ...] = ()


class SpellerWeights(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `speller.json`.

    `sure_alone`, `sure`, `sure_known`, `all_sure` and `likely` are bounds on the probability: to correct a query of one
    word, to correct one word of a query, one that is known, to correct several, to offer a correction.
    """

    slips: dict[str, float]
    unseen_slip: float
    letters: dict[str, float]
    ranker: LinearModel
    judge: LinearModel
    sure_alone: float
    sure: float
    sure_known: float
    all_sure: float
    likely: float


class Speller:
    """Corrects queries. Thread-safe."""

    def __init__(self, words: WordList, pairs: WordPairs, weights: SpellerWeights) -> None:
        self._weights = weights
        self._words = words
        candidates = CandidateFinder(words, SlipModel(weights.slips, weights.unseen_slip), pairs.gain)
        self._finder = Finder(words, pairs, candidates, weights.ranker, LetterModel(weights.letters))

    @classmethod
    def load(cls, folder: Path) -> "Speller":
        """The speller of the compiled model in `folder`, with the user's own words from its `lexicon.txt`.

        Raises:
            CompiledModelError: a file of it is missing or damaged; names it.
        """
        path = folder / SPELLER_FILE
        try:
            weights = msgspec.json.decode(path.read_bytes(), type=SpellerWeights)
        except (OSError, msgspec.DecodeError) as error:
            raise CompiledModelError(f"cannot read {path}: {error}. Copy or compile the model again.") from None
        if (tuple(weights.ranker.weights), tuple(weights.judge.weights)) != (SIGNS, JUDGE_SIGNS):
            raise CompiledModelError(f"{path} was made for other signs than this version has. Compile the model again.")
        return cls(WordList.load(folder), WordPairs.load(folder), weights)

    def correct(self, text: str, locale: str | None = None) -> Correction:
        """The correction of a normalised query. `locale` is the user's, as `en-GB`: another language is left alone."""
        if not is_english(locale):
            return Correction(text)
        tokens = text.split(" ")
        alone = sum(len(token) > _SMALL for token in tokens) == 1
        judged = self._judged(tokens)
        if not judged:
            return Correction(text)
        bound = self._weights.sure_alone if alone else self._weights.sure
        known = self._weights.sure_known
        probability = 1.0
        for _ in range(_MOST_CORRECTIONS):
            sure = [each for each in judged if each[0] >= (max(bound, known) if each[1].is_of_known_word else bound)]
            if not sure:
                break
            surest, found = max(sure, key=lambda each: each[0])
            tokens = _written(tokens, [found])
            probability = min(probability, surest)
            bound = max(bound, self._weights.all_sure)
            judged = self._judged(tokens)
        likely = [(chance, found) for chance, found in judged if chance >= self._weights.likely]
        done = " ".join(tokens)
        return Correction(done, round(probability, 4), _offered(tokens, likely))

    def knows(self, word: str) -> bool:
        """Whether some list has `word`, in lower case, as a word or a name of any language."""
        return self._words.knows(word) or self._words.is_foreign(word)

    def findings(self, text: str) -> list[Finding]:
        """The likeliest correction of each doubtful word, right or wrong: for training."""
        return self._finder.findings(text.split(" "))

    def forget(self) -> None:
        """Forget the words that were looked up before: for measuring."""
        self._finder.forget()

    def _judged(self, tokens: Sequence[str]) -> list[tuple[float, Finding]]:
        return [(self._probability(found), found) for found in self._finder.findings(tokens)]

    def _probability(self, found: Finding) -> float:
        if found.probability is not None:
            return found.probability
        return probability_of(self._weights.judge.log_odds(found.signs))


def _offered(tokens: Sequence[str], likely: Sequence[tuple[float, Finding]]) -> tuple[Suggestion, ...]:
    if not likely:
        return ()
    whole = 1.0
    for probability, _ in likely:
        whole *= probability
    text = " ".join(_written(tokens, [found for _, found in likely]))
    return (Suggestion(text=text, probability=round(whole, 4)),)


def _written(tokens: Sequence[str], findings: Sequence[Finding]) -> list[str]:
    words = list(tokens)
    for found in reversed(findings):
        words[found.start : found.end] = found.meant.split(" ")
    return words
