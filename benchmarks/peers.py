"""The same model in other engines, each fed continuously. OpenVINO and llama.cpp need the extra ``peers``.

These two read one GGUF file of our checkpoint in Q8_0: 8-bit weights in blocks of 32, their closest format to int8.
"""

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ctranslate2
import numpy as np
from tokenizers import Tokenizer

from benchmarks.feeding import Request
from sluicegate.models.compiler.checkpoint import open_checkpoint
from sluicegate.models.inference.tokenizer import TOKENIZER_FILE

_NAMES: Final = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}

_LARGEST_BATCH: Final = 2048


def write_gguf(checkpoint_folder: Path, path: Path) -> None:
    """Write the checkpoint as llama.cpp's converter would, in Q8_0."""
    from gguf import GGMLQuantizationType, GGUFWriter, TokenType
    from gguf.quants import quantize

    checkpoint = open_checkpoint(checkpoint_folder)
    config = checkpoint.config
    assert config.rotary_base is not None  # `open_checkpoint` refuses a checkpoint without
    writer = GGUFWriter(path, "qwen3")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(4096)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rotary_base)
    writer.add_file_type(7)  # mostly Q8_0
    document = json.loads((checkpoint_folder / "tokenizer.json").read_text())
    control = {token["content"] for token in document["added_tokens"]}
    merges = document["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(checkpoint.tokens)
    writer.add_token_types([TokenType.CONTROL if token in control else TokenType.NORMAL for token in checkpoint.tokens])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_eos_token_id(checkpoint.tokens.index(checkpoint.eos_token))
    for name, tensor in checkpoint.tensors.items():
        values = tensor.rows(0, tensor.shape[0]).reshape(tensor.shape)
        if len(tensor.shape) == 1:
            writer.add_tensor(_name_of(name), values)
        else:
            kind = GGMLQuantizationType.Q8_0
            writer.add_tensor(_name_of(name), quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _name_of(name: str) -> str:
    if name in _NAMES:
        return _NAMES[name]
    _, _, layer, rest = name.split(".", 3)
    part, _, kind = rest.rpartition(".")
    return f"blk.{layer}.{_NAMES[part]}.{kind}"


class NaiveCTranslate2:
    """The obvious first attempt: batches in order of arrival, and the static prompt of CTranslate2's documentation."""

    def __init__(self, folder: Path, static: Sequence[int], batch_size: int) -> None:
        """Load the model in `folder`. The prompts of all requests begin with `static`."""
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        self._token_of: Callable[[int], str | None] = tokenizer.id_to_token
        self._static = list(map(self._token_of, static))
        self._batch_size = batch_size
        self._generator: Any = ctranslate2.Generator(str(folder), device="cpu")
        self._waiting: deque[tuple[int, Request]] = deque()

    def add(self, key: int, request: Request) -> None:
        """Let `request` wait for a batch."""
        self._waiting.append((key, request))

    def step(self) -> list[int]:
        """Answer the requests that have waited longest."""
        batch = [self._waiting.popleft() for _ in range(min(self._batch_size, len(self._waiting)))]
        wanted = [request.tokens for _, request in batch]
        written = [0] * len(batch)

        def is_whole(step: Any) -> bool:
            written[step.batch_id] += 1
            return bool(written[step.batch_id] >= wanted[step.batch_id])

        self._generator.generate_batch(
            [list(map(self._token_of, request.prompt[len(self._static) :])) for _, request in batch],
            static_prompt=self._static or None,
            include_prompt_in_result=False,
            sampling_topk=1,
            min_length=max(wanted),
            max_length=max(wanted),
            callback=is_whole,
        )
        return [key for key, _ in batch]


class OpenVino:
    """OpenVINO GenAI: continuous batching with prefix caching."""

    def __init__(self, gguf: Path) -> None:
        import openvino_genai

        self._genai: Any = openvino_genai
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.enable_prefix_caching = True
        scheduler.max_num_batched_tokens = 2048
        scheduler.cache_size = 2
        self._pipe: Any = openvino_genai.ContinuousBatchingPipeline(str(gguf), scheduler, "CPU")
        self._handles: dict[int, Any] = {}

    def add(self, key: int, request: Request) -> None:
        """Begin `request`; its answer has exactly as many tokens as it wants."""
        import openvino

        config = self._genai.GenerationConfig(max_new_tokens=request.tokens, ignore_eos=True, do_sample=False)
        self._handles[key] = self._pipe.add_request(key, openvino.Tensor(np.array([request.prompt], np.int64)), config)

    def step(self) -> list[int]:
        """One step of all requests that it works on."""
        self._pipe.step()
        running = self._genai.GenerationStatus.RUNNING
        done = [key for key, handle in self._handles.items() if handle.get_status() != running]
        for key in done:
            if self._handles.pop(key).get_status() != self._genai.GenerationStatus.FINISHED:
                raise RuntimeError("OpenVINO did not answer a request")
        return done

    def structured(self, prompts: Sequence[Sequence[int]], schemas: Sequence[str], tokens: int) -> list[list[int]]:
        """At most `tokens` tokens of JSON after each of `prompts`; none where OpenVINO refuses the schema."""
        import openvino

        answers: list[list[int]] = []
        for prompt, schema in zip(prompts, schemas, strict=True):
            config = self._genai.GenerationConfig(max_new_tokens=tokens, do_sample=False)
            config.structured_output_config = self._genai.StructuredOutputConfig(json_schema=schema)
            try:
                handle = self._pipe.add_request(len(answers), openvino.Tensor(np.array([prompt], np.int64)), config)
                while self._pipe.has_non_finished_requests():
                    self._pipe.step()
                answers.append(list(handle.read_all()[0].generated_ids))
            except RuntimeError:
                answers.append([])
        return answers


class LlamaCpp:
    """llama.cpp as its server runs it: up to `at_once` sequences, which share the cells of their common prefix."""

    def __init__(self, gguf: Path, static: Sequence[int], *, at_once: int, threads: int) -> None:
        """Load the model. The prompts of all requests begin with `static`."""
        import llama_cpp

        self._lib: Any = llama_cpp
        llama_cpp.llama_backend_init()
        loading = llama_cpp.llama_model_default_params()
        loading.use_extra_bufts = False  # 0.3.36 died of an illegal instruction in its kernels for AMX
        self._model = llama_cpp.llama_model_load_from_file(str(gguf).encode(), loading)
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = 16 * 1024
        settings.n_batch = settings.n_ubatch = _LARGEST_BATCH
        settings.n_seq_max = at_once + 1
        settings.n_threads = settings.n_threads_batch = threads
        settings.kv_unified = True
        self._context = llama_cpp.llama_init_from_model(self._model, settings)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model))
        self._shared = len(static)
        self._free = list(range(1, at_once + 1))
        self._waiting: deque[tuple[int, Request]] = deque()
        self._running: dict[int, _Sequence] = {}
        if static:
            self._decode([(token, place, 0, False) for place, token in enumerate(static)])

    def add(self, key: int, request: Request) -> None:
        """Let `request` wait for a sequence."""
        self._waiting.append((key, request))

    def step(self) -> list[int]:
        """One token of each sequence, and the prompts of as many requests as find a free one."""
        entries = [(run.last, run.place, number, True) for number, run in self._running.items()]
        while self._waiting and self._free and len(entries) + len(self._waiting[0][1].prompt) <= _LARGEST_BATCH:
            key, request = self._waiting.popleft()
            number = self._free.pop()
            if self._shared:
                self._lib.llama_memory_seq_cp(self._memory, 0, number, 0, self._shared)
            own = range(self._shared, len(request.prompt))
            entries += [(request.prompt[place], place, number, place == own[-1]) for place in own]
            self._running[number] = _Sequence(key, request.tokens, len(request.prompt) - 1)
        self._decode(entries)
        done = []
        for index, (_, _, number, wanted) in enumerate(entries):
            if not wanted:
                continue
            run = self._running[number]
            run.last, run.place, run.left = self._likeliest(index), run.place + 1, run.left - 1
            if not run.left:
                done.append(run.key)
                del self._running[number]
                self._lib.llama_memory_seq_rm(self._memory, number, -1, -1)
                self._free.append(number)
        return done

    def _likeliest(self, number: int) -> int:
        logits = self._lib.llama_get_logits_ith(self._context, number)
        return int(np.ctypeslib.as_array(logits, shape=(self._vocabulary,)).argmax())

    def _decode(self, entries: Sequence[tuple[int, int, int, bool]]) -> None:
        batch = self._lib.llama_batch_init(len(entries), 0, 1)
        batch.n_tokens = len(entries)
        for number, (token, place, sequence, wanted) in enumerate(entries):
            batch.token[number], batch.pos[number], batch.logits[number] = token, place, wanted
            batch.n_seq_id[number] = 1
            batch.seq_id[number][0] = sequence
        if self._lib.llama_decode(self._context, batch):
            raise RuntimeError("llama.cpp could not decode a batch")
        self._lib.llama_batch_free(batch)


@dataclass
class _Sequence:
    """A request that llama.cpp works on: the tokens that are left to write, and the last one with its place."""

    key: int
    left: int
    place: int
    last: int = 0
