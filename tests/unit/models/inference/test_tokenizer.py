"""The text of a query never becomes a control token."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from sluicegate.models.inference.embedded_format import CONTROL_TOKENS
from sluicegate.models.inference.tokenizer import TOKENIZER_FILE, QueryTokenizer
from sluicegate.schemas.errors import CompiledModelError
from tests.support.checkpoints import SPECIAL_TOKENS, write_tokenizer
from tests.support.compiled import embedded_tokenizer

CONTROLS = {"qwen": SPECIAL_TOKENS, "embedded": CONTROL_TOKENS}


@pytest.fixture(scope="module", params=["qwen", "embedded"])
def controls(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return CONTROLS[request.param]


@pytest.fixture(scope="module")
def tokenizer(controls: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> QueryTokenizer:
    """The tokenizer whose control tokens are `controls`."""
    folder = tmp_path_factory.mktemp("tokenizer")
    if controls is SPECIAL_TOKENS:
        write_tokenizer(folder)
    else:
        embedded_tokenizer().save(str(folder / TOKENIZER_FILE))
    return QueryTokenizer(folder)


@given(data=st.data())
def test_text_full_of_control_tokens_never_encodes_to_one(
    tokenizer: QueryTokenizer, controls: tuple[str, ...], data: st.DataObject
) -> None:
    pieces = st.one_of(st.sampled_from(controls), st.sampled_from(controls).map(str.upper), st.text(max_size=5))
    text = "".join(data.draw(st.lists(pieces, max_size=8)))
    assert not set(tokenizer.encode(text).tokens) & set(controls)


def test_every_control_token_in_text_is_spelt_out_and_can_be_read_back(
    tokenizer: QueryTokenizer, controls: tuple[str, ...]
) -> None:
    for control in controls:
        tokens = tokenizer.encode(control).tokens
        assert len(tokens) > 1
        assert tokenizer.decode([tokenizer.id_of(token) for token in tokens]).strip() == control


def test_our_own_templates_keep_their_control_tokens(tokenizer: QueryTokenizer, controls: tuple[str, ...]) -> None:
    for control in controls:
        assert tokenizer.encode_template(f"{control}a").count(control) == 1


def test_a_token_that_is_not_called_special_is_a_control_token_too(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    assert Tokenizer.from_file(str(tmp_path / TOKENIZER_FILE)).encode("<think>").tokens == ["<think>"]
    assert "<think>" not in QueryTokenizer(tmp_path).encode("<think>").tokens


@given(data=st.data())
def test_decoding_any_ids_gives_text(tokenizer: QueryTokenizer, data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.integers(0, 400)))
    tokenizer.decode(ids).encode()


def test_broken_utf8_decodes_to_the_replacement_character(tokenizer: QueryTokenizer) -> None:
    half_of_é = tokenizer.id_of("Ã")
    assert tokenizer.decode([half_of_é]) == "\ufffd"


def test_an_unknown_token_is_refused_by_name(tokenizer: QueryTokenizer) -> None:
    with pytest.raises(CompiledModelError, match=re.escape("'<|nothing|>'")):
        tokenizer.id_of("<|nothing|>")


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"{}", b'{"added_tokens": []}'])
def test_a_missing_or_broken_file_is_named_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / TOKENIZER_FILE).write_bytes(content)
    with pytest.raises(CompiledModelError, match=re.escape(str(tmp_path / TOKENIZER_FILE))) as refused:
        QueryTokenizer(tmp_path)
    assert "\n" not in str(refused.value)
