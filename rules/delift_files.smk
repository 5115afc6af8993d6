# Which files and settings the jobs of DELIFT get, as its plan says; the rules are in delift.smk.
from scripts.delift.comparison import KINDS
from scripts.delift.pairs import parts_of
from scripts.delift.plan import rows_file
from scripts.delift.settings_learn import ScoreSettings as DeliftScore
from scripts.selection.methods import needs

DELIFT = config["delift"]
DELIFT_PLAN = LISTED["delift"].plan
DELIFT_VIEWED = DELIFT_PLAN.answered()


def delift_asker(wildcards):
    """Return the plan of whoever asks: DELIFT itself, or the head-to-head, with methods, sizes and a goal of its own."""
    return LISTED[wildcards.asker].plan


def delift_choice(wildcards):
    """Return how a method chooses, as whoever asks has it."""
    return delift_asker(wildcards).choice(wildcards.method)


def delift_goal(wildcards):
    """Return the rows for which LESS and BM25 choose."""
    return delift_asker(wildcards).goal(wildcards.pair)


def delift_goal_embeddings(wildcards, input):
    """Return the flag that names the embeddings of the rows for which is chosen, where a method goes by them."""
    if not delift_needs("goal_embeddings")(wildcards):
        return []
    parts = delift_asker(wildcards).goal_parts(wildcards.pair)
    return ["--goal-embeddings", *(f"{input.embeddings}/{part}.safetensors" for part in parts)]


def delift_parts(pair):
    """Return the names of a pair's parts."""
    return list(parts_of(DELIFT["pairs"][pair]))


def delift_part_rows(wildcards):
    """Return the canonical rows of the split that a part of a pair is cut from."""
    return rows_file(DELIFT["pairs"][wildcards.pair][wildcards.part], DELIFT_PLAN.entries)


def delift_data(pair, name):
    """Return the rows of one part of a pair; none if the pair has no such part."""
    return f"<results>/delift/data/{pair}/{name}.jsonl" if DELIFT["pairs"][pair][name] else []


def delift_reference(wildcards):
    """Return the rows of a pair's benchmark or data at hand, if it has any."""
    return delift_data(wildcards.pair, "reference")


def delift_targets(wildcards):
    """Return the rows whose answers an example should help to predict."""
    return delift_data(wildcards.pair, DELIFT["pairs"][wildcards.pair]["targets"])


def delift_has_reference(wildcards):
    """Return whether a pair has a benchmark or data at hand beside its pool."""
    return DELIFT["pairs"][wildcards.pair]["reference"] is not None


def delift_reference_flags(flag_name, wildcards, path):
    """Return a flag about the reference set where the pair has one."""
    return [flag_name, path] if delift_has_reference(wildcards) else []


def delift_blocks(suffix):
    """Return a function that gives the files of all jobs that score a pair's utilities."""
    return lambda wildcards: [
        f"<results>/delift/utility/{wildcards.pair}/{wildcards.model}/block_{start}.{suffix}"
        for start in DELIFT_PLAN.blocks(wildcards.pair)
    ]


def delift_truth(key):
    """Return a function that gives what is known of a pair's pool (split) or reference set (reference_split), if any."""

    def file(wildcards):
        truth = DELIFT_PLAN.truth(wildcards.pair)
        return f"<results>/data/examples/{truth['dataset']}/{truth[key]}.jsonl" if truth.get(key) else []

    return file


def delift_needs(*materials):
    """Return whether a method's way of choosing needs one of these, as a function of the wildcards."""
    return lambda wildcards: needs(delift_choice(wildcards)["by"], *materials)


def delift_kernels(wildcards):
    """Return the folder of the kernel that a method chooses by."""
    kind = "embedding" if delift_needs("similarities")(wildcards) else wildcards.model
    return f"<results>/delift/kernels/{wildcards.pair}/{kind}"


def delift_kernel_flags(wildcards, input):
    """Return the flags that name a kernel."""
    folder = input.get("kernels")
    if not folder:
        return []
    return [
        *("--kernel", f"{folder}/pool.npy"),
        *delift_reference_flags("--reference-kernel", wildcards, f"{folder}/reference.npy"),
    ]


def delift_units(wildcards):
    """Return the subsets that one job learns from, `<method>/percent_<n>`."""
    return delift_asker(wildcards).job(wildcards.pair, wildcards.model, wildcards.learning, int(wildcards.start))


def delift_unit_folders(wildcards):
    """Return the folder of each unit's subsets; "none" for the model as it is."""
    asker, stem = delift_asker(wildcards), f"{RESULTS}/{wildcards.asker}"
    methods = [unit.split("/")[0] for unit in delift_units(wildcards)]
    return [asker.folder(stem, wildcards.pair, wildcards.model, method) or "none" for method in methods]


def delift_original_rows(pair, model):
    """Return the folders of the subsets in their pool's own form; none of a pool out of DELIFT's JSON registries.

    Such a pool is several splits or slices of files that the step reading them finds or fetches by itself.
    """
    if delift_pool(pair)[0] not in DATASETS:
        return []
    return [f"<results>/delift/original_rows/{pair}/{model}/{method}" for method in DELIFT_PLAN.chosen(pair, model)]


def delift_pool(pair):
    """Return dataset and split of a pair's pool."""
    part = DELIFT["pairs"][pair]["pool"]
    return part["dataset"], part["split"]


def delift_fractions(wildcards):
    """Return the sizes of a method's subsets, as shares of the pool."""
    percents = delift_asker(wildcards).percents(wildcards.pair, wildcards.model, wildcards.method)
    return [percent / 100 for percent in percents]


def delift_embedder(wildcards):
    """Return the folder of the embedding model."""
    return model_path(DELIFT["embed"]["model"])


def delift_judge(wildcards):
    """Return the folder of the model that is asked as judge, if one is."""
    return [model_path(name) for name in judge_models(DELIFT["judge"])]


def delift_takes(kind):
    """Return whether a job's measures are of a kind, as a function of the wildcards."""
    return lambda wildcards: wildcards.kind == kind


def delift_score_gpus(wildcards):
    """Return the GPUs of a job that measures answers: for words, or a judge elsewhere, it loads no model."""
    loads = wildcards.kind == "similarity" or (wildcards.kind == "grades" and judge_models(DELIFT["judge"]))
    return config["compute"]["gpus"] if loads else 0


def delift_score_settings(wildcards):
    """Return the settings of step score_answers for one kind of measures."""
    asker = delift_asker(wildcards)
    return {
        **DeliftScore.of(config),
        "measures": asker.measures(wildcards.kind),
        "known": asker.known(wildcards.kind),
        "likelihood": wildcards.kind == "words",
        "judge": judge_settings(DELIFT["judge"]),
    }


def delift_beside(wildcards):
    """Return the data at hand that the model learns beside each subset, if it does."""
    return delift_reference(wildcards) if DELIFT["pairs"][wildcards.pair]["learn_reference"] else []


def delift_neighbour_flags(wildcards, input):
    """Return the flags about the examples among which a test prompt finds its neighbours; in context only."""
    if not input.embeddings:
        return []
    flags = ["--pool", input.pool, "--embeddings", f"{input.embeddings}/pool.safetensors"]
    if input.beside:
        flags += ["--beside-embeddings", f"{input.embeddings}/reference.safetensors"]
    return [*flags, "--queries", f"{input.embeddings}/queries.safetensors"]


def delift_in_context(wildcards):
    """Return whether a job shows the model examples instead of training it."""
    return wildcards.learning == "icl"


def delift_expected_flags(wildcards):
    """Return how many rows a part must have, where the kernel's jobs were planned by it."""
    if wildcards.part not in ("pool", "reference"):
        return []
    return ["--expected", DELIFT_PLAN.rows_of(wildcards.pair, wildcards.part)]


def delift_of_all(files):
    """Return the files that a function of pair and model names, of everything whose answers are measured."""
    return [file for run in DELIFT_VIEWED for file in files(*run)]


def delift_scored(pair, model):
    """Return the files of measured answers of a pair and model, of all kinds of measures."""
    return [file for kind in DELIFT_PLAN.kinds() for file in DELIFT_PLAN.scores(kind, pair, model)]


def delift_viewed_kernels(pair, model):
    """Return the folder of a pair's and model's utilities, if some method chooses by them."""
    return [f"<results>/delift/kernels/{pair}/{model}"] if DELIFT_PLAN.uses_utility(pair, model) else []
