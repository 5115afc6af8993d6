"""Write the accuracies of the students of one training job, in percent of the test rows, and their model's size.

They are taken at the last step and at the step with the best validation accuracy.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json
from scripts.common.measured import ALL_SEEDS, measured_row, write_measured
from scripts.common.settings import parse_settings
from scripts.step_by_step.plan import LAST, MODELS, N_PARAMETERS, PAPER, SELECTED, Plan
from scripts.step_by_step.student import Student


def student_rows(plan: Plan, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what was measured of one student; cut_share_percent only where outputs were cut."""
    student, metrics = Student(**record["student"]), record["metrics"]
    experiment, setting, method = plan.key_of(student)
    names = {LAST: "test_accuracy_last", SELECTED: "test_accuracy_selected"}
    values = {name: metrics[key] for name, key in names.items() if metrics[key] is not None}
    if metrics["cut_share"]:
        values["cut_share_percent"] = metrics["cut_share"]
    model = student.model
    return [
        measured_row(PAPER, experiment, setting, model, method, student.run, name, 100 * value, metrics["n_test"])
        for name, value in values.items()
    ] + [measured_row(PAPER, MODELS, "model", model, "size", ALL_SEEDS, N_PARAMETERS, record["n_parameters"], 1)]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, type=Path, help="JSON of train_models")
    parser.add_argument("--students", nargs="+", required=True, help="names of the students that must be among them")
    parser.add_argument("--settings", required=True, help="JSON: plan.Plan")
    parser.add_argument("--measured-out", required=True, help="measurement file, CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the results and write."""
    args = parse_args(argv)
    plan = parse_settings(Plan, args.settings)
    records = read_json(args.results)
    found = {Student(**record["student"]).name for record in records}
    absent = [name for name in args.students if name not in found]
    if absent:
        raise UserError(f"{args.results}: no result of student {absent[0]}; delete the file and run its training again")
    write_measured(args.measured_out, [row for record in records for row in student_rows(plan, record)])


if __name__ == "__main__":
    run_step(main)
