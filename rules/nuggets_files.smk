# Which pools and goals the scoring jobs of NUGGETS get: its own, or those of the head-to-head; the rules are in nuggets.smk.
from scripts.common.artifact_list import unique
from scripts.nuggets.benchmarks import BENCHMARK_OF, UNSCORED

NUGGETS = config["nuggets"]
NUGGETS_PLAN = LISTED["nuggets"].plan
GOAL = "goal"  # the anchors of the head-to-head: all rows for which is chosen
POOLS = one_of({*DATASETS, *config["delift"]["pairs"]})


def nuggets_pool(wildcards):
    """Return the rows of a pool: a data set's for NUGGETS itself, a pair's of DELIFT for the head-to-head."""
    if wildcards.scorer == "nuggets":
        return NUGGETS_PLAN.pool(wildcards.dataset).examples
    return LISTED["head_to_head"].plan.pool(wildcards.dataset)


def nuggets_anchors(wildcards):
    """Return the rows of an anchor set; the head-to-head's are all rows for which is chosen."""
    if wildcards.scorer == "nuggets":
        return f"<results>/nuggets/anchors/{wildcards.dataset}/{wildcards.model}/{wildcards.anchors}.jsonl"
    return LISTED["head_to_head"].plan.goal(wildcards.dataset)


def nuggets_shards(suffix):
    """Return a function that gives the files of all jobs that score a pool."""

    def files(wildcards):
        plan = NUGGETS_PLAN if wildcards.scorer == "nuggets" else LISTED["head_to_head"].plan
        stem = f"<results>/{wildcards.scorer}/scores/{wildcards.dataset}/{wildcards.model}/{wildcards.anchors}"
        return [f"{stem}/shard_{start}.{suffix}" for start in plan.shards(wildcards.dataset)]

    return files
