# Which files and settings the jobs of Distilling Step-by-Step get, as its plan says; the rules are in step_by_step.smk.
import dataclasses

from scripts.data.registry import split_parts
from scripts.step_by_step.parsing import FORMATS
from scripts.step_by_step.plan import FEWEST_ROWS

SBS = config["step_by_step"]
SBS_PLAN = LISTED["step_by_step"].plan
SBS_JOBS = SBS_PLAN.jobs()
SBS_JOB_NAMES = one_of({name for _, _, name in SBS_JOBS} or {"none"})
SBS_TEACHERS = one_of({SBS["teacher"], SBS["other_teacher"], "generic", "none"})


def sbs_reports(dataset, sources):
    """Return the reports on prepared rows. sources: {split: whose rows}."""
    return [f"<results>/step_by_step/examples/{dataset}/{who}/{split}.report.json" for split, who in sources.items()]


def sbs_counted(wildcards):
    """Return {split: whose rows} of the splits of a data set whose rows are counted."""
    return SBS_PLAN.counted_splits(wildcards.dataset)


def sbs_answered(wildcards):
    """Return {split: teacher} of the splits whose answers of a teacher are measured."""
    return dict.fromkeys(SBS_PLAN.teacher_splits(wildcards.dataset, wildcards.teacher), wildcards.teacher)


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


def sbs_students(wildcards):
    """Return the students of a job."""
    return SBS_JOBS[wildcards.dataset, wildcards.model, wildcards.job]


def sbs_job_teachers(wildcards):
    """Return the teachers of a job, as the students name them."""
    return list(dict.fromkeys(student.teacher for student in sbs_students(wildcards)))


def sbs_examples(split):
    """Return a function that gives a job's prepared rows of one split, a file for each teacher."""

    def files(wildcards):
        if split not in SBS_PLAN.splits[wildcards.dataset]:
            return []
        sources = [SBS_PLAN.source_of(wildcards.dataset, teacher) for teacher in sbs_job_teachers(wildcards)]
        return [f"<results>/step_by_step/examples/{wildcards.dataset}/{who}/{split}.jsonl" for who in sources]

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
