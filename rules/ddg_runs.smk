# Which tasks, methods and sets DDG compares, read from the config; the rules are in ddg.smk.
from scripts.common.errors import UserError
from scripts.data.registry import find_row

DDG = config["ddg"]
DDG_TABLES = [
    "table_1",
    "table_2",
    "table_3",
    "table_4",
    "table_7",
    "table_8",
    "table_main",
    "table_long",
    "table_ablation",
    "table_paired",
    "table_examples",
]
DDG_FIGURES = ["figure_sensitivity", "figure_training"]
DDG_PARTS = ["main", "ablation"]


def ddg_has_sets(method):
    """Return whether a method makes sets, which learners and prompts read; the others serve prompts only."""
    return DDG["methods"][method]["by"] not in ("retrieval", "self_written")


def ddg_study_methods():
    """Return the methods that only ablations and sweeps show, each once."""
    sweeps = DDG["figure_sensitivity"]
    names = [*DDG["table_4"]["methods"], *DDG["table_ablation"]["methods"]]
    names += [*sweeps["decay"], *sweeps["temperature"]]
    return [name for name in dict.fromkeys(names) if name not in DDG["table_1"]["methods"]]


def ddg_study_tasks():
    """Return the tasks of the ablations and sweeps, each once."""
    return list(dict.fromkeys([*DDG["table_ablation"]["tasks"], DDG["figure_sensitivity"]["task"]]))


def ddg_learner_methods(task, learner, part):
    """Return the methods whose sets train the learners of one job."""
    if part == "ablation":
        shown = task in ddg_study_tasks() and learner == DDG["learner"]
        return [name for name in ddg_study_methods() if ddg_has_sets(name)] if shown else []
    if task not in DDG["table_1"]["tasks"]:
        return []
    return DDG["table_1"]["methods"] if learner == DDG["learner"] else DDG["table_2"]["methods"]


def ddg_learners():
    """Return the learners that are trained, the main one first."""
    return list(dict.fromkeys([DDG["learner"], *DDG["table_2"]["learners"]]))


def ddg_learner_jobs():
    """Return "<task>/<learner>/<part>" of every job that trains learners."""
    tasks = list(dict.fromkeys([*DDG["table_1"]["tasks"], *ddg_study_tasks()]))
    jobs = [f"{task}/{learner}/{part}" for task in tasks for learner in ddg_learners() for part in DDG_PARTS]
    return [job for job in jobs if ddg_learner_methods(*job.split("/"))]


def ddg_learner_dpcs(wildcards):
    """Return the sizes of sets that one job's learners are trained on."""
    if wildcards.part == "main":
        return DDG["table_1"]["dpcs"]
    parts = ("table_4", "table_ablation", "figure_sensitivity")
    return sorted({DDG[part]["dpc"] for part in parts})


def ddg_context_methods(task, model):
    """Return the methods whose demonstrations one job of evaluation B shows to a model."""
    names = []
    if task in DDG["table_main"]["tasks"] and model in DDG["in_context"]["models"]:
        names += DDG["table_main"]["methods"]
    if task in DDG["table_long"]["tasks"] and model in DDG["in_context"]["models"]:
        names += DDG["table_long"]["methods"]
    if task == DDG["table_3"]["task"] and model in DDG["table_3"]["models"]:
        names += DDG["table_3"]["methods"]
    if task in ddg_study_tasks() and model == DDG["in_context"]["models"][0]:
        names += ddg_study_methods() + DDG["figure_sensitivity"]["methods"]
    return [name for name in dict.fromkeys(names) if name != "zero_shot"]


def ddg_context_jobs():
    """Return "<task>/<model>" of every job of evaluation B."""
    models = list(dict.fromkeys([*DDG["in_context"]["models"], *DDG["table_3"]["models"]]))
    return [f"{task}/{model}" for task in DDG["tasks"] for model in models if ddg_context_methods(task, model)]


def ddg_protocols(wildcards):
    """Return the protocols of one job of evaluation B: DiLM's own only where a table asks for it."""
    asked = {DDG["table_main"]["protocol"]}
    if wildcards.task == DDG["table_3"]["task"] and wildcards.model in DDG["table_3"]["models"]:
        asked.add(DDG["table_3"]["protocol"])
    return {name: row for name, row in DDG["in_context"]["protocols"].items() if name in asked}


def ddg_set_methods(task):
    """Return every method that needs sets for a task."""
    names = []
    for job in ddg_learner_jobs():
        if job.startswith(f"{task}/"):
            names += ddg_learner_methods(*job.split("/"))
    for job in ddg_context_jobs():
        if job.startswith(f"{task}/"):
            names += ddg_context_methods(*job.split("/"))
    if task in DDG["table_examples"]["tasks"]:
        names.append(DDG["table_examples"]["method"])
    if task in DDG["distil"]["tasks"]:
        names += DDG["distil"]["methods"]
    return [name for name in dict.fromkeys(names) if ddg_has_sets(name)]


def ddg_used_tasks():
    """Return the tasks that some job needs."""
    return [task for task in DDG["tasks"] if ddg_set_methods(task)]


def ddg_sweep(key):
    """Return {a value of the sweep: the method with it}: decay of the teacher (0 without one) or temperature."""
    found = {}
    for name in DDG["figure_sensitivity"][key]:
        row = {**DDG["matching"], **DDG["variants"][DDG["methods"][name]["variant"]]}
        value = row["temperature"] if key == "temperature" else row["teacher_decay"] * (row["teacher"] == "ema")
        found[f"{value:g}"] = name
    return found


def ddg_checked():
    """Raise `UserError` where parts of the config do not fit together."""
    known = [*DDG["methods"], "zero_shot"]
    for name, row in DDG["methods"].items():
        if row["variant"] is not None and row["variant"] not in DDG["variants"]:
            raise UserError(f"config: ddg.methods.{name}.variant: '{row['variant']}' is not in ddg.variants; add it")
    for part in (
        "table_1",
        "table_2",
        "table_3",
        "table_4",
        "table_main",
        "table_long",
        "table_ablation",
        "figure_sensitivity",
        "distil",
    ):
        for name in DDG[part]["methods"]:
            if name not in known:
                raise UserError(f"config: ddg.{part}.methods: '{name}' is not in ddg.methods; add it there")
    for task in ddg_used_tasks():
        row = DDG["tasks"][task]
        registered = find_row(DATASETS, row["dataset"], "dataset")
        for split in (row["train"], row["test"]):
            if split not in registered["splits"]:
                raise UserError(f"config: ddg.tasks.{task}: dataset '{row['dataset']}' has no split '{split}'")
    for part in ("table_2", "table_7", "table_8"):
        if DDG[part]["dpc"] not in DDG["table_1"]["dpcs"]:
            raise UserError(f"config: ddg.{part}.dpc: {DDG[part]['dpc']} is not in ddg.table_1.dpcs; add it there")


try:
    ddg_checked()
except UserError as fault:
    sys.exit(f"error: {fault}" if not str(fault).startswith("config:") else str(fault))
DDG_MODELS = sorted(
    {DDG["generator"], *(DDG["learners"][name]["model"] for name in ddg_learners())}
    | {*DDG["in_context"]["models"], *DDG["table_3"]["models"]}
)


def ddg_split(task, role):
    """Return the canonical rows of a task's training or test split: a sub-sample if it has a limit."""
    row = DDG["tasks"][task]
    sample = f"_sample_{row['limit']}" if role == "train" and row["limit"] else ""
    return f"<results>/data/examples/{row['dataset']}/{row[role]}{sample}.jsonl"


def ddg_label_flags(wildcards):
    """Return the flag with the names of a task's classes; none where the registry leaves them to the rows."""
    labels = DATASETS[DDG["tasks"][wildcards.task]["dataset"]]["labels"]
    return ["--labels", *labels] if labels else []


def ddg_released(task):
    """Return {"<seed>/<dpc>/<draw>": (dataset, split)} of the released sets of a task."""
    source, draws = DDG["tasks"][task]["released"], DDG["sets"]["draws"]
    if source is None:
        raise UserError(f"config: ddg.tasks.{task}.released: is null, but a released set is asked for; name a dataset")
    return {
        f"{seed}/{dpc}/{draw}": (source, f"dpc{dpc}_{place * draws + draw}")
        for place, seed in enumerate(DDG["seeds"])
        for dpc in DDG["sets"]["dpcs"]
        for draw in range(draws)
    }


def ddg_raw_files():
    """Return (dataset, split) of every raw file the paper reads."""
    files = set()
    for task in ddg_used_tasks():
        row = DDG["tasks"][task]
        files |= {(row["dataset"], row["train"]), (row["dataset"], row["test"])}
        if any(DDG["methods"][name]["by"] == "released" for name in ddg_set_methods(task)):
            files |= set(ddg_released(task).values())
    return sorted(files)


def ddg_learner_model(learner):
    """Return the folder of a learner's encoder."""
    return model_path(DDG["learners"][learner]["model"])


def ddg_pretraining(wildcards):
    """Return the settings of stage A for one task."""
    row = DDG["tasks"][wildcards.task]
    return {
        **DDG["pretraining"],
        "text_columns": row["text_columns"],
        "max_tokens": row["max_tokens"],
    }


def ddg_layout(task):
    """Return the flags on the columns of a task's converted sets."""
    layout = DDG["converted"]
    names = [f"{old}={new}" for old, new in layout["names"].get(task, {}).items()]
    return [
        "--label-text",
        "yes" if layout["label_text"] else "no",
        "--label-lists",
        "yes" if task in layout["label_lists"] else "no",
        *(["--rename", *names] if names else []),
    ]


def ddg_sampling(task):
    """Return how a task's texts are drawn."""
    return {
        **DDG["sets"]["sampling"],
        "max_new_tokens": DDG["tasks"][task]["max_tokens"] - 1,
    }


def ddg_matching(wildcards):
    """Return the settings of stage B for one task and variant."""
    row, learner = DDG["tasks"][wildcards.task], DDG["learners"][DDG["learner"]]
    settings = {**DDG["matching"], **DDG["variants"][wildcards.variant]}
    return {
        **settings,
        "text_columns": row["text_columns"],
        "max_tokens": row["max_tokens"],
        "sampling": ddg_sampling(wildcards.task),
        "learner": {**settings["learner"], "pooling": learner["pooling"]},
    }


def ddg_reading():
    """Return how the learner's encoder reads texts that are clustered."""
    return {
        **DDG["sets"]["reading"],
        "pooling": DDG["learners"][DDG["learner"]]["pooling"],
    }


def ddg_sets(wildcards):
    """Return the settings of the step that makes one method's sets."""
    row = DDG["methods"][wildcards.method]
    common = {
        "text_columns": DDG["tasks"][wildcards.task]["text_columns"],
        "dpcs": DDG["sets"]["dpcs"],
        "draws": DDG["sets"]["draws"],
        "draw_seeds": DDG["sets"]["draw_seeds"],
        "reading": ddg_reading(),
    }
    if row["by"] == "coreset":
        return {**common, "method": row["select"], "herding_order": DDG["sets"]["herding_order"]}
    return {
        **common,
        "over_sample": DDG["sets"]["over_sample"],
        "selection": row["selection"],
        "sampling": ddg_sampling(wildcards.task),
    }


def ddg_generators(wildcards):
    """Return the folder of the generators that write a method's texts: stage A's, or a variant of stage B's."""
    variant = DDG["methods"][wildcards.method]["variant"]
    if variant is None:
        return f"<results>/ddg/generators/{wildcards.task}"
    return f"<results>/ddg/matched/{wildcards.task}/{variant}"


def ddg_methods_by(kind):
    """Return the names of the methods of one kind as a regular expression."""
    return one_of([name for name, row in DDG["methods"].items() if row["by"] == kind])


def ddg_evaluation(wildcards):
    """Return the settings of evaluation A for one job."""
    settings = {key: value for key, value in DDG["learner_evaluation"].items() if key != "full"}
    return {
        **settings,
        "text_columns": DDG["tasks"][wildcards.task]["text_columns"],
        "pooling": DDG["learners"][wildcards.learner]["pooling"],
        "dpcs": ddg_learner_dpcs(wildcards),
        "draws": DDG["sets"]["draws"],
    }


def ddg_full(wildcards):
    """Return the flag that also trains on all texts, in the main job of the main learner."""
    wanted = DDG["learner_evaluation"]["full"] and wildcards.part == "main" and wildcards.learner == DDG["learner"]
    return ddg_split(wildcards.task, "train") if wanted else []


def ddg_in_context(wildcards):
    """Return the settings of evaluation B for one job."""
    given, protocols = DDG["in_context"], ddg_protocols(wildcards)
    return {
        **{
            key: given[key]
            for key in (
                "dpc",
                "draws",
                "instruct",
                "label_norm",
                "retrieval_rounds",
            )
        },
        "batch_tokens": config["compute"]["batch_tokens"],
        "text_columns": DDG["tasks"][wildcards.task]["text_columns"],
        "turns": DDG["tasks"][wildcards.task]["turns"],
        "orders": {name: row["order"] for name, row in protocols.items()},
        "scorers": {name: row["scorers"] for name, row in protocols.items()},
        "only": ddg_only(protocols),
    }


def ddg_only(protocols):
    """Return what a protocol is asked about where it is not all methods and rounds: DiLM's table 3."""
    table = DDG["table_3"]
    if table["protocol"] == DDG["table_main"]["protocol"] or table["protocol"] not in protocols:
        return {}
    return {table["protocol"]: {"methods": table["methods"], "rounds": [table["round"]]}}


def ddg_prompts(wildcards):
    """Return {protocol: prompt file} of one job of evaluation B."""
    own = DDG["tasks"][wildcards.task]["prompt"]
    return {name: f"config/prompts/ddg/{row['prompt'] or own}.yaml" for name, row in ddg_protocols(wildcards).items()}


def ddg_context_flags(wildcards):
    """Return the flags that name the sets, retrievers and self-written demonstrations of one job of evaluation B."""
    names, folder = ddg_context_methods(wildcards.task, wildcards.model), f"{RESULTS}/ddg/sets"
    by = {name: DDG["methods"][name]["by"] for name in names}
    sets = [f"{name}={folder}/{wildcards.task}/{name}" for name in names if ddg_has_sets(name)]
    retrieved = [f"{name}={DDG['methods'][name]['select']}" for name in names if by[name] == "retrieval"]
    written = [name for name in names if by[name] == "self_written"]
    flags = {"--sets": sets, "--retrieve": retrieved, "--self-write": written}
    if written:
        row = {**DDG["in_context"]["self_written"], "max_tokens": DDG["tasks"][wildcards.task]["max_tokens"]}
        flags["--writing"] = [json_text(row)]
    return [part for name, values in flags.items() if values for part in (name, *values)]


def ddg_context_sets(wildcards):
    """Return the set folders that one job of evaluation B reads."""
    names = ddg_context_methods(wildcards.task, wildcards.model)
    folder = f"<results>/ddg/sets/{wildcards.task}"
    return [f"{folder}/{name}" for name in names if ddg_has_sets(name)]


def ddg_checkpoints(job):
    """Return the undeclared folder of one training job's checkpoints."""
    return f"{RESULTS}/ddg/checkpoints/{job}"


# What the last steps need to know, as one JSON text.
DDG_SETTINGS = as_json(
    {
        "titles": {name: row["title"] for name, row in DDG["tasks"].items()},
        "metrics": {name: row["metric"] for name, row in DDG["tasks"].items()},
        "models": DDG["in_context"]["models"],
        "draws": DDG["sets"]["draws"],
        **{key: DDG[key] for key in ("seeds", "learner", "in_context")},
        **{key: DDG[key] for key in ("table_1", "table_2", "table_3", "table_4", "table_7", "table_8")},
        **{key: DDG[key] for key in ("table_main", "table_long", "table_ablation", "table_paired")},
        "figure_sensitivity": {
            **DDG["figure_sensitivity"],
            "decay": ddg_sweep("decay"),
            "temperature": ddg_sweep("temperature"),
        },
    }
)
