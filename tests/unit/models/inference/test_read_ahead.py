"""Verifying drafts: the engine answers the same with them as without."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tokenizers import Tokenizer

from sluicegate.models.artifacts.manifest import Quantization
from sluicegate.models.compiler.compile import compile_checkpoint
from sluicegate.models.inference import generator_reader
from sluicegate.models.inference.batch_cost import LARGE_COST, BatchCost
from sluicegate.models.inference.engine import Engine
from sluicegate.models.inference.judge import EncodedQuery
from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.prompts import ALLOW_LETTER, HINT, INTENT_LETTERS, KEEP
from sluicegate.models.inference.read_ahead import ReadAhead, read_ahead
from sluicegate.schemas.events import Threshold
from tests.support.checkpoints import TINY, write_checkpoint, write_tokenizer

SOME_BLOCKED = dict.fromkeys(Category, Threshold(allow=0.5, block=0.9))
DECODE = BatchCost(call=1, token=0, step=1, member=0, answer=2)
DRAFT = BatchCost(call=0, token=0, step=0, member=1000, answer=2, draft_token=1e-6)
"""By this cost drafts always pay."""

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights that favour the words of an answer, so that some drafts are right."""
    folder = tmp_path_factory.mktemp("checkpoint")
    write_tokenizer(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    projection = np.random.default_rng(3).standard_normal((TINY.vocab_size, TINY.hidden_size), np.float32)
    projection *= np.float32(0.125)
    for token in (ALLOW_LETTER, "B", KEEP, HINT, *list(INTENT_LETTERS.values())[:3]):
        projection[tokenizer.token_to_id(token)] *= np.float32(5)
    return write_checkpoint(folder, TINY, dtype="float32", tied=False, given={"lm_head.weight": projection})


@pytest.mark.parametrize("quantization", ["float32", "int8"])
def test_thousands_of_random_queries_are_answered_the_same_with_and_without_drafts(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quantization: Quantization
) -> None:
    compile_checkpoint(checkpoint, tmp_path / "model", quantization=quantization, prompt_style="adapted")
    plain, drafting = (
        Engine(tmp_path / "model", thresholds=SOME_BLOCKED, compute_type=quantization, max_answer_tokens=4, cost=cost)
        for cost in (DECODE, DRAFT)
    )
    passes: list[ReadAhead] = []

    def counted(*arguments: Any) -> list[ReadAhead]:
        passes.extend(found := read_ahead(*arguments))
        return found

    monkeypatch.setattr(generator_reader, "read_ahead", counted)
    rng = random.Random(7)

    def query() -> EncodedQuery:
        encoded = plain.encode("".join(rng.choices(LETTERS, k=rng.randint(1, 12))), correct=False)
        hint = plain.encode("".join(rng.choices(LETTERS, k=4)), correct=False)
        with_hint = replace(encoded, hint=hint.text, tokens=(*encoded.tokens, HINT, *hint.tokens))
        return rng.choice((encoded, with_hint))

    for members in (1, 2, 3, 4, 8) * 120:
        batch = [query() for _ in range(members)]
        expected = [plain.judge([one])[0] for one in batch]
        for found, right in zip(drafting.judge(batch), expected, strict=True):
            assert (found.output_hash, found.prompt_hash) == (right.output_hash, right.prompt_hash)
            assert (found.intent, found.lexical, found.codes) == (right.intent, right.lexical, right.codes)
            assert found.output_tokens == right.output_tokens
            assert found.probabilities == pytest.approx(right.probabilities, rel=0.1, abs=0.01)
    accepted = sum(each.sure and each.finished for each in passes)
    unsure = sum(not each.sure for each in passes)
    assert len(passes) == 120 * 18
    assert accepted > 30
    assert 0 < unsure < len(passes)


def test_drafts_pay_in_small_batches_while_most_of_them_are_right() -> None:
    def pays(members: int, accepted: float) -> bool:
        return LARGE_COST.draft_pays(members, 8, 8, accepted)

    assert [members for members in (1, 2, 4, 8, 64) if pays(members, 0.95)] == [1, 2, 4, 8]
    assert not pays(1, 0.2)
    old_profile = msgspec.structs.replace(LARGE_COST, draft_call=0.0, draft_token=0.0)
    assert not old_profile.draft_pays(1, 8, 8, 1.0)
    assert LARGE_COST.milliseconds(1, 8, 8) < old_profile.milliseconds(1, 8, 8) / 2
    assert LARGE_COST.milliseconds(64, 8, 8) == old_profile.milliseconds(64, 8, 8)


def test_a_nearly_tied_token_is_left_to_decoding(checkpoint: Path) -> None:
    class Tied:
        def forward_batch(self, tokens: list[list[str]]) -> Any:
            logits = np.zeros((1, len(tokens[0]), 4), np.float32)
            logits[..., 1] = 10
            logits[0, -1, 2] = 9.99
            return logits

    ids = {"a": 0, "b": 1, "c": 2}
    (found,) = read_ahead(Tied(), [["a"]], [["a", "b"]], ids.__getitem__, ["c"])
    assert found.ids == [1, 1]
    assert not found.sure
    (found,) = read_ahead(Tied(), [["a"]], [["a", "c"]], ids.__getitem__, ["c"])
    assert (found.ids, found.finished, found.sure) == ([1], False, True)
