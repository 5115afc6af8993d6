"""Gather the measured values of DDG and DiLM in the long schema: one value a seed, the mean over draws and learners.

With a single seed, as in DiLM, every draw and learner gives a value of its own: then the spread is over those.
"""

from __future__ import annotations

import argparse
import math
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import Collection
from scripts.common.errors import UserError, run_step
from scripts.common.files import read_csv
from scripts.common.settings import parse_settings
from scripts.ddg.comparison import DIFFERENCE, SCORE, Comparison, paired
from scripts.ddg.run_columns import CONTEXT_COLUMNS, FULL, LEARNER_COLUMNS, ZERO_SHOT

NOT_RUN = "not run in this tier"
LEARNER_JOB, CONTEXT_JOB = "TASK/LEARNER/PART", "TASK/MODEL"


def by_seed(rows: Sequence[Mapping[str, str]], column: str, several: bool) -> dict[int, tuple[float, int]]:
    """Return {seed: (mean in percent, values in it)}; with one seed only {number of the value: (value, 1)}."""
    if not several:
        return {number: (100 * float(row[column]), 1) for number, row in enumerate(rows)}
    groups: dict[int, list[float]] = {}
    for row in rows:
        groups.setdefault(int(row["seed"]), []).append(100 * float(row[column]))
    return {seed: (math.fsum(values) / len(values), len(values)) for seed, values in sorted(groups.items())}


class Collector:
    """Turns runs into rows of the long schema."""

    def __init__(
        self,
        settings: Comparison,
        learners: Mapping[tuple[str, str], Sequence[Mapping[str, str]]],
        contexts: Mapping[tuple[str, str], Sequence[Mapping[str, str]]],
    ) -> None:
        self.settings = settings
        self.learners = learners
        self.contexts = contexts
        self.several = len(settings.seeds) > 1
        self.out = Collection("ddg", settings.learner)

    def learner_values(self, task: str, learner: str, method: str, dpc: str) -> dict[int, tuple[float, int]]:
        """Return the learners' scores on a task for one method and size."""
        metric = self.settings.metrics[task]
        rows = [
            row
            for row in self.learners.get((task, learner), ())
            if (row["method"], row["dpc"], row["metric"]) == (method, dpc, metric)
        ]
        return by_seed(rows, "value", self.several)

    def context_values(
        self, task: str, model: str, method: str, protocol: str, scorer: str, number: int
    ) -> dict[int, tuple[float, int]]:
        """Return the accuracies of a language model shown one method's demonstrations."""
        wanted = (protocol, scorer, method, str(0 if method == ZERO_SHOT else number))
        rows = [
            row
            for row in self.contexts.get((task, model), ())
            if (row["protocol"], row["scorer"], row["method"], row["round"]) == wanted
        ]
        return by_seed(rows, "accuracy", self.several)

    def add(
        self,
        artifact: str,
        setting: str,
        model: str,
        method: str,
        values: Mapping[int, tuple[float, int]],
        metric: str = SCORE,
    ) -> None:
        """Add values, or say that there are none."""
        for seed, (value, n) in values.items():
            self.out.add(artifact, setting, method, seed, metric, value, n, model)
        if not values:
            self.out.note(artifact, setting, method, NOT_RUN, model)

    def learner_tables(self) -> None:
        """Add DiLM's Tables 1, 2, 4, 7 and 8, and the paired differences of Table 1's methods."""
        settings, learner = self.settings, self.settings.learner
        for task in settings.table_1["tasks"]:
            self.add("table_1", f"{task}/full", learner, FULL, self.learner_values(task, learner, FULL, FULL))
            for dpc in map(str, settings.table_1["dpcs"]):
                for method in settings.table_1["methods"]:
                    values = self.learner_values(task, learner, method, dpc)
                    self.add("table_1", f"{task}/dpc_{dpc}", learner, method, values)
            for artifact in ("table_2", "table_7", "table_8"):
                dpc = str(getattr(settings, artifact)["dpc"])
                for name in settings.table_2["learners"]:
                    for method in settings.table_2["methods"]:
                        values = self.learner_values(task, name, method, dpc)
                        self.add(artifact, f"{task}/dpc_{dpc}", name, method, values)
            dpc = str(settings.table_4["dpc"])
            for method in settings.table_4["methods"]:
                values = self.learner_values(task, learner, method, dpc)
                self.add("table_4", f"{task}/dpc_{dpc}", learner, method, values)
            self.differences(task)

    def differences(self, task: str) -> None:
        """Add differences between two methods, seed by seed."""
        for first, second in self.settings.table_paired["pairs"]:
            for dpc in map(str, self.settings.table_1["dpcs"]):
                learner = self.settings.learner
                one, other = (self.learner_values(task, learner, name, dpc) for name in (first, second))
                self.difference(f"{task}/dpc_{dpc}", learner, f"{first}-{second}", one, other)
            for model in self.settings.models:
                for scorer in self.settings.scorers(self.settings.table_main):
                    place = (self.settings.table_main["protocol"], scorer, self.settings.table_main["round"])
                    one, other = (self.context_values(task, model, name, *place) for name in (first, second))
                    self.difference(f"{task}/{scorer}", model, f"{first}-{second}", one, other)

    def difference(
        self,
        setting: str,
        model: str,
        method: str,
        one: Mapping[int, tuple[float, int]],
        other: Mapping[int, tuple[float, int]],
    ) -> None:
        """Add one paired difference."""
        plain = [{seed: value for seed, (value, _) in values.items()} for values in (one, other)]
        values = {seed: (value, one[seed][1]) for seed, value in paired(*plain).items()}
        self.add("table_paired", setting, model, method, values, DIFFERENCE)

    def context_tables(self) -> None:
        """Add DiLM's Table 3 and DDG's main table, with the mean over the tasks."""
        settings, table = self.settings, self.settings.table_3
        for model in table["models"]:
            for method in table["methods"]:
                scorer = settings.scorers(table)[0]
                values = self.context_values(table["task"], model, method, table["protocol"], scorer, table["round"])
                self.add("table_3", f"{table['task']}/round_{table['round']}", model, method, values)
        table = settings.table_main
        for model in settings.models:
            for scorer in settings.scorers(table):
                for method in table["methods"]:
                    columns = []
                    for task in table["tasks"]:
                        values = self.context_values(task, model, method, table["protocol"], scorer, table["round"])
                        self.add("table_main", f"{task}/{scorer}", model, method, values)
                        columns.append(values)
                    shared = set.intersection(*map(set, columns))
                    means = {
                        seed: (math.fsum(column[seed][0] for column in columns) / len(columns), len(columns))
                        for seed in sorted(shared)
                    }
                    self.add("table_main", f"average/{scorer}", model, method, means)

    def rounds(self) -> None:
        """Add DDG's table on many classes: every round, with the prompt's length."""
        settings, protocol = self.settings, self.settings.table_main["protocol"]
        for model in settings.models:
            for task in settings.table_long["tasks"]:
                for scorer in settings.scorers(settings.table_main):
                    for method in settings.table_long["methods"]:
                        for number in settings.in_context["rounds"]:
                            values = self.context_values(task, model, method, protocol, scorer, number)
                            self.add("table_long", f"{task}/round_{number}/{scorer}", model, method, values)

    def studies(self) -> None:
        """Add the ablation and the sweeps."""
        settings, table = self.settings, self.settings.table_ablation
        main, learner, model = settings.table_main, settings.learner, settings.models[0]
        scorer = settings.scorers(main)[-1]
        for task in table["tasks"]:
            for method in table["methods"]:
                values = self.learner_values(task, learner, method, str(table["dpc"]))
                self.add("table_ablation", f"{task}/learner", learner, method, values)
                values = self.context_values(task, model, method, main["protocol"], scorer, main["round"])
                self.add("table_ablation", f"{task}/{scorer}", model, method, values)
        sweep = settings.figure_sensitivity
        task, dpc = sweep["task"], str(sweep["dpc"])
        for method in sweep["methods"]:
            for size in map(str, settings.table_1["dpcs"]):
                values = self.learner_values(task, learner, method, size)
                self.add("figure_sensitivity", f"dpc_{size}", learner, method, values)
            for number in settings.in_context["rounds"]:
                values = self.context_values(task, model, method, main["protocol"], scorer, number)
                self.add("figure_sensitivity", f"round_{number}", model, method, values)
        for kind in ("decay", "temperature"):
            for value, method in sweep[kind].items():
                values = self.learner_values(task, learner, method, dpc)
                self.add("figure_sensitivity", f"{kind}_{value}", learner, method, values)


def read_jobs(
    flag: str, form: str, jobs: Sequence[str], paths: Sequence[str], columns: Sequence[str]
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return the rows by task and model, all jobs of one pair together.

    Raises `UserError` where jobs and files do not match, or a job of `flag` has another form than `form`.
    """
    if len(jobs) != len(paths):
        raise UserError(f"{flag}: {len(paths)} files for {len(jobs)} jobs; give one for each")
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for job, path in zip(jobs, paths):
        if job.count("/") != form.count("/"):
            raise UserError(f"{flag}: '{job}' is not of the form {form}")
        task, model = job.split("/")[:2]
        found.setdefault((task, model), []).extend(read_csv(path, columns))
    return found


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learner-jobs", required=True, nargs="*", help=f"{LEARNER_JOB} of each runs file")
    parser.add_argument("--learners", required=True, nargs="*", help="CSV files of train_learners, in the same order")
    parser.add_argument("--context-jobs", required=True, nargs="*", help=f"{CONTEXT_JOB} of each runs file")
    parser.add_argument("--contexts", required=True, nargs="*", help="CSV files of evaluate_in_context")
    parser.add_argument("--settings", required=True, help="JSON: what is compared")
    parser.add_argument("--metrics-out", required=True)
    parser.add_argument("--notes-out", required=True)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Collect the values and write them."""
    args = parse_args(argv)
    settings = parse_settings(Comparison, args.settings)
    learners = read_jobs("--learner-jobs", LEARNER_JOB, args.learner_jobs, args.learners, LEARNER_COLUMNS)
    contexts = read_jobs("--context-jobs", CONTEXT_JOB, args.context_jobs, args.contexts, CONTEXT_COLUMNS)
    collector = Collector(settings, learners, contexts)
    collector.learner_tables()
    collector.context_tables()
    collector.rounds()
    collector.studies()
    collector.out.write(args.metrics_out, args.notes_out)


if __name__ == "__main__":
    run_step(main)
