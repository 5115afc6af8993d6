"""What MEND trains on and what its distillers start from, read from the config alone; `plan` says for what."""

from __future__ import annotations

import dataclasses
from typing import Any, Iterable, Mapping

from scripts.common.artifact_list import unique
from scripts.common.errors import UserError
from scripts.data.registry import split_parts
from scripts.data.task_registry import TaskRegistry
from scripts.mend.experiments import PAPER

UNTRAINED = {"zero_shot": "zero_shot", "icl": "icl", "metaicl": "tuned", "prompt_tuning": "prompt_tuning"}
"""Methods without a distiller, and their kind for the evaluating step; every other one is the name of a distiller."""
STAGE_1_ALONE = "no_finetuning"
PRETRAINING = {
    "distillation": {"start": "backbone"},
    "language_model": {"start": "backbone", "lm_weight": 1.0, "kl_weight": 0.0},
}
"""What stage 1 minimises: the distance to the language model that reads the text itself, or the next token's surprise;
with what differs from the config's `pretrain`."""
TASK_FOLDERS = {
    "synthetic": "<results>/data/tasks",
    "rebuild": "<results>/data/metaicl",
    "hub": "<results>/data/metaicl_prepared",
    "registry": "<results>/data/registered_tasks",
}
ONE_FOLDER = ("synthetic", "hub")
"""Sources whose tasks are written by one job; of the others each task is a job."""
STUDIES = ("table_3", "table_4", "table_separators", "table_unseen_labels", "figure_4", "figure_lambda")
SWEPT = {"figure_4": "n_vectors", "figure_lambda": "kl_weight"}
"""Figures that compare distillers trained with different values of a setting, and which."""


@dataclasses.dataclass(frozen=True)
class Trainings:
    """mend: the config's key of that name; tasks: MetaICL's settings and tasks.

    folders: where each registered model lies or will lie. absent: why a registered file or model cannot be had, by
    <dataset>/<split> or by the model's name; what needs it is left out.
    """

    mend: Mapping[str, Any]
    tasks: TaskRegistry
    folders: Mapping[str, str]
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_settings(self.mend)

    # Tasks and rows

    def train_set(self, setting: str) -> str:
        """Return the name of a setting's training rows."""
        return self.tasks.train_set(setting)

    def train_tasks(self, train_set: str) -> list[str]:
        """Return the meta-training tasks of a train set."""
        return self.tasks.train_tasks(train_set, self.mend["settings"])

    def test_tasks(self, settings: Iterable[str]) -> list[str]:
        """Return the test tasks of some settings, each once."""
        return unique(task for setting in settings for task in self.tasks.test_tasks(setting))

    def all_tasks(self) -> list[str]:
        """Return every task that the chosen settings train or test on."""
        settings = self.mend["settings"]
        return unique(
            task for name in settings for task in (*self.tasks.settings[name]["train"], *self.tasks.test_tasks(name))
        )

    def draws(self, task: str) -> dict[str, Any]:
        """Return the k-shot files that a task needs, by its roles."""
        mend, found = self.mend, {}
        if any(task in self.tasks.settings[name]["train"] for name in mend["settings"]):
            found["meta_train"] = {"k": mend["train_shots"], "seeds": [mend["train_seed"]]}
        if task in self.test_tasks(mend["settings"]):
            found["meta_test"] = {"k": mend["shots"], "seeds": mend["seeds"]}
        return found

    @property
    def task_folder(self) -> str:
        """Return the folder with one folder per task."""
        return TASK_FOLDERS[self.mend["tasks"]["source"]]

    def task_files(self, tasks: Iterable[str]) -> list[str]:
        """Return what has to be there before these tasks can be read."""
        if self.mend["tasks"]["source"] in ONE_FOLDER:
            return [self.task_folder]
        return [f"{self.task_folder}/{task}" for task in tasks]

    def registered(self, task: str) -> dict[str, tuple[str, str]]:
        """Return {train, test: (data set, split) of the registry} of a task; none where tasks come from elsewhere."""
        if self.mend["tasks"]["source"] != "registry":
            return {}
        row = self.tasks.tasks[task]
        return {role: (row["dataset"], row["splits"][role]) for role in ("train", "test")}

    def registered_files(self) -> list[tuple[str, str]]:
        """Return (data set, split) of every registered file that the chosen settings' tasks are made of."""
        return sorted({file for task in self.all_tasks() for file in self.registered(task).values()})

    def dev_rows(self) -> int:
        """Return how many development rows of a task stage 2 can use: demonstrations, and the queries behind them."""
        settings = [{**self.mend["finetune"], **variant} for variant in self.mend["variants"].values()]
        return max(one["n_demonstrations"] + one["dev_queries"] for one in settings)

    def text_parts(self, datasets: Mapping[str, dict[str, Any]]) -> list[str]:
        """Return the splits that hold the texts of stage 1: with a limit the first of several is sampled."""
        parts = split_parts(datasets, self.mend["tasks"]["texts"], "train")
        return parts[:1] if self.mend["tasks"]["texts_limit"] else parts

    def texts(self, datasets: Mapping[str, dict[str, Any]]) -> list[str]:
        """Return the canonical texts of stage 1, a file for each part."""
        limit, name = self.mend["tasks"]["texts_limit"], self.mend["tasks"]["texts"]
        ending = f"_sample_{limit}.jsonl" if limit else ".jsonl"
        return [f"<results>/data/examples/{name}/{part}{ending}" for part in self.text_parts(datasets)]

    # Distillers

    def row(self, backbone: str) -> Mapping[str, Any]:
        """Return what the config says of a backbone."""
        return self.mend["backbones"][backbone]

    def model(self, backbone: str) -> str:
        """Return the registry name of a backbone's language model."""
        return self.row(backbone)["model"]

    def shipped(self, backbone: str, start: str) -> str | None:
        """Return the folder of a finished stage 1, by how it was trained; None where it is trained here."""
        return self.row(backbone)["pretrained" if start == "distillation" else "pretrained_lm"]

    def start(self, backbone: str, name: str) -> tuple[str, str]:
        """Return (the folder that a rule makes or that is there, the folder itself) of where a distiller starts.

        name: backbone, the plain model, or which stage 1.
        """
        if name == "backbone":
            folder = self.folders[self.row(backbone)["distiller"]]
            return folder, folder
        shipped, folder = self.shipped(backbone, name), f"<results>/{PAPER}/distillers/{backbone}/pretraining/{name}"
        return (shipped, shipped) if shipped else (folder, f"{folder}/{name}")

    def group(self, name: str) -> str:
        """Return the group of a distiller."""
        return next(group for group, members in self.mend["groups"].items() if name in members)

    def variants(self, job: str) -> dict[str, dict[str, Any]]:
        """Return {distiller: what differs from stage 2's settings} of a training job."""
        steps, groups = self.mend["ablation_steps"], self.mend["groups"]
        names = groups[job] if self.mend["together"] else [job]
        shorter = {} if steps is None else {"steps": steps}
        common = {name: shorter if self.group(name) == "ablation" else {} for name in names}
        return {name: {**common[name], **self.mend["variants"][name]} for name in names}

    def training_jobs(self) -> list[str]:
        """Return the names of the training jobs of stage 2: the groups, or each distiller."""
        groups = self.mend["groups"]
        return list(groups) if self.mend["together"] else [name for members in groups.values() for name in members]

    def distiller(self, backbone: str, train_set: str, name: str) -> tuple[str, str]:
        """Return (the folder that a rule makes, the distiller's folder in it); no_finetuning is stage 1's."""
        if name == STAGE_1_ALONE:
            return self.start(backbone, "distillation")
        job = self.group(name) if self.mend["together"] else name
        folder = f"<results>/{PAPER}/distillers/{backbone}/{train_set}/{job}"
        return folder, f"{folder}/{name}"

    def study_distiller(self) -> tuple[str, str]:
        """Return (the folder that a rule makes, the distiller in it) whose attention is measured."""
        return self.distiller(self.mend["backbone"], self.train_set(self.mend["study_settings"][0]), "mend")

    def study_task(self) -> str:
        """Return the test task on which cost and attention are measured: the first of the first study setting."""
        return self.tasks.test_tasks(self.mend["study_settings"][0])[0]

    def unlearned_distiller(self, backbone: str) -> tuple[str, dict[str, Any]]:
        """Return (folder, shape) of a distiller that is as large as the trained one and costs as much.

        folder: the plain model or a shipped distiller; shape: its n_vectors, its pooler (None: the shipped one's), and
        the first layers that are kept of a plain model, where not all are.
        """
        stage_2 = {**self.mend["finetune"], **self.mend["variants"]["mend"]}
        start, kept = stage_2["start"], stage_2["placeholder_start"] == "keep"
        shipped = None if start == "backbone" else self.shipped(backbone, start)
        if shipped:
            pooler = None if kept else stage_2["pooler"]
        else:
            pooler = self.mend["pretrain"]["pooler"] if kept and start != "backbone" else stage_2["pooler"]
        folder = shipped or self.start(backbone, "backbone")[1]
        shape = {"n_vectors": stage_2["n_vectors"], "pooler": pooler}
        layers = None if shipped else self.row(backbone).get("distiller_layers")
        return folder, shape if layers is None else {**shape, "layers": layers}

    # What cannot be had

    def learns_from_texts(self, backbone: str, method: str) -> bool:
        """Return whether a method stands on a stage 1 that is trained here."""
        if method in UNTRAINED:
            return False
        start = "distillation" if method == STAGE_1_ALONE else self.mend["variants"][method]["start"]
        return start != "backbone" and not self.shipped(backbone, start)

    def obstacle(self, backbone: str, method: str) -> str:
        """Return why a method cannot be run with a backbone; an empty text if nothing is in the way."""
        row, tasks = self.row(backbone), self.mend["tasks"]
        needed = [row["model"]]
        if tasks["source"] == "hub":
            needed += [f"{tasks['prepared']}/{split}" for split in ("meta_train", "meta_eval")]
        needed += ["/".join(file) for file in self.registered_files()]
        if method not in UNTRAINED:
            start = "distillation" if method == STAGE_1_ALONE else self.mend["variants"][method]["start"]
            if start == "backbone" or not self.shipped(backbone, start):
                needed.append(row["distiller"])
            if start != "backbone" and not self.shipped(backbone, start):
                needed.append(f"{tasks['texts']}/train")
        return next((self.absent[name] for name in needed if name in self.absent), "")


def check_settings(mend: Mapping[str, Any]) -> None:
    """Raise `UserError` where parts of the config's `mend` do not fit together."""
    for name in mend["study_settings"]:
        if name not in mend["settings"]:
            raise UserError(f"config: mend.study_settings: '{name}' is not in mend.settings; add it there or remove it")
    if mend["backbone"] not in mend["table_2"]["backbones"]:
        raise UserError(f"config: mend.backbone: '{mend['backbone']}' is not in mend.table_2.backbones; add it there")
    if mend["tasks"]["source"] == "hub" and mend["tasks"]["prepared"] is None:
        raise UserError("config: mend.tasks.prepared: is null, but mend.tasks.source is hub; name a dataset")
    main, further = mend["groups"]["main"], mend["groups"]["ablation"]
    for name in main:
        if name in further:
            raise UserError(f"config: mend.groups: '{name}' is in main and in ablation; remove it from one")
    if "mend" not in main + further:
        raise UserError(
            "config: mend.groups: no group trains 'mend', whose cost is measured; add it to mend.groups.main"
        )
    shown = {f"{name}.methods": mend[name]["methods"] for name in ("table_2", *STUDIES) if "methods" in mend[name]}
    shown |= {f"{name}.distillers": mend[name]["distillers"] for name in SWEPT}
    shown["figure_lambda.limit"] = [mend["figure_lambda"]["limit"]]
    for place, names in shown.items():
        trained = main if place == "table_2.methods" else [*main, *further]
        known = [*UNTRAINED, *trained, *([STAGE_1_ALONE] if place != "table_2.methods" else [])]
        if place == "table_4.methods":
            known = [*trained, STAGE_1_ALONE]
        if place.endswith((".distillers", ".limit")):
            known = trained
        for name in names:
            if name not in known:
                raise UserError(f"config: mend.{place}: no group trains '{name}'; add it to mend.groups")
