"""DDG's steps one after another on a tiny task: generators, sets, learners; their bad inputs."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_json, write_jsonl
from scripts.common.step_parser import checked
from scripts.ddg import generate_sets, match_gradients, select_coresets, train_generator, train_learners
from scripts.ddg.distilled import read_set, set_path
from tests.unit.ddg_tiny import OPTIMIZER, SAMPLING, match_settings, of_class, task
from tests.unit.lm_tiny import save, tiny

COMPUTE = ["--dtype", "float32", "--device", "cpu", "--threads", "1"]
READING = {"pooling": "mean", "max_tokens": 16, "batch_size": 16}
NAMED = {"draw_seeds": "named", "herding_order": "chosen"}
TASK = task(per_class=20)
PRETRAIN: dict[str, Any] = {
    "text_columns": ["text0"], "steps": 12, "batch_size": 16, "optimizer": {**OPTIMIZER, "learning_rate": 1e-2},
    "max_tokens": 16, "loss_norm": "padded", "pad_multiple": 8, "save_steps": 5,
}  # fmt: skip
SETS: dict[str, Any] = {
    "text_columns": ["text0"], "dpcs": [2, 4], "draws": 2, "over_sample": 5, "selection": "k_centers",
    "draw_seeds": "named",
    "sampling": SAMPLING, "reading": READING,
}  # fmt: skip
LEARN: dict[str, Any] = {
    "text_columns": ["text0"], "dpcs": [2, 4], "draws": 2, "models": 2, "steps": 10, "full_steps": 40, "batch_size": 8,
    "optimizer": {**OPTIMIZER, "learning_rate": 1e-2}, "pooling": "mean", "max_tokens": 16, "dropout": False,
    "parallel": 3, "test_batch_size": 16,
}  # fmt: skip


def match_json() -> str:
    """Return the tiny settings of stage B as JSON."""
    given = match_settings(outer_loops=2).given()
    given["learner"]["pooling"] = "mean"
    return json.dumps(given)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Models, examples, pre-trained generators of two seeds."""
    made = tmp_path_factory.mktemp("ddg")
    save(tiny("gpt2"), made / "lm")
    save(tiny("bert"), made / "encoder")
    for split, seed in (("train", 0), ("test", 1)):
        given = task(per_class=20, seed=seed)
        write_jsonl(
            made / f"{split}.jsonl",
            [
                {"task": "t", "input": text[0], "output": given.label_names[label], "options": list(given.label_names)}
                for text, label in zip(given.texts, given.labels)
            ],
        )
    pretrain(made, "generators")
    return made


def pretrain(folder: Path, out: str, seeds: tuple[int, ...] = (0, 1), **changes: Any) -> None:
    train_generator.main(
        [
            *("--examples", str(folder / "train.jsonl"), "--model", str(folder / "lm"), *COMPUTE),
            *("--settings", json.dumps({**PRETRAIN, **changes}), "--seeds", *map(str, seeds)),
            *("--checkpoints", str(folder / f"{out}_checkpoints"), "--generators-out", str(folder / out)),
            *("--history-out", str(folder / f"{out}.json")),
        ]
    )


def matched(folder: Path, out: str) -> None:
    match_gradients.main(
        [
            *("--examples", str(folder / "train.jsonl"), "--generators", str(folder / "generators")),
            *("--learner", str(folder / "encoder"), *COMPUTE, "--settings", match_json(), "--seeds", "0", "1"),
            *("--checkpoints", str(folder / "match_checkpoints"), "--generators-out", str(folder / out)),
            *("--history-out", str(folder / f"{out}.json")),
        ]
    )


def generated(folder: Path, out: str, generators: str = "generators", seeds: tuple[int, ...] = (0, 1), **changes: Any):
    generate_sets.main(
        [
            *("--examples", str(folder / "train.jsonl"), "--generators", str(folder / generators)),
            *("--encoder", str(folder / "encoder"), *COMPUTE[2:], "--settings", json.dumps({**SETS, **changes})),
            *("--seeds", *map(str, seeds)),
            *("--sets-out", str(folder / out), "--report-out", str(folder / f"{out}.json")),
        ]
    )


def coresets(folder: Path, method: str, **changes: Any) -> None:
    settings = {
        "text_columns": ["text0"],
        "method": method,
        "dpcs": [2, 4],
        "draws": 2,
        "reading": READING,
        **NAMED,
        **changes,
    }
    select_coresets.main(
        [
            *("--examples", str(folder / "train.jsonl"), "--encoder", str(folder / "encoder"), *COMPUTE[2:]),
            *("--settings", json.dumps(settings), "--seeds", "0", "1", "--sets-out", str(folder / method)),
        ]
    )


def learned(folder: Path, out: str, sets: list[str], full: bool = False, **changes: Any) -> list[dict[str, str]]:
    train_learners.main(
        [
            *("--sets", *(f"{name}={folder / name}" for name in sets)),
            *(("--full-examples", str(folder / "train.jsonl")) if full else ()),
            *("--test", str(folder / "test.jsonl"), "--learner", str(folder / "encoder"), *COMPUTE[2:]),
            *("--settings", json.dumps({**LEARN, **changes}), "--seeds", "0", "1", "--runs-out", str(folder / out)),
        ]
    )
    with open(folder / out, encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_pretraining_learns_and_repeats_and_goes_on_after_a_kill(folder, monkeypatch):
    history = read_json(folder / "generators.json")["seeds"]
    assert [one["seed"] for one in history] == [0, 1]
    assert history[0]["losses"][-1] < 0.8 * history[0]["losses"][0]
    assert not (folder / "generators_checkpoints").exists() or not any((folder / "generators_checkpoints").iterdir())
    from scripts.ddg import optimizing

    original = optimizing.Stepper.step
    count = 0

    def until_twenty(self):
        nonlocal count
        count += 1
        if count == 20:  # later calls are of the second start
            raise KeyboardInterrupt
        return original(self)

    monkeypatch.setattr(optimizing.Stepper, "step", until_twenty)
    with pytest.raises(KeyboardInterrupt):
        pretrain(folder, "again")  # killed in step 8 of the second seed
    pretrain(folder, "again")
    assert count == 20 + 12 - 5  # the first seed is kept, the second goes on from step 5
    assert bytes_of(folder / "again") == bytes_of(folder / "generators")
    assert (folder / "again.json").read_bytes() == (folder / "generators.json").read_bytes()


def test_matching_repeats_and_changes_the_generators(folder):
    matched(folder, "dilm")
    first = bytes_of(folder / "dilm")
    matched(folder, "dilm")
    assert bytes_of(folder / "dilm") == first
    before = bytes_of(folder / "generators")
    assert first["seed_0/model.safetensors"] != before["seed_0/model.safetensors"]
    assert first["seed_0/model.safetensors"] != first["seed_1/model.safetensors"]
    steps = read_json(folder / "dilm.json")["seeds"][0]["steps"]
    assert len(steps) == 4
    assert all(-1 <= entry["cosine"] <= 1 for entry in steps)


def test_sets_are_whole_and_repeat_and_small_ones_ignore_the_large(folder):
    generated(folder, "vanilla_lm")
    first = bytes_of(folder / "vanilla_lm")
    assert len(first) == 2 * 2 * 2 + 1  # and the names of the classes
    for seed in (0, 1):
        for dpc in (2, 4):
            found = read_set(set_path(folder / "vanilla_lm", seed, dpc, 1), ["text0"], 3)
            assert [len(set(of_class(found, label))) for label in range(3)] == [dpc] * 3
            assert list(found.labels) == sorted(found.labels)
    generated(folder, "vanilla_lm")
    assert bytes_of(folder / "vanilla_lm") == first
    generated(folder, "small", dpcs=[2], draws=1)
    assert bytes_of(folder / "small") == {
        name: own for name, own in first.items() if "dpc_2/draw_0" in name or name == "labels.json"
    }
    assert len({own for name, own in first.items() if "dpc_4" in name}) == 4
    report = read_json(folder / "vanilla_lm.json")["seeds"][0]
    assert report["n_texts"] == 2 * 3 * 4 * 5


def test_without_selection_the_first_texts_are_taken(folder):
    generated(folder, "plain", selection="none", seeds=(0,))
    small, large = (read_set(set_path(folder / "plain", 0, dpc, 0), ["text0"], 3) for dpc in (2, 4))
    for label in range(3):
        assert of_class(large, label)[:2] == of_class(small, label)


def test_coresets_are_real_texts_of_their_class(folder):
    for method in ("random", "k_centers", "herding"):
        coresets(folder, method)
        for seed in (0, 1):
            for dpc in (2, 4):
                found = read_set(set_path(folder / method, seed, dpc, 0), ["text0"], 3)
                for label in range(3):
                    own = {TASK.texts[row] for row in TASK.rows_of(label)}
                    assert set(of_class(found, label)) <= own
                    assert len(of_class(found, label)) == dpc
    draws = [bytes_of(folder / "random")[f"seed_{s}/dpc_4/draw_{d}.jsonl"] for s in (0, 1) for d in (0, 1)]
    assert len(set(draws)) == 4
    small, large = (read_set(set_path(folder / "random", 0, dpc, 0), ["text0"], 3) for dpc in (2, 4))
    assert of_class(large, 0)[:2] == of_class(small, 0)
    herded = bytes_of(folder / "herding")
    assert herded["seed_0/dpc_4/draw_0.jsonl"] == herded["seed_1/dpc_4/draw_1.jsonl"]


def test_learners_are_trained_and_paired(folder):
    coresets(folder, "random")
    coresets(folder, "herding")
    rows = learned(folder, "runs.csv", ["random", "herding"], full=True)
    assert len(rows) == 2 * (2 * 2 * 2 * 2 * 2 + 2 * 2)  # two metrics of three classes
    assert {row["metric"] for row in rows} == {"accuracy", "matthews"}
    full = [float(row["value"]) for row in rows if row["method"] == "full" and row["metric"] == "accuracy"]
    assert min(full) > 0.6
    learned(folder, "again.csv", ["random", "herding"], full=True)
    assert (folder / "again.csv").read_bytes() == (folder / "runs.csv").read_bytes()
    one_by_one = learned(folder, "single.csv", ["random", "herding"], full=True, parallel=1)
    assert [{**row, "value": ""} for row in one_by_one] == [{**row, "value": ""} for row in rows]
    for one, other in zip(one_by_one, rows):
        assert float(one["value"]) == pytest.approx(float(other["value"]), abs=0.1)  # sums in another order


def test_all_texts_alone_train_the_same_learners(folder):
    """A job of all texts without sets has no sizes; what it measures is what a job with sets measures of them."""
    coresets(folder, "random")
    few = {"steps": 2, "full_steps": 4}
    both = [row for row in learned(folder, "both.csv", ["random"], full=True, **few) if row["method"] == "full"]
    alone = ["--test", str(folder / "test.jsonl"), "--learner", str(folder / "encoder"), *COMPUTE[2:]]
    alone += ["--settings", json.dumps({**LEARN, **few, "dpcs": []}), "--seeds", "0", "1"]
    out = ["--runs-out", str(folder / "alone.csv")]
    train_learners.main([*alone, "--full-examples", str(folder / "train.jsonl"), *out])
    with open(folder / "alone.csv", encoding="utf-8") as stream:
        assert list(csv.DictReader(stream)) == both
    with pytest.raises(UserError, match="--sets: missing; name sets, or rows to train on with --full-examples"):
        train_learners.main([*alone, *out])
    with pytest.raises(UserError, match="dpcs is empty; say which sizes of the sets are read"):
        learned(folder, "none.csv", ["random"], dpcs=[])


def test_random_texts_need_no_encoder(folder, tmp_path):
    coresets(folder, "random")
    settings = {"text_columns": ["text0"], "dpcs": [2, 4], "draws": 2, "reading": READING, **NAMED}

    def chosen(method):
        given = ["--examples", str(folder / "train.jsonl"), *COMPUTE[2:], "--seeds", "0", "1"]
        told = ["--settings", json.dumps({**settings, "method": method}), "--sets-out", str(tmp_path / method)]
        select_coresets.main([*given, *told])

    chosen("random")
    assert bytes_of(tmp_path / "random") == bytes_of(folder / "random")
    with pytest.raises(UserError, match="--encoder: missing; herding compares texts by its embeddings"):
        chosen("herding")


def test_a_class_smaller_than_the_set_is_named(folder):
    with pytest.raises(UserError, match="class 'label0' has 20 examples, dpcs needs 21; lower dpcs"):
        coresets(folder, "random", dpcs=[21])


def test_a_generator_with_too_few_different_texts_is_named(folder):
    with pytest.raises(UserError, match="different texts of class 'label0' among 2, 2 are wanted"):
        generated(folder, "sharp", sampling={**SAMPLING, "top_p": 1e-6}, over_sample=1, seeds=(0,))


def test_generators_of_another_task_and_missing_sets_are_named(folder, tmp_path):
    write_jsonl(
        tmp_path / "other.jsonl", [{"task": "t", "input": "w1", "output": o, "options": ["a", "b"]} for o in "ab"]
    )
    with pytest.raises(UserError, match="made for other labels or text columns"):
        generate_sets.main(
            [
                *("--examples", str(tmp_path / "other.jsonl"), "--generators", str(folder / "generators")),
                *("--encoder", str(folder / "encoder"), *COMPUTE[2:], "--settings", json.dumps(SETS), "--seeds", "0"),
                *("--sets-out", str(tmp_path / "x"), "--report-out", str(tmp_path / "x.json")),
            ]
        )
    with pytest.raises(UserError, match="no such file"):
        learned(folder, "runs.csv", ["nothing"])
    with pytest.raises(UserError, match="expected METHOD=FOLDER"):
        train_learners.read_pairs(["random"])


def test_metrics_by_hand():
    found = train_learners.metrics_of([1, 1, 0, 0], [1, 0, 0, 0], 2)
    assert found["accuracy"] == 0.75
    assert found["accuracy_f1_mean"] == pytest.approx((0.75 + 2 / 3) / 2)
    assert found["matthews"] == pytest.approx(1 / 3**0.5)
    assert set(train_learners.metrics_of([0, 1, 2], [0, 1, 2], 3)) == {"accuracy", "matthews"}


def test_released_draws_are_those_of_dilms_seeds(tmp_path):
    """Draw k of random is Python's sample with seed k, of k-centers K-means with seed k; herding's rows are sorted."""
    import random

    from scripts.ddg.select_coresets import class_rows
    from scripts.ddg.settings_steps import CoresetSettings
    from scripts.selection.cluster_members import cluster_members
    from scripts.selection.herding import herding

    points, rows = np.random.default_rng(0).normal(size=(12, 3)), list(range(100, 112))

    def chosen(method, draw, order="rows"):
        drawn = {"dpcs": [4], "draws": 2, "draw_seeds": "released", "herding_order": order}
        settings = checked(CoresetSettings, {"text_columns": ["text"], "method": method, "reading": READING, **drawn})
        return class_rows(settings, rows, points, 4, seed=7, draw=draw, label=1, threads=1)

    for draw in (0, 1):
        random.seed(draw)
        assert chosen("random", draw) == [rows[place] for place in random.sample(range(12), 4)]
        assert chosen("k_centers", draw) == [rows[place] for place in cluster_members(points, 4, seed=draw)]
    greedy = [rows[place] for place in herding(points, 4)]
    assert chosen("herding", 0, "chosen") == greedy
    assert chosen("herding", 0) == sorted(greedy) != greedy


def test_seeds_do_not_silently_share_their_coresets(folder):
    with pytest.raises(UserError, match="'released' draws the same real texts for all of 2 seeds; set it to 'named'"):
        coresets(folder, "random", draw_seeds="released")
