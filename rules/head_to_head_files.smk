# Which files and settings the jobs of the head-to-head get, as its plan says; the rules are in head_to_head.smk.
from scripts.common.sizes import percent_name, subset_size
from scripts.selection.methods import needs

HEAD_PLAN = LISTED["head_to_head"].plan
CHOICES = HEAD_PLAN.selection
SHOWN = HEAD_PLAN.demonstrations


def choice_goal_parts(wildcards):
    """Return the rows for which is chosen: query set and validation rows of a pair."""
    return [delift_data(wildcards.pair, name) for name in HEAD_PLAN.goal_parts(wildcards.pair)]


def choice_needs(*materials):
    """Return whether a method's way of choosing needs one of these, as a function of the wildcards."""
    return lambda wildcards: needs(HEAD_PLAN.by(wildcards.method), *materials)


def choice_count_settings():
    """Return what decides how much each method reads, from its paper's settings."""
    score, baselines = config["nuggets"]["score"], DELIFT["baselines"]
    theirs, ours = config["prompts"][DELIFT["prompt"]], config["prompts"][score["prompt"]]
    tuned = DELIFT["finetune"][CHOICES["learning"]]

    def counted(baseline, *keys):
        return baselines[baseline] and {"prompt": theirs, **{key: baselines[baseline][key] for key in keys}}

    n_examples = subset_size(DELIFT_PLAN.rows_of(CHOICES["pair"], "pool"), max(CHOICES["percents"]) / 100)
    return {
        "golden": {"prompt": ours, "separator": score["separator"], "anchor_tokens": score["anchor_tokens"]},
        "difficulty": {"prompt": ours},
        "utility": {"prompt": theirs, "templates": DELIFT["utility"]["templates"]},
        "embed": {"prompt": theirs, **{key: DELIFT["embed"][key] for key in ("output", "max_tokens")}},
        "selectit": counted("selectit", "rating_prompts", "template"),
        "less": counted("less", "warmup_fraction", "epochs", "max_tokens"),
        "finetune": {
            "prompt": config["prompts"][DELIFT["finetune"]["prompt"]],
            "n_examples": n_examples,
            **{key: tuned[key] for key in ("method", "max_steps", "epochs", "batch_size", "accumulation")},
        },
    }


def shown_sets():
    """Return the folders of DDG's sets that are shown and distilled."""
    return [f"<results>/ddg/sets/{SHOWN['task']}/{name}" for name in SHOWN["sets"]]


def shown_distiller(wildcards):
    """Return (the folder that a rule makes, MEND's distiller in it)."""
    plan = LISTED["mend"].plan
    found = plan.distiller(SHOWN["backbone"], plan.train_set(config["mend"]["settings"][0]), "mend")
    return [path.replace("<results>", RESULTS) for path in found]


def shown_model(wildcards):
    """Return the folder of the model that is asked."""
    return model_path(HEAD_PLAN.backbone["model"])


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
        "seeds": list(range(HEAD_PLAN.n_sets())),
        "max_test": 0,
        "metric_of": {},
        **{key: config["mend"][key] for key in ("f1", "ties")},
        "batch_tokens": config["compute"]["batch_tokens"],
    }


def shown_distiller_trainings():
    """Return the settings of each training that MEND's distiller went through: stage 1 (shipped or not), stage 2."""
    mend, world = config["mend"], config["mini_world"]["distiller"]
    shipped = [{**world["settings"], **world["variants"][name]} for name in ("few", "distiller")]
    first = shipped if HEAD_PLAN.backbone["pretrained"] else [mend["pretrain"]]
    keys = ("steps", "batch_size", "accumulation", "n_demonstrations", "n_vectors", "queries", "kl_weight")
    return [{key: row[key] for key in keys} for row in (*first, {**mend["finetune"], **mend["variants"]["mend"]})]


def shown_count_settings():
    """Return what decides how much each way to show demonstrations reads, from the papers' settings."""
    keys = ("outer_loops", "inner_steps", "learner_steps", "synthetic_per_class", "real_per_class")
    matched = {**DDG["matching"], **DDG["variants"]["ddg"]}
    rows = {name: DDG["methods"][name] for name in (*SHOWN["sets"], *SHOWN["retrieval"])}
    return {
        "after_input": config["mend"]["formats"][HEAD_PLAN.backbone["format"]]["after_input"],
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
