"""Training, saving and measuring the mini causal LM at a tiny size, and the checkpoint that is shipped."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
import torch
from safetensors.torch import load_file

from scripts.common.errors import UserError
from scripts.common.files import read_jsonl
from scripts.common.metrics import read_metrics
from scripts.common.settings import parse_settings
from scripts.mini_world.evaluate_causal import main as evaluate
from scripts.mini_world.plan import AUTHORS, IN_CONTEXT
from scripts.mini_world.train_causal import Trainer, TrainSettings
from scripts.mini_world.train_causal import main as train
from scripts.mini_world.training import load_checkpoint, rate

MIXTURE = {
    **{"lengths": [[3, 5, 8, 1.0]], "class_tokens": 160, "layout_shares": [0.6, 0.2, 0.2]},
    **{"author_documents": 4, "author_tokens": 48, "short_share": 0.3, "neutral_share": 0.6},
    **{"scrambled_share": 0.0, "fault_weights": {"empty": 0.5, "wrong": 0.5}},
    **{"careful_known": 0.35, "careful_neutral": 0.8, "plain_documents": 2, "plain_tokens": 16},
    **{"plain_weight": 0.3, "plain_held_out": 0.5, "guide_rows": 2},
}
TINY = {
    **{"n_topics": 45, "words_per_topic": 4, "n_held_out": 20},
    **{"layers": 3, "width": 16, "heads": 2, "hidden": 24, "window": 1200},
    **{"steps": 4, "guide_steps": 2, "guide_fade": 1, "learning_rate": 0.003, "warmup_steps": 2},
    **{"decay_share": 0.4, "floor": 0.05, "weight_decay": 0.01, "betas": [0.9, 0.98], "clip": 1.0},
    **{"evaluate_every": 3, "evaluate_documents": 4, "checkpoint_every": 2},
    "mixture": MIXTURE,
    "later": [
        {
            **{"steps": 2, "guide_steps": 0, "guide_fade": 0, "learning_rate": 0.002, "warmup_steps": 1},
            **{"decay_share": 0.5, "floor": 0.1, "mixture": {**MIXTURE, "scrambled_share": 0.5}},
        }
    ],
}
SIZES = {
    **{"n_topics": 45, "words_per_topic": 4, "n_held_out": 20, "documents": 4, "long_documents": 2},
    **{"candidates_per_family": 5, "n_anchors": 2, "trials": 6, "continuation_trials": 3, "resamples": 20},
}


def run(folder, settings=TINY, seed=1):
    train(
        [
            *("--settings", json.dumps(settings), "--seed", str(seed), "--threads", "1"),
            *("--checkpoint", str(folder / "state.safetensors"), "--curve-out", str(folder / "curve.jsonl")),
            *("--model-out", str(folder / "model")),
        ]
    )
    return {path.name: path.read_bytes() for path in [*(folder / "model").iterdir(), folder / "curve.jsonl"]}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    return folder, run(folder)


def test_training_twice_gives_equal_bytes_and_another_seed_does_not(trained, tmp_path):
    _, files = trained
    assert run(tmp_path / "again") == files
    other = run(tmp_path / "other", seed=2)
    assert other["model.safetensors"] != files["model.safetensors"]
    assert other["tokenizer.json"] == files["tokenizer.json"]


def test_a_killed_run_goes_on_to_the_same_bytes(trained, tmp_path, monkeypatch):
    _, files = trained
    step = Trainer.train_step

    def dies_at_five(self):
        if self.step == 5:
            raise KeyboardInterrupt
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_step", dies_at_five)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    assert not (tmp_path / "model").exists()
    trainer = Trainer(parse_settings(TrainSettings, json.dumps(TINY)), 1)
    load_checkpoint(tmp_path / "state.safetensors", trainer)
    assert trainer.step == 4
    resumed = run(tmp_path)
    assert resumed == files


def test_stages_follow_one_another_each_with_its_own_rate():
    trainer = Trainer(parse_settings(TrainSettings, json.dumps(TINY)), 1)
    rates = []
    for step in range(6):
        trainer.step = step
        rates.append(round(rate(trainer.stage()[1], trainer.stage()[0]), 6))
    assert rates == [0.0015, 0.003, 0.003, 0.001931, 0.002, 0.002]
    trainer.step = 6
    with pytest.raises(ValueError, match="step 6 is past the last stage"):
        trainer.stage()


def test_a_checkpoint_of_other_settings_or_a_damaged_one_is_refused(trained, tmp_path):
    folder, _ = trained
    state = tmp_path / "state.safetensors"
    state.write_bytes((folder / "state.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"state\.safetensors: checkpoint of a run with other settings or seed"):
        run(tmp_path, {**TINY, "learning_rate": 0.001})
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"state\.safetensors: damaged checkpoint .*; remove it to start anew"):
        run(tmp_path)


def test_the_saved_folder_loads_and_gives_the_module_s_logits(trained):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, _ = trained
    trainer = Trainer(parse_settings(TrainSettings, json.dumps(TINY)), 1)
    load_checkpoint(folder / "state.safetensors", trainer)
    tokenizer = AutoTokenizer.from_pretrained(folder / "model", local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(folder / "model", local_files_only=True).eval()
    ids = tokenizer("Instruction:\ncopy the words : hot cold\nResponse:\nhot cold</s>", return_tensors="pt")
    assert model.dtype == torch.float32
    assert tokenizer.eos_token_id == ids["input_ids"][0, -1] == model.config.eos_token_id
    with torch.no_grad():
        expected = trainer.model(ids["input_ids"])
        torch.testing.assert_close(model(ids["input_ids"]).logits, expected, atol=1e-6, rtol=1e-5)


def test_the_curve_and_the_card_tell_the_run(trained):
    folder, files = trained
    curve = read_jsonl(folder / "curve.jsonl")
    assert [point["step"] for point in curve] == [3, 6]
    assert {"trained_15", "held_out_15", "auc_golden", "same_instruction", "loss_class", "loss_author"} <= set(curve[0])
    assert "loss_class_miss" in curve[0]
    card = files["README.md"].decode()
    assert hashlib.sha256(files["model.safetensors"]).hexdigest() in card
    assert '"learning_rate": 0.003' in card


def test_measures_have_intervals_and_equal_bytes(trained, tmp_path):
    folder, _ = trained
    for experiment in (IN_CONTEXT, AUTHORS):
        for name in ("a", "b"):
            evaluate(
                [
                    *("--model", str(folder / "model"), "--name", "tiny", "--settings", json.dumps(SIZES)),
                    *("--seed", "3", "--threads", "1", "--experiment", experiment),
                    *("--measured-out", str(tmp_path / f"{name}_{experiment}.csv")),
                ]
            )
        assert (tmp_path / f"a_{experiment}.csv").read_bytes() == (tmp_path / f"b_{experiment}.csv").read_bytes()
        assert {row["experiment"] for row in read_metrics(tmp_path / f"a_{experiment}.csv")} == {experiment}
    rows = [row for name in (IN_CONTEXT, AUTHORS) for row in read_metrics(tmp_path / f"a_{name}.csv")]
    found = {(row["setting"], row["method"], row["metric"]): float(row["value"]) for row in rows}
    assert {row["paper"] for row in rows} == {"mini_world"}
    for setting in ("trained", "held_out"):
        assert all((setting, f"demos_{k}", "in_context_accuracy") in found for k in range(16))
    assert ("shuffled", "demos_15", "in_context_accuracy") in found
    assert ("trained_20_classes", "demos_100", "in_context_accuracy") in found
    assert found["shuffled", "guessing", "guessing_rate"] == pytest.approx((1 / 3 + 1 / 4 + 1 / 5) / 3)
    assert ("fault_wrong", "after_careless", "right_over_careless_nats") in found
    assert ("fault_empty", "golden", "author_auc") in found
    assert ("family_copy", "mean_gain", "author_auc") in found
    for (setting, method, metric), value in found.items():
        if f"{metric}_low" in {m for s, d, m in found if (s, d) == (setting, method)}:
            low, high = found[setting, method, f"{metric}_low"], found[setting, method, f"{metric}_high"]
            assert low <= value <= high
            assert metric.endswith("_nats") or 0 <= low <= high <= 1


def test_a_missing_model_and_another_world_are_named(trained, tmp_path):
    folder, _ = trained
    shared = ["--name", "x", "--seed", "1", "--threads", "1", "--experiment", AUTHORS]
    shared += ["--measured-out", str(tmp_path / "m.csv")]
    with pytest.raises(UserError, match=r"no model here \(config\.json is missing\)"):
        evaluate(["--model", str(tmp_path), "--settings", json.dumps(SIZES), *shared])
    with pytest.raises(UserError, match="the tokenizer's words are not those of this world"):
        evaluate(["--model", str(folder / "model"), "--settings", json.dumps({**SIZES, "n_topics": 46}), *shared])


def test_a_diverging_run_says_so(tmp_path, monkeypatch):
    def ruined(self):
        with torch.no_grad():
            self.model.lm_head.weight.fill_(float("nan"))
        return original(self)

    original = Trainer.train_step
    monkeypatch.setattr(Trainer, "train_step", ruined)
    with pytest.raises(UserError, match=r"learning_rate: the loss became .* at step 1 of .*; lower learning_rate"):
        run(tmp_path)


def test_the_shipped_checkpoint_is_the_one_its_card_names(repo_root):
    folder = repo_root / "resources" / "mini" / "causal"
    card = (folder / "README.md").read_text(encoding="utf-8")
    named = re.search(r"sha256 `([0-9a-f]{64})`", card).group(1)
    assert hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() == named
    assert {tensor.dtype for tensor in load_file(folder / "model.safetensors").values()} == {torch.float32}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 6_000_000


def test_the_shipped_checkpoint_knows_the_world_s_words(repo_root):
    from transformers import PreTrainedTokenizerFast

    from scripts.data.synthetic_words import build_world

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(repo_root / "resources/mini/causal/tokenizer.json"))
    assert tokenizer.get_vocab() == {token: index for index, token in enumerate(build_world().vocabulary)}
