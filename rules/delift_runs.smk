# Which pairs, models, subsets and ways of learning DELIFT compares, read from the config; the rules are in delift.smk.
from scripts.common.errors import UserError
from scripts.common.files import read_json
from scripts.delift.comparison import Comparison, pair_faults
from scripts.selection.methods import needs

DELIFT = config["delift"]
DELIFT_TABLES = [
    "table_1",
    "table_2",
    "table_3",
    "table_4",
    "table_5",
    "table_6",
    "table_fft",
    "table_time",
    "table_selection_quality",
]
DELIFT_FIGURES = ["figure_subset_size", "figure_laj", "figure_stages"]
DELIFT_ARTIFACTS = [*DELIFT_TABLES, *DELIFT_FIGURES]
DELIFT_COMPARISON_KEYS = ("pairs", "methods", "percent", "seeds", *DELIFT_ARTIFACTS)
DELIFT_COMPARED = Comparison(**{key: DELIFT[key] for key in DELIFT_COMPARISON_KEYS})
# What the last steps need to know, as one JSON text.
DELIFT_SETTINGS = as_json({key: DELIFT[key] for key in DELIFT_COMPARISON_KEYS})
DELIFT_RUNS = DELIFT_COMPARED.runs()
DELIFT_MODELS = sorted(
    {model for _, model in DELIFT_RUNS}
    | ({DELIFT["embed"]["model"], *judge_models(DELIFT["judge"])} if DELIFT_RUNS else set())
)
DELIFT_PAIRS = sorted({pair for pair, _ in DELIFT_RUNS})

try:
    DELIFT_JSON_DATASETS = {name: path for path in DELIFT["registries"] for name in read_json(path)}
except UserError as error:  # Snakemake would wrap it in the code that raised it
    print(f"config: delift.registries: {error}", file=sys.stderr)
    sys.exit(1)

if "delift" in config["papers"]:
    delift_faults = pair_faults(
        DELIFT_COMPARED, DATASETS, list(DELIFT_JSON_DATASETS), synthetic=config["data"]["source"] == "synthetic"
    )
    if delift_faults:
        print("\n".join(f"config: {fault}" for fault in delift_faults), file=sys.stderr)
        sys.exit(1)


def delift_parts(pair):
    """Return {name: where its rows come from} of a pair's parts."""
    row = DELIFT["pairs"][pair]
    return {name: row[name] for name in ("pool", "reference", "validation", "test") if row[name]}


def delift_has_reference(wildcards):
    """Return whether a pair has a benchmark or data at hand beside its pool."""
    return DELIFT["pairs"][wildcards.pair]["reference"] is not None


def delift_split(part):
    """Return the canonical rows of the split that a part of a pair is cut from."""
    if part["dataset"] in DATASETS:
        return f"<results>/data/examples/{part['dataset']}/{part['split']}.jsonl"
    folder = "--".join(part["dataset"].split("/"))  # an owner's name is no folder of ours
    return f"<results>/delift/registered/{folder}/{part['split']}.jsonl"


def delift_raw_files():
    """Return (dataset, split) of every raw file the paper reads."""
    files = set()
    for pair in DELIFT_PAIRS:
        truth = DELIFT["pairs"][pair]["truth"]
        parts = [*delift_parts(pair).values(), *([truth] if truth else [])]
        files |= {(part["dataset"], part["split"]) for part in parts if part["dataset"] in DATASETS}
        files |= {(truth["dataset"], truth["reference_split"])} if truth and truth["reference_split"] else set()
    return sorted(files)


def delift_downloads():
    """Return what else comes over the network: data sets of the JSON registries, fetched where they are read."""
    parts = [part for pair in DELIFT_PAIRS for part in delift_parts(pair).values()]
    return sorted({delift_split(part) for part in parts if part["dataset"] not in DATASETS})


def delift_rows(pair, name):
    """Return how many rows a pool or reference set has once it is cut and limited."""
    rows, limit = DELIFT["pairs"][pair]["rows"][name], DELIFT["limits"][name]
    return rows if limit is None else min(rows, limit)


def delift_blocks(pair):
    """Return the first column of each job that scores utilities."""
    columns = delift_rows(pair, "pool") + delift_rows(pair, "reference")
    return range(0, columns, DELIFT["utility"]["block_size"])


def delift_data(pair, name):
    """Return the rows of one part of a pair; none if the pair has no such part."""
    return f"<results>/delift/data/{pair}/{name}.jsonl" if DELIFT["pairs"][pair][name] else []


def delift_truth(wildcards):
    """Return the known quality of a pair's pool, if anyone knows it."""
    truth = DELIFT["pairs"][wildcards.pair]["truth"]
    return f"<results>/data/examples/{truth['dataset']}/{truth['split']}.jsonl" if truth else []


def delift_reference_truth(wildcards):
    """Return what is known of a pair's reference set, if anything is."""
    truth = DELIFT["pairs"][wildcards.pair]["truth"]
    if not truth or not truth["reference_split"]:
        return []
    return f"<results>/data/examples/{truth['dataset']}/{truth['reference_split']}.jsonl"


def delift_by(wildcards):
    """Return what a method chooses by, e.g. utility."""
    return DELIFT["methods"][wildcards.method]["by"]


def delift_needs(*materials):
    """Return whether a method's way of choosing needs one of these, as a function of the wildcards."""
    return lambda wildcards: needs(delift_by(wildcards), *materials)


def delift_kernels(wildcards):
    """Return the folder of the kernel that a method chooses by."""
    kind = "embedding" if needs(delift_by(wildcards), "similarities") else wildcards.model
    return f"<results>/delift/kernels/{wildcards.pair}/{kind}"


def delift_kernel_flags(wildcards, input):
    """Return the flags that name a method's kernel, and the utilities by which every method's subsets are compared."""
    flags = []
    for name, folder in (("", input.get("kernels")), ("judge-", input.get("utilities"))):
        if folder:
            flags += [f"--{name}kernel", f"{folder}/pool.npy"]
            if delift_has_reference(wildcards):
                flags += [f"--{name}reference-kernel", f"{folder}/reference.npy"]
    return flags


def delift_reference_flags(flag_name, wildcards, path):
    """Return a flag about the reference set where the pair has one."""
    return [flag_name, path] if delift_has_reference(wildcards) else []


def delift_units(wildcards):
    """Return the subsets that one job learns from, `<method>/percent_<n>`."""
    units = DELIFT_COMPARED.units(wildcards.pair, wildcards.model, wildcards.learning)
    start = int(wildcards.start)
    return units[start : start + DELIFT["units_per_job"]]


def delift_unit_folders(wildcards):
    """Return the folder of each unit's subsets; "none" for the model as it is."""
    stem = f"{RESULTS}/delift/subsets/{wildcards.pair}/{wildcards.model}"
    methods = [unit.split("/")[0] for unit in delift_units(wildcards)]
    return ["none" if DELIFT["methods"][method]["by"] == "none" else f"{stem}/{method}" for method in methods]


def delift_answers(pair, model):
    """Return every folder of answers about a pair and model."""
    return [
        f"<results>/delift/answers/{pair}/{model}/{learning}/units_{start}"
        for learning in DELIFT_COMPARED.learnings(pair, model)
        for start in range(0, len(DELIFT_COMPARED.units(pair, model, learning)), DELIFT["units_per_job"])
    ]


def delift_subsets(pair, model):
    """Return the folders of the subsets that some artifact shows, of one pair and model."""
    return [f"<results>/delift/subsets/{pair}/{model}/{method}" for method in DELIFT_COMPARED.chosen(pair, model)]


def delift_pool(pair):
    """Return dataset and split of a pair's pool."""
    part = DELIFT["pairs"][pair]["pool"]
    return part["dataset"], part["split"]


def delift_original_rows(pair, model):
    """Return the folders of the subsets in their pool's own form; none of a pool out of DELIFT's JSON registries.

    Such a pool is several splits or slices of files that the step reading them finds or fetches by itself.
    """
    if delift_pool(pair)[0] not in DATASETS:
        return []
    return [f"<results>/delift/original_rows/{pair}/{model}/{method}" for method in DELIFT_COMPARED.chosen(pair, model)]


def delift_fractions(wildcards):
    """Return the sizes of a method's subsets, as shares of the pool."""
    percents = DELIFT_COMPARED.percents(wildcards.pair, wildcards.model, wildcards.method)
    return [percent / 100 for percent in percents]


def delift_files(template):
    """Return a file for each pair and model that is run."""
    return [template.format(pair=pair, model=model) for pair, model in DELIFT_RUNS]


def delift_times():
    """Return the run files with measured seconds that the timing table sums up, and what each is about."""
    times = {}
    for pair, model in DELIFT_COMPARED.runs("table_time"):
        here = f"{RESULTS}/delift"
        for start in delift_blocks(pair):
            times[f"{here}/utility/{pair}/{model}/block_{start}.run.json"] = f"{pair}/{model}/utility"
        times[f"{here}/embeddings/{pair}.run.json"] = f"{pair}/{model}/embedding"
        times[f"{here}/baselines/{pair}/{model}.run.json"] = f"{pair}/{model}/baselines"
        for method in DELIFT["table_time"]["methods"]:
            times[f"{here}/subsets/{pair}/{model}/{method}.run.json"] = f"{pair}/{model}/select/{method}"
    return times


def delift_embedder(wildcards):
    """Return the folder of the embedding model."""
    return model_path(DELIFT["embed"]["model"])


def delift_uses_utility(pair, model):
    """Return whether some method chooses by the utilities of a pair and model."""
    chosen = DELIFT_COMPARED.chosen(pair, model)
    return any(needs(DELIFT["methods"][method]["by"], "utilities") for method in chosen)


def delift_has_utilities(wildcards):
    """Return whether a pair's utilities are computed anyway, so that every method's subsets can be compared by them."""
    return delift_uses_utility(wildcards.pair, wildcards.model)


def delift_beside(wildcards):
    """Return the data at hand that the model learns beside each subset, if it does."""
    pair = DELIFT["pairs"][wildcards.pair]
    return delift_data(wildcards.pair, "reference") if pair["learn_reference"] else []


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
    return ["--expected", delift_rows(wildcards.pair, wildcards.part)]


def delift_evaluate_settings(learning):
    """Return the settings of one way of learning."""
    prompt = DELIFT["prompt"] if learning == "icl" else DELIFT["finetune"]["prompt"]
    return {
        "prompt": config["prompts"][prompt],
        "shots": DELIFT["shots"],
        "finetune": DELIFT["finetune"]["fft" if learning == "fft" else "peft"],
        "generate": DELIFT["generate"],
        "batch_tokens": config["compute"]["batch_tokens"],
    }
