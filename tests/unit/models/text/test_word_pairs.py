"""Pairs of words: how they are saved, and what is known of a pair that is not in the list."""

from pathlib import Path

import numpy as np
import pytest

from sluicegate.models.text.word_pairs import SPELLER_PAIRS_FILE, WordPairs
from sluicegate.schemas.errors import CompiledModelError

PAIRS = WordPairs.of({("leather", "shoes"): 4.5, ("new", "york"): 30.0})


def test_what_was_saved_is_loaded_to_a_sixteenth_of_a_nat(tmp_path: Path) -> None:
    PAIRS.save(tmp_path)
    pairs = WordPairs.load(tmp_path)
    assert len(pairs) == 2
    assert pairs.seen("leather", "shoes")
    assert not pairs.seen("shoes", "leather")
    assert pairs.gain("leather", 70_000, "shoes", 90_000) == 4.5
    assert pairs.gain("new", 1, "york", 1) == pytest.approx(16, abs=0.1)


def test_the_same_pairs_make_the_same_bytes(tmp_path: Path) -> None:
    PAIRS.save(tmp_path)
    first = (tmp_path / SPELLER_PAIRS_FILE).read_bytes()
    PAIRS.save(tmp_path)
    assert (tmp_path / SPELLER_PAIRS_FILE).read_bytes() == first


def test_two_common_words_that_are_no_pair_are_unlikely_beside_each_other_and_rare_ones_are_not() -> None:
    common = PAIRS.gain("the", 50_000_000, "of", 30_000_000)
    assert common == -6
    assert common < PAIRS.gain("red", 100_000, "of", 30_000_000) < 0
    assert PAIRS.gain("bilberry", 100, "sorbet", 100) == 0


@pytest.mark.parametrize("content", [b"", b"not zip", b"PK\x03\x04broken"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SPELLER_PAIRS_FILE).write_bytes(content)
    with pytest.raises(CompiledModelError, match="Copy or compile the model again"):
        WordPairs.load(tmp_path)


def test_a_pair_without_a_gain_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / SPELLER_PAIRS_FILE, hashes=np.zeros(2, np.uint32), gains=np.zeros(1, np.uint8))
    with pytest.raises(CompiledModelError, match="one gain for each pair"):
        WordPairs.load(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CompiledModelError, match=SPELLER_PAIRS_FILE):
        WordPairs.load(tmp_path)
