"""Tiny random models with a word-level tokenizer, for the tests of the language-model layers."""

from __future__ import annotations

import copy
import functools
import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from scripts.lm.load import LoadedModel

PAD, UNK, EOS = 0, 1, 2
N_WORDS = 60
WINDOW = 64


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of w0 .. w59 and a few single letters; words are split at white space."""
    words = ["<pad>", "<unk>", "</s>", *(f"w{i}" for i in range(N_WORDS)), *"ABC123", "[[A]]", "[[B]]"]
    plain = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>", unk_token="<unk>", eos_token="</s>")


@functools.cache
def _state(kind: str, seed: int, dropout: float) -> Any:
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    vocabulary = len(tokenizer())
    ids = {"pad_token_id": PAD, "bos_token_id": None, "eos_token_id": EOS}
    if kind == "mistral":
        config = MistralConfig(
            vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=WINDOW, sliding_window=6, initializer_range=0.3, **ids,
        )  # fmt: skip
        return MistralForCausalLM(config)
    if kind == "granite":
        config = GraniteConfig(
            vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=WINDOW, logits_scaling=2.5, residual_multiplier=0.7,
            initializer_range=0.3, **ids,
        )  # fmt: skip
        return GraniteForCausalLM(config)
    if kind == "llama":
        config = LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=WINDOW,
            initializer_range=0.3,
            attention_dropout=dropout,
            **ids,
        )
        return LlamaForCausalLM(config)
    if kind == "gpt2":
        config = GPT2Config(
            vocab_size=vocabulary, n_embd=32, n_layer=2, n_head=4, n_positions=WINDOW, initializer_range=0.3,
            resid_pdrop=dropout, embd_pdrop=dropout, attn_pdrop=dropout, **ids,
        )  # fmt: skip
        return GPT2LMHeadModel(config)
    if kind == "opt":
        config = OPTConfig(
            vocab_size=vocabulary, hidden_size=32, ffn_dim=48, num_hidden_layers=2, num_attention_heads=4,
            word_embed_proj_dim=32, max_position_embeddings=WINDOW, init_std=0.3, dropout=dropout, **ids,
        )  # fmt: skip
        return OPTForCausalLM(config)
    if kind == "t5":
        config = T5Config(
            vocab_size=vocabulary, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, dropout_rate=dropout,
            initializer_factor=3.0, pad_token_id=PAD, eos_token_id=EOS, decoder_start_token_id=PAD,
        )  # fmt: skip
        return T5ForConditionalGeneration(config)
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=512, initializer_range=0.3, pad_token_id=PAD,
    )  # fmt: skip
    return BertModel(config)


def tiny(kind: str = "llama", *, seed: int = 0, dropout: float = 0.0) -> LoadedModel:
    """Return a fresh copy of a tiny llama (grouped-query), mistral (sliding window), granite, gpt2, opt, t5 or bert."""
    model = copy.deepcopy(_state(kind, seed, dropout)).eval()
    family = {"t5": "encoder_decoder", "bert": "encoder"}.get(kind, "causal")
    window = {"bert": 512}.get(kind, WINDOW)
    return LoadedModel(model, tokenizer(), torch.device("cpu"), torch.float32, family, window)


def words(n: int, rng: random.Random) -> str:
    """Return n random words."""
    return " ".join(f"w{rng.randrange(N_WORDS)}" for _ in range(n))


def save(loaded: LoadedModel, folder: Path) -> Path:
    """Save model and tokenizer as a model folder."""
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return folder
