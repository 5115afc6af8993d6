"""`thrift compare`: is a choice better than a random one of the same size? Fine-tunes on each, tests, and says so."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import math
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError
from scripts.common.files import read_csv, read_jsonl, write_csv, write_text
from scripts.own.asked import choice_parser, flag_words, folder_of, models_of, read_goal, task_of
from scripts.own.flags import OneLineParser, check_machine
from scripts.own.models import flags_of
from scripts.own.pages import Page, figure, render
from scripts.own.planning import Work, say_plan, tokens_of
from scripts.own.rows import OwnRows, hold_out, parse_columns, read_own
from scripts.own.run_folder import RunFolder, say, shown
from scripts.own.settings import GOAL, PAIR, POOL, TEST, TIER, Task, comparing_settings, model_of, model_rows
from scripts.own.statistics import Difference, paired_difference, verdict
from scripts.own.ways import check_ways, parse_ways, spoken
from scripts.selection.methods import WAYS

HELD_OUT, MOST_HELD_OUT = 0.2, 500
STAND_IN = 100
"""Rows of the pool that stand for a goal where none is given."""
RESULTS = f"results/{TIER}/head_to_head"
COLUMNS = ("method", "loglik_nats_per_token", "rouge_1", "against_random", "low", "high", "verdict", "choosing_gflops",
           "choosing_in_trainings", "choosing_seconds")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Files:
    """What the workflow is asked for: answers of each subset's models, counted operations, seconds of choosing."""

    answers: Sequence[str]
    operations: str
    times: str

    @classmethod
    def of(cls, task: Task) -> Files:
        """Return the files of a comparison: a job for the model as it is, one for the whole pool, one for each way."""
        place = f"{PAIR}/{model_of(task)}"
        jobs = [f"{RESULTS}/scores/{place}/words/jobs_{number}.jsonl" for number in range(2 + len(task.ways))]
        return cls(jobs, f"{RESULTS}/operations/{place}.csv", f"{RESULTS}/times_choosing.csv")


@dataclasses.dataclass(frozen=True)
class Result:
    """What one choice reached. name: as it is spoken of; loglik, rouge_1: means over test rows and trainings.

    difference: from random, and the sentence on it; None for random itself. flops, seconds: of choosing, None where
    nothing was counted.
    """

    name: str
    loglik: float
    rouge_1: float
    difference: Difference | None
    said: str
    flops: float | None
    trainings: float | None
    seconds: float | None


def parser() -> OneLineParser:
    """Return the parser of the command."""
    built, method = choice_parser(
        "compare",
        "Fine-tune on each choice and on random ones of the same size, test, and say what is better.",
        "it chooses and learns",
        "thrift compare pool.json --goal good.json --test held_out.json --model ./my_model --by nuggets,less",
    )
    method.add_argument(
        "--test", type=Path, metavar="FILE", help="rows to test on; else a fifth of the pool is held out"
    )
    method.add_argument("--seeds", type=int, metavar="N", default=3, help="trainings on each choice, 3 or more")
    method.add_argument("--epochs", type=float, metavar="N", default=3.0, help="of each training")
    method.add_argument("--learning-rate", type=float, metavar="X", help="of each training; else by the model's width")
    return built


def main(words: Sequence[str]) -> None:
    """Parse, compare, say it."""
    args = parser().parse(words)
    check_machine(args)
    run(args)


def compare(pool: str | Path, **flags: Any) -> list[Result]:
    """Compare choices; the flags are those of the command: compare("pool.json", by="ifd", model="./my_model")."""
    args = parser().parse([str(pool), *flag_words(flags)])
    check_machine(args)
    return run(args)


def run(args: argparse.Namespace) -> list[Result]:
    """Do what the flags say; nothing is returned where they ask for a plan only."""
    check_flags(args)
    ways = parse_ways(args.by)
    ways = ways if "random" in ways else ["random", *ways]
    check_ways(ways, goal=args.goal is not None, model=True)
    models = models_of(args, ways, always=True)
    pool, goal, test = read_parts(args)
    task = task_of(args, ways, (len(pool), len(goal)), list(range(args.seeds)), models)
    if task.keep == task.n_pool:
        raise UserError(f"--keep {args.keep}: is the whole pool, so there is nothing to compare; give less")
    out = folder_of(args)
    folder = RunFolder(out / "run_compare", flags_of(model=models[0], embedder=models[1]))
    parts = {POOL: pool.rows, GOAL: goal.rows, TEST: test.rows}
    folder.prepare(comparing_settings(task, args.epochs, args.learning_rate), parts, model_rows(*models))
    files = Files.of(task)
    targets = [*files.answers, files.operations, files.times]
    if args.config_only:
        say(f"settings: {shown(folder.path / 'own.yaml')}")
        return []
    if args.dry_run:
        say_plan(folder, targets, args, Work(task, tokens_of(pool.rows), len(test), args.epochs))
        return []
    folder.run(targets, args.cores, args.profile)
    found = results_of(task, folder.path, len(test))
    show(found, task, out / "compared", pool, test)
    return found


def check_flags(args: argparse.Namespace) -> None:
    """Raise `UserError` for values that cannot work."""
    if args.model is None:
        raise UserError("--model: a comparison fine-tunes a model; give a folder or a hub id")
    if args.seeds < 3:
        raise UserError(f"--seeds: {args.seeds} trainings say nothing about chance; give 3 or more")
    if args.learning_rate is not None and not 0 < args.learning_rate < 1:
        raise UserError(
            f"--learning-rate: {args.learning_rate:g} teaches nothing; give a number between 0 and 1, e.g. 2e-5"
        )
    if not 0 < args.epochs <= 1000:
        raise UserError(f"--epochs: {args.epochs:g} is no training; give a number from above 0 to 1000")


def read_parts(args: argparse.Namespace) -> tuple[OwnRows, OwnRows, OwnRows]:
    """Return (pool, goal, test): read, or drawn from the pool where they are not given, which is said."""
    columns = parse_columns(args.columns)
    pool = read_own(args.pool, "POOL", columns, args.turns)
    say(pool.said)
    goal = read_goal(args, columns)
    if args.test is not None:
        test = read_own(args.test, "--test", columns, args.turns)
        say(test.said)
    else:
        pool, test = hold_out(pool, HELD_OUT, MOST_HELD_OUT, seed=0)
        say(f"no --test: {len(test):,} rows of the pool, drawn by chance, are held out to test on; {len(pool):,} stay")
    if len(test) < 2:
        raise UserError("--test: one row says nothing; give at least some dozens")
    if goal is None:
        goal = hold_out(pool, HELD_OUT, STAND_IN, seed=1, flag="--goal")[1]
        say(f"no --goal: {len(goal):,} rows of the pool, drawn by chance, stand for what is to be learnt")
    seen = {(row["instruction"], row["input"]) for row in pool.rows}
    asked = sum((row["instruction"], row["input"]) in seen for row in test.rows)
    if asked:
        say(f"note: {asked:,} of {len(test):,} test rows ask what a row of the pool asks: they say less than others")
    return pool, goal, test


def results_of(task: Task, folder: Path, n_test: int) -> list[Result]:
    """Return what each choice reached: base model, random, the ways, the whole pool."""
    files = Files.of(task)
    answers = [row for path in files.answers for row in read_jsonl(folder / path)]
    loglik, rouge = per_row(answers)
    if loglik["own_random"].shape[1] < 2:
        raise UserError("--test: fewer than 2 rows have an answer that fits the model's window; give shorter ones")
    dropped = n_test - loglik["own_random"].shape[1]
    if dropped:
        say(f"note: {dropped} of {n_test} test rows do not fit the model's window and are left out")
    flops = {row["what"]: float(row["flops"]) for row in read_csv(folder / files.operations)}
    seconds: dict[str, float] = collections.Counter()
    for row in read_csv(folder / files.times):
        seconds[row["method"]] += float(row["seconds"])
    random = loglik["own_random"]
    found = []
    for method, name in [
        ("initial", "the model as it is"),
        *((f"own_{w}", spoken(w)) for w in task.ways),
        ("full", "the whole pool"),
    ]:
        difference = None if method == "own_random" else paired_difference(loglik[method], random)
        way = method.removeprefix("own_")
        cost = flops.get(WAYS[way].cost, 0.0) if way in WAYS else None
        found.append(
            Result(
                name=name,
                loglik=float(loglik[method].mean()),
                rouge_1=float(rouge[method].mean()),
                difference=difference,
                said=verdict(name, "random", difference, "nats") if difference else "",
                flops=cost,
                trainings=None if cost is None else cost / flops["finetune"],
                seconds=seconds.get(method, 0.0) if way in WAYS else None,
            )
        )
    return found


def per_row(answers: Sequence[Mapping[str, Any]]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return ({method: log-likelihoods, nats per token}, {method: ROUGE-1}), each (trainings, test rows).

    Rows whose answer has no token left in the window are left out for every method.
    """
    cut = {row["id"] for row in answers if not row["n_tokens"]}
    kept = [row for row in answers if row["id"] not in cut]
    by_method: dict[str, dict[int, list[Mapping[str, Any]]]] = {}
    for row in kept:
        by_method.setdefault(row["method"], {}).setdefault(row["seed"], []).append(row)

    def table(method: str, value: Any) -> np.ndarray:
        seeds = by_method[method]
        return np.array([[value(row) for row in sorted(seeds[seed], key=lambda r: r["id"])] for seed in sorted(seeds)])

    names = list(by_method)
    return (
        {name: table(name, lambda row: row["loglik_nats"] / row["n_tokens"]) for name in names},
        {name: table(name, lambda row: row["rouge_1"]) for name in names},
    )


def show(found: Sequence[Result], task: Task, folder: Path, pool: OwnRows, test: OwnRows) -> None:
    """Print the table, write it as CSV and as a page."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "compared.csv", [row_of(one) for one in found], COLUMNS)
    lines = table_lines(found)
    say("\n" + "\n".join(lines) + "\n")
    for one in found:
        if one.said:
            say(one.said)
    page = Page(
        title=f"{task.keep:,} of {task.n_pool:,} rows of {pool.path.name}",
        facts=(
            f"{len(task.seeds)} trainings on each choice, {len(test):,} test rows ({test.path.name}); log-likelihood of"
            " the right answers in nats per token, the mean over test rows; differences are paired by test row and"
            " training, with 95 % intervals for both"
        ),
        results=found,
    )
    write_text(folder / "compared.html", render(page))
    write_text(folder / "compared.svg", figure(found) + "\n")
    say(f"\nwith the figure: {shown(folder / 'compared.html')}; the numbers: {shown(folder / 'compared.csv')}")


def row_of(one: Result) -> dict[str, str]:
    """Return a result as a row of the table on disk."""
    difference = one.difference
    numbers = (one.flops and one.flops / 1e9, one.trainings, one.seconds)
    return {
        "method": one.name,
        "loglik_nats_per_token": f"{one.loglik:.6g}",
        "rouge_1": f"{one.rouge_1:.6g}",
        "against_random": "" if difference is None else f"{difference.mean:.6g}",
        "low": "" if difference is None else f"{difference.low:.6g}",
        "high": "" if difference is None else f"{difference.high:.6g}",
        "verdict": one.said,
        **dict(zip(COLUMNS[-3:], ("" if value is None else f"{value:.6g}" for value in numbers))),
    }


def table_lines(found: Sequence[Result]) -> list[str]:
    """Return the table as it is printed."""
    head = ("", "nats per token", "against random", "95 % interval", "ROUGE-1", "cost of choosing")
    cells = [head]
    for one in found:
        difference = one.difference
        cells.append(
            (
                one.name,
                f"{one.loglik:.3f}",
                "" if difference is None else f"{difference.mean:+.3f}",
                "" if difference is None else f"[{difference.low:+.3f}, {difference.high:+.3f}]",
                f"{one.rouge_1:.3f}",
                cost_in_words(one),
            )
        )
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]


def cost_in_words(one: Result) -> str:
    """Return what a choice cost: operations, in trainings on one choice, and seconds."""
    if one.flops is None or one.trainings is None or one.seconds is None:
        return ""
    if one.flops == 0:
        return "nothing"
    digits = max(0, 1 - math.floor(math.log10(one.trainings))) if one.trainings < 10 else 0
    return f"{one.flops / 1e9:,.3g} GFLOP = {one.trainings:.{min(digits, 3)}f} trainings, {one.seconds:.0f} s"
