"""Find the smallest share of the training rows at which a student beats its target (paper, Figures 4, 5, 8 and 9).

Figures 4 and 5: the student without rationales on all rows. Figures 8 and 9: the few-shot teacher.
"""

from __future__ import annotations

import argparse
from typing import Any, Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.metrics import ALL_SEEDS, metric_row, read_merged, reason_row, with_value, write_metrics
from scripts.common.settings import parse_settings
from scripts.step_by_step.plan import (
    ACCURACY,
    DSS,
    FEWEST_ROWS,
    LAST,
    PAPER,
    SMALLEST,
    TEACHERS,
    WITH_TEACHER,
    Plan,
)

WHOLE, FEW_SHOT_TEACHER = "the student without rationales on all rows", "the few-shot teacher"


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


def whole_accuracies(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return each data set's mean accuracy in percent of the students without rationales on all training rows."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["method"] != DSS and row["share"] == 100:
            found.setdefault(row["dataset"], []).append(row["accuracy"])
    return {name: sum(values) / len(values) for name, values in found.items()}


def accuracies_of(plan: Plan, artifact: str, measured: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return the accuracy of each student of a figure that was measured, as `smallest_shares` takes them."""
    names = ("experiment", "setting", "model", "method", "seed")
    found = {tuple(row[name] for name in names): row for row in measured if row["metric"] == LAST}
    rows = []
    for student in plan.students(artifact):
        experiment, setting, method = plan.key_of(student)
        row = found.get((experiment, setting, student.model, method, str(student.run)))
        if row is not None:
            about = {"dataset": student.dataset, "model": student.model, "method": method, "share": 100 * student.share}
            rows.append({**about, "accuracy": float(row["value"])})
    return rows


def fewest_rows(plan: Plan, experiment: str, measured: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return the measured rows of one experiment of FEWEST_ROWS, with the reason where no share suffices."""
    artifact = FEWEST_ROWS[experiment]
    against_teacher = artifact in WITH_TEACHER
    students = accuracies_of(plan, artifact, measured)
    teacher = {
        row["setting"].removesuffix("_test"): float(row["value"])
        for row in measured
        if (row["experiment"], row["model"], row["metric"]) == (TEACHERS, plan.teacher, ACCURACY)
        and row["setting"].endswith("_test")
    }
    targets = teacher if against_teacher else whole_accuracies(students)
    whom = FEW_SHOT_TEACHER if against_teacher else WHOLE
    rows = []
    for (dataset, model, method), share in smallest_shares(students, targets).items():
        if method != DSS and not against_teacher:
            continue
        if share is None:
            reason = f"no share of the training rows that was tried beats {whom}"
            rows.append(reason_row(PAPER, experiment, reason, setting=dataset, model=model, method=method))
        else:
            n = len(plan.runs_of(artifact))
            rows.append(metric_row(PAPER, experiment, dataset, model, method, ALL_SEEDS, SMALLEST, share, n))
    for name in plan.sets_of(artifact):
        if name not in targets:
            reason = f"there is no accuracy of {whom} to compare with"
            rows.append(reason_row(PAPER, experiment, reason, setting=name))
    return rows


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", required=True, choices=sorted(FEWEST_ROWS))
    parser.add_argument("--measured", nargs="*", required=True, help="measurement files of its students and teachers")
    parser.add_argument("--settings", required=True, help="JSON: plan.Plan")
    parser.add_argument("--measured-out", required=True, help="measurement file, CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read what was measured and write what follows."""
    args = parse_args(argv)
    plan = parse_settings(Plan, args.settings)
    write_metrics(args.measured_out, fewest_rows(plan, args.experiment, with_value(read_merged(args.measured))))


if __name__ == "__main__":
    run_step(main)
