"""What the tables and figures compare: which pair, model, way of learning and subset each of them needs.

One set of settings for the workflow, which plans the jobs by it, and for the steps that collect and show the values.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.selection.methods import check_methods

TABLES = ("table_1", "table_2", "table_3", "table_4", "table_5", "table_6", "table_fft")
"""Artifacts with one row per subset and one column per pair, model, way of learning and metric."""
SCORE_COLUMNS = ("learning", "method", "percent", "seed", "metric", "value", "n")
"""Of the tables that `score_answers` writes."""
TIME_COLUMNS = ("pair", "model", "part", "seconds")
"""Of the table that `collect_times` writes."""
GRADES = (1, 2, 3, 4, 5)
"""The whole grades of the judge."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The same-named keys of the config's `delift`."""

    pairs: Mapping[str, Mapping[str, Any]]
    methods: Mapping[str, Mapping[str, Any]]
    percent: int
    seeds: Mapping[str, Sequence[int]]
    table_1: Mapping[str, Any]
    table_2: Mapping[str, Any]
    table_3: Mapping[str, Any]
    table_4: Mapping[str, Any]
    table_5: Mapping[str, Any]
    table_6: Mapping[str, Any]
    table_fft: Mapping[str, Any]
    table_time: Mapping[str, Any]
    table_selection_quality: Mapping[str, Any]
    figure_subset_size: Mapping[str, Any]
    figure_laj: Mapping[str, Any]
    figure_stages: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_methods(self.methods, "delift.methods")

    @property
    def artifacts(self) -> tuple[str, ...]:
        """The names of all tables and figures."""
        return tuple(f.name for f in dataclasses.fields(self) if f.name.startswith(("table_", "figure_")))

    def runs(self, *artifacts: str) -> list[tuple[str, str]]:
        """Return (pair, model) of everything that the artifacts (default: all) need to have run."""
        found = {
            (run["pair"], run["model"])
            for name in artifacts or self.artifacts
            if not getattr(self, name)["not_run"]
            for run in getattr(self, name)["runs"]
            if not self.pairs[run["pair"]]["private"]
        }
        return sorted(found)

    def size_of(self, method: str, percent: int) -> int:
        """Return the size of a subset in percent of the pool: 0 for the model as it is, 100 for all."""
        return {"none": 0, "all": 100}.get(self.methods[method]["by"], percent)

    def rows(self, artifact: str) -> list[tuple[str, int]]:
        """Return (method, percent) of the rows of an artifact, in its order; what takes all of the pool is `full`."""
        settings = getattr(self, artifact)
        percents = settings.get("percents", [self.percent])
        rows = [(method, percent) for method in settings["methods"] for percent in percents]
        rows += [(row["method"], row["percent"]) for row in settings.get("also", [])]
        sized = [(method, self.size_of(method, percent)) for method, percent in rows]
        return list(dict.fromkeys(("full", 100) if percent == 100 else (method, percent) for method, percent in sized))

    def learnings(self, pair: str, model: str) -> list[str]:
        """Return the ways of learning that some artifact compares for a pair and model."""
        return sorted({learning for learning, _, _ in self._needed(pair, model)})

    def units(self, pair: str, model: str, learning: str) -> list[str]:
        """Return `<method>/percent_<n>` of the subsets to learn from, sorted."""
        return sorted(f"{m}/percent_{p}" for way, m, p in self._needed(pair, model) if way == learning)

    def chosen(self, pair: str, model: str) -> list[str]:
        """Return the methods whose subsets are needed, be it for learning or only to look at."""
        return sorted(
            {m for name in self.artifacts for m, p in self._rows_of(name, pair, model) if p and self._is_choice(m)}
        )

    def percents(self, pair: str, model: str, method: str) -> list[int]:
        """Return the sizes of one method's subsets, rising."""
        rows = (row for name in self.artifacts for row in self._rows_of(name, pair, model))
        return sorted({percent for name, percent in rows if name == method and percent})

    def _is_choice(self, method: str) -> bool:
        return self.methods[method]["by"] != "none"

    def _rows_of(self, artifact: str, pair: str, model: str) -> list[tuple[str, int]]:
        return self.rows(artifact) if (pair, model) in self.runs(artifact) else []

    def _needed(self, pair: str, model: str) -> set[tuple[str, str, int]]:
        """Return (way of learning, method, percent) of every subset that some artifact compares."""
        return {
            (learning, method, percent)
            for name in self.artifacts
            for learning in getattr(self, name).get("learnings", [])
            for method, percent in self._rows_of(name, pair, model)
        }


def label_of_pair(pair: str) -> str:
    """Return how a pair is printed."""
    return pair.replace("_", " ")


def setting_of(pair: str, learning: str, percent: int) -> str:
    """Return the `setting` of a value in the long schema."""
    return f"{pair}/{learning}/percent_{percent}"


def choice_setting(pair: str, percent: int) -> str:
    """Return the `setting` of what was chosen, before anything is learnt from it."""
    return f"{pair}/percent_{percent}"


def by_run(runs: Sequence[str], paths: Sequence[str], flag: str) -> dict[tuple[str, str], list[str]]:
    """Return the paths of each run `<pair>/<model>`: those whose folders bear these names.

    Raises `UserError` for a run of another form and for a path of no run.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        pair, _, model = run.partition("/")
        if not pair or not model:
            raise UserError(f"--runs: '{run}' is not of the form <pair>/<model>")
        found[pair, model] = []
    for path in paths:
        parts = Path(path).with_suffix("").parts
        owners = [run for run in found if run[0] in parts and run[1] in parts[parts.index(run[0]) :]]
        if not owners:
            raise UserError(f"{flag}: {path} belongs to none of --runs; give its run too")
        found[owners[0]].append(path)
    return found


def pair_faults(
    compared: Comparison, datasets: Mapping[str, Mapping[str, Any]], further: Sequence[str], *, synthetic: bool
) -> list[str]:
    """Return what is wrong with the pairs that are to be run, one line each: unknown data, or real data from nowhere.

    datasets: the registry; further: names in the user's JSON registries; synthetic: `data.source` is synthetic.
    """
    faults = []
    for pair in sorted({pair for pair, _ in compared.runs()}):
        faults += _objective_faults(compared, pair)
        for place, part in _parts(pair, compared.pairs[pair]):
            name = part["dataset"]
            if name in datasets:
                row = datasets[name]
                if part["split"] not in row["splits"]:
                    known = list(row["splits"])
                    faults.append(
                        f"{place}.split: '{name}' has no split '{part['split']}'{did_you_mean(part['split'], known)};"
                        f" choose one of {', '.join(known)}"
                    )
                elif synthetic and row["origin"] == "public":
                    faults.append(
                        f"{place}.dataset: '{name}' is a public dataset, but data.source is synthetic; set data.source"
                        " to hub or mirror, or leave the pair out"
                    )
            elif name not in further:
                hint = did_you_mean(name, [*datasets, *further])
                faults.append(
                    f"{place}.dataset: '{name}' is in no registry{hint}; add a row to registries.datasets or an entry"
                    " to a file of delift.registries"
                )
    return faults


def _objective_faults(compared: Comparison, pair: str) -> list[str]:
    """Return a line for each method whose objective sums over the benchmark while the pair's targets are others."""
    targets = compared.pairs[pair]["targets"]
    chosen = {method for one, model in compared.runs() if one == pair for method in compared.chosen(pair, model)}
    return [
        f"delift.pairs.{pair}.targets: '{targets}', but delift.methods.{method} maximises query_mutual_information,"
        " which sums over the benchmark; set targets to reference, or choose another objective"
        for method in sorted(chosen)
        if compared.methods[method].get("objective") == "query_mutual_information" and targets != "reference"
    ]


def _parts(pair: str, row: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in ("pool", "reference", "validation", "test", "truth"):
        if row[name]:
            yield f"delift.pairs.{pair}.{name}", row[name]
