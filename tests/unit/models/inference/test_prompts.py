"""Parsing answers: strict grammars, and no output of a model raises."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.models.artifacts.manifest import PromptStyleName
from sluicegate.models.inference.labels import LABELS, Intent
from sluicegate.models.inference.prompts import (
    GATE_LETTERS,
    HINT,
    INTENT_LETTERS,
    KEEP,
    Answer,
    PromptStyle,
    prompt_style_for,
)
from sluicegate.models.inference.tokenizer import TOKENIZER_FILE, QueryTokenizer
from sluicegate.schemas.errors import CompiledModelError
from sluicegate.schemas.reason_codes import AnswerCode
from tests.support.checkpoints import write_tokenizer
from tests.support.encoder_checkpoints import letter_tokenizer
from tests.support.qwen3_tokenizer import qwen3_tokenizer

NOTHING = Answer(Intent.TRAVEL, None, codes=(AnswerCode.UNREADABLE,))


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[PromptStyleName, QueryTokenizer]:
    folder = tmp_path_factory.mktemp("tokenizers")
    write_tokenizer(folder)
    qwen3 = QueryTokenizer(folder)
    return {"adapted": qwen3, "zero_shot": qwen3}


def parse(tokenizer: QueryTokenizer, profile: PromptStyleName, template: str) -> Answer:
    """The answer in `template`, where control tokens are written by their names."""
    ids = [tokenizer.id_of(token) for token in tokenizer.encode_template(template)]
    return prompt_style_for(profile, tokenizer).parse(ids)


@pytest.mark.parametrize(
    ("template", "answer"),
    [
        ("travel | cheap flights<|im_end|>", Answer(Intent.TRAVEL, "cheap flights")),
        (
            "Travel|cheap flights| air fare , plane <|im_end|>",
            Answer(Intent.TRAVEL, "cheap flights", ("air fare", "plane")),
        ),
        ("product search | shoes |<|im_end|>", Answer(Intent.PRODUCT_SEARCH, "shoes", ("",))),
        ("travel | <|im_end|>", Answer(Intent.TRAVEL, None)),
        ("travel<|im_end|>", Answer(Intent.TRAVEL, None)),
        ("travel | | air fare<|im_end|>", Answer(Intent.TRAVEL, None, ("air fare",))),
        # Cut short.
        ("travel | cheap flig", Answer(Intent.TRAVEL, None, codes=(AnswerCode.CUT,))),
        ("travel | a | b, c, hal", Answer(Intent.TRAVEL, "a", ("b", "c"), codes=(AnswerCode.CUT,))),
        # Not the format.
        ("", Answer(Intent.OTHER, None, codes=(AnswerCode.UNREADABLE,))),
        ("<|im_end|>", Answer(Intent.OTHER, None, codes=(AnswerCode.UNREADABLE,))),
        ("Sure! Here it is: cheap flights<|im_end|>", Answer(Intent.OTHER, None, codes=(AnswerCode.UNREADABLE,))),
        ("holidays | cheap flights<|im_end|>", Answer(Intent.OTHER, None, codes=(AnswerCode.UNREADABLE,))),
        ("travel | a | b | c<|im_end|>", NOTHING),
        ("travel | a\nb | c<|im_end|>", NOTHING),
    ],
)
def test_the_line_of_a_qwen3_is_parsed_strictly(
    tokenizers: dict[PromptStyleName, QueryTokenizer], template: str, answer: Answer
) -> None:
    assert parse(tokenizers["zero_shot"], "zero_shot", template) == answer


@pytest.mark.parametrize(
    ("template", "answer"),
    [
        ("ZK", Answer(Intent.TRAVEL, None)),
        ("<|im_start|>K", Answer(Intent.TRAVEL, None, takes_hint=True)),
        ("cheap flights|K", Answer(Intent.TRAVEL, "cheap flights", ("",))),
        ("cheap flights | air fare , plane K", Answer(Intent.TRAVEL, "cheap flights", ("air fare", "plane"))),
        ("| air fareV", Answer(Intent.PRODUCT_SEARCH, None, ("air fare",))),
        # Cut short.
        ("Z", Answer(Intent.OTHER, None, codes=(AnswerCode.CUT,))),
        ("cheap flig", Answer(Intent.OTHER, None, codes=(AnswerCode.CUT,))),
        ("a | b, c, hal", Answer(Intent.OTHER, "a", ("b", "c"), codes=(AnswerCode.CUT,))),
        # Not the format.
        ("", Answer(Intent.OTHER, None, codes=(AnswerCode.UNREADABLE,))),
        ("K", NOTHING),
        ("ZZK", NOTHING),
        ("Z a K", NOTHING),
        ("a <|im_start|>K", NOTHING),
        ("a | b | cK", NOTHING),
        ("a\nbK", NOTHING),
    ],
)
def test_the_answer_of_an_adapted_qwen3_is_parsed_strictly(
    tokenizers: dict[PromptStyleName, QueryTokenizer], template: str, answer: Answer
) -> None:
    assert parse(tokenizers["adapted"], "adapted", template) == answer


@pytest.mark.parametrize("name", ["adapted", "zero_shot"])
@given(data=st.data())
def test_no_sequence_of_tokens_makes_a_parser_raise(
    tokenizers: dict[PromptStyleName, QueryTokenizer], name: PromptStyleName, data: st.DataObject
) -> None:
    tokenizer = tokenizers[name]
    anything = st.lists(st.integers(0, 400), max_size=20)
    hostile = st.lists(
        st.sampled_from(["travel", "|", " ", ",", "\n", "<|im_end|>", "<|im_start|>", "Z", "K", "A", "É", "\x00"]),
        max_size=12,
    ).map(lambda parts: [tokenizer.id_of(token) for token in tokenizer.encode_template("".join(parts))])
    _check(prompt_style_for(name, tokenizer).parse(data.draw(st.one_of(anything, hostile))))


def test_each_word_of_an_adapted_answer_is_one_token_of_qwen3_and_not_mistaken_for_another(tmp_path: Path) -> None:
    (tmp_path / TOKENIZER_FILE).symlink_to(qwen3_tokenizer())
    tokenizer = QueryTokenizer(tmp_path)
    prompt_style_for("adapted", tokenizer)
    words = [*GATE_LETTERS, *INTENT_LETTERS.values(), KEEP, HINT]
    assert [tokenizer.encode_template(word) for word in words] == [[word] for word in words]
    assert len({tokenizer.id_of(word) for word in words}) == len(words) == len(LABELS) + len(Intent) + 2


def _check(answer: Answer) -> None:
    """An answer that is not readable carries nothing but its intent."""
    if AnswerCode.UNREADABLE in answer.codes:
        assert (answer.rewrite, answer.synonyms, answer.facets) == (None, (), ())
    for text in (answer.rewrite or "", *answer.synonyms, *answer.facets):
        assert text == text.strip()


@pytest.mark.parametrize("name", ["adapted", "zero_shot"])
def test_each_label_has_a_first_token_of_its_own(
    tokenizers: dict[PromptStyleName, QueryTokenizer], name: PromptStyleName
) -> None:
    profile: PromptStyle = prompt_style_for(name, tokenizers[name])
    assert len(set(profile.label_ids)) == len(LABELS)


@pytest.mark.parametrize("name", ["adapted", "zero_shot"])
def test_a_vocabulary_without_the_tokens_of_the_prompt_style_is_refused(name: PromptStyleName, tmp_path: Path) -> None:
    letter_tokenizer().save(str(tmp_path / TOKENIZER_FILE))
    with pytest.raises(CompiledModelError, match="compile the model with another prompt style"):
        prompt_style_for(name, QueryTokenizer(tmp_path))
