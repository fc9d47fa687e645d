"""Untrusted text for a terminal."""

import pytest

from sluicegate.agents.cli.visible_text import mark_characters, mark_words, visible


@pytest.mark.parametrize(
    "hidden",
    [
        *("\x1b", "\x9b", "\x07", "\x7f", "\x85", "\r", "\n", "\t", "\u00a0", "\u2028", "\ud800", "\ue000"),
        *("\u202e", "\u2066", "\u200b", "\u00ad", "\ufeff", "\ufe0f", "\u034f", "\u3164", "\U000e0041"),
    ],
)
def test_what_cannot_be_seen_or_might_be_obeyed_is_named(hidden: str) -> None:
    shown = visible(f"red{hidden}shoes").plain
    assert shown == f"red<U+{ord(hidden):04X}>shoes"
    assert shown.isprintable()


def test_what_can_be_seen_is_shown_as_it_is() -> None:
    text = "Größe 42 [bold]red[/] \u0431\u0435\u0437 \u793e\u4f1a \U0001f45f"
    assert visible(text).plain == text
    assert not visible(text).spans


@pytest.mark.parametrize(
    ("before", "after", "marked"),
    [
        ("red shoes", "red shoes", "red shoes"),
        ("re\u200bd", "red", "re[-<U+200B>-]d"),
        ("<b>red</b>", "red", "[-<b>-]red[-</b>-]"),
        ("", "red", "{+red+}"),
        ("red", "", "[-red-]"),
    ],
)
def test_changed_characters_are_marked(before: str, after: str, marked: str) -> None:
    assert mark_characters(before, after, plain=True).plain == marked


@pytest.mark.parametrize(
    ("before", "after", "marked"),
    [
        ("chep runing shoes", "cheap running shoes", "[-chep-] {+cheap+} [-runing-] {+running+} shoes"),
        ("note book bag", "notebook bag", "[-note-] {+notebook+} [-book-] bag"),
        ("red shoes", "red shoes", "red shoes"),
    ],
)
def test_changed_words_stand_side_by_side(before: str, after: str, marked: str) -> None:
    assert mark_words(before, after, plain=True).plain == marked


def test_in_colour_the_marks_are_styles() -> None:
    shown = mark_words("chep shoes", "cheap shoes", plain=False)
    assert shown.plain == "chep cheap shoes"
    assert {str(span.style) for span in shown.spans} == {"red strike", "green"}
