"""The scorer on further architectures, and the plain pass for those it does not know, against the plain reference."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Olmo2Config,
    Olmo2ForCausalLM,
    Olmo3Config,
    Olmo3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from scripts.common.errors import UserError
from scripts.lm import attention
from scripts.lm.score import Continuation, PrefixCache, Scorer
from tests.unit.test_lm_score import GROUPED, LONG_ROPE, SPECIAL, WORDS, draw, reference

TOLERANCE = 1e-4  # nats per answer token, float32
FEW = {**GROUPED, "num_attention_heads": 4, "head_dim": 8}
NEO_X = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    **SPECIAL,
}
KNOWN = {
    "gpt_neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**NEO_X)),
    "gpt_neox_one_after_the_other": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**NEO_X, use_parallel_residual=False)),
    "gemma2": lambda: Gemma2ForCausalLM(
        Gemma2Config(**FEW, sliding_window=7, attn_logit_softcapping=2.0, final_logit_softcapping=3.0)
    ),
    "gemma2_no_caps": lambda: Gemma2ForCausalLM(
        Gemma2Config(**FEW, sliding_window=64, attn_logit_softcapping=None, final_logit_softcapping=None)
    ),
    "gemma3": lambda: Gemma3ForCausalLM(
        Gemma3TextConfig(
            **FEW, sliding_window=7, layer_types=["sliding_attention", "sliding_attention", "full_attention"]
        )
    ),
    "olmo2": lambda: Olmo2ForCausalLM(Olmo2Config(**GROUPED)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**FEW)),
    "qwen3_some_layers_slide": lambda: Qwen3ForCausalLM(
        Qwen3Config(**FEW, use_sliding_window=True, sliding_window=5, max_window_layers=1)
    ),
    "qwen2_some_layers_slide": lambda: Qwen2ForCausalLM(
        Qwen2Config(**GROUPED, use_sliding_window=True, sliding_window=9, max_window_layers=2)
    ),
    "llama_longrope": lambda: LlamaForCausalLM(
        LlamaConfig(
            **GROUPED,
            rope_parameters={
                **LONG_ROPE["rope_parameters"],
                "rope_theta": 10000.0,
                "original_max_position_embeddings": 100,
            },
        )
    ),
    "llama3_rope": lambda: LlamaForCausalLM(
        LlamaConfig(
            **GROUPED,
            rope_parameters={
                "rope_type": "llama3",
                "rope_theta": 10000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            },
        )
    ),
}
UNKNOWN = {
    "bloom": lambda: BloomForCausalLM(
        BloomConfig(vocab_size=WORDS, hidden_size=32, n_layer=2, n_head=4, **SPECIAL)
    ),
    "olmo3": lambda: Olmo3ForCausalLM(Olmo3Config(**GROUPED, sliding_window=9)),
    "bart": lambda: BartForConditionalGeneration(
        BartConfig(
            vocab_size=WORDS, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
            decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=128,
            decoder_start_token_id=2, forced_eos_token_id=None, **SPECIAL,
        )
    ),
}  # fmt: skip


@functools.cache
def make(name: str) -> Any:
    """Return a tiny random model whose predictions are far from uniform."""
    torch.manual_seed(len(name))
    model = (KNOWN | UNKNOWN)[name]().eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(4.0 if weight.std() < 0.1 else 1.0)
    return model


@torch.no_grad()
def expected(model: Any, prefix: list[int], item: Continuation) -> np.ndarray:
    """Log-probabilities of one answer by the model's own pass over the whole text, from ids."""
    if not item.answer_ids:
        return np.zeros(0)
    if model.config.is_encoder_decoder:
        start = model.config.decoder_start_token_id
        read = torch.tensor([[*prefix, *item.query_ids]])
        logits = model(input_ids=read, decoder_input_ids=torch.tensor([[start, *item.answer_ids[:-1]]])).logits[0]
    else:
        ids = torch.tensor([[*prefix, *item.query_ids, *item.answer_ids]])
        logits = model(input_ids=ids).logits[0, -len(item.answer_ids) - 1 : -1]
    chosen = torch.tensor(item.answer_ids)
    return torch.log_softmax(logits.double(), dim=-1)[torch.arange(len(chosen)), chosen].numpy()


def check_equal(model: Any, prefix: list[int], items: list[Continuation], scores: Any) -> None:
    for index, item in enumerate(items):
        told = expected(model, prefix, item)
        np.testing.assert_allclose(scores.token_logprobs[index], told, atol=TOLERANCE)
        assert abs(scores.logprob_sums[index] - told.sum()) <= TOLERANCE * max(1, len(told))


@pytest.mark.parametrize("name", list(KNOWN))
@pytest.mark.parametrize("n_prefix", [0, 1, 21, 36])
def test_known_types_equal_the_plain_pass(name: str, n_prefix: int, caplog: pytest.LogCaptureFixture) -> None:
    """36 tokens of prefix: from 32 on groups of short continuations look at the prefix apart."""
    model = make(name)
    short = [Continuation((5, 6 + n), (7 + n % 3, 9)) for n in range(8)]
    items = [*draw(1, 12), *short]
    prefix = list(range(3, 3 + n_prefix))
    check_equal(model, prefix, items, Scorer(model, batch_tokens=100).score(prefix, items, per_token=True))
    assert "slower pass" not in caplog.text


@pytest.mark.parametrize("name", list(KNOWN))
def test_a_prefix_is_run_once_and_continued(name: str) -> None:
    model = make(name)
    scorer = Scorer(model)
    cache = scorer.prefill(range(20, 25), past=scorer.prefill(range(3, 20)))
    items = [*draw(2, 6), Continuation((), (8, 9))]
    check_equal(model, list(range(3, 25)), items, scorer.score(cache, items, per_token=True))


def test_long_groups_are_capped_apart_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "LONG_PREFIX", 4)
    model = make("gemma2")
    items = draw(3, 12)
    check_equal(model, list(range(3, 30)), items, Scorer(model).score(list(range(3, 30)), items, per_token=True))


@pytest.mark.parametrize("name", ["gemma2", "gpt_neox", "olmo3"])
def test_what_follows_a_query(name: str) -> None:
    model = make(name)
    scorer = Scorer(model)
    queries = [[3, 4], [5, 6, 7], [9]]
    best, found = scorer.tokens_after(scorer.query_states([11, 12], queries), [4, 5])
    for query, token, pair in zip(queries, best, found):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[11, 12, *query]])).logits[0, -1]
        assert token == int(logits.argmax())
        np.testing.assert_allclose(pair, torch.log_softmax(logits.double(), -1)[[4, 5]].numpy(), atol=TOLERANCE)


@pytest.mark.parametrize("name", list(UNKNOWN))
@pytest.mark.parametrize("n_prefix", [0, 17])
def test_other_types_are_scored_by_their_own_pass_with_a_warning(
    name: str, n_prefix: int, caplog: pytest.LogCaptureFixture
) -> None:
    model = make(name)
    prefix = list(range(3, 3 + n_prefix))
    items = draw(4, 9)
    scorer = Scorer(model, batch_tokens=60)
    assert f"model type '{name}' is none that the scorer knows" in caplog.text
    assert "slower pass" in caplog.text
    check_equal(model, prefix, items, scorer.score(prefix, items, per_token=True))
    once = scorer.prefill(prefix[:9])
    if not model.config.is_encoder_decoder:
        again = scorer.prefill(prefix[9:], past=once)
        check_equal(model, prefix, items, scorer.score(again, items, per_token=True))


def test_an_embedded_prefix_of_an_unknown_type() -> None:
    model = make("bloom")
    embeds = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    scorer = Scorer(model)
    items = draw(5, 5)
    scores = scorer.score(scorer.prefill(embeds=embeds), items, per_token=True)
    for index, item in enumerate(items):
        told = reference(model, (), item, prefix_embeds=embeds)
        np.testing.assert_allclose(scores.token_logprobs[index], told, atol=TOLERANCE)
    with pytest.raises(UserError, match="embeddings can only stand first in a prefix"):
        scorer.prefill(embeds=embeds, past=scorer.prefill([3, 4]))


def test_faults_of_the_plain_pass_are_one_line() -> None:
    scorer = Scorer(make("bloom"))
    with pytest.raises(UserError, match="empty query and no text before it"):
        scorer.score(None, [Continuation((), (4,))])
    state = torch.zeros(1, 4, 3, 8)
    with pytest.raises(UserError, match="model type 'bloom': the scorer cannot go on behind keys and values"):
        scorer.score(PrefixCache.from_tensors([state], [state]), [Continuation((3,), (4,))])
    olmo = Scorer(make("olmo3"))
    with pytest.raises(UserError, match="exceed the model's window of 128"):
        olmo.score([3] * 120, [Continuation((4,) * 9, (5,))])


def test_large_vocabularies_and_caps_do_not_overflow() -> None:
    """262,144 words as Gemma's, logits capped at 30."""
    from scripts.lm.logprob import OutputLayer, token_logprobs

    torch.manual_seed(0)
    weight = torch.randn(262_144, 8) * 40
    hidden, targets = torch.randn(3, 8), torch.tensor([0, 5, 262_143])
    found = token_logprobs(hidden, targets, OutputLayer.of(weight, cap=30.0))
    logits = 30 * torch.tanh((hidden.double() @ weight.double().T) / 30)
    np.testing.assert_allclose(found, torch.log_softmax(logits, -1)[torch.arange(3), targets], atol=1e-4)
