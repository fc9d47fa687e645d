"""What the embedded model is trained on: seeded, permitted, and in the format that the engine parses."""

import hashlib
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.models.data import safe, unsafe
from sluicegate.models.data.corruption import EMOJI, corrupt, dress, is_spellable
from sluicegate.models.data.products import AISLES, product_query
from sluicegate.models.data.vocabulary import build_lexicon, train_tokenizer
from sluicegate.models.inference.labels import LABELS, Category, Intent
from sluicegate.models.inference.prompts import prompt_style_for
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.models.pretraining.dataset import Example, Mixture, answer, with_hint
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


def test_answers_are_parsed_by_the_parser_of_the_prompt_style(tmp_path: Path, mixture: Mixture) -> None:
    lexicon, rng = build_lexicon(mixture.texts()), random.Random(0)
    drawn = [with_hint(example, lexicon, rng) for example in mixture.draw(500, "a") if example.label == "allow"]
    tokenizer = train_tokenizer(example.text for example in drawn)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    parse = prompt_style_for("embedded", QueryTokenizer(tmp_path)).parse
    for example in drawn:
        after_verdict = tokenizer.encode(answer(example)).ids[1:]
        read = parse(after_verdict, example.hint)
        assert (read.intent, read.rewrite) == (example.intent, example.rewrite)
        assert (read.synonyms, read.facets, read.codes) == (example.synonyms, example.facets, ())


def test_hints_are_right_wrong_and_missing(mixture: Mixture) -> None:
    lexicon, rng = build_lexicon(mixture.texts()), random.Random(0)
    drawn = [with_hint(example, lexicon, rng) for example in mixture.draw(2000, "a") if example.label == "allow"]
    misspelt = [example for example in drawn if example.rewrite]
    clean = [example for example in drawn if not example.rewrite]
    assert 0.4 < sum(example.hint == example.rewrite for example in misspelt) / len(misspelt) < 0.9
    assert 0.05 < sum(example.hint is not None for example in clean) / len(clean) < 0.3


def test_what_is_written_in_the_rows_is_in_the_lexicon(mixture: Mixture) -> None:
    lexicon = build_lexicon([*mixture.texts(), *["zzyzx road"] * 5, *["xyzzy"] * 4])
    assert {"zzyzx", "sneakers", "iphone", "the"} <= set(lexicon.counts)
    assert not {"xyzzy", "forbidden rows"} & set(lexicon.counts)


def test_an_unsafe_example_is_answered_by_its_label_alone() -> None:
    assert answer(Example("x", Category.HATE)) == "<|hate|>"


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
    digest = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    assert digest == "3ba4c4c3a77a247e9bbfe55894c4bdbe109e2cb3dd89826d6d55cea205d7f854"


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


def test_normalising_undoes_what_pages_put_around_a_query() -> None:
    rng = random.Random(0)
    left = {normalise(dress("red shoes", rng)).text.strip("".join(EMOJI)).strip() for _ in range(100)}
    assert left == {"red shoes"}
