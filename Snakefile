from snakemake.utils import min_version

min_version("9.20")


configfile: "config/config.yaml"


include: "rules/common.smk"


pathvars:
    results=f"results/{config['tier']}",
    logs=f"results/{config['tier']}/logs",
    benchmarks=f"results/{config['tier']}/benchmarks",


wildcard_constraints:
    dataset=one_of(DATASETS),
    split="[a-z0-9_]+",
    model=one_of(MODELS),
    anchors=one_of(config["nuggets"]["anchor_sets"]),
    method=one_of(config["nuggets"]["methods"]),
    start="[0-9]+",
    seed="[0-9]+",
    env="[a-z]+",


include: "rules/environments.smk"
include: "rules/data.smk"
include: "rules/models.smk"
include: "rules/nuggets.smk"
include: "rules/report.smk"


rule all:
    """Rebuild every table and figure of every paper, the comparison and the report."""
    default_target: True
    input:
        [f"<results>/{name}" for name in ("report.html", "comparison.csv", "metrics.csv")],
        rules.nuggets_all.input,
        ["<results>/data/tasks"] if config["tasks"]["names"] else [],
    localrule: True
