"""Which words of a query may be wrong, what each was probably meant to be, and what speaks for and against it.

    word ──► unknown, or rare, or a name ──► candidates ──► ranker: the likeliest beside its neighbours ──► signs

A list of names has nearly every short misspelling (`lether`, `wetch`). So a name may be wrong too: how well it is
known, how common the other word is, and their neighbours are signs for the judge.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log
from typing import Final

from sluicegate.models.text.candidates import Candidate, CandidateFinder
from sluicegate.models.text.language import LetterModel
from sluicegate.models.text.ranking import LinearModel
from sluicegate.models.text.word_list import Entry, Kind, WordList, base_forms
from sluicegate.models.text.word_pairs import WordPairs

_SHORTEST: Final = 3
_LONGEST: Final = 20
_MOST_WORDS: Final = 32
_MOST_UNKNOWN: Final = 4
"""A query with more unknown words is in another language, or does not consist of words."""
_MARGIN: Final = 6.0
_RANKED: Final = 8
"""Candidates that are compared beside their neighbours."""
_COMMON: Final = 5_000
"""Uses in a thousand million words from which a word is never doubted."""
_VERY_COMMON: Final = 20_000
_TIMES_COMMONER: Final = 20
"""How much commoner the other word must be, for a word that is known."""
_WHOLE_PROBABILITY: Final = 0.97
"""Of two words that only capitals part, as in `planTOTAL`, and of a word that is parted, as in `bask etball`. No model
is needed to tell them: in 17,500 correct queries no two words were joined."""
_SHORTEST_JOINED: Final = 6
_JOINED_COUNT: Final = 1_000

_TOKEN: Final = re.compile(r"([\"'(\[]*)([A-Za-z]+(?:['’][a-z]{1,2})?)([\"')\],.?!:;]*)")
_CAPITALS_AFTER: Final = re.compile(r"([a-z]{3,})([A-Z]{3,})")
_FOREIGN_LETTER: Final = re.compile(r"[^\W\d_a-zA-Z]")
_SIGNS: Final = "\"'()[],.?!:;"


@dataclass(frozen=True)
class Finding:
    """A doubtful word and what it was probably meant to be: words `start` to `end` of the query become `meant`."""

    start: int
    end: int
    meant: str
    signs: tuple[float, ...]
    probability: float | None = None
    """Where no model is needed to tell it."""

    @property
    def is_of_known_word(self) -> bool:
        """Whether a dictionary or a list of well-known names has the word."""
        return bool(self.signs) and self.signs[_KNOWN] > 0


JUDGE_SIGNS: Final = (
    *("rank", "margin", "slip", "log_count", "edits", "other_start", "other_end", "sounds_alike", "swapped", "split"),
    *("letters", "short", "very_short", "englishness", "gained_englishness", "foreign", "single", "known_share"),
    *("unknown_others", "capital", "misspelling", "other_misspelling"),
    *("rare", "known", "typed_log_count", "left", "right", "typed_left", "typed_right", "pairs", "typed_pairs"),
)
_KNOWN: Final = JUDGE_SIGNS.index("known")


class Finder:
    """Finds what may be wrong in a query. Thread-safe."""

    def __init__(
        self, words: WordList, pairs: WordPairs, finder: CandidateFinder, ranker: LinearModel, letters: LetterModel
    ) -> None:
        self._words = words
        self._pairs = pairs
        self._finder = finder
        self._ranker = ranker
        self._letters = letters
        *_, self._left_weight, self._right_weight = ranker.weights.values()
        self._ranked = lru_cache(maxsize=16_384)(self._rank)

    def forget(self) -> None:
        """Forget the words that were looked up before: for measuring."""
        self._ranked.cache_clear()
        self._words.forget()

    def findings(self, tokens: Sequence[str]) -> list[Finding]:
        """The likeliest correction of each doubtful word, right or wrong; none in a query of another language."""
        doubtful = [place for place, token in enumerate(tokens) if self._is_doubtful(token)]
        if not doubtful or len(tokens) > _MOST_WORDS:
            return []
        words = [token.lower().strip(_SIGNS) for token in tokens]
        entries = [self._words.known_as(word) for word in words]
        unknown = [place for place in doubtful if entries[place].kind is Kind.UNKNOWN]
        if len(unknown) > _MOST_UNKNOWN or any(_FOREIGN_LETTER.search(token) for token in tokens):
            return []
        joined: dict[int, Finding] = {}
        for place in doubtful:
            if place not in joined and (finding := self._joined(tokens, place, entries)):
                joined |= dict.fromkeys(range(finding.start, finding.end), finding)
        found = list(dict.fromkeys(joined.values()))
        if not self._is_foreign(words, len(unknown)):
            near = (self._near(tokens, words, entries, place, unknown) for place in doubtful if place not in joined)
            found += [finding for finding in near if finding]
        return found

    def _is_doubtful(self, token: str) -> bool:
        entry = self._words.entry(token)
        if entry.count >= _COMMON or entry.is_own:
            return False
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return False
        entry = self._words.known_as(parts[2].lower())
        return entry.count < _COMMON and not entry.is_own

    def _is_foreign(self, words: Sequence[str], unknown: int) -> bool:
        """Whether the query is in another language: it has more of their words than English ones."""
        foreign = english = 0
        for word in words:
            count = self._words.count(word)
            if count < _VERY_COMMON and self._words.is_foreign(word):
                foreign += count < _COMMON  # else it may be either
            elif len(word) > 1 and count >= _COMMON:
                english += 1
        return foreign > 0 and foreign + unknown > 2 * english and len(words) > 1

    def _joined(self, tokens: Sequence[str], place: int, entries: Sequence[Entry]) -> Finding | None:
        """The unknown word and its neighbour as one word, if that is one."""
        if entries[place].kind is Kind.KNOWN:
            return None
        for start in (place - 1, place):
            pair = tokens[start : start + 2] if start >= 0 else []
            if len(pair) < 2 or not all(part.isascii() and part.isalpha() for part in pair):
                continue
            word = "".join(pair).lower()
            if len(word) >= _SHORTEST_JOINED and self._words.count(word) >= _JOINED_COUNT:
                return Finding(start, start + 2, _in_case(pair[0], word), (), _WHOLE_PROBABILITY)
        return None

    def _near(
        self,
        tokens: Sequence[str],
        words: Sequence[str],
        entries: Sequence[Entry],
        place: int,
        unknown: Sequence[int],
    ) -> Finding | None:
        parts = _TOKEN.fullmatch(tokens[place])
        if parts is None:
            return None
        before, written, after = parts.groups()
        if capitals := _CAPITALS_AFTER.fullmatch(written):
            halves = [half.lower() for half in capitals.groups()]
            if all(self._words.count(half) > _VERY_COMMON for half in halves):
                return Finding(place, place + 1, f"{before}{' '.join(halves)}{after}", (), _WHOLE_PROBABILITY)
        if not (written.islower() or written.istitle()):
            return None
        word = written.lower()
        if not (_SHORTEST <= len(word) <= _LONGEST or self._words.meant_by(word)) or "'" in word or "’" in word:
            return None
        ranked = self._ranked(word)
        if not ranked:
            return None
        beside = self._beside(words, entries, place, ranked)
        signs = self._signs(tokens, words, entries, place, unknown, beside)
        return Finding(place, place + 1, f"{before}{_in_case(written, beside[0][1].text)}{after}", signs)

    def _rank(self, word: str) -> list[tuple[float, Candidate]]:
        """The candidates for `word` without regard to its neighbours, likeliest first."""
        entry = self._words.known_as(word)
        found = self._finder.find(word, 1 if entry.kind is Kind.KNOWN else None)
        if entry.kind is not Kind.UNKNOWN:
            least = entry.count * _TIMES_COMMONER
            found = [each for each in found if self._words.count(each.text) >= least and not _is_form(word, each.text)]
        meant = self._words.meant_by(word)
        known = self._finder.of(word, meant) if meant else None
        if known and all(each.text != meant for each in found):
            found.append(known)
        ranked = [(self._ranker.log_odds(each.signs), each) for each in found]
        if known:  # what the list of misspellings says comes first of all
            ranked = [(odds + (_MARGIN if each.text == meant else 0.0), each) for odds, each in ranked]
        return sorted(ranked, key=lambda each: -each[0])[:_RANKED]

    def _beside(
        self, words: Sequence[str], entries: Sequence[Entry], place: int, ranked: Sequence[tuple[float, Candidate]]
    ) -> list[tuple[float, Candidate]]:
        """`ranked`, with how well each goes with the word before and the word after, likeliest first."""
        found = []
        for odds, candidate in ranked:
            left, right = self.gains(words, entries, place, candidate.text)
            signs = (*candidate.signs[:-2], left, right)
            odds += self._left_weight * left + self._right_weight * right
            found.append((odds, Candidate(candidate.text, signs)))
        return sorted(found, key=lambda each: -each[0])

    def gains(self, words: Sequence[str], entries: Sequence[Entry], place: int, text: str) -> tuple[float, float]:
        """How well `text` in place of word `place` goes with the word before and after; 0 where there is no word."""
        first, _, last = text.partition(" ")
        last = last or first
        left = right = 0.0
        if place and entries[place - 1].count:
            left = self._pairs.gain(
                words[place - 1], entries[place - 1].count, first, self._words.known_as(first).count
            )
        if place + 1 < len(words) and entries[place + 1].count:
            right = self._pairs.gain(last, self._words.known_as(last).count, words[place + 1], entries[place + 1].count)
        return left, right

    def _pairs_with(self, words: Sequence[str], place: int, text: str) -> float:
        """With how many of its neighbours `text` in place of word `place` is a pair."""
        first, _, last = text.partition(" ")
        before = place > 0 and self._pairs.seen(words[place - 1], first)
        after = place + 1 < len(words) and self._pairs.seen(last or first, words[place + 1])
        return float(before) + float(after)

    def _signs(
        self,
        tokens: Sequence[str],
        words: Sequence[str],
        entries: Sequence[Entry],
        place: int,
        unknown: Sequence[int],
        ranked: Sequence[tuple[float, Candidate]],
    ) -> tuple[float, ...]:
        """What speaks for and against the first of `ranked`, in the order of `JUDGE_SIGNS`."""
        rank, best = ranked[0]
        word, entry = words[place], entries[place]
        slip, log_count, edits, other_start, other_end, sounds_alike, swapped, letters, split, left, right = best.signs
        others = len(tokens) - 1
        known = others - sum(other != place for other in unknown)
        englishness = self._letters.englishness(word)
        meant = self._words.meant_by(word)
        typed_left, typed_right = self.gains(words, entries, place, word)
        return (
            rank,
            min(_MARGIN, rank - ranked[1][0]) if len(ranked) > 1 else _MARGIN,
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
            float(letters <= 3),
            englishness,
            self._letters.englishness(best.text) - englishness,
            float(self._words.is_foreign(word)),
            float(others == 0),
            known / others if others else 0.0,
            float(others - known),
            float(place > 0 and tokens[place][:1].isupper() and not all(token[:1].isupper() for token in tokens)),
            float(meant == best.text),
            float(meant is not None and meant != best.text),
            float(entry.kind is Kind.RARE),
            float(entry.kind is Kind.KNOWN),
            log(entry.count + 1),
            left,
            right,
            typed_left,
            typed_right,
            self._pairs_with(words, place, best.text),
            self._pairs_with(words, place, word),
        )


def _is_form(word: str, other: str) -> bool:
    """Whether one of the two is the plural of the other."""
    return other in base_forms(word) or word in base_forms(other)


def _in_case(typed: str, meant: str) -> str:
    return meant[:1].upper() + meant[1:] if typed[:1].isupper() else meant
