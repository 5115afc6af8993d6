"""DELIFT's own registries: attributes as users know them, slices, real files, one clear line for each bad input."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_jsonl, write_jsonl
from scripts.data.schemas import read_examples
from scripts.delift import prepare_registered
from scripts.delift.registry import Entry, Slice, find_entry, parse_slice, read_entries, read_part

ROWS = [{"instruction": f"do {i}", "input": "" if i % 2 else f"with {i}", "output": f"done {i}"} for i in range(10)]
# The two files of the original repository, word for word in their form.
ORIGINAL = {
    "llm-blender/mix-instruct": {
        "instruction": "instruction",
        "input": "input",
        "output": "output",
        "split_names": "train|validation|test",
    },
    "Magpie-Align/Magpie-Llama-3.1-Pro-300K-Filtered": {
        "instruction": "instruction",
        "output": "response",
        "split_names": "train[:70%]|train[70%:90%]|train[90%:]",
    },
}


def registry(folder: Path, content: Any) -> Path:
    path = folder / "huggingface_datasets.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def one(folder: Path, **attributes: Any) -> Entry:
    """Return an entry of dataset `owner/set` with the usual attributes, changed; None leaves one out."""
    usual = {"input": "input", "output": "output", "instruction": "instruction", "split_names": "train|train|train"}
    row = {key: value for key, value in {**usual, **attributes}.items() if value is not None}
    return find_entry(registry(folder, {"owner/set": row}), "set")


def put(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_jsonl(path, rows)


def test_what_is_left_out_of_account_is_said(tmp_path, caplog):
    assert one(tmp_path, special_processing="x").columns["output"] == "output"
    assert "owner/set.special_processing: is left out of account" in caplog.text


def test_the_original_files_are_taken_as_they_are(tmp_path):
    entries = read_entries(registry(tmp_path, ORIGINAL))
    assert list(entries) == list(ORIGINAL)
    put(tmp_path, "llm-blender/mix-instruct/validation.jsonl", ROWS)
    rows = read_part(entries["llm-blender/mix-instruct"], "validation", tmp_path, None)
    assert [row["output"] for row in rows] == [row["output"] for row in ROWS]
    assert rows[2] == {"id": "validation_2", "instruction": "do 2", "input": "with 2", "output": "done 2"}
    magpie = [{"instruction": f"ask {i}", "response": f"told {i}", "reward": 1.5} for i in range(10)]
    put(tmp_path, "Magpie-Llama-3.1-Pro-300K-Filtered/train.jsonl", magpie)
    parts = [read_part(entries[list(ORIGINAL)[1]], part, tmp_path, None) for part in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [7, 2, 1]
    assert parts[2] == [{"id": "train_9", "instruction": "ask 9", "input": "", "output": "told 9"}]


@pytest.mark.parametrize("attribute", ["split_names", "split_name"])
def test_both_spellings_and_a_single_split(attribute, tmp_path):
    entry = one(tmp_path, **{"split_names": None, attribute: "train"})
    put(tmp_path, "set/train.jsonl", ROWS)
    assert [len(read_part(entry, part, tmp_path, None)) for part in ("train", "validation", "test")] == [7, 2, 1]


@pytest.mark.parametrize(
    "text, n, rows",
    [
        ("train", 10, range(10)),
        ("train[:70%]", 10, range(7)),
        ("train[70%:90%]", 10, range(7, 9)),
        ("train[-20%:]", 10, range(8, 10)),
        ("train[2:5]", 10, range(2, 5)),
        ("train[:50]", 10, range(10)),
        ("train[33%:]", 10, range(3, 10)),
    ],
)
def test_slices(text, n, rows):
    assert parse_slice(text, "x").rows(n) == rows


def test_slices_can_be_added_up(tmp_path):
    entry = one(tmp_path, split_names="train[:2]+train[8:]|train|train")
    put(tmp_path, "set/train.jsonl", ROWS)
    assert [row["id"] for row in read_part(entry, "train", tmp_path, None)] == [
        "train_0",
        "train_1",
        "train_8",
        "train_9",
    ]
    assert Slice("a").rows(3) == range(3)


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "parquet", "jsonl.gz", "parts"])
def test_every_file_form(ending, tmp_path):
    entry = one(tmp_path, subset="main")
    folder = tmp_path / "owner" / "set" / "main"
    folder.mkdir(parents=True)
    if ending == "jsonl":
        write_jsonl(folder / "train.jsonl", ROWS)
    elif ending == "json":
        (folder / "train.json").write_text(json.dumps(ROWS))
    elif ending == "jsonl.gz":
        with gzip.open(folder / "train.jsonl.gz", "wt") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in ROWS)
    elif ending == "csv":
        lines = ["instruction,input,output", *(",".join(row.values()) for row in ROWS)]
        (folder / "train.csv").write_text("\n".join(lines) + "\n")
    else:
        import pyarrow
        from pyarrow import parquet

        names = (
            ["train.parquet"]
            if ending == "parquet"
            else ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]
        )
        for number, name in enumerate(names):
            part = ROWS[number * 5 : number * 5 + 10 // len(names)]
            parquet.write_table(pyarrow.Table.from_pylist(part), folder / name)
    rows = read_part(entry, "train", tmp_path, None)
    assert [row["output"] for row in rows] == [row["output"] for row in ROWS]


def test_own_files_nested_values_and_templates(tmp_path):
    rows = [{"context": f"c{i}", "question": f"q{i}?", "answers": {"text": [f"a{i}"], "start": [3]}} for i in range(4)]
    put(tmp_path, "private/my.jsonl", rows)
    entry = one(
        tmp_path, instruction=None, input="{context} {question}", output="answers.text.0",
        split_names="train|train|train", files={"train": "private/my.jsonl"},
    )  # fmt: skip
    assert read_part(entry, "train", tmp_path, None)[1] == {
        "id": "train_1", "instruction": "c1 q1?", "input": "", "output": "a1",
    }  # fmt: skip


def test_empty_responses_are_kept_and_counted(tmp_path, caplog):
    put(tmp_path, "set/train.jsonl", [{**ROWS[0], "output": None}, ROWS[1]])
    path = one(tmp_path).source.split(":")[0]
    prepare_registered.main(
        ["--registry", path, "--dataset", "owner/set", "--part", "train", "--mirror", str(tmp_path), "--downloads", "d"]
        + ["--seed", "0", "--examples-out", str(tmp_path / "out.jsonl")]
    )
    assert "1 of 2 rows have an empty response" in caplog.text
    assert [row["output"] for row in read_jsonl(tmp_path / "out.jsonl")] == ["", "done 1"]


def test_judged_conversations_keep_the_winner():
    def judgment(number: int, winner: str, turn: int = 1) -> dict[str, Any]:
        talk = lambda who: [  # noqa: E731
            {"role": role, "content": f"{role} {who} {n}"} for n in (1, 2) for role in ("user", "assistant")
        ]
        return {
            "question_id": number, "turn": turn, "winner": winner,
            "conversation_a": talk("a"), "conversation_b": talk("b"),
        }  # fmt: skip

    from scripts.data.reader_base import Record
    from scripts.delift.registry import judged_rows

    rows = judged_rows(
        [Record("x", judgment(81, "tie")), Record("x", judgment(81, "model_b")), Record("x", judgment(81, "model_a"))]
        + [Record("x", judgment(82, "model_a", turn=2))]
    )
    assert rows[0] == {"instruction": "user: user b 1", "input": "", "output": "assistant b 1"}
    assert rows[1]["output"] == "assistant a 2"
    assert rows[1]["instruction"].count("\n") == 2
    assert len(rows) == 2


@pytest.mark.parametrize(
    "attributes, message",
    [
        ({"output": None}, "owner/set.output: is missing; name the column"),
        ({"input": None, "instruction": None}, "owner/set.input: is missing, and so is instruction"),
        ({"split_names": None}, "split_names: is missing"),
        ({"split_names": "train|test"}, "names 2 splits"),
        ({"split_names": "train[a:b]|x|y"}, "'train.a:b.' is no split"),
        ({"inputs": "x"}, "did you mean 'input'"),
        ({"output": 3}, "expected text, found int"),
        ({"files": "x.jsonl"}, "files: expected paths by split"),
    ],
)
def test_bad_entries(attributes, message, tmp_path):
    with pytest.raises(UserError, match=message):
        one(tmp_path, **attributes)


def test_bad_data(tmp_path):
    with pytest.raises(UserError, match="no dataset 'sett'"):
        find_entry(registry(tmp_path, {"owner/set": ORIGINAL["llm-blender/mix-instruct"]}), "sett")
    with pytest.raises(UserError, match="split 'train' is not in"):
        read_part(one(tmp_path), "train", tmp_path, None)
    put(tmp_path, "set/train.jsonl", ROWS)
    with pytest.raises(UserError, match="no column 'outputs' .did you mean 'output'.., named by .*owner/set.output"):
        read_part(one(tmp_path, output="outputs"), "train", tmp_path, None)
    with pytest.raises(UserError, match="unknown part 'valid'"):
        read_part(one(tmp_path), "valid", tmp_path, None)
    with pytest.raises(UserError, match="holds no examples"):
        read_part(one(tmp_path, split_names="train[:0]|train|train"), "train", tmp_path, None)
    put(tmp_path, "set/train.jsonl", [{**ROWS[0], "input": ["a"]}])
    with pytest.raises(UserError, match="holds list, not text"):
        read_part(one(tmp_path), "train", tmp_path, None)
    put(tmp_path, "set/train.jsonl", [{**ROWS[0], "input": "", "instruction": ""}])
    with pytest.raises(UserError, match="field 'instruction' is empty"):
        read_part(one(tmp_path), "train", tmp_path, None)


def test_unreachable_hub_is_one_line(tmp_path):
    """Tests set HF_HUB_OFFLINE: the hub cannot be reached."""
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        read_part(one(tmp_path), "train", None, tmp_path / "downloads")


def test_real_files(shared, tmp_path):
    data = shared / "data"
    templates = sorted(path.name for path in (data / "t0_templates").iterdir())
    path = registry(
        tmp_path,
        {
            "openai/gsm8k": {
                "input": "question", "output": "answer", "subset": "main",
                "split_names": "test[:70%]|test[70%:90%]|test[90%:]", "files": {"test": "gsm8k/test.jsonl.gz"},
            },
            "tatsu-lab/alpaca_gpt4": {
                "instruction": "instruction", "input": "input", "output": "output", "split_name": "train",
                "files": {"train": "alpaca_gpt4/alpaca_gpt4_bad.json.gz"},
            },
            "bigscience/P3": {
                "input": "prompt", "output": "completion", "split_names": "train",
                "files": {"train": f"t0_templates/{templates[0]}"},
            },
            "lmsys/mt_bench": {
                "input": "turns.0", "output": "turns.1", "split_names": "train",
                "files": {"train": "mt_bench/question.jsonl"},
            },
        },
    )  # fmt: skip
    entries = read_entries(path)
    gsm8k = [read_part(entries["openai/gsm8k"], part, data, None) for part in ("train", "validation", "test")]
    assert [len(part) for part in gsm8k] == [923, 264, 132]
    assert gsm8k[0][0]["instruction"].startswith("Janet’s ducks lay 16 eggs per day.")
    assert gsm8k[0][0]["output"].endswith("#### 18")
    alpaca = read_part(entries["tatsu-lab/alpaca_gpt4"], "train", data, None)
    assert len(alpaca) == round(0.7 * 9038)
    assert all(row["instruction"] for row in alpaca)
    assert len(read_part(entries["lmsys/mt_bench"], "train", data, None)) == 56
    prepare_registered.main(
        ["--registry", str(path), "--dataset", "P3", "--part", "train", "--mirror", str(data), "--downloads", "d"]
        + ["--limit", "5", "--seed", "0", "--examples-out", str(tmp_path / "p3.jsonl")]
    )
    assert len(read_examples(tmp_path / "p3.jsonl", "instruction")) == 5


def test_conversations_quoted_tables_and_forms(tmp_path):
    said = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Me."}]  # fmt: skip
    put(tmp_path, "set/train.jsonl", [{"messages": said}])
    entry = one(tmp_path, input="messages", output="messages", instruction=None)
    row = {"id": "train_0", "instruction": "Hi?", "input": "", "output": "Yes."}
    assert read_part(entry, "train", tmp_path, None) == [row]
    entry = one(tmp_path, input="messages", output="messages", instruction=None, turns="last")
    assert read_part(entry, "train", tmp_path, None)[0]["output"] == "Me."
    (tmp_path / "set/train.jsonl").unlink()
    (tmp_path / "set/train.tsv").write_text('instruction\toutput\n"say ""a"""\tb\n')
    entry = one(tmp_path, input=None)
    assert read_part(entry, "train", tmp_path, None)[0]["instruction"] == 'say "a"'
    assert read_part(one(tmp_path, input=None, quoting="no"), "train", tmp_path, None)[0]["instruction"][0] == '"'
    with pytest.raises(UserError, match=r"owner/set.turns: unknown value 'all'"):
        one(tmp_path, turns="all")
