"""MetaICL's tasks and settings as config/metaicl.yaml holds them: read, checked, and asked for what a run needs.

Imported by the Snakefile, so nothing heavy is loaded here.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Iterable, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.common.files import PathLike
from scripts.common.yaml_files import read_yaml

TYPES = {"classification": "macro_f1", "multi_choice": "accuracy", "free_form": "accuracy"}
"""Kinds of tasks and the metric of each (MetaICL: macro-F1 for classification, accuracy for the rest)."""


@dataclasses.dataclass(frozen=True)
class TaskRegistry:
    """Settings (which tasks to train and test on) and tasks (how rows of an upstream data set become examples)."""

    settings: Mapping[str, Mapping[str, Any]]
    tasks: Mapping[str, Mapping[str, Any]]

    def test_tasks(self, setting: str) -> list[str]:
        """Return the test tasks of a setting that MEND keeps."""
        row = self.settings[setting]
        return [task for task in row["test"] if task not in row["dropped"]]

    def train_set(self, setting: str) -> str:
        """Return the name of a setting's training rows; settings of one name share them."""
        return self.settings[setting].get("train_set") or setting

    def train_tasks(self, train_set: str, chosen: Iterable[str]) -> list[str]:
        """Return the meta-training tasks of a train set, in the order of the first of its settings that is `chosen`."""
        tasks: dict[str, None] = {}
        for setting in chosen:
            if self.train_set(setting) == train_set:
                tasks.update(dict.fromkeys(self.settings[setting]["train"]))
        return list(tasks)

    def metric_of(self, tasks: Iterable[str]) -> dict[str, str]:
        """Return the metric of each task."""
        return {task: TYPES[self.tasks[task]["type"]] for task in tasks}


def load_task_registry(path: PathLike, settings: Sequence[str]) -> TaskRegistry:
    """Read the registry and check it for the chosen settings. Raises `UserError` naming file and key."""
    content = read_yaml(path)
    for key in ("settings", "tasks"):
        if not isinstance(content, dict) or not isinstance(content.get(key), dict):
            raise UserError(f"{path}: '{key}' is missing; it names {key}, see the file as it comes with the project")
    registry = TaskRegistry(content["settings"], content["tasks"])
    for name in settings:
        if name not in registry.settings:
            hint = did_you_mean(name, list(registry.settings))
            raise UserError(f"config: mend.settings: no setting '{name}' in {path}{hint}; correct it or add it there")
        for task in (*registry.settings[name]["train"], *registry.settings[name]["test"]):
            if task not in registry.tasks:
                hint = did_you_mean(task, list(registry.tasks))
                raise UserError(f"{path}: settings.{name}: no task '{task}'{hint}; correct it or add it under tasks")
    for name, row in registry.tasks.items():
        if row.get("type") not in TYPES:
            raise UserError(f"{path}: tasks.{name}.type: is '{row.get('type')}'; choose one of {', '.join(TYPES)}")
    return registry
