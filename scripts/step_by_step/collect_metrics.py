"""Bring everything measured for Distilling Step-by-Step into the one long schema, with reasons for what is missing.

Accuracies are in percent of the test rows, at the last step and at the step with the best validation accuracy. Figures
8 and 9 also get the smallest share of the training rows at which a student beats the few-shot teacher.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import Collection
from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json
from scripts.common.settings import parse_settings
from scripts.step_by_step.plan import DSS, FEW_SHOT, TRAINED_ARTIFACTS, Plan, Student, share_setting

logger = logging.getLogger(__name__)

LAST, SELECTED = "test_accuracy_percent", "selected_test_accuracy_percent"
SMALLEST = "smallest_share_percent"
N_PARAMETERS = "n_parameters"
SHARED = ("figure_4", "figure_5", "figure_8", "figure_9")
WITH_TEACHER = ("figure_6", "figure_7", "figure_8", "figure_9")
SPLITS = ("train", "valid", "test")


def read_results(paths: Sequence[Path]) -> dict[Student, dict[str, Any]]:
    """Return each trained student's record: metrics, history."""
    found: dict[Student, dict[str, Any]] = {}
    for path in paths:
        for record in read_json(path):
            found[Student(**record["student"])] = record
    return found


def method_name(plan: Plan, student: Student, artifact: str) -> str:
    """Return the method of the metrics: in table 1 the other teacher's rows have a name of their own."""
    other = artifact == "table_1" and student.method == DSS and student.teacher == plan.other_teacher
    return f"{student.method}_{student.teacher}" if other else student.method


def setting_name(student: Student, artifact: str) -> str:
    """Return the setting of the metrics: the data set, its share, or that it is augmented."""
    if artifact in SHARED:
        return share_setting(student.dataset, student.share)
    return f"{student.dataset}_augmented" if student.augmented else student.dataset


def collect_students(out: Collection, plan: Plan, results: Mapping[Student, Mapping[str, Any]]) -> None:
    """Add the accuracies of every student that an artifact shows, or why there is none."""
    for artifact in TRAINED_ARTIFACTS:
        for student in plan.students(artifact):
            setting, method = setting_name(student, artifact), method_name(plan, student, artifact)
            obstacle = plan.obstacle(student)
            if obstacle:
                out.note(artifact, setting, method, obstacle, model=student.model)
                continue
            if student not in results:
                raise UserError(f"{artifact}: no result of student {student.name}; give its file with --results")
            metrics = results[student]["metrics"]
            for name, key in ((LAST, "test_accuracy_last"), (SELECTED, "test_accuracy_selected")):
                if metrics[key] is not None:
                    out.add(
                        artifact,
                        setting,
                        method,
                        student.run,
                        name,
                        100 * metrics[key],
                        metrics["n_test"],
                        student.model,
                    )
            if metrics["cut_share"] and artifact == "table_2":
                name = "cut_share_percent"
                share = 100 * metrics["cut_share"]
                out.add(artifact, setting, method, student.run, name, share, metrics["n_test"], student.model)


def collect_teachers(out: Collection, plan: Plan, reports: Mapping[tuple[str, str, str], Mapping[str, Any]]) -> None:
    """Add the teachers' own accuracies: the few-shot line of figures 6 to 9 and the table of teachers.

    reports: counts of prepare_examples by (dataset, teacher, split).
    """
    for (dataset, teacher, split), report in reports.items():
        answers, n = report["answers"], report["n_rows"]
        for artifact in WITH_TEACHER:
            if split == "test" and teacher == plan.teacher and dataset in plan.sets_of(artifact):
                out.add(artifact, dataset, FEW_SHOT, "all", LAST, 100 * answers["accuracy"], n, model=teacher)
        for name, value in (
            ("accuracy_percent", 100 * answers["accuracy"]),
            ("parse_rate_percent", 100 * answers["parse_rate"]),
            ("n_blank_labels", answers["n_blank_labels"]),
        ):
            out.add("table_teachers", f"{dataset}_{split}", FEW_SHOT, "all", name, value, n, model=teacher)
    for artifact in WITH_TEACHER:
        for name in plan.sets_of(artifact):
            if (name, plan.teacher, "test") not in reports:
                reason = f"{name} has no answers of a few-shot teacher: its rationales stand in its own rows"
                out.note(artifact, name, FEW_SHOT, reason, model="")


def collect_sizes(out: Collection, plan: Plan, results: Mapping[Student, Mapping[str, Any]]) -> None:
    """Add the sizes of each data set's splits, the validation rows held out of the training rows (table 3)."""
    for dataset in plan.datasets:
        whole = [s for s in results if s.dataset == dataset and s.share == 1 and not s.augmented]
        if not whole:
            out.note("table_3", dataset, "", "no student was trained on all its rows", model="data")
            continue
        metrics = results[min(whole, key=lambda s: s.name)]["metrics"]
        for split in SPLITS:
            count = metrics[f"n_{split}"]
            out.add("table_3", dataset, split, "all", "n_examples", count, count, model="data")


def smallest_shares(
    rows: Sequence[Mapping[str, Any]], accuracies: Mapping[str, float]
) -> dict[tuple[str, str, str], float | None]:
    """Return the smallest share in percent whose mean accuracy is above the target, by (dataset, model, method).

    rows: dataset, model, method, share and accuracy in percent. accuracies: each data set's target. None
    where no share suffices. Lowering a target never raises a share.
    """
    means: dict[tuple[str, str, str], dict[float, list[float]]] = {}
    for row in rows:
        key = (row["dataset"], row["model"], row["method"])
        means.setdefault(key, {}).setdefault(row["share"], []).append(row["accuracy"])
    found: dict[tuple[str, str, str], float | None] = {}
    for key, shares in means.items():
        if key[0] in accuracies:
            good = [share for share, values in shares.items() if sum(values) / len(values) > accuracies[key[0]]]
            found[key] = min(good, default=None)
    return found


def collect_smallest(
    out: Collection, plan: Plan, results: Mapping[Student, Mapping[str, Any]], teacher: Mapping[str, float]
) -> None:
    """Add the smallest share with which a student beats its target.

    Figures 4 and 5: the student without rationales on all rows. Figures 8 and 9: the few-shot teacher, whose accuracies
    in percent are `teacher`.
    """
    for artifact in SHARED:
        rows = [
            {
                "dataset": student.dataset,
                "model": student.model,
                "method": student.method,
                "share": 100 * student.share,
                "accuracy": 100 * results[student]["metrics"]["test_accuracy_last"],
            }
            for student in plan.students(artifact)
            if not plan.obstacle(student)
        ]
        against_teacher = artifact in ("figure_8", "figure_9")
        targets = teacher if against_teacher else whole_accuracies(rows)
        whom = "the few-shot teacher" if against_teacher else "the student without rationales on all rows"
        for (dataset, model, method), share in smallest_shares(rows, targets).items():
            if method != DSS and not against_teacher:
                continue
            if share is None:
                reason = f"no share of the training rows that was tried beats {whom}"
                out.note(artifact, dataset, method, reason, model)
            else:
                out.add(artifact, dataset, method, "all", SMALLEST, share, len(plan.runs_of(artifact)), model)


def whole_accuracies(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return each data set's mean accuracy in percent of the students without rationales on all training rows."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["method"] != DSS and row["share"] == 100:
            found.setdefault(row["dataset"], []).append(row["accuracy"])
    return {name: sum(values) / len(values) for name, values in found.items()}


def collect_model_sizes(out: Collection, plan: Plan, results: Mapping[Student, Mapping[str, Any]]) -> None:
    """Add the number of parameters of every student model (the axis of figures 6 and 7)."""
    counts = {student.model: record["n_parameters"] for student, record in results.items()}
    for artifact in ("figure_6", "figure_7"):
        for model in sorted({student.model for student in plan.students(artifact)}):
            if model in counts:
                out.add(artifact, "model", "size", "all", N_PARAMETERS, counts[model], 1, model)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", nargs="+", type=Path, required=True, help="JSON files of train_models")
    parser.add_argument("--teachers", nargs="*", default=[], help="dataset/teacher/split of each report")
    parser.add_argument("--reports", nargs="*", type=Path, default=[], help="JSON reports of prepare_examples")
    parser.add_argument("--settings", required=True, help="JSON: plan.Plan")
    parser.add_argument("--metrics-out", required=True, help="CSV in the long schema")
    parser.add_argument("--notes-out", required=True, help="CSV: what is missing and why")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Collect all metrics of the paper."""
    args = parse_args(argv)
    plan = parse_settings(Plan, args.settings)
    if len(args.teachers) != len(args.reports):
        raise UserError(f"--reports: {len(args.reports)} files for {len(args.teachers)} teachers; give one for each")
    results = read_results(args.results)
    reports = {tuple(name.split("/")): read_json(path) for name, path in zip(args.teachers, args.reports)}
    targets = {
        dataset: 100 * report["answers"]["accuracy"]
        for (dataset, teacher, split), report in reports.items()
        if (teacher, split) == (plan.teacher, "test")
    }
    out = Collection("step_by_step", plan.main_model)
    collect_students(out, plan, results)
    collect_teachers(out, plan, reports)
    collect_sizes(out, plan, results)
    collect_smallest(out, plan, results, targets)
    collect_model_sizes(out, plan, results)
    out.write(args.metrics_out, args.notes_out)
    logger.info("%d values, %d notes on what is missing", len(out.rows), len(out.notes))


if __name__ == "__main__":
    run_step(main)
