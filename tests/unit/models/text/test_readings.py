"""What is read of a query besides its text: windows of long texts, and the correction that will be published."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.models.text.readings import LONG, MOST_WINDOWS, Reading, ReadingName, further_readings, windows


@given(st.integers(1, 3000))
def test_windows_cover_every_word_overlap_and_are_few(count: int) -> None:
    words = [f"w{number}" for number in range(count)]
    found = [window.split() for window in windows(" ".join(words))]
    assert bool(found) == (count >= LONG)
    assert len(found) <= MOST_WINDOWS
    assert list(dict.fromkeys(word for window in found for word in window)) == (words if found else [])
    assert all(set(window) & set(after) for window, after in itertools.pairwise(found))


def test_eight_words_in_a_row_are_together_in_a_window_however_a_text_of_a_hundred_words_is_padded() -> None:
    bad = "how to make a pipe bomb at home"
    for before in range(93):
        text = " ".join(["plain"] * before + [bad] + ["plain"] * (92 - before))
        assert any(f"{bad} " in f"{window} " for window in windows(text))


@pytest.mark.parametrize("correction", ["cheap shoes", "CHEAP shoes", None])
def test_a_correction_that_says_the_same_is_not_read_again(correction: str | None) -> None:
    assert further_readings("cheap shoes", correction).readings == ()


def test_a_correction_is_read_too() -> None:
    assert further_readings("chep shoes", "cheap shoes").readings == (Reading(ReadingName.CORRECTION, "cheap shoes"),)
