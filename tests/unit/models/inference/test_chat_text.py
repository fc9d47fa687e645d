"""Text is given out as early as possible, and never wrong: no half characters, nothing of a stop string."""

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.models.inference.chat_text import AnswerText
from tests.support.chat_models import token_of


def pieces_of(raw: bytes, stop: tuple[str, ...] = ()) -> tuple[list[str], AnswerText]:
    """What is given out for `raw`, a byte a token, and at the end."""
    text = AnswerText(stop)
    pieces = [text.add(token_of(byte)) for byte in raw]
    return [*pieces, text.end()], text


def test_a_character_is_given_out_once_its_last_byte_is_there() -> None:
    assert pieces_of("é🎉".encode())[0] == ["", "é", "", "", "", "🎉", ""]


def test_a_character_that_is_never_completed_ends_as_the_replacement_character() -> None:
    assert pieces_of("a🎉".encode()[:-1])[0] == ["a", "", "", "", "�"]


def test_bytes_that_are_no_character_do_not_hold_back_what_follows() -> None:
    assert "".join(pieces_of(b"a\xffb\xc3(")[0]) == "a�b�("


def test_a_token_of_several_bytes_gives_all_its_characters() -> None:
    text = AnswerText()
    assert text.add("Ġthe") == " the"


def test_a_stop_string_ends_the_text_before_it_though_it_spans_tokens() -> None:
    pieces, text = pieces_of(b"one END two", (" END",))
    assert pieces == ["o", "n", "e", *[""] * 9]
    assert text.stopped


def test_the_beginning_of_a_stop_string_is_held_back_until_it_is_none() -> None:
    assert pieces_of(b"aENEND", ("END",))[0] == ["a", "", "", "EN", "", "", ""]


def test_the_beginning_of_a_stop_string_at_the_end_is_text() -> None:
    pieces, text = pieces_of(b"one EN", ("END",))
    assert "".join(pieces) == "one EN"
    assert not text.stopped


def test_the_stop_string_that_comes_first_wins() -> None:
    assert "".join(pieces_of(b"a b c", ("c", "b"))[0]) == "a "


def test_of_two_stop_strings_in_one_token_the_first_place_counts() -> None:
    text = AnswerText(("he", "t"))
    assert text.add("Ġthe") == " "


@given(st.text(alphabet="abé🎉 ", max_size=30), st.lists(st.text(alphabet="abé🎉", min_size=1, max_size=4), max_size=4))
def test_the_pieces_are_the_text_up_to_the_first_stop_string(answer: str, stop: list[str]) -> None:
    pieces, text = pieces_of(answer.encode(), tuple(stop))
    ends = [(answer.find(each) + len(each), answer.find(each)) for each in stop if each in answer]
    completed_first = min((end for end, _ in ends), default=0)
    expected = answer[: min(begin for end, begin in ends if end == completed_first)] if ends else answer
    assert "".join(pieces) == expected
    assert text.stopped == bool(ends)


@given(st.binary(max_size=40))
def test_any_bytes_become_the_text_that_python_makes_of_them(raw: bytes) -> None:
    assert "".join(pieces_of(raw)[0]) == raw.decode("utf-8", "replace")
