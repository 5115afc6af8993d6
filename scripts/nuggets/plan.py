"""What NUGGETS needs to measure for each table and figure, read from the config alone.

A run is a model fine-tuned on one subset, or the model as it is; several runs may share a job. The rules ask here what
to make, and the tables and figures are given exactly the files that stand here.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

from scripts.common.artifact_list import Needs, unique
from scripts.common.errors import UserError
from scripts.data.registry import references_split
from scripts.nuggets.benchmarks import BENCHMARK_OF, UNSCORED
from scripts.selection.methods import check_methods, needs

MODES = {
    "table_1": ("alpaca_eval",),
    "table_2": ("mt_bench",),
    "table_baselines": ("alpaca_eval", "mt_bench"),
    "figure_pairwise": ("pairwise",),
    "figure_selection_quality": ("alpaca_eval",),
    "table_3": ("alpaca_eval",),
}
"""The artifacts that show judged answers, and in which modes; in this order their runs are put into jobs."""
SHOWN_LIKE = {
    "figure_selection_quality": "table_baselines",
}
"""The artifacts that show the methods of another one, and of which."""
WITH_SIZES = ("table_1", "table_3", "table_baselines")
DIFFICULTY = ("perplexity", "ifd", "length")
MEASURED = "<results>/nuggets/measured"


@dataclasses.dataclass(frozen=True)
class Run:
    """One fine-tuned model, or the model as it is: how its subset was chosen, and by the scores of which anchor set."""

    anchors: str
    method: str

    @property
    def name(self) -> str:
        """Return <anchor set>/<method>; the anchor set is `UNSCORED` where golden scores had no part in the choice."""
        return f"{self.anchors}/{self.method}"


@dataclasses.dataclass(frozen=True)
class Pool:
    """Instructions to choose from: their canonical rows, and how many there are if that is known beforehand."""

    examples: str
    rows: int | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """nuggets: the config's key of that name; seed: `data.seed`."""

    nuggets: Mapping[str, Any]
    seed: int

    def __post_init__(self) -> None:
        check_methods(self.nuggets["methods"], "nuggets.methods")

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Plan:
        """Return the plan of a merged config."""
        return cls(config["nuggets"], config["data"]["seed"])

    @property
    def place(self) -> str:
        """Return <pool>/<model>, the folder of everything about the paper's own pool and model."""
        return f"{self.nuggets['dataset']}/{self.nuggets['model']}"

    @property
    def main(self) -> str:
        """Return <pool>/<model>/<anchor set> of the paper."""
        return f"{self.place}/{self.nuggets['anchors']}"

    def pool(self, dataset: str) -> Pool:
        """Return a pool by its name: the sub-sample where the paper's own has a limit, every other data set whole."""
        limit, name = self.nuggets["limit"], f"<results>/data/examples/{dataset}/train"
        if dataset != self.nuggets["dataset"]:
            return Pool(f"{name}.jsonl")
        if self.marked:
            return Pool(
                f"{self.marks}/pool.jsonl", limit or self.nuggets["pool_size"] - self.nuggets["sample"]["held_out"]
            )
        return Pool(f"{name}_sample_{limit}.jsonl" if limit else f"{name}.jsonl", limit or self.nuggets["pool_size"])

    def shards(self, dataset: str) -> range:
        """Return the first candidate of each scoring job of a pool. Raises `UserError` if its size is not known."""
        rows = self.pool(dataset).rows
        if rows is None:
            raise UserError(
                f"nuggets.dataset: the size of '{dataset}' is not known, as it is not the pool; make it the pool"
            )
        return range(0, rows, self.nuggets["score"]["shard_size"])

    @property
    def marked(self) -> bool:
        """Return whether a list of good or bad rows marks the pool."""
        return bool(self.nuggets["truth"]) and self.nuggets["truth_form"] != "truth"

    @property
    def marks(self) -> str:
        """Return the folder of a pool that a list marks: its rows, which are good, released scores, rows set aside."""
        return f"<results>/nuggets/pools/{self.nuggets['dataset']}"

    def questions(self, benchmark: str) -> str:
        """Return the file with a benchmark's questions. Raises `UserError` where no rows are set aside for it."""
        dataset = self.nuggets["benchmarks"][benchmark]
        if dataset:
            return f"<results>/data/examples/{dataset}/test.jsonl"
        if not self.marked or not self.nuggets["sample"]["held_out"]:
            raise UserError(
                f"nuggets.benchmarks.{benchmark}: is null, but no rows are set aside; name a data set, or let"
                " nuggets.sample.held_out set rows of a pool aside whose good or bad rows nuggets.truth lists"
            )
        return f"{self.marks}/held_out.jsonl"

    def truth(self) -> str:
        """Return the file that knows which examples are good; an empty text if there is none."""
        if self.marked:
            return f"{self.marks}/truth.jsonl"
        return f"<results>/data/examples/{self.nuggets['truth']}/train.jsonl" if self.nuggets["truth"] else ""

    def by(self, method: str) -> str:
        """Return what a method chooses by, e.g. golden_score."""
        return self.nuggets["methods"][method]["by"]

    def method_needs(self, method: str, *materials: str) -> bool:
        """Return whether a method's way of choosing needs one of these materials (`scripts.selection.methods`)."""
        return needs(self.by(method), *materials)

    def anchors_of(self, artifact: str) -> str:
        """Return the anchor set whose scores an artifact shows or chooses by: its own, else the main one."""
        return self.nuggets.get(artifact, {}).get("anchors") or self.nuggets["anchors"]

    def run(self, anchors: str, method: str) -> Run:
        """Return the run of a method; methods without golden scores have one run whatever the anchor set."""
        return Run(anchors if self.method_needs(method, "golden_scores") else UNSCORED, method)

    def shown(self, artifact: str) -> Mapping[str, Any]:
        """Return the config's key that says what an artifact shows; empty if it has none."""
        return self.nuggets.get(SHOWN_LIKE.get(artifact, artifact), {})

    def runs(self, artifact: str) -> list[Run]:
        """Return the runs that an artifact shows, the reference of a comparison last."""
        show = self.shown(artifact)
        sets = show.get("anchor_sets") or [self.anchors_of(artifact)]
        methods = [*show["methods"], *([show["reference"]] if "reference" in show else [])]
        return list(dict.fromkeys(self.run(anchors, method) for anchors in sets for method in methods))

    def all_runs(self) -> list[Run]:
        """Return every run that some artifact shows, each once, those of one artifact side by side."""
        return list(dict.fromkeys(run for artifact in MODES for run in self.runs(artifact)))

    def trained(self, run: Run) -> bool:
        """Return whether a run trains a model; the model as it is does not."""
        return self.by(run.method) != "none"

    def start(self, run: Run) -> int:
        """Return the number of the first run of the job in which a run is."""
        place = self.all_runs().index(run)
        return place - place % self.nuggets["runs_per_job"]

    def job(self, start: int) -> list[Run]:
        """Return the runs of a job."""
        return self.all_runs()[start : start + self.nuggets["runs_per_job"]]

    def reference(self) -> Run:
        """Return the run that the others are compared with in pairs."""
        return self.runs("figure_pairwise")[-1]

    def judged(self, mode: str) -> list[Run]:
        """Return the runs whose answers are judged in a mode."""
        shown = [run for artifact, modes in MODES.items() if mode in modes for run in self.runs(artifact)]
        return [run for run in dict.fromkeys(shown) if mode != "pairwise" or run != self.reference()]

    def answered(self, benchmark: str) -> list[Run]:
        """Return the runs that answer a benchmark."""
        modes = [mode for mode, name in BENCHMARK_OF.items() if name == benchmark]
        return [run for run in self.all_runs() if any(run in self.runs(a) for m in modes for a in _showing(m))]

    def judged_in(self, mode: str, start: int) -> list[Run]:
        """Return the runs of a job that are judged in a mode."""
        return [run for run in self.job(start) if run in self.judged(mode)]

    def answered_in(self, benchmark: str, start: int) -> list[Run]:
        """Return the runs of a job that answer a benchmark."""
        return [run for run in self.job(start) if run in self.answered(benchmark)]

    def trained_in(self, start: int) -> list[Run]:
        """Return the runs of a job that train a model."""
        return [run for run in self.job(start) if self.trained(run)]

    def with_reference(self, mode: str, start: int) -> list[Run]:
        """Return the runs whose answers a judging job reads: those it judges and what they are compared with."""
        return [*self.judged_in(mode, start), *([self.reference()] if mode == "pairwise" else [])]

    def answer_job(self, run: Run, benchmark: str) -> str:
        """Return the folder, within the results, of the answering job that a run is in."""
        return f"nuggets/answers/{self.place}/{benchmark}/runs_{self.start(run)}"

    def anchor_sets(self) -> list[str]:
        """Return the anchor sets whose scores are compared for their quality, the main one first."""
        return unique([self.nuggets["anchors"], *self.nuggets["table_3"]["anchor_sets"]])

    def needs(self, artifact: str) -> Needs:
        """Return what a table or figure is made from."""
        if artifact in MODES:
            return Needs(tuple(self._evaluations(artifact)), self._files(artifact))
        if artifact == "table_released_counts":
            dataset = self.nuggets["table_released_counts"]["dataset"]
            return Needs((f"{MEASURED}/released_scores/{dataset}.csv",) if dataset else ())
        anchors = f"{self.place}/{self.anchors_of(artifact)}"
        kind = {
            "table_selection_quality": "quality",
            "table_racing": "racing",
            "figure_anchor_sizes": "anchor_sizes",
            "figure_scores": "golden_scores",
            "table_cases": "golden_scores",
            "table_released": "released",
            "figure_released": "released",
        }.get(artifact)
        return Needs((f"{MEASURED}/{kind}/{anchors}.csv",) if kind else (), self._files(artifact))

    def _evaluations(self, artifact: str) -> list[str]:
        runs, modes = self.runs(artifact), MODES[artifact]
        judged = {mode: [run for run in runs if run in self.judged(mode)] for mode in modes}
        files = [self._of_job(f"judged/{mode}", run) for mode in modes for run in judged[mode]]
        if artifact == "table_baselines":
            files += [self._of_job("likelihood/alpaca_eval", run) for run in runs]
        if artifact in WITH_SIZES:
            files += [self._of_job("subsets", run) for run in runs if self.trained(run)]
        if artifact == "figure_selection_quality":
            files.append(f"{MEASURED}/quality/{self.main}.csv")
        return unique(files)

    def _of_job(self, kind: str, run: Run) -> str:
        return f"{MEASURED}/{kind}/{self.place}/runs_{self.start(run)}.csv"

    def _files(self, artifact: str) -> dict[str, str]:
        scores = f"<results>/nuggets/scores/{self.place}/{self.anchors_of(artifact)}"
        if artifact == "figure_selection_quality":
            return {"roc": f"<results>/nuggets/roc/{self.main}.csv"}
        if artifact == "figure_scores":
            return {"scores": f"{scores}/scores.csv"}
        if artifact == "figure_released" and self.marked:
            return {"scores": f"{scores}/scores.csv", "truth": self.truth(), "released": f"{self.marks}/scores.jsonl"}
        if artifact == "table_cases":
            return {"sorted-pool": f"{scores}/sorted_pool.jsonl", **({"truth": self.truth()} if self.truth() else {})}
        if artifact == "figure_cases":
            return {"cases": "<results>/tables/nuggets_table_cases.csv"}
        return {}

    def settings(self, artifact: str) -> dict[str, Any]:
        """Return the settings of the step that makes a table or figure (`scripts.nuggets.comparison.Comparison`)."""
        show = self.shown(artifact)
        return {
            "dataset": self.nuggets["dataset"],
            "model": self.nuggets["model"],
            "anchors": self.anchors_of(artifact),
            "scored": sorted(name for name in show.get("methods", []) if self.method_needs(name, "golden_scores")),
            "show": show,
        }

    def orders(self) -> dict[str, str]:
        """Return of each difficulty score whether its highest or its lowest values are the chosen ones."""
        rules = self.nuggets["methods"].values()
        return {
            score: next((rule["order"] for rule in rules if rule["by"] == score and rule.get("order")), "highest")
            for score in DIFFICULTY
        }

    def measured(self) -> list[str]:
        """Return every file of measured values that the tier plans, by-products of the planned jobs among them."""
        from scripts.nuggets.artifacts import ARTIFACTS

        files = [file for artifact in ARTIFACTS for file in self.needs(artifact.name).measured]
        files += [self._of_job(f"likelihood/{name}", run) for name in self.asked() for run in self.answered(name)]
        files += [self._of_job("subsets", run) for run in self.all_runs() if self.trained(run)]
        return unique(files)

    def asked(self) -> list[str]:
        """Return the benchmarks that some run answers."""
        return [name for name in self.nuggets["benchmarks"] if self.answered(name)]

    def raw_files(self, datasets: Mapping[str, dict[str, Any]]) -> list[tuple[str, str]]:
        """Return (dataset, split) of every raw file that is read. datasets: the registry."""
        nuggets = self.nuggets
        files = {(nuggets["dataset"], "train"), (nuggets["anchor_dataset"], "train")}
        further = (nuggets["truth"], nuggets["truth_scores"], nuggets["table_released_counts"]["dataset"])
        files |= {(dataset, "train") for dataset in further if dataset}
        for name in self.asked():
            dataset = nuggets["benchmarks"][name]
            if not dataset:
                continue
            references = references_split(datasets, dataset, "test")
            files |= {(dataset, "test"), *([(dataset, references)] if references else [])}
        return sorted(files)

    def models(self) -> list[str]:
        """Return the names of the models that are loaded; a judge at an endpoint is none."""
        judge = self.nuggets["judge"]
        return [self.nuggets["model"], *([judge["model"]] if judge["backend"] == "local" and self.all_runs() else [])]


def _showing(mode: str) -> Sequence[str]:
    return [artifact for artifact, modes in MODES.items() if mode in modes]
