"""Formatting with random weights: ``python -m benchmarks.formatting`` checks outputs and prints their costs.

First, `count` texts over all schemas of ``tests/fixtures/format_schemas.json``, with a tiny model and without one.
Every output must follow its schema. Then, with a model of `shape`, what an object costs:

    guided                 our decoding: free drafts, checked and corrected by the grammar
    guided, no violation   the same for a model that always writes what is allowed: counted without a model
    plain, three tries     CTranslate2 without a grammar, sampled again where the answer does not follow the schema
    OpenVINO GenAI         its structured output, with the extra `peers`

The weights are noise and the same for all. Noise violates nearly every rule, so `guided` is the worst case; a trained
model is somewhere between it and `no violation`. Milliseconds are of CPU time, all threads together.
"""

import itertools
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import ctranslate2
import jsonschema_rs
import typer
from rich.console import Console
from rich.table import Table

from sluicegate.models.compiler.compile import compile_checkpoint
from sluicegate.models.data.products import product_query
from sluicegate.models.formatting.extractive import ExtractiveFormatter
from sluicegate.models.formatting.formatter import FormatFailure, FormatRequest, Formatted, Formatter
from sluicegate.models.formatting.grammars import Grammars
from sluicegate.models.formatting.guided import GuidedFormatter
from sluicegate.models.formatting.guided_decoder import Draft
from sluicegate.models.formatting.guided_prompt import FormatterPrompt, question
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.models.inference.device import Placement
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.errors import SchemaRefused
from tests.support.checkpoints import QWEN3_0_6B, TINY, write_checkpoint

SCHEMAS: Final = Path(__file__).parents[1] / "tests/fixtures/format_schemas.json"
_PLACEMENT: Final = Placement("cpu", "default", 0, 1)
_SEED: Final = 7
_TRIES: Final = 3
_BATCH: Final = 16
_CHUNK: Final = 2000
_LONGEST_DRAFT: Final = 32


@dataclass(frozen=True)
class Cost:
    """What `objects` took, all together; None where it was not measured."""

    objects: int
    valid: int
    steps: int | None
    prefills: int | None
    cpu_s: float | None


def requests(count: int, max_tokens: int) -> list[FormatRequest]:
    """Texts for every schema in turn, each different from the others."""
    rng = random.Random(_SEED)
    entries = [
        (FormatSchema.from_json(entry["schema"], schema_id=entry["name"]), entry["texts"])
        for entry in json.loads(SCHEMAS.read_text())["accepted"]
    ]
    return [
        FormatRequest(f"{rng.choice(texts)}, {product_query(rng).text}", schema, max_tokens=max_tokens)
        for schema, texts in itertools.islice(itertools.cycle(entries), count)
    ]


def follows(request: FormatRequest, written: bytes | str) -> bool:
    """Whether `written` is JSON that follows the schema, asked of a validator of its own."""
    try:
        value = json.loads(written)
    except ValueError:
        return False
    return jsonschema_rs.Draft202012Validator(request.schema.document, validate_formats=True).is_valid(value)


def check_outputs(formatter: Formatter, count: int, console: Console) -> Table:
    """Format `count` texts; how each kind of result ended, and every output that breaks its schema."""
    ends: Counter[str] = Counter()
    by_schema: Counter[tuple[str, str]] = Counter()
    asked = requests(count, max_tokens=96)
    for first in range(0, count, _CHUNK):
        batch = asked[first : first + _CHUNK]
        for request, result in zip(batch, formatter.format(batch), strict=True):
            if isinstance(result, Formatted):
                ends["follows its schema" if follows(request, result.value) else "BROKEN"] += 1
            else:
                ends[f"failure: {result.code}"] += 1
                by_schema[result.code, request.schema.schema_id] += 1
        console.print(f"{min(first + _CHUNK, count)} of {count}")
    table = Table(
        "result", "texts", title=f"{count} texts over {len({one.schema.schema_hash for one in asked})} schemas"
    )
    for end, number in ends.most_common():
        table.add_row(end, str(number))
    for (code, name), number in sorted(by_schema.items()):
        table.add_row(f"  {code}: {name}", str(number))
    return table


def refused() -> Table:
    """The schemas that are refused, and why."""
    table = Table("refused", "reason")
    for entry in json.loads(SCHEMAS.read_text())["refused"]:
        try:
            FormatSchema.from_json(entry["schema"])
        except SchemaRefused as error:
            table.add_row(entry["name"], str(error))
    return table


def guided(folder: Path, asked: Sequence[FormatRequest]) -> Cost:
    """Our decoding."""
    formatter = GuidedFormatter(folder, _PLACEMENT)
    formatter.format(asked[:1])
    started = time.process_time()
    results = formatter.format(asked)
    seconds = time.process_time() - started
    valid = sum(isinstance(one, Formatted) and follows(a, one.value) for a, one in zip(asked, results, strict=True))
    return Cost(len(asked), valid, sum(r.steps for r in results), sum(r.prefills for r in results), seconds)


def without_violation(folder: Path, asked: Sequence[FormatRequest]) -> Cost:
    """Steps and prefills of a model that writes what the extractive formatter found, where that found something."""
    tokenizer = QueryTokenizer(folder)
    grammars = Grammars(folder, tokenizer)
    drafts = []
    for request, found in zip(asked, ExtractiveFormatter().format(asked), strict=True):
        if isinstance(found, FormatFailure):
            continue
        draft = Draft((), (), grammars.matcher(request.schema.grammar), request.max_tokens)
        draft.keep_forced()
        while draft.end is None:
            draft.begin_call()
            for _ in range(_LONGEST_DRAFT):
                rest = found.value[len(grammars.text(draft.ids)) :].decode()
                token = tokenizer.id_of(tokenizer.encode(rest).tokens[0]) if rest else grammars.eos
                if draft.take(token, grammars.eos):
                    break
            if draft.violated:
                draft.fail("grammar", "the order of properties differs")
        drafts.append(draft)
    ended = [draft for draft in drafts if draft.end == "finished"]
    return Cost(len(ended), len(ended), sum(one.steps for one in ended), sum(one.prefills for one in ended), None)


def plain(folder: Path, asked: Sequence[FormatRequest]) -> Cost:
    """CTranslate2 alone: sampled, and asked again up to three times where the answer does not follow the schema."""
    tokenizer = QueryTokenizer(folder)
    prompt = FormatterPrompt.of("zero_shot", tokenizer)
    generator = ctranslate2.Generator(str(folder), device="cpu")
    open_, steps, prefills = list(asked), 0, 0
    started = time.process_time()
    for _ in range(_TRIES):
        failed = []
        for group in _of_equal_length(tokenizer, open_):
            results: Any = generator.generate_batch(
                [[*head, *prompt.tail] for _, head in group],
                static_prompt=list(prompt.static),
                include_prompt_in_result=False,
                end_token="<|im_end|>",
                max_length=asked[0].max_tokens,
                sampling_topk=0,
            )
            for (request, _), result in zip(group, results, strict=True):
                steps, prefills = steps + len(result.sequences_ids[0]), prefills + 1
                if not follows(request, tokenizer.decode(result.sequences_ids[0])):
                    failed.append(request)
        open_ = failed
    return Cost(len(asked), len(asked) - len(open_), steps, prefills, time.process_time() - started)


def _of_equal_length(
    tokenizer: QueryTokenizer, asked: Sequence[FormatRequest]
) -> Iterator[list[tuple[FormatRequest, list[str]]]]:
    encoded = [(one, tokenizer.encode(question(one.schema, one.text)).tokens) for one in asked]
    encoded.sort(key=lambda pair: len(pair[1]))
    for _, group in itertools.groupby(encoded, key=lambda pair: len(pair[1])):
        members = list(group)
        for first in range(0, len(members), _BATCH):
            yield members[first : first + _BATCH]


def openvino(folder: Path, asked: Sequence[FormatRequest]) -> Cost:
    """OpenVINO's structured output, one object at a time. A schema that it refuses counts as not followed.

    Its grammar allows white space anywhere, which noise writes without end.
    """
    from benchmarks.peers import OpenVino

    tokenizer = QueryTokenizer(folder)
    prompt = FormatterPrompt.of("zero_shot", tokenizer)
    peer = OpenVino(folder.parent / "model.gguf")
    ids = [
        [tokenizer.id_of(token) for token in (*prompt.static, *head, *prompt.tail)]
        for head in (tokenizer.encode(question(one.schema, one.text)).tokens for one in asked)
    ]
    started = time.process_time()
    answers = peer.structured(ids, [json.dumps(one.schema.document) for one in asked], asked[0].max_tokens)
    seconds = time.process_time() - started
    texts = (tokenizer.decode(one).removesuffix("<|im_end|>") for one in answers)
    valid = sum(follows(request, text) for request, text in zip(asked, texts, strict=True))
    return Cost(len(asked), valid, sum(map(len, answers)), len(asked), seconds)


SYSTEMS: Final = {
    "guided": (guided, None),
    "guided, no violation": (without_violation, None),
    "plain, three tries": (plain, None),
    "OpenVINO GenAI": (openvino, "openvino_genai"),
}
"""By name: what to run, and the module that it needs."""


def main(
    count: Annotated[int, typer.Option(min=1, help="Texts of the check.")] = 10_000,
    objects: Annotated[int, typer.Option(min=1, help="Objects of the table.")] = 54,
    max_tokens: Annotated[int, typer.Option(min=1, help="The most tokens of an object in the table.")] = 96,
    shape: Annotated[Literal["tiny", "qwen3-0.6b"], typer.Option(help="The model of the table.")] = "tiny",
) -> None:
    """Check outputs, and measure what an object costs."""
    console, out = Console(stderr=True), Console()
    installed = {name: run for name, (run, module) in SYSTEMS.items() if module is None or find_spec(module)}
    for name in SYSTEMS.keys() - installed.keys():
        console.print(f"{name} is not installed: pip install --editable '.[peers]'", markup=False)
    with tempfile.TemporaryDirectory(prefix="sluicegate-") as scratch:
        for_peers = "OpenVINO GenAI" in installed
        tiny = _built(Path(scratch) / "tiny", "tiny", for_peers=for_peers)
        for formatter in (GuidedFormatter(tiny, Placement("cpu", "default", 1, 1)), ExtractiveFormatter()):
            out.print(check_outputs(formatter, count, console))
        out.print(refused())
        used = (
            tiny if shape == "tiny" else _built(Path(scratch) / "full", shape, for_peers="OpenVINO GenAI" in installed)
        )
        table = Table(
            "", "objects", "follow", "steps", "prefills", "CPU ms", title=f"each object, {shape}, random weights"
        )
        for name, run in installed.items():
            console.print(name)
            cost = run(used, requests(objects, max_tokens))
            cells = (cost.steps, cost.prefills, None if cost.cpu_s is None else 1000 * cost.cpu_s)
            each = (f"{cell / max(1, cost.objects):.1f}" if cell is not None else "-" for cell in cells)
            table.add_row(name, str(cost.objects), f"{100 * cost.valid / max(1, cost.objects):.0f} %", *each)
        out.print(table)


def _built(folder: Path, shape: str, *, for_peers: bool) -> Path:
    checkpoint = write_checkpoint(folder / "checkpoint", TINY if shape == "tiny" else QWEN3_0_6B)
    if for_peers:
        from benchmarks.peers import write_gguf

        write_gguf(checkpoint, folder / "model.gguf")
    compile_checkpoint(checkpoint, folder / "model", quantization="int8", prompt_style="zero_shot")
    return folder / "model"


if __name__ == "__main__":
    typer.run(main)
