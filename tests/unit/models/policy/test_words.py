"""What counts as one word, and which words are equal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.models.policy.words import words_of


def folded(text: str) -> list[str]:
    return [word.folded for word in words_of(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Pipe  BOMB", ["pipe", "bomb"]),
        ("pipe-bomb pipe_bomb pipe\u2011bomb", ["pipe", "bomb"] * 3),
        ("assistance, ass!", ["assistance", ",", "ass", "!"]),
        ("Ünïcode Straße ŁÓDŹ", ["unicode", "strasse", "łodz"]),
        ("İstanbul ｆｕｌｌ ﬁn", ["istanbul", "full", "fin"]),
        ("don’t don't", ["don", "'", "t"] * 2),
        ("c++ a$$ #kys", ["c", "+", "+", "a", "$", "$", "#", "kys"]),
        ("b0mb 1488ers", ["b0mb", "1488ers"]),
        ("制造炸弹", ["制", "造", "炸", "弹"]),
        ("がく かく", ["が", "く", "か", "く"]),
        ("हिन्दी", ["हिन्दी"]),
        ("ก\u0e33", ["ก", "\u0e4d", "\u0e32"]),
        ("ก\u0e4d\u0e32", ["ก", "\u0e4d", "\u0e32"]),
        ("한국어", ["한국어"]),
        ("zero\u200bwidth \u0301", ["zero", "width"]),
        ("½ 🍆", ["1", "⁄", "2", "🍆"]),
        ("", []),
    ],
)
def test_words_are_whole_and_lose_case_and_accents(text: str, words: list[str]) -> None:
    assert folded(text) == words


@given(st.text(max_size=60))
def test_each_word_says_where_it_is(text: str) -> None:
    ends = [0]
    for word in words_of(text):
        assert ends[-1] <= word.start < word.end <= len(text) or (word.start, word.end) == tuple(ends[-2:])
        assert folded(text[word.start : word.end])
        ends += [word.start, word.end]


@given(st.text(st.characters(categories=["L", "N", "Zs", "Pd"]), max_size=40))
def test_case_does_not_matter(text: str) -> None:
    assert folded(text) == folded(text.casefold()) == folded(unicodedata.normalize("NFKC", text.casefold()))
