"""The embedded style, over random encoders: one pass, no decoding, rewrites from the speller only."""

from pathlib import Path

import ctranslate2
import numpy as np
import pytest

from sluicegate.models.artifacts.revision import revise
from sluicegate.models.inference.engine import Engine
from sluicegate.models.inference.expansions import EXPANSIONS_FILE, Expansions, Noun
from sluicegate.models.inference.heads import HEADS_FILE, Heads
from sluicegate.models.inference.labels import LABELS, Category, Intent
from sluicegate.schemas.errors import CompiledModelError
from sluicegate.schemas.events import Threshold
from tests.support.compiled import compiled_tiny

NEVER_BLOCK = dict.fromkeys(Category, Threshold(allow=1, block=2))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return compiled_tiny(tmp_path / "model", "embedded")


def test_probabilities_are_the_softmax_of_the_label_head_over_the_pooled_vector(folder: Path) -> None:
    engine = Engine(folder)
    query = engine.encode("cheap flights")
    encoder = ctranslate2.Encoder(str(folder), device="cpu")
    pooled = np.array(encoder.forward_batch([list(query.tokens)]).pooler_output)
    logits = Heads.load(folder).logits(pooled).labels[0]
    (result,) = engine.judge([query])
    assert query.tokens[0] == "[CLS]"
    assert query.tokens[-1] == "[SEP]"
    assert list(result.probabilities) == list(LABELS)
    np.testing.assert_allclose(list(result.probabilities.values()), np.exp(logits) / np.exp(logits).sum(), rtol=1e-4)
    assert (result.input_tokens, result.output_tokens) == (len(query.tokens), 0)


def test_a_noun_of_the_word_list_gives_its_synonyms_with_a_probability(folder: Path) -> None:
    (folder / EXPANSIONS_FILE).write_text("colour\tred\nnoun\tsneakers\tshoes|phones\ttrainers|runners\n")
    revise(folder)
    heads = Heads.load(folder)
    intents = np.zeros_like(heads.intents)
    intents[heads.intent_names.index("product_search"), -1] = 20
    aisles = np.zeros_like(heads.aisles)
    aisles[heads.aisle_names.index("shoes"), -1] = 2
    Heads(heads.labels, intents, aisles, heads.intent_names, heads.aisle_names).save(folder)
    revise_heads(folder)
    (result,) = (engine := Engine(folder, thresholds=NEVER_BLOCK)).judge([engine.encode("red sneakers")])
    assert result.intent is Intent.PRODUCT_SEARCH
    assert result.synonyms == ("trainers", "runners")
    assert set(result.facets) == {"colour:red", "category:shoes"}
    assert result.semantic.startswith("red sneakers (trainers, runners; ")
    by_text = {expansion.text: expansion.probability for expansion in result.expansions}
    assert by_text["trainers"] == pytest.approx(1, abs=1e-6)
    assert by_text["category:shoes"] == pytest.approx(np.exp(2) / (np.exp(2) + 1) / 2 + 0.25, rel=1e-3)


def test_an_improbable_expansion_is_named_but_not_used(folder: Path) -> None:
    (folder / EXPANSIONS_FILE).write_text("noun\tsneakers\tshoes\ttrainers\n")
    heads = Heads.load(folder)
    intents, aisles = np.zeros_like(heads.intents), np.zeros_like(heads.aisles)
    intents[heads.intent_names.index("product_search"), -1] = 2.5  # against 14 intents: a probability of 0.47
    Heads(heads.labels, intents, aisles, heads.intent_names, heads.aisle_names).save(folder)
    revise_heads(folder)
    (result,) = (engine := Engine(folder, thresholds=NEVER_BLOCK)).judge([engine.encode("sneakers")])
    assert result.synonyms == ()
    assert "trainers" not in result.semantic
    assert [round(expansion.probability, 2) for expansion in result.expansions if expansion.kind == "synonym"] == [0.35]


def test_a_colour_that_is_part_of_a_noun_or_of_goods_without_colours_is_no_facet() -> None:
    listed = Expansions(
        {"olive oil": Noun(frozenset({"groceries"}), ())}, frozenset({"olive", "rose gold"}), frozenset({"groceries"})
    )
    sure = {"groceries": 1.0, "shoes": 0.0}
    assert [each.text for each in listed.of("olive oil", 1.0, sure)] == ["category:groceries"]
    assert [each.text for each in listed.of("olive bread", 1.0, sure)] == ["category:groceries"]
    facets = listed.of("olive boots rose gold", 1.0, {"groceries": 0.2, "shoes": 0.8})
    assert {each.text: round(each.probability, 2) for each in facets} == {
        "category:shoes": 0.8,
        "colour:olive": 0.8,
        "colour:rose gold": 0.8,
    }


def test_the_probability_of_an_expansion_is_calibrated_by_its_kind(tmp_path: Path) -> None:
    path = tmp_path / EXPANSIONS_FILE
    path.write_text("calibration\tcategory\t2\t-1\ncolour\tred\nnoun\tboots\tshoes\n")
    found = {each.text: each.probability for each in Expansions.load(path).of("red boots", 0.9, {"shoes": 0.6})}
    assert found["colour:red"] == pytest.approx(0.9)
    assert found["category:shoes"] == pytest.approx(0.9 * 16 / (16 + np.e))


@pytest.mark.parametrize("line", ["calibration\tcategory\tmuch\t0", "calibration\tcategory\t1", "uncoloured"])
def test_a_calibration_that_is_no_two_numbers_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / EXPANSIONS_FILE
    path.write_text(f"{line}\n")
    with pytest.raises(CompiledModelError, match=EXPANSIONS_FILE):
        Expansions.load(path)


def test_a_wrong_line_of_the_word_list_is_named(folder: Path) -> None:
    (folder / EXPANSIONS_FILE).write_text("noun\tsneakers\tshoes\nshoes\n")
    with pytest.raises(CompiledModelError, match="line 2"):
        revise(folder)


@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_heads_that_do_not_fit_are_refused_in_one_line(folder: Path, damage: str) -> None:
    path = folder / HEADS_FILE
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:100])
    else:
        heads = Heads.load(folder)
        Heads(heads.labels[1:], heads.intents, heads.aisles, heads.intent_names, heads.aisle_names).save(folder)
    with pytest.raises(CompiledModelError) as refused:
        Heads.load(folder)
    assert "\n" not in str(refused.value)


def test_a_long_query_is_cut_to_the_positions_that_the_encoder_knows(folder: Path) -> None:
    engine = Engine(folder, max_query_tokens=1000)
    query = engine.encode("ab " * 200)
    assert query.truncated
    assert len(query.tokens) == 128
    assert engine.judge([query])[0].lexical == query.text


def revise_heads(folder: Path) -> None:
    """Record the changed heads, as compiling does."""
    from sluicegate.models.artifacts.manifest import hash_files
    from tests.support.compiled import edit_manifest

    edit_manifest(folder, files=hash_files(folder))
