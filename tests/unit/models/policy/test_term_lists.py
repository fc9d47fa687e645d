"""Terms are found as whole words, whatever surrounds them."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.models.inference.labels import Category
from sluicegate.models.policy.compiled import texts_to_search
from sluicegate.models.policy.term_lists import Action, TermList, TermLists
from sluicegate.models.text.normalise import normalise
from sluicegate.schemas.reason_codes import NormaliseCode

TERMS = ("ass", "kill yourself", "café noir", "c++", "炸弹", "scunt", "a b c d")
PADDING = st.lists(st.text(string.ascii_letters, min_size=1, max_size=8), max_size=6).map(" ".join)
ACCENTS = st.sampled_from(["", "\u0301", "\u0308", "\u0303"])


def lists_of(*terms: str, surface: str | None = None, name: str = "listed") -> TermLists:
    return TermLists([TermList(name, Action.BLOCK, Category.HATE, surface, terms)])


LISTS = lists_of(*TERMS)


@st.composite
def disguised(draw: st.DrawFn, term: str) -> str:
    """`term` with other case, with accents, and with other white space between its words."""
    letters = [
        draw(st.sampled_from([letter.lower(), letter.upper()])) + (draw(ACCENTS) if letter.isalpha() else "")
        for letter in term
    ]
    space = draw(st.sampled_from([" ", "  ", "\t", "-", " - ", "_", "\u00a0"]))
    return "".join(space if letter == " " else letter for letter in letters)


@given(st.data(), st.sampled_from(TERMS), PADDING, PADDING)
def test_a_term_is_found_in_any_padding_case_and_accents(
    data: st.DataObject, term: str, before: str, after: str
) -> None:
    query = f"{before} {data.draw(disguised(term))} {after}"
    texts = texts_to_search(query, normalise(query))
    assert term in {match.term for text in texts for match in LISTS.find(text, None)}


def test_accents_that_look_like_a_wrong_encoding_hide_nothing() -> None:
    query = "áśŚ"
    assert normalise(query).codes == (NormaliseCode.ENCODING_REPAIRED,)
    assert any(LISTS.find(text, None) for text in texts_to_search(query, normalise(query)))


@given(st.sampled_from(["ass", "scunt", "kill"]), st.text(string.ascii_letters, min_size=1, max_size=5), st.booleans())
def test_a_term_is_not_found_inside_a_longer_word(term: str, letters: str, in_front: bool) -> None:
    word = letters + term if in_front else term + letters
    assert word.lower() in TERMS or not LISTS.find(f"the {word} here", None)


@pytest.mark.parametrize("query", ["assistance", "classic bass", "Scunthorpe", "class-action", "killyourself", "c+ +-"])
def test_harmless_words_that_contain_a_term(query: str) -> None:
    assert {match.term for match in LISTS.find(query, None)} <= {"c++"}


@pytest.mark.parametrize("query", ["ass!", "my ass's", "“ass”", "ASS.", "kick-ass", "áss"])
def test_punctuation_ends_a_word(query: str) -> None:
    assert [match.term for match in LISTS.find(query, None)] == ["ass"]


def test_a_match_says_where_it_is() -> None:
    query = "so Kill  Yourself now"
    [match] = LISTS.find(query, None)
    assert query[match.start : match.end] == "Kill  Yourself"


def test_terms_of_which_one_begins_another_are_both_found() -> None:
    lists = lists_of("kill", "kill your self", "your")
    assert [match.term for match in lists.find("kill your self", None)] == ["kill", "kill your self", "your"]
    assert [match.term for match in lists.find("kill your", None)] == ["kill", "your"]


def test_a_list_of_a_surface_applies_there_only() -> None:
    lists = lists_of("beer", surface="kids")
    assert [len(lists.find("beer", surface)) for surface in ("kids", "web", None)] == [1, 0, 0]


def test_a_term_of_two_lists_is_found_for_both() -> None:
    both = [TermList(name, Action.BLOCK, Category.HATE, None, ("x",)) for name in ("one", "two")]
    assert [match.term_list.name for match in TermLists(both).find("x", None)] == ["one", "two"]


def test_without_lists_nothing_is_found() -> None:
    assert TermLists([]).find("anything", None) == []
