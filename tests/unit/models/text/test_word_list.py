"""What the speller's word list knows, how it is saved, and the words that users add."""

from pathlib import Path

import pytest

from sluicegate.models.text.word_list import (
    OWN_WORDS_FILE,
    SPELLER_WORDS_FILE,
    Entry,
    Kind,
    WordList,
    lines_of,
    read_own_words,
    save_word_list,
)
from sluicegate.schemas.errors import CompiledModelError

WORDS = {f"word{number}": number for number in range(1000)}


def sections() -> list[bytes]:
    known, rare = {"ozempic": 60, "jquery": ""}, {"lether": "", "sho": 2000}
    return [lines_of(each) for each in ({"shoe": 9, "bus": 4}, known, rare, ["hirse"], {"sheo": "shoe"})]


def saved(folder: Path) -> Path:
    save_word_list(folder, sections())
    return folder


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    words = WordList.load(saved(tmp_path))
    assert words.entry("shoe") == Entry(Kind.KNOWN, 9, may_be_written=True)
    assert words.entry("ozempic") == Entry(Kind.KNOWN, 60, may_be_written=False)
    assert words.entry("lether") == Entry(Kind.RARE, 0, may_be_written=False)
    assert words.entry("sho") == Entry(Kind.RARE, 2000, may_be_written=False)
    assert words.entry("shoo") == Entry(Kind.UNKNOWN, 0, may_be_written=False)
    assert words.is_foreign("hirse")
    assert not words.is_foreign("shoe")
    assert words.meant_by("sheo") == "shoe"
    assert words.meant_by("shoe") is None
    assert words.writable() == ["bus", "shoe"]


def test_only_words_that_a_correction_may_write_have_a_count_for_it(tmp_path: Path) -> None:
    words = WordList.load(saved(tmp_path))
    assert [words.count(word) for word in ("shoe", "ozempic", "sho", "shoo")] == [9, 0, 0, 0]


def test_the_same_words_make_the_same_bytes(tmp_path: Path) -> None:
    first = (saved(tmp_path) / SPELLER_WORDS_FILE).read_bytes()
    assert (saved(tmp_path) / SPELLER_WORDS_FILE).read_bytes() == first


@pytest.mark.parametrize("word", ["shoe", "shoes", "buses", "jquery", "ozempic's", "shoe's"])
def test_plurals_and_possessives_of_known_words_are_known(tmp_path: Path, word: str) -> None:
    assert WordList.load(saved(tmp_path)).knows(word)


@pytest.mark.parametrize("word", ["sheo", "hirse", "s", "shoess", "shoees"])
def test_other_words_are_not(tmp_path: Path, word: str) -> None:
    assert not WordList.load(saved(tmp_path)).knows(word)


def test_the_users_words_are_known_with_a_count_or_without(tmp_path: Path) -> None:
    (saved(tmp_path) / OWN_WORDS_FILE).write_text("# our brands\naspesi 7\n\nzzyzx\n")
    words = WordList.load(tmp_path)
    assert words.entry("aspesi") == Entry(Kind.KNOWN, 7, may_be_written=True, is_own=True)
    assert words.knows("zzyzx")
    assert {"aspesi", "zzyzx"} < set(words.writable())


def test_a_misspelling_that_the_user_added_is_a_word(tmp_path: Path) -> None:
    (saved(tmp_path) / OWN_WORDS_FILE).write_text("sheo\n")
    assert WordList.load(tmp_path).meant_by("sheo") is None


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


def test_every_word_of_many_is_found_and_no_other() -> None:
    words = WordList(lines_of(WORDS))
    assert {word: words.count(word) for word in WORDS} == WORDS
    others = [*(f"{word}s" for word in WORDS), *(word[:-1] + "x" for word in WORDS), "", "a", "zebra", "word", "é"]
    assert [word for word in others if words.entry(word).kind is not Kind.UNKNOWN] == []
