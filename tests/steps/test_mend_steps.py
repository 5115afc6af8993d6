"""MEND's steps from the command line, on tiny random models: train, evaluate, measure, and the users' commands."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, read_json, read_jsonl, write_jsonl
from scripts.common.metrics import read_metrics
from scripts.mend import (
    attention_maps,
    distill_demonstrations,
    evaluate_methods,
    measure_efficiency,
    score_queries,
    tabulate_artifact,
    train_baselines,
    train_distiller,
)
from tests.unit.lm_tiny import save, tiny
from tests.unit.mend_tiny import DISTILL, FORMAT, LABELS, format_json, task_rows, write_tasks

COMPUTE = ["--dtype", "float32", "--device", "cpu", "--threads", "1"]
DEFAULT = json.loads(format_json())
FORMATS = json.dumps(
    {
        "default": DEFAULT,
        "bare": {**DEFAULT, "after_input": ""},
        "left": {**DEFAULT, "room": "metaicl", "max_tokens": 24},
    }
)
EVALUATE = {"task_names": ["easy", "hard"], "shots": 4, "seeds": [13, 21], "max_test": 6, "metric_of": {},
            "f1": "union", "ties": "first", "batch_tokens": 64}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model, a smaller one, tasks, texts, and what is trained on them."""
    root = tmp_path_factory.mktemp("mend")
    save(tiny("gpt2"), root / "model")
    save(tiny("llama", seed=1), root / "small")
    write_tasks(root / "tasks", ["easy", "hard"])
    write_jsonl(root / "train.jsonl", [row for name in "abc" for row in task_rows(name, 12, 0)])
    write_jsonl(root / "dev.jsonl", task_rows("d", 12, 0))
    write_jsonl(root / "texts.jsonl", [{"text": " ".join(f"w{(i * n) % 50}" for i in range(25))} for n in range(1, 30)])
    train_distiller.main(train_args(root))
    train_baselines.main(prompt_args(root))
    return root


def train_args(root: Path, **changes: Any) -> list[str]:
    variants = {
        "first": {"start": "small", "stage": 1, "lm_weight": 0.0},
        "mend": {"start": "first", "placeholder_start": "keep"},
        "hyper": {"start": "small", "kl_weight": 0.0},
    }
    values = {"settings": DISTILL, "variants": variants, "out": root / "distillers", **changes}
    return [
        "--model", str(root / "model"), "--starts", f"small={root / 'small'}", "--texts", str(root / "texts.jsonl"),
        "--meta-train", str(root / "train.jsonl"), "--dev", str(root / "dev.jsonl"),
        "--settings", json.dumps(values["settings"]), "--variants", json.dumps(values["variants"]),
        "--format", format_json(), "--seed", "1", "--checkpoints", str(root / "checkpoints"),
        "--distillers-out", str(values["out"]), "--history-out", str(root / "history.json"), *COMPUTE,
    ]  # fmt: skip


def prompt_args(root: Path, **changes: Any) -> list[str]:
    settings = {
        "task_names": ["easy", "hard"], "shots": 4, "seeds": [13, 21], "n_vectors": 2, "steps": 3, "batch_size": 2,
        "learning_rate": 0.1, "adam_epsilon_rule": "before_correction", "start": "vocabulary", "n_examples": None,
        "tables_at_once": 3, **changes,
    }  # fmt: skip
    return [
        "prompt_tuning", "--model", str(root / "model"), "--tasks", str(root / "tasks"),
        "--settings", json.dumps(settings), "--format", format_json(),
        "--prompts-out", str(root / "prompts.safetensors"), "--history-out", str(root / "prompts.json"), *COMPUTE,
    ]  # fmt: skip


def evaluate(root: Path, arms: list[dict[str, Any]], out: str = "scores.csv", **changes: Any) -> list[dict[str, str]]:
    evaluate_methods.main(
        [
            "--model", str(root / "model"), "--tasks", str(root / "tasks"), "--arms", json.dumps(arms),
            "--settings", json.dumps({**EVALUATE, **changes}), "--formats", FORMATS,
            "--distillers", f"mend={root / 'distillers' / 'mend'}", "--tuned", f"same={root / 'model'}",
            "--prompts", str(root / "prompts.safetensors"), "--scores-out", str(root / out),
            "--run-out", str(root / "run.json"), *COMPUTE,
        ]
    )  # fmt: skip
    return read_csv(root / out)


def test_variants_are_trained_and_go_on_from_each_other(world: Path) -> None:
    history = read_json(world / "history.json")
    assert set(history) == {"first", "mend", "hyper"}
    assert all(one["steps"] == DISTILL["steps"] for one in history.values())
    described = read_json(world / "distillers" / "mend" / "distiller.json")
    assert described["training"]["stage"] == 2
    assert described["format"] == dataclasses.asdict(FORMAT)
    assert not (world / "checkpoints").exists()


def test_the_same_command_gives_the_same_bytes(world: Path) -> None:
    train_distiller.main(train_args(world, out=world / "again"))
    for name in ("first", "mend", "hyper"):
        for file in ("model.safetensors", "distiller.json", "config.json"):
            assert (world / "again" / name / file).read_bytes() == (world / "distillers" / name / file).read_bytes()


def test_texts_may_come_in_parts(world: Path, tmp_path: Path) -> None:
    rows = read_jsonl(world / "texts.jsonl")
    parts = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path, part in zip(parts, (rows[:7], rows[7:])):
        write_jsonl(path, part)
    command = train_args(
        world, variants={"first": {"start": "small", "stage": 1, "lm_weight": 0.0}}, out=tmp_path / "d"
    )
    place = command.index("--texts") + 1
    train_distiller.main([*command[:place], *map(str, parts), *command[place + 1 :]])
    found, expected = (folder / "first" / "model.safetensors" for folder in (tmp_path / "d", world / "distillers"))
    assert found.read_bytes() == expected.read_bytes()


def test_every_kind_of_method_is_scored(world: Path) -> None:
    arms = [
        {"method": "zero_shot", "kind": "zero_shot"},
        {"method": "icl", "kind": "icl"},
        {"method": "icl", "kind": "icl", "format": "bare", "n_demonstrations": 2},
        {"method": "icl", "kind": "icl", "perturbation": "wrong_label"},
        {"method": "metaicl", "kind": "tuned", "source": "same"},
        {"method": "prompt_tuning", "kind": "prompt_tuning"},
        {"method": "mend", "kind": "distilled", "source": "mend"},
        {"method": "mend_fid", "kind": "distilled", "source": "mend", "groups": 2},
        {"method": "icl", "kind": "icl", "format": "left"},
        {"method": "mend", "kind": "distilled", "source": "mend", "format": "left"},
    ]
    rows = evaluate(world, arms)
    own = [row for row in rows if row["metric"] == "score"]
    assert len(own) == len(arms) * 2 * 2
    values = {(row["method"], row["format"], row["perturbation"], row["task"], row["seed"]): row for row in own}
    for task in ("easy", "hard"):
        for seed in ("13", "21"):
            plain = values["icl", "default", "none", task, seed]
            assert plain["value"] == values["metaicl", "default", "none", task, seed]["value"]
            assert plain["n_vectors"] == "0"
            assert int(plain["prefix_tokens"]) > 0
            assert values["icl", "left", "none", task, seed]["prefix_tokens"] == "24"  # all four, cut for each option
    assert values["mend", "default", "none", "easy", "13"]["n_vectors"] == "3"
    assert values["mend_fid", "default", "none", "easy", "13"]["n_vectors"] == "6"
    counts = {row["metric"]: int(row["n"]) for row in rows if row["method"] == "icl" and row["n_demonstrations"] == "2"
              and row["task"] == "easy" and row["seed"] == "13"}  # fmt: skip
    assert counts["accuracy"] == 6
    assert counts["accuracy_seen_labels"] + counts.get("accuracy_unseen_labels", 0) == 6
    assert evaluate(world, arms, "again.csv") == rows
    assert (world / "again.csv").read_bytes() == (world / "scores.csv").read_bytes()


@pytest.mark.parametrize(
    ("arms", "changes", "message"),
    [
        ([{"method": "a", "kind": "icl", "n_demonstrations": 13}], {}, "easy, seed 13: 12 training examples, but 13"),
        ([{"method": "a", "kind": "icll"}], {}, "kind 'icll' of 'a' is not one of .*did you mean 'icl'"),
        ([{"method": "a", "kind": "distilled", "source": "mnd"}], {}, "--distillers: 'mnd', source of 'a'.*mend"),
        ([{"method": "a", "kind": "icl", "format": "bar"}], {}, "format 'bar' of 'a' is not in --formats.*bare"),
        ([{"method": "a", "kind": "icl"}] * 2, {}, "method 'a' twice with the same conditions"),
        ([{"method": "a", "kind": "prompt_tuning"}], {"seeds": [14]}, "no soft prompt for task easy, seed 14"),
    ],
)  # fmt: skip
def test_faults_are_named_in_one_line(world: Path, arms: list, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        evaluate(world, arms, "fault.csv", **changes)
    assert "\n" not in str(caught.value)
    assert not (world / "fault.csv").exists()


def test_a_task_without_options_is_refused(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "tasks", tmp_path / "tasks")
    rows = [{**row, "options": []} for row in task_rows("easy", 9, 99)]
    write_jsonl(tmp_path / "tasks" / "easy" / "test.jsonl", rows)
    for name in ("model", "distillers"):
        (tmp_path / name).symlink_to(world / name)
    with pytest.raises(UserError, match=r"test.jsonl:1: task easy has no options; .* \(leave free-form tasks out"):
        evaluate(tmp_path, [{"method": "a", "kind": "zero_shot"}])


def test_a_distiller_of_another_tokenizer_is_refused(world: Path, tmp_path: Path) -> None:
    other = tiny("llama")
    other.tokenizer.add_tokens(["w99"])
    other.model.resize_token_embeddings(len(other.tokenizer))
    save(other, tmp_path / "other")
    arguments = train_args(world, variants={"a": {"start": "other"}}, out=tmp_path / "out")
    arguments[arguments.index("--starts") + 1] = f"other={tmp_path / 'other'}"
    with pytest.raises(UserError, match="other: distiller and model have different tokenizers"):
        train_distiller.main(arguments)


def test_unknown_starts_and_short_tasks_are_refused(world: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'a' starts from 'smal', neither of --starts nor trained before .*'small'"):
        train_distiller.main(train_args(world, variants={"a": {"start": "smal"}}, out=tmp_path / "out"))
    many = {"a": {"start": "small", "n_demonstrations": 16}}
    with pytest.raises(UserError, match="task a: 12 examples, but 16 demonstrations and 2 queries need 18"):
        train_distiller.main(train_args(world, variants=many, out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def train_on_dev(world: Path, folder: Path, rows: list[dict[str, Any]]) -> list[Any]:
    """Train a distiller whose best checkpoint these held-out rows choose; return the scores it was chosen by."""
    write_jsonl(folder / "dev.jsonl", rows)
    arguments = train_args(world, variants={"a": {"start": "small"}}, out=folder / "out")
    arguments[arguments.index("--dev") + 1] = str(folder / "dev.jsonl")
    arguments[arguments.index("--history-out") + 1] = str(folder / "history.json")
    train_distiller.main(arguments)
    return read_json(folder / "history.json")["a"]["scores"]


def test_free_form_tasks_are_trained_on_but_choose_no_checkpoint(world: Path, tmp_path: Path) -> None:
    free = [{**row, "task": "free", "options": []} for row in task_rows("free", 12, 0)]
    without = train_on_dev(world, tmp_path, task_rows("d", 12, 0))
    assert train_on_dev(world, tmp_path, [*task_rows("d", 12, 0), *free]) == without != []
    assert train_on_dev(world, tmp_path, free) == []


def test_held_out_tasks_without_a_row_to_ask_choose_no_checkpoint(world: Path, tmp_path: Path) -> None:
    few = task_rows("few", 3, 0)
    without = train_on_dev(world, tmp_path, task_rows("d", 12, 0))
    assert train_on_dev(world, tmp_path, [*task_rows("d", 12, 0), *few]) == without != []
    with pytest.raises(UserError, match="--dev: no task has more than 3 rows, so none is left to ask"):
        train_on_dev(world, tmp_path, few)


def test_the_tuned_model_learns_and_loads(world: Path) -> None:
    settings = {
        "steps": 12, "batch_size": 4, "accumulation": 1, "learning_rate": 1e-2, "warmup_ratio": 0.0,
        "weight_decay": 0.0, "max_grad_norm": 1.0, "adam_epsilon_rule": "before_correction",
        "weight_decay_on": "except_norms", "average": "tokens",
        "n_demonstrations": 3,
        "precision": "auto",
        "activation_checkpointing": False, "save_steps": 5,
    }  # fmt: skip
    train_baselines.main(
        [
            "metaicl", "--model", str(world / "model"), "--meta-train", str(world / "train.jsonl"), "--seed", "1",
            "--settings", json.dumps(settings), "--format", format_json(), "--checkpoints", str(world / "tuning"),
            "--model-out", str(world / "tuned"), "--history-out", str(world / "tuned.json"), *COMPUTE,
        ]
    )  # fmt: skip
    losses = read_json(world / "tuned.json")["losses"]["total"]
    assert sum(losses[-3:]) < sum(losses[:3])
    assert (world / "tuned" / "model.safetensors").read_bytes() != (world / "model" / "model.safetensors").read_bytes()


def test_soft_prompts_do_not_depend_on_how_many_are_trained_at_once(world: Path) -> None:
    from safetensors.torch import load_file

    together = load_file(world / "prompts.safetensors")
    assert set(together) == {"easy/13", "easy/21", "hard/13", "hard/21"}
    train_baselines.main(prompt_args(world, tables_at_once=1))
    for name, table in load_file(world / "prompts.safetensors").items():
        assert (table - together[name]).abs().max() < 1e-4


def efficiency_flags(world: Path, distiller: Path, out: str, **changes: Any) -> list[str]:
    settings = {"model": "big", "train_seed": 100, "task_name": "easy", "shots": 4, "seed": 13,
                "n_demonstrations": [2, 5], "n_queries": 6, "repeats": 1, "batch_tokens": 256, "n_vectors": 3,
                "pooler": None}  # fmt: skip
    return [
        "--model", str(world / "model"), "--distiller", str(distiller), "--tasks", str(world / "tasks"),
        "--settings", json.dumps({**settings, **changes}), "--format", format_json(), *COMPUTE,
        "--measured-out", str(world / f"{out}.csv"), "--seconds-out", str(world / f"{out}_seconds.csv"),
    ]  # fmt: skip


def test_costs_and_their_break_even(world: Path) -> None:
    trained = world / "distillers" / "mend"
    measure_efficiency.main(efficiency_flags(world, trained, "cost"))
    rows = read_metrics(world / "cost.csv")
    assert {metric for metric, *_ in tabulate_artifact.EFFICIENCY_PARTS} <= {row["metric"] for row in rows}
    assert {tuple(row[key] for key in ("experiment", "model", "seed", "n")) for row in rows} == {
        ("cost", "big", "100", "6")
    }
    with pytest.raises(UserError, match=r"test\.jsonl: 9 rows, but n_queries is 99"):
        measure_efficiency.main(efficiency_flags(world, trained, "many", n_queries=99))
    cost = {(row["method"], row["metric"]): float(row["value"]) for row in rows if row["setting"] == "k_5"}
    assert cost["zero_shot", "prepare_flops"] == 0
    assert cost["icl_uncached", "total_flops"] > cost["icl_cached", "total_flops"]
    assert cost["mend", "prepare_flops"] > 0
    assert cost["mend", "query_flops"] < cost["icl_cached", "query_flops"]
    assert cost["mend", "prepare_cache_bytes"] == 2 * 2 * 3 * 32 * 4  # keys and values, layers, vectors, width, bytes
    assert cost["icl_cached", "prepare_tokens"] == 5 * 6
    (saved,) = [float(row["value"]) for row in rows if row["method"] == "mend_vs_vanilla_icl"]
    totals = {(r["method"], r["setting"]): float(r["value"]) for r in rows if r["metric"] == "total_flops"}
    assert saved == pytest.approx(
        100 * max(1 - totals["mend", k] / totals["icl_uncached", k] for k in ("k_2", "k_5")), rel=1e-8
    )
    timed = read_metrics(world / "cost_seconds.csv")
    assert {row["experiment"] for row in timed} == {"seconds"}
    assert {row["metric"] for row in timed} >= {"prepare_seconds", "query_seconds", "total_seconds"}
    assert not [row for row in rows if "seconds" in row["metric"]]


def test_a_distiller_that_learned_nothing_costs_as_much(world: Path) -> None:
    measure_efficiency.main(efficiency_flags(world, world / "distillers" / "mend", "cost"))
    measure_efficiency.main(efficiency_flags(world, world / "small", "plain", pooler="auto"))
    assert (world / "plain.csv").read_bytes() == (world / "cost.csv").read_bytes()
    measure_efficiency.main(efficiency_flags(world, world / "distillers" / "mend", "more", n_vectors=5))
    prepared = {
        name: {row["value"] for row in read_metrics(world / f"{name}.csv") if row["method"] == "mend"
               and row["metric"] == "prepare_tokens"}
        for name in ("plain", "more")
    }  # fmt: skip
    assert prepared == {"plain": {"3"}, "more": {"5"}}


def test_a_distiller_of_the_first_layers_is_trained_kept_and_counted(world: Path, tmp_path: Path) -> None:
    variants = {"short": {"start": "small", "pooler": "scaled"}}
    flags = train_args(world, variants=variants, out=tmp_path / "made")
    train_distiller.main([*flags, "--distiller-layers", "1"])
    assert read_json(tmp_path / "made/short/config.json")["num_hidden_layers"] == 1
    measure_efficiency.main(efficiency_flags(world, tmp_path / "made/short", "trained", n_vectors=3))
    measure_efficiency.main(efficiency_flags(world, world / "small", "cut", pooler="scaled", layers=1))
    measure_efficiency.main(efficiency_flags(world, world / "small", "whole", pooler="scaled"))
    assert (world / "trained.csv").read_bytes() == (world / "cut.csv").read_bytes()
    assert (world / "whole.csv").read_bytes() != (world / "cut.csv").read_bytes()
    with pytest.raises(UserError, match="distiller_layers: 5 first layers cannot be had of a llama, it has 2"):
        train_distiller.main([*flags, "--distiller-layers", "5"])


def test_attention_adds_up_to_one(world: Path) -> None:
    settings = {"model": "big", "task_name": "easy", "shots": 4, "seed": 13, "n_demonstrations": 4, "n_queries": 3}
    attention_maps.main(
        [
            "--model", str(world / "model"), "--distiller", str(world / "distillers" / "mend"),
            "--tasks", str(world / "tasks"), "--settings", json.dumps(settings), "--format", format_json(),
            "--measured-out", str(world / "attention.csv"), *COMPUTE,
        ]
    )  # fmt: skip
    rows = read_metrics(world / "attention.csv")
    shares = {(row["method"], row["setting"], row["metric"]): float(row["value"]) for row in rows}
    for reader, parts in (("llm_icl", ("demonstrations", "query")), ("llm_mend", ("vectors", "query")),
                          ("distiller", ("demonstrations", "vectors"))):  # fmt: skip
        for layer in ("layer_01", "layer_02"):
            assert sum(shares[reader, layer, f"share_{part}"] for part in parts) == pytest.approx(1.0, abs=1e-4)
    single = [value for (reader, _, name), value in shares.items()
              if reader == "llm_icl" and name.startswith("share_demonstration_")]  # fmt: skip
    whole = [value for (reader, _, name), value in shares.items()
             if reader == "llm_icl" and name == "share_demonstrations"]  # fmt: skip
    assert len(single) == 8
    assert sum(single) == pytest.approx(sum(whole), abs=1e-4)
    assert {(row["method"], int(row["n"])) for row in rows} == {("llm_icl", 3), ("llm_mend", 3), ("distiller", 1)}


def test_users_distil_their_demonstrations_and_ask(world: Path, tmp_path: Path) -> None:
    shots = read_jsonl(world / "tasks" / "easy" / "easy_4_13_train.jsonl")[:4]
    write_jsonl(tmp_path / "mine.jsonl", shots)
    shared = ["--model", str(world / "model"), *COMPUTE]
    distil = ["--demonstrations", str(tmp_path / "mine.jsonl"), "--distiller", str(world / "distillers" / "mend")]
    distill_demonstrations.main([*distil, *shared, "--vectors-out", str(tmp_path / "v.safetensors")])
    write_jsonl(tmp_path / "asked.jsonl", [{"input": "w0 w1"}, {"input": "w10", "options": ["w50", "w7"], "id": 3}])
    asked = ["--vectors", str(tmp_path / "v.safetensors"), "--queries", str(tmp_path / "asked.jsonl")]
    score_queries.main([*asked, *shared, "--predictions-out", str(tmp_path / "p.jsonl")])
    answers = read_jsonl(tmp_path / "p.jsonl")
    assert answers[0]["options"] == sorted({row["output"] for row in shots})
    assert answers[1]["id"] == 3
    for row in answers:
        assert row["prediction"] == row["options"][row["scores"].index(max(row["scores"]))]


def test_encoder_decoder_models_take_the_same_steps(tmp_path: Path) -> None:
    family = ["--family", "encoder_decoder"]
    save(tiny("t5"), tmp_path / "model")
    save(tiny("t5", seed=1), tmp_path / "small")
    write_tasks(tmp_path / "tasks", ["easy"])
    write_jsonl(tmp_path / "train.jsonl", [row for name in "abc" for row in task_rows(name, 12, 0)])
    write_jsonl(tmp_path / "dev.jsonl", task_rows("d", 12, 0))
    write_jsonl(tmp_path / "texts.jsonl", [{"text": " ".join(f"w{i}" for i in range(n, n + 20))} for n in range(20)])
    train_distiller.main([*train_args(tmp_path), *family])
    arms = [{"method": "icl", "kind": "icl"}, {"method": "mend", "kind": "distilled", "source": "mend"}]
    settings = {**EVALUATE, "task_names": ["easy"]}
    evaluate_methods.main(
        [
            *("--model", str(tmp_path / "model"), *family, *COMPUTE, "--tasks", str(tmp_path / "tasks")),
            *("--arms", json.dumps(arms), "--settings", json.dumps(settings), "--formats", FORMATS),
            *("--distillers", f"mend={tmp_path / 'distillers' / 'mend'}"),
            *("--scores-out", str(tmp_path / "scores.csv"), "--run-out", str(tmp_path / "run.json")),
        ]
    )
    rows = read_csv(tmp_path / "scores.csv")
    assert {(row["method"], row["n_vectors"]) for row in rows} == {("icl", "0"), ("mend", "3")}
    shared = ["--model", str(tmp_path / "model"), *family, *COMPUTE]
    distil = ["--demonstrations", str(tmp_path / "tasks/easy/easy_4_13_train.jsonl"), "--groups", "3"]
    distil += ["--distiller", str(tmp_path / "distillers" / "mend"), "--vectors-out", str(tmp_path / "v.safetensors")]
    distill_demonstrations.main([*distil, *shared])
    asked = ["--vectors", str(tmp_path / "v.safetensors"), "--queries", str(tmp_path / "tasks/easy/test.jsonl")]
    score_queries.main([*asked, *shared, "--predictions-out", str(tmp_path / "p.jsonl")])
    assert {row["prediction"] for row in read_jsonl(tmp_path / "p.jsonl")} <= set(LABELS)


def test_users_hear_what_is_wrong(world: Path, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "mine.jsonl", task_rows("mine", 20, 0))
    shared = ["--model", str(world / "model"), *COMPUTE]
    distil = ["--demonstrations", str(tmp_path / "mine.jsonl"), "--distiller", str(world / "distillers" / "mend")]
    out = ["--vectors-out", str(tmp_path / "v.safetensors")]
    with pytest.raises(UserError, match="only 6 of 20 demonstrations fit the distiller's 39 tokens; .* --groups"):
        distill_demonstrations.main([*distil, *shared, *out])
    with pytest.raises(UserError, match="only 18 of 20 demonstrations fit .* with more --groups"):
        distill_demonstrations.main([*distil, *shared, *out, "--groups", "3"])
    distill_demonstrations.main([*distil, *shared, *out, "--groups", "4"])
    write_jsonl(tmp_path / "asked.jsonl", [{"text": "w0"}])
    asked = ["--vectors", str(tmp_path / "v.safetensors"), "--queries", str(tmp_path / "asked.jsonl")]
    with pytest.raises(UserError, match=r"asked.jsonl:1: field 'input' is missing"):
        score_queries.main([*asked, *shared, "--predictions-out", str(tmp_path / "p.jsonl")])
    assert LABELS[0] not in (tmp_path / "asked.jsonl").read_text()
