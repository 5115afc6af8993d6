# Which tasks, distillers and arms MEND compares, read from the config; the rules are in mend.smk.
from scripts.common.errors import UserError
from scripts.data.registry import split_parts
from scripts.data.task_registry import load_task_registry

MEND = config["mend"]


def mend_checked():
    """Return the tasks and settings. Raises `UserError` where parts of the config do not fit together."""
    settings = MEND["settings"]
    tasks = load_task_registry("config/metaicl.yaml", settings)
    for name in MEND["study_settings"]:
        if name not in settings:
            raise UserError(f"config: mend.study_settings: '{name}' is not in mend.settings; add it there or remove it")
    if MEND["backbone"] not in MEND["table_2"]["backbones"]:
        raise UserError(f"config: mend.backbone: '{MEND['backbone']}' is not in mend.table_2.backbones; add it there")
    if MEND["tasks"]["source"] == "hub" and MEND["tasks"]["prepared"] is None:
        raise UserError("config: mend.tasks.prepared: is null, but mend.tasks.source is hub; name a dataset")
    main, further = MEND["groups"]["main"], MEND["groups"]["ablation"]
    for name in set(main) & set(further):
        raise UserError(f"config: mend.groups: '{name}' is in main and in ablation; remove it from one")
    if "mend" not in main + further:
        raise UserError(
            "config: mend.groups: no group trains 'mend', whose cost is measured; add it to mend.groups.main"
        )
    others = ("zero_shot", "icl", "metaicl", "prompt_tuning")
    studies = ("table_3", "figure_4", "table_separators", "table_unseen_labels")
    shown = {
        "table_2.methods": [name for name in MEND["table_2"]["methods"] if name not in others],
        "table_4.methods": [name for name in MEND["table_4"]["methods"] if name != "no_finetuning"],
        "figure_4.distillers": MEND["figure_4"]["distillers"],
        "figure_lambda.distillers": MEND["figure_lambda"]["distillers"],
        "figure_lambda.limit": [MEND["figure_lambda"]["limit"]],
        **{
            f"{part}.methods": [name for name in MEND[part]["methods"] if name not in (*others, "no_finetuning")]
            for part in studies
        },
    }
    for place, names in shown.items():
        for name in names:
            if name not in (main if place == "table_2.methods" else main + further):
                raise UserError(f"config: mend.{place}: no group trains '{name}'; add it to mend.groups")
    return tasks


try:
    MEND_TASKS = mend_checked()
except UserError as fault:  # one line, as the check of the config gives
    sys.exit(f"error: {fault}" if not str(fault).startswith("config:") else str(fault))
MEND_TABLES = [
    "table_2",
    "table_3",
    "table_4",
    "table_5",
    "table_efficiency",
    "table_separators",
    "table_unseen_labels",
    "table_paired",
    "table_timing",
]
MEND_FIGURES = ["figure_3", "figure_4", "figure_5", "figure_lambda", "figure_timing"]
MEND_MODELS = sorted(
    {MEND["backbones"][name][key] for name in MEND["table_2"]["backbones"] for key in ("model", "distiller")}
)
MEND_SYNTHETIC = MEND["tasks"]["source"] == "synthetic"
MEND_KINDS = {
    "zero_shot": ("zero_shot", None),
    "icl": ("icl", None),
    "metaicl": ("tuned", "metaicl"),
    "prompt_tuning": ("prompt_tuning", None),
}
MEND_CODE = "[A-Za-z0-9_:.-]+"  # names of MetaICL's tasks
# What stage 1 minimises: the distance to the language model that reads the text itself, or the next token's surprise.
MEND_PRETRAINING = {
    "distillation": {"start": "backbone"},
    "language_model": {"start": "backbone", "lm_weight": 1.0, "kl_weight": 0.0},
}


def mend_train_sets(settings):
    """Return the train sets of some settings, each once."""
    return list(dict.fromkeys(map(MEND_TASKS.train_set, settings)))


def mend_test_tasks(train_set):
    """Return the test tasks of the chosen settings that share a train set, each once."""
    tasks = {}
    for setting in MEND["settings"]:
        if MEND_TASKS.train_set(setting) == train_set:
            tasks.update(dict.fromkeys(MEND_TASKS.test_tasks(setting)))
    return list(tasks)


def mend_train_tasks(train_set):
    """Return the meta-training tasks of a train set."""
    return MEND_TASKS.train_tasks(train_set, MEND["settings"])


def mend_draws(task):
    """Return the k-shot files that a task needs, by its roles."""
    trains = any(task in MEND_TASKS.settings[name]["train"] for name in MEND["settings"])
    tests = any(task in MEND_TASKS.test_tasks(name) for name in MEND["settings"])
    draws = {"meta_train": {"k": MEND["train_shots"], "seeds": [MEND["train_seed"]]}} if trains else {}
    return {**draws, "meta_test": {"k": MEND["shots"], "seeds": MEND["seeds"]}} if tests else draws


def mend_all_tasks():
    """Return every task that the chosen settings train or test on."""
    tasks = {}
    for setting in MEND["settings"]:
        tasks.update(dict.fromkeys([*MEND_TASKS.settings[setting]["train"], *MEND_TASKS.test_tasks(setting)]))
    return list(tasks)


def mend_task_folder():
    """Return the folder with one folder per task."""
    return {
        "synthetic": "<results>/data/tasks",
        "rebuild": "<results>/data/metaicl",
        "hub": "<results>/data/metaicl_prepared",
    }[MEND["tasks"]["source"]]


def mend_task_files(tasks):
    """Return what has to be there before these tasks can be read."""
    folder = mend_task_folder()
    return [f"{folder}/{task}" for task in tasks] if MEND["tasks"]["source"] == "rebuild" else folder


def mend_rows(role):
    """Return a function from wildcards to the file with a train set's rows; role: train or dev."""
    if MEND_SYNTHETIC:
        return lambda wildcards: f"<results>/data/examples/mini_meta_tasks/{role}.jsonl"
    return lambda wildcards: f"<results>/mend/data/{wildcards.train_set}/{role}.jsonl"


def mend_dev_rows():
    """Return how many development rows of a task stage 2 can use: the demonstrations, and the queries behind them."""
    settings = [{**MEND["finetune"], **variant} for variant in MEND["variants"].values()]
    return max(one["n_demonstrations"] + one["dev_queries"] for one in settings)


def mend_text_parts():
    """Return the splits that hold the texts of stage 1: with a limit the first of several is sampled."""
    parts = split_parts(DATASETS, MEND["tasks"]["texts"], "train")
    return parts[:1] if MEND["tasks"]["texts_limit"] else parts


def mend_texts():
    """Return the canonical texts of stage 1, a file for each part."""
    limit = MEND["tasks"]["texts_limit"]
    ending = f"_sample_{limit}.jsonl" if limit else ".jsonl"
    return [f"<results>/data/examples/{MEND['tasks']['texts']}/{part}{ending}" for part in mend_text_parts()]


def mend_raw_files():
    """Return (dataset, split) of every raw file the paper reads from outside through the registry."""
    files = set()
    if any(row["pretrained"] is None for row in map(MEND["backbones"].get, MEND["table_2"]["backbones"])):
        files |= {(MEND["tasks"]["texts"], part) for part in mend_text_parts()}
    if MEND["tasks"]["source"] == "hub":
        files |= {(MEND["tasks"]["prepared"], split) for split in ("meta_train", "meta_eval")}
    return sorted(files)


def mend_downloads():
    """Return what else comes over the network: tasks whose rows `datasets` 1.4.0 fetches itself."""
    fetched = MEND["tasks"]["source"] == "rebuild" and MEND["tasks"]["raw"] is None
    return mend_task_files(mend_all_tasks()) if fetched else []


def mend_llm(wildcards):
    """Return the folder of a backbone's language model."""
    return model_path(MEND["backbones"][wildcards.backbone]["model"])


def mend_starts(backbone, names):
    """Return {name: (declared folder, folder)} of where distillers start: the plain model, or stage 1's outcome."""
    row = MEND["backbones"][backbone]
    folder = f"{RESULTS}/mend/distillers/{backbone}/pretraining"
    shipped = {"backbone": model_path(row["distiller"]), "distillation": row["pretrained"]}
    shipped["language_model"] = row["pretrained_lm"]
    trained = {name: (f"{folder}/{name}", f"{folder}/{name}/{name}") for name in MEND_PRETRAINING}
    return {name: (shipped[name], shipped[name]) if shipped[name] else trained[name] for name in sorted(names)}


def mend_group_starts(wildcards):
    """Return the folders that a training job starts from."""
    names = {MEND["variants"][variant]["start"] for variant in MEND["groups"][wildcards.variants]}
    return mend_starts(wildcards.backbone, names)


def mend_variants(wildcards):
    """Return the distillers of one training job with what differs from stage 2's settings."""
    steps = MEND["ablation_steps"]
    shorter = {"steps": steps} if wildcards.variants == "ablation" and steps is not None else {}
    return {name: {**shorter, **MEND["variants"][name]} for name in MEND["groups"][wildcards.variants]}


def mend_checkpoints(job):
    """Return the undeclared folder of one training job's checkpoints."""
    return f"{RESULTS}/mend/checkpoints/{job}"


def mend_flags(wildcards):
    """Return the flags of every step that loads a backbone's language model."""
    return f"{model_flags()} --family {MODELS[MEND['backbones'][wildcards.backbone]['model']]['family']}"


def mend_format(wildcards):
    """Return how a backbone's examples are joined."""
    return MEND["formats"][MEND["backbones"][wildcards.backbone]["format"]]


def mend_arm(method, **more):
    """Return one arm of an evaluation, as evaluate_methods reads it."""
    kind, source = MEND_KINDS.get(method, ("distilled", method))
    arm = {
        "method": method,
        "kind": kind,
        "source": source or "",
        "perturbation": "none",
        "n_demonstrations": MEND["n_demonstrations"],
        "format": "default",
        "groups": MEND["finetune"]["groups"],
    }
    return {**arm, **more}


def mend_arms(arms, backbone):
    """Return the arms of one evaluation job; main: table 2; ablation: further distillers; robustness: the rest."""
    if arms == "main":
        return [mend_arm(method) for method in MEND["table_2"]["methods"]]
    if arms == "ablation":
        untuned = [name for name in MEND["table_4"]["methods"] if name == "no_finetuning"]
        return [mend_arm(method) for method in (*MEND["groups"]["ablation"], *untuned)]
    found = [
        mend_arm(method, perturbation=name)
        for method in MEND["table_3"]["methods"]
        for name in MEND["table_3"]["perturbations"]
    ]
    found += [
        mend_arm(method, n_demonstrations=number)
        for part in ("figure_4", "table_unseen_labels")
        for method in MEND[part]["methods"]
        for number in MEND[part]["n_demonstrations"]
    ]
    found += [
        mend_arm(method, format=name)
        for method in MEND["table_separators"]["methods"]
        for name in MEND["table_separators"]["formats"]
        if name != MEND["backbones"][backbone]["format"]
    ]
    main = mend_arms("main", backbone)
    return [arm for number, arm in enumerate(found) if arm not in found[:number] and arm not in main]


def mend_sources(wildcards, kind):
    """Return {name: (declared folder, folder)} of the distillers or tuned models that an evaluation job uses."""
    arms = mend_arms(wildcards.arms, wildcards.backbone)
    names = sorted({arm["source"] for arm in arms if arm["kind"] == kind})
    if kind == "tuned":
        folder = f"{RESULTS}/mend/tuned/{wildcards.backbone}/{wildcards.train_set}"
        return {name: (folder, folder) for name in names}
    return {name: mend_distiller(wildcards.backbone, wildcards.train_set, name) for name in names}


def mend_distiller(backbone, train_set, name):
    """Return (the folder that a rule makes, the distiller's folder in it); no_finetuning is stage 1's."""
    if name == "no_finetuning":
        return mend_starts(backbone, ["distillation"])["distillation"]
    group = next(group for group, members in MEND["groups"].items() if name in members)
    folder = f"{RESULTS}/mend/distillers/{backbone}/{train_set}/{group}"
    return folder, f"{folder}/{name}"


def mend_source_folders(wildcards):
    """Return the folders that have to be there before an evaluation job starts."""
    places = [*mend_sources(wildcards, "distilled").values(), *mend_sources(wildcards, "tuned").values()]
    return sorted({folder for folder, _ in places})


def mend_prompts(wildcards):
    """Return the prompt-tuning table of an evaluation job, if an arm uses one."""
    arms = mend_arms(wildcards.arms, wildcards.backbone)
    used = any(arm["kind"] == "prompt_tuning" for arm in arms)
    return [f"<results>/mend/prompts/{wildcards.backbone}/{wildcards.train_set}.safetensors"] if used else []


def mend_runs():
    """Return "<backbone>/<train set>/<arms>" of every evaluation job."""
    runs = [
        f"{backbone}/{train_set}/main"
        for backbone in MEND["table_2"]["backbones"]
        for train_set in mend_train_sets(MEND["settings"])
    ]
    studies = [arms for arms in ("ablation", "robustness") if mend_arms(arms, MEND["backbone"])]
    sets = mend_train_sets(MEND["study_settings"])
    return runs + [f"{MEND['backbone']}/{train_set}/{arms}" for train_set in sets for arms in studies]


def mend_study_distiller():
    """Return (the folder that a rule makes, the distiller in it) whose cost and attention are measured."""
    return mend_distiller(MEND["backbone"], MEND_TASKS.train_set(MEND["study_settings"][0]), "mend")


def mend_study_task():
    """Return the test task on which cost and attention are measured: the first of the first study setting."""
    return MEND_TASKS.test_tasks(MEND["study_settings"][0])[0]


def mend_pairs(wildcards, kind):
    """Return NAME=FOLDER arguments with their flag, or nothing."""
    pairs = [f"{name}={folder}" for name, (_, folder) in mend_sources(wildcards, kind).items()]
    return ["--distillers" if kind == "distilled" else "--tuned", *pairs] if pairs else []


def mend_stage_1():
    """Return the settings of stage 1, as the table of hyper-parameters shows them: the finished distiller's own."""
    folder = MEND["backbones"][MEND["backbone"]]["pretrained"]
    description = Path(folder or "") / "distiller.json"
    if folder is None or not description.is_file():
        return MEND["pretrain"]
    training = json.loads(description.read_text(encoding="utf-8"))["training"]
    return {key: value for key, value in training.items() if key in MEND["pretrain"]}


def mend_sweep(artifact, key):
    """Return {value of a setting: distiller trained with it}, ascending."""
    values = {name: MEND["variants"][name].get(key, MEND["finetune"][key]) for name in MEND[artifact]["distillers"]}
    return {f"{values[name]:g}": name for name in sorted(values, key=values.get)}


# What the last steps need to know, as one JSON text.
MEND_SETTINGS = as_json(
    {
        "backbones": {name: MEND["backbones"][name]["model"] for name in MEND["table_2"]["backbones"]},
        "settings": {name: MEND_TASKS.test_tasks(name) for name in MEND["settings"]},
        "order": MEND["settings"],
        "train_sets": {name: MEND_TASKS.train_set(name) for name in MEND["settings"]},
        "titles": {name: MEND_TASKS.settings[name]["title"] for name in MEND["settings"]},
        **{key: MEND[key] for key in ("backbone", "study_settings", "seeds", "n_demonstrations", "train_seed")},
        **{key: MEND[key] for key in ("finetune", "tune", "prompt_tuning", "ablation_steps")},
        **{key: MEND[key] for key in ("efficiency", "attention")},
        "pretrain": mend_stage_1(),
        **{key: MEND[key] for key in ("table_2", "table_3", "table_4", "table_separators", "table_unseen_labels")},
        "figure_4": {**MEND["figure_4"], "distillers": mend_sweep("figure_4", "n_vectors")},
        "figure_lambda": {**MEND["figure_lambda"], "distillers": mend_sweep("figure_lambda", "kl_weight")},
        "format": MEND["backbones"][MEND["backbone"]]["format"],
    }
)
