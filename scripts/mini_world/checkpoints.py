"""State of an unfinished training run, and the finished model as a folder that transformers loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.common.errors import UserError
from scripts.common.files import atomic_path, write_json
from scripts.mini_world.cards import Card, Measure, share, write_card

if TYPE_CHECKING:
    from scripts.mini_world.train_causal import Trainer
    from scripts.mini_world.training import TrainingRun


def save_checkpoint(path: Path, trainer: TrainingRun) -> None:
    """Write weights, optimiser state, step and curve in one safetensors file, whole or not at all."""
    import torch

    from scripts.lm.checkpoints import save_state

    tensors = {f"model.{name}": tensor for name, tensor in trainer.model.state_dict().items()}
    for index, state in trainer.optimizer.state_dict()["state"].items():
        tensors.update({f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in state.items()})
    facts = {"key": trainer.key, "step": trainer.step, "curve": trainer.curve, "losses": trainer.losses}
    save_state(path, tensors, facts)


def load_checkpoint(path: Path, trainer: TrainingRun) -> None:
    """Take up the run that `path` holds. Raises `UserError` if it is damaged or belongs to other settings."""
    from scripts.lm.checkpoints import load_state

    found = load_state(path)
    if found is None:
        raise UserError(f"{path}: no such file; check the path")
    tensors, facts = found
    if facts["key"] != trainer.key:
        raise UserError(f"{path}: checkpoint of a run with other settings or seed; name another file or remove it")
    trainer.model.load_state_dict({k[len("model.") :]: v for k, v in tensors.items() if k.startswith("model.")})
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, field = name.split(".")
            state.setdefault(int(index), {})[field] = tensor
    groups = trainer.optimizer.state_dict()["param_groups"]
    trainer.optimizer.load_state_dict({"state": state, "param_groups": groups})
    trainer.step, trainer.curve, trainer.losses = facts["step"], facts["curve"], facts["losses"]


def model_config(trainer: Trainer) -> dict[str, Any]:
    """Return the content of config.json."""
    from scripts.data.synthetic_words import EOS, PAD

    shape = trainer.shape
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": None,
        "dtype": "float32",
        "eos_token_id": trainer.token_ids[EOS],
        "head_dim": shape.width // shape.heads,
        "hidden_act": "silu",
        "hidden_size": shape.width,
        "initializer_range": 0.02,
        "intermediate_size": shape.hidden,
        "max_position_embeddings": shape.window,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.heads,
        "pad_token_id": trainer.token_ids[PAD],
        "pretraining_tp": 1,
        "rms_norm_eps": shape.norm_eps,
        "rope_parameters": {"rope_theta": shape.rope_theta, "rope_type": "default"},
        "tie_word_embeddings": False,
        "use_cache": True,
        "vocab_size": shape.vocabulary,
    }


def export(folder: Path, trainer: Trainer) -> None:
    """Write config.json, model.safetensors (fp32), the tokenizer and the model card README.md into `folder`."""
    from safetensors.torch import save_file

    from scripts.data.synthetic_words import EOS, PAD
    from scripts.mini_world.tokenizer import build_tokenizer

    tokenizer = build_tokenizer(trainer.world, trainer.shape.window)
    tokenizer.save_pretrained(folder)
    write_json(folder / "config.json", model_config(trainer))
    ends = {"eos_token_id": trainer.token_ids[EOS], "pad_token_id": trainer.token_ids[PAD]}
    write_json(folder / "generation_config.json", ends)
    weights = folder / "model.safetensors"
    tensors = {name: tensor.contiguous() for name, tensor in trainer.model.state_dict().items()}
    with atomic_path(weights) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
    write_card(folder, causal_card(trainer))


def causal_card(trainer: Trainer) -> Card:
    """Return what the model is, what it read and how well it does."""
    shape, settings, n = trainer.shape, trainer.settings, trainer.settings.evaluate_documents
    measures = {}
    for name, value in trainer.curve[-1].items():
        shared = name.startswith(("trained_", "held_out_", "same_instruction"))
        if name != "step":
            measures[name] = share(value, n) if shared else Measure(value)
    return Card(
        title=f"Mini causal LM, {shape.layers} layers of {shape.width}",
        summary=(
            f"A Llama ({shape.layers} layers, {shape.width} wide, {shape.heads} heads, {shape.vocabulary} words, "
            f"window {shape.window}), trained from nothing on documents of the synthetic world "
            f"(scripts/data/synthetic_documents.py): {settings.n_topics} topics of {settings.words_per_topic} words, "
            f"{settings.n_held_out} of them never in a classification document. Its attention was guided for the first "
            f"{settings.guide_steps} steps."
        ),
        module="scripts.mini_world.train_causal",
        steps=trainer.step,
        seed=trainer.seed,
        settings=json.loads(trainer.key),
        measures=measures,
        legend=(
            "`trained_k`, `held_out_k`: share of hidden labels named rightly after k demonstrations (3 to 5 classes) "
            "of trained or held-out topics; `auc_*`: right against careless single examples, by the share of anchors "
            "they raise (golden) or the mean gain; `same_instruction`: how often an example of the same neutral "
            "instruction helps more than one of another; `loss_*`: nats a token by kind of document, mean since the "
            "point before."
        ),
    )
