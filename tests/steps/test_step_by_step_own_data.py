"""distillm on files as people have them: forms, names, columns, splits, flags of other projects, and what is left."""

from __future__ import annotations

import csv
import gzip
import json
import logging
import re
import shlex
from pathlib import Path

import pyarrow
import pytest
import torch
from pyarrow import parquet

from scripts.common.errors import UserError
from scripts.common.files import read_json, read_jsonl, write_json
from scripts.data.split_files import named
from scripts.step_by_step import distillm, training
from scripts.step_by_step.distillm_output import TrainingOutput, check_output_dir
from scripts.step_by_step.distillm_predict import predict_parser
from scripts.step_by_step.own_data import OwnData, OwnSettings
from scripts.step_by_step.splits import train_test_indices
from tests.unit.lm_tiny import save, tiny

ROWS = [{"input": f"w{i} w{i + 1}", "label": f"w{40 + i % 2}", "rationale": f"w{i} w50"} for i in range(20)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Folder of a tiny T5 whose tokenizer knows the two prefixes."""
    loaded = tiny("t5")
    loaded.tokenizer.add_tokens(["predict:", "explain:"])
    torch.manual_seed(0)
    loaded.model.resize_token_embeddings(len(loaded.tokenizer))
    return str(save(loaded, tmp_path_factory.mktemp("model") / "t5"))


def fixed(*, steps: int = 1) -> list[str]:
    return [*"--device cpu --threads 1 --batch_size 4 --max_steps".split(), str(steps), "--eval_steps", str(steps)]


def write(path: Path, rows, names=("input", "label", "rationale")) -> Path:
    """Write rows in the form that the file's name says, their fields under other names if wanted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    renamed = [dict(zip(names, row.values())) for row in rows]
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(renamed), path)
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, fieldnames=list(names))
            table.writeheader()
            table.writerows(renamed)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in renamed), encoding="utf-8")
    return path


def splits(folder: Path, **settings):
    own = OwnData(folder, "generic", "generic", "compatible", OwnSettings(**settings))
    return own.splits(fraction=1.0, run=0, with_rationales=True)


# ---- names of files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "prefix", "split", "part"),
    [
        ("train.csv", "", "train", ""),
        ("mine_train.json.gz", "mine_", "train", ""),
        ("dev.jsonl", "", "valid", ""),
        ("mine-val.parquet", "mine-", "valid", ""),
        ("validation-00001-of-00003.parquet", "", "valid", "-00001-of-00003"),
        ("esnli_train_1.csv", "esnli_", "train", "_1"),
        ("train.json.zst", "", "train", ""),
    ],
)
def test_a_files_name_says_its_split(name, prefix, split, part):
    found = named(Path(name))
    assert (found.prefix, found.split, found.part) == (prefix, split, part)


@pytest.mark.parametrize("name", ["README.md", "contest.json", "constrain.csv", "retrain.json", "rows.json"])
def test_other_names_say_nothing(name):
    assert named(Path(name)) is None


@pytest.mark.parametrize("name", ["valid", "validation", "val", "dev"])
def test_validation_rows_are_read_under_each_name(tmp_path, name):
    for split, rows in (("train", ROWS[:12]), (name, ROWS[12:15]), ("test", ROWS[15:])):
        write(tmp_path / f"mine_{split}.jsonl", rows)
    assert [len(part) for part in splits(tmp_path)] == [12, 3, 5]


@pytest.mark.parametrize("folder", ["", "data"])
def test_shards_of_the_hub_are_read_in_their_order(tmp_path, folder):
    for number in (0, 1, 2):
        write(tmp_path / folder / f"train-0000{number}-of-00003.parquet", ROWS[number * 5 : number * 5 + 5])
    write(tmp_path / folder / "test-00000-of-00001.parquet", ROWS[15:])
    own = OwnData(tmp_path, "generic", "generic", "compatible")
    rows = own.rows("generic", "train")
    assert [row["input"] for row in rows] == [row["input"] for row in ROWS[:15]]
    assert [row["id"] for row in rows] == [str(number) for number in range(15)]


def test_files_that_are_not_read_are_named(tmp_path, caplog):
    write(tmp_path / "train.csv", ROWS)
    write(tmp_path / "train.json", ROWS)
    write(tmp_path / "other_test.csv", ROWS)
    splits(tmp_path)
    assert "2 files there are not read (other_test.csv, train.csv), only train.json" in caplog.text
    assert caplog.text.count("train.json is read; train.csv is there too") == 1


def test_the_cases_files_are_read(shared):
    cases = shared / "cases"
    for name in ("dev", "val", "validation"):
        assert [len(part) for part in splits(cases / "validation-file-names" / name)][1] == 8
    assert len(splits(cases / "hub-shards").test) > 0


# ---- the split -------------------------------------------------------------------------------------------------------


def test_without_a_test_file_a_seeded_share_is_held_out(tmp_path, caplog):
    write(tmp_path / "train.csv", ROWS)
    parts = splits(tmp_path, test_share=0.25, split_seed=3)
    kept, held = train_test_indices(20, 0.25, 3)
    assert [row["input"] for row in parts.test] == [ROWS[i]["input"] for i in held]
    assert len(held) == 5
    assert {row["input"] for row in (*parts.train, *parts.valid)} == {ROWS[i]["input"] for i in kept}
    assert "5 of 20 rows are held out for the test (--test_share 0.25, --split_seed 3)" in caplog.text
    assert splits(tmp_path, test_share=0.25, split_seed=3) == parts
    assert splits(tmp_path, test_share=0.25, split_seed=4) != parts
    with pytest.raises(UserError, match="--test_share: 1.0 is not above 0 and below 1"):
        splits(tmp_path, test_share=1.0)
    write(tmp_path / "train.csv", ROWS[:1])
    with pytest.raises(UserError, match="train.csv: 1 row cannot be parted into training and test rows"):
        splits(tmp_path)


# ---- columns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet"])
def test_columns_of_other_names_are_read(tmp_path, name):
    path = write(tmp_path / name, ROWS, ("question", "answer", "why"))
    columns = {"input": "question", "label": "answer", "rationale": "why"}
    parts = splits(tmp_path, files={"train": [path]}, columns=columns)
    rows = [row for part in parts for row in part]
    assert sorted((row["input"], row["label"], row["rationale"]) for row in rows) == sorted(
        tuple(row.values()) for row in ROWS
    )


@pytest.mark.parametrize(
    ("names", "columns", "told"),
    [
        (
            ("question", "label", "rationale"),
            {},
            "20 of 20 rows have no column 'input', found question, label, rationale .*; name yours with "
            "--input_column, perhaps --input_column question",
        ),
        (
            ("input", "answer", "rationale"),
            {"label": "anwser"},
            r"have no column 'anwser' \(did you mean 'answer'\?\), found input, answer, rationale",
        ),
        (
            ("input", "label", "explanation"),
            {},
            "none of .* rows has a rationale; fill the field 'rationale', name yours with --rationale_column, "
            r"perhaps --rationale_column explanation \(found input, label, explanation\)",
        ),
    ],
)
def test_a_missing_column_is_told_with_its_flag(tmp_path, names, columns, told):
    path = write(tmp_path / "rows.csv", ROWS, names)
    with pytest.raises(UserError, match=told) as caught:
        splits(tmp_path, files={"train": [path]}, columns=columns)
    assert "registry" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a", "a.csv.gz", "a.gz"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_table_is_read_whatever_its_name_packing_and_delimiter(tmp_path, name, delimiter):
    table = "\n".join(delimiter.join(row) for row in (["q", "a", "why"], *(row.values() for row in ROWS))) + "\n"
    content = table.encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    columns = {"input": "q", "label": "a", "rationale": "why"}
    parts = splits(tmp_path, files={"train": [path]}, columns=columns)
    rows = [row for part in parts for row in part]
    assert {row["input"]: row["label"] for row in rows} == {row["input"]: row["label"] for row in ROWS}


def test_a_column_may_be_a_path_into_nested_values(tmp_path):
    rows = [{"turns": [{"said": row["input"]}], "gold": {"text": row["label"]}} for row in ROWS]
    path = write(tmp_path / "rows.jsonl", rows, ("turns", "gold"))
    columns = {"input": "turns.0.said", "label": "gold.text", "rationale": "{gold.text} {turns.0.said}"}
    (row, *_), _, _ = splits(tmp_path, files={"train": [path]}, columns=columns)
    assert row["rationale"] == f"{row['label']} {row['input']}"
    with pytest.raises(UserError, match="20 of 20 rows have no column 'gold.txt'.*found turns, gold"):
        splits(tmp_path, files={"train": [path]}, columns={**columns, "label": "gold.txt"})


QUOTED = [[f'say "{row["input"]}"' if i % 3 else row["input"], row["label"]] for i, row in enumerate(ROWS)]
"""Inputs and labels; two inputs of three hold quotes, as in the case `quoted-tsv`."""


def table(path: Path, rows, delimiter: str, *, quoted: bool) -> Path:
    """Write a table with the header text, label, as pandas does if quoted, else with quotes as letters."""
    style = {"quoting": csv.QUOTE_MINIMAL} if quoted else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, delimiter=delimiter, lineterminator="\n", **style).writerows([["text", "label"], *rows])
    return path


def texts(words) -> list[list[str]]:
    """Return inputs and labels of the training rows, in the order of their ids, as the flags have them read."""
    args = distillm.train_parser().parse([*words, "--model_type", "standard", "--test_share", "0.05"])
    distillm.check_own_flags(args)
    own = OwnData(args.data_dir, "generic", "none", "compatible", distillm.own_settings(args))
    return [[row["input"], row["label"]] for row in own.rows("generic", "train")]


@pytest.mark.parametrize(
    ("ending", "delimiter", "quoted", "flags"),
    [
        ("tsv", "\t", True, []),
        ("tsv", "\t", True, ["--quoting", "yes"]),
        ("tsv", "\t", False, []),
        ("tsv", "\t", False, ["--quoting=no", "--delimiter", "tab"]),
        ("csv", ";", True, []),
        ("csv", "#", True, ["--delimiter", "#"]),
        ("csv", "|", False, ["--sep", "pipe", "--quoting", "no"]),
        ("tsv", "~", False, ["--delimiter=~", "--quoting", "no"]),
    ],
)
def test_delimiter_and_quoting_are_found_or_said(tmp_path, ending, delimiter, quoted, flags):
    path = table(tmp_path / f"rows.{ending}", QUOTED, delimiter, quoted=quoted)
    assert texts(["--train_file", str(path), "--input_column", "text", *flags]) == QUOTED
    folder = table(tmp_path / "set" / f"train.{ending}", QUOTED, delimiter, quoted=quoted).parent
    assert texts(["--data_dir", str(folder), "--input_column", "text", *flags]) == QUOTED


def test_the_cases_quoted_table_is_read_as_its_flags_say(shared):
    path = shared / "cases" / "quoted-tsv" / "quoted.tsv"
    words = ["--train_file", str(path), "--input_column", "text"]
    assert texts(words) == [['He said "go" now', "pos"], ["plain text", "neg"]]
    assert texts([*words, "--quoting", "no"])[0] == ['"He said ""go"" now"', "pos"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--delimiter", "##"], "--delimiter: '##' is not one letter; give one, or comma, tab, semicolon, pipe"),
        (["--quoting", "maybe"], "--quoting: 'maybe' is none of yes, no; choose one"),
        (
            ["--delimiter", "comma"],
            r"quoted.tsv:2: broken CSV \(',' expected after '\"'\); mend that line, or say quoting",
        ),
        (["--delimiter", "comma", "--quoting", "no"], "2 of 2 rows have no column 'text', found text.+label"),
    ],
)
def test_a_delimiter_or_quoting_that_cannot_be_is_one_line(shared, flags, told, tmp_path):
    path = shared / "cases" / "quoted-tsv" / "quoted.tsv"
    out = ["--output_dir", str(tmp_path / "out")]
    with pytest.raises(UserError, match=told) as caught:
        distillm.main(["--train_file", str(path), "--input_column", "text", "--model_type", "standard", *out, *flags])
    assert "\n" not in str(caught.value)


# ---- flags -----------------------------------------------------------------------------------------------------------


def test_flags_of_other_projects_are_understood(caplog):
    caplog.set_level(logging.INFO)
    words = "--learning-rate 1e-3 --train_file a.csv --seed 3 --per_device_train_batch_size=8 --output o".split()
    args = distillm.train_parser().parse([*words, "--model_name_or_path", "m"])
    assert (args.lr, args.train_file, args.run, args.batch_size) == (1e-3, [Path("a.csv")], 3, 8)
    assert (args.output_dir, args.from_pretrained) == (Path("o"), "m")
    assert "--learning_rate is --lr here" in caplog.text
    args = predict_parser().parse("--model_name_or_path m --test_file t --output_file p".split())
    assert (args.model, args.input, args.predictions_out) == (Path("m"), Path("t"), Path("p"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--num_train_epochs", "3"], "--num_train_epochs: training is measured in steps: give --max_steps"),
        (["--max_new_tokens", "3"], "--max_new_tokens: give --gen_max_len, which counts the start token too"),
        (["--learning_rat", "1"], r"--learning_rat: unknown flag \(did you mean '--learning_rate'\?\)"),
        (["--test_file", "t.csv"], "--test_file: give --train_file too"),
        (["--train_file", "no.csv"], "no.csv: no such file; check the path"),
        (["--dataset", "cqa", "--input_column", "q"], "--input_column: goes with your own rows"),
        (["--dataset", "cqa", "--quoting", "no"], "--quoting: goes with your own rows"),
        (["--input_column", "{a"], "--input_column: '{a' names no column"),
        (["--max_target_length", "1"], "--max_target_length: 1 leaves no room for a text; give at least 2"),
        (["evaluat"], r"distillm evaluat: unknown command \(did you mean 'evaluate'\?\)"),
        (["predict", "--output_dir", "x"], "--output_dir: give the trained folder as --model"),
    ],
)
def test_what_cannot_be_understood_is_hinted_at(words, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("datasets").mkdir()
    with pytest.raises(UserError, match=told) as caught:
        distillm.main(words)
    assert "\n" not in str(caught.value)


def test_every_name_of_another_project_leads_to_a_flag_of_ours():
    for parser in (distillm.train_parser(), predict_parser()):
        ours = {name for action in parser._actions for name in action.option_strings}
        assert set(parser.synonyms.values()) <= ours
        assert not ours & ({*parser.synonyms} | {*parser.hints})


# ---- what is left ----------------------------------------------------------------------------------------------------


def test_a_failed_training_leaves_nothing_that_looks_like_a_model(model, tmp_path, monkeypatch):
    path = write(tmp_path / "rows.csv", ROWS)
    out = tmp_path / "out"
    words = ["--train_file", str(path), "--from_pretrained", model, "--output_dir", str(out), *fixed()]

    def fail(*given, **named):
        raise UserError("learning_rate: the loss became nan; lower learning_rate")

    with monkeypatch.context() as patch:
        patch.setattr(training, "take_step", fail)
        with pytest.raises(UserError, match="^--lr: the loss became nan; lower --lr$"):
            distillm.main(words)
    assert not out.exists()
    distillm.main(words)
    before = {file.name: file.read_bytes() for file in out.iterdir() if file.is_file()}
    assert set(before) == {"distillm.json", "metrics.json", "predictions.jsonl", "log.jsonl"}
    with monkeypatch.context() as patch:
        patch.setattr(training, "take_step", fail)
        with pytest.raises(UserError, match="^--lr: the loss became nan; lower --lr$"):
            distillm.main([*words, "--run", "1"])
    assert {file.name: file.read_bytes() for file in out.iterdir() if file.is_file()} == before


def test_a_killed_trainings_folder_is_ours_and_no_model(tmp_path):
    output = TrainingOutput(tmp_path / "out", {"run": 0})
    output.__enter__()
    (output.checkpoints / "abc").mkdir(parents=True)
    (output.checkpoints / "abc" / "state.safetensors").write_bytes(b"x")
    check_output_dir(tmp_path / "out")
    words = ["--model", str(tmp_path / "out"), "--input", "x", "--predictions_out", "y"]
    with pytest.raises(UserError, match="the training in .*out has not ended; run it again"):
        distillm.main(["predict", *words])
    output.__exit__(None, None, None)  # a checkpoint that can be gone on from stays
    assert (output.checkpoints / "abc" / "state.safetensors").is_file()
    assert (tmp_path / "out" / "unfinished.json").is_file()


# ---- asking ----------------------------------------------------------------------------------------------------------


def test_predict_reads_what_training_reads_and_tells_accuracy(model, tmp_path, capsys, caplog):
    path = write(tmp_path / "rows.csv", ROWS, ("q", "a", "why"))
    out = tmp_path / "out"
    columns = "--input_column q --label_column a --rationale_column why".split()
    distillm.main(
        ["--train_file", str(path), *columns, "--from_pretrained", model, "--output_dir", str(out), "--lr", "1e-2",
         "--test_share", "0.5", *fixed(steps=60)]
    )  # fmt: skip
    metrics = read_json(out / "metrics.json")
    told = {row["input"]: row for row in read_jsonl(out / "predictions.jsonl")}
    ask = ["--model", str(out), "--device", "cpu", "--threads", "1", "--input"]
    held = [row for row in ROWS if row["input"] in told]
    answers = {}
    for name in ("held.csv", "held.jsonl", "held.parquet"):
        file = write(tmp_path / name, held, ("q", "a", "why"))
        distillm.main(["predict", *ask, str(file), "--predictions_out", str(tmp_path / "p.jsonl")])
        answers[name] = read_jsonl(tmp_path / "p.jsonl")
        share = 100 * metrics["test_accuracy_last"]
        assert capsys.readouterr().out == f"accuracy {share:.2f} % ({round(share / 10)} right), n = 10\n"
    assert answers["held.csv"] == answers["held.jsonl"] == answers["held.parquet"]
    assert set(answers["held.csv"][0]) == {"q", "a", "why", "prediction"}
    assert all(row["prediction"] == told[row["q"]]["prediction"] for row in answers["held.csv"])
    some = write(
        tmp_path / "some.csv", [{**row, "label": ""} if i < 3 else row for i, row in enumerate(held)], ("q", "a")
    )
    distillm.main(["evaluate", *ask, str(some)])
    assert capsys.readouterr().out.endswith("n = 7\n")
    assert "3 of 10 rows have no label and are not counted" in caplog.text
    told_first = answers["held.csv"][0]
    lax = write(tmp_path / "lax.csv", [{"q": told_first["q"], "a": told_first["prediction"] + " {x}"}], ("q", "label"))
    saved = read_json(out / "distillm.json")
    for words, n in (("wrong", 0), ("left_out", 1)):
        write_json(out / "distillm.json", {**saved, "unknown_words": words, "blanks": "ignored"})
        distillm.main(["evaluate", *ask, str(lax), "--input_column", "q", "--label_column", "label"])
        assert capsys.readouterr().out == f"accuracy {100 * n:.2f} % ({n} right), n = 1\n"
    bare = write(tmp_path / "bare.csv", held, ("text",))
    text = [str(bare), "--input_column", "text"]
    distillm.main(["predict", *ask, *text, "--predictions_out", str(tmp_path / "p.jsonl")])
    assert capsys.readouterr().out == ""
    with pytest.raises(UserError, match="10 of 10 rows have no column 'a', found text"):
        distillm.main(["evaluate", *ask, *text])


def test_asking_reads_tables_as_the_training_or_the_flags_say(model, tmp_path, capsys):
    path = table(tmp_path / "rows.csv", QUOTED, "#", quoted=True)
    out = tmp_path / "out"
    words = "--delimiter # --input_column text --model_type standard".split()
    distillm.main(
        ["--train_file", str(path), *words, "--from_pretrained", model, "--output_dir", str(out), *fixed()]
    )  # fmt: skip
    ask = ["--model", str(out), "--device", "cpu", "--threads", "1", "--predictions_out", str(tmp_path / "p.jsonl")]
    plain = table(tmp_path / "plain.tsv", QUOTED, "\t", quoted=False)
    for command in ("predict", "evaluate"):
        for file, flags in ((path, []), (plain, ["--delimiter", "tab", "--quoting", "no"])):
            distillm.main([command, *ask, "--input", str(file), *flags])
            assert [[row["text"], row["label"]] for row in read_jsonl(tmp_path / "p.jsonl")] == QUOTED
            assert capsys.readouterr().out.endswith("n = 20\n")
    with pytest.raises(UserError, match="20 of 20 rows have no column 'text'"):
        distillm.main(["predict", *ask, "--input", str(plain)])  # parted by # as in training


# ---- the page --------------------------------------------------------------------------------------------------------


def test_the_example_without_network_runs_as_it_stands_on_the_page(repo_root, tmp_path, monkeypatch, capsys):
    page = (repo_root / "docs" / "step_by_step.md").read_text(encoding="utf-8")
    section = page.partition("### An example without network\n")[2]
    lines = re.search(r"```\n(.*?)```", section, flags=re.S)[1].splitlines()
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("distillm ")]
    assert len(commands) == 3
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "resources").symlink_to(repo_root / "resources")
    for command in commands:
        distillm.main(command)
    shown = capsys.readouterr().out
    right, n = map(int, re.search(r"\((\d+) right\), n = (\d+)", shown).groups())
    assert n == 64
    assert right >= 60
    answers = read_jsonl("outputs/answers.jsonl")
    assert sum(row["answer"] == row["prediction"] for row in answers) >= 60
    assert sum(row["reason"] == row["predicted_rationale"] for row in answers) >= 32
