"""The tokenizer of a Qwen3 checkpoint."""

import pytest

from sluicegate.models.inference.tokenizer import QueryTokenizer
from tests.support.checkpoints import write_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> QueryTokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder)
    return QueryTokenizer(folder)
