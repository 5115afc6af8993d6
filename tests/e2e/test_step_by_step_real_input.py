"""Distilling Step-by-Step's rules on its real files: CQA and SVAMP whole, and 200 training steps on CQA.

The student is a random T5 of 0.2 M parameters with the 4,000 commonest words, so this checks that the files go through
and that training learns something, not the paper's accuracies; those of the teacher are the real ones.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from scripts.common.files import read_json, read_jsonl
from tests.workspace import Workspace

STEPS = 200
OVERLAY = """
tier: real
data: {{source: mirror, mirror: {shared}/data}}
registries: {{datasets: [], models: [{models}]}}
tasks: {{names: []}}
step_by_step:
  datasets: [cqa, svamp]
  models: [random_t5]
  runs: [0]
  together: false
  train: {{learning_rate: 3.0e-3, batch_size: 16, max_steps: {steps}, eval_steps: {half}, gen_max_len: 8}}
  table_1: {{datasets: [cqa]}}
  table_2: {{datasets: [cqa]}}
  figure_4: {{datasets: [cqa], shares: [1.0], runs: [0]}}
  figure_5: {{datasets: [cqa], shares: [1.0]}}
  figure_6: {{datasets: [cqa]}}
  figure_7: {{datasets: [cqa], models: [random_t5], augmented_model: random_t5}}
  figure_8: {{datasets: [cqa], models: [random_t5], shares: [1.0]}}
  figure_9: {{datasets: [cqa], models: [random_t5], shares: [1.0]}}
"""
EXAMPLES = "results/real/step_by_step/examples"
STUDENT = "results/real/step_by_step/students/cqa/random_t5/distilling_step_by_step-gt-palm-100"
SPLITS = {("cqa", "train"): 9741, ("cqa", "test"): 1221, ("svamp", "train"): 800, ("svamp", "test"): 200}


def save_random_t5(folder: Path, texts: list[str]) -> None:
    """Save a small T5 with random weights whose tokenizer knows the commonest words of `texts`."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    words = Tokenizer(models.WordLevel(unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["<pad>", "</s>", "<unk>", "predict", "explain", ":"]
    words.train_from_iterator(texts, trainers.WordLevelTrainer(vocab_size=4000, special_tokens=special[:3]))
    words.add_tokens(special[3:])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_decoder_layers=2, num_heads=4,
        feed_forward_proj="gated-gelu", dropout_rate=0.0, tie_word_embeddings=True, decoder_start_token_id=0,
        pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    T5ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """Prepare all rows and train one student; return the working folder."""
    folder = tmp_path_factory.mktemp("real")
    workspace = Workspace(folder)
    with gzip.open(shared / "data/step_by_step/cqa/cqa_train.json.gz", "rt", encoding="utf-8") as stream:
        save_random_t5(folder / "random_t5", list(stream))
    models = folder / "my_models.yaml"
    models.write_text(
        f"random_t5:\n  family: encoder_decoder\n  local: {folder}/random_t5\n  licence: MIT\n", encoding="utf-8"
    )
    overlay = folder / "real.yaml"
    overlay.write_text(OVERLAY.format(shared=shared, models=models, steps=STEPS, half=STEPS // 2), encoding="utf-8")
    reports = [f"{EXAMPLES}/{name}/palm/{split}.report.json" for name, split in SPLITS]
    done = workspace.run(*reports, f"{STUDENT}.json", configfiles=(str(overlay),))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return folder


def test_files_are_parsed_whole(run: Path) -> None:
    for (name, split), n in SPLITS.items():
        report = read_json(run / EXAMPLES / name / "palm" / f"{split}.report.json")
        assert (report["n_gold"], report["n_rows"], report["n_without_answer"]) == (n, n, 0)
        rows = read_jsonl(run / EXAMPLES / name / "palm" / f"{split}.jsonl")
        assert len(rows) == n
        assert all(row["input"].strip() and row["label"].strip() for row in rows)


@pytest.mark.parametrize(("name", "percent"), [("cqa", 77.23), ("svamp", 74.00)])
def test_the_teacher_is_as_right_as_reported(run: Path, name: str, percent: float) -> None:
    report = read_json(run / EXAMPLES / name / "palm" / "test.report.json")
    assert round(100 * report["answers"]["accuracy"], 2) == percent


def test_a_student_learns_from_the_real_rows(run: Path) -> None:
    (record,) = read_json(run / f"{STUDENT}.json")
    metrics, history = record["metrics"], record["history"]
    assert (metrics["n_train"], metrics["n_valid"], metrics["n_test"]) == (8766, 975, 1221)
    assert [entry["step"] for entry in history] == [STEPS // 2, STEPS]
    assert history[1]["train_loss"] < history[0]["train_loss"] < 8.3  # ln 4000: what a guess among all words costs
    answers = read_jsonl(run / f"{STUDENT}.predictions.jsonl")
    assert len(answers) == 1221
    assert sum(row["correct"] for row in answers) / 1221 == pytest.approx(metrics["test_accuracy_last"])
    asked = {row["input"]: row for row in read_jsonl(run / EXAMPLES / "cqa/palm/test.jsonl")}
    assert all(row["label"] == asked[row["input"]]["label"] for row in answers)
