"""The training loop: a small Qwen3 and next-token loss on the answer, of which the verdict weighs most.

Hidden matrices are trained by Muon (Jordan et al., 2024), the rest by AdamW: the same loss in two thirds of the steps.
"""

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from tokenizers import Tokenizer
from tqdm import tqdm

from sluicegate.models.data.vocabulary import VOCABULARY_SIZE, build_lexicon, train_tokenizer
from sluicegate.models.inference.embedded_format import END, GATE, HINT
from sluicegate.models.pretraining.dataset import Mixture, answer, spoken, with_hint
from sluicegate.models.text.lexicon import LEXICON_FILE, Lexicon

VERDICT_WEIGHT: Final = 3.0
MAX_QUERY_TOKENS: Final = 96

_POOL: Final = 40  # batches drawn, sorted by length and shuffled together
_SAVE_EVERY: Final = 250
_COMPILED_FROM: Final = 500  # steps; compiling takes a minute or two and halves what each step costs


@dataclass(frozen=True)
class TrainingPlan:
    """What a run is made of; the same plan and data give the same batches."""

    steps: int = 5500
    batch_size: int = 256
    learning_rate: float = 2e-3
    warmup_steps: int = 200
    seed: int = 20


def model_config() -> transformers.Qwen3Config:
    """The embedded model's shape."""
    return transformers.Qwen3Config(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=256,
        intermediate_size=640,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
        attn_implementation="eager",  # the fastest at queries of twenty tokens
    )


class Batches:
    """Batches of tokens, drawn for ever from the mixture; batch `n` is a pure function of the seed."""

    def __init__(self, mixture: Mixture, tokenizer: Tokenizer, lexicon: Lexicon, plan: TrainingPlan) -> None:
        self._mixture, self._tokenizer, self._lexicon, self._plan = mixture, tokenizer, lexicon, plan
        vocabulary = tokenizer.get_vocab()
        self._gate, self._hint = vocabulary[GATE], vocabulary[HINT]

    def from_step(self, step: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """(tokens, targets, weights), each of shape (batch, length), from batch `step` on; no weight, no loss."""
        pool, skip = divmod(step, _POOL)
        while True:
            yield from self._pool(pool)[skip:]
            pool, skip = pool + 1, 0

    def _pool(self, index: int) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        size = self._plan.batch_size
        seed = f"{self._plan.seed}-{index}"
        rng = random.Random(f"hints-{seed}")  # noqa: S311 - reproducible data, not a secret
        examples = [with_hint(example, self._lexicon, rng) for example in self._mixture.draw(_POOL * size, seed)]
        self._tokenizer.encode_special_tokens = True
        queries = self._tokenizer.encode_batch_fast([example.text for example in examples])
        hints = self._tokenizer.encode_batch_fast([example.hint or "" for example in examples])
        self._tokenizer.encode_special_tokens = False
        answers = self._tokenizer.encode_batch_fast([answer(example) for example in examples])
        prompts = [
            query.ids[:MAX_QUERY_TOKENS] if example.hint is None else [*query.ids, self._hint, *hint.ids]
            for example, query, hint in zip(examples, queries, hints, strict=True)
        ]
        rows = sorted(
            ((prompt, reply.ids) for prompt, reply in zip(prompts, answers, strict=True)),
            key=lambda row: len(row[0]) + len(row[1]),
        )
        batches = [rows[i : i + size] for i in range(0, len(rows), size)]
        random.Random(index).shuffle(batches)  # noqa: S311 - reproducible order, not a secret
        return [self._tensors(batch) for batch in batches]

    def _tensors(self, rows: list[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        length = max(len(query) + len(reply) for query, reply in rows)
        tokens = torch.zeros(len(rows), length, dtype=torch.long)
        targets = torch.zeros(len(rows), length, dtype=torch.long)
        weights = torch.zeros(len(rows), length)
        for i, (query, reply) in enumerate(rows):
            ids = torch.tensor([*query, self._gate, *reply])
            n, q = len(ids) - 1, len(query)
            tokens[i, :n], targets[i, :n] = ids[:-1], ids[1:]
            weights[i, q] = VERDICT_WEIGHT
            weights[i, q + 1 : n] = 1.0
        return tokens, targets, weights


def learning_rate(step: int, plan: TrainingPlan) -> float:
    """Linear warm-up, then a cosine down to a fiftieth."""
    if step < plan.warmup_steps:
        return plan.learning_rate * (step + 1) / plan.warmup_steps
    progress = (step - plan.warmup_steps) / max(1, plan.steps - plan.warmup_steps)
    return plan.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def _optimisers(model: torch.nn.Module, plan: TrainingPlan) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for the embeddings and norms."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and ".layers." in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or ".layers." not in name]
    return [
        torch.optim.Muon(matrices, lr=plan.learning_rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.05),
    ]


def train(data: Path, out: Path, plan: TrainingPlan) -> None:
    """Train to the end of `plan`, resuming from ``out/resume.pt`` when it is there; then write the checkpoint."""
    out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    mixture = Mixture(data)
    tokenizer_file = out / "tokenizer.json"
    if not tokenizer_file.exists():
        examples = mixture.draw(150_000, f"vocabulary-{plan.seed}")
        train_tokenizer(words for example in examples for words in spoken(example)).save(str(tokenizer_file))
        build_lexicon(mixture.texts()).save(out / LEXICON_FILE)
    batches = Batches(mixture, Tokenizer.from_file(str(tokenizer_file)), Lexicon.load(out / LEXICON_FILE), plan)

    torch.manual_seed(plan.seed)
    model: Any = transformers.Qwen3ForCausalLM(model_config()).to(device)
    optimisers = _optimisers(model, plan)
    resume_file = out / "resume.pt"
    step = 0
    if resume_file.exists():
        saved = torch.load(resume_file, map_location=device, weights_only=True)
        model.load_state_dict(saved["model"])
        for optimiser, state in zip(optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        step = saved["step"]
    body = torch.compile(model.model, dynamic=True) if plan.steps >= _COMPILED_FROM else model.model

    running = math.nan
    with tqdm(total=plan.steps, initial=step, desc="training", unit="step", mininterval=5) as bar:
        for batch in batches.from_step(step):
            if step >= plan.steps:
                break
            for optimiser in optimisers:
                optimiser.zero_grad(set_to_none=True)
                for group in optimiser.param_groups:
                    group["lr"] = learning_rate(step, plan)
            tokens, targets, weights = (tensor.to(device) for tensor in batch)
            answered = weights.flatten().nonzero().squeeze(1)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                hidden = body(input_ids=tokens).last_hidden_state.flatten(0, 1)
                logits = model.lm_head(hidden[answered])
            losses = torch.nn.functional.cross_entropy(logits.float(), targets.flatten()[answered], reduction="none")
            weight = weights.flatten()[answered]
            loss = (losses * weight).sum() / weight.sum()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimiser in optimisers:
                optimiser.step()
            running = loss.item() if math.isnan(running) else 0.98 * running + 0.02 * loss.item()
            step += 1
            bar.update()
            bar.set_postfix(loss=f"{running:.3f}", refresh=False)
            if step % _SAVE_EVERY == 0 or step == plan.steps:
                partial = resume_file.with_suffix(".part")
                states = [optimiser.state_dict() for optimiser in optimisers]
                torch.save({"model": model.state_dict(), "optimisers": states, "step": step}, partial)
                partial.replace(resume_file)
    model.save_pretrained(out)
    (out / "tokenizer_config.json").write_text(json.dumps({"eos_token": END, "pad_token": END}))
