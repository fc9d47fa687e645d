"""Random checkpoints in the shape of the embedded model, made with numpy alone."""

import json
import string
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from sluicegate.models.data.wordpiece import SPECIAL, wordpiece_tokenizer
from sluicegate.models.inference.labels import LABELS, Intent
from tests.support.checkpoints import write_safetensors

AISLES = ("shoes", "phones")
_HIDDEN, _INNER = 48, 64


def letter_tokenizer() -> Tokenizer:
    """A tokenizer whose text tokens are single letters, digits and signs."""
    signs = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    return wordpiece_tokenizer([*SPECIAL, *signs, *(f"##{sign}" for sign in signs)])


def write_encoder_checkpoint(folder: Path, *, seed: int = 0, layers: int = 2) -> Path:
    """Write config.json, model.safetensors and tokenizer.json, and return the folder."""
    from sluicegate.models.compiler.encoder import EncoderConfig, HeadClasses

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = letter_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = EncoderConfig(
        hidden_size=_HIDDEN,
        intermediate_size=_INNER,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=128,
        vocab_size=tokenizer.get_vocab_size(),
        type_vocab_size=1,
        hidden_act="gelu",
        layer_norm_eps=1e-12,
        heads=HeadClasses(list(LABELS), [intent.value for intent in Intent], list(AISLES)),
    )
    fields = {name: getattr(config, name) for name in config.__struct_fields__ if name != "heads"}
    heads = {"labels": config.heads.labels, "intents": config.heads.intents, "aisles": config.heads.aisles}
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **fields, "heads": heads}))
    write_safetensors(folder / "model.safetensors", config.shapes(), "float32", np.random.default_rng(seed))
    return folder
