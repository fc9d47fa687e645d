"""Training a LoRA adapter: rows in, a PEFT adapter out that ``sluice models compile --adapter`` merges.

Low-rank updates of every linear layer (Hu et al., 2021, https://arxiv.org/abs/2106.09685). The loss is on the answer
alone. The adapter that does best on the held-out rows is kept; training ends when it has not improved for a while.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import peft
import torch
import transformers
from tqdm import tqdm

from sluicegate.models.artifacts.manifest import PromptStyleName
from sluicegate.models.compiler.lora_merge import LEARNT_PROMPT_FILE, TARGETS, LearntPrompt
from sluicegate.models.finetuning.formatter_rows import FormatterRow, formatter_examples, read_formatter_rows
from sluicegate.models.finetuning.rows import (
    Example,
    HintOf,
    Row,
    examples_of,
    is_held_out,
    read_folder,
    text_examples,
)
from sluicegate.models.inference.prompts import PROMPT_VERSIONS
from sluicegate.models.inference.spelling_hints import SpellingHints, hint_folder
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.errors import CheckpointError, ContractError

_IGNORED: Final = -100
_MOST_HELD_OUT: Final = 2000


@dataclass(frozen=True)
class AdapterPlan:
    """Suits Qwen3-0.6B on one GPU of 16 GB. `batch_size` is in examples, `patience` in measurements without gain."""

    epochs: int = 3
    batch_size: int = 16
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    learning_rate: float = 2e-4
    warmup_steps: int = 50
    measure_every: int = 200
    patience: int = 3
    max_query_tokens: int = 96
    max_format_tokens: int = 512
    seed: int = 20
    prompt_style: PromptStyleName = "adapted"


@dataclass(frozen=True)
class AdapterResult:
    """The result: mean losses per token of the held-out answers, before training and at the best step."""

    examples: int
    held_out: int
    loss_before: float
    loss_best: float
    best_step: int


def train(checkpoint: Path, data: Path, out: Path, plan: AdapterPlan, texts: Sequence[str] = ()) -> AdapterResult:
    """Train on the rows of `data` and on raw `texts` of the domain, and write the best adapter to `out`.

    Raises:
        ContractError: `data` has no rows to train on or to measure on, or a broken one.
        CheckpointError: the checkpoint cannot be loaded.
    """
    tokenizer = QueryTokenizer(checkpoint)
    examples, held_out = _examples(data, plan, tokenizer, SpellingHints.load(hint_folder(checkpoint)).of)
    if not examples or not held_out:
        raise ContractError(f"{data}: {len(examples)} examples and {len(held_out)} held out are too few: add rows")
    examples += text_examples(texts, tokenizer, max_tokens=2 * plan.max_query_tokens)
    random.Random(plan.seed).shuffle(held_out)  # noqa: S311 - reproducible order, not a secret
    held_out = held_out[:_MOST_HELD_OUT]

    torch.manual_seed(plan.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = _with_adapter(checkpoint, plan).to(device)
    prompts = msgspec.json.encode(LearntPrompt(plan.prompt_style, PROMPT_VERSIONS[plan.prompt_style]))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=plan.learning_rate, weight_decay=0.0)
    steps = plan.epochs * math.ceil(len(examples) / plan.batch_size)
    before = best = _loss_on(model, held_out, plan.batch_size, device)
    best_step, since_best = 0, 0
    with tqdm(total=steps, desc="training", unit="step", mininterval=2) as bar:
        for step, batch in enumerate(_batches(examples, plan), 1):
            model.train()
            for group in optimiser.param_groups:
                group["lr"] = _learning_rate(step, steps, plan)
            optimiser.zero_grad(set_to_none=True)
            _loss(model, batch, device).backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            bar.update()
            if step % plan.measure_every == 0 or step == steps:
                loss = _loss_on(model, held_out, plan.batch_size, device)
                bar.set_postfix(held_out=f"{loss:.3f}")
                if loss < best:
                    best, best_step, since_best = loss, step, 0
                    model.save_pretrained(out)
                    (out / LEARNT_PROMPT_FILE).write_bytes(prompts)
                else:
                    since_best += 1
                    if since_best == plan.patience:
                        break
    if not best_step:
        raise ContractError(f"{data} did not help: no step was better than the checkpoint itself")
    return AdapterResult(len(examples), len(held_out), before, best, best_step)


def _examples(
    data: Path, plan: AdapterPlan, tokenizer: QueryTokenizer, hint_of: HintOf
) -> tuple[list[Example], list[Example]]:
    """The examples to train on, and those that are held out."""
    if plan.prompt_style == "formatter":
        formats: dict[bool, list[FormatterRow]] = {False: [], True: []}
        for one in read_formatter_rows(data):
            formats[one.is_held_out].append(one)
        trained, held_out = (
            formatter_examples(formats[held], tokenizer, max_tokens=plan.max_format_tokens) for held in (False, True)
        )
        return trained, held_out
    parts: dict[bool, list[Row]] = {False: [], True: []}
    for row in read_folder(data):
        parts[is_held_out(row)].append(row)
    trained, held_out = (
        examples_of(
            parts[held],
            plan.prompt_style,
            tokenizer,
            seed=plan.seed,
            max_query_tokens=plan.max_query_tokens,
            hint_of=hint_of,
        )
        for held in (False, True)
    )
    return trained, held_out


def _with_adapter(checkpoint: Path, plan: AdapterPlan) -> Any:
    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    try:
        base = transformers.AutoModelForCausalLM.from_pretrained(checkpoint, dtype=dtype, local_files_only=True)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot load {checkpoint}: {error}") from None
    config = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=plan.rank,
        lora_alpha=plan.alpha,
        lora_dropout=plan.dropout,
        target_modules=list(TARGETS),
    )
    return peft.get_peft_model(base, config)


def _batches(examples: Sequence[Example], plan: AdapterPlan) -> Iterator[list[Example]]:
    rng = random.Random(plan.seed)  # noqa: S311 - reproducible order, not a secret
    for _ in range(plan.epochs):
        order = rng.sample(examples, len(examples))
        yield from (order[start : start + plan.batch_size] for start in range(0, len(order), plan.batch_size))


def _learning_rate(step: int, steps: int, plan: AdapterPlan) -> float:
    """Linear warm-up, then a cosine down to zero."""
    if step <= plan.warmup_steps:
        return plan.learning_rate * step / plan.warmup_steps
    progress = (step - plan.warmup_steps) / max(1, steps - plan.warmup_steps)
    return plan.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def _loss(model: Any, examples: Sequence[Example], device: torch.device) -> Any:
    """Mean loss per answered token of a batch, padded on the right, where causal attention never looks."""
    length = max(len(example.ids) for example in examples)
    ids = torch.zeros(len(examples), length, dtype=torch.long)
    targets = torch.full((len(examples), length), _IGNORED)
    for row, example in enumerate(examples):
        end = len(example.ids)
        ids[row, :end] = torch.tensor(example.ids)
        targets[row, example.answer_from : end] = ids[row, example.answer_from : end]
    with torch.autocast(device.type, dtype=torch.bfloat16):
        logits = model(input_ids=ids.to(device)).logits
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), targets[:, 1:].flatten().to(device), ignore_index=_IGNORED
    )


def _loss_on(model: Any, examples: Sequence[Example], batch_size: int, device: torch.device) -> float:
    model.eval()
    total, tokens = 0.0, 0
    with torch.inference_mode():
        for start in range(0, len(examples), batch_size):
            batch = examples[start : start + batch_size]
            answered = sum(len(example.ids) - example.answer_from for example in batch)
            total += float(_loss(model, batch, device)) * answered
            tokens += answered
    return total / tokens
