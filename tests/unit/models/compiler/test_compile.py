"""Compiling: equal to transformers and to the official converter, and all or nothing when something is wrong.

The references in tests/fixtures/qwen3_random were made once, by tests/fixtures/make_qwen3_random.py.
"""

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ctranslate2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from sluicegate.models.artifacts.manifest import Manifest, Quantization, read_manifest, verify_files
from sluicegate.models.compiler.compile import compile_checkpoint, verify_compiled
from sluicegate.schemas.errors import CheckpointError, CompiledModelError
from tests.support.checkpoints import TINY, write_checkpoint

FIXTURE = Path(__file__).parents[3] / "fixtures" / "qwen3_random"
REFERENCE = json.loads((FIXTURE / "reference.json").read_text())
LOGITS = np.load(FIXTURE / "reference.npz")
QUANTIZATIONS: list[Quantization] = ["int8", "int8_float32", "int8_bfloat16", "float16", "bfloat16", "float32"]
# Measured: 2e-6 for the float types, 0.11 for int8 at a standard deviation of 0.98.
TOLERANCE = {quantization: 0.25 if quantization.startswith("int8") else 2e-4 for quantization in QUANTIZATIONS}


def compile_to(
    destination: Path, source: Path = FIXTURE / "checkpoint", quantization: Quantization = "float32", **more: object
) -> Manifest:
    return compile_checkpoint(
        source,
        destination,
        quantization=quantization,
        prompt_style="zero_shot",
        **more,  # type: ignore[arg-type]  # each test names the options it is about
    )


def logits_of(folder: Path) -> NDArray[np.float32]:
    """Logits of the reference sequences, one after the other: [tokens, vocabulary]."""
    compute_type = "int8_float32" if read_manifest(folder).quantization.startswith("int8") else "float32"
    generator = ctranslate2.Generator(str(folder), device="cpu", compute_type=compute_type)
    return np.concatenate([np.array(generator.forward_batch([tokens]))[0] for tokens in REFERENCE["sequences"]])


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_the_weights_are_byte_for_byte_those_of_the_official_converter(
    tmp_path: Path, quantization: Quantization
) -> None:
    manifest = compile_to(tmp_path / "model", quantization=quantization)
    assert manifest.files["model.bin"] == REFERENCE["official_sha256"][quantization]


def test_configuration_and_vocabulary_are_those_of_the_official_converter(tmp_path: Path) -> None:
    compile_to(tmp_path / "model")
    for name in ("config.json", "vocabulary.json"):
        assert (tmp_path / "model" / name).read_bytes() == (FIXTURE / f"official_{name}").read_bytes()


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_the_logits_are_those_of_transformers(tmp_path: Path, quantization: Quantization) -> None:
    compile_to(tmp_path / "model", quantization=quantization)
    np.testing.assert_allclose(
        logits_of(tmp_path / "model"), LOGITS["transformers"], rtol=0, atol=TOLERANCE[quantization]
    )


@pytest.mark.parametrize("quantization", ["float32", "int8_float32"])
def test_the_logits_are_those_of_the_official_converter(tmp_path: Path, quantization: Quantization) -> None:
    compile_to(tmp_path / "model", quantization=quantization)
    # Not exact: the sums run in another order on another CPU.
    np.testing.assert_allclose(
        logits_of(tmp_path / "model"), LOGITS[f"official_{quantization}"], rtol=0, atol=TOLERANCE[quantization] / 5
    )


@pytest.mark.parametrize("adapter", ["adapter", "adapter_patterns"])
def test_a_merged_adapter_answers_as_peft_does(tmp_path: Path, adapter: str) -> None:
    manifest = compile_to(tmp_path / "model", adapter=FIXTURE / adapter)
    np.testing.assert_allclose(logits_of(tmp_path / "model"), LOGITS[adapter], rtol=0, atol=2e-4)
    assert manifest.adapter is not None
    assert manifest.adapter.startswith(f"{adapter}@")


def test_a_compiled_folder_holds_what_serving_needs_and_a_manifest_that_holds(tmp_path: Path) -> None:
    manifest = compile_to(tmp_path / "model", name="tiny", revision="abc")
    folder = tmp_path / "model"
    assert {path.name for path in folder.iterdir()} == {
        *("model.bin", "config.json", "vocabulary.json", "tokenizer.json", "manifest.json"),
        *("tokenizer_config.json", "generation_config.json"),
    }
    assert (folder / "tokenizer.json").read_bytes() == (FIXTURE / "checkpoint" / "tokenizer.json").read_bytes()
    assert read_manifest(folder) == manifest
    verify_files(folder, manifest)
    assert (manifest.name, manifest.source, manifest.revision) == ("tiny", "checkpoint", "abc")
    assert manifest.parameters == 106_944


@pytest.mark.parametrize("tied", [True, False])
def test_shards_compile_to_the_same_weights_as_one_file(tmp_path: Path, tied: bool) -> None:
    one = write_checkpoint(tmp_path / "one", tied=tied)
    whole = compile_to(tmp_path / "a", one, "int8")
    blocks = _split_in_two(one, tmp_path / "two")
    assert compile_to(tmp_path / "b", blocks, "int8").files == whole.files


def test_float32_checkpoints_and_untied_embeddings_compile(tmp_path: Path) -> None:
    tied = compile_to(tmp_path / "a", write_checkpoint(tmp_path / "tied", dtype="float32"))
    untied = compile_to(tmp_path / "b", write_checkpoint(tmp_path / "untied", dtype="float32", tied=False))
    assert untied.parameters - tied.parameters == TINY.vocab_size * TINY.hidden_size
    assert not np.allclose(logits_of(tmp_path / "a"), logits_of(tmp_path / "b"))


def test_tied_embeddings_may_come_with_the_same_projection_but_not_with_another(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source", tied=False)
    _edit_json(source / "config.json", tie_word_embeddings=True)
    with pytest.raises(CheckpointError, match=r"ties the embeddings but lm_head\.weight differs"):
        compile_to(tmp_path / "model", source)
    path = source / "model.safetensors"
    header, data = _split_safetensors(path)
    start, stop = header["model.embed_tokens.weight"]["data_offsets"]
    at = header["lm_head.weight"]["data_offsets"][0]
    _write_safetensors(path, header, data[:at] + data[start:stop])
    assert compile_to(tmp_path / "model", source).parameters == 106_944


def test_progress_rises_to_the_number_of_parameters(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    manifest = compile_to(
        tmp_path / "model", quantization="int8", progress=lambda done, total: seen.append((done, total))
    )
    assert seen == sorted(seen)
    assert seen[-1] == (manifest.parameters, manifest.parameters)


def test_importing_the_compiler_does_not_import_torch_and_compiling_does_not_need_it(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('torch was imported')")
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
tried = []
class Watch:
    def find_spec(self, name, path=None, target=None):
        tried.append(name)
sys.meta_path.insert(0, Watch())
from pathlib import Path
from sluicegate.models.compiler.compile import compile_checkpoint
assert "torch" not in tried, "imported"
compile_checkpoint(Path({str(FIXTURE / "checkpoint")!r}), Path({str(tmp_path / "model")!r}), quantization="bfloat16",
                   prompt_style="zero_shot")
assert "torch" in tried, "ctranslate2.specs no longer looks for torch: this test can be simpler"
assert "torch" not in sys.modules
"""
    root = Path(__file__).parents[4]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# What can be wrong with a checkpoint: how it comes about, and what the message must name.
def _edit_json(path: Path, **fields: object) -> None:
    content = {**json.loads(path.read_text()), **fields}
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not ...}))


def _split_safetensors(path: Path) -> tuple[dict[str, dict[str, list[int]]], bytes]:
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    return msgspec.json.decode(raw[8 : 8 + length]), raw[8 + length :]


def _write_safetensors(path: Path, header: object, data: bytes) -> None:
    encoded = json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + data)


def _split_in_two(source: Path, destination: Path) -> Path:
    """The same checkpoint in two shards."""
    shutil.copytree(source, destination)
    header, data = _split_safetensors(destination / "model.safetensors")
    (destination / "model.safetensors").unlink()
    names = sorted(header.keys() - {"__metadata__"})
    weight_map = {}
    for number, part in enumerate((names[::2], names[1::2])):
        pieces, shard, offset = [], {}, 0
        for name in part:
            start, stop = header[name]["data_offsets"]
            pieces.append(data[start:stop])
            shard[name] = {**header[name], "data_offsets": [offset, offset + stop - start]}
            offset += stop - start
        file = f"part-{number}.safetensors"
        weight_map.update(dict.fromkeys(part, file))
        _write_safetensors(destination / file, shard, b"".join(pieces))
    (destination / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return destination


def _truncate(path: Path, by: int) -> None:
    path.write_bytes(path.read_bytes()[:-by])


def _rename_tensor(source: Path, old: str, new: str) -> None:
    header, data = _split_safetensors(source / "model.safetensors")
    header[new] = header.pop(old)
    _write_safetensors(source / "model.safetensors", header, data)


def _poison(source: Path) -> None:
    header, data = _split_safetensors(source / "model.safetensors")
    _write_safetensors(source / "model.safetensors", header, data[:-2] + b"\xc0\x7f")  # a bfloat16 NaN


def _impossible_shape(source: Path) -> None:
    header, data = _split_safetensors(source / "model.safetensors")
    name = next(name for name in header if name != "__metadata__")
    header[name]["shape"] = [2**64, 4]
    _write_safetensors(source / "model.safetensors", header, data)


def _drop_from_index(source: Path) -> None:
    index = json.loads((source / "model.safetensors.index.json").read_text())
    del index["weight_map"]["model.norm.weight"]
    (source / "model.safetensors.index.json").write_text(json.dumps(index))


def _config(**fields: object) -> Callable[[Path], None]:
    return lambda source: _edit_json(source / "config.json", **fields)


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
    "truncated": (1, lambda s: _truncate(s / "model.safetensors", 100), r"model\.safetensors is damaged: it has"),
    "config not UTF-8": (1, lambda s: (s / "config.json").write_bytes(b'{"model_type": "\xff"}'), "cannot be read"),
    "a billion layers": (1, _config(num_hidden_layers=10**9), r"<= 1000 - at `\$.num_hidden_layers`"),
    "impossible shape": (1, _impossible_shape, "impossible offsets"),
    "empty file": (1, lambda s: (s / "model.safetensors").write_bytes(b""), "too few for its header"),
    "header not JSON": (1, lambda s: (s / "model.safetensors").write_bytes(b"\4\0\0\0\0\0\0\0oops"), "is damaged"),
    "not finite": (1, _poison, "values that are not finite"),
    "missing shard": (3, lambda s: (s / "model-00002-of-00003.safetensors").unlink(), r"model-00002\S+ is missing"),
    "truncated shard": (3, lambda s: _truncate(s / "model-00003-of-00003.safetensors", 1), r"model-00003\S+ is damag"),
    "index disagrees": (3, _drop_from_index, "does not list the shard's model.norm.weight"),
    "index escapes": (
        3,
        lambda s: _edit_json(s / "model.safetensors.index.json", weight_map={"a": "../a.safetensors"}),
        "is not a plain file name",
    ),
    "no tokenizer": (1, lambda s: (s / "tokenizer.json").unlink(), r"tokenizer\.json is missing"),
    "bad tokenizer": (1, lambda s: (s / "tokenizer.json").write_text("{}"), r"tokenizer\.json is not a tokenizer"),
    "no end token": (1, lambda s: _edit_json(s / "tokenizer_config.json", eos_token="</s>"), "no end-of-text token"),
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
        header, data = _split_safetensors(_adapter_file(adapter))
        renamed = {name.replace(old, new): entry for name, entry in header.items()}
        _write_safetensors(_adapter_file(adapter), renamed, data)

    return damage


def _drop_from_adapter(adapter: Path) -> None:
    header, data = _split_safetensors(_adapter_file(adapter))
    last = max((name for name in header if name != "__metadata__"), key=lambda name: header[name]["data_offsets"][1])
    start = header.pop(last)["data_offsets"][0]
    _write_safetensors(_adapter_file(adapter), header, data[:start])


def _adapter_config(**fields: object) -> Callable[[Path], None]:
    return lambda adapter: _edit_json(adapter / "adapter_config.json", **fields)


BROKEN_ADAPTERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda a: (a / "adapter_config.json").unlink(), r"adapter_config\.json is missing"),
    "no weights": (lambda a: _adapter_file(a).unlink(), r"adapter_model\.safetensors is missing"),
    "truncated": (lambda a: _truncate(_adapter_file(a), 4), "is damaged"),
    "empty": (lambda a: _write_safetensors(_adapter_file(a), {}, b""), "has no LoRA weights"),
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
    with pytest.raises(CheckpointError, match=r"has shape .+ expected .+ give the base the adapter was made for"):
        compile_to(tmp_path / "model", source, adapter=FIXTURE / "adapter")


# All or nothing.
def test_a_compiled_model_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    compile_to(tmp_path / "model", quantization="float32")
    second = compile_to(tmp_path / "model", quantization="int8")
    assert read_manifest(tmp_path / "model") == second
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), SystemExit(1)], ids=["Ctrl-C", "exit"])
def test_an_interruption_leaves_the_old_model_and_nothing_else(tmp_path: Path, interruption: BaseException) -> None:
    first = compile_to(tmp_path / "model", quantization="float32")

    def interrupt(done: int, total: int) -> None:
        if done > total / 2:
            raise interruption

    with pytest.raises(type(interruption)):
        compile_to(tmp_path / "model", quantization="int8", progress=interrupt)
    assert read_manifest(tmp_path / "model") == first
    verify_files(tmp_path / "model", first)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_full_disk_is_one_clear_line_and_leaves_nothing_behind(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # every write beyond it fails, as on a full disk
    try:
        with pytest.raises(CheckpointError, match=r"failed: .+ Check free space"):
            compile_to(tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_a_compiled_model_is_never_overwritten(tmp_path: Path) -> None:
    precious = tmp_path / "model" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years of work")
    with pytest.raises(CompiledModelError, match="exists and is not a compiled model"):
        compile_to(precious.parent)
    assert precious.read_text() == "years of work"


def test_a_checkpoint_is_not_overwritten_by_its_own_compilation(tmp_path: Path) -> None:
    compile_to(tmp_path / "model")
    source = shutil.copytree(FIXTURE / "checkpoint", tmp_path / "model" / "checkpoint")
    with pytest.raises(CompiledModelError, match="contains the checkpoint itself"):
        compile_to(tmp_path / "model", source)
    assert source.is_dir()


@pytest.mark.parametrize(
    ("learnt", "named"),
    [
        ({"profile": "adapted", "prompt_version": "adapted-0"}, r"adapted-0 \(adapted\).*zero-shot-2 \(zero_shot\)"),
        ({"profile": "zero_shot", "prompt_version": "zero-shot-1"}, r"again with this version"),
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


# Verification.
def test_a_model_that_could_never_be_served_is_not_compiled(tmp_path: Path) -> None:
    with pytest.raises(CompiledModelError, match="compile the model with another prompt style"):
        compile_checkpoint(
            FIXTURE / "checkpoint",
            tmp_path / "model",
            quantization="float32",
            prompt_style="embedded",
        )
    for name in ("n" * 181, "../../up", "a b", ".hidden"):
        with pytest.raises(CheckpointError, match="a model cannot be named"):
            compile_to(tmp_path / "model", name=name)
    assert list(tmp_path.iterdir()) == []


def _spoil_vocabulary(folder: Path) -> None:
    tokens = json.loads((folder / "vocabulary.json").read_text())
    (folder / "vocabulary.json").write_text(json.dumps(tokens[:-1]))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.bin").unlink(),
        lambda folder: _truncate(folder / "model.bin", 1000),
        lambda folder: (folder / "vocabulary.json").unlink(),
        _spoil_vocabulary,
    ],
    ids=["no weights", "truncated weights", "no vocabulary", "short vocabulary"],
)
def test_a_damaged_compiled_model_does_not_verify(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    compile_to(tmp_path / "model")
    verify_compiled(tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(CompiledModelError, match="Compile checkpoint again") as caught:
        verify_compiled(tmp_path / "model")
    assert "\n" not in str(caught.value)


def test_weights_that_overflow_never_become_a_model(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source", dtype="float32")
    header, data = _split_safetensors(source / "model.safetensors")
    start, stop = header["model.norm.weight"]["data_offsets"]
    enormous = np.full((stop - start) // 4, 3e38, np.float32).tobytes()
    _write_safetensors(source / "model.safetensors", header, data[:start] + enormous + data[stop:])
    with pytest.raises(CheckpointError, match="the largest float16"):
        compile_to(tmp_path / "model", source, "float16")
    with pytest.raises(CompiledModelError, match="logits are not finite"):
        compile_to(tmp_path / "model", source, "float32")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
