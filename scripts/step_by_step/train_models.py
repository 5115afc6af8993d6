"""Train the students of one job on one data set from one model, and measure them (paper, sections 3.2 and 4).

A job holds students that are trained in the same way; they differ in rows, seed, labels or teacher. With `together`
they are computed as one stack, which small models need; otherwise one after another, each from the model as it is.
Finished students rest in the checkpoint folder, so a job that is killed and started again trains only what is missing.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import logging
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

from scripts.common.checksums import check_beside, write_beside
from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json, write_json, write_jsonl
from scripts.common.settings import parse_json, settings_of
from scripts.common.step_parser import StepParser, checked
from scripts.data.schemas import read_examples
from scripts.step_by_step.progress import TrainingProgress
from scripts.step_by_step.settings_train import JobSettings, TrainSettings
from scripts.step_by_step.splits import Run, Splits, make_splits
from scripts.step_by_step.student import Student

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel
    from scripts.step_by_step.cuts import CutReport
    from scripts.step_by_step.training import TrainResult

logger = logging.getLogger(__name__)

DROPOUTS = ("dropout_rate", "dropout", "attention_dropout", "activation_dropout")
"""What T5, BART and causal models call the probability, in their configurations and layers."""
STACKED = "t5"  # the type of model that `scripts.step_by_step.t5_stack` computes


class Rows:
    """The rows of every teacher's files, read once."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.files: dict[str, dict[str, Path]] = {}
        for split in ("train", "valid", "test"):
            paths = getattr(args, split)
            if paths and len(paths) != len(args.teachers):
                raise UserError(
                    f"--{split}: {len(paths)} files for {len(args.teachers)} teachers; give one for each, in order"
                )
            for teacher, path in zip(args.teachers, paths):
                self.files.setdefault(teacher, {})[split] = path
        self.augmentation = args.augmentation
        self._read: dict[Path, list[dict[str, Any]]] = {}

    def splits(self, student: Student) -> Splits:
        """Return a student's rows: sub-sample and held-out rows depend on its share and run."""
        if student.teacher not in self.files:
            raise UserError(f"--teachers: no rows of '{student.teacher}', which student {student.name} learns from")
        files = self.files[student.teacher]
        train = self._rows(files["train"])
        if student.augmented:
            if self.augmentation is None:
                raise UserError(f"--augmentation: student {student.name} needs the rows to add; give their file")
            train = [*train, *self._rows(self.augmentation)]
        valid = self._rows(files["valid"]) if "valid" in files else None
        return make_splits(train, valid, self._rows(files["test"]), fraction=student.share, run=student.run)

    def _rows(self, path: Path) -> list[dict[str, Any]]:
        if path not in self._read:
            self._read[path] = read_examples(path, "distillation")
        return self._read[path]


def read_students(text: str) -> list[Student]:
    """Return the students of `--students`. Raises `UserError` for broken JSON and unknown or missing keys."""
    rows = parse_json("--students", text, list)
    if not rows:
        raise UserError("--students: expected a list with at least one student")
    return [settings_of(Student, row, f"--students[{place}]") for place, row in enumerate(rows)]


def train_settings(job: JobSettings, student: Student) -> TrainSettings:
    """Return the settings of one student."""
    own = {"label_type": student.label_type, "output_rationale": False}
    return checked(TrainSettings, {**job.train.given(), **own}, "--settings.train")


def train_stack(
    loaded: LoadedModel, students: Sequence[Student], rows: Rows, job: JobSettings, checkpoints: Path
) -> list[TrainResult]:
    """Train all students at once."""
    from scripts.step_by_step.training import train_many

    settings = train_settings(job, students[0])
    runs = [Run(rows.splits(student), student.run, student.label_type, settings.alpha) for student in students]
    with TrainingProgress() as progress:
        return train_many(loaded, runs, settings, checkpoints=checkpoints, progress=progress)


def train_one(
    loaded: LoadedModel, student: Student, rows: Rows, job: JobSettings, checkpoints: Path, cuts: CutReport
) -> dict[str, Any]:
    """Train one student from the model's own weights unless its result rests in `checkpoints`; return the result."""
    from scripts.lm.checkpoints import InitialWeights, is_first_process
    from scripts.step_by_step.training import train_student

    kept = checkpoints / "finished" / f"{student.name}.json"
    if kept.is_file():
        check_beside(kept)
        logger.info("%s: finished earlier", student.name)
        return read_json(kept)
    weights = InitialWeights(loaded.model)
    with TrainingProgress() as progress:
        result = train_student(
            loaded,
            rows.splits(student),
            train_settings(job, student),
            seed=student.run,
            checkpoints=checkpoints / "running",
            progress=progress,
            cuts=cuts,
        )
    weights.restore()
    found = as_record(student, result)
    if is_first_process():
        write_json(kept, found)
        write_beside(kept)
    return found


def job_folder(args: argparse.Namespace, job: JobSettings, students: Sequence[Student], loaded: LoadedModel) -> Path:
    """Return the job's folder under `--checkpoints`, named by everything that its results depend on."""
    from scripts.lm.checkpoints import checkpoint_folder, digest_of_model

    files = [*args.train, *args.valid, *args.test, *filter(None, [args.augmentation])]
    key = {
        "results": str(args.results_out),  # two jobs may train alike, and the first to end removes its folder
        "students": [dataclasses.asdict(student) for student in students],
        "rows": [hashlib.sha256(path.read_bytes()).hexdigest() for path in files],
        "model": digest_of_model(loaded.model),
    }
    return checkpoint_folder(args.checkpoints, job.given(), key)


def as_record(student: Student, result: TrainResult) -> dict[str, Any]:
    """Return a student's result as JSON: what it is, its numbers, its evaluations, its answers to the test rows."""
    return {
        "student": dataclasses.asdict(student),
        "metrics": result.metrics,
        "history": result.history,
        "predictions": result.predictions,
    }


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--teachers", nargs="+", required=True, help="teachers whose rows are given, in their order")
    parser.add_argument("--train", nargs="+", type=Path, required=True, help="JSONL of schema distillation per teacher")
    parser.add_argument(
        "--valid", nargs="*", type=Path, default=[], help="likewise; without, a tenth of train is held out"
    )
    parser.add_argument("--test", nargs="+", type=Path, required=True, help="likewise")
    parser.add_argument("--augmentation", type=Path, help="further rows for augmented students")
    parser.add_argument("--students", required=True, help="JSON: a list of plan.Student")
    parser.add_settings(JobSettings)
    parser.add_argument("--model", required=True, help="folder of the model that every student starts from")
    parser.add_argument("--device", required=True, help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, required=True, help="CPU threads of torch")
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder for what a killed job goes on from")
    parser.add_argument("--results-out", required=True, type=Path, help="JSON: numbers and evaluations per student")
    parser.add_argument("--predictions-out", required=True, type=Path, help="JSONL: a line per student and test row")
    parser.add_argument("--facts-out", required=True, type=Path, help="JSON: seconds and device, no result")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Train and measure all students of a job."""
    args = parse_args(argv)
    job: JobSettings = args.settings
    students = read_students(args.students)
    rows = Rows(args)
    from scripts.lm.checkpoints import is_first_process
    from scripts.step_by_step.cuts import CutReport
    from scripts.step_by_step.student_models import load_student

    start = time.perf_counter()
    loaded = load_student(args.model, method=job.train.method, device=args.device, threads=args.threads)
    if job.dropout is not None:
        set_dropout(loaded.model, job.dropout)
    kept = job_folder(args, job, students, loaded)
    kind = loaded.model.config.model_type
    if job.together and kind == STACKED:
        found = [as_record(*pair) for pair in zip(students, train_stack(loaded, students, rows, job, kept))]
    else:
        if job.together:
            logger.info("models of type %s cannot be stacked: the students are trained one after another", kind)
        cuts = CutReport()
        found = [train_one(loaded, student, rows, job, kept, cuts) for student in students]
    if not is_first_process():
        return
    write_jsonl(
        args.predictions_out,
        (
            {"student": Student(**record["student"]).name, "row": number, **row}
            for record in found
            for number, row in enumerate(record["predictions"])
        ),
    )
    size = sum(weight.numel() for weight in loaded.model.parameters())
    kept_keys = ("student", "metrics", "history")
    write_json(args.results_out, [{"n_parameters": size, **{k: record[k] for k in kept_keys}} for record in found])
    write_json(args.facts_out, {"seconds": round(time.perf_counter() - start, 2), "device": str(loaded.device)})
    shutil.rmtree(kept, ignore_errors=True)


def set_dropout(model: Any, share: float) -> None:
    """Set the dropout probability of a model, in its configuration and in every layer that has been built from it."""
    from torch.nn import Dropout

    for place in (model.config, *model.modules()):
        if isinstance(place, Dropout):
            place.p = share
        for name in DROPOUTS:
            if isinstance(getattr(place, name, None), (int, float)):
                setattr(place, name, share)


if __name__ == "__main__":
    run_step(main)
