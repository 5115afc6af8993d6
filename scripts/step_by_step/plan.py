"""Which students have to be trained for which table and figure, read from the config alone (paper, section 4).

The rules and the step that collects values both ask here, so that what is planned and what is shown cannot differ.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

DSS = "distilling_step_by_step"
FEW_SHOT = "few_shot_cot"


@dataclasses.dataclass(frozen=True)
class Student:
    """One student of the grid. label_type: gt or llm; teacher: whose rationales (and labels); share: of the train rows.

    augmented: unlabelled rows of a second set are added to the train rows.
    """

    dataset: str
    model: str
    method: str
    label_type: str
    teacher: str
    share: float
    run: int
    augmented: bool = False

    @property
    def name(self) -> str:
        """Return the student's name within its data set and model."""
        extra = "-augmented" if self.augmented else ""
        return f"{self.method}-{self.label_type}-{self.teacher}-{100 * self.share:g}{extra}-{self.run}"


@dataclasses.dataclass(frozen=True)
class Plan:
    """The same-named keys of the config's `step_by_step`; `students` says what they come to.

    known: names of the dataset registry, to tell which teachers' answers there are.
    """

    datasets: Sequence[str]
    formats: Mapping[str, str]
    augment: Mapping[str, str]
    teacher: str
    other_teacher: str
    models: Sequence[str]
    runs: Sequence[int]
    methods: Mapping[str, Mapping[str, str]]
    figure_4: Mapping[str, Any]
    figure_5: Mapping[str, Any]
    figure_6: Mapping[str, Any]
    figure_7: Mapping[str, Any]
    figure_8: Mapping[str, Any]
    figure_9: Mapping[str, Any]
    table_1: Mapping[str, Any]
    table_2: Mapping[str, Any]
    known: Sequence[str]

    @property
    def main_model(self) -> str:
        """Return the model of the tables and of figures 4 and 5: the first."""
        return self.models[0]

    def sets_of(self, artifact: str) -> list[str]:
        """Return the data sets of an artifact: all, or those it names."""
        return [name for name in self.datasets if name in getattr(self, artifact).get("datasets", self.datasets)]

    def models_of(self, artifact: str) -> list[str]:
        """Return the models of an artifact: all, or those it names."""
        return [name for name in self.models if name in getattr(self, artifact).get("models", self.models)]

    def runs_of(self, artifact: str) -> list[int]:
        """Return the seeds of an artifact: all, or those it names."""
        return list(getattr(self, artifact).get("runs", self.runs))

    def has_teacher(self, dataset: str, teacher: str) -> bool:
        """Return whether a teacher's answers to a data set are registered; generic sets bring their own."""
        return self.formats[dataset] == "generic" or f"{dataset}_{teacher}" in self.known

    def students(self, artifact: str) -> list[Student]:
        """Return the students of one artifact, whether or not they can be trained (`obstacle`)."""
        runs = self.runs_of(artifact)
        return [
            Student(dataset, model, method, label_type, teacher, share, run, augmented)
            for dataset, model, method, label_type, teacher, share, augmented in self.cells(artifact)
            for run in runs
        ]

    def cells(self, artifact: str) -> list[tuple[str, str, str, str, str, float, bool]]:
        """Return (dataset, model, method, label_type, teacher, share, augmented) of every cell of an artifact."""
        sets = self.sets_of(artifact)
        if artifact == "table_1":
            rows = [("standard_finetuning", self.teacher), (DSS, self.other_teacher), (DSS, self.teacher)]
            return [(name, self.main_model, m, "gt", t, 1.0, False) for name in sets for m, t in rows]
        if artifact == "table_2":
            methods = ("standard_finetuning", "single_task", DSS)
            return [(name, self.main_model, m, "gt", self.teacher, 1.0, False) for name in sets for m in methods]
        label = "gt" if artifact in ("figure_4", "figure_6", "figure_8") else "llm"
        methods = ("standard_finetuning" if label == "gt" else "standard_distillation", DSS)
        settings = getattr(self, artifact)
        if artifact in ("figure_4", "figure_5"):
            models, shares = [self.main_model], settings["shares"]
        elif artifact in ("figure_6", "figure_7"):
            models, shares = self.models_of(artifact), [1.0]
        else:
            models, shares = self.models_of(artifact), settings["shares"]
        cells = [
            (name, model, method, label, self.teacher, share, False)
            for name in sets
            for model in models
            for method in methods
            for share in shares
        ]
        if artifact == "figure_6":
            cells += [(name, self.main_model, "pinto", "gt", self.teacher, 1.0, False) for name in sets]
        if artifact == "figure_7":
            augmented = [name for name in sets if name in self.augment]
            model = settings["augmented_model"]
            cells += [(name, model, m, label, self.teacher, 1.0, True) for name in augmented for m in methods]
        return cells

    def obstacle(self, student: Student) -> str:
        """Return why a student cannot be trained; an empty text if nothing is in the way."""
        needs_teacher = student.method != "standard_finetuning"
        if needs_teacher and not self.has_teacher(student.dataset, student.teacher):
            return f"no answers of {student.teacher} to {student.dataset} are registered: they were not released"
        if student.augmented and not self.has_teacher(self.augment[student.dataset], student.teacher):
            return (
                f"no answers of {student.teacher} to {self.augment[student.dataset]} are registered, so the added rows"
                " have no labels: they were not released"
            )
        return ""

    def trainable(self) -> list[Student]:
        """Return every student that some artifact shows and that can be trained, each once."""
        found = {student: None for artifact in TRAINED_ARTIFACTS for student in self.students(artifact)}
        return [student for student in found if not self.obstacle(student)]

    def jobs(self, together: bool) -> dict[tuple[str, str, str], list[Student]]:
        """Return the students of each training job, by (dataset, model, name of the job).

        together: one job for all students of a way of training; else a job for each cell, its runs one after another.
        """
        found: dict[tuple[str, str, str], list[Student]] = {}
        for student in self.trainable():
            kind = self.methods[student.method]["train"]
            name = kind if together else student.name.rpartition("-")[0]
            found.setdefault((student.dataset, student.model, name), []).append(student)
        return found

    def teacher_sets(self) -> list[tuple[str, str]]:
        """Return (dataset, teacher) of every registered teacher that some artifact shows."""
        pairs = [(name, teacher) for name in self.datasets for teacher in (self.teacher, self.other_teacher)]
        pairs += [(self.augment[name], self.teacher) for name in self.datasets if name in self.augment]
        return [pair for pair in dict.fromkeys(pairs) if self.has_teacher(*pair) and self.formats[pair[0]] != "generic"]


TRAINED_ARTIFACTS = (
    "table_1",
    "table_2",
    "figure_4",
    "figure_5",
    "figure_6",
    "figure_7",
    "figure_8",
    "figure_9",
)


def share_setting(dataset: str, share: float) -> str:
    """Return how a share of a data set's train rows is named in the metrics: cqa_share_12.5 (percent)."""
    return f"{dataset}_share_{100 * share:g}"
