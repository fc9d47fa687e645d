"""What the speller's word list knows, how it is saved, and the words that users add."""

from pathlib import Path

import pytest

from sluicegate.models.text.word_list import (
    OWN_WORDS_FILE,
    SPELLER_WORDS_FILE,
    WordList,
    WordSet,
    read_own_words,
    save_word_list,
)
from sluicegate.schemas.errors import CompiledModelError


def saved(folder: Path) -> Path:
    save_word_list(folder, {"shoe": 9, "bus": 4}, {"ozempic", "jquery"}, {"hirse"}, {"sheo": "shoe"})
    return folder


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    words = WordList.load(saved(tmp_path))
    assert words.counts == {"shoe": 9, "bus": 4}
    assert "ozempic" in words.names
    assert "hirse" in words.foreign
    assert words.misspellings == {"sheo": "shoe"}


def test_the_same_words_make_the_same_bytes(tmp_path: Path) -> None:
    first = (saved(tmp_path) / SPELLER_WORDS_FILE).read_bytes()
    assert (saved(tmp_path) / SPELLER_WORDS_FILE).read_bytes() == first


@pytest.mark.parametrize("word", ["shoe", "shoes", "buses", "jquery", "ozempic's", "shoe's"])
def test_plurals_and_possessives_of_known_words_are_known(tmp_path: Path, word: str) -> None:
    assert WordList.load(saved(tmp_path)).knows(word)


@pytest.mark.parametrize("word", ["sheo", "hirse", "s", "shoess"])
def test_other_words_are_not(tmp_path: Path, word: str) -> None:
    assert not WordList.load(saved(tmp_path)).knows(word)


def test_the_users_words_are_known_with_a_count_or_without(tmp_path: Path) -> None:
    (saved(tmp_path) / OWN_WORDS_FILE).write_text("# our brands\naspesi 7\n\nzzyzx\n")
    words = WordList.load(tmp_path)
    assert words.counts["aspesi"] == 7
    assert words.knows("zzyzx")


@pytest.mark.parametrize("line", ["Aspesi 7", "aspesi 0", "aspesi many", " aspesi", "aspesi -1"])
def test_a_broken_line_of_the_users_words_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / OWN_WORDS_FILE).write_text(f"shoe 9\n{line}\n")
    with pytest.raises(CompiledModelError, match=r"lexicon\.txt, line 2: .* must be a word in lower case"):
        read_own_words(tmp_path / OWN_WORDS_FILE)


@pytest.mark.parametrize("content", [b"", b"not gzip", b"\x1f\x8b\x08\x00broken"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SPELLER_WORDS_FILE).write_bytes(content)
    with pytest.raises(CompiledModelError, match="Copy or compile the model again"):
        WordList.load(tmp_path)


def test_a_word_set_finds_its_words_and_no_others() -> None:
    words = WordSet(f"word{number}" for number in range(1000))
    assert len(words) == 1000
    assert all(f"word{number}" in words for number in range(1000))
    assert not any(f"other{number}" in words for number in range(1000))
