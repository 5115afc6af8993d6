"""Evaluation B as a step: real sets and retrieved texts in a tiny model's prompt; its bad inputs; released sets."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_jsonl, write_jsonl
from scripts.ddg import evaluate_in_context, import_sets, select_coresets
from scripts.ddg.distilled import read_set, set_path
from scripts.ddg.intervals import wilson
from tests.unit.ddg_tiny import task
from tests.unit.lm_tiny import save, tiny

COMPUTE = ["--dtype", "float32", "--device", "cpu", "--threads", "1"]
READING = {"pooling": "mean", "max_tokens": 16, "batch_size": 16}
SETTINGS: dict[str, Any] = {
    "text_columns": ["text0"], "dpc": 2, "draws": 1, "turns": 5, "orders": {"longicl": "rounds", "dilm": "shuffled"},
    "scorers": {"longicl": ["generate", "labels"], "dilm": ["labels"]}, "only": {}, "instruct": False,
    "label_norm": "sum", "retrieval_rounds": [1], "batch_tokens": 64,
}  # fmt: skip
PROMPT = (
    'instruction: ""\nlabel_list: ""\nintroduction: ""\ndemonstration: "{text} A {label}\\n"\nquery: "{text} A"\n'
    'answer: " "\nfield: ""\nnext_field: ""\nremoved: ""\nmax_new_tokens: 2\n'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Models, examples, a prompt and sets of two seeds."""
    made = tmp_path_factory.mktemp("icl")
    save(tiny("llama"), made / "lm")
    save(tiny("bert"), made / "encoder")
    names = ["w50", "w51", "w52"]
    for split, seed in (("train", 0), ("test", 1)):
        given = task(per_class=8, seed=seed)
        rows = [
            {"task": "t", "input": " ".join(text[0].split()[:4]), "output": names[label], "options": names}
            for text, label in zip(given.texts, given.labels)
        ]
        write_jsonl(made / f"{split}.jsonl", rows)
    (made / "prompt.yaml").write_text(PROMPT, encoding="utf-8")
    coresets = {"text_columns": ["text0"], "method": "random", "dpcs": [2], "draws": 1, "reading": READING}
    coresets |= {"draw_seeds": "named", "herding_order": "rows"}
    select_coresets.main(
        [
            *("--examples", str(made / "train.jsonl"), "--encoder", str(made / "encoder"), *COMPUTE[2:]),
            *("--settings", json.dumps(coresets), "--seeds", "0", "1", "--sets-out", str(made / "random")),
        ]
    )
    return made


def evaluate(
    folder: Path, out: Path, *more: str, rounds: tuple[int, ...] = (1, 2), n: str = "6", **changes: Any
) -> None:
    evaluate_in_context.main(
        [
            *("--sets", f"random={folder / 'random'}", "--test", str(folder / "test.jsonl")),
            *("--prompts", *(f"{name}={folder / 'prompt.yaml'}" for name in ("longicl", "dilm"))),
            *("--model", str(folder / "lm"), *COMPUTE, "--settings", json.dumps({**SETTINGS, **changes})),
            *("--seeds", "0", "1", "--round", *map(str, rounds), "--test-number", n),
            *("--runs-out", str(out / "runs.csv"), "--answers-out", str(out / "answers.jsonl"), *more),
        ]
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_every_round_seed_and_scorer_has_an_accuracy_with_its_answers(folder, tmp_path):
    retrieval = ("--retrieve", "bm25=bm25", "knn=knn", "--examples", str(folder / "train.jsonl"))
    evaluate(folder, tmp_path, *retrieval, "--encoder", str(folder / "encoder"))
    rows = rows_of(tmp_path / "runs.csv")
    keys = [(row["protocol"], row["scorer"], row["method"], row["round"], row["seed"]) for row in rows]
    assert len(set(keys)) == len(keys) == 3 * (1 + 2 * 2 + 2)
    assert ("longicl", "generate", "zero_shot", "0", "0") in keys
    assert ("dilm", "labels", "knn", "1", "0") in keys
    for row, kept in zip(rows, read_jsonl(tmp_path / "answers.jsonl")):
        right = sum(a == b for a, b in zip(kept["answers"], kept["right"]))
        assert float(row["accuracy"]) == pytest.approx(right / 6)
        assert (float(row["low"]), float(row["high"])) == pytest.approx(wilson(right, 6))
        assert row["n"] == "6"
    lengths = {(row["method"], row["round"]): float(row["prefix_tokens"]) for row in rows if row["seed"] == "0"}
    assert lengths["zero_shot", "0"] == 0 < lengths["random", "1"] < lengths["random", "2"]


def test_a_protocol_can_be_asked_about_less(folder, tmp_path):
    evaluate(folder, tmp_path, only={"dilm": {"methods": ["random"], "rounds": [2]}})
    found = {(row["method"], row["round"]) for row in rows_of(tmp_path / "runs.csv") if row["protocol"] == "dilm"}
    assert found == {("random", "2")}
    with pytest.raises(UserError, match="--settings.only.dilm.methods: is missing; add it"):
        evaluate(folder, tmp_path, only={"dilm": {"rounds": [2]}})


def test_rounds_do_not_depend_on_what_else_is_asked(folder, tmp_path):
    for name, rounds in (("both", (1, 2)), ("last", (2,))):
        (tmp_path / name).mkdir()
        evaluate(folder, tmp_path / name, rounds=rounds)
    both, last = (read_jsonl(tmp_path / name / "answers.jsonl") for name in ("both", "last"))
    assert [row for row in both if row["round"] != 1] == last


def test_all_test_rows_on_request(folder, tmp_path):
    evaluate(folder, tmp_path, n="full", rounds=(1,))
    assert {row["n"] for row in rows_of(tmp_path / "runs.csv")} == {"24"}


@pytest.mark.parametrize(
    ("changes", "rounds", "message"),
    [
        ({}, (3,), r"--round 3: the sets hold 2 texts a class; take a larger dpc"),
        ({"label_norm": "max"}, (1,), "--settings.label_norm: 'max' is not allowed; choose one of sum, mean"),
        ({"orders": {"longicl": "rounds"}}, (1,), "--settings.orders: name the same protocols here and in scorers"),
        ({"dpc": 7}, (1,), r"dpc_7/draw_0.jsonl: no such file"),
    ],
)
def test_bad_settings_are_one_line(folder, tmp_path, changes, rounds, message):
    with pytest.raises(UserError, match=message):
        evaluate(folder, tmp_path, rounds=rounds, **changes)


def test_retrieval_needs_its_pool_and_encoder(folder, tmp_path):
    with pytest.raises(UserError, match="--examples: missing; retrieval needs the training rows"):
        evaluate(folder, tmp_path, "--retrieve", "bm25=bm25")
    with pytest.raises(UserError, match="--encoder: missing"):
        evaluate(folder, tmp_path, "--retrieve", "knn=knn", "--examples", str(folder / "train.jsonl"))


WRITING = {"per_class": 4, "temperature": 1.0, "max_tokens": 3, "batch_size": 5}


def test_the_model_s_own_demonstrations_are_shown_like_any_others(folder, tmp_path):
    for name in ("one", "again"):
        (tmp_path / name).mkdir()
        evaluate(folder, tmp_path / name, "--self-write", "own", "--writing", json.dumps(WRITING))
    rows = [row for row in rows_of(tmp_path / "one" / "runs.csv") if row["method"] == "own"]
    keys = {(row["protocol"], row["scorer"], row["round"], row["seed"]) for row in rows}
    assert len(keys) == len(rows) == 3 * 2 * 2
    assert len({row["prefix_tokens"] for row in rows}) > 2  # each seed writes its own
    assert (tmp_path / "one" / "answers.jsonl").read_bytes() == (tmp_path / "again" / "answers.jsonl").read_bytes()
    with pytest.raises(UserError, match="--writing.max_tokens: is missing; add it"):
        evaluate(folder, tmp_path, "--self-write", "own")


def test_own_texts_carry_the_label_that_is_likeliest_without_demonstrations(folder, tmp_path):
    from scripts.ddg.in_context import Reader
    from scripts.ddg.prompting import read_prompt
    from scripts.ddg.self_written import write_demonstrations
    from scripts.ddg.settings_steps import WritingSettings

    reader, prompt, names = Reader(tiny("llama"), 64), read_prompt(folder / "prompt.yaml"), ["w50", "w51", "w52"]
    given = write_demonstrations(reader, prompt, ["text0"], names, WritingSettings(**WRITING), 1)
    assert len(set(given.texts)) == len(given.texts) <= 12
    for (text,), label in zip(given.texts, given.labels):
        assert text
        assert "A" not in text.split()
        assert len(text.split()) <= 3
        scores = reader.label_scores(reader.extend(""), [f"{text} A"], " ", names, "sum")
        assert int(scores[0].argmax()) == label


def test_demonstrations_longer_than_the_window_are_one_line(folder, tmp_path):
    long = PROMPT.replace('instruction: ""', f'instruction: "{"w1 " * 60}"')
    (tmp_path / "prompt.yaml").write_text(long, encoding="utf-8")
    with pytest.raises(UserError, match="exceed the model's window of 64; shorten it or take another model"):
        evaluate_in_context.main(
            [
                *("--sets", f"random={folder / 'random'}", "--test", str(folder / "test.jsonl")),
                *("--prompts", f"longicl={tmp_path / 'prompt.yaml'}", "--model", str(folder / "lm"), *COMPUTE),
                *(
                    "--settings",
                    json.dumps({**SETTINGS, "orders": {"longicl": "rounds"}, "scorers": {"longicl": ["labels"]}}),
                ),
                *("--seeds", "0", "--round", "2", "--test_number", "2"),
                *("--runs-out", str(tmp_path / "runs.csv"), "--answers-out", str(tmp_path / "answers.jsonl")),
            ]
        )


def test_released_sets_are_checked_and_placed(tmp_path):
    rows = [{"sentence": f"text {n}", "labels": n % 2} for n in range(4)]
    write_jsonl(tmp_path / "given.json", rows)
    common = ["--labels", "no", "yes", "--text-columns", "sentence", "--sets-out", str(tmp_path / "sets")]
    import_sets.main(["--places", "42/2/0", "--files", str(tmp_path / "given.json"), *common])
    assert read_set(set_path(tmp_path / "sets", 42, 2, 0), ["sentence"], 2).labels == (0, 1, 0, 1)
    with pytest.raises(UserError, match="class 'no' has 2 texts, 5 are wanted"):
        import_sets.main(["--places", "42/5/0", "--files", str(tmp_path / "given.json"), *common])
    with pytest.raises(UserError, match="expected SEED/DPC/DRAW"):
        import_sets.main(["--places", "42", "--files", str(tmp_path / "given.json"), *common])
    write_jsonl(tmp_path / "given.json", [*rows, {"sentence": "x", "labels": 2}])
    with pytest.raises(UserError, match="label 2 is outside the table of 2 labels"):
        import_sets.main(["--places", "42/2/0", "--files", str(tmp_path / "given.json"), *common])
    assert read_set(set_path(tmp_path / "sets", 42, 2, 0), ["sentence"], 2).labels == (0, 1, 0, 1)  # as it was
