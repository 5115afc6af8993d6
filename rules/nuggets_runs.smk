# Which models, subsets and answers NUGGETS compares, read from the config; the rules are in nuggets.smk.
from scripts.selection.methods import needs

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


def nuggets_job_runs(wildcards):
    """Return the runs whose models one job trains or lets answer."""
    start = int(wildcards.start)
    return nuggets_runs("all")[start : start + NUGGETS["runs_per_job"]]


def nuggets_trained_runs(wildcards):
    """Return the runs of a job that train a model; the model as it is does not."""
    return [run for run in nuggets_job_runs(wildcards) if nuggets_rule(run)["by"] != "none"]


def nuggets_untrained_runs(wildcards):
    """Return the runs of a job that are the model as it is."""
    return [run for run in nuggets_job_runs(wildcards) if run not in nuggets_trained_runs(wildcards)]


def nuggets_job_of(run):
    """Return the folder, within the results, of the job whose answers hold a run's."""
    place = nuggets_runs("all").index(run)
    return f"nuggets/answers/{NUGGETS_POOL}/runs_{place - place % NUGGETS['runs_per_job']}"


def nuggets_answer_jobs(benchmark):
    """Return the folders of the jobs that hold the answers of `nuggets_runs`, each once."""
    return list(dict.fromkeys(f"<results>/{nuggets_job_of(run)}" for run in nuggets_runs(benchmark)))


def nuggets_answers(benchmark):
    """Return the folder of answers of each of `nuggets_runs`, in the same order."""
    return [f"{RESULTS}/{nuggets_job_of(run)}/{run}" for run in nuggets_runs(benchmark)]


def nuggets_rule(run):
    """Return how a run's subset is chosen."""
    return NUGGETS["methods"][Path(run).name]


def nuggets_needs(*materials):
    """Return whether a method's way of choosing needs one of these, as a function of the wildcards."""
    return lambda wildcards: needs(NUGGETS["methods"][wildcards.method]["by"], *materials)


def nuggets_anchor_sets():
    """Return the anchor sets that some artifact needs, the main one first."""
    return list(dict.fromkeys([NUGGETS["anchors"], *NUGGETS["table_3"]["anchor_sets"]]))
