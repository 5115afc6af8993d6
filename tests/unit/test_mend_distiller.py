"""Distiller and frozen model: identity with the teacher, invariances, what learns and what does not, saving."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from scripts.common.errors import UserError
from scripts.common.files import read_json, write_json
from scripts.lm.checkpoints import digest_of_model
from scripts.lm.load import NO_LIMIT
from scripts.lm.score import Scorer
from scripts.mend.distiller import (
    Distiller,
    DistillerInfo,
    check_pair,
    distil_groups,
    keep_first_layers,
    load_distiller,
    save_distiller,
    tokenizer_digest,
)
from scripts.mend.llm import LargeModel, QueryBatch, left_padded, query_batch
from scripts.mend.losses import OutputHead, distillation_loss
from tests.unit.lm_tiny import WINDOW, tiny
from tests.unit.mend_tiny import distiller, large_model

KINDS = ("llama", "gpt2", "opt", "t5")
SETS = [(5, 9, 4), (8, 7, 6, 5, 12)]
PAIRS = [[((20, 21, 22), (30,)), ((23,), (31, 32))], [((24, 25), (33, 34, 35)), ((26, 27, 28, 29), (36,))]]


def ones(vectors: torch.Tensor) -> torch.Tensor:
    return torch.ones(vectors.shape[:2], dtype=torch.long)


def queries(pairs: Any = PAIRS) -> QueryBatch:
    return query_batch(pairs, torch.device("cpu"))


@pytest.mark.parametrize("kind", KINDS)
def test_demonstrations_own_embeddings_make_student_and_teacher_equal(kind: str) -> None:
    """The identity: S = the demonstrations' embeddings at their own positions."""
    large = large_model(kind)
    head = OutputHead(*large.head())
    for demonstrations, pairs in zip(SETS, PAIRS):
        embeds, mask = large.embed([demonstrations])
        batch = queries([pairs])
        teacher = large.run(embeds, mask, batch)
        table = large.model.get_input_embeddings().weight
        vectors = torch.stack([table[token] for token in demonstrations])[None]
        student = large.run(vectors, ones(vectors), batch)
        assert (head.logits(student.states) - head.logits(teacher.states)).abs().max() < 1e-4
        found = distillation_loss(
            student.states, teacher.states, student.targets, student.is_answer, head, kl_weight=1.0, lm_weight=0.0
        )
        assert abs(float(found.kl)) < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_batched_queries_equal_one_plain_pass_each(kind: str) -> None:
    """Prefixes of different lengths, several queries side by side behind each: the states of a text run alone."""
    large = large_model(kind)
    found = large.run(*large.embed(SETS), queries())
    expected, targets = [], []
    for demonstrations, pairs in zip(SETS, PAIRS):
        for query, answer in pairs:
            targets += answer
            if kind == "t5":
                output = large.model(
                    input_ids=torch.tensor([[*demonstrations, *query]]),
                    decoder_input_ids=torch.tensor([[0, *answer[:-1]]]),
                    output_hidden_states=True,
                )
                expected.append(output.decoder_hidden_states[-1][0])
            else:
                ids = torch.tensor([[*demonstrations, *query, *answer]])
                output = large.model.base_model(input_ids=ids)
                expected.append(output.last_hidden_state[0, len(demonstrations) :])
    torch.testing.assert_close(found.states, torch.cat(expected), atol=1e-5, rtol=1e-4)
    assert found.targets.tolist() == targets
    assert int(found.is_answer.sum()) == len(targets)


@pytest.mark.parametrize("kind", KINDS)
def test_one_query_takes_the_same_path_to_the_same_states(kind: str) -> None:
    large = large_model(kind)
    both = large.run(*large.embed(SETS), queries())
    firsts = large.run(*large.embed(SETS), queries([pairs[:1] for pairs in PAIRS]))
    n_first = [1 if kind == "t5" else 4, 3 if kind == "t5" else 5]
    n_second = [2 if kind == "t5" else 3, 1 if kind == "t5" else 5]
    parts = both.states.split([n_first[0], n_second[0], n_first[1], n_second[1]])
    torch.testing.assert_close(firsts.states, torch.cat([parts[0], parts[2]]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_do_not_depend_on_padding_or_company(kind: str) -> None:
    module = distiller(kind)
    alone = torch.cat([module(*left_padded([ids], "cpu")) for ids in SETS])
    torch.testing.assert_close(module(*left_padded(SETS, "cpu")), alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(module(*left_padded(SETS, "cpu", width=20)), alone, atol=1e-5, rtol=1e-4)


def test_order_of_demonstrations_changes_vectors_not_their_shape() -> None:
    module = distiller()
    first, second = module(*left_padded([(5, 9, 4)], "cpu")), module(*left_padded([(4, 9, 5)], "cpu"))
    assert first.shape == second.shape == (1, 3, 32)
    assert not torch.allclose(first, second)


def test_groups_are_distilled_apart_and_laid_end_to_end() -> None:
    module = distiller()
    joined = distil_groups(module, [[(5, 9), (4, 8, 7)]], "cpu")
    assert joined.shape == (1, 6, 32)
    torch.testing.assert_close(joined[:, :3], module(*left_padded([(5, 9)], "cpu")), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(joined[:, 3:], module(*left_padded([(4, 8, 7)], "cpu")), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("kind", "width", "pooler", "is_bounded"), [
    ("llama", 48, "auto", True), ("llama", 32, "auto", False), ("gpt2", 32, "linear", False), ("t5", 32, "tanh", True),
])  # fmt: skip
def test_pooler_brings_vectors_to_the_models_width(kind: str, width: int, pooler: str, is_bounded: bool) -> None:
    module = distiller(kind, width=width, pooler=pooler)
    vectors = module(*left_padded(SETS, "cpu"))
    assert vectors.shape == (2, 3, width)
    if is_bounded:
        assert vectors.abs().max() <= 1


def test_pooler_that_cannot_fit_is_refused() -> None:
    with pytest.raises(UserError, match="pooler: 'none' cannot bring vectors of 32 to the model's 48"):
        distiller(width=48, pooler="none")
    with pytest.raises(UserError, match="pooler: 'tahn' is not one of"):
        distiller(pooler="tahn")


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_reaches_the_whole_distiller_and_never_the_large_model(kind: str) -> None:
    large, module = large_model(kind), distiller(kind, pooler="linear")
    before = digest_of_model(large.model)
    vectors = distil_groups(module, [[ids] for ids in SETS], "cpu")
    found = large.run(vectors, ones(vectors), queries())
    with torch.no_grad():
        teacher = large.run(*large.embed(SETS), queries())
    head = OutputHead(*large.head())
    losses = distillation_loss(
        found.states, teacher.states, found.targets, found.is_answer, head, kl_weight=1.0, lm_weight=1.0
    )
    losses.total.backward()
    assert all(weight.grad is None and not weight.requires_grad for weight in large.model.parameters())
    missing = [name for name, weight in module.named_parameters() if weight.grad is None]
    assert missing == []
    assert module.placeholders.grad.abs().sum(1).min() > 0
    torch.optim.AdamW(module.parameters(), lr=0.1).step()
    assert digest_of_model(large.model) == before
    with torch.no_grad():
        again = large.run(*large.embed(SETS), queries())
    assert torch.equal(again.states, teacher.states)  # the teacher does not depend on the distiller


def test_activation_checkpointing_changes_no_number() -> None:
    results = []
    for checkpointed in (False, True):
        large, module = LargeModel(tiny("gpt2", dropout=0.3)), distiller("gpt2")
        if checkpointed:
            large.checkpoint_activations()
        vectors = distil_groups(module, [[ids] for ids in SETS], "cpu")
        states = large.run(vectors, ones(vectors), queries()).states
        (gradient,) = torch.autograd.grad(states.square().sum(), module.placeholders)
        results.append((states.detach(), gradient))
    torch.testing.assert_close(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_scorer_sees_vectors_as_training_does(kind: str) -> None:
    large, module = large_model(kind), distiller(kind)
    with torch.no_grad():
        vectors = module(*left_padded([SETS[0]], "cpu"))
        found = large.run(vectors, ones(vectors), queries([PAIRS[0][1:]]))
        head = OutputHead(*large.head())
        logprobs = head.logits(found.states[found.is_answer]).log_softmax(1)
    expected = float(logprobs.gather(1, found.targets[:, None]).sum())
    scorer = Scorer(large.model)
    (ours,) = scorer.score(scorer.prefill(embeds=vectors[0]), [_continuation(*PAIRS[0][1])]).logprob_sums
    assert ours == pytest.approx(expected, abs=1e-4)


def _continuation(query: tuple[int, ...], answer: tuple[int, ...]) -> Any:
    from scripts.lm.score import Continuation

    return Continuation(query, answer)


def test_placeholders_start_from_noise_or_from_words() -> None:
    module = distiller()
    table = module.body.get_input_embeddings().weight
    module.start(torch.Generator().manual_seed(5), "vocabulary")
    assert all((row == table).all(1).any() for row in module.placeholders)
    first = module.placeholders.clone()
    module.resize(2, torch.Generator())
    assert torch.equal(module.placeholders, first[:2])
    module.resize(4, torch.Generator().manual_seed(0))
    assert torch.equal(module.placeholders[:2], first[:2])
    assert module.n_vectors == 4


def test_the_window_is_the_models_own_but_for_relative_positions_and_sliding_windows() -> None:
    t5, llama = tiny("t5"), tiny("llama")
    t5 = dataclasses.replace(t5, window=512)  # as Flan-T5 states
    llama.model.config.sliding_window = 20
    assert LargeModel(t5).window == NO_LIMIT
    assert LargeModel(tiny("llama")).window == WINDOW
    assert LargeModel(llama).window == 20


def test_empty_queries_are_refused() -> None:
    with pytest.raises(UserError, match="training example 2 of a batch: empty query"):
        queries([[((1,), (2,)), ((), (2,))]])


@pytest.mark.parametrize("kind", KINDS)
def test_saved_distiller_gives_the_same_vectors(tmp_path: Path, kind: str) -> None:
    module, words = distiller(kind, width=32, pooler="linear"), tiny(kind).tokenizer
    family = "encoder_decoder" if kind == "t5" else "causal"
    info = DistillerInfo(family, 3, 32, "linear", tokenizer_digest(words), {}, {})
    module.body.config._name_or_path = "where/it/was/read/from"
    save_distiller(tmp_path, module, words, info)
    assert "where" not in (tmp_path / "config.json").read_text("utf-8")
    loaded = load_distiller(tmp_path, dtype="float32", device="cpu")
    assert loaded.info == info
    assert torch.equal(loaded.module(*left_padded(SETS, "cpu")), module(*left_padded(SETS, "cpu")))
    assert "lm_head.weight" not in Distiller.state_dict(module)


def test_distiller_and_model_must_belong_together(tmp_path: Path) -> None:
    words = tiny().tokenizer
    info = DistillerInfo("causal", 3, 32, "none", "other", {}, {})
    with pytest.raises(UserError, match="d: distiller and model have different tokenizers"):
        check_pair(info, words, 32, "causal", "d")
    fitting = DistillerInfo("causal", 3, 48, "none", tokenizer_digest(words), {}, {})
    with pytest.raises(UserError, match="distiller for causal models of width 48, but the model is causal of width 32"):
        check_pair(fitting, words, 32, "causal", "d")
    with pytest.raises(UserError, match="distiller.json is missing; this is not a distiller folder"):
        load_distiller(tmp_path, dtype="float32", device="cpu")


def test_damaged_distillers_are_refused_in_one_line(tmp_path: Path) -> None:
    module, words = distiller(), tiny().tokenizer
    save_distiller(tmp_path, module, words, DistillerInfo("causal", 3, 32, "none", tokenizer_digest(words), {}, {}))
    weights = tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="damaged or unfitting model.safetensors") as caught:
        load_distiller(tmp_path, dtype="float32", device="cpu")
    assert "\n" not in str(caught.value)
    weights.write_bytes(whole)
    described = read_json(tmp_path / "distiller.json")
    write_json(tmp_path / "distiller.json", {**described, "n_vectors": 5})
    with pytest.raises(UserError, match="damaged or unfitting"):
        load_distiller(tmp_path, dtype="float32", device="cpu")


def test_a_new_pooler_starts_as_torchs_linear_layers_do() -> None:
    made = distiller(width=48, pooler="linear")
    for part in (made.pooler.weight, made.pooler.bias):
        values = part.detach()
        assert values.abs().max() <= 32**-0.5
        assert values.std() == pytest.approx(32**-0.5 / 3**0.5, rel=0.3)


def test_a_scaled_pooler_starts_as_the_bodys_own_states_at_the_spread_of_words() -> None:
    plain, scaled = distiller(), distiller(pooler="scaled")
    vectors, states = (one(*left_padded(SETS, "cpu")) for one in (scaled, plain))
    spread = float(scaled.body.get_input_embeddings().weight.detach().std())
    torch.testing.assert_close(vectors.square().mean(-1).sqrt(), torch.full(vectors.shape[:2], spread))
    assert (torch.nn.functional.cosine_similarity(vectors, states, dim=-1) > 1 - 1e-5).all()
    vectors.sum().backward()
    assert [name for name, weight in scaled.named_parameters() if weight.grad is None] == []


def test_a_scaled_pooler_brings_vectors_to_another_width_too() -> None:
    vectors = distiller(width=48, pooler="scaled")(*left_padded(SETS, "cpu"))
    assert vectors.shape == (2, 3, 48)
    assert float(vectors.detach().std()) > 0


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt", "mistral"])
def test_the_first_layers_of_a_model_compute_what_they_do_in_it(tmp_path: Path, kind: str) -> None:
    body, words = tiny(kind, seed=1).model.base_model, tiny(kind).tokenizer
    ids = torch.tensor([[5, 9, 4, 7]])
    with torch.no_grad():
        behind_one = body(ids, output_hidden_states=True).hidden_states[1]
        keep_first_layers(body, 1)
        kept = body(ids, output_hidden_states=True).hidden_states
    assert body.config.num_hidden_layers == 1
    assert len(kept) == 2
    if kind in ("llama", "mistral"):  # the library's last one is normed
        behind_one = body.norm(behind_one)
    elif kind == "gpt2":
        behind_one = body.ln_f(behind_one)
    else:
        behind_one = body.decoder.final_layer_norm(behind_one)
    torch.testing.assert_close(kept[1], behind_one)
    made = Distiller(body, 3, 32, "scaled")
    made.start(torch.Generator().manual_seed(3))
    save_distiller(tmp_path, made, words, DistillerInfo("causal", 3, 32, "scaled", tokenizer_digest(words), {}, {}))
    loaded = load_distiller(tmp_path, dtype="float32", device="cpu")
    assert torch.equal(loaded.module(*left_padded(SETS, "cpu")), made.eval()(*left_padded(SETS, "cpu")))


@pytest.mark.parametrize(("kind", "count"), [("llama", 3), ("llama", 0), ("t5", 1)])
def test_layers_that_are_not_there_are_refused(kind: str, count: int) -> None:
    model = tiny(kind).model
    body = model.get_encoder() if kind == "t5" else model.base_model
    with pytest.raises(UserError, match=f"distiller_layers: {count} first layers cannot be had of a {kind}"):
        keep_first_layers(body, count)
