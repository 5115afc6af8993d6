# Which files and settings the jobs of DDG and DiLM get, as its plan says; the rules are in ddg.smk.
import dataclasses

from scripts.ddg import job_settings as ddg_settings

DDG = config["ddg"]
DDG_PLAN = LISTED["ddg"].plan


def ddg_split(task, role):
    """Return the canonical rows of a task's training or test split: a sub-sample if it has a limit."""
    row = DDG["tasks"][task]
    sample = f"_sample_{row['limit']}" if role == "train" and row["limit"] else ""
    return f"<results>/data/examples/{row['dataset']}/{row[role]}{sample}.jsonl"


def ddg_label_flags(wildcards):
    """Return the flag with the names of a task's classes; none where the registry leaves them to the rows."""
    labels = DATASETS[DDG["tasks"][wildcards.task]["dataset"]]["labels"]
    return ["--labels", *labels] if labels else []


def ddg_learner_model(learner):
    """Return the folder of a learner's encoder."""
    return model_path(DDG["learners"][learner]["model"])


def ddg_coreset_encoder(wildcards):
    """Return the encoder whose embeddings a choice of real texts compares; none for a random one."""
    return [] if DDG["methods"][wildcards.method]["select"] == "random" else ddg_learner_model(DDG["learner"])


def ddg_generators(wildcards):
    """Return the folder of the generators that write a method's texts: stage A's, or a variant of stage B's."""
    variant = DDG["methods"][wildcards.method]["variant"]
    if variant is None:
        return f"<results>/ddg/generators/{wildcards.task}"
    return f"<results>/ddg/matched/{wildcards.task}/{variant}"


def ddg_methods_by(kind):
    """Return the names of the methods of one kind as a regular expression."""
    return one_of([name for name, row in DDG["methods"].items() if row["by"] == kind])


def ddg_checkpoints(job):
    """Return the undeclared folder of one training job's checkpoints."""
    return f"{RESULTS}/ddg/checkpoints/{job}"


def ddg_learner_runs(wildcards):
    """Return the runs of one job of evaluation A."""
    return DDG_PLAN.learner_jobs[wildcards.task, wildcards.learner, wildcards.job]


def ddg_learner_sets(wildcards):
    """Return the set folders that train one job's learners."""
    methods = dict.fromkeys(run.method for run in ddg_learner_runs(wildcards) if run.method != "full")
    return [f"<results>/ddg/sets/{wildcards.task}/{name}" for name in methods]


def ddg_full(wildcards):
    """Return all training texts, if one job trains on them."""
    wanted = any(run.method == "full" for run in ddg_learner_runs(wildcards))
    return ddg_split(wildcards.task, "train") if wanted else []


def ddg_learner_flags(wildcards, input):
    """Return the flags that name the sets of one job of evaluation A, and all training texts."""
    sets = [f"{Path(folder).name}={folder}" for folder in input.sets]
    return [*(["--sets", *sets] if sets else []), *flag("--full-examples", input.full)]


def ddg_context_runs(wildcards):
    """Return the runs of one job of evaluation B."""
    return DDG_PLAN.context_jobs[wildcards.task, wildcards.model, wildcards.job]


def ddg_shown(wildcards, *kinds):
    """Return the methods of one job of evaluation B whose demonstrations are of these kinds."""
    return ddg_settings.shown_methods(DDG, ddg_context_runs(wildcards), *kinds)


def ddg_context_sets(wildcards):
    """Return the set folders that one job of evaluation B reads."""
    names = ddg_shown(wildcards, "coreset", "generator", "released")
    return [f"<results>/ddg/sets/{wildcards.task}/{name}" for name in names]


def ddg_context_examples(wildcards):
    """Return the training texts, if one job of evaluation B retrieves some."""
    return ddg_split(wildcards.task, "train") if ddg_shown(wildcards, "retrieval") else []


def ddg_context_encoder(wildcards):
    """Return the encoder, if one job of evaluation B looks for nearest neighbours."""
    nearest = [name for name in ddg_shown(wildcards, "retrieval") if DDG["methods"][name]["select"] == "knn"]
    return ddg_learner_model(DDG["learner"]) if nearest else []


def ddg_context_flags(wildcards, input):
    """Return the flags that name the sets, retrievers and self-written demonstrations of one job of evaluation B."""
    written = ddg_shown(wildcards, "self_written")
    flags = {
        "--sets": [f"{Path(folder).name}={folder}" for folder in input.sets],
        "--retrieve": [f"{name}={DDG['methods'][name]['select']}" for name in ddg_shown(wildcards, "retrieval")],
        "--self-write": written,
    }
    if written:
        row = {**DDG["in_context"]["self_written"], "max_tokens": DDG["tasks"][wildcards.task]["max_tokens"]}
        flags["--writing"] = [json_text(row)]
    given = [part for name, values in flags.items() if values for part in (name, *values)]
    return [*given, *flag("--examples", input.examples), *flag("--encoder", input.encoder)]


def ddg_context_prompts(wildcards):
    """Return {protocol: prompt file} of one job of evaluation B."""
    return ddg_settings.prompts(DDG, ddg_context_runs(wildcards))


def ddg_rounds(wildcards):
    """Return the rounds of one job of evaluation B."""
    return sorted({number for run in ddg_context_runs(wildcards) for number in DDG_PLAN.rounds(run.protocol)})


def ddg_job_files(folder, jobs):
    """Return the runs of jobs."""
    return [f"<results>/ddg/{folder}/{'/'.join(job)}.csv" for job in jobs]


def ddg_job_names(jobs):
    """Return <task>/<learner or model> of each job."""
    return ["/".join(job[:2]) for job in jobs]
