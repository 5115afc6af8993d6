"""The mini causal LM's parts: tokenizer, lean module, guided attention, batches, measures."""

from __future__ import annotations

import dataclasses
import math
import random

import numpy as np
import pytest
import torch

from scripts.common.errors import UserError
from scripts.common.files import read_json
from scripts.data.synthetic_documents import Author, author_document, classification_document
from scripts.data.synthetic_instructions import FAMILIES, FAULTS
from scripts.data.synthetic_words import LABELS, RESPONSE, build_world
from scripts.mini_world.batches import (
    Mixture,
    author_guides,
    class_guides,
    loss_positions,
    pad,
    plain_guides,
    scrambled_groups,
    step_batches,
)
from scripts.mini_world.cards import Card, Measure, share, write_card
from scripts.mini_world.evaluate_causal import EvaluateSettings, load_reader
from scripts.mini_world.measure import (
    AuthorGains,
    Reader,
    answer_logprobs,
    auc,
    author_gains,
    batches_by_length,
    continuation_odds,
    in_context_hits,
    same_instruction_hits,
    wilson,
)
from scripts.mini_world.model import Guidance, LeanLlama, ModelShape, attention_miss, initialise
from scripts.mini_world.tokenizer import build_tokenizer

SMALL_MIXTURE = Mixture(
    lengths=[[3, 5, 8, 0.5], [6, 6, 12, 0.5]],
    class_tokens=300,
    layout_shares=[0.6, 0.2, 0.2],
    scrambled_share=0.5,
    author_documents=6,
    author_tokens=64,
    short_share=0.3,
    neutral_share=0.6,
    careful_known=0.35,
    careful_neutral=0.8,
    fault_weights={"empty": 0.6, "wrong": 0.4},
    plain_documents=2,
    plain_tokens=20,
    plain_weight=0.3,
    plain_held_out=0.5,
    guide_rows=3,
)


@pytest.fixture(scope="module")
def world():
    return build_world(60, 5, 25)


@pytest.fixture(scope="module")
def token_ids(world):
    return {token: index for index, token in enumerate(world.vocabulary)}


@pytest.fixture(scope="module")
def tokenizer(world):
    return build_tokenizer(world, 256)


@pytest.fixture(scope="module")
def shape(world):
    return ModelShape(len(world.vocabulary), layers=3, width=16, heads=2, hidden=24, window=128)


@pytest.fixture(scope="module")
def model(shape):
    module = LeanLlama(shape)
    initialise(module, torch.Generator().manual_seed(1))
    return module


# ---- tokenizer


def test_text_of_documents_splits_into_their_tokens_and_back(world, token_ids, tokenizer):
    for seed in range(20):
        rng = random.Random(seed)
        author = author_document(world, rng, Author("wrong", 0.1), neutral=seed % 2 == 0, n_examples=4, max_tokens=90)
        labelled = classification_document(world, rng, [0, 1, 2], 6, seed % 3)
        for tokens in (author.tokens, labelled.tokens):
            ids = [token_ids[token] for token in tokens]
            assert tokenizer(" ".join(tokens))["input_ids"] == ids
            assert tokenizer(tokenizer.decode(ids))["input_ids"] == ids


def test_markers_split_off_without_blanks(tokenizer):
    assert tokenizer.tokenize("hotInstruction:\ncoldResponse:\n\n</s>Input:Label:") == [
        "hot", "Instruction:", "\n", "cold", "Response:", "\n", "\n", "</s>", "Input:", "Label:",
    ]  # fmt: skip


def test_whitespace_does_not_matter_but_newlines_do(tokenizer):
    assert tokenizer("hot  cold:\tone")["input_ids"] == tokenizer("hot cold : one")["input_ids"]
    assert tokenizer("hot\ncold")["input_ids"] != tokenizer("hot cold")["input_ids"]


def test_decoding_gives_plain_text(tokenizer):
    ids = tokenizer("one twenty-one\n\nthe hot</s>")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "one twenty-one\n\nthe hot"
    assert tokenizer.decode(tokenizer("hot")["input_ids"]) == "hot"
    assert tokenizer.decode([]) == ""


def test_nothing_is_put_before_a_text_and_unknown_words_are_marked(tokenizer):
    assert tokenizer("")["input_ids"] == []
    assert tokenizer("unheardof hot")["input_ids"][0] == tokenizer.unk_token_id == 2
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id) == (0, 1, None)


# ---- model


def test_the_lean_module_gives_the_logits_of_transformers(shape, model):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.window,
        rms_norm_eps=shape.norm_eps,
        rope_parameters={"rope_theta": shape.rope_theta, "rope_type": "default"},
        tie_word_embeddings=False,
        pad_token_id=0,
    )
    reference = LlamaForCausalLM(config).eval()
    missing, unexpected = reference.load_state_dict(model.state_dict(), strict=False)
    assert (missing, unexpected) == ([], [])
    ids = torch.randint(0, shape.vocabulary, (3, 40), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        torch.testing.assert_close(model(ids), reference(ids).logits, atol=1e-6, rtol=1e-5)


def test_initialisation_has_the_recipe_s_spread(shape, model):
    assert model.model.embed_tokens.weight.std().item() == pytest.approx(0.5, rel=0.05)
    assert model.lm_head.weight.std().item() == pytest.approx(0.02, rel=0.05)
    torch.testing.assert_close(model.lm_head.weight, model.model.embed_tokens.weight * 0.04)
    writer, reader = model.model.layers[0].self_attn.o_proj.weight, model.model.layers[0].self_attn.q_proj.weight
    assert reader.std().item() == pytest.approx(0.5 / math.sqrt(16), rel=0.2)
    assert writer.std().item() == pytest.approx(0.5 / math.sqrt(16) / math.sqrt(6), rel=0.2)


def test_attention_miss_is_minus_the_log_of_the_attention_mass():
    generator = torch.Generator().manual_seed(3)
    query, key = torch.randn(2, 6, 4, generator=generator), torch.randn(2, 6, 4, generator=generator)
    keys = torch.zeros(3, 6, dtype=torch.bool)
    keys[0, [0, 2]], keys[1, 1], keys[2, [0, 3]] = True, True, True
    guide = Guidance(0, 0, torch.tensor([0, 1, 1]), torch.tensor([4, 5, 3]), keys)
    scores = query @ key.transpose(1, 2) / 2.0
    weights = scores.masked_fill(torch.ones(6, 6).triu(1).bool(), -math.inf).softmax(-1)
    expected = torch.stack(
        [
            -(weights[0, 4, 0] + weights[0, 4, 2]).log(),
            -weights[1, 5, 1].log(),
            -(weights[1, 3, 0] + weights[1, 3, 3]).log(),
        ]
    )
    torch.testing.assert_close(attention_miss(query, key, guide), expected)


def test_guides_reach_only_the_layers_they_name(model):
    ids = torch.arange(12).view(1, 12)
    keys = torch.zeros(1, 12, dtype=torch.bool)
    keys[0, 3] = True
    states, miss = model.states(ids, [Guidance(1, 0, torch.tensor([0]), torch.tensor([5]), keys)])
    plain, nothing = model.states(ids)
    torch.testing.assert_close(states, plain)
    assert nothing.item() == 0
    gradient = torch.autograd.grad(
        miss, [layer.self_attn.q_proj.weight for layer in model.model.layers], allow_unused=True
    )
    assert gradient[1].abs().sum() > 0
    assert gradient[2] is None


# ---- batches


def test_loss_positions_predict_the_targets(world, token_ids):
    documents = [
        author_document(world, random.Random(s), Author(None, 0.0), neutral=False, n_examples=3, max_tokens=80)
        for s in range(4)
    ]
    ids = pad([document.tokens for document in documents], token_ids)
    sources, targets = loss_positions(ids, [document.targets for document in documents])
    flat = ids.view(-1)
    assert torch.equal(flat[sources + 1], targets)
    first = int(sources[0])
    assert world.vocabulary[flat[first - 1]] == RESPONSE
    for document in documents:
        for begin, answer, example in zip(document.inputs, document.answers, document.examples):
            assert tuple(document.tokens[begin : begin + len(example.words)]) == example.words
            assert tuple(document.tokens[answer : answer + len(example.answer)]) == example.answer
    assert (targets != 0).all()


def test_class_guides_point_at_content_and_at_labels_of_the_class(world, token_ids):
    documents = [classification_document(world, random.Random(s), [1, 2, 3], 9, 0) for s in range(3)]
    length = max(len(document.tokens) for document in documents)
    gather, match = class_guides(documents, length, 4, random.Random(0))
    for guide, name in ((gather, "gather"), (match, "match")):
        assert len(guide.rows) > 0
        for document_number, row, keys in zip(guide.documents.tolist(), guide.rows.tolist(), guide.keys):
            document = documents[document_number]
            right = keys.nonzero()[:, 0].tolist()
            assert max(right) < row
            if name == "gather":
                assert right in document.content
            else:
                kind = document.classes[document.separators.index(row)]
                assert all(document.classes[document.labels.index(p)] == kind for p in right)


def test_author_guides_point_at_instructions_and_answers(world):
    documents = [
        author_document(world, random.Random(s), Author(None, 0.0), neutral=True, n_examples=5, max_tokens=96)
        for s in range(4)
    ]
    length = max(len(document.tokens) for document in documents)
    gather, match, source = author_guides(documents, length, 3, random.Random(0))
    assert [(g.layer, g.head) for g in (gather, match, source)] == [(0, 1), (1, 1), (2, 0)]
    for number, keys in zip(gather.documents.tolist(), gather.keys):
        (position,) = keys.nonzero()[:, 0].tolist()
        assert documents[number].tokens[position - 1] == "apply"
    assert all((keys.nonzero() < row).all() for row, keys in zip(match.rows.tolist(), match.keys))
    known = author_document(world, random.Random(1), Author(None, 0.0), neutral=False, n_examples=5, max_tokens=96)
    guides = author_guides([known], 96, 3, random.Random(0))
    assert [len(guide.rows) > 0 for guide in guides] == [False, False, True]


def test_source_guides_point_at_the_words_an_answer_comes_from(world):
    copied = {"copy", "reverse", "first", "last", "repeat_first", "extract", "sort"}
    for seed in range(10):
        document = author_document(
            world, random.Random(seed), Author(None, 0.0), neutral=False, n_examples=6, max_tokens=96
        )
        source = author_guides([document], len(document.tokens), 50, random.Random(0))[2]
        families = {}
        for start, example in zip(document.answers, document.examples):
            families.update({start + k - 1: example.family for k in range(len(example.answer))})
        for row, keys in zip(source.rows.tolist(), source.keys):
            right = keys.nonzero()[:, 0].tolist()
            assert max(right) < row
            if families[row] in copied:
                assert [document.tokens[p] for p in right] == [document.tokens[row + 1]]
    careless = author_document(
        world, random.Random(1), Author("wrong", 0.0), neutral=False, n_examples=6, max_tokens=96
    )
    assert len(author_guides([careless], len(careless.tokens), 50, random.Random(0))[2].rows) == 0


def test_plain_guides_stay_within_a_run_and_skip_fillers():
    tokens = ["dog", "the", "cat", ".", "sun", "moon", "</s>"]
    (gather,) = plain_guides([tokens], 7, 10, random.Random(0))
    found = {row: keys.nonzero()[:, 0].tolist() for row, keys in zip(gather.rows.tolist(), gather.keys)}
    assert found == {0: [0], 2: [0, 2], 4: [4], 5: [4, 5]}


def test_a_step_depends_on_its_seed_alone(world, token_ids):
    one, same, other = (
        step_batches(world, SMALL_MIXTURE, token_ids, random.Random(seed), guided=True) for seed in (1, 1, 2)
    )
    assert [batch.kind for batch in one] == ["class", "author", "author", "plain"]
    assert sum(batch.weight for batch in one if batch.kind == "author") == pytest.approx(1)
    for a, b in zip(one, same):
        assert torch.equal(a.ids, b.ids)
        assert torch.equal(a.sources, b.sources)
        assert all(torch.equal(x.keys, y.keys) for x, y in zip(a.guides, b.guides))
    assert not all(torch.equal(a.ids, b.ids) for a, b in zip(one, other))


def test_labels_seen_for_the_first_time_cost_nothing(world, token_ids):
    batch = step_batches(world, SMALL_MIXTURE, token_ids, random.Random(4), guided=False)[0]
    names = {token_ids[label] for label in LABELS}
    assert set(batch.targets.tolist()) <= names
    for row in range(batch.ids.shape[0]):
        here = [int(p) + 1 for p in batch.sources if int(p) // batch.ids.shape[1] == row]
        flat = batch.ids.view(-1)
        start = row * batch.ids.shape[1]
        assert all(flat[p] in flat[start:p] for p in here)
    assert batch.guides == []


# ---- measures


def oracle(world, token_ids):
    """Return a reader that knows: it names the label whose earlier text shares most words with the query's."""

    def predict(ids, positions):
        logits = torch.zeros(len(positions), len(token_ids))
        names = {token_ids[label] for label in LABELS}
        for number, position in enumerate(positions.tolist()):
            row, column = divmod(position, ids.shape[1])
            tokens = ids[row].tolist()
            query = set(tokens[max(0, column - 7) : column])
            places = [p for p in range(column) if tokens[p] in names]
            if places:
                best = max(places, key=lambda p: len(query & set(tokens[max(0, p - 8) : p - 1])))
                logits[number, tokens[best]] = 5.0
        return logits

    return Reader(world, token_ids, predict, batch_tokens=2000)


def test_in_context_hits_follow_what_the_reader_knows(world, token_ids):
    reader = oracle(world, token_ids)
    kinds = {"seed": 1, "n_documents": 40, "classes": (3, 5)}
    hits = in_context_hits(reader, world.trained_topics, asked=(0, 1, 15), **kinds)
    assert hits.shape == (40, 3)
    assert hits[:, 0].sum() == 0
    assert hits[:, 1].mean() < 0.6
    assert hits[:, 2].mean() > 0.9
    shuffled = in_context_hits(reader, world.trained_topics, asked=(15,), shuffled=True, **kinds)
    assert shuffled.mean() < 0.6
    with pytest.raises(ValueError, match="one query only"):
        in_context_hits(reader, world.trained_topics, asked=(1, 15), shuffled=True, **kinds)


def test_balanced_rounds_show_each_class_once(world, token_ids):
    seen = []

    def predict(ids, positions):
        seen.append(ids)
        return torch.zeros(len(positions), len(token_ids))

    reader = Reader(world, token_ids, predict)
    in_context_hits(reader, world.held_out_topics, seed=1, n_documents=3, classes=(4, 4), asked=(8,), balanced=True)
    names = {token_ids[label] for label in LABELS}
    for row in seen[0].tolist():
        labels = [token for token in row if token in names]
        assert len(labels) == 9
        assert sorted(labels[:4]) == sorted(labels[4:8])
        assert len(set(labels[:4])) == 4


def test_answer_logprobs_equal_one_text_at_a_time(world, token_ids, model):
    @torch.no_grad()
    def predict(ids, positions):
        return model(ids).flatten(0, 1)[positions]

    texts = [(["hot", "cold"], ["one", "two"]), (["fast"], []), (["slow", "old", "new"], ["three"])]
    sums = answer_logprobs(Reader(world, token_ids, predict, batch_tokens=8), texts)
    for (before, answer), value in zip(texts, sums):
        ids = torch.tensor([[token_ids[t] for t in (*before, *answer)]])
        logs = model(ids).log_softmax(-1)[0]
        expected = sum(logs[len(before) - 1 + k, token_ids[t]].item() for k, t in enumerate(answer))
        assert value == pytest.approx(expected, abs=1e-5)


def test_author_gains_compare_right_and_careless_candidates(world, token_ids):
    def predict(ids, positions):
        return torch.zeros(len(positions), len(token_ids))

    gains = author_gains(Reader(world, token_ids, predict), seed=3, per_family=5, n_anchors=6)
    assert gains.gains.shape == (5 * 12 * 2, 6)
    np.testing.assert_allclose(gains.gains, 0.0, atol=1e-9)
    assert gains.good.sum() == 60
    assert {c.fault for c in gains.candidates} == {None, *FAULTS}


def test_author_gains_are_the_same_with_shared_demonstrations(repo_root):
    settings = EvaluateSettings(**{field.name: 1 for field in dataclasses.fields(EvaluateSettings)})
    settings = dataclasses.replace(settings, n_topics=240, words_per_topic=5, n_held_out=40)
    shared = load_reader(repo_root / "resources" / "mini" / "causal", settings)
    one_by_one = dataclasses.replace(shared, scorer=None)
    found, expected = (author_gains(reader, seed=3, per_family=1, n_anchors=6).gains for reader in (shared, one_by_one))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert abs(expected).max() > 1


def test_the_golden_score_counts_raised_anchors():
    gains = AuthorGains([], np.array([[1.0, -1.0, 0.5], [0.0, -2.0, -3.0]]))
    np.testing.assert_allclose(gains.golden, [2 / 3, 0.0])


def test_same_instruction_hits_see_a_reader_that_repeats(world, token_ids):
    """A reader that expects words seen in the text before gains from the same family's answer at least sometimes."""

    def predict(ids, positions):
        logits = torch.zeros(len(positions), len(token_ids))
        for number, position in enumerate(positions.tolist()):
            row, column = divmod(position, ids.shape[1])
            logits[number, ids[row, : column + 1]] = 3.0
        return logits

    families, hits = same_instruction_hits(Reader(world, token_ids, predict), seed=1, n_trials=50)
    assert hits.shape == (50,)
    assert set(families) <= set(FAMILIES)
    assert 0 < hits.mean() < 1


def test_auc_by_hand_and_with_ties():
    scores, good = np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False])
    assert auc(scores, good) == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert auc(-scores, good) == pytest.approx(1 - 3.5 / 4)
    with pytest.raises(ValueError, match="good and bad"):
        auc(scores, np.array([True] * 4))


def test_wilson_interval_by_hand():
    low, high = wilson(8, 10)
    assert (low, high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert wilson(0, 5)[0] == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError):
        wilson(0, 0)


def test_batches_keep_every_text_and_the_token_budget():
    lengths = [5, 3, 9, 1, 9, 2]
    batches = batches_by_length(lengths, 10)
    assert sorted(i for batch in batches for i in batch) == list(range(6))
    assert all(len(b) == 1 or len(b) * max(lengths[i] for i in b) <= 10 for b in batches)


def test_rates_and_guidance_rise_and_fall():
    from scripts.mini_world.train_causal import TrainSettings, guide_weight
    from scripts.mini_world.training import rate

    settings = TrainSettings(
        **dict.fromkeys(("n_topics", "words_per_topic", "n_held_out"), 1),
        **dict.fromkeys(("layers", "width", "heads", "hidden", "window"), 1),
        steps=100, guide_steps=10, guide_fade=20, learning_rate=1.0, warmup_steps=10, decay_share=0.5, floor=0.1,
        weight_decay=0.0, betas=[0.9, 0.98], clip=1.0, mixture={}, later=[], evaluate_every=1, evaluate_documents=1,
        checkpoint_every=1,
    )  # fmt: skip
    assert [rate(step, settings) for step in (0, 9, 50, 75, 99)] == pytest.approx([0.1, 1.0, 1.0, 0.55, 0.118])
    assert [guide_weight(step, settings) for step in (0, 9, 20, 30, 99)] == pytest.approx([1, 1, 0.5, 0, 0])


def test_unknown_keys_of_the_mixture_are_refused():
    from scripts.common.settings import parse_settings

    with pytest.raises(UserError, match="unknown key 'author_document'"):
        parse_settings(Mixture, '{"author_document": 3}')


def test_scrambled_groups_are_disjoint_and_of_trained_topics(world):
    topics = [0, 3, 7]
    groups = scrambled_groups(world, topics, random.Random(1))
    assert [len(group) for group in groups] == [len(world.topics[topic]) for topic in topics]
    words = [word for group in groups for word in group]
    assert len(set(words)) == len(words)
    assert set(words) <= {word for topic in world.trained_topics for word in world.topics[topic]}
    assert not any(set(group) == set(topic) for group in groups for topic in world.topics)


def test_scrambled_documents_show_no_held_out_word(world, token_ids):
    mixture = dataclasses.replace(SMALL_MIXTURE, scrambled_share=1.0)
    batch = step_batches(world, mixture, token_ids, random.Random(5), guided=False)[0]
    held_out = {token_ids[word] for topic in world.held_out_topics for word in world.topics[topic]}
    assert not held_out & set(batch.ids.view(-1).tolist())
    whole = dataclasses.replace(SMALL_MIXTURE, scrambled_share=0.0)
    other = step_batches(world, whole, token_ids, random.Random(5), guided=False)[0]
    assert not torch.equal(batch.ids, other.ids)


def test_the_order_of_fault_weights_does_not_matter(world, token_ids):
    turned = dataclasses.replace(SMALL_MIXTURE, fault_weights=dict(reversed(list(SMALL_MIXTURE.fault_weights.items()))))
    one, same = (step_batches(world, m, token_ids, random.Random(6), guided=False) for m in (SMALL_MIXTURE, turned))
    assert all(torch.equal(a.ids, b.ids) for a, b in zip(one, same))


def test_continuation_odds_count_every_answer_with_its_end(world, token_ids):
    uniform = Reader(world, token_ids, lambda ids, positions: torch.zeros(len(positions), len(token_ids)))
    odds = continuation_odds(uniform, "empty", seed=1, n_trials=12)
    assert odds.shape == (12, 2)
    words = -odds / math.log(len(token_ids))  # how many words the right answer has more than the empty one
    assert np.allclose(words, words.round(), atol=1e-4)
    assert (words >= 1).all()
    assert np.array_equal(words[:, 0], words[:, 1])


def test_cards_hold_size_and_hash_and_show_intervals_of_shares(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3, 4), "b": torch.zeros(5)}, tmp_path / "model.safetensors")
    measures = {"right": share(0.5, 10), "loss": Measure(1.25)}
    write_card(tmp_path, Card("A title", "What it is.", "scripts.x", 7, 1, {"x": 2}, measures, "L."))
    content = read_json(tmp_path / "card.json")
    assert (content["parameters"], content["steps"]) == (17, 7)
    assert content["bytes"] == (tmp_path / "model.safetensors").stat().st_size
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert f"| right | 0.500 | {wilson(5, 10)[0]:.3f} to {wilson(5, 10)[1]:.3f} | 10 |" in text
    assert "| loss | 1.250 | — | — |" in text
    assert content["sha256"] in text
