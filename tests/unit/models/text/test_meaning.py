"""What no correction may do: turn the meaning of a word, or change the country of its spelling."""

import pytest

from sluicegate.models.text.meaning import is_other_spelling, turns_meaning


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("unecessary", "necessary"),
        ("uhappy", "happy"),
        ("necessary", "unnecessary"),
        ("inactve", "active"),
        ("dishonst", "honest"),
        ("nonsmoking", "smoking"),
        ("decaffeinated", "caffeinated"),
        ("imposible", "possible"),
        ("harmless", "harm"),
        ("sugarfree", "sugar"),
        ("anti-aging", "aging"),
    ],
)
def test_an_affix_that_negates_is_neither_dropped_nor_added(word: str, meant: str) -> None:
    assert turns_meaning(word, meant)
    assert turns_meaning(meant, word) or word[1:] == meant


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("unecessary", "unnecessary"),
        ("ilegal", "illegal"),
        ("imediately", "immediately"),
        ("desgin", "design"),
        ("wireles", "wireless"),
        ("begt", "best"),
        ("untill", "until"),
        ("disapear", "disappear"),
    ],
)
def test_other_corrections_turn_nothing(word: str, meant: str) -> None:
    assert not turns_meaning(word, meant)


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("behavioural", "behavioral"),
        ("tumour", "tumor"),
        ("organise", "organize"),
        ("analysed", "analyzed"),
        ("centre", "center"),
        ("catalogue", "catalog"),
        ("anaemia", "anemia"),
        ("travelling", "traveling"),
        ("licence", "license"),
        ("programme", "program"),
        ("colourisation", "colorization"),
        ("grey", "gray"),
    ],
)
def test_british_and_american_spellings_are_one_word(british: str, american: str) -> None:
    assert is_other_spelling(british, american)
    assert is_other_spelling(american, british)


def test_other_words_are_not_the_spelling_of_a_country() -> None:
    assert not is_other_spelling("behavoural", "behavioural")
    assert not is_other_spelling("shoes", "shows")
