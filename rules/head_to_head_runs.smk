# What the head-to-head compares, read from the config; the rules are in head_to_head.smk. It asks the papers' own
# commands, and takes over what their runs have computed already.
from scripts.common.sizes import subset_size
from scripts.selection.methods import NOTHING, needs, way_of

HEAD_TO_HEAD = config["head_to_head"]
CHOICES = HEAD_TO_HEAD["selection"]
CHOICE_METHODS = {**HEAD_TO_HEAD["methods"], "full": {"paper": "delift", "method": "full"}}
SHOWN = HEAD_TO_HEAD["demonstrations"]
HEAD_TO_HEAD_TABLES = ["table_selection", "table_demonstrations", "table_time", "table_time_demonstrations"]
HEAD_TO_HEAD_FIGURES = ["figure_selection", "figure_demonstrations", "figure_time"]
HEAD_TO_HEAD_MODELS = sorted(
    (set() if CHOICES["not_run"] else {CHOICES["model"], DELIFT["embed"]["model"], *judge_models(DELIFT["judge"])})
    | (
        set()
        if SHOWN["not_run"]
        else {
            *(config["mend"]["backbones"][SHOWN["backbone"]][key] for key in ("model", "distiller")),
            *(DDG["generator"], DDG["learners"][DDG["learner"]]["model"]),
        }
    )
)


def choice_settings(method):
    """Return how a method chooses: the row of its paper's methods."""
    row = CHOICE_METHODS[method]
    known = config[row["paper"]]["methods"]
    if row["method"] not in known:
        sys.exit(
            f"config: head_to_head.methods.{method}.method: '{row['method']}' is no key of {row['paper']}.methods;"
            f" choose one of {', '.join(known)}"
        )
    return known[row["method"]]


def choices_of(paper):
    """Return the methods that one paper's command chooses by."""
    return [name for name in CHOICES["methods"] if HEAD_TO_HEAD["methods"][name]["paper"] == paper]


def choice_needs(*materials):
    """Return whether a method's way of choosing needs one of these, as a function of the wildcards."""
    return lambda wildcards: needs(choice_settings(wildcards.method)["by"], *materials)


def choice_part(name):
    """Return the rows of one part of the pair: pool, reference, validation or test; none if it has no such part."""
    return delift_data(CHOICES["pair"], name)


def choice_targets():
    """Return the rows whose answers DELIFT predicts."""
    return choice_part(DELIFT["pairs"][CHOICES["pair"]]["targets"])


def choice_beside():
    """Return the data at hand that the model learns beside each subset, if the pair says so (stage 3)."""
    return choice_part("reference") if DELIFT["pairs"][CHOICES["pair"]]["learn_reference"] else []


def choice_truth(wildcards):
    """Return the known quality of the pool, if anyone knows it."""
    truth = DELIFT["pairs"][CHOICES["pair"]]["truth"]
    return f"<results>/data/examples/{truth['dataset']}/{truth['split']}.jsonl" if truth else []


def choice_model(wildcards):
    """Return the folder of the model that scores and learns."""
    return model_path(CHOICES["model"])


def choice_shards():
    """Return the first candidate of each job that computes golden scores."""
    return range(0, DELIFT_PLAN.rows_of(CHOICES["pair"], "pool"), config["nuggets"]["score"]["shard_size"])


def choice_kernel(wildcards):
    """Return the folder of the kernel that a method chooses by."""
    embedding = needs(choice_settings(wildcards.method)["by"], "similarities")
    return f"<results>/delift/kernels/{CHOICES['pair']}/{'embedding' if embedding else CHOICES['model']}"


def choice_kernel_flags(wildcards, input):
    """Return the flags that name a method's kernel."""
    folder = input.get("kernels")
    if not folder:
        return []
    has_reference = DELIFT["pairs"][CHOICES["pair"]]["reference"] is not None
    reference = ["--reference-kernel", f"{folder}/reference.npy"] if has_reference else []
    return ["--kernel", f"{folder}/pool.npy", *reference]


def choice_learnt_in_delift():
    """Return "<method>/percent_<n>" of the subsets from which DELIFT's run has learnt already, with our seeds."""
    pair, model, learning = CHOICES["pair"], CHOICES["model"], CHOICES["learning"]
    if (pair, model) not in DELIFT_PLAN.all_runs() or not set(CHOICES["seeds"]) <= set(DELIFT["seeds"][learning]):
        return []
    levels = {"initial": "initial", "full": "full"}
    same = levels | {name: HEAD_TO_HEAD["methods"][name]["method"] for name in choices_of("delift")}
    found = []
    for unit in DELIFT_PLAN.units(pair, model, learning):
        method = unit.partition("/")[0]
        if same.get(method) == method:
            found.append(unit)
    return found


def choice_units():
    """Return "<method>/percent_<n>" of the subsets still to be learnt from; 0 and 100 are the model as it is and all."""
    units = [f"{method}/percent_{percent}" for method in CHOICES["methods"] for percent in CHOICES["percents"]]
    learnt = choice_learnt_in_delift()
    return [unit for unit in ["initial/percent_0", "full/percent_100", *sorted(units)] if unit not in learnt]


def choice_job_units(wildcards):
    """Return the subsets that one job learns from."""
    start = int(wildcards.start)
    return choice_units()[start : start + CHOICES["units_per_job"]]


def choice_folders(wildcards):
    """Return the folder of each of a job's subsets; "none" for the model as it is."""
    methods = [unit.split("/")[0] for unit in choice_job_units(wildcards)]
    stem = f"{RESULTS}/head_to_head/subsets"
    return ["none" if method == "initial" else f"{stem}/{method}" for method in methods]


def choice_answers():
    """Return the folders with the answers of every subset, DELIFT's own runs included."""
    starts = range(0, len(choice_units()), CHOICES["units_per_job"])
    ours = [f"<results>/head_to_head/answers/units_{start}" for start in starts]
    if not choice_learnt_in_delift():
        return ours
    stem = f"<results>/delift/answers/{CHOICES['pair']}/{CHOICES['model']}/{CHOICES['learning']}"
    n_units = len(DELIFT_PLAN.units(CHOICES["pair"], CHOICES["model"], CHOICES["learning"]))
    return ours + [f"{stem}/units_{start}" for start in range(0, n_units, DELIFT["units_per_job"])]


def choice_times():
    """Return (run file with measured seconds, METHOD/PART[/KEY]): what each method needs of the pool, and its choice."""
    if CHOICES["not_run"]:
        return []
    tier, pair, model = RESULTS, CHOICES["pair"], CHOICES["model"]
    ours = f"{tier}/head_to_head"
    runs = {
        "golden_score": [f"{ours}/scores/shard_{start}.run.json" for start in choice_shards()],
        "utility": [
            f"{tier}/delift/utility/{pair}/{model}/block_{start}.run.json" for start in DELIFT_PLAN.blocks(pair)
        ],
        "embedding": [f"{tier}/delift/embeddings/{pair}.run.json"],
        **dict.fromkeys(("perplexity", "ifd"), [f"{ours}/difficulty.run.json"]),
        **dict.fromkeys(("selectit", "less"), [f"{ours}/baselines.run.json"]),
        NOTHING: [],
    }
    found = []
    for method in CHOICES["methods"]:
        what = way_of(choice_settings(method)["by"]).cost
        part = f"{method}/scoring/{what}" if what in ("selectit", "less") else f"{method}/scoring"
        found += [(path, part) for path in runs[what]]
        if method in choices_of("delift"):
            found.append((f"{ours}/subsets/{method}.run.json", f"{method}/choosing"))
    return found


def choice_count_settings():
    """Return what decides how much each method reads, from its paper's settings."""
    score, baselines = config["nuggets"]["score"], DELIFT["baselines"]
    theirs, ours = config["prompts"][DELIFT["prompt"]], config["prompts"][score["prompt"]]
    tuned = DELIFT["finetune"][CHOICES["learning"]]
    n_examples = subset_size(DELIFT_PLAN.rows_of(CHOICES["pair"], "pool"), max(CHOICES["percents"]) / 100)
    return {
        "golden": {"prompt": ours, "separator": score["separator"], "anchor_tokens": score["anchor_tokens"]},
        "difficulty": {"prompt": ours},
        "utility": {"prompt": theirs, "templates": DELIFT["utility"]["templates"]},
        "embed": {"prompt": theirs, **{key: DELIFT["embed"][key] for key in ("output", "max_tokens")}},
        "selectit": {"prompt": theirs, **{key: baselines["selectit"][key] for key in ("rating_prompts", "template")}},
        "less": {
            "prompt": theirs,
            **{key: baselines["less"][key] for key in ("warmup_fraction", "epochs", "max_tokens")},
        },
        "finetune": {
            "prompt": config["prompts"][DELIFT["finetune"]["prompt"]],
            "n_examples": n_examples,
            **{key: tuned[key] for key in ("method", "max_steps", "epochs", "batch_size", "accumulation")},
        },
    }


def shown_sets():
    """Return the folders of DDG's sets that are shown and distilled."""
    return [f"<results>/ddg/sets/{SHOWN['task']}/{name}" for name in SHOWN["sets"]]


def shown_n_sets():
    """Return how many sets each of those methods has."""
    return len(DDG["seeds"]) * DDG["sets"]["draws"]


def shown_distiller(wildcards):
    """Return (the folder that a rule makes, MEND's distiller in it)."""
    plan = LISTED["mend"].plan
    found = plan.distiller(SHOWN["backbone"], plan.train_set(config["mend"]["settings"][0]), "mend")
    return [path.replace("<results>", RESULTS) for path in found]


def shown_backbone():
    """Return the backbone's row of mend.backbones."""
    return config["mend"]["backbones"][SHOWN["backbone"]]


def shown_model(wildcards):
    """Return the folder of the model that is asked."""
    return model_path(shown_backbone()["model"])


def shown_prepare_settings():
    """Return which sets are shown, and as which task."""
    row = DDG["tasks"][SHOWN["task"]]
    return {
        "task": SHOWN["task"],
        "column": row["text_columns"][0],
        "dpc": SHOWN["dpc"],
        "n": SHOWN["n_demonstrations"],
        "seeds": DDG["seeds"],
        "draws": DDG["sets"]["draws"],
    }


def shown_evaluate_settings():
    """Return which task files MEND's evaluation reads."""
    return {
        "task_names": SHOWN["sets"],
        "shots": SHOWN["n_demonstrations"],
        "seeds": list(range(shown_n_sets())),
        "max_test": 0,
        "metric_of": {},
        **{key: config["mend"][key] for key in ("f1", "ties")},
        "batch_tokens": config["compute"]["batch_tokens"],
    }


def shown_distiller_trainings():
    """Return the settings of each training that MEND's distiller went through: stage 1 (shipped or not), stage 2."""
    mend, world = config["mend"], config["mini_world"]["distiller"]
    shipped = [{**world["settings"], **world["variants"][name]} for name in ("few", "distiller")]
    first = shipped if shown_backbone()["pretrained"] else [mend["pretrain"]]
    keys = ("steps", "batch_size", "accumulation", "n_demonstrations", "n_vectors", "queries", "kl_weight")
    return [{key: row[key] for key in keys} for row in (*first, {**mend["finetune"], **mend["variants"]["mend"]})]


def shown_count_settings():
    """Return what decides how much each way to show demonstrations reads, from the papers' settings."""
    keys = ("outer_loops", "inner_steps", "learner_steps", "synthetic_per_class", "real_per_class")
    matched = {**DDG["matching"], **DDG["variants"]["ddg"]}
    rows = {name: DDG["methods"][name] for name in (*SHOWN["sets"], *SHOWN["retrieval"])}
    return {
        "after_input": config["mend"]["formats"][shown_backbone()["format"]]["after_input"],
        "sets": {name: {key: rows[name][key] for key in ("by", "select", "variant")} for name in SHOWN["sets"]},
        "retrieval": {name: rows[name]["select"] for name in SHOWN["retrieval"]},
        "dpc": SHOWN["dpc"],
        "generator": {
            **{key: DDG["pretraining"][key] for key in ("steps", "batch_size")},
            **{key: matched[key] for key in (*keys, "lm_weight", "lm_batch_size", "clusters")},
            "representative": matched["representative"] is not None,
            "learner_batch": matched["learner"]["batch_size"],
            "over_sample": DDG["sets"]["over_sample"],
        },
        "distiller": shown_distiller_trainings(),
    }


def shown_times():
    """Return (run file with measured seconds, METHOD/answering/KEY) of every way to show demonstrations."""
    if SHOWN["not_run"]:
        return []
    folder = f"{RESULTS}/head_to_head/demonstrations"
    found = [
        (f"{folder}/retrieved.run.json", f"{name}/answering/{name}") for name in ("zero_shot", *SHOWN["retrieval"])
    ]
    for name in SHOWN["sets"]:
        found.append((f"{folder}/sets.run.json", f"{name}/answering/prompt"))
        found.append((f"{folder}/sets.run.json", f"mend_{name}/answering/vectors"))
    return found


def shown_checked():
    """Stop with one line where the demonstrations' settings do not fit together."""
    row = DDG["tasks"][SHOWN["task"]]
    place = "config: head_to_head.demonstrations"
    if len(row["text_columns"]) != 1:
        sys.exit(f"{place}.task: '{SHOWN['task']}' has several text columns; choose a task with one")
    if SHOWN["dpc"] not in DDG["sets"]["dpcs"]:
        sys.exit(f"{place}.dpc: {SHOWN['dpc']} is not in ddg.sets.dpcs; add it there")
    for key, kinds in (("sets", ("coreset", "generator")), ("retrieval", ("retrieval",))):
        for name in SHOWN[key]:
            if DDG["methods"][name]["by"] not in kinds:
                sys.exit(f"{place}.{key}: '{name}' is by {DDG['methods'][name]['by']}, not by {' or '.join(kinds)}")


if "head_to_head" in config["papers"] and not SHOWN["not_run"]:
    shown_checked()


def head_to_head_raw_files():
    """Return (dataset, split) of every raw file that the comparison reads."""
    files = set()
    if not CHOICES["not_run"]:
        truth = DELIFT["pairs"][CHOICES["pair"]]["truth"]
        parts = [*parts_of(DELIFT["pairs"][CHOICES["pair"]]).values(), *([truth] if truth else [])]
        files |= {(part["dataset"], part["split"]) for part in parts if part["dataset"] in DATASETS}
    if not SHOWN["not_run"]:
        row = DDG["tasks"][SHOWN["task"]]
        files |= {(row["dataset"], row["train"]), (row["dataset"], row["test"])}
    return sorted(files)


# What the last steps need to know, as one JSON text.
HEAD_TO_HEAD_SETTINGS = as_json(
    {
        "selection": {
            **{key: value for key, value in CHOICES.items() if key not in ("measures", "units_per_job")},
            "by": {name: choice_settings(name)["by"] for name in CHOICES["methods"]},
        },
        "demonstrations": {
            **{key: value for key, value in SHOWN.items() if key not in ("prompt", "n_demonstrations")},
            "model": shown_backbone()["model"],
            "n_sets": shown_n_sets(),
        },
    }
)
