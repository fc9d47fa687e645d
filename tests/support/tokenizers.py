"""Tokenizer files that were changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson

from sluicegate.models.inference.tokenizer import TOKENIZER_FILE

PANICKING_BPE: Final = {
    "type": "BPE",
    "dropout": None,
    "unk_token": None,
    "end_of_word_suffix": None,
    "fuse_unk": False,
    "byte_fallback": False,
    "vocab": {"é": 0, "a": 1, "éa": 2, "##": 3},
    "merges": [["é", "a"]],
    "continuing_subword_prefix": "##",
}
"""A BPE model on which the library panics: it slices `é` in the middle of the character."""


def edit_tokenizer(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Let `edit` change the tokenizer's document in `folder`."""
    path = folder / TOKENIZER_FILE
    document = orjson.loads(path.read_bytes())
    edit(document)
    path.write_bytes(orjson.dumps(document))
