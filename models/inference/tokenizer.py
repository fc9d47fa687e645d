"""Text to tokens. The text of a query never becomes a control token.

The normaliser removes control tokens from the text; this is the second line of defence. Every added token is marked
`special`, and encoding treats the names of special tokens as plain text: ``<|im_start|>`` or ``<think>`` in a query
becomes a few harmless pieces.

The library is written in Rust. Where it panics, it raises a `PanicException`, which is no `Exception`: it would pass
every handler and end tasks in silence. Here it becomes an error like any other.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson
from tokenizers import Encoding, Tokenizer

from sluicegate.schemas.errors import CompiledModelError, EngineFailed

TOKENIZER_FILE: Final = "tokenizer.json"


class QueryTokenizer:
    """The tokenizer of a compiled model. Thread-safe: it holds no state between calls."""

    def __init__(self, folder: Path) -> None:
        """Load ``tokenizer.json`` of `folder`; raises CompiledModelError where it is missing or unreadable."""
        path = folder / TOKENIZER_FILE
        try:
            document = orjson.loads(path.read_bytes())
            for token in document["added_tokens"]:
                token["special"] = True
            document["truncation"] = document["padding"] = None  # a query keeps its tokens, and gets no others
            self._tokenizer = Tokenizer.from_str(orjson.dumps(document).decode())
        except BaseException as error:
            if not _is_failure(error):
                raise
            raise CompiledModelError(f"cannot read {path}: {error}. Compile the model again.") from error
        self._tokenizer.encode_special_tokens = True
        self._templates = Tokenizer.from_str(orjson.dumps(document).decode())

    def encode(self, text: str) -> Encoding:
        """The tokens of untrusted `text`, with their places in it; none of them is a control token.

        Raises:
            EngineFailed: the library cannot encode it.
        """
        try:
            return self._tokenizer.encode(text, add_special_tokens=False)
        except BaseException as error:
            if not _is_failure(error):
                raise
            raise EngineFailed(f"the tokenizer failed: {type(error).__name__}") from error

    def encode_template(self, template: str) -> list[str]:
        """The tokens of a trusted `template`, control tokens included."""
        return self._templates.encode(template, add_special_tokens=False).tokens

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; bytes that are not UTF-8 become U+FFFD."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=False)

    def text_tokens(self) -> frozenset[str]:
        """Every token that can stand for text: the vocabulary without the control tokens."""
        controls = {token.content for token in self._tokenizer.get_added_tokens_decoder().values()}
        return frozenset(self._tokenizer.get_vocab(with_added_tokens=False)) - controls

    def id_of(self, token: str) -> int:
        """The id of `token`; raises CompiledModelError if the vocabulary lacks it."""
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise CompiledModelError(f"the vocabulary has no {token!r}: compile the model with another prompt style.")
        return found


def _is_failure(error: BaseException) -> bool:
    """Whether `error` is one of the library's, panics included, and not a request to stop."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
