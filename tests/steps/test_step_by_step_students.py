"""Distilling Step-by-Step from trained students to tables and figures: the plan, the steps, what is missing and why."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from pathlib import Path

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, read_json, read_jsonl
from scripts.common.measured import Measured, sentence
from scripts.common.metrics import KEY_COLUMNS, read_metrics
from scripts.common.tables import Missing
from scripts.data.schemas import write_examples
from scripts.mini_world.train_t5 import main as train_t5
from scripts.report.collect_metrics import main as collect_metrics
from scripts.step_by_step import (
    list_missing,
    measure_fewest_rows,
    measure_rows,
    measure_students,
    measure_teacher,
    plot_minimum,
    plot_shares,
    plot_sizes,
    tabulate_artifact,
    train_models,
)
from scripts.step_by_step.measure_fewest_rows import smallest_shares
from scripts.step_by_step.plan import (
    DSS,
    FEWEST_ROWS,
    LAST,
    SELECTED,
    SMALLEST,
    TRAINED_ARTIFACTS,
    Plan,
    share_setting,
)
from scripts.step_by_step.student import Student
from tests.unit.lm_tiny import save, tiny
from tests.unit.step_by_step_tiny import train_terms

REPO = Path(__file__).resolve().parents[2]
METHODS = {
    "standard_finetuning": {"train": "standard"},
    "standard_distillation": {"train": "standard"},
    DSS: {"train": "task_prefix"},
    "single_task": {"train": "single_task"},
    "pinto": {"train": "pinto"},
}
PLAN = Plan(
    datasets=["mini_cqa"],
    formats={"mini_cqa": "cqa", "mini_generic": "generic", "mini_svamp": "svamp", "mini_asdiv": "asdiv"},
    augment={"mini_svamp": "mini_asdiv"},
    teacher="palm",
    other_teacher="neox",
    student_models=["mini_t5"],
    runs=[0, 1],
    methods=METHODS,
    figure_4={"shares": [0.5, 1.0]},
    figure_5={"shares": [0.5, 1.0]},
    figure_6={},
    figure_7={"augmented_model": "mini_t5"},
    figure_8={"models": ["mini_t5"], "shares": [0.5, 1.0]},
    figure_9={"models": ["mini_t5"], "shares": [0.5, 1.0]},
    table_1={},
    table_2={},
    splits={"mini_cqa": ["train", "test"], "mini_cqa_palm": ["train", "test"]},
    together=True,
)
SHAPE = {
    "d_model": 16, "d_kv": 4, "d_ff": 16, "layers": 1, "heads": 4, "buckets": 8, "max_distance": 16, "texts": 40,
    "steps": 3, "batch_size": 4, "learning_rate": 0.01, "warmup_steps": 1, "weight_decay": 0.0, "clip": 1.0,
    "noise_share": 0.25, "mean_span": 2.0, "curve_every": 2,
}  # fmt: skip
TRAIN = train_terms(max_steps=3, eval_steps=2, batch_size=4, learning_rate=0.01, gen_max_len=4, form="cqa")


# ---- the plan --------------------------------------------------------------------------------------------------------


def test_each_student_is_trained_once_and_every_artifact_finds_its_own():
    trainable = PLAN.trainable()
    assert len(set(trainable)) == len(trainable)
    shown = {student for artifact in TRAINED_ARTIFACTS for student in PLAN.students(artifact)}
    assert set(trainable) == {student for student in shown if student.teacher == "palm"}
    jobs = PLAN.jobs()
    assert sorted(name for _, _, name in jobs) == ["pinto", "single_task", "standard", "task_prefix"]
    assert sum(map(len, jobs.values())) == len(trainable)
    apart = dataclasses.replace(PLAN, together=False).jobs()
    assert {len(students) for students in apart.values()} == {len(PLAN.runs)}
    assert all(len({dataclasses.replace(s, run=0) for s in students}) == 1 for students in apart.values())


def test_what_was_not_released_has_a_reason():
    (first, *_) = [s for s in PLAN.students("table_1") if s.teacher == "neox"]
    assert PLAN.obstacle(first) == "no answers of neox to mini_cqa are registered: they were not released"
    there = {"mini_svamp": ["train", "test"], "mini_svamp_palm": ["train", "test"], "mini_asdiv": ["train"]}
    plan = dataclasses.replace(PLAN, datasets=["mini_svamp"], splits=there)
    augmented = [s for s in plan.students("figure_7") if s.augmented]
    assert {s.method for s in augmented} == {"standard_distillation", DSS}
    assert "so the added rows have no labels" in plan.obstacle(augmented[0])
    both = dataclasses.replace(plan, splits={**there, "mini_asdiv_palm": ["train"]})
    assert both.obstacle(augmented[0]) == ""
    assert ("mini_asdiv", "palm") in both.teacher_sets()


def test_paper_grid_has_the_cells_of_the_figures():
    plan = dataclasses.replace(PLAN, datasets=["mini_cqa", "mini_generic"], student_models=["mini_t5", "t5_v1_1_base"])
    assert len(plan.cells("figure_4")) == 2 * 2 * 2
    assert len(plan.cells("figure_6")) == 2 * 2 * 2 + 2
    assert len(plan.cells("figure_8")) == 2 * 1 * 2 * 2
    assert {cell[3] for cell in plan.cells("figure_9")} == {"llm"}
    assert share_setting("mini_cqa", 0.125) == "mini_cqa_share_12.5"


def test_an_artifact_may_name_its_own_seeds():
    plan = dataclasses.replace(PLAN, figure_4={**PLAN.figure_4, "runs": [5, 7, 9]})
    assert {student.run for student in plan.students("figure_4")} == {5, 7, 9}
    assert {student.run for student in plan.students("figure_6")} == set(PLAN.runs)
    assert {5, 7, 9} <= {student.run for student in plan.trainable()}


def test_smallest_share_is_monotone_in_the_target():
    rows = [
        {"dataset": "a", "model": "m", "method": DSS, "share": share, "accuracy": accuracy}
        for share, values in ((25, (40, 50)), (50, (60, 70)), (75, (55, 65)), (100, (80, 90)))
        for accuracy in values
    ]
    found = [smallest_shares(rows, {"a": target})["a", "m", DSS] for target in (40, 45, 60, 64, 65, 80, 85, 99)]
    assert found == [25, 50, 75 - 25, 50, 100, 100, None, None]
    known = [math.inf if share is None else share for share in found]
    assert known == sorted(known)


# ---- the steps -------------------------------------------------------------------------------------------------------


def example(number: int) -> dict[str, object]:
    first, second = ("lamp", "coin", "book", "chair")[number % 4], ("table", "spoon", "plate")[number % 3]
    label = ("even", "odd")[number % 2]
    return {
        "id": str(number), "input": f"sum of {first} and {second} ?", "label": label, "llm_label": label,
        "rationale": f"{first} {number % 5} sum {number % 9} {label}", "options": ["even", "odd"],
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a tiny model, rows, and the results of all students of PLAN."""
    base = tmp_path_factory.mktemp("students")
    train_t5(
        ["--settings", json.dumps(SHAPE), "--seed", "0", "--threads", "1", "--curve-out", str(base / "curve.jsonl"),
         "--model-out", str(base / "model")]
    )  # fmt: skip
    write_examples(base / "train.jsonl", [example(n) for n in range(40)], "distillation")
    write_examples(base / "test.jsonl", [example(n) for n in range(40, 48)], "distillation")
    for (_, _, name), students in PLAN.jobs().items():
        assert run_job(base, students, f"{name}.json", method=name) is None
    answers = {"accuracy": 0.4, "parse_rate": 0.9, "n_blank_labels": 2}
    for split, n_rows in (("train", 40), ("test", 8)):
        path = base / "step_by_step/examples/mini_cqa/palm" / f"{split}.report.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"answers": answers, "n_rows": n_rows}))
    measure(base, PLAN)
    return base


def measure(base: Path, plan: Plan) -> None:
    """Run the measuring steps on what lies in `base`, as the rules would."""
    measured = base / "step_by_step/measured"
    list_missing.main(["--settings", plan_json(plan), "--measured-out", str(measured / "missing.csv")])
    splits = ("train", "test")
    reports = [str(base / f"step_by_step/examples/mini_cqa/palm/{split}.report.json") for split in splits]
    about = ["--dataset", "mini_cqa", "--splits", *splits, "--reports", *reports]
    measure_rows.main([*about, "--hold-out", "yes", "--measured-out", str(measured / "rows/mini_cqa.csv")])
    measure_teacher.main([*about, "--teacher", "palm", "--measured-out", str(measured / "teachers/mini_cqa/palm.csv")])
    for (dataset, model, name), students in plan.jobs().items():
        measure_students.main(
            ["--results", str(base / f"{name}.json"), "--students", *(student.name for student in students),
             "--teacher", plan.teacher, "--measured-out", str(measured / f"students/{dataset}/{model}/{name}.csv")]
        )  # fmt: skip
    for experiment, figure in FEWEST_ROWS.items():
        files = here(base, plan.fewest_files(experiment))
        measure_fewest_rows.main(
            ["--experiment", experiment, "--measured", *files, "--settings", json.dumps(plan.settings(figure)),
             "--measured-out", str(measured / f"{experiment}.csv")]
        )  # fmt: skip


def here(base: Path, files) -> list[str]:
    """Return the plan's files as they lie in `base`."""
    return [file.replace("<results>", str(base)) for file in files]


def plan_json(plan: Plan = PLAN) -> str:
    return json.dumps(dataclasses.asdict(plan))


def run_job(base: Path, students, out: str, *, together: bool = True, method: str = "task_prefix", **changes) -> None:
    settings = {"train": {**TRAIN, "method": method, **changes}, "together": together, "dropout": None}
    train_models.main(
        ["--teachers", "palm", "--train", str(base / "train.jsonl"), "--test", str(base / "test.jsonl"),
         "--students", json.dumps([dataclasses.asdict(s) for s in students]), "--settings", json.dumps(settings),
         "--model", str(base / "model"), "--device", "cpu", "--threads", "1",
         "--checkpoints", str(base / "checkpoints"), "--results-out", str(base / out),
         "--predictions-out", str(base / out.replace(".json", ".predictions.jsonl")),
         "--facts-out", str(base / out.replace(".json", ".run.json"))]
    )  # fmt: skip


def test_pretraining_learns_nothing_of_answers_and_says_so(folder):
    card = read_json(folder / "model" / "card.json")
    assert card["parameters"] < 20_000
    assert "no answer" in card["summary"]
    curve = read_jsonl(folder / "curve.jsonl")
    assert [point["step"] for point in curve] == [2, 3]
    assert read_json(folder / "model" / "config.json")["decoder_start_token_id"] == 0


def test_stack_and_single_runs_give_the_same_results(folder):
    students = [s for s in PLAN.jobs()["mini_cqa", "mini_t5", "task_prefix"] if s.label_type == "gt"]
    run_job(folder, students, "apart.json", together=False)
    together = {json.dumps(r["student"]): r for r in read_json(folder / "task_prefix.json")}
    for record in read_json(folder / "apart.json"):
        other = together[json.dumps(record["student"])]
        assert [e["test_accuracy"] for e in record["history"]] == [e["test_accuracy"] for e in other["history"]]
        assert record["metrics"]["last_loss"] == pytest.approx(other["metrics"]["last_loss"], abs=1e-4)
        assert record["metrics"]["n_train"] == other["metrics"]["n_train"]
    assert not (folder / "checkpoints").exists() or not any((folder / "checkpoints").rglob("*.json"))


def test_causal_students_are_trained_one_after_another_where_a_stack_is_asked_for(tmp_path, caplog):
    caplog.set_level("INFO")
    rows = [
        {"id": str(n), "input": f"w{n % 9} w{n % 7}", "label": f"w{40 + n % 2}", "llm_label": f"w{40 + n % 2}",
         "rationale": f"w{n % 5} w50", "options": []}
        for n in range(40)
    ]  # fmt: skip
    write_examples(tmp_path / "train.jsonl", rows[:30], "distillation")
    write_examples(tmp_path / "test.jsonl", rows[30:], "distillation")
    save(tiny("llama"), tmp_path / "model")
    students = [s for s in PLAN.jobs()["mini_cqa", "mini_t5", "task_prefix"] if s.label_type == "gt"][:2]
    changes = {"max_target_length": 8, "gen_max_len": 4}
    run_job(tmp_path, students, "stack.json", **changes)
    assert "models of type llama cannot be stacked" in caplog.text
    run_job(tmp_path, students, "apart.json", together=False, **changes)
    assert (tmp_path / "stack.json").read_bytes() == (tmp_path / "apart.json").read_bytes()
    found = read_json(tmp_path / "stack.json")
    assert [record["student"]["run"] for record in found] == [student.run for student in students]
    assert all(record["metrics"]["n_test"] == 10 for record in found)


def test_a_killed_job_goes_on_but_never_with_students_of_other_settings(folder, monkeypatch, caplog):
    students = [s for s in PLAN.jobs()["mini_cqa", "mini_t5", "standard"] if s.run == 0][:2]
    train_one, trained = train_models.train_one, []

    def killed_before_the_second(loaded, student, *others):
        trained.append(student.name)
        if student == students[1]:
            raise KeyboardInterrupt
        return train_one(loaded, student, *others)

    monkeypatch.setattr(train_models, "train_one", killed_before_the_second)
    with pytest.raises(KeyboardInterrupt):
        run_job(folder, students, "killed.json", together=False, method="standard")
    monkeypatch.undo()
    with caplog.at_level("INFO"):
        run_job(folder, students, "killed.json", together=False, method="standard", learning_rate=0.02)
        assert "finished earlier" not in caplog.text
        run_job(folder, students, "killed.json", together=False, method="standard")
        assert f"{students[0].name}: finished earlier" in caplog.text
    run_job(folder, students, "undisturbed.json", together=False, method="standard")
    assert (folder / "killed.json").read_bytes() == (folder / "undisturbed.json").read_bytes()


def test_predictions_and_facts_lie_beside_the_results(folder):
    records = read_json(folder / "single_task.json")
    rows = read_jsonl(folder / "single_task.predictions.jsonl")
    assert len(rows) == len(records) * 8
    assert {row["student"] for row in rows} == {Student(**record["student"]).name for record in records}
    by_hand = sum(row["correct"] for row in rows if row["student"].endswith("-0")) / 8
    assert by_hand == records[0]["metrics"]["test_accuracy_last"]
    assert "seconds" in read_json(folder / "single_task.run.json")
    assert "seconds" not in (folder / "single_task.json").read_text()


def test_sub_sample_and_held_out_rows_are_those_of_the_released_code(folder):
    sizes = {
        (record["student"]["share"], record["metrics"]["n_train"], record["metrics"]["n_valid"])
        for record in read_json(folder / "standard.json")
    }
    assert sizes == {(0.5, 18, 2), (1.0, 36, 4)}


def test_bad_jobs_are_one_line(folder):
    student = PLAN.students("table_2")[0]
    with pytest.raises(UserError, match="--teachers: no rows of 'neox'"):
        run_job(folder, [dataclasses.replace(student, teacher="neox")], "bad.json")
    with pytest.raises(UserError, match="--augmentation: student .* needs the rows"):
        run_job(folder, [dataclasses.replace(student, augmented=True)], "bad.json")
    with pytest.raises(UserError, match="--students: expected a list"):
        run_job(folder, [], "bad.json")
    with pytest.raises(UserError, match="--settings.train.alpha: 2 is above the maximum 1"):
        run_job(folder, [student], "bad.json", alpha=2)
    assert not (folder / "bad.json").exists()


def test_every_artifact_finds_each_cell_or_a_reason_in_the_files_it_needs(folder):
    for artifact in TRAINED_ARTIFACTS:
        read = Measured.read(here(folder, PLAN.needs(artifact).measured), PUBLISHED, artifact)
        values = read.of_seeds(PLAN.runs_of(artifact))
        for student in PLAN.students(artifact):
            experiment, setting, method = PLAN.key_of(student)
            found = [
                values.cell(setting, method, metric, model="mini_t5", experiment=experiment)
                for metric in (LAST, SELECTED)
            ]
            if reason := PLAN.obstacle(student):
                assert found == [Missing(sentence(reason))] * 2
            else:
                assert [value.n for value in found] == [2, 2]
    values = Measured.read(here(folder, PLAN.needs("figure_8").measured), PUBLISHED, "figure_8")
    assert values.number("mini_cqa_test", "few_shot_cot", "accuracy_percent", model="palm") == 40
    assert isinstance(values.cell("mini_cqa", DSS, SMALLEST, experiment="fewest_rows_gold_labels"), Missing)


def test_metrics_are_the_union_of_the_measurement_files(folder, tmp_path):
    files = here(folder, PLAN.measured())
    collect_metrics(["--metrics", *files, "--metrics-out", str(tmp_path / "metrics.csv")])
    rows = read_metrics(tmp_path / "metrics.csv")
    assert [r["value"] for r in rows if r["experiment"] == "data_sets"] == ["8", "36", "4"]
    assert [r["n"] for r in rows if r["experiment"] == "models"] == ["1"]  # each job measured the one model
    assert {r["experiment"] for r in rows} >= {"data_sets", "gold_labels", "teacher_labels", "teachers", "models"}
    assert len({tuple(r[name] for name in (*KEY_COLUMNS, "reason")) for r in rows}) == len(rows)
    assert any(r["reason"] == "no answers of neox to mini_cqa are registered: they were not released" for r in rows)


PUBLISHED = REPO / "config" / "published" / "step_by_step.csv"


def draw(folder, module, artifact, kinds, plan=PLAN):
    outputs = [part for kind in kinds for part in (f"--{kind}-out", str(folder / f"{artifact}.{kind}"))]
    module.main(
        ["--artifact", artifact, "--settings", json.dumps(plan.settings(artifact)),
         "--measured", *here(folder, plan.needs(artifact).measured),
         "--published", str(PUBLISHED), "--tier", "mini", *outputs]
    )  # fmt: skip
    with open(folder / f"{artifact}.csv", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("artifact", sorted(tabulate_artifact.BUILDERS))
def test_tables_show_ours_beside_the_papers(folder, artifact):
    rows = draw(folder, tabulate_artifact, artifact, ("csv", "md", "tex"))
    text = (folder / f"{artifact}.md").read_text()
    if artifact == "table_1":
        assert [row["esnli_published"] for row in rows] == ["88.38", "89.12", "89.51"]
        assert rows[1]["mini_cqa_mean"] == ""
        assert "not released" in text
        assert rows[0]["mini_cqa_n"] == "2"
    if artifact == "table_2":
        assert rows[1]["svamp_published"] == "63"
    if artifact == "table_3":
        assert [rows[0][split] for split in ("train", "valid", "test")] == ["36", "4", "8"]
        assert {row["dataset"]: row["train_published"] for row in rows}["svamp"] == "720"
    if artifact == "table_teachers":
        assert rows[0]["accuracy_percent"] == "40"
        assert {row["rows"]: row["accuracy_percent_before"] for row in rows}["cqa_test"] == "77.23"


@pytest.mark.parametrize(
    ("module", "artifact", "n_ours"),
    [
        (plot_shares, "figure_4", 2 * 2 + 1),
        (plot_shares, "figure_5", 2 * 2 + 1),
        (plot_sizes, "figure_6", 2 + 1 + 1),
        (plot_sizes, "figure_7", 2 + 1),
        (plot_minimum, "figure_8", 2 * 2 + 2 + 1),
        (plot_minimum, "figure_9", 2 * 2 + 2 + 1),
    ],
)
def test_figures_draw_the_whole_grid_and_write_it_down(folder, module, artifact, n_ours):
    rows = draw(folder, module, artifact, ("pdf", "png", "csv"))
    assert len([row for row in rows if row["source"] == "measured"]) == n_ours
    assert all(row["mean"] or row["note"] for row in rows)
    assert (folder / f"{artifact}.png").stat().st_size > 5000
    before = (folder / f"{artifact}.pdf").read_bytes()
    draw(folder, module, artifact, ("pdf", "png", "csv"))
    assert (folder / f"{artifact}.pdf").read_bytes() == before


def test_missing_result_is_named(folder, tmp_path):
    with pytest.raises(UserError, match="pinto.json: no result of student standard-gt; delete the file and run"):
        measure_students.main(
            ["--results", str(folder / "pinto.json"), "--students", "standard-gt", "--teacher", "palm",
             "--measured-out", str(tmp_path / "m.csv")]
        )  # fmt: skip


# ---- what each artifact needs, and what cannot be had ----------------------------------------------------------------


def kinds_of(plan: Plan, artifact: str) -> set[str]:
    return {
        Path(file).relative_to("<results>/step_by_step/measured").parts[0] for file in plan.needs(artifact).measured
    }


def test_settings_hold_what_the_artifact_shows():
    before, after = PLAN, dataclasses.replace(PLAN, figure_4={"shares": [1.0]}, table_2={"runs": [3]})
    names = (*TRAINED_ARTIFACTS, "table_3", "table_teachers")
    assert [name for name in names if before.settings(name) != after.settings(name)] == ["table_2", "figure_4"]
    assert before.settings("table_3") == {
        "datasets": ["mini_cqa"], "teacher": "palm", "other_teacher": "neox", "student_models": ["mini_t5"],
        "runs": [0, 1],
    }  # fmt: skip


def test_only_what_can_be_had_is_read():
    registry = {name: {"splits": {"train_0": {}, "train_1": {}, "test": {}}} for name in PLAN.splits}
    plan = dataclasses.replace(PLAN, absent={"mini_cqa_palm/train": "gone"})
    assert plan.raw_files(registry) == [
        ("mini_cqa", "test"),
        ("mini_cqa", "train_0"),
        ("mini_cqa", "train_1"),
        ("mini_cqa_palm", "test"),
    ]
    assert plan.models() == ["mini_t5"]
    assert dataclasses.replace(PLAN, absent={"mini_t5": "gone"}).models() == []


def test_counts_and_teachers_need_no_student():
    assert kinds_of(PLAN, "table_3") == {"missing.csv", "rows"}
    assert kinds_of(PLAN, "table_teachers") == {"missing.csv", "teachers"}
    assert kinds_of(PLAN, "table_1") == {"missing.csv", "students"}
    assert kinds_of(PLAN, "figure_4") == {"missing.csv", "students", "fewest_rows_gold_labels.csv"}
    assert kinds_of(PLAN, "figure_7") == {"missing.csv", "students", "teachers"}


def test_an_artifact_needs_its_own_students_only():
    plan = dataclasses.replace(PLAN, together=False)
    for artifact in TRAINED_ARTIFACTS:
        mine = {plan.job_of(student) for student in plan.students(artifact) if not plan.obstacle(student)}
        files = {f"<results>/step_by_step/measured/students/{'/'.join(job)}.csv" for job in mine}
        assert {file for file in plan.needs(artifact).measured if "/students/" in file} == files
    assert len(plan.student_files("table_2")) == 3  # standard, single task, two tasks
    shown = {file for artifact in TRAINED_ARTIFACTS for file in plan.student_files(artifact)}
    assert {f"<results>/step_by_step/measured/students/{'/'.join(job)}.csv" for job in plan.jobs()} == shown


def test_no_data_sets_mean_none(tmp_path):
    plan = dataclasses.replace(PLAN, datasets=[], splits={})
    assert plan.jobs() == {}
    missing = tmp_path / "step_by_step/measured/missing.csv"
    list_missing.main(["--settings", plan_json(plan), "--measured-out", str(missing)])
    for experiment in FEWEST_ROWS:
        measure_fewest_rows.main(
            ["--experiment", experiment, "--measured", "--settings", json.dumps(plan.settings(FEWEST_ROWS[experiment])),
             "--measured-out", str(missing.with_name(f"{experiment}.csv"))]
        )  # fmt: skip
    assert read_csv(missing) == []
    modules = [(tabulate_artifact, name) for name in tabulate_artifact.BUILDERS]
    modules += [(plot_shares, "figure_4"), (plot_sizes, "figure_7"), (plot_minimum, "figure_9")]
    for module, artifact in modules:
        kinds = ("csv", "md", "tex") if module is tabulate_artifact else ("pdf", "png", "csv")
        rows = draw(tmp_path, module, artifact, kinds, plan)
        assert not [row for row in rows if row.get("source") == "measured"]


def test_what_cannot_be_had_is_left_out_and_says_why(folder, tmp_path):
    gone = {
        "mini_cqa_palm/train": "data.mirror has no cqa_palm_train_0.json",
        "mini_t5": "this machine has no folder m",
    }
    rows_gone = dataclasses.replace(PLAN, absent={"mini_cqa_palm/train": gone["mini_cqa_palm/train"]})
    assert {student.method for student in rows_gone.trainable()} == {"standard_finetuning"}
    assert rows_gone.source_of("mini_cqa", "palm") == "none"  # labels alone need no teacher
    assert rows_gone.counted_splits("mini_cqa") == {"train": "none", "test": "palm"}
    assert rows_gone.teacher_splits("mini_cqa", "palm") == ["test"]
    nothing = dataclasses.replace(PLAN, absent={"mini_cqa/train": "no rows"})
    assert nothing.trainable() == []
    assert nothing.counted_splits("mini_cqa") == {"test": "palm"}
    model_gone = dataclasses.replace(PLAN, absent={"mini_t5": "this machine has no folder"})
    assert model_gone.jobs() == {}
    assert kinds_of(model_gone, "table_3") == {"missing.csv", "rows"}
    for plan in (rows_gone, model_gone):
        copy = tmp_path / str(len(plan.jobs()))
        (copy / "step_by_step/examples").parent.mkdir(parents=True)
        (copy / "step_by_step/examples").symlink_to(folder / "step_by_step/examples")
        (copy / "standard.json").symlink_to(folder / "standard.json")
        measure(copy, plan)
        reason = next(iter(plan.absent.values()))
        assert draw(copy, tabulate_artifact, "table_2", ("csv", "md", "tex"), plan)[-1]["mini_cqa_mean"] == ""
        assert sentence(reason) in (copy / "table_2.md").read_text().replace("\\", "")
        for module, figure in ((plot_shares, "figure_4"), (plot_sizes, "figure_6"), (plot_minimum, "figure_8")):
            shown = [r for r in draw(copy, module, figure, ("pdf", "png", "csv"), plan) if r["source"] == "measured"]
            told = {r["note"] for r in shown if r["method"] == DSS and r["metric"] == LAST}
            assert told == {sentence(reason)}
