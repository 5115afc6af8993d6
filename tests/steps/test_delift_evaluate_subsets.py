"""Learning from subsets and measuring the answers, with tiny models: in context, by adapters, with all weights."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_json, read_jsonl, write_jsonl
from scripts.common.metrics import read_metrics
from scripts.common.tensors import write_tensors
from scripts.delift import evaluate_subsets
from scripts.delift.comparison import KINDS
from scripts.delift.evaluate_subsets import main
from scripts.delift.score_answers import main as score_answers
from tests.unit.lm_tiny import save, tiny, words

PROMPT = {"with_input": "w1 {instruction} {input} w2", "without_input": "w1 {instruction} w2"}
FINETUNE = {
    "method": "lora",
    "epochs": 1,
    "max_steps": 2,
    "learning_rate": 0.01,
    "schedule": "constant",
    "warmup_ratio": 0.0,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "batch_size": 2,
    "accumulation": 1,
    "max_tokens": 32,
    "loss_on": "response",
    "optimizer": "adamw",
    "activation_checkpointing": False,
    "lora": {"rank": 2, "alpha": 4, "dropout": 0.0},
}
SETTINGS = {
    "prompt": PROMPT,
    "shots": {"k": 2, "example": "{prompt} {response} ", "query": "{prompt}", "max_tokens": 40},
    "finetune": FINETUNE,
    "generate": {"max_new_tokens": 3, "temperature": 0.2, "min_p": 0.1, "stop": [], "batch_size": 4},
    "batch_tokens": 128,
}


def instructions(prefix: str, n: int) -> list[dict[str, str]]:
    rng = random.Random(prefix)
    return [
        {"id": f"{prefix}{i}", "instruction": words(3, rng), "input": "", "output": words(2, rng)} for i in range(n)
    ]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model, a pool, a test set, their embeddings and subsets of two sizes."""
    folder = tmp_path_factory.mktemp("given")
    save(tiny(seed=3), folder / "model")
    pool, test = instructions("p", 8), instructions("t", 4)
    write_jsonl(folder / "pool.jsonl", pool)
    write_jsonl(folder / "test.jsonl", test)
    # Each test row's nearest pool row is the one of its own number, the next one comes second.
    vectors = np.eye(8, dtype=np.float32)
    queries = vectors[:4] + 0.5 * np.roll(vectors, 1, axis=1)[:4]
    write_tensors(folder / "pool.safetensors", {"embeddings": vectors}, ids=[row["id"] for row in pool])
    write_tensors(folder / "queries.safetensors", {"embeddings": queries}, ids=[row["id"] for row in test])
    for seed in (0, 1):
        write_jsonl(folder / "random" / "percent_50" / f"seed_{seed}.jsonl", pool[seed : seed + 4])
    return folder


def run(given: Path, out: Path, learning: str, **changes: Any) -> Path:
    values: dict[str, Any] = {
        "learning": learning,
        "units": ["initial/percent_0", "random/percent_50"],
        "subsets": ["none", str(given / "random")],
        "seeds": ["0", "1"],
        "test": str(given / "test.jsonl"),
        "pool": str(given / "pool.jsonl"),
        "embeddings": str(given / "pool.safetensors"),
        "queries": str(given / "queries.safetensors"),
        "model": str(given / "model"),
        "dtype": "float32",
        "device": "cpu",
        "threads": "1",
        "settings": json.dumps(SETTINGS),
        "checkpoints": str(out / "checkpoints"),
        "answers-out": str(out / "answers"),
        "run-out": str(out / "run.json"),
        **changes,
    }
    flags = [
        word
        for name, value in values.items()
        for word in (f"--{name}", *([value] if isinstance(value, str) else value))
    ]
    main(flags)
    return out / "answers"


@pytest.fixture(scope="module")
def in_context(given: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(given, tmp_path_factory.mktemp("icl"), "icl")


def test_in_context_the_nearest_chosen_examples_come_best_first(in_context: Path) -> None:
    rows = {(row["seed"], row["id"]): row for row in read_jsonl(in_context / "random/percent_50.jsonl")}
    assert len(rows) == 8
    assert rows[0, "t0"]["shots"] == ["p0", "p1"]
    assert rows[1, "t1"]["shots"] == ["p1", "p2"]
    assert rows[1, "t0"]["shots"][0] == "p1"  # p0 was not chosen with seed 1
    untrained = read_jsonl(in_context / "initial/percent_0.jsonl")
    assert [row["shots"] for row in untrained] == [[]] * 4
    counts = read_json(in_context / "status.json")["units"]
    assert counts["random/percent_50"]["n_examples"] == {"0": 4, "1": 4}


def test_what_stands_beside_every_subset_is_learnt_too(given: Path, tmp_path: Path) -> None:
    """The rows beside bear the pool's ids and the vector that test row 1 is nearest to: only they can come first."""
    rows = read_jsonl(given / "pool.jsonl")[:2]
    write_jsonl(tmp_path / "beside.jsonl", rows)
    vectors = np.roll(np.eye(8, dtype=np.float32), -1, axis=0)[:2]
    write_tensors(tmp_path / "beside.safetensors", {"embeddings": vectors}, ids=[row["id"] for row in rows])
    beside = {"beside": str(tmp_path / "beside.jsonl"), "beside-embeddings": str(tmp_path / "beside.safetensors")}
    shown = read_jsonl(run(given, tmp_path / "icl", "icl", **beside) / "initial/percent_0.jsonl")
    assert {row["seed"] for row in shown} == {0, 1}  # the model is not as it was, so every seed counts
    assert next(row["shots"] for row in shown if row["id"] == "t1") == ["beside p0", "beside p1"]
    trained = read_jsonl(run(given, tmp_path / "fft", "fft", **beside) / "initial/percent_0.jsonl")
    alone = read_jsonl(run(given, tmp_path / "alone", "fft") / "initial/percent_0.jsonl")
    assert [row["loglik_nats"] for row in trained[:4]] != [row["loglik_nats"] for row in alone]
    with pytest.raises(UserError, match="--beside-embeddings: learning in context needs it"):
        run(given, tmp_path / "lacking", "icl", beside=beside["beside"])


def test_likelihoods_are_those_of_the_plain_computation(given: Path, in_context: Path) -> None:
    import torch

    from scripts.lm.load import load_model

    loaded = load_model(str(given / "model"))
    pool = {row["id"]: row for row in read_jsonl(given / "pool.jsonl")}
    test = {row["id"]: row for row in read_jsonl(given / "test.jsonl")}
    for row in read_jsonl(in_context / "random/percent_50.jsonl"):
        shots = "".join(f"w1 {pool[i]['instruction']} w2 {pool[i]['output']} " for i in row["shots"])
        before = loaded.tokenizer(f"{shots}w1 {test[row['id']]['instruction']} w2")["input_ids"]
        answer = [*loaded.tokenizer(test[row["id"]]["output"])["input_ids"], loaded.tokenizer.eos_token_id]
        with torch.no_grad():
            logits = loaded.model(torch.tensor([before + answer])).logits[0].double().log_softmax(-1)
        wanted = sum(float(logits[len(before) - 1 + k, token]) for k, token in enumerate(answer))
        assert row["n_tokens"] == len(answer)
        assert row["loglik_nats"] == pytest.approx(wanted, abs=1e-4)


def test_the_same_prompts_to_the_same_model_are_scored_once(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import scripts.delift.evaluate_subsets as step

    real, calls = step.likelihood_after, []
    monkeypatch.setattr(step, "likelihood_after", lambda *given: calls.append(1) or real(*given))
    for seed in (0, 1):
        write_jsonl(tmp_path / "same/percent_50" / f"seed_{seed}.jsonl", read_jsonl(given / "pool.jsonl")[:4])
    chosen = {"units": ["same/percent_50", "initial/percent_0"], "subsets": [str(tmp_path / "same"), "none"]}
    rows = read_jsonl(run(given, tmp_path / "icl", "icl", **chosen) / "same/percent_50.jsonl")
    assert len(calls) == 2
    assert [row["loglik_nats"] for row in rows[:4]] == [row["loglik_nats"] for row in rows[4:]]
    # Trained models read the bare prompts, as the model as it is does after them; none takes another's numbers.
    answers = run(given, tmp_path / "fft", "fft", **chosen)
    assert len(calls) == 5
    trained = read_jsonl(answers / "same/percent_50.jsonl")
    values = [[row["loglik_nats"] for row in part] for part in (trained[:4], trained[4:])]
    values.append([row["loglik_nats"] for row in read_jsonl(answers / "initial/percent_0.jsonl")])
    assert values[0] != values[1] != values[2] != values[0]


@pytest.mark.parametrize("learning", ["peft", "fft"])
def test_training_changes_the_model_and_each_seed_its_own_way(given: Path, tmp_path: Path, learning: str) -> None:
    changed = {**SETTINGS, "finetune": {**FINETUNE, "method": "full" if learning == "fft" else "lora"}}
    answers = run(given, tmp_path, learning, settings=json.dumps(changed))
    base = [row["loglik_nats"] for row in read_jsonl(answers / "initial/percent_0.jsonl")]
    rows = read_jsonl(answers / "random/percent_50.jsonl")
    first, second = ([row["loglik_nats"] for row in rows if row["seed"] == seed] for seed in (0, 1))
    assert base != first != second
    assert set(read_json(tmp_path / "run.json")["seconds"]) == {"initial/percent_0", "random/percent_50"}
    assert "seconds" not in (answers / "status.json").read_text()


def test_a_killed_job_goes_on_where_it_was_and_gives_the_same(
    given: Path, in_context: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    whole = evaluate_subsets.Evaluation.run

    def killed(self: Any, rows: Any, seed: int) -> Any:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(seed)
        return whole(self, rows, seed)

    monkeypatch.setattr(evaluate_subsets.Evaluation, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        run(given, tmp_path, "icl")
    done.clear()
    answers = run(given, tmp_path, "icl")
    assert done == [1]
    for name in ("initial/percent_0.jsonl", "random/percent_50.jsonl", "status.json"):
        assert (answers / name).read_bytes() == (in_context / name).read_bytes()
    assert not list((tmp_path / "checkpoints").rglob("*.jsonl"))


@pytest.mark.parametrize("changes", [{"dtype": "bfloat16"}, {"threads": "2"}])
def test_a_killed_job_does_not_go_on_with_other_arithmetic(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
) -> None:
    import torch

    done: list[int] = []
    whole = evaluate_subsets.Evaluation.run

    def killed(self: Any, rows: Any, seed: int) -> Any:
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(seed)
        return whole(self, rows, seed)

    threads = torch.get_num_threads()
    monkeypatch.setattr(evaluate_subsets.Evaluation, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        run(given, tmp_path, "icl")
    monkeypatch.setattr(
        evaluate_subsets.Evaluation, "run", lambda self, rows, seed: done.append(seed) or whole(self, rows, seed)
    )
    run(given, tmp_path, "icl", **changes)
    torch.set_num_threads(threads)
    assert done == [0, 0, 0, 1]


def test_long_prompts_drop_the_least_similar_example_first(given: Path, tmp_path: Path) -> None:
    shots = {**SETTINGS["shots"], "max_tokens": 14}  # an example takes 7 tokens, the question 5
    answers = run(given, tmp_path, "icl", settings=json.dumps({**SETTINGS, "shots": shots}))
    whole = run(given, tmp_path / "whole", "icl")
    short, long = (read_jsonl(folder / "random/percent_50.jsonl") for folder in (answers, whole))
    assert [row["loglik_nats"] for row in short] != [row["loglik_nats"] for row in long]


def test_faults_are_named(given: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'random' is not of the form"):
        run(given, tmp_path, "icl", units=["random"], subsets=[str(given / "random")])
    with pytest.raises(UserError, match="2 units"):
        run(given, tmp_path, "icl", subsets=["none"])
    placeless = json.dumps({**SETTINGS, "shots": {**SETTINGS["shots"], "example": "{prompt}"}})
    with pytest.raises(UserError, match="has no place {response}"):
        run(given, tmp_path, "icl", settings=placeless)
    other = tmp_path / "other" / "percent_50"
    for seed in (0, 1):
        write_jsonl(other / f"seed_{seed}.jsonl", instructions("x", 2))
    with pytest.raises(UserError, match="example 'x0' is not in --pool"):
        run(given, tmp_path, "icl", subsets=["none", str(other.parent)])


def score(
    given: Path, answers: Path, out: Path, *, embedder: str | None = "model", **changes: Any
) -> list[dict[str, str]]:
    settings = {
        "measures": ["exact_match", "rouge_1", "rouge_l", "bleu", "bge_cosine", "bert_score", "judge_score"],
        "embed": {"pooling": "mean", "max_tokens": 32, "batch_tokens": 64},
        "judge": {
            "backend": "reference",
            "model": "reference",
            "base_url": None,
            "key_variable": "",
            "max_new_tokens": 8,
            "cache": "unused",
            "timeout_s": 1,
            "attempts": 1,
        },
        "known": {"measure": "bge_cosine", "threshold": 0.7},
        "likelihood": True,
        **changes,
    }
    arguments = ["--answers", str(answers), "--test", str(given / "test.jsonl")]
    arguments += ["--embedder", str(given / embedder)] if embedder else []
    arguments += ["--embedder-family", "causal", "--dtype", "float32", "--device", "cpu", "--threads", "1"]
    arguments += ["--settings", json.dumps(settings), "--scored-out", str(out / "scored.jsonl")]
    arguments += ["--paper", "delift", "--pair", "pair", "--model-name", "tiny"]
    score_answers([*arguments, "--measured-out", str(out / "measured.csv")])
    return read_metrics(out / "measured.csv")


def test_answers_are_measured_and_a_right_one_is_worth_the_most(given: Path, in_context: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    (answers / "random").mkdir(parents=True)
    (answers / "status.json").write_text((in_context / "status.json").read_text())
    test = {row["id"]: row for row in read_jsonl(given / "test.jsonl")}
    for name in ("initial/percent_0", "random/percent_50"):
        rows = read_jsonl(in_context / f"{name}.jsonl")
        right = name.startswith("random")
        changed = [{**row, "answer": test[row["id"]]["output"] if right else "w59"} for row in rows]
        write_jsonl(answers / f"{name}.jsonl", changed)
    values = {
        (row["method"], row["seed"], row["metric"]): float(row["value"]) for row in score(given, answers, tmp_path)
    }
    best = {"exact_match": 1, "rouge_1": 1, "rouge_l": 1, "bleu": 1, "bge_cosine": 1, "bert_score": 1, "judge_score": 5}
    for metric, value in best.items():
        assert values["random", "1", metric] == pytest.approx(value)
        assert values["initial", "0", metric] < value
    assert values["random", "0", "known_share"] == 1
    totals = read_jsonl(in_context / "initial/percent_0.jsonl")
    mean = sum(row["loglik_nats"] for row in totals) / sum(row["n_tokens"] for row in totals)
    assert values["initial", "0", "reference_loglik_nats_per_token"] == pytest.approx(mean, rel=1e-6)


def test_answers_to_another_test_set_are_refused(given: Path, in_context: Path, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "test.jsonl", instructions("z", 3))
    with pytest.raises(UserError, match="answers 't0', which --test lacks"):
        score(tmp_path, in_context, tmp_path)


def test_each_kind_of_measures_has_a_job_of_its_own_with_the_same_values(
    given: Path, in_context: Path, tmp_path: Path
) -> None:
    key = ("setting", "method", "seed", "metric")
    whole = {tuple(row[name] for name in key): row["value"] for row in score(given, in_context, tmp_path)}
    parts = {}
    for kind, measures in KINDS.items():
        known = {"measure": "bge_cosine", "threshold": 0.7} if "bge_cosine" in measures else None
        told = {"measures": list(measures), "known": known, "likelihood": kind == "words"}
        for row in score(given, in_context, tmp_path, **told):
            parts[tuple(row[name] for name in key)] = row["value"]
        (first, *_) = read_jsonl(tmp_path / "scored.jsonl")
        assert ("answer" in first, "known" in first) == (kind == "words", kind == "similarity")
    assert parts == whole


def test_an_embedder_is_needed_for_its_measures_only(given: Path, in_context: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--embedder: .*bge_cosine.*: needed for these measures"):
        score(given, in_context, tmp_path, embedder=None)
    told = {"measures": ["rouge_1"], "known": None}
    assert score(given, in_context, tmp_path, embedder=None, **told)


def test_an_unknown_measure_is_named(given: Path, in_context: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--settings.measures\[0\]: 'rogue_1' is not allowed \(did you mean 'rouge_1'"):
        score(given, in_context, tmp_path, measures=["rogue_1"])
