"""What each table and figure shows, and which students have to be trained for it, from the config alone (section 4).

The rules, the measuring steps and the tables and figures all ask here, so that what is planned and what is shown cannot
differ. What was measured is named by its experiment, never by where it is shown: gold_labels and teacher_labels
(accuracies of students that learn from either), teachers (the few-shot teacher's own), data_sets (rows of each split),
models (sizes), and FEWEST_ROWS (the smallest share of the training rows that suffices).
"""

from __future__ import annotations

import dataclasses
from typing import Any, Iterable, Mapping, Sequence

from scripts.common.artifact_list import Needs, unique
from scripts.data.absences import absences_of
from scripts.data.registry import load_registry, split_parts
from scripts.step_by_step.student import Student

PAPER = "step_by_step"
MEASURED = f"<results>/{PAPER}/measured"
SPLITS = ("train", "valid", "test")
LABELS = {"gt": "gold_labels", "llm": "teacher_labels"}
TEACHERS, DATA_SETS, MODELS = "teachers", "data_sets", "models"
ACCURACY, LAST, SELECTED = "accuracy_percent", "test_accuracy_percent", "selected_test_accuracy_percent"
FEWEST_ROWS = {
    "fewest_rows_gold_labels": "figure_4",
    "fewest_rows_teacher_labels": "figure_5",
    "fewest_rows_gold_labels_against_teacher": "figure_8",
    "fewest_rows_teacher_labels_against_teacher": "figure_9",
}
"""Experiment -> the figure whose students are asked. Without a word on the teacher: against the students without
rationales on all rows."""
SMALLEST, N_PARAMETERS = "smallest_share_percent", "n_parameters"
WITH_TEACHER = ("figure_6", "figure_7", "figure_8", "figure_9")
UNTRAINED = ("table_3", "table_teachers")
DSS = "distilling_step_by_step"
FEW_SHOT = "few_shot_cot"


@dataclasses.dataclass(frozen=True)
class Plan:
    """The same-named keys of the config's `step_by_step`; `students` says what they come to.

    student_models: the config's `models`. splits: the registered splits of each data set and of each teacher's answers
    (<dataset>_<teacher>). absent: why a registered file or model cannot be had, by <dataset>/<split> or by the model's
    name; what needs it is left out.
    The step of one table or figure is given the keys that this one shows (`settings`).
    """

    datasets: Sequence[str]
    teacher: str
    other_teacher: str
    student_models: Sequence[str]
    runs: Sequence[int]
    augment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    formats: Mapping[str, str] = dataclasses.field(default_factory=dict)
    methods: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    figure_4: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    figure_5: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    figure_6: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    figure_7: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    figure_8: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    figure_9: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    table_1: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    table_2: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    splits: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    together: bool = False
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Plan:
        """Return the plan of a merged config; what is registered and what cannot be had is looked up."""
        registries = config["registries"]
        datasets = load_registry("datasets", registries["datasets"])
        absent = absences_of(config, datasets, load_registry("models", registries["models"]))
        splits = {name: splits_there(row["splits"]) for name, row in datasets.items()}
        return cls.from_settings(config[PAPER], splits, absent)

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], splits: Mapping[str, Sequence[str]], absent: Mapping[str, str] | None = None
    ) -> Plan:
        """Return the plan of the config's `step_by_step`; splits and absent as in the class, of any data sets."""
        names = {field.name for field in dataclasses.fields(cls)} - {"student_models", "splits", "absent"}
        given = {"student_models": settings["models"], **{name: settings[name] for name in names}}
        plan = cls(**given, splits={}, absent={})
        read = [*plan.datasets, *(plan.augment[name] for name in plan.datasets if name in plan.augment)]
        read += [f"{name}_{teacher}" for name in read for teacher in (plan.teacher, plan.other_teacher)]
        mine = {name: [split for split in SPLITS if split in splits[name]] for name in sorted(read) if name in splits}
        mentioned = {*(f"{name}/{split}" for name, found in mine.items() for split in found), *plan.all_models()}
        return dataclasses.replace(
            plan, splits=mine, absent={key: why for key, why in (absent or {}).items() if key in mentioned}
        )

    @property
    def main_model(self) -> str:
        """Return the model of the tables and of figures 4 and 5: the first."""
        return self.student_models[0]

    def all_models(self) -> list[str]:
        """Return every model that some student may start from."""
        return list(dict.fromkeys([*self.student_models, self.figure_7["augmented_model"]]))

    def sets_of(self, artifact: str) -> list[str]:
        """Return the data sets of an artifact: all, or those it names."""
        return [name for name in self.datasets if name in getattr(self, artifact, {}).get("datasets", self.datasets)]

    def models_of(self, artifact: str) -> list[str]:
        """Return the models of an artifact: all, or those it names."""
        shown = getattr(self, artifact).get("models", self.student_models)
        return [name for name in self.student_models if name in shown]

    def runs_of(self, artifact: str) -> list[int]:
        """Return the seeds of an artifact: all, or those it names."""
        return list(getattr(self, artifact, {}).get("runs", self.runs))

    def has_teacher(self, dataset: str, teacher: str) -> bool:
        """Return whether a teacher's answers to a data set are registered; generic sets bring their own."""
        return self.formats[dataset] == "generic" or f"{dataset}_{teacher}" in self.splits

    def rows_obstacle(self, dataset: str, split: str, teacher: str | None = None) -> str:
        """Return why a split's rows, or a teacher's answers to them, cannot be had; an empty text if they can."""
        generic = self.formats[dataset] == "generic"
        names = [dataset] if teacher is None or generic else [dataset, f"{dataset}_{teacher}"]
        return next((self.absent[f"{name}/{split}"] for name in names if f"{name}/{split}" in self.absent), "")

    def answers_to(self, dataset: str, teacher: str, splits: Sequence[str]) -> str:
        """Return whose prepared rows of these splits are read: the teacher's, generic (the rows' own reasons) or none.

        none where the teacher's answers are not registered or cannot be had: labels alone need no teacher.
        """
        if self.formats[dataset] == "generic":
            return "generic"
        names = [f"{dataset}_{teacher}/{split}" for split in splits]
        there = self.has_teacher(dataset, teacher) and not any(name in self.absent for name in names)
        return teacher if there else "none"

    def source_of(self, dataset: str, teacher: str) -> str:
        """Return whose prepared rows students read that are to learn from a teacher: `answers_to` all splits."""
        return self.answers_to(dataset, teacher, self.splits[dataset])

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
        teacher = student.teacher if student.method != "standard_finetuning" else None
        if teacher and not self.has_teacher(student.dataset, teacher):
            return f"no answers of {teacher} to {student.dataset} are registered: they were not released"
        if student.augmented and not self.has_teacher(self.augment[student.dataset], student.teacher):
            return (
                f"no answers of {student.teacher} to {self.augment[student.dataset]} are registered, so the added rows"
                " have no labels: they were not released"
            )
        reasons = [self.absent.get(student.model, "")]
        reasons += [self.rows_obstacle(student.dataset, split, teacher) for split in self.splits[student.dataset]]
        if student.augmented:
            reasons.append(self.rows_obstacle(self.augment[student.dataset], "train", student.teacher))
        return next(filter(None, reasons), "")

    def trainable(self) -> list[Student]:
        """Return every student that some artifact shows and that can be trained, each once."""
        found = {student: None for artifact in TRAINED_ARTIFACTS for student in self.students(artifact)}
        return [student for student in found if not self.obstacle(student)]

    def job_of(self, student: Student) -> tuple[str, str, str]:
        """Return (dataset, model, name) of the training job that a student belongs to.

        together: one job for all students of a way of training; else a job for each cell, its runs one after another.
        """
        kind = self.methods[student.method]["train"]
        return student.dataset, student.model, kind if self.together else student.name.rpartition("-")[0]

    def jobs(self) -> dict[tuple[str, str, str], list[Student]]:
        """Return the students of each training job, by (dataset, model, name of the job)."""
        found: dict[tuple[str, str, str], list[Student]] = {}
        for student in self.trainable():
            found.setdefault(self.job_of(student), []).append(student)
        return found

    def teacher_sets(self) -> list[tuple[str, str]]:
        """Return (dataset, teacher) of every registered teacher that some artifact shows."""
        pairs = [(name, teacher) for name in self.datasets for teacher in (self.teacher, self.other_teacher)]
        pairs += [(self.augment[name], self.teacher) for name in self.datasets if name in self.augment]
        return [pair for pair in dict.fromkeys(pairs) if self.has_teacher(*pair) and self.formats[pair[0]] != "generic"]

    def teacher_splits(self, dataset: str, teacher: str) -> list[str]:
        """Return the splits that have rows and a teacher's answers which can be had."""
        both = [split for split in self.splits[dataset] if split in self.splits[f"{dataset}_{teacher}"]]
        return [split for split in both if not self.rows_obstacle(dataset, split, teacher)]

    def counted_splits(self, dataset: str) -> dict[str, str]:
        """Return {split: whose prepared rows are counted} of the splits of a data set that can be had."""
        found = [split for split in self.splits[dataset] if not self.rows_obstacle(dataset, split)]
        return {split: self.answers_to(dataset, self.teacher, [split]) for split in found}

    def key_of(self, student: Student) -> tuple[str, str, str]:
        """Return (experiment, setting, method) under which a student's accuracies are kept (`key_of_student`)."""
        return key_of_student(student, self.teacher)

    def needs(self, artifact: str) -> Needs:
        """Return the measurement files that a table or figure shows, and no others."""
        files = [f"{MEASURED}/missing.csv"]
        if artifact == "table_3":
            files += [f"{MEASURED}/rows/{name}.csv" for name in self.datasets]
        elif artifact == "table_teachers":
            files += [f"{MEASURED}/teachers/{name}/{teacher}.csv" for name, teacher in self.teacher_sets()]
        else:
            files += self.student_files(artifact) + self.teacher_files(artifact)
            files += [f"{MEASURED}/{name}.csv" for name, figure in FEWEST_ROWS.items() if figure == artifact]
        return Needs(tuple(files))

    def student_files(self, artifact: str) -> list[str]:
        """Return the measurement files of an artifact's students that can be trained, a file for each job."""
        jobs = [self.job_of(student) for student in self.students(artifact) if not self.obstacle(student)]
        return [f"{MEASURED}/students/{'/'.join(job)}.csv" for job in dict.fromkeys(jobs)]

    def teacher_files(self, artifact: str) -> list[str]:
        """Return the measurement files of the few-shot teacher whose line a figure draws."""
        names = self.sets_of(artifact) if artifact in WITH_TEACHER else []
        return [f"{MEASURED}/teachers/{d}/{t}.csv" for d, t in self.teacher_sets() if t == self.teacher and d in names]

    def fewest_files(self, experiment: str) -> list[str]:
        """Return the measurement files of the students, and the teachers, that are asked how few rows suffice."""
        figure = FEWEST_ROWS[experiment]
        return self.student_files(figure) + self.teacher_files(figure)

    def settings(self, artifact: str) -> dict[str, Any]:
        """Return the settings of the step that makes a table or figure: a plan that holds what this one shows."""
        keys = {"teacher", "other_teacher", "student_models", "runs", *({"augment"} if artifact == "figure_7" else ())}
        shown = {artifact: getattr(self, artifact)} if artifact in TRAINED_ARTIFACTS else {}
        return {"datasets": self.sets_of(artifact), **{key: getattr(self, key) for key in sorted(keys)}, **shown}

    def measured(self) -> list[str]:
        """Return every measurement file of the paper, each once."""
        names = (*TRAINED_ARTIFACTS, *UNTRAINED)
        return unique(file for name in names for file in self.needs(name).measured)

    def raw_files(self, datasets: Mapping[str, dict[str, Any]]) -> list[tuple[str, str]]:
        """Return (dataset, split) of every raw file that is read, those that cannot be had left out."""
        read = [(name, split) for name, splits in self.splits.items() for split in splits]
        there = [(name, split) for name, split in read if f"{name}/{split}" not in self.absent]
        return sorted({(name, part) for name, split in there for part in split_parts(datasets, name, split)})

    def models(self) -> list[str]:
        """Return the names of the models from which some student starts."""
        return sorted({model for _, model, _ in self.jobs()})


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


def splits_there(names: Iterable[str]) -> list[str]:
    """Return which of train, valid and test a data set has rows for, in files of their own or in parts (train_0)."""
    return [split for split in SPLITS if split in names or f"{split}_0" in names]


def key_of_student(student: Student, main_teacher: str) -> tuple[str, str, str]:
    """Return (experiment, setting, method) under which a student's accuracies are kept.

    The setting is the data set, its share of the training rows where that is not all, or that it is augmented; a
    student of another teacher than the paper's, main_teacher, has a method of its own.
    """
    setting = share_setting(student.dataset, student.share)
    if student.augmented:
        setting = f"{student.dataset}_augmented"
    other = student.method == DSS and student.teacher != main_teacher
    return LABELS[student.label_type], setting, f"{student.method}_{student.teacher}" if other else student.method


def share_setting(dataset: str, share: float) -> str:
    """Return how a share of a data set's train rows is named: cqa_share_12.5 (percent), all rows by the data set."""
    return dataset if share == 1 else f"{dataset}_share_{100 * share:g}"
