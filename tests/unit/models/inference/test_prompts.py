"""Parsing answers: strict grammars, and no output of a model raises."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.models.artifacts.manifest import PromptStyleName
from sluicegate.models.inference.embedded_format import (
    CONTROL_TOKENS,
    END,
    FACETS,
    GATE,
    HINT,
    INTENT_TOKENS,
    KEEP,
    REWRITE,
    SYNONYM,
)
from sluicegate.models.inference.labels import LABELS, Intent
from sluicegate.models.inference.prompts import Answer, PromptStyle, prompt_style_for
from sluicegate.models.inference.tokenizer import TOKENIZER_FILE, QueryTokenizer
from sluicegate.schemas.errors import CompiledModelError
from sluicegate.schemas.reason_codes import AnswerCode
from tests.support.checkpoints import write_tokenizer
from tests.support.compiled import embedded_tokenizer

TRAVEL = "<|intent:travel|>"
CATEGORY, COLOUR = FACETS["category"], FACETS["colour"]
NOTHING = Answer(Intent.TRAVEL, None, codes=(AnswerCode.UNREADABLE,))


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[PromptStyleName, QueryTokenizer]:
    folder = tmp_path_factory.mktemp("tokenizers")
    (folder / "embedded").mkdir()
    (folder / "qwen3").mkdir()
    embedded_tokenizer().save(str(folder / "embedded" / TOKENIZER_FILE))
    write_tokenizer(folder / "qwen3")
    qwen3 = QueryTokenizer(folder / "qwen3")
    return {"embedded": QueryTokenizer(folder / "embedded"), "adapted": qwen3, "zero_shot": qwen3}


def parse(tokenizer: QueryTokenizer, profile: PromptStyleName, template: str, hint: str | None = None) -> Answer:
    """The answer in `template`, where control tokens are written by their names."""
    ids = [tokenizer.id_of(token) for token in tokenizer.encode_template(template)]
    return prompt_style_for(profile, tokenizer).parse(ids, hint)


@pytest.mark.parametrize(
    ("template", "answer"),
    [
        (f"{TRAVEL}{HINT}{END}", Answer(Intent.TRAVEL, "cheap flights")),
        (f"{TRAVEL}{HINT}{SYNONYM}air fare{END}", Answer(Intent.TRAVEL, "cheap flights", ("air fare",))),
        (f"{TRAVEL}{KEEP}{END}", Answer(Intent.TRAVEL, None)),
        (f"{TRAVEL}{REWRITE}cheap flight{END}", Answer(Intent.TRAVEL, "cheap flight")),
        (f"{TRAVEL}{HINT}words of its own{END}", NOTHING),
        (f"{TRAVEL}{KEEP}{HINT}{END}", NOTHING),
    ],
)
def test_an_answer_may_take_the_hint_that_was_read(
    tokenizers: dict[PromptStyleName, QueryTokenizer], template: str, answer: Answer
) -> None:
    assert parse(tokenizers["embedded"], "embedded", template, "cheap flights") == answer


@pytest.mark.parametrize(
    ("template", "answer"),
    [
        (f"{TRAVEL}{KEEP}{END}", Answer(Intent.TRAVEL, None)),
        (f"{TRAVEL}{REWRITE}cheap flights{END}", Answer(Intent.TRAVEL, "cheap flights")),
        (f"{TRAVEL}{KEEP}{SYNONYM}air fare{END}", Answer(Intent.TRAVEL, None, ("air fare",))),
        (
            f"{TRAVEL}{REWRITE}a{SYNONYM}b{CATEGORY}c{SYNONYM}d{COLOUR}e{END}",
            Answer(Intent.TRAVEL, "a", ("b", "d"), ("category:c", "colour:e")),
        ),
        (f"{TRAVEL}{REWRITE}{END}", Answer(Intent.TRAVEL, "")),
        # Cut short: the last part may be half a word.
        (f"{TRAVEL}{REWRITE}cheap flig", Answer(Intent.TRAVEL, None, codes=(AnswerCode.CUT,))),
        (f"{TRAVEL}{REWRITE}a{SYNONYM}b{CATEGORY}c", Answer(Intent.TRAVEL, "a", ("b",), codes=(AnswerCode.CUT,))),
        (f"{TRAVEL}{KEEP}", Answer(Intent.TRAVEL, None, codes=(AnswerCode.CUT,))),
        # Not the grammar.
        ("", Answer(Intent.OTHER, None, codes=(AnswerCode.UNREADABLE,))),
        (END, Answer(Intent.OTHER, None, codes=(AnswerCode.UNREADABLE,))),
        (f"hello{END}", Answer(Intent.OTHER, None, codes=(AnswerCode.UNREADABLE,))),
        (f"{REWRITE}a{END}", Answer(Intent.OTHER, None, codes=(AnswerCode.UNREADABLE,))),
        (TRAVEL, NOTHING),
        (f"{TRAVEL}{HINT}{END}", NOTHING),  # there was none
        (f"{TRAVEL}{END}", NOTHING),
        (f"{TRAVEL}a{END}", NOTHING),
        (f"{TRAVEL}a{REWRITE}b{END}", NOTHING),
        (f"{TRAVEL}{KEEP}a{END}", NOTHING),
        (f"{TRAVEL}{KEEP}{REWRITE}a{END}", NOTHING),
        (f"{TRAVEL}{REWRITE}a{REWRITE}b{END}", NOTHING),
        (f"{TRAVEL}{SYNONYM}a{END}", NOTHING),
        (f"{TRAVEL}{REWRITE}a{END}b{END}", NOTHING),
        (f"{TRAVEL}{REWRITE}a{GATE}<|allow|>{END}", NOTHING),
        (f"{TRAVEL}{REWRITE}a{TRAVEL}{END}", NOTHING),
    ],
)
def test_the_embedded_grammar_is_parsed_strictly(
    tokenizers: dict[PromptStyleName, QueryTokenizer], template: str, answer: Answer
) -> None:
    assert parse(tokenizers["embedded"], "embedded", template) == answer


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
@pytest.mark.parametrize("name", ["adapted", "zero_shot"])
def test_the_line_of_a_qwen3_is_parsed_strictly(
    tokenizers: dict[PromptStyleName, QueryTokenizer], name: PromptStyleName, template: str, answer: Answer
) -> None:
    assert parse(tokenizers[name], name, template) == answer


@given(data=st.data())
def test_no_sequence_of_tokens_makes_the_embedded_parser_raise(
    tokenizers: dict[PromptStyleName, QueryTokenizer], data: st.DataObject
) -> None:
    tokenizer = tokenizers["embedded"]
    control = st.sampled_from([tokenizer.id_of(token) for token in CONTROL_TOKENS])
    intent = st.sampled_from([tokenizer.id_of(token) for token in INTENT_TOKENS])
    anything = st.lists(st.one_of(control, st.integers(0, 400)), max_size=20)
    ids = data.draw(st.one_of(anything, st.builds(lambda first, rest: [first, *rest], intent, anything)))
    _check(prompt_style_for("embedded", tokenizer).parse(ids, data.draw(st.none() | st.just("a hint"))))


@given(data=st.data())
def test_no_sequence_of_tokens_makes_the_line_parser_raise(
    tokenizers: dict[PromptStyleName, QueryTokenizer], data: st.DataObject
) -> None:
    tokenizer = tokenizers["zero_shot"]
    anything = st.lists(st.integers(0, 400), max_size=20)
    hostile = st.lists(
        st.sampled_from(["travel", "|", " ", ",", "\n", "<|im_end|>", "<think>", "É", "\x00"]), max_size=12
    ).map(lambda parts: [tokenizer.id_of(token) for token in tokenizer.encode_template("".join(parts))])
    _check(prompt_style_for("zero_shot", tokenizer).parse(data.draw(st.one_of(anything, hostile)), None))


def _check(answer: Answer) -> None:
    """An answer that is not readable carries nothing but its intent."""
    if AnswerCode.UNREADABLE in answer.codes:
        assert (answer.rewrite, answer.synonyms, answer.facets) == (None, (), ())
    for text in (answer.rewrite or "", *answer.synonyms, *answer.facets):
        assert text == text.strip()


def test_control_tokens_spelt_in_an_answer_are_plain_text(tokenizers: dict[PromptStyleName, QueryTokenizer]) -> None:
    tokenizer = tokenizers["embedded"]
    profile = prompt_style_for("embedded", tokenizer)
    spelt = [tokenizer.id_of(token) for token in tokenizer.encode(f"shoes{SYNONYM}boots{END}").tokens]
    answer = profile.parse([*map(tokenizer.id_of, (TRAVEL, REWRITE)), *spelt, tokenizer.id_of(END)], None)
    assert answer == Answer(Intent.TRAVEL, f"shoes{SYNONYM}boots{END}")


@pytest.mark.parametrize("name", ["embedded", "adapted", "zero_shot"])
def test_each_label_has_a_first_token_of_its_own(
    tokenizers: dict[PromptStyleName, QueryTokenizer], name: PromptStyleName
) -> None:
    profile: PromptStyle = prompt_style_for(name, tokenizers[name])
    assert len(set(profile.label_ids)) == len(LABELS)


def test_a_vocabulary_without_the_tokens_of_the_prompt_style_is_refused(
    tokenizers: dict[PromptStyleName, QueryTokenizer], tmp_path: Path
) -> None:
    with pytest.raises(CompiledModelError, match="compile the model with another prompt style"):
        prompt_style_for("embedded", tokenizers["zero_shot"])
    with pytest.raises(CompiledModelError, match="compile the model with another prompt style"):
        prompt_style_for("zero_shot", tokenizers["embedded"])
