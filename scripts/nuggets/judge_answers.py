"""Judge the answers of all subsets to one benchmark (NUGGETS, section 4.2).

Modes:
- `alpaca_eval`: preference over the benchmark's baseline answer; win rate in percent, a tie counts half.
- `mt_bench`: a grade from 1 to 10 for each turn of each dialogue.
- `pairwise`: preference over the answer of another subset's model; shares of wins, ties and losses. With both orders
  judged, two wins or a win and a tie are a win, and a win and a loss are a tie.
Where references exist, exact match and ROUGE-L are measured as well. The judgements are written as AlpacaEval's
annotations and FastChat's single-answer judgments.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import math
from pathlib import Path
from typing import Any, Iterable, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json, read_jsonl, write_jsonl
from scripts.common.metrics import metric_row, reason_row, write_metrics
from scripts.common.step_parser import StepParser
from scripts.data.schemas import read_examples
from scripts.judging.backend import make_judge
from scripts.judging.judge import (
    TIE,
    Item,
    Judge,
    Pair,
    Verdict,
    alpaca_eval_rows,
    judge_items,
    judge_pairs,
    mt_bench_rows,
    verdicts_of,
    win_rate,
)
from scripts.lm.prompts import joined_instruction
from scripts.nuggets.benchmarks import BENCHMARK_OF, OVERALL, WIN_RATE, experiment, question_id
from scripts.nuggets.benchmarks import GRADE as GRADE_METRIC
from scripts.nuggets.judge_prompts import GRADE, PAIR
from scripts.nuggets.settings_judge import JudgeSettings

logger = logging.getLogger(__name__)

N_JUDGED = "n_judged"
UNJUDGED = "no answer could be judged: the reference judge needs reference answers, and the benchmark has none"


def order_of(settings: JudgeSettings) -> str:
    """Return in which orders pairs are judged; the reference judge cannot see the order, so once is enough."""
    if settings.backend == "reference":
        return "given"
    return "both" if settings.swap else "random"


@dataclasses.dataclass(frozen=True)
class Run:
    """The answers of one subset's models, AlpacaEval or FastChat rows by seed; none, and why, if none was trained."""

    name: str
    answers: Mapping[int, Sequence[Mapping[str, Any]]]
    reason: str = ""

    @property
    def anchors(self) -> str:
        """The anchor set whose scores chose the subset."""
        return self.name.split("/")[0]

    @property
    def method(self) -> str:
        """How the subset was chosen."""
        return self.name.split("/")[1]


@dataclasses.dataclass(frozen=True)
class Result:
    """One judged thing: its groups, the judge's verdict (None = not judged), and measures that need no judge."""

    groups: tuple[str, ...]
    verdict: Verdict | None
    measures: Mapping[str, float]


def judge_alpaca_eval(
    judge: Judge, settings: JudgeSettings, run: Run, examples: Sequence[Mapping[str, Any]], seed: int
) -> tuple[list[Result], list[dict[str, Any]]]:
    """Judge one seed's answers against the benchmark's baseline answers; return results and AlpacaEval annotations."""
    without = [row["id"] for row in examples if not row["baseline_output"]]
    if without:
        raise UserError(
            f"alpaca_eval: example '{without[0]}' has no baseline answer to beat; use a benchmark with them"
        )
    outputs = checked_outputs(run, seed, examples)
    pairs = [
        Pair(joined_instruction(row), row["baseline_output"], output, row["reference"])
        for row, output in zip(examples, outputs)
    ]
    verdicts = verdicts_of(
        settings.backend, pairs, lambda some: judge_pairs(judge, some, order=order_of(settings), seed=seed)
    )
    measures = text_measures(outputs, [row["reference"] for row in examples])
    results = [
        Result(("all", row["group"]), verdict, measure) for row, verdict, measure in zip(examples, verdicts, measures)
    ]
    return results, annotations(judge, pairs, verdicts, examples, "baseline", f"{run.name}/seed_{seed}")


def judge_mt_bench(
    judge: Judge, settings: JudgeSettings, run: Run, examples: Sequence[Mapping[str, Any]], seed: int
) -> tuple[list[Result], list[dict[str, Any]]]:
    """Grade one seed's answers turn by turn; return results and FastChat judgments."""
    answers = rows_of(run, seed, len(examples))
    items: list[Item] = []
    places: list[tuple[int | str, int]] = []
    groups: list[tuple[str, ...]] = []
    for row, answered in zip(examples, answers):
        turns = answered["choices"][0]["turns"]
        if answered["question_id"] != question_id(row["id"]) or len(turns) != len(row["turns"]):
            raise UserError(
                f"{run.name}, seed {seed}: answers are not those of question {row['id']}; generate them again"
            )
        references = row["references"] or [""] * len(turns)
        for number, (question, answer, reference) in enumerate(zip(row["turns"], turns, references)):
            earlier = tuple(zip(row["turns"][:number], turns[:number]))
            items.append(Item(question, answer, reference, earlier))
            places.append((question_id(row["id"]), number + 1))
            groups.append((OVERALL["mt_bench"], row["category"], f"turn_{number + 1}"))
    verdicts = verdicts_of(settings.backend, items, lambda some: judge_items(judge, some))
    measures = text_measures([item.answer for item in items], [item.reference for item in items])
    results = [Result(*three) for three in zip(groups, verdicts, measures)]
    judged = [index for index, verdict in enumerate(verdicts) if verdict is not None]
    rows = mt_bench_rows(
        [places[index][0] for index in judged],
        [places[index][1] for index in judged],
        [verdicts[index] for index in judged],
        model=f"{run.name}/seed_{seed}",
        judge=judge.name,
        template="single",
    )
    return results, [{**row, "tstamp": 0.0} for row in rows]


def judge_pairwise(
    judge: Judge,
    settings: JudgeSettings,
    run: Run,
    reference_run: Run,
    examples: Sequence[Mapping[str, Any]],
    seed: int,
) -> tuple[list[Result], list[dict[str, Any]]]:
    """Judge one seed's answers against the reference run's of the same seed; return results and annotations.

    A run with a single seed (the model itself) meets every seed of the other.
    """
    ours = checked_outputs(run, seed if seed in run.answers else next(iter(run.answers)), examples)
    theirs = checked_outputs(
        reference_run, seed if seed in reference_run.answers else next(iter(reference_run.answers)), examples
    )
    pairs = [
        Pair(joined_instruction(row), other, own, row["reference"]) for row, other, own in zip(examples, theirs, ours)
    ]
    verdicts = verdicts_of(
        settings.backend, pairs, lambda some: judge_pairs(judge, some, order=order_of(settings), seed=seed)
    )
    results = [Result((f"vs_{reference_run.method}",), verdict, {}) for verdict in verdicts]
    names = f"{reference_run.name}/seed_{seed}", f"{run.name}/seed_{seed}"
    return results, annotations(judge, pairs, verdicts, examples, *names)


def text_measures(answers: Sequence[str], references: Sequence[str]) -> list[dict[str, float]]:
    """Return the length of each answer in characters and, where there is a reference, exact match and ROUGE-L (F1)."""
    from scripts.judging.reference import exact_match, rouge

    measures: list[dict[str, float]] = [{"answer_length_chars": float(len(answer))} for answer in answers]
    known = [i for i, reference in enumerate(references) if reference.strip()]
    pair = [answers[i] for i in known], [references[i] for i in known]
    for i, equal, overlap in zip(known, exact_match(*pair), rouge(*pair)["rougeL"]):
        # ROUGE sees Latin letters and digits only: an equal answer without any still agrees wholly.
        measures[i].update(exact_match=float(equal), rouge_l=1.0 if equal else overlap)
    return measures


def annotations(
    judge: Judge,
    pairs: Sequence[Pair],
    verdicts: Sequence[Verdict | None],
    examples: Sequence[Mapping[str, Any]],
    name_1: str,
    name_2: str,
) -> list[dict[str, Any]]:
    """Return the judged pairs as AlpacaEval annotations, each with its group in `dataset`."""
    judged = [i for i, verdict in enumerate(verdicts) if verdict is not None]
    rows = alpaca_eval_rows(
        [pairs[i] for i in judged],
        [verdicts[i] for i in judged],
        annotator=judge.name,
        generator_1=name_1,
        generator_2=name_2,
    )
    return [{**row, "dataset": examples[i]["group"]} for i, row in zip(judged, rows)]


def rows_of(run: Run, seed: int, n_expected: int) -> Sequence[Mapping[str, Any]]:
    """Return one seed's answers. Raises `UserError` unless there is one per example of the benchmark."""
    rows = run.answers[seed]
    if len(rows) != n_expected:
        raise UserError(f"{run.name}, seed {seed}: {len(rows)} answers for {n_expected} examples; generate them again")
    return rows


def checked_outputs(run: Run, seed: int, examples: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one seed's answers to AlpacaEval. Raises `UserError` if they answer other instructions."""
    rows = rows_of(run, seed, len(examples))
    for example, row in zip(examples, rows):
        if row["instruction"] != joined_instruction(example):
            raise UserError(
                f"{run.name}, seed {seed}: answers another question than '{example['id']}'; generate them again"
            )
    return [row["output"] for row in rows]


def summarise(mode: str, results: Sequence[Result]) -> list[tuple[str, str, float, int]]:
    """Return (group, metric, value, n) for every group of the results, the whole first."""
    groups = list(dict.fromkeys(group for result in results for group in result.groups))
    rows = []
    for group in groups:
        members = [result for result in results if group in result.groups]
        values = [result.verdict.value for result in members if result.verdict is not None]
        known = [value for value in values if value is not None]
        rows += [(group, metric, value, len(known)) for metric, value in verdict_metrics(mode, known).items()]
        rows.append((group, N_JUDGED, float(len(known)), len(members)))
        for name in dict.fromkeys(name for member in members for name in member.measures):
            measured = [member.measures[name] for member in members if name in member.measures]
            rows.append((group, name, math.fsum(measured) / len(measured), len(measured)))
    return rows


def verdict_metrics(mode: str, values: Sequence[float]) -> dict[str, float]:
    """Return what a mode reports of its verdicts: win rate, mean grade, or shares of wins, ties and losses."""
    if not values:
        return {}
    if mode == "mt_bench":
        return {GRADE_METRIC: math.fsum(values) / len(values)}
    if mode == "alpaca_eval":
        return {WIN_RATE: win_rate(values)["win_rate"]}
    counts = {
        "win_share": sum(value > TIE for value in values),
        "tie_share": sum(value == TIE for value in values),
        "loss_share": sum(value < TIE for value in values),
    }
    return {name: count / len(values) for name, count in counts.items()}


def read_runs(names: Sequence[str], folders: Sequence[str], benchmark: str) -> dict[str, Run]:
    """Return the answers of each run to one benchmark, by seed in rising order."""
    if len(names) != len(folders):
        raise UserError(f"--answers: {len(folders)} folders for {len(names)} runs; give one per run, in the same order")
    suffix, read = ("json", read_json) if benchmark == "alpaca_eval" else ("jsonl", read_jsonl)
    runs = {}
    for name, folder in zip(names, folders):
        if name.count("/") != 1:
            raise UserError(f"--runs: '{name}' is not of the form anchor_set/method")
        status = read_json(Path(folder) / "status.json")
        files = (Path(folder) / benchmark).glob(f"seed_*.{suffix}") if status["status"] == "done" else []
        by_seed = sorted((int(path.stem.rpartition("_")[2]), path) for path in files)
        runs[name] = Run(name, {seed: read(path) for seed, path in by_seed}, status["reason"])
    return runs


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--mode", required=True, choices=sorted(BENCHMARK_OF))
    parser.add_argument("--examples", required=True, help="JSONL, schema dialogue for mt_bench, else evaluation")
    parser.add_argument("--runs", nargs="+", required=True, help="anchor set/method of each folder of answers")
    parser.add_argument(
        "--answers", nargs="+", required=True, help="folders of generate_answers, in the order of --runs"
    )
    parser.add_argument("--model-name", required=True, help="the answering model's name in the measured values")
    parser.add_argument("--reference-run", help="pairwise only: the run that the others are compared with")
    parser.add_settings(JudgeSettings)
    parser.add_argument("--device", required=True, help="of a local judge: auto, cpu or cuda")
    parser.add_argument("--threads", type=int, required=True, help="CPU threads of a local judge")
    parser.add_argument(
        "--judgements-out", required=True, help="JSONL: every judgement, as the benchmark's tool has it"
    )
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema")
    return parser.parse_args(argv)


def judge_run(
    args: argparse.Namespace,
    settings: JudgeSettings,
    judge: Judge,
    run: Run,
    reference: Run | None,
    examples: Sequence[Mapping[str, Any]],
) -> Iterable[tuple[int, list[Result], list[dict[str, Any]]]]:
    """Judge one run, seed after seed; reference: what it is compared with, in mode pairwise only."""
    if reference is None:
        ask = judge_mt_bench if args.mode == "mt_bench" else judge_alpaca_eval
        for seed in run.answers:
            yield (seed, *ask(judge, settings, run, examples, seed))
    elif run.answers and reference.answers:
        for seed in sorted(set(run.answers) | set(reference.answers)):
            yield (seed, *judge_pairwise(judge, settings, run, reference, examples, seed))


def measured_rows(
    mode: str, run: Run, model: str, seed: int, summary: Sequence[tuple[str, str, float, int]]
) -> list[dict[str, Any]]:
    """Return what `summarise` says of one seed in the long schema; a group without any verdict gets a reason."""
    name = experiment(mode, run.anchors)
    rows = []
    for group, metric, value, n in summary:
        if metric != N_JUDGED:
            rows.append(metric_row("nuggets", name, group, model, run.method, seed, metric, value, n))
        elif value == 0:
            rows.append(reason_row("nuggets", name, UNJUDGED, setting=group, model=model, method=run.method))
    return rows


def missing_rows(mode: str, run: Run, reference: Run | None, model: str) -> list[dict[str, Any]]:
    """Return why a run was not judged at all; none if it was."""
    about = {"model": model, "method": run.method}
    name = experiment(mode, run.anchors)
    rows = [reason_row("nuggets", name, run.reason, **about)] if run.reason else []
    if reference is not None and reference.reason:
        reason = f"nothing to compare with: {reference.reason}"
        rows.append(reason_row("nuggets", name, reason, setting=f"vs_{reference.method}", **about))
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Judge all runs in one mode."""
    args = parse_args(argv)
    settings: JudgeSettings = args.settings
    logging.getLogger("absl").setLevel(logging.WARNING)  # else ROUGE names its tokenizer for every batch
    judge = make_judge(settings, device=args.device, threads=args.threads, pair_template=PAIR, grade_template=GRADE)
    benchmark = BENCHMARK_OF[args.mode]
    examples = read_examples(args.examples, "dialogue" if benchmark == "mt_bench" else "evaluation")
    runs = read_runs(args.runs, args.answers, benchmark)
    reference = None
    if args.mode == "pairwise":
        if args.reference_run not in runs:
            raise UserError(f"--reference-run: '{args.reference_run}' is not among --runs; give its answers too")
        reference = runs.pop(args.reference_run)
    judgements: list[dict[str, Any]] = []
    measured: list[dict[str, Any]] = []
    for run in runs.values():
        measured += missing_rows(args.mode, run, reference, args.model_name)
        for seed, results, rows in judge_run(args, settings, judge, run, reference, examples):
            judgements += rows
            measured += measured_rows(args.mode, run, args.model_name, seed, summarise(args.mode, results))
            logger.info("%s, seed %d: %d judged", run.name, seed, len(rows))
    write_jsonl(args.judgements_out, judgements)
    write_metrics(args.measured_out, measured)


if __name__ == "__main__":
    run_step(main)
