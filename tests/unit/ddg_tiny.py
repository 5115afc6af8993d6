"""Tiny generators, learners and tasks for DDG's tests."""

from __future__ import annotations

import copy
import functools
import random
from typing import Any

import torch
from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel, XLNetConfig, XLNetModel

from scripts.common.step_parser import checked
from scripts.ddg.distilled import TextSet
from scripts.ddg.generator import Generator, prepare_generator
from scripts.ddg.learners import Learner, draw_head
from scripts.ddg.settings_steps import MatchSettings
from scripts.ddg.texts import Task
from tests.unit.lm_tiny import N_WORDS, tiny

OPTIMIZER = {
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "warmup_ratio": 0.1,
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
    "weight_decay_on": "except_bert_norms",
    "warmup_rounding": "exact",
    "adam_epsilon_rule": "after_correction",
}
SAMPLING = {"top_p": 0.95, "max_new_tokens": 6, "batch_size": 16}


def of_class(given: TextSet, label: int) -> list[tuple[str, ...]]:
    """Return the texts of a class in their order."""
    return [text for text, own in zip(given.texts, given.labels) if own == label]


def task(n_classes: int = 3, per_class: int = 12, columns: int = 1, seed: int = 0) -> Task:
    """Return a task whose classes use different words."""
    rng = random.Random(seed)
    texts, labels = [], []
    share = N_WORDS // n_classes
    for row in range(n_classes * per_class):
        label = row % n_classes
        words = range(label * share, (label + 1) * share)
        texts.append(tuple(" ".join(f"w{rng.choice(words)}" for _ in range(rng.randint(2, 6))) for _ in range(columns)))
        labels.append(label)
    names = tuple(f"label{i}" for i in range(n_classes))
    return Task(tuple(f"text{i}" for i in range(columns)), tuple(texts), tuple(labels), names)


def generator(kind: str = "llama", given: Task | None = None, *, dropout: float = 0.0) -> Generator:
    """Return a tiny generator of a task."""
    return prepare_generator(tiny(kind, dropout=dropout), given or task(), seed=0)


@functools.cache
def _encoder(kind: str, dropout: float) -> Any:
    torch.manual_seed(3)
    sizes = {
        "vocab_size": N_WORDS + 20, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.3,
        "hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout,
    }  # fmt: skip
    if kind == "xlnet":
        layers = {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24, "ff_activation": "gelu"}
        return XLNetModel(XLNetConfig(vocab_size=N_WORDS + 20, initializer_range=0.3, dropout=dropout, **layers))
    if kind == "bert":
        return BertModel(BertConfig(**sizes, pad_token_id=0))
    return RobertaModel(RobertaConfig(**sizes, pad_token_id=1, bos_token_id=0, eos_token_id=2), add_pooling_layer=False)


def learner(kind: str = "bert", n_classes: int = 3, pooling: str = "model", *, dropout: float = 0.0) -> Learner:
    """Return a tiny learner."""
    made = Learner(copy.deepcopy(_encoder(kind, dropout)), tiny("bert").tokenizer, n_classes, pooling, 60)
    draw_head(made, 5)
    return made.eval()


def match_settings(**changes: Any) -> MatchSettings:
    """Return settings of a run of four outer loops of two steps."""
    given: dict[str, Any] = {
        "text_columns": ["text0"],
        "outer_loops": 4,
        "inner_steps": 2,
        "learner_steps": 2,
        "synthetic_per_class": 4,
        "real_per_class": 6,
        "temperature": 1.0,
        "lm_weight": 0.25,
        "lm_batch_size": 8,
        "max_tokens": 16,
        "loss_norm": "padded",
        "pad_multiple": 8,
        "dropout": True,
        "generator_batch": 0,
        "optimizer": OPTIMIZER,
        "representative": {"versions": 2, "size": 6},
        "clusters": 2,
        "interval": 2,
        "teacher": "off",
        "teacher_init": "shared",
        "teacher_decay": 0.9,
        "learner": {
            "pooling": "model",
            "max_tokens": 16,
            "batch_size": 8,
            "read_batch_size": 16,
            "optimizer": {**OPTIMIZER, "learning_rate": 1e-2},
        },
        "sampling": SAMPLING,
        "monitor_texts": 4,
        "save_loops": 0,
    }
    return checked(MatchSettings, {**given, **changes})
