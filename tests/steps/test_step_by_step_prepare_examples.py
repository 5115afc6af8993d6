"""Step prepare_examples: gold rows and raw answers joined, faults counted, the paper's few-shot line."""

from __future__ import annotations

import json
import re

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_json
from scripts.common.step_parser import read_settings
from scripts.data.schemas import read_examples
from scripts.step_by_step import prepare_examples
from scripts.step_by_step.settings_rows import PrepareSettings

GOLD = [{"question": f"Q{i}?", "choices": ["yes", "no"], "answer": "yes" if i % 2 else "no"} for i in range(6)]
ANSWERS = [
    "R0. So the answer is (b) no.\n\nQ: more",
    "R1. So the answer is (b) no.",
    "R2, I think.",
    "R3. So the answer is (a) yes.",
    "R4. So the answer is (a) maybe.",
    "R5. So the answer is not clear.",
]


def prepare(folder, gold=GOLD, answers=(ANSWERS[:4], ANSWERS[4:]), **changes):
    files = []
    (folder / "gold.json").write_text("".join(json.dumps(row) + "\n" for row in gold), encoding="utf-8")
    for number, part in enumerate(answers):
        (folder / f"llm_{number}.json").write_text(json.dumps(part), encoding="utf-8")
        files.append(str(folder / f"llm_{number}.json"))
    settings = {"dataset": "cqa", "format": "cqa", "teacher": "palm", "parser": "compatible", "split": "train"}
    prepare_examples.main(
        [
            *("--gold", str(folder / "gold.json"), *(("--llm", *files) if files else ())),
            *("--settings", json.dumps({**settings, **changes})),
            *("--examples-out", str(folder / "out.jsonl"), "--report-out", str(folder / "report.json")),
        ]
    )
    return read_examples(folder / "out.jsonl", "distillation"), read_json(folder / "report.json")


def test_rows_and_counts(tmp_path):
    rows, report = prepare(tmp_path)
    assert [row["rationale"] for row in rows] == ["R0.", "R1.", " ", "R3.", "R4.", "R5."]
    assert [row["llm_label"] for row in rows] == ["no", "no", " ", "yes", "maybe", " "]
    assert rows[0]["input"] == "Q0?\nAnswer Choices:\n(a) yes\n(b) no"
    assert (report["n_gold"], report["n_rows"], report["n_without_answer"], report["n_dropped"]) == (6, 6, 0, 0)
    assert report["answers"] == {
        "faults": {"marker_twice": 0, "no_label": 1, "no_marker": 1},
        "parse_rate": pytest.approx(4 / 6),
        "n_blank_labels": 2,
        "n_blank_rationales": 1,
        "n_labels_not_among_options": 3,
        "n_correct": 2,
        "accuracy": pytest.approx(2 / 6),
    }


def test_unreadable_answers_may_be_dropped_from_training_rows_only(tmp_path):
    rows, report = prepare(tmp_path, unparsed="drop")
    assert [row["id"] for row in rows] == ["0", "1", "3", "4"]
    assert (report["n_dropped"], report["n_rows"]) == (2, 4)
    assert len(prepare(tmp_path, unparsed="drop", split="test")[0]) == 6


def test_training_rows_beyond_the_answers_are_left_out(tmp_path, caplog):
    rows, report = prepare(tmp_path, answers=(ANSWERS[:4],))
    assert (len(rows), report["n_without_answer"]) == (4, 2)
    assert "rows 4 to 5 have no answers and are left out" in caplog.text


@pytest.mark.parametrize(
    ("answers", "changes", "told"),
    [
        ((ANSWERS[:4],), {"split": "test"}, "4 answers for 6 rows of split test; give the answer files of this split"),
        ((ANSWERS, ANSWERS), {}, "12 answers for 6 rows of split train"),
        (([""] * 6,), {}, r"cqa/train, answers of palm: none of 6 answers could be read \(6 no marker\)"),
        ((), {}, "cqa: teacher palm needs the files of its answers under --llm"),
        ((ANSWERS,), {"teacher": "none"}, "cqa: teacher none takes no files of answers under --llm"),
        ((ANSWERS,), {"format": "cka"}, r"--settings.format: 'cka' is not allowed \(did you mean 'cqa'\?\)"),
        ((ANSWERS,), {"teachr": "x"}, r"--settings.teachr: unknown key \(did you mean 'teacher'\?\)"),
    ],
)
def test_faults(tmp_path, answers, changes, told):
    with pytest.raises(UserError, match=told):
        prepare(tmp_path, answers=answers, **changes)


def test_an_empty_file_and_foreign_labels(tmp_path):
    with pytest.raises(UserError, match=r"gold.json: the file is empty"):
        prepare(tmp_path, gold=[])
    told = r"gold.json: 2 of 3 rows have a label that is not among their choices \(2: 'so', 3: 'la'\)"
    with pytest.raises(UserError, match=told):
        prepare(tmp_path, gold=[GOLD[0], {**GOLD[1], "answer": "so"}, {**GOLD[1], "answer": "la"}])


def test_own_rows_bring_their_reasons(tmp_path):
    own = [{"input": "a", "label": "x", "rationale": "r"}, {"input": "b", "label": "y"}]
    rows, report = prepare(tmp_path, gold=own, answers=(), dataset="mine", format="generic", teacher="generic")
    assert [(row["label"], row["llm_label"], row["rationale"]) for row in rows] == [("x", "x", "r"), ("y", "y", "")]
    assert "answers" not in report
    told = r"gold.json: 1 of 2 rows have an empty label \(row 1\); fill the field 'label'"
    with pytest.raises(UserError, match=told):
        prepare(tmp_path, gold=[own[0], {**own[1], "label": " "}], answers=(), format="generic", teacher="generic")


def test_columns_of_another_name(tmp_path):
    own = [{"query": "a", "code": "x", "why": "r"}]
    columns = {"input": "query", "label": "code", "rationale": "why"}
    options = {"format": "generic", "teacher": "generic", "reader": "json", "columns": columns}
    rows, _ = prepare(tmp_path, gold=own, answers=(), **options)
    assert (rows[0]["input"], rows[0]["label"], rows[0]["rationale"]) == ("a", "x", "r")


def test_blank_labels_count_as_wrong(tmp_path):
    answers = prepare(tmp_path)[1]["answers"]
    assert (answers["accuracy"], answers["n_correct"], answers["n_blank_labels"]) == (pytest.approx(2 / 6), 2, 2)


REAL = [  # format, split, accuracy in percent, rows, blank labels
    ("cqa", "test", 77.23, 1221, 0),
    ("svamp", "test", 74.00, 200, 2),
    ("anli1", "test", 65.60, 1000, 10),
    ("esnli", "test", 72.99, 9824, 0),
    ("cqa", "train", 74.26, 9741, 3),
    ("anli1", "valid", 66.80, 1000, 9),
    ("esnli", "valid", 73.17, 9842, 4),
    ("svamp", "train", 73.25, 800, 13),  # Python's own eval gives 73.50: it knows `(a) and (b)`
]


@pytest.mark.parametrize(("name", "split", "percent", "n", "n_blank"), REAL)
def test_few_shot_accuracy_of_palm(shared, name, split, percent, n, n_blank):
    folder = shared / "data/step_by_step" / name
    (gold,) = folder.glob(f"{name}_{split}.json*")
    llm = sorted(folder.glob(f"llm_{split}_CoT_*"), key=lambda path: int(re.findall(r"\d+", path.name)[-1]))
    told = {"dataset": name, "format": name, "teacher": "palm", "parser": "compatible", "split": split}
    settings = read_settings(PrepareSettings, PrepareSettings.of, json.dumps(told))
    rows, report = prepare_examples.prepare([gold], llm, settings)
    assert round(100 * report["answers"]["accuracy"], 2) == percent
    assert (len(rows), report["answers"]["n_blank_labels"]) == (n, n_blank)
