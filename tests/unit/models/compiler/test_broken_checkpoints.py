"""What can be wrong with a checkpoint or an adapter: how it comes about, and what the message must name."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sluicegate.models.compiler.compile import compile_checkpoint
from sluicegate.schemas.errors import CheckpointError, CompiledModelError
from tests.support.checkpoint_files import (
    FIXTURE,
    compile_to,
    edit_json,
    split_safetensors,
    truncate,
    write_safetensors,
)
from tests.support.checkpoints import TINY, write_checkpoint


def _rename_tensor(source: Path, old: str, new: str) -> None:
    header, data = split_safetensors(source / "model.safetensors")
    header[new] = header.pop(old)
    write_safetensors(source / "model.safetensors", header, data)


def _poison(source: Path) -> None:
    header, data = split_safetensors(source / "model.safetensors")
    write_safetensors(source / "model.safetensors", header, data[:-2] + b"\xc0\x7f")  # a bfloat16 NaN


def _impossible_shape(source: Path) -> None:
    header, data = split_safetensors(source / "model.safetensors")
    name = next(name for name in header if name != "__metadata__")
    header[name]["shape"] = [2**64, 4]
    write_safetensors(source / "model.safetensors", header, data)


def _drop_from_index(source: Path) -> None:
    index = json.loads((source / "model.safetensors.index.json").read_text())
    del index["weight_map"]["model.norm.weight"]
    (source / "model.safetensors.index.json").write_text(json.dumps(index))


def _config(**fields: object) -> Callable[[Path], None]:
    return lambda source: edit_json(source / "config.json", **fields)


BROKEN: dict[str, tuple[int, Callable[[Path], object], str]] = {
    "no config": (1, lambda s: (s / "config.json").unlink(), r"config\.json is missing"),
    "config not JSON": (1, lambda s: (s / "config.json").write_text("{oops"), r"config\.json cannot be read"),
    "foreign": (1, _config(model_type="llama"), r"model_type is 'llama', expected 'qwen3'"),
    "field missing": (1, _config(hidden_size=...), "missing required field `hidden_size`"),
    "no rope": (1, _config(rope_theta=...), "rope_theta is missing"),
    "rope no number": (
        1,
        _config(rope_theta=..., rope_parameters={"rope_theta": "big"}),
        r"rope_parameters\.rope_theta",
    ),
    "rope scaling": (1, _config(rope_scaling={"type": "yarn", "factor": 4}), "rope_scaling is not supported"),
    "new rope": (1, _config(rope_parameters={"rope_type": "linear", "rope_theta": 1e6}), "rope_scaling is not"),
    "sliding": (1, _config(use_sliding_window=True), "sliding window"),
    "layer types": (1, _config(layer_types=["sliding_attention"] * 2), "sliding window"),
    "bias": (1, _config(attention_bias=True), "attention_bias"),
    "activation": (1, _config(hidden_act="gelu"), "hidden_act"),
    "quantized": (1, _config(quantization_config={"quant_method": "awq"}), "quantization_config"),
    "heads": (1, _config(num_key_value_heads=3), "multiple of num_key_value_heads"),
    "wrong shape": (1, _config(intermediate_size=128), r"mlp\.\w+\.weight has shape .+ expects"),
    "too few layers": (1, _config(num_hidden_layers=1), r"model\.layers\.1\.\S+ does not belong"),
    "too many layers": (1, _config(num_hidden_layers=3), r"model\.layers\.2\.\S+ is missing"),
    "missing tensor": (1, lambda s: _rename_tensor(s, "model.norm.weight", "x"), r"tensor model\.norm\.weight is miss"),
    "small vocabulary": (1, _config(vocab_size=200), "shape .+ expects"),
    "no weights": (1, lambda s: (s / "model.safetensors").unlink(), "neither model.safetensors nor"),
    "truncated": (1, lambda s: truncate(s / "model.safetensors", 100), r"model\.safetensors is damaged: it has"),
    "config not UTF-8": (1, lambda s: (s / "config.json").write_bytes(b'{"model_type": "\xff"}'), "cannot be read"),
    "a billion layers": (1, _config(num_hidden_layers=10**9), r"<= 1000 - at `\$.num_hidden_layers`"),
    "impossible shape": (1, _impossible_shape, "impossible offsets"),
    "empty file": (1, lambda s: (s / "model.safetensors").write_bytes(b""), "too few for its header"),
    "header not JSON": (1, lambda s: (s / "model.safetensors").write_bytes(b"\4\0\0\0\0\0\0\0oops"), "is damaged"),
    "not finite": (1, _poison, "values that are not finite"),
    "missing shard": (3, lambda s: (s / "model-00002-of-00003.safetensors").unlink(), r"model-00002\S+ is missing"),
    "truncated shard": (3, lambda s: truncate(s / "model-00003-of-00003.safetensors", 1), r"model-00003\S+ is damag"),
    "index disagrees": (3, _drop_from_index, "does not list the shard's model.norm.weight"),
    "index escapes": (
        3,
        lambda s: edit_json(s / "model.safetensors.index.json", weight_map={"a": "../a.safetensors"}),
        "is not a plain file name",
    ),
    "no tokenizer": (1, lambda s: (s / "tokenizer.json").unlink(), r"tokenizer\.json is missing"),
    "bad tokenizer": (1, lambda s: (s / "tokenizer.json").write_text("{}"), r"tokenizer\.json is not a tokenizer"),
    "no end token": (1, lambda s: edit_json(s / "tokenizer_config.json", eos_token="</s>"), "no end-of-text token"),
}


@pytest.mark.parametrize(("shards", "damage", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_checkpoint_is_one_clear_line_and_leaves_nothing_behind(
    tmp_path: Path, shards: int, damage: Callable[[Path], object], message: str
) -> None:
    source = write_checkpoint(tmp_path / "source", shards=shards)
    damage(source)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(CheckpointError, match=message) as caught:
        compile_to(out / "model", source)
    assert "\n" not in str(caught.value)
    assert list(out.iterdir()) == []


def test_a_vocabulary_larger_than_the_embeddings_is_refused(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source")
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"] |= {f"more{number}": 300 + number for number in range(40)}
    (source / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(CheckpointError, match="is beyond vocab_size 320"):
        compile_to(tmp_path / "model", source)


def _adapter_file(adapter: Path) -> Path:
    return adapter / "adapter_model.safetensors"


def _rename_in_adapter(old: str, new: str) -> Callable[[Path], None]:
    def damage(adapter: Path) -> None:
        header, data = split_safetensors(_adapter_file(adapter))
        renamed = {name.replace(old, new): entry for name, entry in header.items()}
        write_safetensors(_adapter_file(adapter), renamed, data)

    return damage


def _drop_from_adapter(adapter: Path) -> None:
    header, data = split_safetensors(_adapter_file(adapter))
    last = max((name for name in header if name != "__metadata__"), key=lambda name: header[name]["data_offsets"][1])
    start = header.pop(last)["data_offsets"][0]
    write_safetensors(_adapter_file(adapter), header, data[:start])


def _adapter_config(**fields: object) -> Callable[[Path], None]:
    return lambda adapter: edit_json(adapter / "adapter_config.json", **fields)


BROKEN_ADAPTERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda a: (a / "adapter_config.json").unlink(), r"adapter_config\.json is missing"),
    "no weights": (lambda a: _adapter_file(a).unlink(), r"adapter_model\.safetensors is missing"),
    "truncated": (lambda a: truncate(_adapter_file(a), 4), "is damaged"),
    "empty": (lambda a: write_safetensors(_adapter_file(a), {}, b""), "has no LoRA weights"),
    "another method": (_adapter_config(peft_type="IA3"), "peft_type"),
    "dora": (_adapter_config(use_dora=True), "use_dora"),
    "trained biases": (_adapter_config(bias="all"), "bias"),
    "other modules": (_adapter_config(modules_to_save=["lm_head"]), "modules_to_save"),
    "changed base": (_adapter_config(init_lora_weights="pissa"), "init_lora_weights"),
    "no rank": (_adapter_config(r=0), r"\$\.r"),
    "another rank": (_adapter_config(r=8), r"lora_A of \S+ has shape \[2, \d+\], expected \[8,"),
    "embeddings": (_rename_in_adapter("lora_A", "lora_embedding_A"), "lora_embedding_A.weight cannot be merged"),
    "head": (_rename_in_adapter("q_proj", "lm_head"), "lm_head.lora_A.weight cannot be merged"),
    "another depth": (_rename_in_adapter("layers.1.", "layers.7."), r"no model\.layers\.7\.\S+\.weight"),
    "half a pair": (_drop_from_adapter, r"lora_[AB] of \S+ is missing"),
}


@pytest.mark.parametrize(("damage", "message"), BROKEN_ADAPTERS.values(), ids=BROKEN_ADAPTERS.keys())
def test_an_adapter_that_cannot_be_merged_is_one_clear_line_and_leaves_nothing_behind(
    tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    adapter = shutil.copytree(FIXTURE / "adapter", tmp_path / "adapter")
    damage(adapter)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(CheckpointError, match=message) as caught:
        compile_to(out / "model", adapter=adapter)
    assert "\n" not in str(caught.value)
    assert list(out.iterdir()) == []


def test_an_adapter_for_a_wider_model_is_refused(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source", replace(TINY, hidden_size=128))
    with pytest.raises(CheckpointError, match=r"has shape .+ expected .+ give the base model of the adapter"):
        compile_to(tmp_path / "model", source, adapter=FIXTURE / "adapter")


@pytest.mark.parametrize(
    ("learnt", "named"),
    [
        ({"profile": "adapted", "prompt_version": "adapted-0"}, r"adapted-0 \(adapted\).*zero-shot-2 \(zero_shot\)"),
        (
            {"profile": "zero_shot", "prompt_version": "zero-shot-1"},
            r"was trained for zero-shot-1; this version needs zero-shot-2: fine-tune again with `sluice learn lora`",
        ),
        ({"profile": "chatty", "prompt_version": "1"}, r"sluicegate.json cannot be read: .*\$\.profile"),
    ],
)
def test_an_adapter_that_learnt_other_prompts_is_not_merged(tmp_path: Path, learnt: dict[str, str], named: str) -> None:
    adapter = shutil.copytree(FIXTURE / "adapter", tmp_path / "adapter")
    (adapter / "sluicegate.json").write_text(json.dumps(learnt))
    with pytest.raises(CheckpointError, match=named):
        compile_checkpoint(
            FIXTURE / "checkpoint",
            tmp_path / "model",
            quantization="float32",
            prompt_style="zero_shot",
            adapter=adapter,
        )
    assert not (tmp_path / "model").exists()


def test_weights_that_overflow_never_become_a_model(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source", dtype="float32")
    header, data = split_safetensors(source / "model.safetensors")
    start, stop = header["model.norm.weight"]["data_offsets"]
    enormous = np.full((stop - start) // 4, 3e38, np.float32).tobytes()
    write_safetensors(source / "model.safetensors", header, data[:start] + enormous + data[stop:])
    with pytest.raises(CheckpointError, match="the largest float16"):
        compile_to(tmp_path / "model", source, "float16")
    with pytest.raises(CompiledModelError, match="output is not finite"):
        compile_to(tmp_path / "model", source, "float32")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
