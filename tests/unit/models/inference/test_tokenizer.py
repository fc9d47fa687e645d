"""The text of a query never becomes a control token."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from sluicegate.models.inference.tokenizer import TOKENIZER_FILE, QueryTokenizer
from sluicegate.schemas.errors import CompiledModelError, EngineFailed
from tests.support.checkpoints import SPECIAL_TOKENS, write_tokenizer
from tests.support.encoder_checkpoints import letter_tokenizer
from tests.support.tokenizers import PANICKING_BPE, edit_tokenizer

CONTROLS = {"qwen": SPECIAL_TOKENS, "embedded": ("[PAD]", "[CLS]", "[SEP]")}


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
        letter_tokenizer().save(str(folder / TOKENIZER_FILE))
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
        written = tokenizer.decode([tokenizer.id_of(token) for token in tokens])
        assert written.replace(" ", "").replace("##", "").lower() == control.lower()


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


def test_broken_utf8_decodes_to_the_replacement_character(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    tokenizer = QueryTokenizer(tmp_path)
    half_of_é = tokenizer.id_of("Ã")
    assert tokenizer.decode([half_of_é]) == "\ufffd"


@pytest.mark.parametrize(
    "part",
    [
        {"padding": {"strategy": {"Fixed": 10}, "direction": "Right", "pad_id": 0, "pad_type_id": 0, "pad_token": "x"}},
        {"truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}},
        {"truncation": {"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 5}},  # panics
    ],
    ids=["padding", "truncation", "a stride that does not fit"],
)
def test_a_query_has_its_own_tokens_whatever_the_file_pads_or_truncates(part: dict[str, Any], tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    tokens = QueryTokenizer(tmp_path).encode("red shoes").tokens
    edit_tokenizer(tmp_path, lambda document: document.update(part))
    assert QueryTokenizer(tmp_path).encode("red shoes").tokens == tokens


def test_a_file_on_which_the_library_panics_is_refused(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    edit_tokenizer(tmp_path, lambda document: document.update(model=PANICKING_BPE))
    with pytest.raises(CompiledModelError, match="slice index"):
        QueryTokenizer(tmp_path)


def test_a_panic_while_a_query_is_encoded_is_an_error_of_that_query(
    tokenizer: QueryTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PanicException(BaseException):
        """As pyo3 calls it. No text is known on which a tokenizer that could be loaded panics."""

    class Panicking:
        def encode(self, *_: object, **__: object) -> None:
            raise PanicException("with the text of a query")

    monkeypatch.setattr(tokenizer, "_tokenizer", Panicking())
    with pytest.raises(EngineFailed, match="the tokenizer failed: PanicException"):
        tokenizer.encode("red shoes")


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
