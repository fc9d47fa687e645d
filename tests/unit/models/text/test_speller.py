"""The shipped speller: it restores, it offers, and above all it does no harm."""

import re
import shutil
import tempfile
from collections import defaultdict
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.agents.settings import EMBEDDED_MODEL
from sluicegate.models.text.meaning import is_other_spelling, turns_meaning
from sluicegate.models.text.rewrite_guard import check_rewrite
from sluicegate.models.text.speller import SPELLER_FILE, Correction, Speller
from sluicegate.models.text.word_list import SPELLER_WORDS_FILE
from sluicegate.models.text.word_pairs import SPELLER_PAIRS_FILE

QUERIES = Path(__file__).parent / "queries"
MISSPELT = [line.split("\t") for line in (QUERIES / "misspelt.tsv").read_text("utf-8").splitlines()]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def unchanged() -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = defaultdict(list)
    kind = ""
    for line in (QUERIES / "unchanged.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
        elif line and not line.startswith("#"):
            kinds[kind].append(line)
    return kinds


UNCHANGED = unchanged()


@pytest.fixture(scope="module")
def speller() -> Speller:
    return SHARED


def without_own_words(folder: Path) -> Speller:
    """The speller of `folder`, without the words that someone may have added there."""
    with tempfile.TemporaryDirectory() as copy:
        for name in (SPELLER_FILE, SPELLER_WORDS_FILE, SPELLER_PAIRS_FILE):
            shutil.copyfile(folder / name, Path(copy) / name)
        return Speller.load(Path(copy))


SHARED = without_own_words(EMBEDDED_MODEL)


@pytest.mark.parametrize("kind", UNCHANGED)
def test_correct_queries_stay(speller: Speller, kind: str) -> None:
    assert [query for query in UNCHANGED[kind] if speller.correct(query).text != query] == []


def test_two_of_three_misspelt_queries_are_restored_and_hardly_any_is_made_worse(speller: Speller) -> None:
    answers = [(speller.correct(typed).text, typed, meant) for typed, meant in MISSPELT]
    restored = sum(answer == meant for answer, _, meant in answers)
    wrong = [answer for answer, typed, meant in answers if answer not in (typed, meant)]
    assert restored >= 0.65 * len(answers)
    assert len(wrong) <= 0.02 * len(answers), wrong


@pytest.mark.parametrize("query", ["bycycle helmet", "runing shoes", "hirse kaufen"])
@pytest.mark.parametrize("locale", ["de-DE", "fr", "pt_BR", "zh-Hans-CN"])
def test_queries_of_users_of_another_language_are_left_alone(speller: Speller, query: str, locale: str) -> None:
    assert speller.correct(query, locale) == Correction(query)


@pytest.mark.parametrize("locale", [None, "en", "en-GB", "en_US", "EN-us"])
def test_english_users_are_corrected(speller: Speller, locale: str | None) -> None:
    assert speller.correct("chaep flights to london", locale).text == "cheap flights to london"


@pytest.mark.parametrize(
    ("query", "never"),
    [
        ("decafinated coffee", "decapitated coffee"),
        ("unecessary surgery", "necessary surgery"),
        ("middlesex", "middle sex"),
        ("jquery", "query"),
        ("bmob shelter", "bomb shelter"),
        ("kliling time", "killing time"),
        ("sexs education", "sex education"),
        ("analist job", "anal ist job"),
        ("therapistjobs", "the rapist jobs"),
    ],
)
def test_what_would_embarrass_is_neither_done_nor_offered(speller: Speller, query: str, never: str) -> None:
    correction = speller.correct(query)
    assert never not in (correction.text, *(suggestion.text for suggestion in correction.suggestions))


def test_what_is_not_sure_is_offered(speller: Speller) -> None:
    offered = [speller.correct(query) for query in ("bike ched", "intraoralcamera", "teh begt price", "hte weather")]
    suggestions = [suggestion for correction in offered for suggestion in correction.suggestions]
    assert suggestions
    assert all(0.5 <= suggestion.probability <= 1 for suggestion in suggestions)


def test_case_and_punctuation_stay(speller: Speller) -> None:
    assert speller.correct('London "chaep" flights?').text == 'London "cheap" flights?'
    assert speller.correct("Chaep Flights To London!").text == "Cheap Flights To London!"


def test_a_word_that_the_user_added_is_known(tmp_path: Path) -> None:
    for name in (SPELLER_FILE, SPELLER_WORDS_FILE, SPELLER_PAIRS_FILE):
        shutil.copyfile(EMBEDDED_MODEL / name, tmp_path / name)
    assert Speller.load(tmp_path).correct("chaep flights").text == "cheap flights"
    (tmp_path / "lexicon.txt").write_text("# our brands\nchaep\naspesi 20000\n")
    own = Speller.load(tmp_path)
    assert own.correct("chaep flights").text == "chaep flights"
    assert own.correct("aspessi flights").text in ("aspessi flights", "aspesi flights")


TYPED = [*chain.from_iterable(UNCHANGED.values()), *chain.from_iterable(MISSPELT)]
words = st.sampled_from(sorted({word for line in TYPED for word in line.split()}))


@st.composite
def slipped(draw: st.DrawFn) -> str:
    """A query of which some words have a letter dropped, added, changed or doubled."""
    query = draw(st.lists(words, min_size=1, max_size=5))
    for place in draw(st.lists(st.integers(0, len(query) - 1), max_size=2, unique=True)):
        word = query[place]
        at = draw(st.integers(0, len(word) - 1))
        letter = draw(st.sampled_from(["", word[at] * 2, *LETTERS]))
        query[place] = word[:at] + letter + word[at + 1 :]
    return " ".join(word for word in query if word)


@settings(max_examples=300, deadline=None)
@given(slipped())
def test_no_correction_breaks_a_rule(query: str) -> None:
    correction = SHARED.correct(query)
    offered = [suggestion.text for suggestion in correction.suggestions]
    for text in (correction.text, *offered):
        assert re.findall(r"\d+", text) == re.findall(r"\d+", query)
        asked, words = query.split(), text.split()
        if len(asked) == len(words):
            for word, meant in zip(asked, words, strict=True):
                assert word == meant or not turns_meaning(word.lower(), meant.lower())
                assert word == meant or not is_other_spelling(word.lower(), meant.lower())
    assert 0 <= correction.probability <= 1
    assert SHARED.correct(query) == correction


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_ends_in_an_answer(text: str) -> None:
    correction = SHARED.correct(text)
    assert (correction.text == text) or check_rewrite(text, correction.text).codes


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("cheap lether shoes", "cheap leather shoes"),
        ("chep lether shoes", "cheap leather shoes"),
        ("mens wetch", "mens watch"),
        ("red runing shoes", "red running shoes"),
        ("wireless headfones", "wireless headphones"),
    ],
)
def test_a_rare_name_among_common_words_is_corrected_where_its_neighbours_say_what_was_meant(
    speller: Speller, query: str, meant: str
) -> None:
    assert speller.correct(query).text == meant


@pytest.mark.parametrize(
    "query", ["chep", "sho", "django redis", "numpy array", "citi field", "stihl chainsaw", "niger"]
)
def test_a_name_stays_where_nothing_says_that_another_word_was_meant(speller: Speller, query: str) -> None:
    assert speller.correct(query).text == query


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("samsng galxy phne", "samsung galaxy phone"),
        ("chaep fligths to londn", "cheap flights to london"),
        ("red runing shoess size 8", "red running shoes size 8"),
        ("wireles blutooth hedphones", "wireless bluetooth headphones"),
    ],
)
def test_several_misspelt_words_of_one_query_are_corrected(speller: Speller, query: str, meant: str) -> None:
    assert speller.correct(query).text == meant


@pytest.mark.parametrize(
    "query", ["80 are killed in a bombing", "send robert a text", "match a pattern", "how to become a model"]
)
def test_known_words_are_not_joined_with_a_letter_nor_changed_for_being_unsafe(speller: Speller, query: str) -> None:
    assert speller.correct(query).text == query


@pytest.mark.parametrize(
    "query",
    ["gaming headsets", "french door refrigerators", "camera backpacks", "electric tea kettles", "water coolers"],
)
def test_a_plural_does_not_become_the_singular(speller: Speller, query: str) -> None:
    assert speller.correct(query) == Correction(query)


def test_a_word_that_french_has_too_does_not_make_a_query_french(speller: Speller) -> None:
    assert speller.correct("ldather chairs").text == "leather chairs"


def test_a_word_is_no_other_countrys_spelling_for_sounding_like_it(speller: Speller) -> None:
    offered = speller.correct("headfones")
    assert "headphones" in (offered.text, *(suggestion.text for suggestion in offered.suggestions))
