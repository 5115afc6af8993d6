"""What MEND needs to measure for each table and figure, read from the config alone.

A cell is one method under one condition on the tasks of one setting. Cells are scored by jobs: in a tier with
`mend.together` a few jobs for each backbone and set of training rows, else a job for each method and condition, so that
a table has exactly its own. The rules ask here what to make; the tables and figures are given the files named here.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.artifact_list import Needs, unique
from scripts.common.errors import UserError
from scripts.common.files import read_json
from scripts.data.absences import DOWNLOADS, absences_of
from scripts.data.registry import find_row, find_split, load_registry, model_source
from scripts.data.task_registry import load_task_registry
from scripts.mend.experiments import ATTENTION, AVERAGE, COST, PAPER, SCORES, SECONDS, USUAL, Condition, with_number
from scripts.mend.training_plan import STAGE_1_ALONE, STUDIES, SWEPT, UNTRAINED, Trainings

MEASURED = f"<results>/{PAPER}/measured"
TASKS = "config/metaicl.yaml"
MAIN = ("table_2", "table_paired")
COUNTED = {
    "figure_3": COST,
    "table_efficiency": COST,
    "table_timing": SECONDS,
    "figure_timing": SECONDS,
    "figure_5": ATTENTION,
}
"""What is measured on one task with the first setting's distiller, or with one that is not trained."""


@dataclasses.dataclass(frozen=True)
class Arm:
    """One method under one condition."""

    method: str
    condition: Condition = USUAL

    @property
    def name(self) -> str:
        """Return <method>, or <method>-<condition>."""
        return "-".join(filter(None, (self.method, self.condition.name)))


@dataclasses.dataclass(frozen=True)
class Cell:
    """An arm on the tasks of one setting with one backbone."""

    backbone: str
    setting: str
    arm: Arm


@dataclasses.dataclass(frozen=True)
class Job:
    """The cells that one job scores: every arm on the tasks of every setting."""

    arms: Sequence[Arm]
    settings: Sequence[str]


def check_registered(plan: Plan, datasets: Mapping[str, dict[str, Any]]) -> None:
    """Raise `UserError` for the first chosen task without a data set of the registry, where tasks come from there."""
    if plan.mend["tasks"]["source"] != "registry":
        return
    for task in plan.all_tasks():
        if "dataset" not in plan.tasks.tasks[task]:
            raise UserError(
                f"{TASKS}: tasks.{task}: names no `dataset`, but mend.tasks.source is registry; name one of "
                "config/datasets.yaml there, or choose another source or setting"
            )
        for name, split in plan.registered(task).values():
            row = find_row(datasets, name, "dataset")
            find_split(row, name, split)
            if row["schema"] != "classification":
                raise UserError(
                    f"{TASKS}: tasks.{task}.dataset: '{name}' is of schema {row['schema']}; name a data set of schema "
                    "classification"
                )


@dataclasses.dataclass(frozen=True)
class Plan(Trainings):
    """What is scored, and what each artifact is made from."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Plan:
        """Return the plan of a merged config. Raises `UserError` where its parts do not fit together."""
        registries = config["registries"]
        models = load_registry("models", registries["models"])
        datasets = load_registry("datasets", registries["datasets"])
        absent = absences_of(config, datasets, models)
        used = {row[key] for row in config[PAPER]["backbones"].values() for key in ("model", "distiller")}
        root = f"{DOWNLOADS}/models"
        folders = {name: model_source(models, name, downloads_root=root) for name in sorted(used)}
        tasks = load_task_registry(TASKS, config[PAPER]["settings"])
        found = cls(config[PAPER], tasks, folders, absent)
        check_registered(found, datasets)
        return found

    # What is scored

    def arms(self, artifact: str) -> list[Arm]:
        """Return the arms that an artifact shows."""
        mend, usual = self.mend, self.mend["n_demonstrations"]
        show = mend["table_2"] if artifact in MAIN else mend[artifact]
        if artifact == "table_3":
            return [Arm(method, Condition(fault)) for method in show["methods"] for fault in show["perturbations"]]
        if artifact == "table_separators":
            known = self.row(mend["backbone"])["format"]
            names = ["default" if name == known else name for name in show["formats"]]
            return [Arm(method, Condition(format=name)) for method in show["methods"] for name in names]
        numbers = [with_number(number, usual) for number in show.get("n_demonstrations", [usual])]
        found = [Arm(method, number) for method in show.get("methods", []) for number in numbers]
        limit = [show["limit"]] if "limit" in show else []
        return [*found, *map(Arm, (*show.get("distillers", []), *limit))]

    def cells(self, artifact: str) -> list[Cell]:
        """Return the cells of an artifact, each once, whether or not they can be scored (`obstacle`)."""
        mend = self.mend
        backbones, settings = (mend["table_2"]["backbones"], mend["settings"])
        if artifact not in MAIN:
            backbones, settings = [mend["backbone"]], mend["study_settings"]
        arms = self.arms(artifact)
        return list(dict.fromkeys(Cell(b, name, arm) for b in backbones for name in settings for arm in arms))

    def job_of(self, cell: Cell) -> tuple[str, str, str]:
        """Return (backbone, train set, name) of the job that scores a cell.

        together: main for the methods of the main table, ablation for other distillers, robustness for what differs
        from the usual condition.
        """
        place = cell.backbone, self.train_set(cell.setting)
        if not self.mend["together"]:
            return *place, cell.arm.name
        if cell.arm.condition != USUAL:
            return *place, "robustness"
        return *place, "main" if cell.arm.method in self.mend["table_2"]["methods"] else "ablation"

    def jobs(self) -> dict[tuple[str, str, str], Job]:
        """Return what each scoring job scores, by (backbone, train set, name); what cannot be had is left out."""
        found: dict[tuple[str, str, str], list[Cell]] = {}
        order = [*self.mend["groups"]["ablation"], STAGE_1_ALONE]
        for artifact in (*MAIN, *STUDIES):
            for cell in self.cells(artifact):
                if not self.obstacle(cell.backbone, cell.arm.method):
                    found.setdefault(self.job_of(cell), []).append(cell)
        jobs = {}
        for key, cells in found.items():
            arms = list(dict.fromkeys(cell.arm for cell in cells))
            if key[2] == "ablation":  # as they are trained
                arms.sort(key=lambda arm: order.index(arm.method) if arm.method in order else len(order))
            asked = {cell.setting for cell in cells}
            jobs[key] = Job(arms, [name for name in self.mend["settings"] if name in asked])
        return jobs

    def evaluated_arm(self, arm: Arm) -> dict[str, Any]:
        """Return an arm as the evaluating step reads it."""
        number = arm.condition.n_demonstrations
        return {
            "method": arm.method,
            "kind": UNTRAINED.get(arm.method, "distilled"),
            "source": arm.method if UNTRAINED.get(arm.method, "tuned") == "tuned" else "",
            "perturbation": arm.condition.perturbation,
            "n_demonstrations": self.mend["n_demonstrations"] if number is None else number,
            "format": arm.condition.format,
            "groups": self.mend["finetune"]["groups"],
        }

    def sources(self, backbone: str, train_set: str, job: Job, kind: str) -> dict[str, tuple[str, str]]:
        """Return {name: (folder that a rule makes, folder)} of the distillers or tuned models that a job uses.

        kind: distilled or tuned.
        """
        names = sorted({arm.method for arm in job.arms if UNTRAINED.get(arm.method, "distilled") == kind})
        if kind == "tuned":
            folder = f"<results>/{PAPER}/tuned/{backbone}/{train_set}"
            return dict.fromkeys(names, (folder, folder))
        return {name: self.distiller(backbone, train_set, name) for name in names}

    def prompted(self, backbone: str, train_set: str) -> list[str]:
        """Return the settings for whose test tasks prompts are tuned, as a job of this pair uses them."""
        arm = Arm("prompt_tuning")
        found = [job.settings for (b, t, _), job in self.jobs().items() if (b, t) == (backbone, train_set)
                 and any(other.method == arm.method for other in job.arms)]  # fmt: skip
        return unique(name for names in found for name in names)

    # What cannot be had

    def cost_obstacle(self) -> str:
        """Return why cost cannot be counted: a distiller without any training is enough for it."""
        row = self.row(self.mend["backbone"])
        start = self.mend["variants"]["mend"]["start"]
        shipped = start != "backbone" and self.shipped(self.mend["backbone"], start)
        own = "" if shipped else self.absent.get(row["distiller"], "")
        return self.obstacle(self.mend["backbone"], "icl") or own

    def obstacle_of(self, artifact: str) -> str:
        """Return why an artifact about one task cannot be measured; an empty text if nothing is in the way."""
        return self.obstacle(self.mend["backbone"], "mend") if artifact == "figure_5" else self.cost_obstacle()

    def reasons(self) -> list[dict[str, str]]:
        """Return experiment, model, method and reason of all that cannot be measured; no method: all of them."""
        found = []
        for artifact, experiment in COUNTED.items():
            if reason := self.obstacle_of(artifact):
                found.append((experiment, self.model(self.mend["backbone"]), "", reason))
        for artifact in (*MAIN, *STUDIES):
            for cell in self.cells(artifact):
                if reason := self.obstacle(cell.backbone, cell.arm.method):
                    found.append((cell.arm.condition.experiment, self.model(cell.backbone), cell.arm.method, reason))
        names = ("experiment", "model", "method", "reason")
        return [dict(zip(names, row)) for row in dict.fromkeys(found)]

    # What artifacts are made from

    def needs(self, artifact: str) -> Needs:
        """Return the measurement files that a table or figure shows, and no others."""
        if artifact == "table_5":  # settings alone
            return Needs()
        missing = [f"{MEASURED}/missing.csv"]
        if artifact in COUNTED:
            file = f"{MEASURED}/{COUNTED[artifact]}/{self.mend['backbone']}.csv"
            return Needs(tuple(missing if self.obstacle_of(artifact) else [file]))
        cells = self.cells(artifact)
        had = [cell for cell in cells if not self.obstacle(cell.backbone, cell.arm.method)]
        files = [f"{MEASURED}/{SCORES}/{'/'.join(self.job_of(cell))}.csv" for cell in had]
        if artifact == "table_2":
            files += [f"{MEASURED}/{AVERAGE}/{cell.backbone}.csv" for cell in had]
        return Needs(tuple(unique([*files, *(missing if len(had) < len(cells) else [])])))

    def averaged(self, backbone: str) -> dict[str, str]:
        """Return {method/setting: scores of the evaluating step} of the main table's cells of a backbone."""
        cells = [cell for cell in self.cells("table_2") if cell.backbone == backbone]
        cells = [cell for cell in cells if not self.obstacle(backbone, cell.arm.method)]
        return {
            f"{cell.arm.method}/{cell.setting}": f"<results>/{PAPER}/scores/{'/'.join(self.job_of(cell))}.csv"
            for cell in cells
        }

    def settings(self, artifact: str) -> dict[str, Any]:
        """Return the settings of the step that makes a table or figure (`scripts.mend.comparison.Comparison`)."""
        mend = self.mend
        found: dict[str, Any] = {"model": self.model(mend["backbone"])}
        keys: dict[str, Sequence[str]] = {
            "table_4": ("ablation_steps",),
            "table_5": ("finetune", "tune", "prompt_tuning", "train_seed", "seeds"),
            "table_unseen_labels": ("n_demonstrations",),
            "figure_4": ("n_demonstrations",),
        }
        found.update({key: mend[key] for key in keys.get(artifact, ())})
        if COUNTED.get(artifact) in (COST, SECONDS):
            found["efficiency"] = mend["efficiency"]
        if artifact == "table_5":
            found["pretrain"] = self.stage_1()
        if artifact in MAIN or artifact in STUDIES:
            names = mend["settings"] if artifact in MAIN else mend["study_settings"]
            found["titles"] = {name: self.tasks.settings[name]["title"] for name in names}
            found["order"] = names
            found["show"] = mend["table_2"] if artifact in MAIN else mend[artifact]
        if artifact in MAIN:
            found["models"] = [self.model(name) for name in mend["table_2"]["backbones"]]
        if artifact == "table_separators":
            found["format"] = self.row(mend["backbone"])["format"]
        if artifact in SWEPT:
            found["show"] = {**mend[artifact], "distillers": self.sweep(artifact)}
        if artifact == "figure_4":
            found["n_vectors"] = mend["finetune"]["n_vectors"]
        return found

    def sweep(self, artifact: str) -> dict[str, str]:
        """Return {value of the swept setting: distiller trained with it}, ascending."""
        key, mend = SWEPT[artifact], self.mend
        values = {name: mend["variants"][name].get(key, mend["finetune"][key]) for name in mend[artifact]["distillers"]}
        return {f"{values[name]:g}": name for name in sorted(values, key=values.__getitem__)}

    def stage_1(self) -> dict[str, Any]:
        """Return the settings of stage 1, as the table of hyper-parameters shows them: a shipped distiller's own."""
        description = Path(self.row(self.mend["backbone"])["pretrained"] or "") / "distiller.json"
        if not description.is_file():
            return self.mend["pretrain"]
        return {key: value for key, value in read_json(description)["training"].items() if key in self.mend["pretrain"]}

    def measured(self) -> list[str]:
        """Return every file of measured values but the seconds, which vary from run to run."""
        names = [name for name in (*MAIN, *STUDIES, *COUNTED) if COUNTED.get(name) != SECONDS]
        return unique(file for name in names for file in self.needs(name).measured)

    # What comes over the network

    def raw_files(self, datasets: Mapping[str, dict[str, Any]]) -> list[tuple[str, str]]:
        """Return (dataset, split) of every raw file that is read through the registry. datasets: the registry."""
        tasks, files = self.mend["tasks"], set()
        wanted = self.run_methods()
        if any(self.learns_from_texts(*pair) for pair in wanted):
            files |= {(tasks["texts"], part) for part in self.text_parts(datasets)}
        if tasks["source"] == "hub" and (wanted or not self.cost_obstacle()):
            files |= {(tasks["prepared"], split) for split in ("meta_train", "meta_eval")}
        if wanted or not self.cost_obstacle():
            files |= set(self.registered_files())
        return sorted(files)

    def run_methods(self) -> list[tuple[str, str]]:
        """Return (backbone, method) of all that is run, the distiller whose attention is measured among them."""
        found = [(key[0], arm.method) for key, job in self.jobs().items() for arm in job.arms]
        study = [] if self.obstacle_of("figure_5") else [(self.mend["backbone"], "mend")]
        return list(dict.fromkeys([*found, *study]))

    def downloads(self) -> list[str]:
        """Return what else comes over the network: tasks whose rows `datasets` 1.4.0 fetches itself."""
        fetched = self.mend["tasks"]["source"] == "rebuild" and self.mend["tasks"]["raw"] is None
        return self.task_files(self.all_tasks()) if fetched else []

    def models(self) -> list[str]:
        """Return the names of the models that are loaded."""
        found = set()
        for backbone, method in self.run_methods():
            found.add(self.model(backbone))
            plain = method not in (*UNTRAINED, STAGE_1_ALONE) and self.mend["variants"][method]["start"] == "backbone"
            if plain or self.learns_from_texts(backbone, method):
                found.add(self.row(backbone)["distiller"])
        if not self.cost_obstacle():
            row = self.row(self.mend["backbone"])
            plain = self.unlearned_distiller(self.mend["backbone"])[0] == self.folders[row["distiller"]]
            found |= {row["model"], *([row["distiller"]] if plain else [])}
        return sorted(found)
