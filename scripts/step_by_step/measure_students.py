"""Write the accuracies of the students of one training job, in percent of the test rows, and their model's size.

They are taken at the last step and at the step with the best validation accuracy.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json
from scripts.common.metrics import ALL_SEEDS, metric_row, write_metrics
from scripts.step_by_step.plan import LAST, MODELS, N_PARAMETERS, PAPER, SELECTED, key_of_student
from scripts.step_by_step.student import Student


def student_rows(main_teacher: str, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what was measured of one student; cut_share_percent only where outputs were cut.

    main_teacher: the paper's; record: of one student, as train_models writes it.
    """
    student, metrics = Student(**record["student"]), record["metrics"]
    experiment, setting, method = key_of_student(student, main_teacher)
    names = {LAST: "test_accuracy_last", SELECTED: "test_accuracy_selected"}
    values = {name: metrics[key] for name, key in names.items() if metrics[key] is not None}
    if metrics["cut_share"]:
        values["cut_share_percent"] = metrics["cut_share"]
    model = student.model
    return [
        metric_row(PAPER, experiment, setting, model, method, student.run, name, 100 * value, metrics["n_test"])
        for name, value in values.items()
    ]


def size_rows(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the number of parameters of each model that the students start from."""
    sizes = {record["student"]["model"]: record["n_parameters"] for record in records}
    return [
        metric_row(PAPER, MODELS, "model", model, "size", ALL_SEEDS, N_PARAMETERS, size, 1)
        for model, size in sizes.items()
    ]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, type=Path, help="JSON of train_models")
    parser.add_argument("--students", nargs="+", required=True, help="names of the students that must be among them")
    parser.add_argument(
        "--teacher", required=True, help="the paper's teacher; students of another have methods of their own"
    )
    parser.add_argument("--measured-out", required=True, help="measurement file, CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the results and write."""
    args = parse_args(argv)
    records = read_json(args.results)
    found = {Student(**record["student"]).name for record in records}
    absent = [name for name in args.students if name not in found]
    if absent:
        raise UserError(f"{args.results}: no result of student {absent[0]}; delete the file and run its training again")
    rows = [row for record in records for row in student_rows(args.teacher, record)]
    write_metrics(args.measured_out, rows + size_rows(records))


if __name__ == "__main__":
    run_step(main)
