"""The same model in other engines. Needs the extra ``peers``.

Both read one GGUF file of our checkpoint in Q8_0: 8-bit weights in blocks of 32, their closest format to int8.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from sluicegate.models.compiler.checkpoint import open_checkpoint

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


def write_gguf(checkpoint_folder: Path, path: Path) -> None:
    """Write the checkpoint as llama.cpp's converter would, in Q8_0."""
    from gguf import GGMLQuantizationType, GGUFWriter, TokenType
    from gguf.quants import quantize

    checkpoint = open_checkpoint(checkpoint_folder)
    config = checkpoint.config
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


class OpenVino:
    """OpenVINO GenAI: continuous batching with prefix caching, everything submitted at once."""

    def __init__(self, gguf: Path) -> None:
        import openvino_genai

        self._genai: Any = openvino_genai
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.enable_prefix_caching = True
        scheduler.max_num_batched_tokens = 2048
        scheduler.cache_size = 2
        self._pipe: Any = openvino_genai.ContinuousBatchingPipeline(str(gguf), scheduler, "CPU")

    def generate(self, prompts: Sequence[Sequence[int]], tokens: int) -> None:
        """Write `tokens` tokens after each of `prompts`."""
        import openvino

        config = self._genai.GenerationConfig(max_new_tokens=tokens, ignore_eos=True, do_sample=False)
        handles = [
            self._pipe.add_request(number, openvino.Tensor(np.array([prompt], np.int64)), config)
            for number, prompt in enumerate(prompts)
        ]
        while self._pipe.has_non_finished_requests():
            self._pipe.step()
        assert all(len(handle.read_all()[0].generated_ids) == tokens for handle in handles)

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
    """llama.cpp: batches of sequences that share the cells of their common prefix."""

    def __init__(self, gguf: Path, *, batch_size: int, threads: int) -> None:
        import llama_cpp

        self._lib: Any = llama_cpp
        self._batch_size = batch_size
        llama_cpp.llama_backend_init()
        self._model = llama_cpp.llama_model_load_from_file(str(gguf).encode(), llama_cpp.llama_model_default_params())
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = 64 * 1024 // 4
        settings.n_batch = settings.n_ubatch = 2048
        settings.n_seq_max = batch_size + 1
        settings.n_threads = settings.n_threads_batch = threads
        settings.kv_unified = True
        self._context = llama_cpp.llama_init_from_model(self._model, settings)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model))

    def generate(self, prompts: Sequence[Sequence[int]], tokens: int) -> None:
        """Write `tokens` tokens after each of `prompts`."""
        for first in range(0, len(prompts), self._batch_size):
            self._generate_batch(prompts[first : first + self._batch_size], tokens)

    def _generate_batch(self, prompts: Sequence[Sequence[int]], tokens: int) -> None:
        shared = 0
        while len(prompts) > 1 and all(
            shared < len(prompt) - 1 and prompt[shared] == prompts[0][shared] for prompt in prompts
        ):
            shared += 1
        lib = self._lib
        lib.llama_memory_clear(self._memory, True)
        if shared:
            self._decode([(token, place, 0, False) for place, token in enumerate(prompts[0][:shared])])
            for sequence in range(1, len(prompts)):
                lib.llama_memory_seq_cp(self._memory, 0, sequence, 0, shared)
        entries = [
            (token, place, sequence, place == len(prompt) - 1)
            for sequence, prompt in enumerate(prompts)
            for place, token in enumerate(prompt)
            if place >= shared
        ]
        self._decode(entries)
        ends = [number for number, entry in enumerate(entries) if entry[3]]
        for step in range(tokens):
            chosen = [self._likeliest(number) for number in ends]
            if step == tokens - 1:
                break
            self._decode([(chosen[n], len(prompt) + step, n, True) for n, prompt in enumerate(prompts)])
            ends = list(range(len(prompts)))

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
