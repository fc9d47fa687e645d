"""The grammars of schemas in one model's vocabulary."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from cachetools import LRUCache
from llguidance import LLMatcher, LLTokenizer

from sluicegate.models.inference.tokenizer import TOKENIZER_FILE, QueryTokenizer
from sluicegate.schemas.errors import CompiledModelError

_END_TOKEN: Final = "<|im_end|>"  # noqa: S105 - a token of the vocabulary
_MATCHERS: Final = 128
"""How many schemas' grammars are kept ready."""


class Grammars:
    """The grammars of schemas in one model's vocabulary. Thread-safe."""

    def __init__(self, folder: Path, tokenizer: QueryTokenizer) -> None:
        """Read the vocabulary of the compiled model in `folder`; raises CompiledModelError."""
        try:
            self.vocabulary = msgspec.json.decode((folder / "vocabulary.json").read_bytes(), type=list[str])
            self.eos = tokenizer.id_of(_END_TOKEN)
            self._tokenizer = LLTokenizer(
                (folder / TOKENIZER_FILE).read_text(), n_vocab=len(self.vocabulary), eos_token=self.eos
            )
        except (OSError, ValueError, msgspec.DecodeError) as error:
            raise CompiledModelError(
                f"cannot read the vocabulary of {folder}: {error}. Compile the model again."
            ) from error
        self._matchers: LRUCache[str, LLMatcher] = LRUCache(_MATCHERS)
        self._lock = threading.Lock()

    def matcher(self, grammar: str) -> LLMatcher:
        """A matcher at the beginning of `grammar`. The first one of a large grammar takes up to a second."""
        with self._lock:
            kept = self._matchers.get(grammar)
        if kept is None:
            kept = LLMatcher(self._tokenizer, grammar, log_level=0)
            with self._lock:
                self._matchers[grammar] = kept
        return kept.deep_copy()

    def text(self, ids: Sequence[int]) -> bytes:
        """The bytes of `ids`."""
        return self._tokenizer.decode_bytes(list(ids))
