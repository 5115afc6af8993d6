"""The mini encoder: its texts, its training at a tiny size, and the shipped one through transformers."""

from __future__ import annotations

import json
import random

import pytest
import torch

from scripts.common.files import read_json, read_jsonl
from scripts.data.synthetic_words import build_world
from scripts.mini_world.encoder_texts import EncoderIds, Pair, encode, instruction_pair, topic_pair, topic_text
from scripts.mini_world.tokenizer import build_encoder_tokenizer, build_tokenizer
from scripts.mini_world.train_encoder import EncoderRun
from scripts.mini_world.train_encoder import main as train

TINY = {
    **{"n_topics": 45, "words_per_topic": 4, "n_held_out": 20, "layers": 1, "width": 16, "heads": 2, "hidden": 24},
    **{"window": 64, "spread": 0.1, "topic_pairs": 4, "instruction_pairs": 2, "held_out_share": 0.5},
    **{"mask_share": 0.2, "evaluate_pairs": 8, "steps": 4, "learning_rate": 0.003, "warmup_steps": 1},
    **{"decay_share": 0.5, "floor": 0.05, "weight_decay": 0.01, "betas": [0.9, 0.98], "clip": 1.0},
    **{"evaluate_every": 2, "checkpoint_every": 2},
}


def run(folder):
    train(
        [
            *("--settings", json.dumps(TINY), "--seed", "1", "--threads", "1"),
            *("--checkpoint", str(folder / "state.safetensors"), "--curve-out", str(folder / "curve.jsonl")),
            *("--model-out", str(folder / "model")),
        ]
    )
    return {path.name: path.read_bytes() for path in [*(folder / "model").iterdir(), folder / "curve.jsonl"]}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    return folder, run(folder)


@pytest.fixture(scope="module")
def world():
    return build_world(45, 4, 20)


@pytest.fixture(scope="module")
def ids(world):
    words = {token: index for index, token in enumerate(world.vocabulary)}
    return EncoderIds(words, len(words), len(words) + 1, len(words) + 2, 8, len(words) - 65)


def test_held_out_topics_come_as_plain_text_only(world):
    rng = random.Random(1)
    texts = {topic: [topic_text(world, topic, rng) for _ in range(20)] for topic in (0, world.held_out_topics[0])}
    assert all(text[-1] == "." for text in texts[world.held_out_topics[0]])
    assert {text[-1] == "." for text in texts[0]} == {True, False}
    for topic, found in texts.items():
        others = set(world.topic_words) - set(world.topics[topic])
        assert not others & {word for text in found for word in text}


def test_pairs_are_of_one_document_or_of_two(world):
    rng = random.Random(2)
    owner = {word: topic for topic, words in enumerate(world.topics) for word in words}
    for _ in range(40):
        pair = topic_pair(world, rng, world.trained_topics)
        topics = [{owner[word] for word in text if word in owner} for text in (pair.first, pair.second)]
        assert (topics[0] == topics[1]) == pair.together
    assert {instruction_pair(world, rng).together for _ in range(20)} == {True, False}


def test_masked_batches_keep_what_is_not_masked(world, ids):
    pairs = [Pair(["fast", "slow"], ["hot", "\n", "big"], True), Pair(["ten"], ["five"], False)]
    untouched = encode(pairs, ids, 0.0, random.Random(0))
    word = ids.words
    assert untouched.input_ids.tolist() == [
        [ids.cls, word["fast"], word["slow"], ids.sep, word["hot"], word["\n"], word["big"], ids.sep],
        [ids.cls, word["ten"], ids.sep, word["five"], ids.sep, 0, 0, 0],
    ]
    assert untouched.token_type_ids.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 0, 0, 0]]
    assert untouched.attention_mask.sum(1).tolist() == [8, 5]
    assert untouched.together.tolist() == [0, 1]
    assert (untouched.labels == -100).all()
    hidden = encode(pairs * 50, ids, 1.0, random.Random(0))
    originals = untouched.input_ids.repeat(50, 1)
    chosen = hidden.labels >= 0
    assert torch.equal(hidden.labels[chosen], originals[chosen])
    assert torch.equal(hidden.input_ids[~chosen], originals[~chosen])
    assert chosen.sum() == 6 * 50  # every word, but neither newlines nor special tokens
    assert 0.7 < (hidden.input_ids[chosen] == ids.mask).float().mean() < 0.9


def test_the_tokenizer_has_the_same_ids_and_joins_pairs_as_bert_does(world):
    tokenizer, plain = build_encoder_tokenizer(world, 64), build_tokenizer(world, 64)
    pair = tokenizer("hot cold", "one [MASK]")
    assert pair["token_type_ids"] == [0, 0, 0, 0, 1, 1, 1]
    assert tokenizer.convert_ids_to_tokens(pair["input_ids"]) == "[CLS] hot cold [SEP] one [MASK] [SEP]".split()
    assert tokenizer("hot cold")["input_ids"][1:-1] == plain("hot cold")["input_ids"]
    assert tokenizer.decode(tokenizer("hot cold")["input_ids"], skip_special_tokens=True) == "hot cold"


def test_training_gives_the_same_bytes_also_when_it_was_killed(trained, tmp_path, monkeypatch):
    _, files = trained
    step = EncoderRun.train_step

    def dies(self):
        if self.step == 3:
            raise KeyboardInterrupt
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(EncoderRun, "train_step", dies)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    assert run(tmp_path) == files


def test_the_curve_and_the_card_tell_the_run(trained):
    folder, _ = trained
    curve = read_jsonl(folder / "curve.jsonl")
    assert [point["step"] for point in curve] == [2, 4]
    assert {"pair_trained", "centroid_held_out", "loss_topic_masked", "loss_instruction_pair"} <= set(curve[0])
    card = read_json(folder / "model" / "card.json")
    assert card["measures"]["pair_trained"]["n"] == 8
    assert card["steps"] == 4


def test_the_shipped_encoder_loads_whole_and_knows_topics(repo_root):
    from transformers import BertForPreTraining

    from scripts.lm.embed import embed
    from scripts.lm.load import load_model

    folder = repo_root / "resources" / "mini" / "encoder"
    _, info = BertForPreTraining.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    loaded = load_model(str(folder), family="encoder")
    world = build_world()
    texts = [" ".join(world.topics[topic][part : part + 2]) for topic in (0, 10, 239) for part in (0, 2)]
    vectors = embed(loaded, texts, pooling="first", max_tokens=16, batch_tokens=256)
    distances = ((vectors[:, None] - vectors[None]) ** 2).sum(-1)
    distances[range(6), range(6)] = float("inf")
    assert distances.argmin(1).tolist() == [1, 0, 3, 2, 5, 4]
