# Which files, flags and settings MEND's jobs get, as its plan says; the rules are in mend.smk.
from scripts.mend.plan import AVERAGE, SCORES
from scripts.mend.training_plan import PRETRAINING

MEND = config["mend"]
MEND_PLAN = LISTED["mend"].plan
MEND_JOBS = MEND_PLAN.jobs()
MEND_JOB_NAMES = one_of({name for _, _, name in MEND_JOBS} or {"none"})
MEND_CODE = "[A-Za-z0-9_:.-]+"  # names of MetaICL's tasks


def mend_folder(path):
    """Return a planned path as a parameter has it."""
    return path.replace("<results>", RESULTS)


def mend_prepared():
    """Return the raw files with the authors' prepared rows; none where rows come from elsewhere."""
    used = MEND["tasks"]["source"] == "hub"
    return raw_files((MEND["tasks"]["prepared"], split) for split in ("meta_train", "meta_eval")) if used else []


def mend_examples(wildcards, role):
    """Return the canonical rows of which a registered task is made; role: train or test."""
    dataset, split = MEND_PLAN.registered(wildcards.task)[role]
    return f"<results>/data/examples/{dataset}/{split}.jsonl"


def mend_rows(role):
    """Return a function from wildcards to the file with a train set's rows; role: train or dev."""
    if MEND["tasks"]["source"] == "synthetic":
        return lambda wildcards: f"<results>/data/examples/mini_meta_tasks/{role}.jsonl"
    return lambda wildcards: f"<results>/mend/data/{wildcards.train_set}/{role}.jsonl"


def mend_llm(wildcards):
    """Return the folder of a backbone's language model."""
    return MEND_PLAN.folders[MEND_PLAN.model(wildcards.backbone)]


def mend_flags(wildcards):
    """Return the flags of every step that loads a backbone's language model."""
    return f"{model_flags()} --family {MODELS[MEND_PLAN.model(wildcards.backbone)]['family']}"


def mend_format(wildcards):
    """Return how a backbone's examples are joined."""
    return MEND["formats"][MEND_PLAN.row(wildcards.backbone)["format"]]


def mend_layers(wildcards):
    """Return the flag that keeps a backbone's distiller to the first layers of its model, or nothing."""
    layers = MEND_PLAN.row(wildcards.backbone).get("distiller_layers")
    return flag("--distiller-layers", layers and str(layers))


def mend_checkpoints(job):
    """Return the undeclared folder of one training job's checkpoints."""
    return f"{RESULTS}/mend/checkpoints/{job}"


def mend_starts(wildcards):
    """Return {name: (declared folder, folder)} of what the distillers of a training job start from."""
    names = {variant["start"] for variant in MEND_PLAN.variants(wildcards.variants).values()}
    return {name: MEND_PLAN.start(wildcards.backbone, name) for name in sorted(names)}


def mend_job(wildcards):
    """Return what a scoring job scores."""
    return MEND_JOBS[wildcards.backbone, wildcards.train_set, wildcards.arms]


def mend_sources(wildcards, kind):
    """Return {name: (declared folder, folder)} of the distillers or tuned models that a scoring job uses."""
    return MEND_PLAN.sources(wildcards.backbone, wildcards.train_set, mend_job(wildcards), kind)


def mend_source_folders(wildcards):
    """Return the folders that have to be there before a scoring job starts."""
    places = [*mend_sources(wildcards, "distilled").values(), *mend_sources(wildcards, "tuned").values()]
    return sorted({folder for folder, _ in places})


def mend_pairs(wildcards, kind):
    """Return NAME=FOLDER arguments with their flag, or nothing."""
    pairs = [f"{name}={mend_folder(folder)}" for name, (_, folder) in mend_sources(wildcards, kind).items()]
    return ["--distillers" if kind == "distilled" else "--tuned", *pairs] if pairs else []


def mend_prompts(wildcards):
    """Return the prompt-tuning table of a scoring job, if an arm uses one."""
    used = any(arm.method == "prompt_tuning" for arm in mend_job(wildcards).arms)
    return [f"<results>/mend/prompts/{wildcards.backbone}/{wildcards.train_set}.safetensors"] if used else []


def mend_evaluate_settings(wildcards):
    """Return the settings of step evaluate_methods."""
    tasks = MEND_PLAN.test_tasks(mend_job(wildcards).settings)
    return json_text(
        {
            "task_names": tasks,
            "metric_of": MEND_PLAN.tasks.metric_of(tasks),
            **{key: MEND[key] for key in ("shots", "seeds", "max_test", "f1", "ties")},
            "batch_tokens": config["compute"]["batch_tokens"],
        }
    )


def mend_score_settings(wildcards):
    """Return the settings of step measure_scores."""
    return json_text(
        {
            "model": MEND_PLAN.model(wildcards.backbone),
            "settings": {name: MEND_PLAN.test_tasks([name]) for name in mend_job(wildcards).settings},
            "n_demonstrations": MEND["n_demonstrations"],
        }
    )


def mend_prompted_tasks(wildcards):
    """Return the test tasks for which prompts are tuned."""
    return MEND_PLAN.test_tasks(MEND_PLAN.prompted(wildcards.backbone, wildcards.train_set))


def mend_study_settings(part):
    """Return what the steps that measure one task have in common; part: efficiency or attention."""
    return {
        **MEND[part],
        "model": MEND_PLAN.model(MEND["backbone"]),
        "task_name": MEND_PLAN.study_task(),
        "shots": MEND["shots"],
        "seed": MEND["seeds"][0],
    }
