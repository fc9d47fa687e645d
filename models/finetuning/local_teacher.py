"""Distillation without a server: a compiled model, such as Qwen3Guard, labels queries on this machine.

It gives labels and categories. Intents and corrections need a teacher that writes.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from sluicegate.models.data.rows import NONE
from sluicegate.models.finetuning.rows import LabelledRow, texts_with_rows
from sluicegate.models.inference.engine import Engine
from sluicegate.models.inference.judge import ModelResult
from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.policy import Verdict
from sluicegate.models.progress import Progress
from sluicegate.models.text.normalise import normalise

_BATCH: Final = 32


def label_locally(texts: Iterable[str], out: Path, folder: Path, progress: Progress = lambda *_: None) -> int:
    """Append a row to `out` for each distinct text that has none there, by the model in `folder`; returns how many.

    The label is the verdict by the model's own thresholds. Rows are written batch by batch, so a run that was stopped
    continues where it was. A text of which normalisation leaves nothing gets no row.

    Raises:
        CompiledModelError: the model cannot be served.
        EngineFailed: it failed on a batch.
        ContractError: `out` has a line that is not a row.
    """
    known = texts_with_rows(out)
    todo = [text for text in dict.fromkeys(texts) if text not in known and normalise(text).text]
    engine = Engine(folder)
    queries = {text: engine.encode(normalise(text).text, correct=False) for text in todo}
    todo.sort(key=lambda text: len(queries[text].tokens))  # a batch of one length costs least
    encode = msgspec.json.Encoder().encode
    progress(0, len(todo))
    with out.open("ab") as file:
        for start in range(0, len(todo), _BATCH):
            batch = todo[start : start + _BATCH]
            results = engine.judge([queries[text] for text in batch])
            file.write(b"".join(encode(row) + b"\n" for row in _rows(batch, results, engine.manifest.model_version)))
            file.flush()
            progress(start + len(batch), len(todo))
    return len(todo)


def _rows(texts: Sequence[str], results: Sequence[ModelResult], source: str) -> Iterable[LabelledRow]:
    for text, result in zip(texts, results, strict=True):
        verdict, category = result.policy_result.verdict, result.policy_result.category
        if category is None and verdict is not Verdict.ALLOW:  # the categories reached their bound together
            category = max(Category, key=result.probabilities.__getitem__)
        yield LabelledRow(text, verdict.value, category or NONE, source)
