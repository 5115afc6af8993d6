"""Distilling Step-by-Step and what it is compared with: training, evaluation, prediction (paper, sections 3 and 4).

The loss of a micro-batch is the weighted sum of its tasks' token means, alpha for the label and 1 - alpha for the
rationale, as in the released code; the paper writes L_label + lambda L_rationale, which is the same up to a factor of
the learning rate (lambda = (1 - alpha) / alpha).

# DEVIATION: the released code evaluates on the test split during training and reports that; here the test accuracy of
# the step with the best validation accuracy stands beside that of the last step.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Mapping, Sequence

import numpy as np
import torch

from scripts.common.seeding import derive_seed, seed_all
from scripts.lm.loop import check_finite, update_weights
from scripts.lm.optimizer_options import step_share
from scripts.step_by_step.cuts import CutReport
from scripts.step_by_step.encoding import (
    EXPLAIN,
    BatchOrder,
    EncodedTask,
    encode_inputs,
    encode_tasks,
    make_batch,
    question_of,
)
from scripts.step_by_step.exams import Exam, decoded, evaluate
from scripts.step_by_step.settings_train import TrainSettings
from scripts.step_by_step.splits import Run, Splits
from scripts.step_by_step.student_models import Lengths, input_limit
from scripts.step_by_step.students import SingleStudent, StackedStudents, make_optimizer

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, Mapping[str, float]], None]


@dataclasses.dataclass
class TrainResult:
    """What one run gave.

    metrics: accuracies in [0, 1] at the last step and at the step with the best validation accuracy, losses in nats,
    counts. history: one entry per evaluation. predictions: input, label and output of every test row at the last step.
    best_state: weights of the step with the best validation accuracy; None without validation rows.
    """

    metrics: dict[str, Any]
    history: list[dict[str, float]]
    predictions: list[dict[str, Any]]
    best_state: dict[str, torch.Tensor] | None = None


def learning_rate(step: int, settings: TrainSettings) -> float:
    """Return the learning rate of a step (counted from 0): a linear rise, then a linear fall to 0 at `max_steps`."""
    return settings.learning_rate * step_share(step, settings.max_steps, settings.warmup_steps, "linear")


def train_student(
    loaded: LoadedModel,
    splits: Splits,
    settings: TrainSettings,
    *,
    seed: int,
    checkpoints: Path | None = None,
    progress: Progress | None = None,
    cuts: CutReport | None = None,
) -> TrainResult:
    """Train `loaded.model` in place and return what it learnt; the weights are those of the last step.

    checkpoints: folder for what a killed run goes on from, needed where `settings.save_steps` is above 0. progress:
    called as progress(step, max_steps, values) after each step, with the loss and, where measured, accuracies. cuts:
    says what is too long for the student.
    Raises `UserError` for missing rationales or labels, empty splits, and a loss that is not finite.
    """
    student = SingleStudent(loaded, bfloat16=settings.bf16, eval_batch_size=settings.eval_batch_size)
    run = Run(splits, seed, settings.label_type, settings.alpha)
    result = _train(student, loaded, [run], settings, checkpoints, progress, cuts)[0]
    loaded.model.eval()
    return result


def train_many(
    loaded: LoadedModel,
    runs: Sequence[Run],
    settings: TrainSettings,
    *,
    checkpoints: Path | None = None,
    progress: Progress | None = None,
    cuts: CutReport | None = None,
) -> list[TrainResult]:
    """Train several runs of one small T5 at once, each from the weights of `loaded.model`, which stays as it is.

    Each run's numbers are those of `train_student` with its rows, seed, label_type and alpha, up to rounding. For
    models so small that starting an operation costs more than doing it; on the CPU and without dropout.
    """
    student = StackedStudents(loaded, len(runs), eval_batch_size=settings.eval_batch_size)
    return _train(student, loaded, runs, settings, checkpoints, progress, cuts)


def predict(
    loaded: LoadedModel,
    inputs: Sequence[str],
    *,
    method: str,
    lengths: Lengths,
    batch_size: int,
    task: str = "predict",
    bf16: bool = False,
    cuts: CutReport | None = None,
) -> list[str]:
    """Return what a trained student writes for each input, greedily; task_prefix students get their prefix.

    lengths: as in training; a rationale, and what single_task writes, may be as long as a learnt target. task: predict
    for the label, explain for the rationale (task_prefix only). pinto inputs must hold the rationale. cuts: says what
    was too long.
    """
    student = SingleStudent(loaded, bfloat16=bf16, eval_batch_size=batch_size)
    if method == "task_prefix":
        prefix = EXPLAIN if task == "explain" else ""
        inputs = [prefix + text if prefix else question_of({"input": text}, method, "") for text in inputs]
    texts = encode_inputs(loaded.tokenizer, inputs, input_limit(loaded, lengths), loaded.family)
    key = "max_target_length" if task == "explain" or method == "single_task" else "gen_max_len"
    longest = max(getattr(lengths, key), lengths.gen_max_len)
    outputs = student.generate([texts], longest)[0]
    if cuts is not None:
        cuts.inputs([texts], lengths.max_input_length)
        end = loaded.tokenizer.eos_token_id
        cuts.outputs(sum(end not in tokens for tokens in outputs), len(outputs), longest, key)
    return decoded(loaded, outputs)


# ---- the loop --------------------------------------------------------------------------------------------------------


def _train(
    student: SingleStudent | StackedStudents,
    loaded: LoadedModel,
    runs: Sequence[Run],
    settings: TrainSettings,
    checkpoints: Path | None,
    progress: Progress | None,
    cuts: CutReport | None,
) -> list[TrainResult]:
    """Train the student's runs to the last step, from a checkpoint of the same run if there is one."""
    from scripts.step_by_step.run_state import RunState

    tasks = [_encoded(loaded, run, settings) for run in runs]
    exams = [Exam(loaded, run.splits, settings.model_copy(update={"label_type": run.label_type})) for run in runs]
    largest = max(range(len(runs)), key=lambda number: len(runs[number].splits.train))
    (cuts or CutReport()).of_training(tasks[largest], exams[largest], settings)
    weights = torch.tensor([[task.weight for task in of_run] for of_run in tasks]).t()  # (tasks, runs)
    feeder = Feeder(tasks, settings, [run.seed for run in runs], student.pad)
    optimizer = student.spread(make_optimizer(student, settings))
    state = RunState(student, optimizer, settings, runs, tasks, checkpoints)
    state.resume()
    weights = weights.to(student.parameters()[0].device)
    while state.step < settings.max_steps:
        seed_all(
            derive_seed(runs[0].seed, "step", state.step) % 2**63
        )  # dropout does not depend on where a run resumed
        losses = take_step(student, optimizer, feeder.batches(state.step), weights, settings, state.step)
        state.step += 1
        state.losses.append([round(loss, 6) for loss in losses])
        values = {"loss": sum(losses) / len(losses)}
        if state.step % settings.eval_steps == 0 or state.step == settings.max_steps:
            values.update(state.note_exams(evaluate(student, exams, settings), losses))
        if progress is not None:
            progress(state.step, settings.max_steps, values)
        if settings.save_steps and state.step % settings.save_steps == 0 and state.step < settings.max_steps:
            state.save()
    results = [
        _result(student, run, number, exam, state, settings) for number, (run, exam) in enumerate(zip(runs, exams))
    ]
    state.finish()
    return results


def take_step(
    student: SingleStudent | StackedStudents,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Any],
    weights: torch.Tensor,
    settings: TrainSettings,
    step: int,
) -> list[float]:
    """Take one optimizer step over its micro-batches; return each run's loss in nats.

    weights: (tasks, runs), on the student's device. Raises `UserError` if a loss is not finite.
    """
    student.train_mode()
    counts = [torch.from_numpy(batch.counts()).to(weights.device) for batch in batches]
    # Gradients are averaged over the processes, so each divides by its share of all tokens.
    whole = student.mean_over_processes(torch.stack(counts).sum(0)) if settings.token_mean == "step" else None
    total = torch.zeros(weights.shape[1], device=weights.device)
    for batch, count in zip(batches, counts):
        divisor = count * len(batches) if whole is None else whole
        losses = (weights * student.task_losses(batch) / divisor.clamp(min=1)).sum(0)
        losses.sum().backward()
        total += losses.detach()
    found = student.mean_over_processes(total).tolist()
    check_finite(found, step, settings.max_steps, settings.learning_rate)
    student.clip(settings.max_grad_norm)
    update_weights(optimizer, learning_rate(step, settings))
    return found


class Feeder:
    """Gives the micro-batches of each optimizer step, for all runs at once."""

    def __init__(self, tasks: Sequence[Sequence[EncodedTask]], settings: TrainSettings, seeds: Sequence[int], pad: int):
        from scripts.lm.checkpoints import world_size

        self.tasks, self.pad, self.accumulation = tasks, pad, settings.accumulation
        self.orders = [BatchOrder(len(t[0].inputs), settings.batch_size, s) for t, s in zip(tasks, seeds)]
        self.processes = world_size()

    def batches(self, step: int) -> list[Any]:
        """Return the micro-batches of a step; of several processes each takes every n-th."""
        first, stride = (step * self.accumulation) * self.processes + int(os.environ.get("RANK", "0")), self.processes
        numbers = range(first, first + self.accumulation * stride, stride)
        return [make_batch(self.tasks, [order.batch(number) for order in self.orders], self.pad) for number in numbers]


def _encoded(loaded: LoadedModel, run: Run, settings: TrainSettings) -> list[EncodedTask]:
    return encode_tasks(
        loaded.tokenizer,
        run.splits.train,
        method=settings.method,
        label_type=run.label_type,
        alpha=run.alpha,
        form=settings.form,
        longest_input=input_limit(loaded, settings),
        longest_target=settings.max_target_length,
        family=loaded.family,
    )


def _result(
    student: SingleStudent | StackedStudents, run: Run, number: int, exam: Exam, state: Any, settings: TrainSettings
) -> TrainResult:
    """Return the result of one run from its last evaluation and its history."""
    history, answers = state.histories[number], state.last[number]
    chosen = (
        max(history, key=lambda entry: (entry["valid_accuracy"], -entry["step"])) if "valid" in exam.parts else None
    )
    metrics = {
        "seed": run.seed,
        "n_train": len(run.splits.train),
        "n_valid": len(run.splits.valid or ()),
        "n_test": len(run.splits.test),
        "test_accuracy_last": history[-1]["test_accuracy"],
        "valid_accuracy_last": history[-1].get("valid_accuracy"),
        "test_accuracy_selected": chosen["test_accuracy"] if chosen else None,
        "valid_accuracy_selected": chosen["valid_accuracy"] if chosen else None,
        "selected_step": chosen["step"] if chosen else None,
        "last_loss": state.losses[-1][number],
        "cut_share": float(np.mean(answers["test"].cut)),
    }
    predictions = [
        {"input": row["input"], "label": row["label"], "prediction": label, "output": text, "correct": right}
        for row, text, label, right in zip(
            run.splits.test, answers["test"].texts, exam.labels(answers["test"].texts), answers["test"].correct
        )
    ]
    if settings.output_rationale and settings.method == "task_prefix" and isinstance(student, SingleStudent):
        rationales = predict(
            exam.loaded, [str(row["input"]) for row in run.splits.test], method=settings.method, lengths=settings,
            batch_size=settings.eval_batch_size, task="explain", bf16=settings.bf16,
        )  # fmt: skip
        predictions = [{**row, "rationale": text} for row, text in zip(predictions, rationales)]
    return TrainResult(metrics, history, predictions, state.best[number])
