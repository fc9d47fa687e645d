"""Corrects the spelling of a query, or offers a correction: by word lists and a small linear model, nothing else.

    words ──► all known? ──► the query stays
              unknown ──► candidates ──► ranker: the likeliest ──► judge: is it right? ──► sure: done; likely: offered

It does no harm before it does good. It changes only words that no list knows, only in English queries, and never the
things that `models.text.meaning` and `models.text.rewrite_guard` name. `speller.json` has the weights and the bounds.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from sluicegate.models.text.candidates import SIGNS, Candidate, CandidateFinder
from sluicegate.models.text.language import LetterModel, is_english
from sluicegate.models.text.ranking import LinearModel, probability_of
from sluicegate.models.text.slip_model import SlipModel
from sluicegate.models.text.word_list import WordList
from sluicegate.schemas.errors import CompiledModelError
from sluicegate.schemas.events import Suggestion

SPELLER_FILE: Final = "speller.json"

_SHORTEST: Final = 4
_LONGEST: Final = 20
_MOST_WORDS: Final = 32
_MOST_UNKNOWN: Final = 3
"""A query with more unknown words is in another language, or does not consist of words."""
_MARGIN: Final = 6.0
_SMALL: Final = 2
"""Letters of the longest word that says nothing about the others."""
_SHORTEST_NAME: Final = 5
_COMMON: Final = 20_000
"""Uses in a thousand million of a word that a name may have been meant to be."""
_WHOLE_PROBABILITY: Final = 0.97
"""Of two words that only capitals part, as in `planTOTAL`, and of a word that is parted, as in `bask etball`. No model
is needed to tell them: in 3,000 correct queries there was none of either kind."""
_SHORTEST_JOINED: Final = 7
_JOINED_COUNT: Final = 2_000

_TOKEN: Final = re.compile(r"([\"'(\[]*)([A-Za-z]+(?:['’][a-z]{1,2})?)([\"')\],.?!:;]*)")
_CAPITALS_AFTER: Final = re.compile(r"([a-z]{3,})([A-Z]{3,})")
_FOREIGN_LETTER: Final = re.compile(r"[^\W\d_a-zA-Z]")


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

    `sure_alone`, `sure`, `all_sure` and `likely` are bounds on the probability: to correct a query of one word, to
    correct one word of a query, to correct several, to offer a correction.
    """

    slips: dict[str, float]
    unseen_slip: float
    letters: dict[str, float]
    ranker: LinearModel
    judge: LinearModel
    sure_alone: float
    sure: float
    all_sure: float
    likely: float


@dataclass(frozen=True)
class Finding:
    """An unknown word and what it was probably meant to be: words `start` to `end` of the query become `meant`."""

    start: int
    end: int
    meant: str
    signs: tuple[float, ...]
    probability: float | None = None
    """Where no model is needed to tell it."""


JUDGE_SIGNS: Final = (
    *(
        "rank",
        "margin",
        "slip",
        "log_count",
        "edits",
        "other_start",
        "other_end",
        "sounds_alike",
        "swapped",
        "split",
        "letters",
        "short",
    ),
    *("englishness", "gained_englishness", "foreign", "single", "known_share", "unknown_others", "capital"),
    *("misspelling", "other_misspelling"),
)


class Speller:
    """Corrects queries. Thread-safe."""

    def __init__(self, words: WordList, weights: SpellerWeights) -> None:
        self._words = words
        self._weights = weights
        self._letters = LetterModel(weights.letters)
        self._finder = CandidateFinder(words.counts, SlipModel(weights.slips, weights.unseen_slip))
        self._ranked = lru_cache(maxsize=16_384)(self._rank)

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
        return cls(WordList.load(folder), weights)

    def correct(self, text: str, locale: str | None = None) -> Correction:
        """The correction of a normalised query. `locale` is the user's, as `en-GB`: another language is left alone."""
        tokens = text.split(" ")
        unknown = [place for place in range(len(tokens)) if self._may_be_wrong(tokens, place)]
        if not unknown or not is_english(locale):
            return Correction(text)
        findings = self._findings(tokens, unknown)
        if not findings:
            return Correction(text)
        return self._decide(text, tokens, [(self._probability(found), found) for found in findings])

    def knows(self, word: str) -> bool:
        """Whether some list has `word`, in lower case, as a word or a name of any language."""
        return self._words.knows(word) or word in self._words.foreign

    def findings(self, text: str) -> list[Finding]:
        """The likeliest correction of each unknown word, right or wrong: for training."""
        tokens = text.split(" ")
        return self._findings(tokens, [place for place, token in enumerate(tokens) if self._is_unknown(token)])

    def _probability(self, found: Finding) -> float:
        if found.probability is not None:
            return found.probability
        return probability_of(self._weights.judge.log_odds(found.signs))

    def forget(self) -> None:
        """Forget the words that were looked up before: for measuring."""
        self._ranked.cache_clear()

    def _decide(self, text: str, tokens: list[str], judged: list[tuple[float, Finding]]) -> Correction:
        weights = self._weights
        alone = sum(len(token) > _SMALL for token in tokens) == 1
        bound = weights.sure_alone if alone else weights.sure
        sure = [(probability, found) for probability, found in judged if probability >= bound]
        if len(sure) > 1 and min(probability for probability, _ in sure) < weights.all_sure:
            sure = []
        done = _written(tokens, [found for _, found in sure])
        likely = [(probability, found) for probability, found in judged if probability >= weights.likely]
        offered = []
        if len(likely) > len(sure):
            whole = 1.0
            for probability, _ in likely:
                whole *= probability
            offered.append(
                Suggestion(text=_written(tokens, [found for _, found in likely]), probability=round(whole, 4))
            )
        if not sure:
            return Correction(text, 1.0, tuple(offered))
        return Correction(done, round(min(probability for probability, _ in sure), 4), tuple(offered))

    def _may_be_wrong(self, tokens: Sequence[str], place: int) -> bool:
        """Whether a word is unknown, or is a name that a common word becomes by one slip, among other common words.

        Some list of names has nearly every short misspelling, `runing` too; a name that stands alone stays.
        """
        token = tokens[place]
        if self._is_unknown(token):
            return True
        counts = self._words.counts
        if (
            token in counts
            or len(token) < _SHORTEST_NAME
            or not (token.islower() and token.isascii() and token.isalpha())
        ):
            return False
        common = any(counts.get(other.lower(), 0) >= _COMMON for other in (*tokens[:place], *tokens[place + 1 :]))
        return common and any(counts.get(form, 0) >= _COMMON for form in _one_easy_slip_from(token))

    def _is_unknown(self, token: str) -> bool:
        if token in self._words.counts:
            return False
        parts = _TOKEN.fullmatch(token)
        return parts is not None and not self._words.knows(parts[2].lower())

    def _findings(self, tokens: Sequence[str], unknown: Sequence[int]) -> list[Finding]:
        if len(tokens) > _MOST_WORDS or len(unknown) > _MOST_UNKNOWN or self._is_foreign(tokens, unknown):
            return []
        found: list[Finding] = []
        for place in unknown:
            if found and place < found[-1].end:
                continue
            finding = self._joined(tokens, place) or self._near(tokens, place, unknown)
            if finding:
                found.append(finding)
        return found

    def _is_foreign(self, tokens: Sequence[str], unknown: Sequence[int]) -> bool:
        """Whether the query is in another language: it has their letters, or more of their words than English ones."""
        if any(_FOREIGN_LETTER.search(token) for token in tokens):
            return True
        foreign = english = 0
        for token in tokens:
            word = token.lower()
            count = self._words.counts.get(word, 0)
            if word in self._words.foreign and count < 20_000:
                foreign += 1
            elif len(word) > 1 and count >= 5_000:
                english += 1
        return foreign > 0 and foreign + len(unknown) > 2 * english and len(tokens) > 1

    def _joined(self, tokens: Sequence[str], place: int) -> Finding | None:
        """The unknown word and its neighbour as one word, if that is one."""
        for start in (place - 1, place):
            pair = tokens[start : start + 2] if start >= 0 else []
            if len(pair) < 2 or not all(part.isascii() and part.isalpha() for part in pair):
                continue
            word = "".join(pair).lower()
            if len(word) >= _SHORTEST_JOINED and self._words.counts.get(word, 0) >= _JOINED_COUNT:
                return Finding(start, start + 2, _in_case(pair[0], word), (), _WHOLE_PROBABILITY)
        return None

    def _near(self, tokens: Sequence[str], place: int, unknown: Sequence[int]) -> Finding | None:
        parts = _TOKEN.fullmatch(tokens[place])
        if parts is None:
            return None
        before, written, after = parts.groups()
        if capitals := _CAPITALS_AFTER.fullmatch(written):
            halves = [half.lower() for half in capitals.groups()]
            if all(self._words.counts.get(half, 0) > 20_000 for half in halves):
                return Finding(place, place + 1, f"{before}{' '.join(halves)}{after}", (), _WHOLE_PROBABILITY)
        if not (written.islower() or written.istitle()):
            return None
        word = written.lower()
        meant = self._words.misspellings.get(word)
        if not (_SHORTEST <= len(word) <= _LONGEST or meant) or "'" in word or "’" in word:
            return None
        ranked = self._ranked(word)
        if not ranked:
            return None
        signs = self._signs(tokens, place, unknown, ranked)
        return Finding(place, place + 1, f"{before}{_in_case(written, ranked[0].text)}{after}", signs)

    def _rank(self, word: str) -> list[Candidate]:
        """The candidates for `word`, likeliest first; what the list of misspellings says comes first of all."""
        found = self._finder.find(word)
        log_odds = self._weights.ranker.log_odds
        ranked = sorted(found, key=lambda candidate: log_odds(candidate.signs), reverse=True)
        meant = self._words.misspellings.get(word)
        known = self._finder.of(word, meant) if meant else None
        return [known, *(each for each in ranked if each.text != meant)] if known else ranked

    def _signs(
        self,
        tokens: Sequence[str],
        place: int,
        unknown: Sequence[int],
        ranked: Sequence[Candidate],
    ) -> tuple[float, ...]:
        """What speaks for and against the first of `ranked`, in the order of `JUDGE_SIGNS`."""
        best = ranked[0]
        log_odds = self._weights.ranker.log_odds
        rank = log_odds(best.signs)
        margin = min(_MARGIN, rank - log_odds(ranked[1].signs)) if len(ranked) > 1 else _MARGIN
        word = tokens[place].lower().strip("\"'()[],.?!:;")
        slip, log_count, edits, other_start, other_end, sounds_alike, swapped, letters, split = best.signs
        others = len(tokens) - 1
        known = others - len(unknown) + 1
        englishness = self._letters.englishness(word)
        meant = self._words.misspellings.get(word)
        return (
            rank,
            margin,
            slip,
            log_count,
            edits,
            other_start,
            other_end,
            sounds_alike,
            swapped,
            split,
            letters,
            float(letters <= 5),
            englishness,
            self._letters.englishness(best.text) - englishness,
            float(word in self._words.foreign),
            float(others == 0),
            known / others if others else 0.0,
            float(len(unknown) - 1),
            float(tokens[place][:1].isupper() and not all(token[:1].isupper() for token in tokens)),
            float(meant == best.text),
            float(meant is not None and meant != best.text),
        )


def _written(tokens: Sequence[str], findings: Sequence[Finding]) -> str:
    words = list(tokens)
    for found in reversed(findings):
        words[found.start : found.end] = [found.meant]
    return " ".join(words)


def _in_case(typed: str, meant: str) -> str:
    return meant[:1].upper() + meant[1:] if typed[:1].isupper() else meant


def _one_easy_slip_from(word: str) -> set[str]:
    """`word` with one letter doubled, and with two neighbours swapped: what it may be where that slip was made."""
    doubled = {word[: place + 1] + word[place:] for place in range(len(word))}
    swapped = {word[:place] + word[place + 1] + word[place] + word[place + 2 :] for place in range(len(word) - 1)}
    return (doubled | swapped) - {word}
