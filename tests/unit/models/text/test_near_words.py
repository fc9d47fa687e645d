"""The index of near words finds what comparing with every word finds."""

from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from sluicegate.models.text.near_words import MAX_EDITS, NearWords

words = st.text("abc'é", min_size=1, max_size=9)
"""A small alphabet, so that near words are common; two of its letters share a code in the index."""


@given(st.lists(words, unique=True, max_size=40), words, st.integers(0, MAX_EDITS))
def test_every_word_within_the_edits_is_found_and_no_other(known: list[str], typed: str, edits: int) -> None:
    expected = {word: distance for word in known if (distance := OSA.distance(typed, word)) <= edits}
    assert dict(NearWords(known).within(typed, edits)) == expected


def test_words_far_longer_than_the_indexed_prefix_are_found() -> None:
    near = NearWords(["refrigerators", "refrigerator", "refreshment"])
    assert near.within("refridgerator", 1) == [("refrigerator", 1)]
    assert near.within("refridgerator", 2) == [("refrigerator", 1), ("refrigerators", 2)]


def test_an_empty_index_finds_nothing() -> None:
    assert NearWords([]).within("shoes", 2) == []
