# Shared by all files here: the checked config, registries, the papers' lists, helpers for paths and parameters. No rules.
import importlib
import json
import shlex
import sys
from pathlib import Path

from snakemake.utils import update_config
from snakemake_interface_executor_plugins.settings import DeploymentMethod

from scripts.common.artifact_list import SUFFIXES, Paper
from scripts.common.config_check import check_config, typed
from scripts.common.errors import UserError
from scripts.common.kept import kept_paper
from scripts.common.provenance import code_of
from scripts.common.stale_locks import forget_run, note_run, release_stale_locks
from scripts.common.yaml_files import read_yaml
from scripts.data.absences import DOWNLOADS
from scripts.data.registry import (
    file_settings,
    is_as_it_is,
    load_registry,
    model_settings,
    model_source,
    prepare_settings,
    raw_path,
    references_split,
)
from scripts.report.estimating import Job, work_left
from scripts.report.job_work import model_sizes, read_costs
from scripts.report.manifest import paper_name
from scripts.report.page_blocks import pages_with_blocks, tables_named
from scripts.selection.methods import config_names

update_config(config, typed(workflow.config_settings.config))
# What the keys of the config may hold, said by those who read them.
SECTIONS = {
    key: kind
    for folder in ["data", "mini_world", *PAPERS]
    for key, kind in importlib.import_module(f"scripts.{folder}.settings").SECTIONS.items()
}
check_config(config, SECTIONS, config_names())
release_stale_locks(".snakemake")


# The only onstart: Snakemake keeps the last one it reads.
onstart:
    # Snakemake 9.27.1 looks through all waiting jobs once a second for EVERY job that has ended so far, to keep a limit on
    # jobs started a second: by the middle of a run a quarter of a core, and no local run needs that limit.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
    if workflow.is_main_process:
        note_run(".snakemake")
        costs = read_costs(COSTS)
        jobs = [
            Job(job.rule.name, job.resources.get("gpu", 0), job.shellcmd if job.rule.name in costs.rules else "")
            for job in workflow.dag.needrun_jobs()
            if job.rule.benchmark
        ]
        gpu = config["compute"]["gpus"] > 0
        logger.info(work_left(jobs, Path(RESULTS, "benchmarks"), costs, model_sizes(MODELS), gpu))


onsuccess:
    forget_run(".snakemake")


onerror:
    forget_run(".snakemake")


DATASETS = load_registry("datasets", config["registries"]["datasets"])
MODELS = load_registry("models", config["registries"]["models"])


def listed_paper(paper):
    """Return a paper's list and plan. Print what is wrong with its settings, and end: Snakemake would wrap an exception."""
    artifacts = importlib.import_module(f"scripts.{paper}.artifacts").ARTIFACTS
    try:
        listed = Paper(artifacts, importlib.import_module(f"scripts.{paper}.plan").Plan.of(config))
        faults = listed.faults()
    except UserError as error:
        faults = [str(error)]
    if faults:
        print("\n".join("config: " + fault.removeprefix("config: ") for fault in faults), file=sys.stderr)
        sys.exit(1)
    return listed


# The lists and plans of the papers, and of the page on the shipped models.
LISTED = {paper: listed_paper(paper) for paper in [*PAPERS, "mini_world"]}
# What earlier runs of the tier measured, kept with the project; and what is shown: all, or what can be made from it.
KEPT = f"docs/{config['tier']}/measured"
KEPT_TIMES = f"docs/{config['tier']}/jobs.csv"
DISPLAYED = {paper: kept_paper(LISTED[paper], Path(KEPT)) for paper in LISTED} if config["from_kept"] else LISTED
if config["from_kept"]:
    config["papers"] = [paper for paper in config["papers"] if DISPLAYED[paper].artifacts]
    if not config["papers"]:
        print(f"config: from_kept: {KEPT} keeps nothing that a table or figure is made from", file=sys.stderr)
        sys.exit(1)
CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
METHODS = sorted({name for paper in PAPERS for name in config[paper].get("methods", {})})
VENV = ".venvs/{}/bin/python"
RESULTS = f"results/{config['tier']}" + ("_kept" if config["from_kept"] else "")
COSTS = "config/costs.yaml"

if not CONDA:  # steps run with the interpreter that runs Snakemake, whether or not its venv is activated
    shell.prefix(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; ")


def as_py_module():
    """Return input.script as `python -m` wants it, as Snakemake's own does, but also from the folder of a storage."""

    def module(wildcards, input):
        parts = Path(input.script).with_suffix("").parts
        return ".".join(parts[parts.index("scripts") :])

    return module


def one_of(names):
    """Return a regular expression that matches exactly the given names."""
    return "|".join(sorted(map(re.escape, names), key=len, reverse=True))


def json_text(value):
    """Return settings as one JSON string with sorted keys: equal settings are equal text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def as_json(value):
    """Return a parameter with settings as JSON: a function, because Snakemake reads braces in strings as wildcards."""
    return lambda wildcards: json_text(value)


def flag(name, value):
    """Return a flag with its value, or nothing where there is no value."""
    return [name, value] if value else []


def model_flags():
    """Return the flags of every step that loads a model."""
    return f"--dtype {config['compute']['dtype']} {device_flags()}"


def device_flags():
    """Return the flags of every step whose model computes in float32 whatever the config says."""
    compute = config["compute"]
    return f"--device {compute['device']} --threads {compute['threads']}"


def launcher(devices):
    """Return the command that starts a training module: one process, or one for each GPU of the job."""
    return "python" if devices == 1 else f"python -m scripts.lm.launch --processes {devices}"


def kept(path, keep):
    """Return an output that stays, or one that goes as soon as nothing needs it any more."""
    return path if keep else temp(path)


def in_report(path, paper, artifact):
    """Mark a table or figure for Snakemake's own report, with its caption."""
    return report(
        path,
        caption=f"../report/{paper}_{artifact}.rst",
        category=paper.upper(),
        labels={"artifact": artifact, "tier": config["tier"]},
    )


def table_files(paper, artifact):
    """Return the three files of a table by name, one of them marked for Snakemake's report."""
    stem = f"<results>/tables/{paper}_{artifact}"
    return {"csv": in_report(f"{stem}.csv", paper, artifact), "md": f"{stem}.md", "tex": f"{stem}.tex"}


def figure_files(paper, artifact):
    """Return the three files of a figure by name, one of them marked for Snakemake's report."""
    stem = f"<results>/figures/{paper}_{artifact}"
    return {"pdf": f"{stem}.pdf", "png": in_report(f"{stem}.png", paper, artifact), "csv": f"{stem}.csv"}


def files_of(paper, artifact):
    """Return the files of a listed table or figure."""
    stem = f"<results>/{artifact.kind}s/{paper}_{artifact.name}"
    return [f"{stem}.{suffix}" for suffix in SUFFIXES[artifact.kind]]


def marked_files(paper, artifact):
    """Return the files of a listed table or figure by name, one of them marked for Snakemake's report."""
    return (table_files if artifact.kind == "table" else figure_files)(paper, artifact.name)


def named_inputs(files):
    """Return {flag: path} as inputs, whose names have no hyphens."""
    return {flag.replace("-", "_"): path for flag, path in files.items()}


def flags_of(flags):
    """Return a parameter with the flags of the inputs of those names, each before its path or paths."""

    def words(wildcards, input):
        given = {name: input[name.replace("-", "_")] for name in flags}
        return [
            word
            for name, paths in given.items()
            for word in (f"--{name}", *([paths] if isinstance(paths, str) else paths))
        ]

    return words


def output_flags(wildcards, output):
    """Return the flags --<name>-out of all outputs, each before its path."""
    return [word for name, path in output.items() for word in (f"--{name}-out", path)]


def artifact_of(wildcards, output):
    """Return what a rule's files show, their name without the paper: table_1, figure_scores."""
    kind = Path(output[0]).parent.name.rstrip("s")
    return kind + Path(output[0]).stem.partition(f"_{kind}")[2]


def memory(wildcards, attempt):
    """Memory of a job that loads a model, more with each retry."""
    return config["compute"]["memory_mb"] * attempt


def raw_file(dataset, split):
    """Return the path of a split's raw file: generated, downloaded, or inside the mirror; of one's own perhaps several."""
    return raw_path(
        DATASETS,
        dataset,
        split,
        source=config["data"]["source"],
        mirror=config["data"]["mirror"],
        raw_root=f"{RESULTS}/data/raw",
        downloads_root=f"{DOWNLOADS}/datasets",
    )


def raw_files(pairs):
    """Return the paths of the raw files of all (dataset, split)."""
    files = [raw_file(*pair) for pair in pairs]
    return [path for file in files for path in ([file] if isinstance(file, str) else file)]


def references_file(wildcards):
    """Return the raw file with the reference answers of a split, if it has one of its own."""
    split = references_split(DATASETS, wildcards.dataset, wildcards.split)
    return raw_files([(wildcards.dataset, split)]) if split else []


def downloadable():
    """Return {path below the downloads folder: (dataset, split)} of every registered file that a hub serves."""
    return {
        split["file"]: (dataset, name)
        for dataset, row in DATASETS.items()
        for name, split in row["splits"].items()
        if row["origin"] == "public"
    }


def model_path(name):
    """Return the folder of a registered model: shipped, the user's own, or downloaded."""
    return model_source(MODELS, name, downloads_root=f"{DOWNLOADS}/models")


def judge_models(judge):
    """Return the registered model that a paper asks as judge, if it asks one."""
    return [judge["model"]] if judge["backend"] == "local" and judge["model"] in MODELS else []


def judge_settings(judge):
    """Return a paper's `judge` with the folder of a registered model in place of its name."""
    return {**judge, "model": model_path(judge["model"])} if judge_models(judge) else judge


def model_folder(wildcards):
    """Return the folder of the model that a rule's wildcard names."""
    return model_path(wildcards.model)


def artifact_names(paper, kind):
    """Return the names of a paper's tables or figures."""
    return [artifact.name for artifact in DISPLAYED[paper].artifacts if artifact.kind == kind]


def paper_files(paper):
    """Return the raw data and the models that a paper reads and that come over the network."""
    plan = DISPLAYED[paper].plan
    models = [name for name in plan.models() if name in MODELS]
    fetched = [f"{DOWNLOADS}/models/{model}" for model in models if not is_as_it_is(MODELS[model])]
    return [*raw_files(plan.raw_files(DATASETS)), *fetched, *DISPLAYED[paper].downloads()]
