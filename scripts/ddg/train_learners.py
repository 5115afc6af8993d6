"""Evaluation A: train learners on small sets and test them on real texts.

Each set of each method trains `models` learners that differ in their classifier and the order of the batches; the test
split is read once each is trained (the last state counts, no early stopping). Learners of one size are trained
together, `parallel` at a time.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import PathLike, write_csv
from scripts.common.seeding import derive_seed
from scripts.common.settings import named_values
from scripts.common.step_parser import StepParser
from scripts.data.label_names import check_label_names
from scripts.ddg.distilled import TextSet, read_set, set_path
from scripts.ddg.flags import add_device_flags
from scripts.ddg.run_columns import FULL
from scripts.ddg.run_columns import LEARNER_COLUMNS as RUN_COLUMNS
from scripts.ddg.settings_steps import LearnerSettings
from scripts.ddg.texts import Task, read_task

if TYPE_CHECKING:
    from scripts.ddg.ensemble import Run
    from scripts.ddg.learners import Learner, Start

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Plan:
    """One learner to train: where its texts come from and its seed. dpc `full`: all training texts."""

    method: str
    dpc: str
    seed: int
    draw: int
    model: int
    texts: TextSet

    def run_seed(self) -> int:
        """Return the seed of classifier and batches: the same for all methods, so that their differences are paired."""
        return derive_seed(self.seed, "learner", self.dpc, self.draw, self.model)


def metrics_of(predicted: Sequence[int], right: Sequence[int], n_classes: int) -> dict[str, float]:
    """Return accuracy, Matthews correlation and, for two classes, the mean of accuracy and F1 of class 1."""
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    accuracy = float(accuracy_score(right, predicted))
    found = {"accuracy": accuracy, "matthews": float(matthews_corrcoef(right, predicted))}
    if n_classes == 2:
        found["accuracy_f1_mean"] = (accuracy + float(f1_score(right, predicted, zero_division=0.0))) / 2
    return found


def read_plans(
    sets: dict[str, Path], settings: LearnerSettings, seeds: Sequence[int], test: Task, source: PathLike
) -> list[Plan]:
    """Return the learners to train on the sets of all methods; source: the file of the test rows.

    Raises `UserError` naming a missing or damaged set, or sets of other classes than the test rows.
    """
    plans = []
    for method, folder in sets.items():
        check_label_names(folder, test.label_names, source)
        for dpc in settings.dpcs:
            for seed in seeds:
                for draw in range(settings.draws):
                    texts = read_set(set_path(folder, seed, dpc, draw), settings.text_columns, test.n_classes)
                    plans += [Plan(method, str(dpc), seed, draw, model, texts) for model in range(settings.models)]
    return plans


def full_plans(task: Task, settings: LearnerSettings, seeds: Sequence[int]) -> list[Plan]:
    """Return the learners to train on all training texts: the upper reference."""
    texts = TextSet(task.columns, task.texts, task.labels)
    return [Plan(FULL, FULL, seed, 0, model, texts) for seed in seeds for model in range(settings.models)]


def groups_of(plans: Sequence[Plan], parallel: int) -> Iterator[list[Plan]]:
    """Yield plans whose sets have equally many texts, `parallel` at a time, in their order."""
    by_size: dict[int, list[Plan]] = {}
    for plan in plans:
        by_size.setdefault(len(plan.texts.labels), []).append(plan)
    for group in by_size.values():
        for start in range(0, len(group), parallel):
            yield group[start : start + parallel]


def evaluate(
    learner: Learner, start: Start, plans: Sequence[Plan], test: Task, settings: LearnerSettings
) -> list[dict[str, Any]]:
    """Train and test the learners of `plans`; return one row a learner and metric."""
    import torch

    from scripts.ddg.ensemble import Run, predict, train_together

    test_rows = learner.encode(test.texts, settings.max_tokens)
    read: dict[int, list[dict[str, list[int]]]] = {}

    def run_of(plan: Plan) -> Run:
        if id(plan.texts) not in read:
            read[id(plan.texts)] = learner.encode(plan.texts.texts, settings.max_tokens)
        return Run(read[id(plan.texts)], plan.texts.labels, plan.run_seed())

    results = []
    for number, group in enumerate(groups_of(plans, settings.parallel)):
        torch.manual_seed(group[0].run_seed())
        steps = settings.full_steps if group[0].dpc == FULL else settings.steps
        weights = train_together(
            learner,
            start,
            [run_of(plan) for plan in group],
            steps,
            settings.batch_size,
            settings.optimizer,
            settings.dropout,
        )
        predicted = predict(learner, weights, test_rows, settings.test_batch_size).tolist()
        for plan, own in zip(group, predicted):
            for metric, value in metrics_of(own, test.labels, test.n_classes).items():
                row = (plan.method, plan.dpc, plan.seed, plan.draw, plan.model, metric, f"{value:.9g}", len(own))
                results.append(dict(zip(RUN_COLUMNS, row)))
        logger.info(
            "group %d: %s, %s texts a class", number, ", ".join(sorted({p.method for p in group})), group[0].dpc
        )
    return results


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--sets", nargs="*", default=[], help="METHOD=FOLDER for each method")
    parser.add_argument("--full-examples", help="training rows; also train on all of them (method and dpc 'full')")
    parser.add_argument("--test", required=True, help="test rows, canonical classification JSON lines")
    parser.add_argument("--learner", required=True, help="encoder: folder, or hub id in the local cache")
    add_device_flags(parser)
    parser.add_settings(LearnerSettings)
    parser.add_argument("--seeds", required=True, nargs="+", type=int, help="seeds of the sets to read")
    parser.add_argument("--runs-out", required=True, help="CSV: one row a learner and metric")
    return parser.parse_args(argv)


def read_pairs(given: Sequence[str]) -> dict[str, Path]:
    """Return METHOD=FOLDER arguments as a mapping. Raises `UserError` for another form, or a method called FULL."""
    folders = named_values("--sets", given, "METHOD=FOLDER")
    if FULL in folders:
        raise UserError(f"--sets {FULL}={folders[FULL]}: '{FULL}' means all rows; give these sets another name")
    return {method: Path(folder) for method, folder in folders.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Train and test learners on all sets."""
    args = parse_args(argv)
    settings: LearnerSettings = args.settings
    if not args.sets and not args.full_examples:
        raise UserError("--sets: missing; name sets, or rows to train on with --full-examples")
    if args.sets and not settings.dpcs:
        raise UserError("--settings: dpcs is empty; say which sizes of the sets are read")
    test = read_task(args.test, settings.text_columns)
    plans = read_plans(read_pairs(args.sets), settings, args.seeds, test, args.test)
    if args.full_examples:
        full = read_task(args.full_examples, settings.text_columns)
        if full.label_names != test.label_names:
            raise UserError(f"{args.full_examples}: its labels are not those of {args.test}; prepare both alike")
        plans += full_plans(full, settings, args.seeds)
    from scripts.ddg.learners import Start, load_learner

    learner = load_learner(
        args.learner, test.n_classes, settings.pooling, device=args.device, threads=args.threads, seed=0
    )
    learner.encoder.set_attn_implementation("eager")  # the fused attention cannot be run for several learners at once
    rows = evaluate(learner, Start(learner), plans, test, settings)
    write_csv(args.runs_out, rows, RUN_COLUMNS)


if __name__ == "__main__":
    run_step(main)
