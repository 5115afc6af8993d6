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
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from scripts.common.errors import UserError
from scripts.lm import attention
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
LONG_ROPE = {
    "original_max_position_embeddings": 100,
    "rope_parameters": {"rope_type": "longrope", "short_factor": [1.0, 1.2], "long_factor": [3.0, 5.0]},
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
    model.lm_head.weight = torch.nn.Parameter(0.2 * torch.randn(WORDS, 32))
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
    "mistral_sliding": lambda: MistralForCausalLM(MistralConfig(**GROUPED, sliding_window=9)),
    "phi3": lambda: Phi3ForCausalLM(Phi3Config(**GROUPED)),
    "phi3_sliding": lambda: Phi3ForCausalLM(Phi3Config(**GROUPED, sliding_window=25)),
    "phi3_longrope": lambda: Phi3ForCausalLM(Phi3Config(**GROUPED, **LONG_ROPE)),
    "granite": lambda: GraniteForCausalLM(GraniteConfig(**GROUPED)),
    "granite_scaled": lambda: GraniteForCausalLM(
        GraniteConfig(
            **GROUPED,
            embedding_multiplier=3.0,
            attention_multiplier=0.2,
            residual_multiplier=0.7,
            logits_scaling=2.5,
        )
    ),
    "t5": lambda: T5ForConditionalGeneration(T5Config(**T5_SIZE)),
    "t5_untied": untied_t5,
}
CAUSAL = [name for name in MAKERS if not name.startswith("t5")]


@functools.cache
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


def check_equal(model: Any, prefix: Sequence[int], items: Sequence[Continuation], scores: Any, **options: Any) -> None:
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
    check_equal(model, prefix, items, Scorer(model, batch_tokens=100).score(prefix, items, per_token=True))


@pytest.mark.parametrize("name", ["gpt2", "llama", "opt", "t5"])
def test_long_continuations_cross_the_query_blocks(name: str) -> None:
    model = make(name)
    rng = np.random.default_rng(5)
    ids = [tuple(rng.integers(3, WORDS, n).tolist()) for n in (100, 99, 65, 64, 3)]
    items = [Continuation(part[:2], part[2:]) for part in ids]
    check_equal(model, [7] * 20, items, Scorer(model).score([7] * 20, items, per_token=True))


@pytest.mark.parametrize("name", CAUSAL)
def test_answers_of_one_query_share_it(name: str) -> None:
    model = make(name)
    query = tuple(range(5, 45))
    items = [
        Continuation(query, (9, 4)),
        Continuation(query, (9,)),
        Continuation(query, (3, 3, 8)),
        Continuation(query, ()),
    ]
    scorer = Scorer(model)
    packed = scorer.pack(items)
    assert packed.common_ids == query
    assert sum(row.input_ids.shape[1] for row in packed.rows) == 3  # only the answers' own tokens are fed
    for prefix in ([], [6, 7, 8]):
        check_equal(model, prefix, items, scorer.score(prefix, packed, per_token=True))


@pytest.mark.parametrize("name", ["gpt2", "llama", "opt"])
def test_template_start_is_shared_and_partial_queries_stay(name: str) -> None:
    model = make(name)
    start = tuple(range(3, 23))
    items = [Continuation(start, (5,)), Continuation((*start, 9), (5, 6)), Continuation((*start, 11, 12), (7, 8, 9))]
    scorer = Scorer(model)
    assert scorer.pack(items).common_ids == start
    check_equal(model, [30, 31], items, scorer.score([30, 31], items, per_token=True))
    check_equal(model, [30, 31], items, scorer.score(scorer.prefill([30, 31]), items, per_token=True))


@pytest.mark.parametrize("name", ["gpt2", "llama", "opt", "t5"])
def test_embeddings_as_prefix(name: str) -> None:
    model = make(name)
    torch.manual_seed(3)
    embeds = torch.randn(6, model.get_input_embeddings().weight.shape[1])
    items = draw(4, 6)
    scorer = Scorer(model)
    cache = scorer.prefill(embeds=embeds)
    assert cache.length == 6
    check_equal(model, [], items, scorer.score(cache, items, per_token=True), prefix_embeds=embeds)


@pytest.mark.parametrize("name", ["gpt2", "llama", "opt"])
def test_cache_survives_use_and_can_be_rebuilt_from_tensors(name: str) -> None:
    model, prefix, items = make(name), [3, 9, 27, 14], draw(6, 5)
    scorer = Scorer(model)
    cache = scorer.prefill(prefix)
    before = [part.clone() for part in (*cache.keys, *cache.values)]
    first = scorer.score(cache, items)
    rebuilt = PrefixCache.from_tensors(cache.keys, cache.values)
    np.testing.assert_array_equal(first.logprob_sums, scorer.score(rebuilt, items).logprob_sums)
    np.testing.assert_array_equal(first.logprob_sums, scorer.score(prefix, items).logprob_sums)
    assert all(torch.equal(a, b) for a, b in zip(before, (*cache.keys, *cache.values)))
    moved = PrefixCache.from_tensors([k * 1.5 for k in cache.keys], cache.values)
    assert np.abs(scorer.score(moved, items).logprob_sums - first.logprob_sums).max() > 1e-3


@pytest.mark.parametrize("name", ["gpt2", "llama", "opt"])
def test_prefill_in_two_parts(name: str) -> None:
    model, items = make(name), draw(7, 5)
    scorer = Scorer(model)
    whole = scorer.prefill([3, 9, 27, 14, 5])
    parts = scorer.prefill([14, 5], past=scorer.prefill([3, 9, 27]))
    assert parts.next_position == whole.next_position == parts.length == 5
    torch.testing.assert_close(parts.keys, whole.keys, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(parts.last_hidden, whole.last_hidden, atol=1e-5, rtol=1e-5)
    check_equal(model, [3, 9, 27, 14, 5], items, scorer.score(parts, items, per_token=True))


def test_empty_query_is_predicted_by_the_prefix() -> None:
    items = [Continuation((), (4, 5, 6)), Continuation((), (7,)), Continuation((8,), (9,))]
    for name in ("gpt2", "llama", "opt"):
        check_equal(make(name), [3, 3], items, Scorer(make(name)).score([3, 3], items, per_token=True))
    check_equal(make("t5"), [3, 3], items, Scorer(make("t5")).score([3, 3], items, per_token=True))


def test_nothing_before_an_answer_is_an_error() -> None:
    items = [Continuation((3,), (4,)), Continuation((), (4,))]
    with pytest.raises(UserError, match="continuation 1: empty query"):
        Scorer(make("gpt2")).score(None, items)
    with pytest.raises(UserError, match="continuation 1: neither prefix nor query"):
        Scorer(make("t5")).score(None, items)
    scorer = Scorer(make("gpt2"))
    cache = scorer.prefill([5, 6])
    with pytest.raises(UserError, match="continuation 1: empty query"):
        scorer.score(PrefixCache.from_tensors(cache.keys, cache.values), items)


@pytest.mark.parametrize("name", ["gpt2", "t5"])
def test_empty_answers_and_no_continuations(name: str) -> None:
    scorer = Scorer(make(name))
    scores = scorer.score([3], [Continuation((4,), ()), Continuation((), ())], per_token=True)
    assert scores.logprob_sums.tolist() == [0.0, 0.0]
    assert scores.n_tokens.tolist() == [0, 0]
    assert [len(part) for part in scores.token_logprobs] == [0, 0]
    assert scorer.score([3], []).logprob_sums.shape == (0,)


@pytest.mark.parametrize("name", ["gpt2", "llama", "opt", "t5"])
@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_invariant_to_budget_and_order(name: str, data: st.DataObject) -> None:
    model = make(name)
    items = draw(data.draw(st.integers(0, 99)), data.draw(st.integers(1, 12)), shortest_query=0)
    prefix = data.draw(st.lists(st.integers(3, WORDS - 1), min_size=1, max_size=12))
    expected = Scorer(model, batch_tokens=100_000).score(prefix, items).logprob_sums
    budget = data.draw(st.integers(1, 200))
    order = data.draw(st.permutations(range(len(items))))
    scorer = Scorer(model, batch_tokens=budget)
    shuffled = scorer.score(prefix, [items[index] for index in order])
    n_tokens = np.maximum(1, shuffled.n_tokens)
    np.testing.assert_array_less(np.abs(shuffled.logprob_sums - expected[list(order)]) / n_tokens, TOLERANCE)
    same_packing = scorer.score(
        prefix, items
    ).logprob_sums  # the same set in another order: the same rows, the same bits
    if name != "t5":
        np.testing.assert_array_equal(shuffled.logprob_sums, same_packing[list(order)])


def test_prefixes_do_not_influence_each_other() -> None:
    model, items = make("llama"), draw(8, 9)
    prefixes = [[3, 4, 5], [6] * 20, [], [7, 8]]
    scorer = Scorer(model, batch_tokens=64)
    packed = scorer.pack(items)
    forwards = [scorer.score(prefix, packed).logprob_sums for prefix in prefixes]
    backwards = [Scorer(model, batch_tokens=64).score(prefix, items).logprob_sums for prefix in reversed(prefixes)]
    for one, other in zip(forwards, reversed(backwards)):
        np.testing.assert_array_equal(one, other)


def test_window_is_exact_and_names_the_longest() -> None:
    scorer = Scorer(make("gpt2"))  # 128 positions; the last answer token is never fed
    fits = Continuation(tuple([5] * 60), tuple([6] * 39))
    assert np.isfinite(scorer.score([3] * 30, [fits]).logprob_sums).all()
    with pytest.raises(
        UserError, match=r"continuation 1: its 98 tokens after a prefix of 31 exceed the model's window of 128"
    ):
        scorer.score([3] * 31, [Continuation((5,), (6,)), fits])
    with pytest.raises(UserError, match="prefix: 129 tokens exceed the model's window of 128"):
        scorer.prefill([3] * 129)


def test_longrope_is_scored_within_the_original_window_only() -> None:
    scorer = Scorer(make("phi3_longrope"))  # beyond 100 tokens all positions change their scale
    fits = [Continuation(tuple([5] * 50), tuple([6] * 20))]
    check_equal(scorer.model, [3] * 30, fits, scorer.score([3] * 30, fits, per_token=True))
    with pytest.raises(UserError, match="exceed the model's window of 100"):
        scorer.score([3] * 32, fits)


@pytest.mark.parametrize("name", ["phi3_sliding", "mistral_sliding", "granite_scaled"])
def test_long_prefixes_keep_window_and_scaling(name: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(attention, "LONG_PREFIX", 1)
    monkeypatch.setattr(attention, "SHORT_PREFIX", 1)
    model, items = make(name), draw(4, 12, longest=9)
    for n_prefix in (3, 40):
        prefix = list(range(3, 3 + n_prefix))
        check_equal(model, prefix, items, Scorer(model).score(prefix, items, per_token=True))


@pytest.mark.parametrize("name", CAUSAL)
def test_next_tokens_are_the_model_s_own(name: str) -> None:
    model, queries = make(name), [(5, 9), (7,), (30, 31, 32)]
    scorer = Scorer(model)
    _, found = scorer.tokens_after(scorer.query_states([3, 4], queries), [8, 11])
    for row, query in enumerate(queries):
        for column, word in enumerate((8, 11)):
            expected = reference(model, [3, 4], Continuation(query, (word,)))
            np.testing.assert_allclose(found[row, column], expected[0], atol=TOLERANCE)


def test_unknown_ids_are_named() -> None:
    scorer = Scorer(make("gpt2"))
    with pytest.raises(UserError, match=f"continuation 1: token id {WORDS} is outside"):
        scorer.score([3], [Continuation((4,), (5,)), Continuation((4,), (WORDS,))])
    with pytest.raises(UserError, match="prefix: token id -1 is outside"):
        scorer.prefill([-1])


def test_unsupported_models_are_refused() -> None:
    from transformers import BertConfig, BertLMHeadModel

    size = {
        "vocab_size": 20,
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    with pytest.raises(UserError, match="model type 'bert': its tokens see later ones, so it predicts none"):
        Scorer(BertLMHeadModel(BertConfig(**size)))
    with pytest.raises(UserError, match="output layer is NoneType"):
        Scorer(make("gpt2").transformer)


def test_weights_that_are_not_finite_are_reported() -> None:
    torch.manual_seed(0)
    model = MAKERS["llama"]()
    with torch.no_grad():
        model.model.norm.weight[3] = float("nan")
    with pytest.raises(UserError, match="continuation 0: log-probability is nan"):
        Scorer(model).score([3], [Continuation((4,), (5,))])


def test_training_mode_attention_and_activation_are_put_back() -> None:
    torch.manual_seed(0)
    model = MAKERS["gpt2"]().train()
    usual = model.config._attn_implementation
    items = draw(2, 4)
    one, two = (Scorer(model).score([3, 4], items).logprob_sums for _ in range(2))
    np.testing.assert_array_equal(one, two)  # no dropout
    assert model.training
    assert model.config._attn_implementation == usual
    assert "forward" not in vars(model.transformer.h[0].mlp.act)
    with pytest.raises(UserError):
        Scorer(model).score(None, [Continuation((), (4,))])
    assert model.config._attn_implementation == usual


@pytest.mark.parametrize("name", ["gpt2", "t5"])
def test_single_words_sum_to_one(name: str) -> None:
    items = [Continuation((4, 5), (word,)) for word in range(WORDS)]
    sums = Scorer(make(name)).score([9, 8], items).logprob_sums
    assert np.exp(sums).sum() == pytest.approx(1.0, abs=1e-5)


def test_adapters_are_scored_with_the_model() -> None:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    adapted = get_peft_model(MAKERS["llama"](), LoraConfig(r=2, target_modules=["q_proj", "v_proj"])).eval()
    items = draw(3, 5)
    plain = Scorer(adapted).score([3, 4], items).logprob_sums
    with torch.no_grad():
        for key, weight in adapted.named_parameters():
            if "lora_B" in key:
                weight.normal_()
    scores = Scorer(adapted).score([3, 4], items, per_token=True)
    check_equal(adapted.get_base_model(), [3, 4], items, scores)
    assert np.abs(scores.logprob_sums - plain).max() > 0.01


def test_real_model(shared: Any) -> None:
    loaded = load_model(str(shared / "models" / "stories260k"))
    texts = [
        "Once upon a time, there was a little girl named Lily.",
        "She liked to play outside in the park.",
        "One day",
    ]
    ids = [tuple(loaded.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    items = [Continuation(part[:2], part[2:]) for part in ids]
    scores = Scorer(loaded.model).score([1, *ids[0]], items, per_token=True)
    check_equal(loaded.model, [1, *ids[0]], items, scores)
    assert scores.logprob_sums[0] / scores.n_tokens[0] > -1.0  # it has just read this sentence


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["gpt2", "llama", "opt", "t5"])
def test_gpu_equals_cpu(name: str) -> None:
    items = draw(9, 12)
    expected = Scorer(make(name)).score([3, 4, 5], items)
    torch.manual_seed(len(name))
    on_gpu = MAKERS[name]()
    on_gpu.load_state_dict(make(name).state_dict())
    for dtype, tolerance in ((torch.float32, 1e-4), (torch.bfloat16, 0.5)):
        scores = Scorer(on_gpu.to("cuda", dtype).eval(), batch_tokens=128).score([3, 4, 5], items)
        difference = np.abs(scores.logprob_sums - expected.logprob_sums) / np.maximum(1, expected.n_tokens)
        assert difference.max() < tolerance
