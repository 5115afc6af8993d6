"""The training step: all seeds of each subset, empty subsets, and going on after a kill."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_json, write_jsonl, write_text
from scripts.common.metrics import read_metrics
from scripts.common.step_parser import checked
from scripts.lm.prompts import prompt_of_flag
from scripts.nuggets import train_model
from scripts.nuggets.train_model import TrainSettings, empty_reason, engine_settings, main
from tests.unit.nuggets_eval import FINETUNE, METHODS, flags, model_flags
from tests.unit.nuggets_tiny import instruction_rows, save, tiny

SEEDS = (0, 5)
RUN = "kmeans_4/gt_0.5"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save(tiny(bos=False), tmp_path_factory.mktemp("model"))


@pytest.fixture
def subsets(tmp_path):
    for seed in SEEDS:
        write_jsonl(tmp_path / "subsets" / f"seed_{seed}.jsonl", instruction_rows(6, seed))
    return tmp_path / "subsets"


def run(model: Path, subsets: Path | list[Path], out: Path, **changes) -> None:
    given = {
        "subsets": subsets,
        "seeds": SEEDS,
        "runs": RUN,
        "rules": METHODS["gt_0.5"],
        **model_flags(model),
        "model-name": "tiny",
        "settings": FINETUNE,
        "checkpoints": out / "checkpoints",
        "models-out": out / "models",
        "history-out": out / "history.json",
        "measured-out": out / "measured.csv",
    }
    main(flags({**given, **changes}))


def run_two(model: Path, subsets: Path, empty: Path, out: Path) -> None:
    """Train the run of the other tests beside one without examples."""
    for seed in SEEDS:
        write_text(empty / f"seed_{seed}.jsonl", "")
    rules = [json.dumps(METHODS[name]) for name in ("gt_0.9", "gt_0.5")]
    run(model, [empty, subsets], out, runs=["kmeans_4/gt_0.9", RUN], rules=rules)


def weights(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))}


@pytest.fixture(scope="module")
def finished(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    for seed in SEEDS:
        write_jsonl(folder / "subsets" / f"seed_{seed}.jsonl", instruction_rows(6, seed))
    run(model, folder / "subsets", folder)
    return folder


def test_every_seed_is_trained_and_differs(finished, model):
    found = weights(finished / "models")
    assert sorted(found) == [f"{RUN}/seed_{seed}/model.safetensors" for seed in SEEDS]
    assert len({*found.values(), (model / "model.safetensors").read_bytes()}) == 3
    assert (finished / "models" / RUN / "seed_0" / "tokenizer.json").is_file()
    assert read_json(finished / "models" / RUN / "status.json") == {
        "status": "done",
        "reason": "",
        "method": "gt_0.5",
        "n_examples": {"0": 6, "5": 6},
    }
    history = read_json(finished / "history.json")[RUN]
    assert [row["seed"] for row in history["seeds"]] == list(SEEDS)
    assert [len(row["losses"]) for row in history["seeds"]] == [3, 3]
    assert not list((finished / "checkpoints").iterdir())


def test_a_killed_job_trains_only_what_is_missing(finished, model, subsets, tmp_path, monkeypatch):
    import scripts.lm.finetune as engine

    real, calls = engine.finetune, []

    def dies_at_the_second(loaded, pairs, settings, seed, *rest, **named):
        if calls:
            raise KeyboardInterrupt
        calls.append(seed)
        return real(loaded, pairs, settings, seed, *rest, **named)

    monkeypatch.setattr(engine, "finetune", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        run(model, subsets, tmp_path)
    assert not (tmp_path / "models").exists()
    assert not (tmp_path / "history.json").exists()

    monkeypatch.setattr(engine, "finetune", lambda *given, **named: calls.append(given[3]) or real(*given, **named))
    run(model, subsets, tmp_path)
    assert calls == list(SEEDS)
    assert weights(tmp_path / "models") == weights(finished / "models")
    assert (tmp_path / "history.json").read_bytes() == (finished / "history.json").read_bytes()


def test_other_settings_do_not_take_over_finished_seeds(model, subsets, tmp_path, monkeypatch):
    monkeypatch.setattr(train_model, "collect_models", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run(model, subsets, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(model, subsets, tmp_path, settings={**FINETUNE, "learning_rate": 1e-3})
    assert len(list((tmp_path / "checkpoints").glob("*/finished/*"))) == 2 * len(SEEDS)


def test_seeds_train_alike_alone_and_together(finished, model, subsets, tmp_path):
    run(model, subsets, tmp_path, seeds=[SEEDS[1]])
    name = f"{RUN}/seed_{SEEDS[1]}/model.safetensors"
    assert weights(tmp_path / "models")[name] == weights(finished / "models")[name]


def test_an_empty_subset_is_no_error(model, subsets, tmp_path):
    (subsets / "seed_5.jsonl").write_text("")
    run(model, subsets, tmp_path, rules=METHODS["gt_0.9"])
    status = read_json(tmp_path / "models" / RUN / "status.json")
    assert status["status"] == "not_run"
    assert status["reason"] == "no example scores above 0.9"
    assert status["n_examples"] == {"0": 6, "5": 0}
    assert sorted(path.name for path in (tmp_path / "models" / RUN).iterdir()) == ["status.json"]
    assert read_json(tmp_path / "history.json")[RUN]["seeds"] == []


def test_runs_train_alike_alone_and_together(finished, model, subsets, tmp_path):
    run_two(model, subsets, tmp_path / "empty", tmp_path)
    assert weights(tmp_path / "models") == weights(finished / "models")
    assert read_json(tmp_path / "models" / "kmeans_4" / "gt_0.9" / "status.json")["status"] == "not_run"
    history = read_json(tmp_path / "history.json")
    assert history[RUN] == read_json(finished / "history.json")[RUN]
    assert history["kmeans_4/gt_0.9"]["reason"] == "no example scores above 0.9"


def test_one_process_of_several_writes_that_a_subset_is_empty(model, subsets, tmp_path, monkeypatch):
    (subsets / "seed_5.jsonl").write_text("")
    monkeypatch.setenv("RANK", "1")
    run(model, subsets, tmp_path)
    assert not (tmp_path / "models").exists()
    assert not (tmp_path / "history.json").exists()


def test_lora_ends_in_a_whole_model(model, subsets, tmp_path):
    run(model, subsets, tmp_path, seeds=[0], settings={**FINETUNE, "method": "lora"})
    from scripts.lm.load import load_model

    trained = load_model(str(tmp_path / "models" / RUN / "seed_0"), device="cpu")
    assert type(trained.model).__name__ == "LlamaForCausalLM"


@pytest.mark.parametrize(
    "rule, reason",
    [
        ({"by": "golden_score", "above": 0.85}, "no example scores above 0.85"),
        ({"by": "golden_score", "at_most": 0.5}, "no example scores 0.5 or less"),
        ({"by": "all"}, "the subset is empty"),
    ],
)
def test_reasons(rule, reason):
    assert empty_reason(rule) == reason


def test_faults_are_named(model, subsets, tmp_path):
    with pytest.raises(UserError, match=r"seed_9.jsonl: no such file"):
        run(model, subsets, tmp_path, seeds=[9])
    with pytest.raises(UserError, match="--runs: 2 runs, 1 --subsets and 1 --rules; give one of each per run"):
        run(model, subsets, tmp_path, runs=["a/top", "a/full"])
    with pytest.raises(UserError, match="nuggets.finetune.devices: 8 devices but 1 processes"):
        run(model, subsets, tmp_path, settings={**FINETUNE, "devices": 8})
    with pytest.raises(UserError, match=r"--settings.epoch: unknown key \(did you mean 'epochs'\?\)"):
        run(model, subsets, tmp_path, settings={**FINETUNE, "epoch": 1})
    with pytest.raises(UserError, match=r"--settings.lora.rnak: unknown key \(did you mean 'rank'\?\)"):
        run(model, subsets, tmp_path, settings={**FINETUNE, "lora": {"rnak": 1}})
    with pytest.raises(UserError, match="--prompt: broken JSON"):
        prompt_of_flag("{")
    (subsets / "seed_0.jsonl").write_text('{"id": "1", "instruction": "w1", "input": ""}\n')
    with pytest.raises(UserError, match=r"seed_0.jsonl:1: field 'output' is missing"):
        run(model, subsets, tmp_path)


def test_settings_reach_the_engine():
    settings = checked(TrainSettings, {**FINETUNE, "max_steps": None, "fsdp": "full_shard", "method": "lora"})
    engine = engine_settings(settings, "auto")
    assert (engine.max_steps, engine.max_grad_norm, engine.precision) == (0, 1.0, "auto")
    assert (engine.lora_rank, engine.lora_alpha, engine.lora_targets) == (2, 4, ())
    assert engine.fsdp_wrap == "LlamaDecoderLayer"
    assert engine_settings(checked(TrainSettings, FINETUNE), "float32").precision == "float32"


def test_sizes_of_all_subsets_are_measured_those_of_empty_ones_too(model, subsets, tmp_path):
    run_two(model, subsets, tmp_path / "empty", tmp_path)
    rows = read_metrics(tmp_path / "measured.csv")
    assert [(row["experiment"], row["setting"], row["method"], row["seed"], row["value"]) for row in rows] == [
        ("subset/kmeans_4", "pool", method, str(seed), size)
        for method, size in (("gt_0.5", "6"), ("gt_0.9", "0"))
        for seed in SEEDS
    ]
