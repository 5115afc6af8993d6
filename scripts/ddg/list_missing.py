"""Write down what cannot be measured for DDG and DiLM and why, from the plan alone."""

from __future__ import annotations

import argparse
import logging
from typing import Any, Iterator, Sequence

from scripts.common.errors import run_step
from scripts.common.metrics import reason_row, write_metrics
from scripts.common.settings import parse_settings
from scripts.ddg.measurements import (
    AVERAGE,
    LEARNERS,
    PAPER,
    SETS,
    TRAINING,
    ContextRun,
    LearnerRun,
    context_experiment,
    context_setting,
    learner_setting,
)
from scripts.ddg.plan import BY_ROUNDS, IN_CONTEXT, OF_LEARNERS, Plan
from scripts.ddg.run_columns import ZERO_SHOT

logger = logging.getLogger(__name__)


def row(experiment: str, setting: str, model: str, method: str, reason: str) -> dict[str, Any]:
    """Return a row of the long schema that says why a value is missing."""
    return reason_row(PAPER, experiment, reason, setting=setting, model=model, method=method)


def missing_learners(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield a row for all learners that an artifact shows and that cannot be trained."""
    for run in dict.fromkeys(run for artifact in OF_LEARNERS for run in plan.learner_runs(artifact)):
        if reason := plan.obstacle(run):
            yield row(LEARNERS, run.setting, run.learner, run.method, reason)


def missing_prompts(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield a row for each round and scorer of what an artifact shows in context and that cannot be asked."""
    for run in dict.fromkeys(run for artifact in IN_CONTEXT for run in plan.context_runs(artifact)):
        if reason := plan.obstacle(run):
            for scorer in plan.scorers(run.protocol):
                for number in [0] if run.method == ZERO_SHOT else plan.rounds(run.protocol):
                    setting = context_setting(run.task, scorer, number)
                    yield row(context_experiment(run.protocol), setting, run.model, run.method, reason)


def missing_rounds(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield a row for each round and scorer that is shown and for which nothing is retrieved."""
    given = plan.ddg["in_context"]
    left_out = sorted({*given["rounds"]} - {*given["retrieval_rounds"]})
    reason = "demonstrations are retrieved in the rounds of ddg.in_context.retrieval_rounds only"
    for run in dict.fromkeys(run for artifact in BY_ROUNDS for run in plan.context_runs(artifact)):
        if plan.retrieves(run.method) and not plan.obstacle(run):
            for scorer in plan.scorers(run.protocol):
                for number in left_out:
                    setting = context_setting(run.task, scorer, number)
                    yield row(context_experiment(run.protocol), setting, run.model, run.method, reason)


def missing_averages(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield a row for each mean over tasks of which one cannot be had."""
    main = plan.ddg["table_main"]
    for (model, method), reason in plan.averages().items():
        for scorer in plan.scorers(main["protocol"]) if reason else ():
            setting = context_setting(AVERAGE, scorer, main["round"], method)
            yield row(context_experiment(main["protocol"]), setting, model, method, reason)


def missing_differences(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield a row for each difference of two methods of which one cannot be had."""
    ddg, main = plan.ddg, plan.ddg["table_main"]
    for pair in ddg["table_paired"]["pairs"]:
        for task in ddg["table_1"]["tasks"]:
            for size in ddg["table_1"]["dpcs"]:
                reason = plan.first_obstacle(LearnerRun(task, ddg["learner"], name, str(size)) for name in pair)
                if reason:
                    yield row(LEARNERS, learner_setting(task, size), ddg["learner"], "-".join(pair), reason)
            for model in ddg["in_context"]["models"]:
                reason = plan.first_obstacle(ContextRun(task, model, main["protocol"], name) for name in pair)
                for scorer in plan.scorers(main["protocol"]) if reason else ():
                    setting = context_setting(task, scorer, main["round"])
                    yield row(context_experiment(main["protocol"]), setting, model, "-".join(pair), reason)


def missing_texts(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield a row for each task without written texts, and for each training without a curve."""
    show = plan.ddg["table_examples"]
    for task in show["tasks"]:
        if reason := plan.absence(plan.set_materials(task, show["method"])):
            yield row(SETS, task, "", show["method"], reason)
    show = plan.ddg["figure_training"]
    if reason := plan.absence(plan.training_materials(show["task"])):
        yield from (row(TRAINING, show["task"], "", variant, reason) for variant in show["variants"])


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
    parts = (
        missing_learners,
        missing_prompts,
        missing_rounds,
        missing_averages,
        missing_differences,
        missing_texts,
    )
    rows = [one for part in parts for one in part(plan)]
    write_metrics(args.measured_out, rows)
    logger.info("%d reasons why something is missing", len(rows))


if __name__ == "__main__":
    run_step(main)
