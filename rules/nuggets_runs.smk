# Which models, subsets and answers NUGGETS compares, read from the config; the rules are in nuggets.smk.
NUGGETS = config["nuggets"]
NUGGETS_POOL = f"{NUGGETS['dataset']}/{NUGGETS['model']}"
NUGGETS_MAIN = f"{NUGGETS_POOL}/{NUGGETS['anchors']}"
NUGGETS_MODELS = [NUGGETS["model"], *judge_models(NUGGETS["judge"])]
NUGGETS_TABLES = [
    "table_1",
    "table_2",
    "table_3",
    "table_baselines",
    "table_selection_quality",
    "table_racing",
    "table_cases",
]
NUGGETS_FIGURES = [
    "figure_scores",
    "figure_pairwise",
    "figure_cases",
    "figure_selection_quality",
    "figure_anchor_sizes",
]
# What the last steps need to know, as one JSON text.
NUGGETS_SETTINGS = as_json(
    {
        "seed": config["data"]["seed"],
        **{
            key: NUGGETS[key]
            for key in ("dataset", "model", "anchors", "methods", "subset_fraction", "table_1", "table_2")
            + ("table_3", "table_baselines", "figure_scores", "figure_pairwise", "figure_anchor_sizes", "table_racing")
        },
    }
)


def nuggets_examples(dataset):
    """Return the canonical rows of an instruction dataset: the sub-sample if it is the pool and has a limit."""
    sample = f"_sample_{NUGGETS['limit']}" if NUGGETS["limit"] and dataset == NUGGETS["dataset"] else ""
    return f"<results>/data/examples/{dataset}/train{sample}.jsonl"


def nuggets_raw_files():
    """Return (dataset, split) of every raw file the paper reads."""
    files = {(NUGGETS["dataset"], "train"), (NUGGETS["anchor_dataset"], "train")}
    files |= {(NUGGETS["truth"], "train")} if NUGGETS["truth"] else set()
    for dataset in NUGGETS["benchmarks"].values():
        files.add((dataset, "test"))
        references = references_split(DATASETS, dataset, "test")
        files |= {(dataset, references)} if references else set()
    return sorted(files)


def nuggets_shards():
    """Return the first candidate of each scoring job."""
    return range(0, NUGGETS["limit"] or NUGGETS["pool_size"], NUGGETS["score"]["shard_size"])


def nuggets_runs(benchmark):
    """Return "<anchors>/<method>" of every model whose answers to a benchmark some artifact shows."""
    tables = {
        "alpaca_eval": ["table_1", "table_3", "table_baselines", "figure_pairwise"],
        "mt_bench": ["table_2", "table_baselines"],
        "pairwise": ["figure_pairwise"],
        "all": ["table_1", "table_2", "table_3", "table_baselines", "figure_pairwise"],
    }[benchmark]
    runs = set()
    for table in map(NUGGETS.get, tables):
        for anchors in table.get("anchor_sets", [NUGGETS["anchors"]]):
            runs.update(f"{anchors}/{method}" for method in [*table["methods"], table.get("reference")] if method)
    return sorted(runs)


def nuggets_answers(benchmark):
    """Return the answer folders of `nuggets_runs`, in the same order."""
    return [f"<results>/nuggets/answers/{NUGGETS_POOL}/{run}" for run in nuggets_runs(benchmark)]


def nuggets_by(method):
    """Return what a method chooses by, e.g. golden_score."""
    return NUGGETS["methods"][method]["by"]


def nuggets_anchor_sets():
    """Return the anchor sets that some artifact needs, the main one first."""
    return list(dict.fromkeys([NUGGETS["anchors"], *NUGGETS["table_3"]["anchor_sets"]]))


def nuggets_seeds(method):
    """Return the seeds of a method; the model as it is has nothing to draw, so one is enough."""
    return NUGGETS["seeds"] if nuggets_by(method) != "none" else NUGGETS["seeds"][:1]
