"""What the lexicon hints at, and what it leaves alone."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.models.text.lexicon import Lexicon
from sluicegate.schemas.errors import CompiledModelError

COUNTS = {
    "shoes": 900,
    "shows": 5000,
    "running": 800,
    "red": 3000,
    "bluetooth": 200,
    "speaker": 300,
    "for": 90_000,
    "women": 2000,
    "refrigerator": 150,
    "stainless": 100,
    "steel": 700,
    "nike": 400,
    "bike": 500,
    "cot": 10,
}


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon(COUNTS)


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("runing shoes for women", "running shoes for women"),
        ("stainles steel refridgerator", "stainless steel refrigerator"),
        ("Red SHOSE", "red shoes"),  # two letters swapped, although "shows" is commoner
        ("bluetoothspeaker", "bluetooth speaker"),
        ("blue tooth speaker", "bluetooth speaker"),
        ("refri gerator", "refrigerator"),
        ("red shoes", None),
        ("", None),
        ("xqzwv", None),
        ("shoes 42 b12x", None),  # numbers are never words
        ("кеды red", None),
        ("lorem ipsumi dolorq ametz shose", None),  # not English
        (" ".join(["shose", *["red"] * 24]), None),  # a message, not a search
    ],
)
def test_unknown_words_are_hinted_at(lexicon: Lexicon, query: str, hint: str | None) -> None:
    assert lexicon.hint(query) == hint


def test_a_hidden_word_is_unknown_and_not_hinted_at(lexicon: Lexicon) -> None:
    assert lexicon.hint("nike shoes", hidden={"nike"}) == "bike shoes"
    assert lexicon.hint("runing shoes", hidden={"running"}) is None


def test_what_was_saved_is_loaded(lexicon: Lexicon, tmp_path: Path) -> None:
    lexicon.save(tmp_path / "lexicon.txt")
    assert Lexicon.load(tmp_path / "lexicon.txt").counts == COUNTS


@pytest.mark.parametrize("content", [None, b"a 1\nword", b"a 1\nword many", b"a 1\na b 3", b"\xff 3"])
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "lexicon.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CompiledModelError, match=r"cannot read|lexicon.txt, line 2: "):
        Lexicon.load(path)


@given(st.text(max_size=60))
def test_no_query_breaks_it_and_a_hint_is_made_of_known_and_given_words(query: str) -> None:
    hint = SHARED.hint(query)
    if hint is not None:
        assert hint != query.lower()
        given_words = query.lower().split(" ")
        assert all(word in COUNTS or word in given_words for word in hint.split(" "))


SHARED = Lexicon(COUNTS)
