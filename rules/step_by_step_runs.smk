# Which students Distilling Step-by-Step compares, read from the config; the rules are in step_by_step.smk.
import dataclasses

from scripts.data.registry import split_parts
from scripts.step_by_step.parsing import FORMATS
from scripts.step_by_step.plan import Plan

SBS = config["step_by_step"]
SBS_PLAN = Plan(
    **{field.name: SBS[field.name] for field in dataclasses.fields(Plan) if field.name != "known"},
    known=sorted(DATASETS),
)
SBS_JOBS = SBS_PLAN.jobs(SBS["together"])
STEP_BY_STEP_TABLES = ["table_1", "table_2", "table_3", "table_teachers"]
STEP_BY_STEP_FIGURES = [f"figure_{number}" for number in range(4, 10)]
STEP_BY_STEP_MODELS = sorted({model for _, model, _ in SBS_JOBS})
SBS_JOB_NAMES = one_of({name for _, _, name in SBS_JOBS} or {"none"})
SBS_TEACHERS = one_of({SBS["teacher"], SBS["other_teacher"], "generic", "none"})
SBS_SETTINGS = as_json(dataclasses.asdict(SBS_PLAN))


def sbs_has_split(dataset, split):
    """Return whether a data set has rows of its own for a split."""
    names = DATASETS[dataset]["splits"]
    return split in names or f"{split}_0" in names


SBS_TEACHER_SPLITS = [
    (dataset, teacher, split)
    for dataset, teacher in SBS_PLAN.teacher_sets()
    for split in ("train", "valid", "test")
    if sbs_has_split(dataset, split)
]


def sbs_raw(dataset, split):
    """Return the raw files that together are one split, in their order."""
    return raw_files((dataset, part) for part in split_parts(DATASETS, dataset, split))


def sbs_teacher_files(wildcards):
    """Return the raw files of a teacher's answers to one split; none where rows bring their own rationales or none."""
    if wildcards.teacher in ("generic", "none"):
        return []
    return sbs_raw(f"{wildcards.dataset}_{wildcards.teacher}", wildcards.split)


def sbs_prepare_settings(wildcards):
    """Return the settings of step prepare_examples."""
    row = DATASETS[wildcards.dataset]
    teacher = wildcards.teacher
    settings = {
        "dataset": wildcards.dataset,
        "format": SBS["formats"][wildcards.dataset],
        # the released code reads PaLM's answers in one way and every other model's in another
        "teacher": teacher if teacher in ("palm", "generic", "none") else "gpt",
        "parser": SBS["parser"],
        "split": wildcards.split,
        "unparsed": SBS["unparsed"],
        "blanks": SBS["blanks"],
    }
    how = ("reader", "columns", "labels", "header", "delimiter", "quoting")
    return json_text({**settings, **{key: row[key] for key in how if row.get(key)}})


def sbs_teacher(dataset, teacher):
    """Return the teacher whose files a student reads: the rows' own where the format is generic, none if unknown."""
    if SBS["formats"][dataset] == "generic":
        return "generic"
    return teacher if SBS_PLAN.has_teacher(dataset, teacher) else "none"


def sbs_students(wildcards):
    """Return the students of a job."""
    return SBS_JOBS[wildcards.dataset, wildcards.model, wildcards.job]


def sbs_job_teachers(wildcards):
    """Return the teachers of a job, as the students name them."""
    return list(dict.fromkeys(student.teacher for student in sbs_students(wildcards)))


def sbs_examples(split):
    """Return a function that gives a job's prepared rows of one split, a file for each teacher."""

    def files(wildcards):
        if not sbs_has_split(wildcards.dataset, split):
            return []
        return [
            f"<results>/step_by_step/examples/{wildcards.dataset}/{sbs_teacher(wildcards.dataset, teacher)}/{split}.jsonl"
            for teacher in sbs_job_teachers(wildcards)
        ]

    return files


def sbs_augmentation(wildcards):
    """Return the further rows that a job's augmented students learn from; none if it has no such student."""
    if not any(student.augmented for student in sbs_students(wildcards)):
        return []
    return f"<results>/step_by_step/examples/{SBS['augment'][wildcards.dataset]}/{SBS['teacher']}/train.jsonl"


def sbs_job_settings(wildcards):
    """Return the settings of step train_models."""
    kind = SBS["methods"][sbs_students(wildcards)[0].method]["train"]
    form = SBS["formats"][wildcards.dataset]
    train = {**SBS["train"], **SBS["overrides"].get(wildcards.model, {})}
    if kind == "single_task":
        train["gen_max_len"] = SBS["gen_max_len_rationale"]
    train.update(method=kind, form=form, metric=FORMATS[form].metric)
    train.update({name: SBS[name] for name in ("blanks", "unknown_words")})
    return json_text({"train": train, "together": SBS["together"], "dropout": SBS["dropout"]})


def sbs_job_students(wildcards):
    """Return the students of a job as JSON."""
    return json_text([dataclasses.asdict(student) for student in sbs_students(wildcards)])


def step_by_step_raw_files():
    """Return (dataset, split) of every raw file the paper reads."""
    wanted = [(dataset, split) for dataset in SBS["datasets"] for split in ("train", "valid", "test")]
    wanted += [(SBS["augment"][dataset], "train") for dataset in SBS["datasets"] if dataset in SBS["augment"]]
    wanted += [(f"{dataset}_{teacher}", split) for dataset, teacher, split in SBS_TEACHER_SPLITS]
    found = {
        (dataset, part)
        for dataset, split in wanted
        if sbs_has_split(dataset, split)
        for part in split_parts(DATASETS, dataset, split)
    }
    return sorted(found)
