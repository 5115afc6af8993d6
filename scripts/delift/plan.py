"""What DELIFT needs to measure for each table and figure, read from the config alone.

A unit is a subset that a model learns from in some way; several may share a job, and several jobs' answers are measured
by one (`units_per_job`, `answers_per_job`). The rules ask here what to make, and the tables and figures are given
exactly the files that stand here.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Iterator, Mapping

from scripts.common.artifact_list import Needs, unique
from scripts.common.sizes import percent_name
from scripts.data.absences import absences_of
from scripts.data.mixed_sources import mixed_absences, with_sources
from scripts.data.registry import load_registry
from scripts.delift.comparison import ANSWERS, CHOICES, KINDS, choice_setting, kind_of, setting_of
from scripts.delift.pairs import json_entries, objective_faults, pair_obstacle, part_faults, parts_of
from scripts.delift.times import NO_TIMES, parts_of_time
from scripts.selection.methods import check_methods, needs

TABLES = ("table_1", "table_2", "table_3", "table_4", "table_5", "table_6", "table_fft")
"""Artifacts with one row per subset and one column per pair, model, way of learning and metric."""
LEARNT = (*TABLES, "figure_subset_size", "figure_laj", "figure_stages")
"""Artifacts that show what a model answers once it has learnt."""
QUALITY, TIME = "table_selection_quality", "table_time"
SHOWN = (*LEARNT, QUALITY, TIME)
RESULTS = "<results>/delift"
MEASURED = f"{RESULTS}/measured"
MISSING = f"{MEASURED}/missing.csv"


@dataclasses.dataclass(frozen=True)
class Plan:
    """delift: the config's key of that name; absent: why a registered file or model cannot be had, by
    <dataset>/<split> or by the model's name; entries: {name: its file} of the data sets in DELIFT's JSON registries;
    wrong: what is wrong with the pairs, one line each; mixed: the config's `mixed_pool`.
    """

    delift: Mapping[str, Any]
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)
    entries: Mapping[str, str] = dataclasses.field(default_factory=dict)
    wrong: tuple[str, ...] = ()
    mixed: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"parts": []})

    def __post_init__(self) -> None:
        check_methods(self.delift["methods"], "delift.methods")

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Plan:
        """Return the plan of a merged config. Raises `UserError` for a JSON registry that cannot be read."""
        registries = config["registries"]
        datasets = load_registry("datasets", registries["datasets"])
        absent = absences_of(config, datasets, load_registry("models", registries["models"]))
        absent = {**mixed_absences(absent, config["mixed_pool"]), **absent}
        entries = json_entries(config["delift"]["registries"])
        own = {name: path for name, path in entries.items() if name not in datasets}
        plan = cls(config["delift"], absent, own, mixed=config["mixed_pool"])
        if "delift" not in config["papers"]:
            return plan
        synthetic = config["data"]["source"] == "synthetic"
        return dataclasses.replace(plan, wrong=tuple(plan.pair_faults(datasets, synthetic=synthetic)))

    def faults(self) -> list[str]:
        """Return what is wrong with the settings, one line each."""
        return list(self.wrong)

    def pair_faults(self, datasets: Mapping[str, Mapping[str, Any]], *, synthetic: bool) -> list[str]:
        """Return what is wrong with the pairs that are shown. datasets: the registry; synthetic: made data only."""
        runs = {run for artifact in SHOWN for run in self._named(artifact)}
        wanted = sorted({pair for pair, _ in runs if not self.pair(pair)["private"]})
        faults = []
        for pair in wanted:
            row = self.pair(pair)
            chosen = {method for one, model in self.all_runs() if one == pair for method in self.chosen(one, model)}
            faults += objective_faults(pair, row["targets"], sorted(chosen), self.delift["methods"])
            faults += part_faults(pair, row, datasets, list(self.entries), synthetic=synthetic)
        return faults

    # Pairs, and what keeps something from being run.

    def pair(self, pair: str) -> Mapping[str, Any]:
        """Return the row of a pair."""
        return self.delift["pairs"][pair]

    def rows_of(self, pair: str, name: str) -> int:
        """Return how many rows a pool or reference set has once it is cut and limited."""
        rows, limit = self.pair(pair)["rows"][name], self.delift["limits"][name]
        return rows if limit is None else min(rows, limit)

    def blocks(self, pair: str) -> range:
        """Return the first column of each job that scores utilities."""
        columns = self.rows_of(pair, "pool") + self.rows_of(pair, "reference")
        return range(0, columns, self.delift["utility"]["block_size"])

    def obstacle(self, pair: str, model: str) -> str:
        """Return why a pair and model cannot be run; an empty text if nothing is in the way."""
        reason = pair_obstacle(self.pair(pair), self.absent) or self.absent.get(model, "")
        return f"not run: {reason}" if reason else ""

    def choice_obstacle(self, method: str) -> str:
        """Return why a method cannot choose: it embeds the examples, and the embedding model cannot be had."""
        return self._no_embedder() if self.method_needs(method, "similarities", "embeddings") else ""

    def unit_obstacle(self, learning: str, method: str) -> str:
        """Return why nothing can be learnt in a way from a method's subsets; in context neighbours are embedded."""
        return self.choice_obstacle(method) or (self._no_embedder() if learning == "icl" else "")

    def kind_obstacle(self, kind: str) -> str:
        """Return why measures of a kind cannot be taken: the model that takes them cannot be had."""
        judge = self.delift["judge"]
        if kind == "grades" and judge["backend"] == "local":
            return self.absent.get(judge["model"], "")
        return self._no_embedder() if kind == "similarity" else ""

    def _no_embedder(self) -> str:
        return self.absent.get(self.delift["embed"]["model"], "")

    # What is shown.

    def shown(self, artifact: str) -> Mapping[str, Any]:
        """Return the config's key that says what an artifact shows."""
        return self.delift[artifact]

    def by(self, method: str) -> str:
        """Return what a method chooses by, e.g. utility."""
        return self.delift["methods"][method]["by"]

    def choice(self, method: str) -> Mapping[str, Any]:
        """Return how a method chooses."""
        return self.delift["methods"][method]

    def goal(self, pair: str) -> str:
        """Return the rows for which LESS chooses."""
        return f"{RESULTS}/data/{pair}/validation.jsonl"

    def goal_parts(self, pair: str) -> list[str]:
        """Return the parts of a pair for which LESS and the nearest rows are chosen."""
        return ["validation"]

    def seeds(self, learning: str) -> list[int]:
        """Return the seeds of a way of learning."""
        return list(self.delift["seeds"][learning])

    def choice_seeds(self) -> list[int]:
        """Return the seeds of all ways of learning, for each of which is chosen."""
        return sorted({seed for seeds in self.delift["seeds"].values() for seed in seeds})

    def folder(self, stem: str, pair: str, model: str, method: str) -> str:
        """Return the folder, below stem, of a method's subsets; an empty text for the model as it is."""
        return "" if self.by(method) == "none" else f"{stem}/subsets/{pair}/{model}/{method}"

    def method_needs(self, method: str, *materials: str) -> bool:
        """Return whether a method's way of choosing needs one of these materials (`scripts.selection.methods`)."""
        return needs(self.by(method), *materials)

    def metrics(self, artifact: str) -> list[str]:
        """Return the measures of answers that an artifact shows."""
        return list(self.shown(artifact).get("metrics", ["judge_score"] if artifact == "figure_laj" else []))

    def _named(self, artifact: str) -> list[tuple[str, str]]:
        show = self.shown(artifact)
        return [] if show["not_run"] else [(run["pair"], run["model"]) for run in show["runs"]]

    def runs(self, artifact: str) -> list[tuple[str, str]]:
        """Return (pair, model) of everything that an artifact shows and that can be run, sorted."""
        return sorted({run for run in self._named(artifact) if not self.obstacle(*run)})

    def all_runs(self) -> list[tuple[str, str]]:
        """Return (pair, model) of everything that some artifact shows and that can be run, sorted."""
        return sorted({run for artifact in SHOWN for run in self.runs(artifact)})

    def size_of(self, method: str, percent: float) -> int:
        """Return the size of a subset in percent of the pool: 0 for the model as it is, 100 for all."""
        return {"none": 0, "all": 100}.get(self.by(method), percent)

    def rows(self, artifact: str) -> list[tuple[str, int]]:
        """Return (method, percent) of the rows of an artifact, in its order; what takes all of the pool is `full`."""
        show = self.shown(artifact)
        percents = show.get("percents", [self.delift["percent"]])
        rows = [(method, percent) for method in show["methods"] for percent in percents]
        rows += [(row["method"], row["percent"]) for row in show.get("also", [])]
        sized = [(method, self.size_of(method, percent)) for method, percent in rows]
        return list(dict.fromkeys(("full", 100) if percent == 100 else (method, percent) for method, percent in sized))

    def choices(self, artifact: str) -> list[tuple[str, int]]:
        """Return (method, percent) of the rows of an artifact that are chosen and can be."""
        rows = self.rows(artifact)
        return [(m, percent) for m, percent in rows if percent and self.by(m) != "none" and not self.choice_obstacle(m)]

    def learnt(self, artifact: str) -> Iterator[tuple[str, str, str, str, int]]:
        """Yield (pair, model, way of learning, method, percent) of all units of an artifact that can be run."""
        for pair, model in self.runs(artifact) if artifact in LEARNT else []:
            for learning in self.shown(artifact)["learnings"]:
                for method, percent in self.rows(artifact):
                    if not self.unit_obstacle(learning, method):
                        yield pair, model, learning, method, percent

    # Jobs.

    @functools.cached_property
    def _units(self) -> dict[tuple[str, str], dict[str, list[str]]]:
        """{(pair, model): {way of learning: its units, sorted}}, ways of learning sorted too."""
        found: dict[tuple[str, str], dict[str, set[str]]] = {}
        for artifact in LEARNT:
            for pair, model, learning, method, percent in self.learnt(artifact):
                units = found.setdefault((pair, model), {}).setdefault(learning, set())
                units.add(f"{method}/{percent_name(percent)}")
        return {run: {way: sorted(units[way]) for way in sorted(units)} for run, units in found.items()}

    def units(self, pair: str, model: str, learning: str) -> list[str]:
        """Return `<method>/percent_<n>` of the subsets to learn from, sorted."""
        return self._units.get((pair, model), {}).get(learning, [])

    def job(self, pair: str, model: str, learning: str, start: int) -> list[str]:
        """Return the units of the job that begins with a unit's number."""
        return self.units(pair, model, learning)[start : start + self.delift["units_per_job"]]

    def answer_jobs(self, pair: str, model: str) -> list[tuple[str, int]]:
        """Return (way of learning, first unit) of every job that answers, of a pair and model."""
        ways = self._units.get((pair, model), {})
        return [(way, first) for way, units in ways.items() for first in range(0, len(units), self._per_job)]

    @property
    def _per_job(self) -> int:
        return self.delift["units_per_job"]

    def scored_in(self, pair: str, model: str, start: int) -> list[str]:
        """Return the folders of answers that one job measures; start: the number of its first job of answers."""
        jobs = self.answer_jobs(pair, model)[start : start + self.delift["answers_per_job"]]
        return [f"{RESULTS}/answers/{pair}/{model}/{learning}/units_{first}" for learning, first in jobs]

    def scoring_jobs(self, pair: str, model: str) -> range:
        """Return the numbers of a pair's and model's jobs that measure answers."""
        return range(0, len(self.answer_jobs(pair, model)), self.delift["answers_per_job"])

    def kinds(self) -> list[str]:
        """Return the kinds of measures that are taken and can be; words are free."""
        asked = {"words", *map(kind_of, self.delift["measures"])}
        return [kind for kind in KINDS if kind in asked and not self.kind_obstacle(kind)]

    def measures(self, kind: str) -> list[str]:
        """Return the measures of a kind that are taken, in the config's order."""
        return [name for name in self.delift["measures"] if kind_of(name) == kind]

    def known(self, kind: str) -> Mapping[str, Any] | None:
        """Return from when on an answer is known, None where what says so is of another kind."""
        known = self.delift["known"]
        return known if known["measure"] in self.measures(kind) else None

    def kind_shown(self, metric: str) -> str:
        """Return the kind of measures with which a metric comes; that an answer is known, with what says so."""
        return kind_of(self.delift["known"]["measure"] if metric == "known_share" else metric)

    def scores(self, kind: str, pair: str, model: str) -> list[str]:
        """Return the files of measured answers, one row each, of a pair and model."""
        return [
            f"{RESULTS}/scores/{pair}/{model}/{kind}/jobs_{start}.jsonl" for start in self.scoring_jobs(pair, model)
        ]

    def measured_answers(self, pair: str, model: str) -> list[str]:
        """Return the files of means over answers, of all kinds, of a pair and model."""
        place, starts = f"{pair}/{model}", self.scoring_jobs(pair, model)
        return [f"{MEASURED}/answers/{kind}/{place}/jobs_{start}.csv" for kind in self.kinds() for start in starts]

    def chosen(self, pair: str, model: str) -> list[str]:
        """Return the methods whose subsets are needed, be it for learning or only to look at."""
        return sorted({m for name in SHOWN if (pair, model) in self.runs(name) for m, _ in self.choices(name)})

    def percents(self, pair: str, model: str, method: str) -> list[int]:
        """Return the sizes of one method's subsets, rising."""
        rows = {row for name in SHOWN if (pair, model) in self.runs(name) for row in self.choices(name)}
        return sorted(percent for name, percent in rows if name == method)

    def uses_utility(self, pair: str, model: str) -> bool:
        """Return whether some method chooses by the utilities of a pair and model."""
        return any(self.method_needs(method, "utilities") for method in self.chosen(pair, model))

    def subsets(self, pair: str, model: str) -> list[str]:
        """Return the folders of the subsets that some artifact shows, of a pair and model."""
        return [f"{RESULTS}/subsets/{pair}/{model}/{method}" for method in self.chosen(pair, model)]

    def times(self) -> dict[str, str]:
        """Return {run file with measured seconds: <pair>/<model>/<part>} of what the timing table adds up."""
        found: dict[str, str] = {}
        for pair, model in self.runs(TIME):
            for method in self.shown(TIME)["methods"]:
                if not self.choice_obstacle(method):
                    found.update(parts_of_time(self.by(method), method, pair, model, self.blocks(pair)))
        return found

    # What each artifact is made from.

    def needs(self, artifact: str) -> Needs:
        """Return what a table or figure is made from."""
        if artifact == TIME:
            return Needs(files={"times": f"{RESULTS}/times.csv"})
        if self.shown(artifact)["not_run"]:
            return Needs()
        files = [MISSING]
        if artifact in LEARNT:
            kinds = [kind for kind in self.kinds() if kind in map(self.kind_shown, self.metrics(artifact))]
            files += [self.measured_unit(kind, *unit) for unit in self.learnt(artifact) for kind in kinds]
        if artifact in TABLES or artifact == QUALITY:
            files += self._of_choices("subsets", artifact)
        if artifact == QUALITY and any(self.method_needs(method, "utilities") for method, _ in self.choices(QUALITY)):
            files += self._of_choices("objectives", artifact)
        return Needs(tuple(unique(files)))

    def measured_unit(self, kind: str, pair: str, model: str, learning: str, method: str, percent: float) -> str:
        """Return the file with the means over the answers of a unit, of one kind of measures."""
        place = self.units(pair, model, learning).index(f"{method}/{percent_name(percent)}")
        job = self.answer_jobs(pair, model).index((learning, place - place % self._per_job))
        return f"{MEASURED}/answers/{kind}/{pair}/{model}/jobs_{job - job % self.delift['answers_per_job']}.csv"

    def _of_choices(self, kind: str, artifact: str) -> list[str]:
        methods = unique(method for method, _ in self.choices(artifact))
        return [
            f"{MEASURED}/{kind}/{pair}/{model}/{name}.csv" for pair, model in self.runs(artifact) for name in methods
        ]

    def settings(self, artifact: str) -> dict[str, Any]:
        """Return the settings of the step that makes a table or figure (`scripts.delift.comparison.Comparison`)."""
        show = self.shown(artifact)
        stages = [{**run, "stage": self.pair(run["pair"])["stage"]} for run in show["runs"]]
        told = {"methods": list(show["methods"])} if "percents" in show or artifact == TIME else {}
        return {
            "not_run": show["not_run"],
            "runs": [] if show["not_run"] else stages,
            "planned": [list(run) for run in self.runs(artifact)],
            "rows": [list(row) for row in self.rows(artifact)],
            "learnings": list(show.get("learnings", [])),
            "metrics": self.metrics(artifact),
            "percents": list(show.get("percents", [])),
            "by": {method: self.by(method) for method in show["methods"]} if artifact == TIME else {},
            **told,
        }

    def reasons(self) -> list[dict[str, str]]:
        """Return why values are missing: rows of the long schema without paper; what is left out stands for all."""
        rows = [{"experiment": "times", "reason": NO_TIMES}]
        for kind in KINDS:
            if reason := self.kind_obstacle(kind):
                rows += [{"experiment": ANSWERS, "metric": name, "reason": reason} for name in self.measures(kind)]
        for artifact in (*LEARNT, QUALITY):
            show = self.shown(artifact)
            for run in show["runs"]:
                pair, model = run["pair"], run["model"]
                reason = f"not run: {show['not_run']}" if show["not_run"] else self.obstacle(pair, model)
                rows += self._reasons_of(artifact, pair, model, reason)
        return [dict(row) for row in dict.fromkeys(tuple(sorted(row.items())) for row in rows)]

    def _reasons_of(self, artifact: str, pair: str, model: str, reason: str) -> Iterator[dict[str, str]]:
        """Yield a row for each subset of an artifact that no artifact has chosen, or learnt from."""
        about = {"model": model}
        chosen = self.chosen(pair, model)
        for method, percent in self.rows(artifact):
            told = reason or self.choice_obstacle(method)
            if told and method not in chosen and (percent or not chosen):  # the model as it is has no subset
                place = {"setting": choice_setting(pair, percent), "method": method}
                yield {"experiment": CHOICES, **about, **place, "reason": told}
            for learning in self.shown(artifact).get("learnings", []):
                told = reason or self.unit_obstacle(learning, method)
                if told and f"{method}/{percent_name(percent)}" not in self.units(pair, model, learning):
                    place = {"setting": setting_of(pair, learning, percent), "method": method}
                    yield {"experiment": ANSWERS, **about, **place, "reason": told}

    def measured(self) -> list[str]:
        """Return every file of measured values that the tier plans, by-products of the planned jobs among them."""
        files = [MISSING, *(file for artifact in SHOWN for file in self.needs(artifact).measured)]
        for pair, model in self.all_runs():
            starts = self.scoring_jobs(pair, model)
            files += [
                f"{MEASURED}/answers/{kind}/{pair}/{model}/jobs_{start}.csv"
                for kind in self.kinds()
                for start in starts
            ]
            files += [f"{MEASURED}/subsets/{pair}/{model}/{method}.csv" for method in self.chosen(pair, model)]
        return unique(files)

    def pages(self) -> list[str]:
        """Return the interactive page, if something is run and its map can be drawn."""
        known = self.delift["known"]["measure"]
        drawn = self.answered() and not self._no_embedder() and kind_of(known) in self.kinds()
        return [f"{RESULTS}/viewer.html"] if drawn else []

    def viewer(self) -> dict[str, Any]:
        """Return the settings of the interactive page."""
        keys = ("stage", "pool", "reference")
        pairs = sorted({pair for pair, _ in self.answered()})
        return {
            "pairs": {pair: {key: self.pair(pair)[key] for key in keys} for pair in pairs},
            "methods": {method: self.by(method) for method in self.delift["methods"]},
            "known": self.delift["known"],
            "measures": [name for name in self.delift["measures"] if kind_of(name) in self.kinds()],
            "percents": self.delift["viewer"]["percents"],
        }

    def answered(self) -> list[tuple[str, str]]:
        """Return (pair, model) of everything whose answers are measured, sorted."""
        return sorted(self._units)

    def raw_files(self, datasets: Mapping[str, dict[str, Any]]) -> list[tuple[str, str]]:
        """Return (dataset, split) of every raw file that is read. datasets: the registry."""
        files = set()
        for pair in {pair for pair, _ in self.all_runs()}:
            files |= {(p["dataset"], p["split"]) for p in self._parts(pair) if p["dataset"] in datasets}
            truth = self.truth(pair)
            splits = [truth[key] for key in ("split", "reference_split") if truth.get(key)]
            files |= {(truth["dataset"], split) for split in splits}
        return sorted(with_sources(files, self.mixed))

    def truth(self, pair: str) -> Mapping[str, Any]:
        """Return where it stands what is known of a pair's pool; empty if nobody knows, or the file cannot be had."""
        truth = self.pair(pair)["truth"] or {}
        return {} if truth and f"{truth['dataset']}/{truth['split']}" in self.absent else truth

    def downloads(self) -> list[str]:
        """Return what else comes over the network: data sets of the JSON registries, fetched where they are read."""
        parts = [part for pair, _ in self.all_runs() for part in self._parts(pair)]
        return sorted({rows_file(part, self.entries) for part in parts if part["dataset"] in self.entries})

    def _parts(self, pair: str) -> list[Mapping[str, Any]]:
        return list(parts_of(self.pair(pair)).values())

    def models(self) -> list[str]:
        """Return the names of the models that are loaded; a judge at an endpoint is none."""
        judge, found = self.delift["judge"], {model for _, model in self.all_runs()}
        if found and not self._no_embedder():
            found.add(self.delift["embed"]["model"])
        if self.answered() and "grades" in self.kinds() and judge["backend"] == "local":
            found.add(judge["model"])
        return sorted(found)


def rows_file(part: Mapping[str, Any], entries: Mapping[str, str]) -> str:
    """Return the canonical rows of the split that a part of a pair is cut from.

    entries: names in the JSON registries; an owner's name there is no folder of ours.
    """
    if part["dataset"] in entries:
        return f"{RESULTS}/registered/{part['dataset'].replace('/', '--')}/{part['split']}.jsonl"
    return f"<results>/data/examples/{part['dataset']}/{part['split']}.jsonl"
