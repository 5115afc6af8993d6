"""The command distillm: its flags, its example as written, what it saves and says, and wrong input in one line."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from scripts.common.errors import UserError
from scripts.common.files import read_json, read_jsonl
from scripts.step_by_step import distillm
from tests.unit.lm_tiny import save, tiny
from tests.workspace import REPO_ROOT

EXAMPLE = "resources/examples/healthcare"
DEFAULTS = {  # flag -> default of the original repository, or of the fork where only it has the flag
    "subsample": 1.0, "alpha": 0.5, "max_steps": 10000, "eval_steps": 250, "batch_size": 64, "optimizer_name": "AdamW",
    "lr": 5e-5, "run": 0, "from_pretrained": "google/t5-v1_1-base", "label_type": "gt", "max_input_length": 1024,
    "grad_steps": 1, "local_rank": -1, "gen_max_len": 64, "parallelize": False, "model_type": "task_prefix",
    "bf16": False, "no_log": False, "output_rationale": False, "output_dir": Path("outputs"), "dataset": "generic",
}  # fmt: skip
ROWS = [
    {"input": f"w{i} w{i + 1}", "label": f"w{40 + i % 4}", "rationale": f"w{i} w50 w{40 + i % 4}"} for i in range(12)
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Folder of a tiny T5 whose tokenizer knows the two prefixes and the labels of the example."""
    loaded = tiny("t5")
    labels = {row["label"] for row in read_json(REPO_ROOT / EXAMPLE / "healthcare_test.json")}
    loaded.tokenizer.add_tokens(["predict:", "explain:", *sorted(labels)])
    torch.manual_seed(0)  # the new tokens' embeddings are drawn; else they depend on the tests that ran before
    loaded.model.resize_token_embeddings(len(loaded.tokenizer))
    return str(save(loaded, tmp_path_factory.mktemp("model") / "t5"))


@pytest.fixture
def data(tmp_path):
    """A folder with a user's rows."""
    return write_rows(tmp_path / "mine", ROWS)


def write_rows(folder, train, test=None):
    folder.mkdir(exist_ok=True)
    for split, rows in (("train", train), ("test", test or train)):
        (folder / f"mine_{split}.json").write_text(
            "\n".join(json.dumps(row, indent=1) for row in rows), encoding="utf-8"
        )
    return folder


def train(data, model, *flags, out="out", steps=4):
    output = Path(data).parent / out
    fixed = ["--data_dir", str(data), "--from_pretrained", model, "--output_dir", str(output), "--device", "cpu"]
    fixed += ["--threads", "1", "--max_steps", str(steps), "--eval_steps", str(steps), "--batch_size", "4"]
    distillm.main([*fixed, *flags])
    return output


# ---- flags -----------------------------------------------------------------------------------------------------------


def test_flags_have_the_originals_defaults():
    args = vars(distillm.train_parser().parse([]))
    assert {name: args[name] for name in DEFAULTS} == DEFAULTS


def test_llm_follows_the_data_set():
    def llm(*flags):
        args = distillm.train_parser().parse(["--output_dir", "/no/such/folder", *flags])
        distillm.check_flags(args)
        return args.llm, args.label_type

    assert llm() == ("generic", "gt")
    assert llm("--dataset", "cqa") == ("palm", "gt")
    assert llm("--dataset", "cqa", "--model_type", "standard") == ("none", "gt")
    assert llm("--llm", "None", "--model_type", "standard") == ("none", "gt")
    assert llm("--label_type", "generic") == ("generic", "gt")
    assert llm("--dataset", "svamp", "--llm", "gpt", "--label_type", "llm") == ("gpt", "llm")


def test_help_is_a_page_and_names_every_flag():
    command = Path(sys.executable).parent / "distillm"
    if not command.is_file():
        pytest.skip("distillm is not installed here: make venv installs it")
    shown = subprocess.run([str(command), "--help"], capture_output=True, text=True, check=True, cwd="/").stdout
    assert all(f"--{name}" in shown for name in (*DEFAULTS, "data_dir", "llm"))
    assert "distillm predict" in shown
    assert len(shown.splitlines()) < 90


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--max_stepz", "3"], r"--max_stepz: unknown flag \(did you mean '--max_steps'\?\); see distillm --help"),
        (["--max_steps", "x"], "argument --max_steps: invalid int value: 'x'; see distillm --help"),
        (["trian"], r"distillm trian: unknown command \(did you mean 'train'\?\)"),
        (["predict"], "the following arguments are required: --model, --input, --predictions_out"),
        (["evaluate"], "the following arguments are required: --model, --input; see distillm evaluate --help"),
        (["--dataset", "cka"], r"--dataset: unknown data set 'cka' \(did you mean 'cqa'\?\); use esnli, anli1, cqa"),
        (["--optimizer_name", "Adafactor"], "--optimizer_name: 'Adafactor' is not AdamW"),
        (["--model_type", "standart"], r"--model_type: unknown value 'standart' \(did you mean 'standard'\?\)"),
        (["--llm", "none"], "--llm none: leaves only --model_type standard with --label_type gt"),
        (["--llm", "palm"], "--llm palm: your own rows hold their rationales"),
        (["--dataset", "cqa", "--llm", "generic"], "--llm generic: goes with --dataset generic"),
        (["--local_rank", "1"], "--local_rank: distillm runs as one process"),
        (["--gen_max_len", "1"], "--gen_max_len: 1 leaves no room"),
        (["--data_dir", "/no/such/folder"], "--data_dir: no folder /no/such/folder"),
    ],
)
def test_wrong_flags_in_one_line(flags, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("datasets").mkdir()
    with pytest.raises(UserError, match=told) as caught:
        distillm.main(flags)
    assert "\n" not in str(caught.value)


# ---- training and prediction -----------------------------------------------------------------------------------------


def test_the_example_runs_as_written(model, repo_root, tmp_path, monkeypatch, capsys):
    text = (repo_root / EXAMPLE / "README.md").read_text(encoding="utf-8")
    lines = [line for line in re.search(r"```\n(.*?)```", text, flags=re.S)[1].splitlines() if line]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resources").symlink_to(repo_root / "resources")
    first, second = ([*shlex.split(line)[1:], "--threads", "1", "--device", "cpu"] for line in lines)
    assert "google/t5-v1_1-small" in first
    distillm.main([*first, "--from_pretrained", model, "--max_steps", "6", "--eval_steps", "3"])
    distillm.main(second)
    answers = read_jsonl("outputs/answers.jsonl")
    assert len(answers) == 8
    assert set(answers[0]) == {"input", "label", "rationale", "prediction", "predicted_rationale"}
    assert {path.name for path in Path("outputs/healthcare").iterdir()} == {
        "distillm.json", "log.jsonl", "metrics.json", "model", "predictions.jsonl",
    }  # fmt: skip
    assert [entry["step"] for entry in read_jsonl("outputs/healthcare/log.jsonl")] == [3, 6]
    metrics = read_json("outputs/healthcare/metrics.json")
    assert (metrics["n_train"], metrics["n_valid"], metrics["n_test"]) == (21, 3, 8)
    assert any(path.suffix == ".safetensors" for path in Path("outputs/healthcare/model").iterdir())


def test_what_was_learnt_is_saved_and_asked(model, tmp_path):
    data = write_rows(tmp_path / "mine", ROWS[:6])  # one of them is held out
    out = train(data, model, "--lr", "5e-3", "--output_rationale", steps=200)
    rows = read_jsonl(out / "predictions.jsonl")
    assert sum(row["correct"] for row in rows) >= 5
    asked = ["--input", str(data / "mine_test.json"), "--predictions-out", str(out / "p.jsonl"), "--rationale"]
    distillm.main(["predict", "--model", str(out), *asked, "--device", "cpu", "--threads", "1"])
    answers = read_jsonl(out / "p.jsonl")
    assert [row["prediction"] for row in answers] == [row["prediction"] for row in rows]
    assert sum(answer["predicted_rationale"] == answer["rationale"] for answer in answers) >= 5


def test_equal_runs_give_equal_bytes(data, model):
    one, same, other = (
        train(data, model),
        train(data, model, "--no-log", out="b"),
        train(data, model, "--run", "1", out="c"),
    )
    for name in ("metrics.json", "predictions.jsonl", "model/model.safetensors"):
        assert (one / name).read_bytes() == (same / name).read_bytes()
    assert (one / "metrics.json").read_bytes() != (other / "metrics.json").read_bytes()
    assert (one / "log.jsonl").is_file()
    assert not (same / "log.jsonl").exists()


def test_a_tokenizer_must_tell_the_tasks_apart(data, tmp_path):
    deaf = str(save(tiny("t5"), tmp_path / "deaf"))
    with pytest.raises(UserError, match="reads 'predict: ' and 'explain: ' alike; add the two words to it"):
        train(data, deaf)
    assert (train(data, deaf, "--model_type", "standard") / "metrics.json").is_file()


@pytest.mark.parametrize("model_type", ["standard", "single_task", "pinto"])
def test_other_model_types(data, model, model_type):
    out = train(data, model, "--model-type", model_type, "--keep", "best")
    flags = ["predict", "--model", str(out), "--predictions_out", str(out / "p.jsonl"), "--device", "cpu"]
    distillm.main([*flags, "--threads", "1", "--input", str(data / "mine_test.json")])
    assert len(read_jsonl(out / "p.jsonl")) == 12
    with pytest.raises(UserError, match=f"--rationale: a {model_type} model writes no reasons"):
        distillm.main([*flags, "--rationale", "--input", str(data / "mine_test.json")])


def test_a_folder_in_the_originals_layout(model, tmp_path):
    """datasets/cqa/cqa_train.json with PaLM's answers under llm/, and standard fine-tuning without any teacher."""
    folder = tmp_path / "datasets" / "cqa"
    (folder / "llm").mkdir(parents=True)
    gold = [{"question": f"w{i}", "choices": ["w1", "w2"], "answer": "w1"} for i in range(10)]
    for split in ("train", "test"):
        (folder / f"cqa_{split}.json").write_text("".join(json.dumps(row) + "\n" for row in gold), encoding="utf-8")
    output = train(folder.parent, model, "--dataset", "cqa", "--model_type", "standard")
    assert read_json(output / "metrics.json")["teacher"] == {}
    with pytest.raises(UserError, match=r"--llm palm: no answers for cqa/train; expected .*cqa/llm/train_CoT_\*"):
        train(folder.parent, model, "--dataset", "cqa")
    answers = ["w3. So the answer is (a) w1."] * 9 + ["w3"]
    for split in ("train", "test"):
        for part in (0, 1):
            path = folder / "llm" / f"{split}_CoT_{part}.json"
            path.write_text(json.dumps(answers[part * 5 : part * 5 + 5]), encoding="utf-8")
    output = train(folder.parent, model, "--dataset", "cqa", "--label_type", "llm", out="palm")
    told = read_json(output / "metrics.json")["teacher"]["cqa_test"]
    assert (told["accuracy"], told["faults"]["no_marker"]) == (0.9, 1)


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_is_a_bar_on_a_terminal_and_lines_in_a_log(terminal, monkeypatch, capsys, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with distillm.TrainingProgress() as progress:
        for step in range(1, 101):
            progress(step, 100, {"loss": 1 / step, **({"test_accuracy": 0.5} if step == 50 else {})})
    shown = capsys.readouterr().err
    lines = [record.getMessage() for record in caplog.records]
    if terminal:
        assert "100/100" in shown
        assert not lines
    else:
        assert len(lines) == 20
        assert any(line.startswith("50 of 100 steps: loss 0.02, test_accuracy 0.5; about ") for line in lines)
        assert "100/100" not in shown


# ---- wrong rows ------------------------------------------------------------------------------------------------------


def test_missing_rationales_stop_step_by_step_only(model, tmp_path):
    rows = [{**row, "rationale": ""} if i in (0, 5, 7) else row for i, row in enumerate(ROWS)]
    data = write_rows(tmp_path / "mine", rows)
    told = (
        r"mine_train.json: \d of 10 rows have no rationale \(row .*\); fill the field 'rationale', remove the rows or"
    )
    with pytest.raises(UserError, match=told):
        train(data, model)
    assert (train(data, model, "--model_type", "standard") / "metrics.json").is_file()
    none = [{"input": row["input"], "label": row["label"]} for row in ROWS]
    with pytest.raises(UserError, match="mine_train.json: none of 10 rows has a rationale; fill the field 'rationale'"):
        train(write_rows(tmp_path / "none", none), model, out="x")


def test_labels_that_were_never_seen_are_counted(model, tmp_path, caplog):
    test = [*ROWS[:3], {**ROWS[3], "label": "w7"}, {**ROWS[4], "label": "w8"}]
    train(write_rows(tmp_path / "mine", ROWS, test), model)
    assert "2 of 5 test rows have a label that no training row has ('w7', 'w8')" in caplog.text


def test_labels_that_the_model_cannot_write_are_counted(model, tmp_path, caplog):
    rows = [{**row, "label": "{w1}"} if i < 3 else row for i, row in enumerate(ROWS)]
    train(write_rows(tmp_path / "mine", rows, ROWS[:2]), model)
    assert re.search(
        r"\d of 12 labels hold characters or words that the tokenizer lacks \(such as '{w1}'\)", caplog.text
    )
    rows = [{**row, "label": "{w1}"} for row in ROWS]
    told = (
        r"12 of 12 labels hold characters or words that the tokenizer lacks .*; reword the labels or take another model"
    )
    with pytest.raises(UserError, match=told.replace("12 of 12", "22 of 22")):
        train(write_rows(tmp_path / "other", rows), model, out="x")


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, r"no file for split 'train' in .*; expected generic_train.json or train.json"),
        ({"train.json": "[]", "test.json": "[]"}, "train.json: holds no examples"),
        ({"train.json": json.dumps(ROWS), "test.json": ""}, "test.json: the file is empty"),
        (
            {"a_train.json": "[]", "b_train.json": "[]"},
            r"holds several sets \(a_train, b_train\); name the files of one",
        ),
        (
            {"train.json": "\n".join([json.dumps(ROWS[0]), '{"input": "\\u00e9']), "test.json": "[]"},
            "train.json:2: broken",
        ),
        ({"train.json": b'{"input": "a"}\n\xff\xfe'}, r"not UTF-8 text at byte 15 \(1 of 2 lines, first line 2\)"),
        (
            {"train.json": '[{"input": "a", "label": ""}]', "test.json": "[]"},
            r"1 of 1 rows have an empty label \(row 0\)",
        ),
    ],
)
def test_wrong_files(model, tmp_path, files, told):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=told):
        train(folder, model)


def test_a_foreign_output_folder_is_left_alone(data, model, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="out is not empty and not distillm's; name another folder"):
        train(data, model)
    with pytest.raises(UserError, match="has no distillm.json; name the output_dir of a distillm run"):
        distillm.main(["predict", "--model", str(tmp_path / "out"), "--input", "x", "--predictions_out", "y"])


def test_inputs_to_ask_must_be_texts(data, model, tmp_path):
    out = train(data, model)
    (tmp_path / "new.json").write_text('[{"input": "w1"}, {"input": " "}, {"input": null}]', encoding="utf-8")
    flags = ["--model", str(out), "--input", str(tmp_path / "new.json"), "--predictions_out", str(tmp_path / "p")]
    with pytest.raises(UserError, match=r"new.json: 2 of 3 rows have no text in the field 'input' \(row 1, row 2\)"):
        distillm.main(["predict", *flags])
