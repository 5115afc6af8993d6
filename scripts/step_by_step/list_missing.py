"""Write down what cannot be measured for Distilling Step-by-Step and why, from the plan alone."""

from __future__ import annotations

import argparse
import logging
from typing import Any, Sequence

from scripts.common.errors import run_step
from scripts.common.metrics import reason_row, write_metrics
from scripts.common.settings import parse_settings
from scripts.step_by_step.plan import (
    DATA_SETS,
    FEW_SHOT,
    MODELS,
    PAPER,
    SPLITS,
    TEACHERS,
    TRAINED_ARTIFACTS,
    WITH_TEACHER,
    Plan,
)

logger = logging.getLogger(__name__)


def missing_students(plan: Plan) -> list[dict[str, Any]]:
    """Return a row for every student that an artifact shows and that cannot be trained, and for models out of reach."""
    rows = []
    for artifact in TRAINED_ARTIFACTS:
        for student in plan.students(artifact):
            experiment, setting, method = plan.key_of(student)
            if reason := plan.obstacle(student):
                rows.append(reason_row(PAPER, experiment, reason, setting=setting, model=student.model, method=method))
    gone = [(name, plan.absent[name]) for name in plan.all_models() if name in plan.absent]
    return rows + [
        reason_row(PAPER, MODELS, reason, setting="model", model=name, method="size") for name, reason in gone
    ]


def missing_teachers(plan: Plan) -> list[dict[str, Any]]:
    """Return a row for each split whose answers of a teacher cannot be had, and for each line that no figure draws."""
    rows = []
    for dataset, teacher in plan.teacher_sets():
        for split in plan.splits[dataset]:
            if split in plan.splits[f"{dataset}_{teacher}"] and (reason := plan.rows_obstacle(dataset, split, teacher)):
                about = {"setting": f"{dataset}_{split}", "model": teacher, "method": FEW_SHOT}
                rows.append(reason_row(PAPER, TEACHERS, reason, **about))
    for name in dict.fromkeys(name for artifact in WITH_TEACHER for name in plan.sets_of(artifact)):
        if (name, plan.teacher) in plan.teacher_sets():
            continue
        if plan.formats[name] == "generic":
            reason = f"{name} has no answers of a few-shot teacher: its rationales stand in its own rows"
        else:
            reason = f"no answers of {plan.teacher} to {name} are registered: they were not released"
        rows.append(reason_row(PAPER, TEACHERS, reason, setting=f"{name}_test", method=FEW_SHOT))
    return rows


def missing_counts(plan: Plan) -> list[dict[str, Any]]:
    """Return a row for every split whose rows cannot be counted; held-out validation rows are training rows."""
    rows = []
    for dataset in plan.datasets:
        for split in SPLITS:
            source = "train" if split == "valid" and split not in plan.splits[dataset] else split
            if reason := plan.rows_obstacle(dataset, source):
                rows.append(reason_row(PAPER, DATA_SETS, reason, setting=dataset, model="data", method=split))
    return rows


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="JSON: plan.Plan")
    parser.add_argument("--measured-out", required=True, help="measurement file, CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Ask the plan and write."""
    args = parse_args(argv)
    plan = parse_settings(Plan, args.settings)
    rows = missing_students(plan) + missing_teachers(plan) + missing_counts(plan)
    write_metrics(args.measured_out, rows)
    logger.info("%d reasons why something is missing", len(rows))


if __name__ == "__main__":
    run_step(main)
