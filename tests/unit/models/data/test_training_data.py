"""What the embedded model is trained on: seeded and permitted."""

import hashlib
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.models.data import safe, unsafe
from sluicegate.models.data.addresses import not_words
from sluicegate.models.data.corruption import EMOJI, corrupt, dress, is_spellable
from sluicegate.models.data.hate_functions import statement
from sluicegate.models.data.junk import junk
from sluicegate.models.data.languages import LANGUAGES, foreign_request
from sluicegate.models.data.noun_phrases import noun_phrase
from sluicegate.models.data.products import AISLES, product_query
from sluicegate.models.inference.labels import LABELS, Category, Intent
from sluicegate.models.pretraining.mixture import Mixture
from sluicegate.models.text.normalise import normalise
from tests.support.training_sources import SOURCES, write_sources


@pytest.fixture
def mixture(tmp_path: Path) -> Mixture:
    write_sources(tmp_path, SOURCES)
    return Mixture(tmp_path)


def test_the_same_seed_draws_the_same_examples(mixture: Mixture) -> None:
    assert mixture.draw(300, "a") == mixture.draw(300, "a")
    assert mixture.draw(300, "a") != mixture.draw(300, "b")


def test_rows_that_may_not_be_used_are_never_drawn(mixture: Mixture) -> None:
    drawn = mixture.draw(3000, "a")
    assert not any("forbid" in example.text.lower() for example in drawn)
    assert not any(example.text == "porn" for example in drawn if example.label == "allow")


def test_every_label_and_intent_is_drawn_that_has_a_source(mixture: Mixture) -> None:
    drawn = mixture.draw(5000, "a")
    assert {example.label for example in drawn} == set(LABELS)
    assert {Intent.TRAVEL, Intent.PRODUCT_SEARCH, Intent.SUPPORT, Intent.NAVIGATION, Intent.OTHER} <= {
        example.intent for example in drawn
    }


@given(st.text(alphabet="abcdefgh 0123", min_size=1).map(lambda text: " ".join(text.split()) or "a"), st.integers())
def test_corruption_leaves_numbers_alone_and_is_seeded(query: str, seed: int) -> None:
    corrupted = corrupt(query, random.Random(seed))
    assert corrupted == corrupt(query, random.Random(seed))
    digits = "".join(filter(str.isdigit, query))
    assert "".join(filter(str.isdigit, corrupted)) == digits


def test_corruption_mostly_corrupts() -> None:
    rng = random.Random(0)
    queries = [product_query(rng).text for _ in range(500)]
    spellable = [query for query in queries if any(is_spellable(word) for word in query.split())]
    changed = [query for query in spellable if corrupt(query, rng) != query]
    assert len(changed) > 0.85 * len(spellable)


def test_generated_queries_are_clean_text_without_open_slots() -> None:
    rng = random.Random(0)
    for _ in range(300):
        texts = [
            safe.navigation(rng),
            safe.support(rng),
            safe.other(rng),
            safe.hard_negative(rng),
            safe.foreign(rng)[0],
            safe.question(rng),
            safe.name(rng),
            unsafe.mild(rng),
            statement(rng)[0],
            noun_phrase(rng)[0],
            foreign_request(rng)[0],
            not_words(rng),
        ]
        texts += [product_query(rng).text]
        for text in texts:
            assert text == normalise(text).text
            assert "{" not in text


def test_a_seed_generates_what_the_embedded_model_was_trained_on() -> None:
    rng = random.Random(20260131)
    rows = []
    for _ in range(200):
        rows += [safe.navigation(rng), safe.support(rng), safe.other(rng), safe.hard_negative(rng)]
        rows += [
            "|".join(safe.foreign(rng)),
            corrupt(product_query(rng).text, rng),
            dress(product_query(rng).text, rng),
        ]
        rows += [unsafe.unsafe(category, rng) for category in Category]
        rows += [safe.question(rng), not_words(rng), *statement(rng)]
        rows += [safe.name(rng), unsafe.mild(rng), *noun_phrase(rng), *foreign_request(rng), junk(rng)]
    digest = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    assert digest == "9cb0a5aad4ea5e71c6f98b39746195890d6625d892f2484d01a9e0a1fd0a437e"


@pytest.mark.parametrize("category", list(Category))
def test_unsafe_queries_are_varied(category: Category) -> None:
    rng = random.Random(0)
    assert len({unsafe.unsafe(category, rng) for _ in range(300)}) > 100


def test_the_catalogue_is_clean_and_has_no_empty_entries() -> None:
    for aisle in AISLES:
        entries = [*aisle.brands, *aisle.lines, *aisle.traits]
        for product in aisle.products:
            entries += [product.noun, *product.synonyms]
        assert aisle.products
        assert all(entry and entry == normalise(entry).text.lower() and ":" not in entry for entry in entries)


def test_attacks_on_groups_and_harmless_statements_share_their_words() -> None:
    rng = random.Random(0)
    drawn = [statement(rng) for _ in range(6000)]
    words = {
        label: {word for text, said in drawn if said == label for word in text.split()}
        for label in (Category.HATE, "allow")
    }
    attacking = {"vermin", "subhuman", "exterminate", "filthy"}
    assert attacking <= words[Category.HATE]
    assert attacking <= words["allow"]


def test_unsafe_and_harmless_noun_phrases_share_their_words_of_trade_and_form() -> None:
    rng = random.Random(0)
    drawn = [noun_phrase(rng) for _ in range(6000)]
    words = {
        safe: {word for text, label in drawn if (label == "allow") is safe for word in text.split()}
        for safe in (True, False)
    }
    shared = {"price", "supplier", "near", "instructions", "recipe", "bomb", "poison", "fake"}
    assert shared <= words[True]
    assert shared <= words[False]


def test_requests_in_other_languages_are_safe_and_unsafe_in_the_same_frames() -> None:
    rng = random.Random(0)
    drawn = [foreign_request(rng) for _ in range(6000)]
    for opening in ("wie kann ich", "comment", "cómo puedo", "come posso", "como posso", "hoe kan ik"):
        assert len({label == "allow" for text, label in drawn if text.startswith(opening)}) == 2
    assert len(LANGUAGES) == 6
    assert {label for _, label in drawn} > {Category.HATE, Category.ILLICIT, Category.SELF_HARM, "allow"}


def test_some_examples_are_drawn_with_their_words_run_together(mixture: Mixture) -> None:
    assert any(example.text.startswith("#") and " " not in example.text for example in mixture.draw(3000, "a"))


def test_what_is_only_against_a_rule_is_sometimes_safe_and_sometimes_not(mixture: Mixture) -> None:
    labels = {example.label for example in mixture.draw(40_000, "a") if "homework" in example.text}
    assert labels >= {"allow", Category.ILLICIT}


def test_normalising_undoes_what_pages_put_around_a_query() -> None:
    rng = random.Random(0)
    left = {normalise(dress("red shoes", rng)).text.strip("".join(EMOJI)).strip() for _ in range(100)}
    assert left == {"red shoes"}
