"""Readers: the upstream formats, one's own columns, and one clear line for each way a file can be broken."""

from __future__ import annotations

import gzip
import json

import pytest

from scripts.common.errors import UserError
from scripts.data.readers import READERS, read_raw

ALPACA = [
    {"instruction": "Add.", "input": "1 2", "output": "3", "score": 0.5},
    {"instruction": "Say hi.", "input": "", "output": "hi"},
]


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("form", ["list", "lines", "indented"])
@pytest.mark.parametrize("packed", [False, True])
def test_alpaca_forms_are_one(tmp_path, form, packed):
    text = {
        "list": json.dumps(ALPACA),
        "indented": "\n" + json.dumps(ALPACA, indent=4),
        "lines": "".join(json.dumps(row) + "\n" for row in ALPACA),
    }[form].encode()
    path = write(tmp_path / ("x.json.gz" if packed else "x.json"), gzip.compress(text) if packed else text)
    assert read_raw(path, "alpaca_json", "instruction") == [
        {"id": "0", "instruction": "Add.", "input": "1 2", "output": "3"},
        {"id": "1", "instruction": "Say hi.", "input": "", "output": "hi"},
    ]


def test_own_columns_templates_and_ids(tmp_path):
    rows = [{"nr": 7, "question": "Why?", "more": "Tell.", "answer": "So.", "input": None}]
    path = write(tmp_path / "x.jsonl", "\n" + json.dumps(rows[0]))
    columns = {"id": "nr", "instruction": "{question} {more}", "output": "answer"}
    assert read_raw(path, "json", "instruction", columns=columns) == [
        {"id": "7", "instruction": "Why? Tell.", "input": "", "output": "So."}
    ]


def test_csv_tsv_and_parquet_agree(tmp_path):
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"text": ['a "b"', "c"], "label": [1, 0]}), tmp_path / "x.parquet")
    write(tmp_path / "x.csv", 'text,label\r\n"a ""b""",1\r\nc,0\r\n')
    write(tmp_path / "x.tsv", 'a "b"\t1\nc\t0\n')
    how = {"columns": {"input": "text", "output": "label"}, "labels": ["no", "yes"], "task": "t"}
    expected = [
        {"task": "t", "input": 'a "b"', "output": "yes", "options": ["no", "yes"]},
        {"task": "t", "input": "c", "output": "no", "options": ["no", "yes"]},
    ]
    assert read_raw(tmp_path / "x.csv", "csv", "classification", **how) == expected
    assert read_raw(tmp_path / "x.parquet", "parquet", "classification", **how) == expected
    assert read_raw(tmp_path / "x.tsv", "tsv", "classification", header=["text", "label"], **how) == expected


def test_options_are_the_labels_that_occur_unless_given(tmp_path):
    path = write(tmp_path / "x.csv", "text,category\na,z\nb,y\n")
    assert read_raw(path, "banking77_csv", "classification", task="t")[0]["options"] == ["y", "z"]
    assert read_raw(path, "banking77_csv", "classification", task="t", labels=[])[0]["options"] == []


def test_gsm8k_is_split_into_label_and_rationale(tmp_path):
    row = {"question": "Q?", "answer": "It is 48/2 = <<48/2=24>>24.\n#### 1,024"}
    path = write(tmp_path / "x.jsonl", json.dumps(row))
    assert read_raw(path, "gsm8k_jsonl", "reasoning") == [
        {"input": "Q?", "label": "1,024", "rationale": "It is 48/2 = 24."}
    ]
    assert read_raw(path, "gsm8k_jsonl", "instruction")[0]["output"] == row["answer"]


def test_self_instruct_instances_become_rows(tmp_path):
    row = {"id": "s", "instruction": "Do.", "instances": [{"input": "a", "output": "b"}, {"input": "c", "output": "d"}]}
    rows = read_raw(write(tmp_path / "x.jsonl", json.dumps(row)), "seed_tasks_jsonl", "instruction")
    assert [(row["id"], row["input"], row["output"]) for row in rows] == [("s_0", "a", "b"), ("s_1", "c", "d")]


def test_goemotions_keeps_single_labels_with_or_without_header(tmp_path):
    body = "happy\t1\tid1\nboth\t0,1\tid2\n"
    for name, text in {"with": "text\tlabel\tid\n" + body, "without": body}.items():
        path = write(tmp_path / name, text)
        rows = read_raw(path, "goemotions_tsv", "classification", labels=["sad", "glad"], task="g")
        assert [(row["input"], row["output"]) for row in rows] == [("happy", "glad")]


def questions(tmp_path, *, answered):
    asked = "".join(json.dumps({"question_id": n, "category": "c", "turns": ["a", "b"]}) + "\n" for n in (81, 101))
    answers = json.dumps({"question_id": answered, "choices": [{"index": 0, "turns": ["x", "y"]}]})
    return write(tmp_path / "q.jsonl", asked), write(tmp_path / "r.jsonl", answers)


def test_mt_bench_joins_references(tmp_path):
    asked, answers = questions(tmp_path, answered=101)
    rows = read_raw(asked, "mt_bench_questions", "dialogue", references=answers)
    assert [(row["id"], row["references"]) for row in rows] == [("81", []), ("101", ["x", "y"])]
    assert [row["references"] for row in read_raw(asked, "mt_bench_questions", "dialogue")] == [[], []]


def test_mt_bench_reference_to_another_question(tmp_path):
    asked, answers = questions(tmp_path, answered=5)
    with pytest.raises(UserError, match=r"r\.jsonl: holds an answer to question 5, which .*q\.jsonl does not ask"):
        read_raw(asked, "mt_bench_questions", "dialogue", references=answers)


GOOD_LINE = json.dumps(ALPACA[0]).encode()


@pytest.mark.parametrize(
    ("name", "content", "reader", "told"),
    [
        ("x.jsonl", GOOD_LINE + b'\n{"instruction": "a"\n', "alpaca_json", "x.jsonl:2: broken JSON"),
        ("x.json", b"[" + GOOD_LINE + b",\n{]", "alpaca_json", "x.json:2: broken JSON"),
        ("x.json", b'[{"instruction": "a", "input": ""}]', "alpaca_json", "x.json: row 0: column 'output' is missing"),
        ("x.json", b'[{"instruction": "a", "output": null}]', "alpaca_json", "row 0: field 'output' must be text"),
        ("x.json", b"[3]", "alpaca_json", "x.json: row 0: expected a JSON object, found int"),
        ("x.json", b"[]", "alpaca_json", "x.json: holds no examples"),
        ("x.json", b" \n", "alpaca_json", "x.json: the file is empty"),
        ("x.json", GOOD_LINE[:20] + b"\xe9", "alpaca_json", "x.json: not UTF-8 text at byte 20"),
        ("x.json.gz", gzip.compress(GOOD_LINE * 50, mtime=0)[:-9], "alpaca_json", "damaged or incomplete gzip"),
        ("x.json.gz", b"\0" + GOOD_LINE, "alpaca_json", "damaged or incomplete gzip"),
        ("x.json", b"\n".join([b'{"id": 1, ' + GOOD_LINE[1:]] * 2), "alpaca_json", "field 'id' repeats '1'"),
        ("x.csv", b"text,category\na,b\nc\n", "banking77_csv", "x.csv:3: 1 columns where 2 are expected"),
        ("x.csv", b'text,category\na,b\n"c,d\n', "banking77_csv", "broken CSV"),
        ("x.csv", b"text,kategory\na,b\n", "banking77_csv", "column 'category' is missing (did you mean 'kategory'?)"),
        ("x.csv", b"text,category\n", "banking77_csv", "x.csv: the file holds no rows"),
        ("x.csv", b"", "banking77_csv", "x.csv: the file holds no rows"),
        ("x.csv", b'"first","a","b"\n', "ag_news_csv", "x.csv:1: class 'first' is not a number"),
        ("x.parquet", b"PAR1", "parquet", "not a readable parquet file"),
        ("x.jsonl", b'{"question": "a", "answer": "b"}', "gsm8k_jsonl", "has no line '#### <number>'"),
        ("x.jsonl", b'{"instruction": "a"}', "seed_tasks_jsonl", "column 'instances' is missing"),
    ],
)  # fmt: skip
def test_broken_files(tmp_path, name, content, reader, told):
    path = write(tmp_path / name, content)
    schema = next(iter(READERS[reader].columns), "instruction")
    with pytest.raises(UserError) as error:
        read_raw(path, reader, schema, task="t")
    assert told in str(error.value)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file(tmp_path):
    for reader in ("json", "parquet"):
        with pytest.raises(UserError, match="no such file"):
            read_raw(tmp_path / "x", reader, "instruction")


def test_label_number_without_name(tmp_path):
    path = write(tmp_path / "x.tsv", "a\t0\nb\t2\n")
    with pytest.raises(UserError, match=r"x\.tsv:2: label number 2, but 'labels' names 2 \(0 to 1\)"):
        read_raw(path, "sst2_tsv", "classification", labels=["negative", "positive"], task="t")


@pytest.mark.parametrize(
    ("reader", "schema", "how", "told"),
    [
        ("alpaka_json", "instruction", {}, "did you mean 'alpaca_json'"),
        ("alpaca_json", "reasoning", {}, "gives schema instruction, not reasoning"),
        ("alpaca_json", "instruction", {"columns": {"answer": "output"}}, "columns: 'answer' is not a field"),
        ("alpaca_json", "instruction", {"header": ["a"]}, "takes no 'header'"),
        ("alpaca_json", "instruction", {"references": "x"}, "takes no file of reference answers"),
    ],
)
def test_wrong_use(tmp_path, reader, schema, how, told):
    with pytest.raises(UserError, match=told):
        read_raw(write(tmp_path / "x.json", json.dumps(ALPACA)), reader, schema, **how)


@pytest.mark.parametrize(
    ("file", "reader", "schema", "n_rows"),
    [
        ("alpaca_gpt4/alpaca_gpt4_kmeans_100.json", "alpaca_json", "instruction", 100),
        ("alpaca_gpt4/alpaca_gpt4_bad.json.gz", "alpaca_json", "instruction", 9038),
        ("alpaca/seed_tasks.jsonl", "seed_tasks_jsonl", "instruction", 175),
        ("user_oriented_252/user_oriented_instructions.jsonl", "user_oriented", "instruction", 252),
        ("user_oriented_252/user_oriented_instructions.jsonl", "user_oriented", "evaluation", 252),
        ("vicuna80/vicuna_question_80.jsonl", "vicuna80", "evaluation", 80),
        ("alpaca_eval/outputs_example.json", "alpaca_eval_json", "evaluation", 805),
        ("mt_bench/question.jsonl", "mt_bench_questions", "dialogue", 80),
        ("t0_templates/ag_news_which_section.jsonl", "t0_jsonl", "instruction", 200),
        ("t0_templates/paws_labeled_final_Meaning.jsonl", "t0_jsonl", "classification", 200),
        ("sst2/dev.tsv", "sst2_tsv", "classification", 872),
        ("banking77/test.csv", "banking77_csv", "classification", 3080),
        ("ag_news/test.csv.gz", "ag_news_csv", "classification", 7600),
        ("cola/in_domain_dev.tsv", "cola_tsv", "classification", 527),
        ("goemotions/dev.tsv.gz", "goemotions_tsv", "classification", 4548),
        ("dilm_synthetic/mnli_dpc5_0.json", "dilm_synthetic", "classification", 15),
        ("gsm8k/test.jsonl.gz", "gsm8k_jsonl", "reasoning", 1319),
    ],
)
def test_real_files(shared, file, reader, schema, n_rows):
    assert len(read_raw(shared / "data" / file, reader, schema, task="t")) == n_rows


def test_real_alpaca_eval_groups(shared):
    rows = read_raw(shared / "data/alpaca_eval/outputs_example.json", "alpaca_eval_json", "evaluation")
    groups = [row["group"] for row in rows]
    assert {group: groups.count(group) for group in groups} == {
        "helpful_base": 129, "koala": 156, "selfinstruct": 252, "oasst": 188, "vicuna": 80,
    }  # fmt: skip


def test_real_mt_bench_references(shared):
    rows = read_raw(
        shared / "data/mt_bench/question.jsonl",
        "mt_bench_questions",
        "dialogue",
        references=shared / "data/mt_bench/reference_answer_gpt4.jsonl",
    )
    assert sum(bool(row["references"]) for row in rows) == 30
    assert {row["category"] for row in rows if row["references"]} == {"math", "reasoning", "coding"}
