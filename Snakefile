from pathlib import Path

from snakemake.utils import min_version

min_version("9.20")

# A paper is config/papers/<paper>.yaml, scripts/<paper>/settings.py and rules/<paper>.smk.
PAPERS = sorted(path.stem for path in Path("config/papers").glob("*.yaml"))


configfile: "config/config.yaml"
configfile: "config/mini_world.yaml"


for paper in PAPERS:

    configfile: f"config/papers/{paper}.yaml"


include: "rules/common.smk"


if config["container"]:

    containerized: config["container"]


pathvars:
    results=RESULTS,
    logs=f"{RESULTS}/logs",
    benchmarks=f"{RESULTS}/benchmarks",


wildcard_constraints:
    dataset=one_of(DATASETS),
    split="(?:(?!_sample_)[a-z0-9_])+",  # a sub-sample is another rule's
    model=one_of(MODELS),
    method=one_of(METHODS),
    start="[0-9]+",
    seed="[0-9]+",
    env="[a-z]+",


include: "rules/environments.smk"
include: "rules/data.smk"
include: "rules/models.smk"


for paper in PAPERS:

    include: f"rules/{paper}.smk"


include: "rules/artifacts.smk"
include: "rules/report.smk"


rule all:
    """Rebuild every table and figure of every paper, the comparison and the report."""
    default_target: True
    input:
        rules.report.input,
        [getattr(rules, f"{paper}_all").input for paper in config["papers"]],
        ["<results>/data/tasks"] if config["tasks"]["names"] else [],
    localrule: True
