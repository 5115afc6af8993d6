"""What DDG and DiLM need to measure for each table and figure, read from the config alone.

A run is a method's sets of one size in one kind of learner, or its demonstrations in one language model's prompt
(`scripts.ddg.measurements`). The rules ask here what to make; tables and figures are given exactly the files that stand
here. What a run reads decides what is fetched for it, and why it cannot be made where something is out of reach.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Iterable, Mapping, Sequence, Tuple, TypeVar

from scripts.common.artifact_list import Needs, unique
from scripts.data.absences import absences_of, file_absences
from scripts.data.registry import load_registry
from scripts.ddg.measurements import (
    PAPER,
    ContextRun,
    LearnerRun,
)
from scripts.ddg.plan_checks import check_methods, check_released, check_sizes, check_tasks, makes_sets
from scripts.ddg.run_columns import FULL, ZERO_SHOT

MEASURED = f"<results>/{PAPER}/measured"
MISSING, AVERAGES, DIFFERENCES = (f"{MEASURED}/{name}.csv" for name in ("missing", "averages", "differences"))
OTHER_LEARNERS = ("table_2", "table_7", "table_8")
OF_LEARNERS = ("table_1", *OTHER_LEARNERS, "table_4", "table_ablation", "figure_sensitivity", "table_paired")
IN_CONTEXT = ("table_main", "table_long", "table_3", "table_ablation", "figure_sensitivity", "table_paired")
"""The artifacts that show either evaluation; in this order their runs are put into jobs."""
BY_ROUNDS = ("table_long", "figure_sensitivity")
"""Those of them that show every round."""
SWEEPS = ("decay", "temperature")
UNPLANNED = ("pretraining", "converted")
"""Keys of the config that only say how something is computed."""

Run = TypeVar("Run", LearnerRun, ContextRun)
Job = Tuple[str, str, str]
"""<task>, learner or language model, name."""


@dataclasses.dataclass(frozen=True)
class Materials:
    """What is read: raw files as (dataset, split), models by name."""

    splits: tuple[tuple[str, str], ...] = ()
    models: tuple[str, ...] = ()

    def __add__(self, other: Materials) -> Materials:
        return Materials((*self.splits, *other.splits), (*self.models, *other.models))


@dataclasses.dataclass(frozen=True)
class Plan:
    """ddg: the config's key of that name; labels: class names of the data sets of table_examples, None where the rows
    say them; absent: why a registered file or model cannot be had, by <dataset>/<split> or by the model's name.
    """

    ddg: Mapping[str, Any]
    labels: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_methods(self.ddg)
        check_sizes(self.ddg)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Plan:
        """Return the plan of a merged config. Raises `UserError` where its parts do not fit together."""
        registries = config["registries"]
        datasets = load_registry("datasets", registries["datasets"])
        ddg = {key: value for key, value in config[PAPER].items() if key not in UNPLANNED}
        plan = cls(ddg)
        check_tasks(ddg, plan.tasks_read(), datasets)
        shown = [ddg["tasks"][task]["dataset"] for task in ddg["table_examples"]["tasks"]]
        read = functools.reduce(Materials.__add__, plan.all_materials())
        absent = absences_of(config, datasets, load_registry("models", registries["models"]))
        return cls(
            ddg,
            {name: datasets[name]["labels"] for name in shown},
            {
                **file_absences(config, datasets, read.splits),
                **{name: why for name, why in absent.items() if name in read.models},
            },
        )

    def learner_runs(self, artifact: str) -> list[LearnerRun]:
        """Return the learners that an artifact shows, whether or not they can be trained (`obstacle`)."""
        ddg, learner, tasks = self.ddg, self.ddg["learner"], self.ddg["table_1"]["tasks"]
        sizes, show = ddg["table_1"]["dpcs"], ddg.get(artifact, {})
        found: list[LearnerRun] = []
        if artifact == "table_1":
            found = _learners(tasks, [learner], show["methods"], sizes)
            found += _learners(tasks, [learner], [FULL], [FULL]) if ddg["learner_evaluation"]["full"] else []
        elif artifact in OTHER_LEARNERS:
            found = _learners(tasks, ddg["table_2"]["learners"], ddg["table_2"]["methods"], [show["dpc"]])
        elif artifact == "table_4":
            found = _learners(tasks, [learner], show["methods"], [show["dpc"]])
        elif artifact == "table_ablation":
            found = _learners(show["tasks"], [learner], show["methods"], [show["dpc"]])
        elif artifact == "table_paired":
            found = _learners(tasks, [learner], self.paired_methods(), sizes)
        elif artifact == "figure_sensitivity":
            found = _learners([show["task"]], [learner], show["methods"], sizes)
            found += _learners([show["task"]], [learner], self.swept(), [show["dpc"]])
        return list(dict.fromkeys(found))

    def context_runs(self, artifact: str) -> list[ContextRun]:
        """Return the prompts that an artifact shows, whether or not a model can be asked (`obstacle`)."""
        show, models = self.ddg.get(artifact, {}), self.ddg["in_context"]["models"]
        protocol, found = self.ddg["table_main"]["protocol"], []
        if artifact in ("table_main", "table_long"):
            found = _prompts(show["tasks"], models, protocol, show["methods"])
        elif artifact == "table_3":
            found = _prompts([show["task"]], show["models"], show["protocol"], show["methods"])
        elif artifact == "table_ablation":
            found = _prompts(show["tasks"], models[:1], protocol, show["methods"])
        elif artifact == "table_paired":
            found = _prompts(self.ddg["table_1"]["tasks"], models, protocol, self.paired_methods())
        elif artifact == "figure_sensitivity":
            found = _prompts([show["task"]], models[:1], protocol, show["methods"])
        return list(dict.fromkeys(found))

    def paired_methods(self) -> list[str]:
        """Return the methods whose differences are shown, each once."""
        return unique(name for pair in self.ddg["table_paired"]["pairs"] for name in pair)

    def swept(self) -> list[str]:
        """Return the methods of the sweeps; one value alone varies nothing and is not drawn."""
        sweeps = [self.ddg["figure_sensitivity"][name] for name in SWEEPS]
        return unique(method for methods in sweeps if len(methods) > 1 for method in methods)

    def sweep(self, key: str) -> dict[str, str]:
        """Return {a value of the sweep: the method with it}: decay of the teacher (0 without one) or temperature."""
        found = {}
        for name in self.ddg["figure_sensitivity"][key]:
            row = {**self.ddg["matching"], **self.ddg["variants"][self.ddg["methods"][name]["variant"]]}
            value = row["temperature"] if key == "temperature" else row["teacher_decay"] * (row["teacher"] == "ema")
            found[f"{value:g}"] = name
        return found

    def rounds(self, protocol: str) -> list[int]:
        """Return the rounds in which a protocol is asked."""
        ddg, found = self.ddg, set()
        if protocol == ddg["table_main"]["protocol"]:
            found |= {*ddg["in_context"]["rounds"], ddg["table_main"]["round"]}
        if protocol == ddg["table_3"]["protocol"]:
            found.add(ddg["table_3"]["round"])
        return sorted(found)

    def scorers(self, protocol: str) -> list[str]:
        """Return the scorers of a protocol."""
        return list(self.ddg["in_context"]["protocols"][protocol]["scorers"])

    def set_materials(self, task: str, method: str) -> Materials:
        """Return what making a method's sets of a task reads."""
        row, given = self.ddg["methods"][method], self.ddg["tasks"][task]
        train, encoder = (given["dataset"], given["train"]), self.ddg["learners"][self.ddg["learner"]]["model"]
        if row["by"] == "released":
            return Materials(tuple(self.released(task).values()))
        if row["by"] == "generator":
            return Materials((train,), (self.ddg["generator"], encoder))
        return Materials((train,), () if row["select"] == "random" else (encoder,))

    def released(self, task: str) -> dict[str, tuple[str, str]]:
        """Return {"<seed>/<dpc>/<draw>": (dataset, split)} of the released sets of a task."""
        check_released(self.ddg, task)
        source, draws = self.ddg["tasks"][task]["released"], self.ddg["sets"]["draws"]
        return {
            f"{seed}/{dpc}/{draw}": (source, f"dpc{dpc}_{place * draws + draw}")
            for place, seed in enumerate(self.ddg["seeds"])
            for dpc in self.ddg["sets"]["dpcs"]
            for draw in range(draws)
        }

    def materials(self, run: LearnerRun | ContextRun) -> Materials:
        """Return all that a run reads, the making of its sets included."""
        task, methods = self.ddg["tasks"][run.task], self.ddg["methods"]
        test, train = (task["dataset"], task["test"]), (task["dataset"], task["train"])
        model = self.ddg["learners"][run.learner]["model"] if isinstance(run, LearnerRun) else run.model
        own = Materials((test,), (model,))
        if run.method == FULL:
            return own + Materials((train,))
        if makes_sets(self.ddg, run.method):
            return own + self.set_materials(run.task, run.method)
        if self.retrieves(run.method):
            encoder = self.ddg["learners"][self.ddg["learner"]]["model"]
            return own + Materials((train,), (encoder,) if methods[run.method]["select"] == "knn" else ())
        return own

    def retrieves(self, method: str) -> bool:
        """Return whether a method looks for demonstrations for each query."""
        return method != ZERO_SHOT and self.ddg["methods"][method]["by"] == "retrieval"

    def absence(self, materials: Materials) -> str:
        """Return why something that is read cannot be had; an empty text if all of it can."""
        keys = (*(f"{dataset}/{split}" for dataset, split in materials.splits), *materials.models)
        return next((self.absent[key] for key in keys if key in self.absent), "")

    def obstacle(self, run: LearnerRun | ContextRun) -> str:
        """Return why a run cannot be made; an empty text if nothing is in the way."""
        if isinstance(run, LearnerRun) and not self.trainable(run):
            return f"{run.method} makes no sets, so no learner can be trained on them"
        size = run.size if isinstance(run, LearnerRun) else self.ddg["in_context"]["dpc"]
        if makes_sets(self.ddg, run.method) and int(size) not in self.ddg["sets"]["dpcs"]:
            return f"no sets of {size} texts a class are made: ddg.sets.dpcs names other sizes"
        return self.absence(self.materials(run))

    def trainable(self, run: LearnerRun) -> bool:
        """Return whether a method has sets, or all texts, to train on."""
        return run.method == FULL or makes_sets(self.ddg, run.method)

    def feasible(self, runs: Iterable[Run]) -> list[Run]:
        """Return the runs that can be made, each once."""
        return [run for run in dict.fromkeys(runs) if not self.obstacle(run)]

    @functools.cached_property
    def learner_jobs(self) -> dict[Job, list[LearnerRun]]:
        """Return the runs of each training job by (task, learner, name of the job).

        together: the methods that are wanted in the same sizes share a job; else a job for each method and size.
        """
        runs = self.feasible(run for artifact in OF_LEARNERS for run in self.learner_runs(artifact))
        sizes: dict[tuple[str, str, str], list[str]] = {}
        for run in runs:
            sizes.setdefault((run.task, run.learner, run.method), []).append(run.size)
        jobs: dict[Job, list[LearnerRun]] = {}
        for run in runs:
            own = sizes[run.task, run.learner, run.method] if self.ddg["together"] else [run.size]
            name = FULL if run.method == FULL else "_".join(["dpc", *sorted(own, key=int)])
            name += "" if run.method == FULL or self.ddg["together"] else f"-{run.method}"
            jobs.setdefault((run.task, run.learner, name), []).append(run)
        return jobs

    @functools.cached_property
    def context_jobs(self) -> dict[Job, list[ContextRun]]:
        """Return the runs of each asking job by (task, model, name of the job).

        together: one job for a task and model; else a job for each method and protocol.
        """
        jobs: dict[Job, list[ContextRun]] = {}
        for run in self.feasible(run for artifact in IN_CONTEXT for run in self.context_runs(artifact)):
            name = "all" if self.ddg["together"] else f"{run.protocol}-{run.method}"
            jobs.setdefault((run.task, run.model, name), []).append(run)
        return jobs

    def jobs_of(self, artifact: str) -> tuple[list[Job], list[Job]]:
        """Return the jobs of both evaluations whose runs an artifact shows."""
        learners, prompts = set(self.learner_runs(artifact)), set(self.context_runs(artifact))
        return (
            [job for job, runs in self.learner_jobs.items() if not learners.isdisjoint(runs)],
            [job for job, runs in self.context_jobs.items() if not prompts.isdisjoint(runs)],
        )

    def needs(self, artifact: str) -> Needs:
        """Return what a table or figure is made from."""
        if artifact == "table_examples":
            method, tasks = self.ddg[artifact]["method"], self.tasks_with_examples()
            return Needs((MISSING,), {"sets": [f"<results>/ddg/sets/{task}/{method}" for task in tasks]})
        if artifact == "figure_training":
            task, variants = self.ddg[artifact]["task"], self.variants_with_history()
            return Needs((MISSING,), {"histories": [f"<results>/ddg/histories/{task}/{v}.json" for v in variants]})
        if artifact == "table_paired":
            return Needs((MISSING, DIFFERENCES))
        learners, prompts = self.jobs_of(artifact)
        files = [f"{MEASURED}/learners/{'/'.join(job)}.csv" for job in learners]
        files += [f"{MEASURED}/in_context/{'/'.join(job)}.csv" for job in prompts]
        return Needs((MISSING, *files, *((AVERAGES,) if artifact == "table_main" else ())))

    def settings(self, artifact: str) -> dict[str, Any]:
        """Return the settings of the step that makes a table or figure, of what it shows only."""
        ddg = self.ddg
        if artifact == "table_examples":
            rows = {task: ddg["tasks"][task] for task in ddg[artifact]["tasks"]}
            return {
                **ddg[artifact],
                "there": self.tasks_with_examples(),
                "titles": {task: row["title"] for task, row in rows.items()},
                "labels": {task: self.labels[row["dataset"]] for task, row in rows.items()},
                "seed": ddg["seeds"][0],
                "dpc": max(ddg["sets"]["dpcs"]),
            }
        if artifact == "figure_training":
            return {**ddg[artifact], "there": self.variants_with_history()}
        shown = self._shown(artifact)
        tasks = unique(run.task for run in shown)
        return {
            "titles": {task: ddg["tasks"][task]["title"] for task in tasks},
            "seeds": ddg["seeds"],
            "show": self._show(artifact),
            **(self._of_learners(tasks) if artifact in OF_LEARNERS else {}),
            **(self._of_prompts(artifact) if artifact in IN_CONTEXT else {}),
        }

    def _show(self, artifact: str) -> dict[str, Any]:
        ddg, show = self.ddg, dict(self.ddg[artifact])
        if artifact in OTHER_LEARNERS:
            show = {**ddg["table_2"], "dpc": show["dpc"]}
        if artifact in (*OTHER_LEARNERS, "table_4", "table_paired"):
            show["tasks"] = ddg["table_1"]["tasks"]
        if artifact in ("table_paired", "figure_sensitivity"):
            show["dpcs"] = ddg["table_1"]["dpcs"]
        if artifact == "figure_sensitivity":
            show.update({key: self.sweep(key) if len(show[key]) > 1 else {} for key in SWEEPS})
        return show

    def _of_learners(self, tasks: Sequence[str]) -> dict[str, Any]:
        metrics = {task: self.ddg["tasks"][task]["metric"] for task in tasks}
        return {"metrics": metrics, "learner": self.ddg["learner"], "draws": self.ddg["sets"]["draws"]}

    def _of_prompts(self, artifact: str) -> dict[str, Any]:
        table = self.ddg["table_3" if artifact == "table_3" else "table_main"]
        told = ("draws", "n_queries") if artifact in ("table_main", "table_long", "table_3") else ()
        by_round = ("rounds",) if artifact in BY_ROUNDS else ()
        given = {key: self.ddg["in_context"][key] for key in (*told, *by_round)}
        asked = {"protocol": table["protocol"], "round": table["round"], "scorers": self.scorers(table["protocol"])}
        models = unique(run.model for run in self.context_runs(artifact))
        return {"models": models, "context": {**given, **asked}}

    def tasks_with_examples(self) -> list[str]:
        """Return the tasks whose written texts can be shown."""
        show = self.ddg["table_examples"]
        return [task for task in show["tasks"] if not self.absence(self.set_materials(task, show["method"]))]

    def variants_with_history(self) -> list[str]:
        """Return the trainings whose curves can be drawn."""
        show = self.ddg["figure_training"]
        return [] if self.absence(self.training_materials(show["task"])) else list(show["variants"])

    def training_materials(self, task: str) -> Materials:
        """Return what the training of a generator by gradient matching reads."""
        row, learner = self.ddg["tasks"][task], self.ddg["learners"][self.ddg["learner"]]["model"]
        return Materials(((row["dataset"], row["train"]),), (self.ddg["generator"], learner))

    def averages(self) -> dict[tuple[str, str], str]:
        """Return {(model, method): why there is no mean over the main table's tasks, an empty text if there is one}."""
        show = self.ddg["table_main"]
        pairs = [(model, method) for model in self.ddg["in_context"]["models"] for method in show["methods"]]
        return {
            (model, method): self.first_obstacle(ContextRun(t, model, show["protocol"], method) for t in show["tasks"])
            for model, method in pairs
        }

    def first_obstacle(self, runs: Iterable[LearnerRun | ContextRun]) -> str:
        """Return why one of several runs cannot be made; an empty text if all can."""
        return next(filter(None, map(self.obstacle, runs)), "")

    def measured(self) -> list[str]:
        """Return every file of measured values that the tier plans."""
        from scripts.ddg.artifacts import ARTIFACTS

        files = unique(file for artifact in ARTIFACTS for file in self.needs(artifact.name).measured)
        files += [f"{MEASURED}/learners/{'/'.join(job)}.csv" for job in self.learner_jobs]
        return unique([*files, *(f"{MEASURED}/in_context/{'/'.join(job)}.csv" for job in self.context_jobs)])

    def tasks_read(self) -> list[str]:
        """Return the tasks of all artifacts and of `ddg_distil`, each once."""
        runs = [run for artifact in (*OF_LEARNERS, *IN_CONTEXT) for run in self._shown(artifact)]
        further = (
            self.ddg["table_examples"]["tasks"],
            [self.ddg["figure_training"]["task"]],
            self.ddg["distil"]["tasks"],
        )
        return unique([*(run.task for run in runs), *(task for tasks in further for task in tasks)])

    def _shown(self, artifact: str) -> list[LearnerRun | ContextRun]:
        return [*self.learner_runs(artifact), *self.context_runs(artifact)]

    def all_materials(self) -> list[Materials]:
        """Return what every run, table and figure reads, and what `ddg_distil` does, within reach or not."""
        ddg = self.ddg
        runs = dict.fromkeys(run for artifact in (*OF_LEARNERS, *IN_CONTEXT) for run in self._shown(artifact))
        sets = [(task, ddg["table_examples"]["method"]) for task in ddg["table_examples"]["tasks"]]
        distilled = [(task, method) for task in ddg["distil"]["tasks"] for method in ddg["distil"]["methods"]]
        tests = [(ddg["tasks"][task]["dataset"], ddg["tasks"][task]["test"]) for task in ddg["distil"]["tasks"]]
        trainable = [run for run in runs if not isinstance(run, LearnerRun) or self.trainable(run)]
        return [
            *map(self.materials, trainable),
            *(self.set_materials(*pair) for pair in [*sets, *distilled]),
            self.training_materials(ddg["figure_training"]["task"]),
            Materials(tuple(tests)),
        ]

    def read(self) -> list[Materials]:
        """Return what is read in the tier: of all materials those that can be had."""
        return [materials for materials in self.all_materials() if not self.absence(materials)]

    def raw_files(self, datasets: Mapping[str, dict[str, Any]]) -> list[tuple[str, str]]:
        """Return (dataset, split) of every raw file that is read. datasets: the registry."""
        return sorted({pair for materials in self.read() for pair in materials.splits})

    def models(self) -> list[str]:
        """Return the names of the models that are loaded."""
        return sorted({name for materials in self.read() for name in materials.models})


def _learners(
    tasks: Sequence[str], learners: Sequence[str], methods: Sequence[str], sizes: Sequence[int | str]
) -> list[LearnerRun]:
    return [LearnerRun(t, name, m, str(size)) for t in tasks for name in learners for m in methods for size in sizes]


def _prompts(tasks: Sequence[str], models: Sequence[str], protocol: str, methods: Sequence[str]) -> list[ContextRun]:
    return [ContextRun(task, model, protocol, method) for task in tasks for model in models for method in methods]
