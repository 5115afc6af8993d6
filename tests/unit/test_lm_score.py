"""The scorer against a plain reference: one pair at a time, the whole log-softmax, no cache, no padding."""

from __future__ import annotations

import functools
from typing import Any, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from scripts.common.errors import UserError
from scripts.lm.load import load_model
from scripts.lm.score import Continuation, PrefixCache, Scorer

WORDS = 67
TOLERANCE = 1e-5  # nats per answer token, fp32
SPECIAL = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
GROUPED = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    **SPECIAL,
}
T5_SIZE = {
    "vocab_size": WORDS,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 48,
    "num_layers": 2,
    "num_heads": 4,
    "decoder_start_token_id": 0,
    "pad_token_id": 0,
    "eos_token_id": 1,
}


def opt_config(**changes: Any) -> OPTConfig:
    size = {"vocab_size": WORDS, "hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
    return OPTConfig(**{**size, "word_embed_proj_dim": 32, "max_position_embeddings": 128, **SPECIAL, **changes})


def untied_t5() -> T5ForConditionalGeneration:
    model = T5ForConditionalGeneration(T5Config(**T5_SIZE, feed_forward_proj="gated-gelu", tie_word_embeddings=False))
    model.lm_head.weight = torch.nn.Parameter(torch.randn(WORDS, 32))
    return model


MAKERS = {
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(vocab_size=WORDS, n_embd=32, n_layer=3, n_head=4, n_positions=128, **SPECIAL)
    ),
    "gpt2_layer_scaled": lambda: GPT2LMHeadModel(
        GPT2Config(
            vocab_size=WORDS,
            n_embd=32,
            n_layer=3,
            n_head=4,
            n_positions=128,
            scale_attn_by_inverse_layer_idx=True,
            activation_function="relu",
            **SPECIAL,
        )
    ),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**GROUPED)),
    "llama_tied": lambda: LlamaForCausalLM(LlamaConfig(**GROUPED, tie_word_embeddings=True, attention_bias=True)),
    "opt": lambda: OPTForCausalLM(opt_config()),
    "opt_projected": lambda: OPTForCausalLM(opt_config(word_embed_proj_dim=16, do_layer_norm_before=False)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**GROUPED)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**GROUPED, head_dim=8)),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**GROUPED, sliding_window=None)),
    "t5": lambda: T5ForConditionalGeneration(T5Config(**T5_SIZE)),
    "t5_untied": untied_t5,
}
CAUSAL = [name for name in MAKERS if not name.startswith("t5")]


@functools.lru_cache(maxsize=None)
def make(name: str) -> Any:
    """Return a tiny random model whose predictions are far from uniform."""
    torch.manual_seed(len(name))
    model = MAKERS[name]().eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(4.0 if weight.std() < 0.1 else 1.0)
    return model


@torch.no_grad()
def reference(model: Any, prefix: Sequence[int], item: Continuation, prefix_embeds: Any = None) -> np.ndarray:
    """Log-probabilities of one answer's tokens by the model's own forward pass over one sequence, in float64."""
    embed = model.get_input_embeddings()
    n_answer = len(item.answer_ids)
    if n_answer == 0:
        return np.zeros(0)
    before = embed(torch.tensor([list(prefix)], dtype=torch.long)) if prefix_embeds is None else prefix_embeds[None]
    if model.config.is_encoder_decoder:
        encoder = torch.cat([before, embed(torch.tensor([list(item.query_ids)], dtype=torch.long))], dim=1)
        labels = torch.tensor([list(item.answer_ids)])
        logits = model(inputs_embeds=encoder, labels=labels).logits[0]
    else:
        own = embed(torch.tensor([[*item.query_ids, *item.answer_ids]], dtype=torch.long))
        logits = model(inputs_embeds=torch.cat([before, own], dim=1)).logits[0, -n_answer - 1 : -1]
    logprobs = torch.log_softmax(logits.double(), dim=-1)
    return logprobs[torch.arange(n_answer), torch.tensor(item.answer_ids)].numpy()


def check(model: Any, prefix: Sequence[int], items: Sequence[Continuation], scores: Any, **options: Any) -> None:
    """Compare scores with the reference, token by token and in sum."""
    for index, item in enumerate(items):
        expected = reference(model, prefix, item, **options)
        np.testing.assert_allclose(scores.token_logprobs[index], expected, atol=TOLERANCE)
        n_tokens = len(item.answer_ids)
        assert scores.n_tokens[index] == n_tokens
        assert abs(scores.logprob_sums[index] - expected.sum()) <= TOLERANCE * max(1, n_tokens)


def draw(seed: int, n: int, longest: int = 30, shortest_query: int = 1) -> list[Continuation]:
    """Return n continuations of mixed lengths, some with an empty answer."""
    rng = np.random.default_rng(seed)
    items = []
    for index in range(n):
        n_query = int(rng.integers(shortest_query, longest + 1))
        n_answer = 0 if index % 7 == 5 else int(rng.integers(1, longest + 1))
        ids = rng.integers(3, WORDS, n_query + n_answer).tolist()
        items.append(Continuation(tuple(ids[:n_query]), tuple(ids[n_query:])))
    return items


@pytest.mark.parametrize("name", list(MAKERS))
@pytest.mark.parametrize("n_prefix", [0, 1, 21])
def test_equals_reference(name: str, n_prefix: int) -> None:
    model = make(name)
    items = draw(1, 15)
    prefix = list(range(3, 3 + n_prefix))
    check(model, prefix, items, Scorer(model, batch_tokens=100).score(prefix, items, per_token=True))


@pytest.mark.parametrize("name", ["gpt2", "llama", "opt", "t5"])
def test_long_continuations_cross_the_query_blocks(name: str) -> None:
    model = make(name)
    rng = np.random.default_rng(5)
    ids = [tuple(rng.integers(3, WORDS, n).tolist()) for n in (100, 99, 65, 64, 3)]
    items = [Continuation(part[:2], part[2:]) for part in ids]
    check(model, [7] * 20, items, Scorer(model).score([7] * 20, items, per_token=True))
