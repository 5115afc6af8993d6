"""What the head-to-head needs to measure for each table and figure, read from the config alone.

Its methods are the papers' own: their rules make its files, with this plan's pool, goal, sizes and seeds, and what
DELIFT's own run has learnt already is taken over from there.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

from scripts.common.artifact_list import Needs, unique
from scripts.common.sizes import named_percent, percent_name
from scripts.data.mixed_sources import with_sources
from scripts.delift.pairs import parts_of
from scripts.delift.plan import Plan as Delift
from scripts.selection.methods import NOTHING, needs, way_of

SELECTION = ("table_selection", "table_time", "figure_selection")
DEMONSTRATIONS = ("table_demonstrations", "table_time_demonstrations", "figure_demonstrations")
BOTH = ("figure_time",)
RESULTS = "<results>/head_to_head"
MEASURED = f"{RESULTS}/measured"
OF_THE_GOAL = ("gradients", "goal_rows", "goal_embeddings")
"""Materials of which whoever asks says for which rows they are; DELIFT says others."""
LEVELS = {"initial": 0, "full": 100}
"""Beside the methods: the model as it is, and the model that has learnt from the whole pool; sizes in percent."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """selection, demonstrations, methods: the config's keys of `head_to_head`; delift: that paper's plan; papers: the
    config's `nuggets`, `ddg` and `mend`; asked: whether head_to_head is among the config's papers.
    """

    selection: Mapping[str, Any]
    demonstrations: Mapping[str, Any]
    methods: Mapping[str, Mapping[str, str]]
    delift: Delift
    papers: Mapping[str, Mapping[str, Any]]
    asked: bool = True

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Plan:
        """Return the plan of a merged config."""
        own = config["head_to_head"]
        papers = {paper: config[paper] for paper in ("nuggets", "ddg", "mend")}
        asked = "head_to_head" in config["papers"]
        return cls(own["selection"], own["demonstrations"], own["methods"], Delift.of(config), papers, asked)

    def faults(self) -> list[str]:
        """Return what is wrong with the settings, one line each."""
        return [*self._method_faults(), *self._demonstration_faults()] if self.asked else []

    def _method_faults(self) -> list[str]:
        faults = []
        for name in self.selection["methods"]:
            row = self.methods[name]
            known = self._rows_of(row["paper"])
            if row["method"] not in known:
                faults.append(
                    f"head_to_head.methods.{name}.method: '{row['method']}' is no key of {row['paper']}.methods;"
                    f" choose one of {', '.join(known)}"
                )
        return faults

    def _demonstration_faults(self) -> list[str]:
        shown, ddg = self.demonstrations, self.papers["ddg"]
        if shown["not_run"]:
            return []
        place, faults = "head_to_head.demonstrations", []
        if len(ddg["tasks"][shown["task"]]["text_columns"]) != 1:
            faults.append(f"{place}.task: '{shown['task']}' has several text columns; choose a task with one")
        if shown["dpc"] not in ddg["sets"]["dpcs"]:
            faults.append(f"{place}.dpc: {shown['dpc']} is not in ddg.sets.dpcs; add it there")
        for key, kinds in (("sets", ("coreset", "generator")), ("retrieval", ("retrieval",))):
            for name in shown[key]:
                if ddg["methods"][name]["by"] not in kinds:
                    by = ddg["methods"][name]["by"]
                    faults.append(f"{place}.{key}: '{name}' is by {by}, not by {' or '.join(kinds)}")
        return faults

    # Choosing: the papers' rules ask these of whoever asks them, and DELIFT's plan has the same.

    @property
    def pair(self) -> str:
        """Return the pair of DELIFT that is chosen from."""
        return self.selection["pair"]

    @property
    def model(self) -> str:
        """Return the model that scores the pool and learns from each subset."""
        return self.selection["model"]

    @property
    def place(self) -> str:
        """Return <pair>/<model>."""
        return f"{self.pair}/{self.model}"

    def _rows_of(self, paper: str) -> Mapping[str, Mapping[str, Any]]:
        return self.delift.delift["methods"] if paper == "delift" else self.papers[paper]["methods"]

    def choice(self, method: str) -> Mapping[str, Any]:
        """Return how a method chooses: the row of its paper's methods. initial and full are DELIFT's."""
        row = self.methods.get(method, {"paper": "delift", "method": method})
        return self._rows_of(row["paper"])[row["method"]]

    def by(self, method: str) -> str:
        """Return what a method chooses by, e.g. utility."""
        return self.choice(method)["by"]

    def of_paper(self, paper: str) -> list[str]:
        """Return the methods that one paper's command chooses by."""
        return [name for name in self.selection["methods"] if self.methods[name]["paper"] == paper]

    def pool(self, pair: str) -> str:
        """Return the rows to choose from."""
        return f"<results>/delift/data/{pair}/pool.jsonl"

    def goal(self, pair: str) -> str:
        """Return all rows for which is chosen, in one file: query set and validation rows."""
        return f"{RESULTS}/goals/{pair}.jsonl"

    def goal_parts(self, pair: str) -> list[str]:
        """Return the parts of a pair that the goal is made of."""
        return [name for name in ("reference", "validation") if self.delift.pair(pair)[name]]

    def shards(self, pair: str) -> range:
        """Return the first candidate of each job that computes golden scores."""
        return range(0, self.delift.rows_of(pair, "pool"), self.papers["nuggets"]["score"]["shard_size"])

    def percents(self, pair: str, model: str, method: str) -> list[int]:
        """Return the sizes of a method's subsets, in percent of the pool."""
        return [LEVELS[method]] if method in LEVELS else list(self.selection["percents"])

    def choice_seeds(self) -> list[int]:
        """Return the seeds for each of which is chosen."""
        return list(self.selection["seeds"])

    def seeds(self, learning: str) -> list[int]:
        """Return the seeds of training."""
        return list(self.selection["seeds"])

    def folder(self, stem: str, pair: str, model: str, method: str) -> str:
        """Return the folder, below stem, of a method's subsets; an empty text for the model as it is."""
        if self.by(method) == "none":
            return ""
        kind = "scored_subsets" if method in self.of_paper("nuggets") else "subsets"
        return f"{stem}/{kind}/{pair}/{model}/{method}"

    def learnt_units(self) -> list[tuple[str, float]]:
        """Return (method, percent) of the subsets from which DELIFT's run learns as we do, with our seeds.

        Its LESS, BM25 and neighbours are other ones: they choose for the validation rows alone.
        """
        learning, seeds = self.selection["learning"], self.delift.seeds(self.selection["learning"])
        measures = set(self.selection["measures"]) <= set(self.delift.delift["measures"])
        if not measures or not set(self.selection["seeds"]) <= set(seeds):
            return []
        same = {name for name in self.of_paper("delift") if self.methods[name]["method"] == name}
        same = {*LEVELS, *(name for name in same if not needs(self.by(name), *OF_THE_GOAL))}
        found = []
        for unit in self.delift.units(self.pair, self.model, learning):
            method, _, size = unit.partition("/")
            if method in same:
                found.append((method, named_percent(size)))
        return found

    def wanted_units(self) -> list[tuple[str, float]]:
        """Return (method, percent) of every subset that is compared, those that are no method's first."""
        percents = self.selection["percents"]
        pairs = [(name, percent) for name in self.selection["methods"] for percent in percents]
        return [*LEVELS.items(), *sorted(pairs, key=lambda pair: f"{pair[0]}/{percent_name(pair[1])}")]

    def units(self) -> list[str]:
        """Return <method>/percent_<n> of the subsets still to be learnt from."""
        learnt = self.learnt_units()
        return [
            f"{name}/{percent_name(percent)}" for name, percent in self.wanted_units() if (name, percent) not in learnt
        ]

    def job(self, pair: str, model: str, learning: str, start: int) -> list[str]:
        """Return the subsets that one job learns from."""
        return self.units()[start : start + self.selection["units_per_job"]]

    def scored_in(self, pair: str, model: str, start: int) -> list[str]:
        """Return the folder of answers that one job measures."""
        return [f"{RESULTS}/answers/{pair}/{model}/{self.selection['learning']}/units_{start}"]

    def measures(self, kind: str) -> list[str]:
        """Return the measures of answers that are taken; all are of the words."""
        return list(self.selection["measures"])

    def known(self, kind: str) -> None:
        """Return that nothing is asked of what is known."""
        return None

    def measured_unit(self, method: str, percent: float) -> str:
        """Return the file with the means over the answers of one subset: of DELIFT's run, or our own."""
        if (method, percent) in self.learnt_units():
            return self.delift.measured_unit(
                "words", self.pair, self.model, self.selection["learning"], method, percent
            )
        number = self.units().index(f"{method}/{percent_name(percent)}")
        return f"{MEASURED}/answers/words/{self.place}/jobs_{number - number % self.selection['units_per_job']}.csv"

    # What keeps a half from being run.

    def selection_left_out(self) -> str:
        """Return why nothing is chosen: the tier says so, or the pair or a model cannot be had; empty if it is."""
        told = self.selection["not_run"] or self.delift.obstacle(self.pair, self.model).removeprefix("not run: ")
        return told or self.delift.absent.get(self.delift.delift["embed"]["model"], "")

    def demonstrations_left_out(self) -> str:
        """Return why nothing is shown: the tier says so, or the data or a model cannot be had; empty if it is."""
        shown, absent = self.demonstrations, self.delift.absent
        if shown["not_run"]:
            return shown["not_run"]
        files = [f"{dataset}/{split}" for dataset, split in self._task_files()]
        return next((absent[name] for name in (*files, *self._shown_models()) if name in absent), "")

    def _task_files(self) -> list[tuple[str, str]]:
        row = self.papers["ddg"]["tasks"][self.demonstrations["task"]]
        return [(row["dataset"], row["train"]), (row["dataset"], row["test"])]

    def _shown_models(self) -> list[str]:
        ddg, backbone = self.papers["ddg"], self.backbone
        return [backbone["model"], backbone["distiller"], ddg["generator"], ddg["learners"][ddg["learner"]]["model"]]

    @property
    def backbone(self) -> Mapping[str, Any]:
        """Return the row of mend.backbones of the model that is asked."""
        return self.papers["mend"]["backbones"][self.demonstrations["backbone"]]

    def n_sets(self) -> int:
        """Return how many sets of texts each method of DDG has."""
        ddg = self.papers["ddg"]
        return len(ddg["seeds"]) * ddg["sets"]["draws"]

    # What each artifact is made from.

    def needs(self, artifact: str) -> Needs:
        """Return what a table or figure is made from."""
        chosen = artifact in (*SELECTION, *BOTH) and not self.selection_left_out()
        shown = artifact in (*DEMONSTRATIONS, *BOTH) and not self.demonstrations_left_out()
        times = {"table_time": ["choosing"], "table_time_demonstrations": ["answering"]}
        halves = times.get(artifact, ["choosing", "answering"] if artifact in BOTH else [])
        files = {f"{half}-times": f"{RESULTS}/times_{half}.csv" for half in halves}
        if artifact in times:
            return Needs(files=files)
        measured: list[str] = []
        if chosen:
            units = self.wanted_units()
            if artifact in BOTH:
                units = [unit for unit in units if unit[0] in LEVELS or unit[1] == min(self.selection["percents"])]
            measured += [self.measured_unit(*unit) for unit in units]
        if chosen and artifact not in BOTH:
            measured.append(f"{MEASURED}/choosing/{self.place}.csv")
        if artifact == "table_selection" and chosen:
            measured += [self._measured_choice(method) for method in self.selection["methods"]]
        if shown:
            measured.append(f"{MEASURED}/demonstrations.csv")
        return Needs(tuple(unique(measured)), files)

    def _measured_choice(self, method: str) -> str:
        kind = "scored_subsets" if method in self.of_paper("nuggets") else "subsets"
        return f"{MEASURED}/{kind}/{self.place}/{method}.csv"

    def settings(self, artifact: str) -> dict[str, Any]:
        """Return the settings of the step that makes a table or figure (`scripts.head_to_head.comparison`)."""
        keys = ("pair", "model", "learning", "percents", "seeds", "methods", "shown")
        selection = {
            "not_run": self.selection_left_out() or None,
            **{key: self.selection[key] for key in keys},
            "by": {name: self.by(name) for name in self.selection["methods"]},
            "good": self.delift.truth(self.pair).get("good") or "right",
        }
        demonstrations = {
            "not_run": self.demonstrations_left_out() or None,
            **{key: self.demonstrations[key] for key in ("task", "backbone", "dpc", "sets", "retrieval")},
            "model": self.backbone["model"],
            "n_sets": self.n_sets(),
        }
        return {
            **({"selection": selection} if artifact in (*SELECTION, *BOTH) else {}),
            **({"demonstrations": demonstrations} if artifact in (*DEMONSTRATIONS, *BOTH) else {}),
        }

    def measured(self) -> list[str]:
        """Return every file of measured values that the tier plans; what DELIFT measured stands with DELIFT."""
        names = (*SELECTION, *DEMONSTRATIONS, *BOTH)
        own = [file for name in names for file in self.needs(name).measured if file.startswith(RESULTS)]
        return unique([f"{MEASURED}/missing.csv", *own])

    def reasons(self) -> list[dict[str, str]]:
        """Return why values are missing: rows of the long schema without paper; what is left out stands for all."""
        rows = []
        if reason := self.selection_left_out():
            rows += [{"experiment": name, "reason": f"not run: {reason}"} for name in ("answers", "choosing")]
        if reason := self.demonstrations_left_out():
            rows.append({"experiment": "demonstrations", "reason": f"not run: {reason}"})
        return rows

    def times(self, half: str) -> list[tuple[str, str]]:
        """Return (run file with measured seconds, METHOD/PART[/KEY]) of one half: choosing or answering."""
        return self._answering_times() if half == "answering" else self._choosing_times()

    def _choosing_times(self) -> list[tuple[str, str]]:
        if self.selection_left_out():
            return []
        scores = f"{RESULTS}/scores/{self.place}/goal"
        runs: dict[str, Sequence[str]] = {
            "golden_score": [f"{scores}/shard_{start}.run.json" for start in self.shards(self.pair)],
            "utility": [
                f"<results>/delift/utility/{self.place}/block_{start}.run.json"
                for start in self.delift.blocks(self.pair)
            ],
            **{cost: [f"<results>/delift/embeddings/{self.pair}.run.json"] for cost in ("embedding", "goal_embedding")},
            **{cost: [f"{RESULTS}/difficulty/{self.place}.run.json"] for cost in ("perplexity", "ifd")},
            **{cost: [f"{RESULTS}/baselines/{self.place}.run.json"] for cost in ("selectit", "less")},
            NOTHING: [],
        }
        found = []
        for method in self.selection["methods"]:
            what = way_of(self.by(method)).cost
            part = f"{method}/scoring/{what}" if what in ("selectit", "less") else f"{method}/scoring"
            found += [(path, part) for path in runs[what]]
            if method in self.of_paper("delift"):
                found.append((f"{RESULTS}/subsets/{self.place}/{method}.run.json", f"{method}/choosing"))
        return found

    def _answering_times(self) -> list[tuple[str, str]]:
        if self.demonstrations_left_out():
            return []
        folder = f"{RESULTS}/demonstrations"
        alone = ("zero_shot", *self.demonstrations["retrieval"])
        found = [(f"{folder}/retrieved.run.json", f"{name}/answering/{name}") for name in alone]
        for name in self.demonstrations["sets"]:
            found.append((f"{folder}/sets.run.json", f"{name}/answering/prompt"))
            found.append((f"{folder}/sets.run.json", f"mend_{name}/answering/vectors"))
        return found

    # What comes over the network.

    def raw_files(self, datasets: Mapping[str, dict[str, Any]]) -> list[tuple[str, str]]:
        """Return (dataset, split) of every raw file that is read. datasets: the registry."""
        files = set()
        if not self.selection_left_out():
            parts = [*parts_of(self.delift.pair(self.pair)).values(), self.delift.truth(self.pair)]
            files |= {(part["dataset"], part["split"]) for part in parts if part and part["dataset"] in datasets}
            files = with_sources(files, self.delift.mixed)
        if not self.demonstrations_left_out():
            files |= set(self._task_files())
        return sorted(files)

    def models(self) -> list[str]:
        """Return the names of the models that are loaded."""
        chosen = [] if self.selection_left_out() else [self.model, self.delift.delift["embed"]["model"]]
        return sorted({*chosen, *([] if self.demonstrations_left_out() else self._shown_models())})
