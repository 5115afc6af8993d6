"""Bring everything measured for DELIFT into the one long schema: a row per artifact, setting, method, seed and metric.

The setting of a result is `<pair>/<way of learning>/percent_<n>`, that of a choice `<pair>/percent_<n>`. What is
missing is listed with its reason, so that a table can say why a cell is empty.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import Collection
from scripts.common.errors import UserError, run_step
from scripts.common.files import PathLike, read_csv, read_json, read_jsonl
from scripts.common.settings import parse_settings
from scripts.delift.comparison import GRADES, SCORE_COLUMNS, TABLES, Comparison, by_run, choice_setting, setting_of

logger = logging.getLogger(__name__)

NO_TRUTH = "it is not known which examples of this pool are good: only a synthetic pool has a truth file"
UNGRADED = "the judge gave no readable grade, or there was no reference answer to compare with"
NO_TIMES = "measured times stand in times.csv: they are no metrics"


@dataclasses.dataclass(frozen=True)
class Measured:
    """What one pair and model gave: summary rows, the answers with their measures, the choices by method."""

    scores: Sequence[Mapping[str, str]]
    answers: Sequence[Mapping[str, Any]]
    choices: Mapping[str, Mapping[str, Any]]

    def of(self, learning: str, method: str, percent: int) -> list[Mapping[str, str]]:
        """Return the summary rows of one subset."""
        key = (learning, method, str(percent))
        return [row for row in self.scores if (row["learning"], row["method"], row["percent"]) == key]


def missing_reasons(compared: Comparison, artifact: str) -> list[tuple[str, str, str]]:
    """Return (pair, model, reason) of what an artifact does not have run; an empty pair and model stand for all."""
    settings = getattr(compared, artifact)
    if settings["not_run"]:
        return [("", "", f"not run: {settings['not_run']}")]
    return [
        (run["pair"], run["model"], f"not run: {compared.pairs[run['pair']]['private']}")
        for run in settings["runs"]
        if compared.pairs[run["pair"]]["private"]
    ]


def collect_missing(out: Collection, compared: Comparison) -> None:
    """Note what the config leaves out, and why."""
    for artifact in compared.artifacts:
        settings = getattr(compared, artifact)
        for pair, model, reason in missing_reasons(compared, artifact):
            for learning in settings.get("learnings", [""]):
                for _, percent in compared.rows(artifact) if pair else [("", 0)]:
                    setting = setting_of(pair, learning, percent) if pair and learning else ""
                    out.note(artifact, setting, "", reason, model)
    out.note("table_time", "", "", NO_TIMES, "")


def collect_results(
    out: Collection, compared: Comparison, artifact: str, measured: Mapping[tuple[str, str], Measured]
) -> None:
    """Add the results that a table or a curve compares.

    Where a choice is not drawn, its seeds still differ in training or sampling.
    """
    settings = getattr(compared, artifact)
    for pair, model in compared.runs(artifact):
        for learning in settings["learnings"]:
            for method, percent in compared.rows(artifact):
                setting = setting_of(pair, learning, percent)
                rows = measured[pair, model].of(learning, method, percent)
                if not rows:
                    raise UserError(
                        f"{artifact}: no answers of {pair}, {model}, {learning}, {method}; give their scores"
                    )
                for row in rows:
                    value, n = float(row["value"]), int(row["n"])
                    out.add(artifact, setting, method, int(row["seed"]), row["metric"], value, n, model)
                if "judge_score" not in {row["metric"] for row in rows}:
                    out.note(artifact, setting, method, UNGRADED, model)
                add_sizes(out, artifact, setting, method, percent, measured[pair, model], model)


def add_sizes(
    out: Collection, artifact: str, setting: str, method: str, percent: int, measured: Measured, model: str
) -> None:
    """Add the number of examples chosen."""
    for subset in measured.choices.get(method, {}).get("subsets", []):
        if subset["percent"] == f"percent_{percent}":
            out.add(artifact, setting, method, subset["seed"], "n_examples", subset["n"], subset["n"], model)


def collect_grades(out: Collection, compared: Comparison, measured: Mapping[tuple[str, str], Measured]) -> None:
    """Add the distribution of the judge's grades: the share of answers nearest to each whole grade, and the mean."""
    artifact = "figure_laj"
    for pair, model in compared.runs(artifact):
        for learning in compared.figure_laj["learnings"]:
            for method, percent in compared.rows(artifact):
                setting = setting_of(pair, learning, percent)
                by_seed: dict[int, list[float]] = {}
                for row in measured[pair, model].answers:
                    asked = (row["learning"], row["method"], row["percent"]) == (learning, method, percent)
                    if asked and row.get("judge_score") is not None:
                        by_seed.setdefault(row["seed"], []).append(row["judge_score"])
                if not by_seed:
                    out.note(artifact, setting, method, UNGRADED, model)
                for seed, grades in sorted(by_seed.items()):
                    for grade in GRADES:
                        share = sum(nearest_grade(value) == grade for value in grades) / len(grades)
                        out.add(artifact, setting, method, seed, f"share_of_grade_{grade}", share, len(grades), model)
                    mean = sum(grades) / len(grades)
                    out.add(artifact, setting, method, seed, "judge_score", mean, len(grades), model)


def nearest_grade(value: float) -> int:
    """Return the whole grade that a grade between 1 and 5 is nearest to; halves go up."""
    return min(max(int(value + 0.5), GRADES[0]), GRADES[-1])


def collect_quality(out: Collection, compared: Comparison, measured: Mapping[tuple[str, str], Measured]) -> None:
    """Add what each method chooses: share of good examples, of families, of repeats, values of the objectives."""
    artifact = "table_selection_quality"
    for pair, model in compared.runs(artifact):
        for method, percent in compared.rows(artifact):
            setting = choice_setting(pair, percent)
            for subset in measured[pair, model].choices.get(method, {}).get("subsets", []):
                if subset["percent"] != f"percent_{percent}":
                    continue
                values = {"n_examples": subset["n"], "share_good": subset["share_good"]}
                values["share_repeated"] = subset["share_repeated"]
                values["share_reference"] = subset.get("share_reference")
                values.update({f"objective_{name}": value for name, value in subset["objectives"].items()})
                values.update({f"share_of_{name}": value for name, value in subset["families"].items()})
                for name, value in values.items():
                    if value is not None:
                        out.add(artifact, setting, method, subset["seed"], name, value, subset["n"], model)
                if subset["share_good"] is None:
                    out.note(artifact, setting, method, NO_TRUTH, model)


def read_measured(scores: PathLike, scored: PathLike, subsets: Sequence[PathLike]) -> Measured:
    """Return what was measured for one pair and model; subsets: folders of `select_subset`, named by their methods."""
    return Measured(
        scores=read_csv(scores, SCORE_COLUMNS),
        answers=read_jsonl(scored),
        choices={Path(folder).name: read_json(Path(folder) / "selection.json") for folder in subsets},
    )


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="*", required=True, help="<pair>/<model> of everything that was run")
    parser.add_argument("--scores", nargs="*", required=True, help="CSV of score_answers, <pair>/<model>.csv")
    parser.add_argument("--scored", nargs="*", required=True, help="JSONL of score_answers, <pair>/<model>.jsonl")
    parser.add_argument("--subsets", nargs="*", required=True, help="folders <pair>/<model>/<method>")
    parser.add_argument("--settings", required=True, help="JSON: what the tables compare")
    parser.add_argument("--metrics-out", required=True, help="CSV in the long schema")
    parser.add_argument("--notes-out", required=True, help="CSV: what is missing and why")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Collect and write."""
    args = parse_args(argv)
    compared = parse_settings(Comparison, args.settings)
    scores, scored, subsets = (
        by_run(args.runs, paths, flag)
        for paths, flag in ((args.scores, "--scores"), (args.scored, "--scored"), (args.subsets, "--subsets"))
    )
    for run in scores:
        if len(scores[run]) != 1 or len(scored[run]) != 1:
            raise UserError(f"--scores: expected one CSV and one JSONL of {'/'.join(run)}; give both once")
    measured = {run: read_measured(scores[run][0], scored[run][0], subsets[run]) for run in scores}
    out = Collection("delift", "")
    for artifact in (*TABLES, "figure_subset_size", "figure_stages"):
        collect_results(out, compared, artifact, measured)
    collect_grades(out, compared, measured)
    collect_quality(out, compared, measured)
    collect_missing(out, compared)
    out.write(args.metrics_out, args.notes_out)
    logger.info("%d values, %d notes", len(out.rows), len(out.notes))


if __name__ == "__main__":
    run_step(main)
