"""Bring everything measured for MEND into the one long schema: a row per artifact, setting, method, seed and metric.

Scores are in percent, averaged over the tasks of a setting; the seed is that of the demonstrations. Measured seconds go
to a file of their own, because they vary from run to run. What could not be measured is listed with its reason.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import Collection
from scripts.common.errors import UserError, run_step
from scripts.common.files import PathLike, read_csv, read_json
from scripts.common.metrics import write_metrics
from scripts.common.settings import parse_settings
from scripts.mend.columns import ATTENTION_COLUMNS, EFFICIENCY_COLUMNS, SCORE_COLUMNS
from scripts.mend.comparison import Comparison

UNSEEN = ("accuracy_seen_labels", "accuracy_unseen_labels")


@dataclasses.dataclass(frozen=True)
class Condition:
    """Under what a method was scored: faults of the demonstrations, their number, how they are joined."""

    perturbation: str = "none"
    n_demonstrations: int | None = None
    format: str = "default"


class Scores:
    """The scores of one backbone and train set, from all its evaluation jobs."""

    def __init__(self, n_demonstrations: int) -> None:
        self.usual = n_demonstrations
        self._rows: dict[tuple[str, Condition, str], list[Mapping[str, str]]] = {}

    def read(self, path: PathLike) -> None:
        """Add the rows of one job."""
        for row in read_csv(path, SCORE_COLUMNS):
            number = int(row["n_demonstrations"])
            condition = Condition(row["perturbation"], None if number in (0, self.usual) else number, row["format"])
            self._rows.setdefault((row["method"], condition, row["metric"]), []).append(row)

    def rows(self, method: str, condition: Condition, metric: str) -> list[Mapping[str, str]]:
        """Return the rows of one method, condition and metric; none if it was not run."""
        if condition.n_demonstrations == self.usual:
            condition = dataclasses.replace(condition, n_demonstrations=None)
        return self._rows.get((method, condition, metric), [])


def by_seed(rows: Sequence[Mapping[str, str]], tasks: Sequence[str], column: str = "value") -> dict[int, list[float]]:
    """Return, per seed, the values of the tasks; seeds that lack a task are left out."""
    found: dict[int, dict[str, float]] = {}
    for row in rows:
        if row["task"] in tasks:
            found.setdefault(int(row["seed"]), {})[row["task"]] = float(row[column])
    return {seed: list(values.values()) for seed, values in sorted(found.items()) if len(values) == len(tasks)}


class Collector:
    """Turns scores into rows of the long schema."""

    def __init__(self, settings: Comparison, scores: Mapping[tuple[str, str], Scores]) -> None:
        self.settings = settings
        self.scores = scores
        self.out = Collection("mend", settings.model)

    def score(
        self,
        artifact: str,
        setting: str,
        method: str,
        condition: Condition,
        *,
        place: str = "",
        backbone: str | None = None,
    ) -> dict[int, float]:
        """Add the mean score over a setting's tasks, per seed, or a note; return it in percent.

        place: what the condition is called, joined to the setting's name.
        """
        name = f"{setting}/{place}" if place else setting
        backbone = backbone or self.settings.backbone
        model = self.settings.backbones[backbone]
        tasks = self.settings.settings[setting]
        values = by_seed(self.found(backbone, setting, method, condition, "score"), tasks)
        means = {seed: 100 * math.fsum(scores) / len(scores) for seed, scores in values.items()}
        for seed, value in means.items():
            self.out.add(artifact, name, method, seed, "score_percent", value, len(tasks), model)
        if not means:
            self.out.note(artifact, name, method, "this method was not run in this tier", model)
        return means

    def found(
        self, backbone: str, setting: str, method: str, condition: Condition, metric: str
    ) -> list[Mapping[str, str]]:
        """Return the rows of a method in the run that holds a setting's tasks."""
        scores = self.scores.get((backbone, self.settings.train_sets[setting]))
        return scores.rows(method, condition, metric) if scores is not None else []

    def main_table(self) -> None:
        """Add table 2: every method, backbone and setting, and the average over settings."""
        for backbone in self.settings.backbones:
            for method in self.settings.table_2["methods"]:
                columns = [
                    self.score("table_2", setting, method, Condition(), backbone=backbone)
                    for setting in self.settings.settings
                ]
                for seed in set.intersection(*map(set, columns)) if columns else ():
                    mean = math.fsum(column[seed] for column in columns) / len(columns)
                    model = self.settings.backbones[backbone]
                    self.out.add("table_2", "average", method, seed, "score_percent", mean, len(columns), model)

    def studies(self) -> None:
        """Add the artifacts about one backbone: perturbations, ablation, separators, sweeps."""
        settings = self.settings
        for setting in settings.study_settings:
            for method in settings.table_3["methods"]:
                for fault in settings.table_3["perturbations"]:
                    self.score("table_3", setting, method, Condition(perturbation=fault), place=fault)
            for method in settings.table_4["methods"]:
                self.score("table_4", setting, method, Condition())
            for method in settings.table_separators["methods"]:
                for name in settings.table_separators["formats"]:
                    form = "default" if name == settings.format else name
                    self.score("table_separators", setting, method, Condition(format=form), place=name)
            for value, method in settings.figure_lambda["distillers"].items():
                self.score("figure_lambda", setting, method, Condition(), place=f"lambda_{value}")
            self.score("figure_lambda", setting, settings.figure_lambda["limit"], Condition(), place="lambda_inf")
            self.unseen_labels(setting)
            self.ratios(setting)

    def unseen_labels(self, setting: str) -> None:
        """Add the accuracy on queries whose label is, and is not, among the demonstrations' labels."""
        table = self.settings.table_unseen_labels
        tasks = self.settings.settings[setting]
        for method in table["methods"]:
            for number in table["n_demonstrations"]:
                place = f"{setting}/k_{number}"
                for metric in UNSEEN:
                    rows = self.found(
                        self.settings.backbone, setting, method, Condition(n_demonstrations=number), metric
                    )
                    rows = [row for row in rows if row["task"] in tasks]
                    for seed in sorted({int(row["seed"]) for row in rows}):
                        ours = [row for row in rows if int(row["seed"]) == seed]
                        n = sum(int(row["n"]) for row in ours)
                        right = math.fsum(float(row["value"]) * int(row["n"]) for row in ours)
                        self.out.add("table_unseen_labels", place, method, seed, metric, right / n, n)
                    if not rows:
                        reason = "no query of this kind: the demonstrations show every label"
                        self.out.note("table_unseen_labels", place, method, reason)

    def ratios(self, setting: str) -> None:
        """Add score and distillation ratio (demonstration tokens over vectors), by demonstrations and by vectors."""
        figure = self.settings.figure_4
        cells = [
            (method, number, f"k_{number}", method)
            for method in figure["methods"]
            for number in figure["n_demonstrations"]
        ]
        cells += [(method, None, f"vectors_{size}", "mend") for size, method in figure["distillers"].items()]
        for method, number, place, name in cells:
            condition = Condition(n_demonstrations=number)
            rows = self.found(self.settings.backbone, setting, method, condition, "score")
            tasks = self.settings.settings[setting]
            means = {seed: 100 * math.fsum(v) / len(v) for seed, v in by_seed(rows, tasks).items()}
            for seed, value in means.items():
                self.out.add("figure_4", f"{setting}/{place}", name, seed, "score_percent", value, len(tasks))
            ratios = [{**row, "ratio": _ratio(row)} for row in rows if int(row["n_vectors"])]
            for seed, values in by_seed(ratios, tasks, "ratio").items():
                mean = math.fsum(values) / len(values)
                self.out.add("figure_4", f"{setting}/{place}", name, seed, "distillation_ratio", mean, len(tasks))
            if not means:
                self.out.note("figure_4", f"{setting}/{place}", name, "this method was not run in this tier")

    def efficiency(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Add counted operations, memory and sizes, and by how much MEND lowers the operations at most."""
        n, seed = self.settings.efficiency["n_queries"], self.settings.train_seed
        flops: dict[tuple[str, str], float] = {}
        for row in rows:
            metric, value = f"{row['phase']}_{row['quantity']}", float(row["value"])
            self.out.add("figure_3", f"k_{row['n_demonstrations']}", row["method"], seed, metric, value, n)
            if metric == "total_flops":
                flops[row["method"], row["n_demonstrations"]] = value
        saved = [
            1 - flops[m, k] / flops["icl_uncached", k] for m, k in flops if m == "mend" and ("icl_uncached", k) in flops
        ]
        if saved:
            name = "max_flops_reduction_percent"
            self.out.add("figure_3", "all", "mend_vs_vanilla_icl", seed, name, 100 * max(saved), n)

    def attention(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Add where the position that predicts the answer looks, per layer."""
        for row in rows:
            metric, value = f"share_{row['part']}", float(row["share"])
            seed = self.settings.seeds[0]
            n = 1 if row["reader"] == "distiller" else self.settings.attention["n_queries"]  # it reads no query
            self.out.add("figure_5", f"layer_{int(row['layer']):02d}", row["reader"], seed, metric, value, n)


def _ratio(row: Mapping[str, str]) -> float:
    return int(row["prefix_tokens"]) / int(row["n_vectors"])


def timing_rows(rows: Sequence[Mapping[str, Any]], settings: Comparison) -> list[dict[str, Any]]:
    """Return measured seconds (and what follows from them) in the long schema, for a file of their own."""
    out = Collection("mend", settings.model)
    for row in rows:
        metric = f"{row['phase']}_{row['quantity']}"
        place = f"k_{row['n_demonstrations']}"
        for artifact in ("table_timing", "figure_timing"):
            value, n = float(row["value"]), settings.efficiency["n_queries"]
            out.add(artifact, place, row["method"], settings.train_seed, metric, value, n)
    return out.rows


def read_scores(runs: Sequence[str], paths: Sequence[str], settings: Comparison) -> dict[tuple[str, str], Scores]:
    """Return the scores by backbone and train set, all evaluation jobs of one pair together.

    Raises `UserError` where runs and files do not match, or a run is not named as it should be.
    """
    if len(runs) != len(paths):
        raise UserError(f"--scores: {len(paths)} files for {len(runs)} runs; give one for each")
    groups: dict[tuple[str, str], Scores] = {}
    for run, path in zip(runs, paths):
        if run.count("/") != 2:
            raise UserError(f"--runs: '{run}' is not of the form backbone/train_set/arms")
        backbone, train_set, _ = run.split("/")
        groups.setdefault((backbone, train_set), Scores(settings.n_demonstrations)).read(path)
    return groups


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", required=True, nargs="+", help="<backbone>/<train set>/<arms> of each scores file")
    parser.add_argument("--scores", required=True, nargs="+", help="CSV files of evaluate_methods, in the same order")
    parser.add_argument("--efficiency", required=True, help="CSV of measure_efficiency")
    parser.add_argument("--seconds", required=True, help="run.json of measure_efficiency")
    parser.add_argument("--attention", required=True, help="CSV of attention_maps")
    parser.add_argument("--settings", required=True, help="JSON: what is compared")
    parser.add_argument("--metrics-out", required=True)
    parser.add_argument("--notes-out", required=True)
    parser.add_argument("--timing-out", required=True)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Collect the values and write them."""
    args = parse_args(argv)
    settings = parse_settings(Comparison, args.settings)
    collector = Collector(settings, read_scores(args.runs, args.scores, settings))
    collector.main_table()
    collector.studies()
    collector.efficiency(read_csv(args.efficiency, EFFICIENCY_COLUMNS))
    collector.attention(read_csv(args.attention, ATTENTION_COLUMNS))
    collector.out.write(args.metrics_out, args.notes_out)
    write_metrics(args.timing_out, timing_rows(read_json(args.seconds)["rows"], settings))


if __name__ == "__main__":
    run_step(main)
