# Raw data from a hub, a mirror or the generator, and canonical examples made of it.
from scripts.data.mixed_sources import PARTS as MIXED_PARTS
from scripts.data.mixed_sources import sources_of
from scripts.data.settings_mixed import MixSettings

MINI_FILES = {
    "pool": "instructions_pool.json",
    "anchors": "instructions_anchor_pool.json",
    "alpaca_eval": "alpaca_eval.json",
    "mt_bench": "mt_bench_question.jsonl",
    "mt_bench_reference": "mt_bench_reference.jsonl",
    "truth": "truth.jsonl",
}


rule data_generate_synthetic:
    """Write the synthetic corpus in the raw formats of the real data."""
    input:
        script="scripts/data/generate_synthetic.py",
        code=code_of("scripts/data/generate_synthetic.py"),
    output:
        **{name: f"<results>/data/raw/mini/{file}" for name, file in MINI_FILES.items()},
        tasks=directory("<results>/data/raw/mini/tasks"),
    log:
        "<logs>/data/generate_synthetic.log",
    benchmark:
        "<benchmarks>/data/generate_synthetic.tsv"
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        settings=as_json(config["synthetic"]),
        seed=config["data"]["seed"],
    shell:
        "python -m {params.module}"
        " --settings {params.settings:q} --seed {params.seed}"
        " --pool-out {output.pool:q} --anchor-pool-out {output.anchors:q}"
        " --alpaca-eval-out {output.alpaca_eval:q}"
        " --mt-bench-question-out {output.mt_bench:q} --mt-bench-reference-out {output.mt_bench_reference:q}"
        " --truth-out {output.truth:q} --tasks-out {output.tasks:q}"
        " > {log:q} 2>&1"


CLASSIFICATION_FILES = {
    f"{task}_{split}": f"{task}_{split}.{suffix}"
    for task, suffix in {"sentiment": "tsv", "triple": "jsonl", "news": "csv", "pairs": "tsv", "intents": "csv"}.items()
    for split in ("train", "test")
}


rule data_generate_classification:
    """Write the synthetic classification tasks in the raw formats of the real ones."""
    input:
        script="scripts/data/generate_classification.py",
        code=code_of("scripts/data/generate_classification.py"),
    output:
        **{name: f"<results>/data/raw/mini/classification/{file}" for name, file in CLASSIFICATION_FILES.items()},
    log:
        "<logs>/data/generate_classification.log",
    benchmark:
        "<benchmarks>/data/generate_classification.tsv"
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        settings=as_json(config["synthetic_classification"]),
        seed=config["data"]["seed"],
        tasks=lambda wildcards, output: Path(output[0]).parent.as_posix(),
    shell:
        "python -m {params.module}"
        " --settings {params.settings:q} --seed {params.seed}"
        " --tasks-out {params.tasks:q}"
        " > {log:q} 2>&1"


POOL_PARTS = {
    1: ("train", "validation", "test"),
    2: ("train", "query", "validation", "test"),
    3: ("train", "existing", "validation", "test"),
}


rule data_generate_pools:
    """Write the synthetic pools of DELIFT's three stages, with what is known of their rows."""
    input:
        script="scripts/data/generate_pools.py",
        code=code_of("scripts/data/generate_pools.py"),
    output:
        [
            f"<results>/data/raw/mini/pools/stage_{stage}/{part}{suffix}"
            for stage, parts in POOL_PARTS.items()
            for part in parts
            for suffix in (".json", "_truth.jsonl")
        ],
    log:
        "<logs>/data/generate_pools.log",
    benchmark:
        "<benchmarks>/data/generate_pools.tsv"
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        settings=as_json(config["synthetic_pools"]),
        seed=config["data"]["seed"],
        pools=lambda wildcards, output: Path(output[0]).parents[1].as_posix(),
    shell:
        "python -m {params.module}"
        " --settings {params.settings:q} --seed {params.seed}"
        " --pools-out {params.pools:q}"
        " > {log:q} 2>&1"


rule data_mix_sources:
    """Mix rows of several data sets into one pool, with what is known of them: from which each comes."""
    input:
        script="scripts/data/mix_sources.py",
        code=code_of("scripts/data/mix_sources.py"),
        rows=[f"<results>/data/examples/{name}/{split}.jsonl" for name, split in sources_of(config["mixed_pool"])],
    output:
        [f"<results>/data/raw/mixed/{part}{suffix}" for part in MIXED_PARTS for suffix in (".json", "_truth.jsonl")],
    log:
        "<logs>/data/mix_sources.log",
    benchmark:
        "<benchmarks>/data/mix_sources.tsv"
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        settings=as_json(MixSettings.of(config)),
        pools=lambda wildcards, output: Path(output[0]).parent.as_posix(),
    shell:
        "python -m {params.module}"
        " --rows {input.rows:q} --settings {params.settings:q} --pools-out {params.pools:q}"
        " > {log:q} 2>&1"


REASONING_SPLITS = {
    "nli": ("train", "valid", "test"),
    "cqa": ("train", "test"),
    "svamp": ("train", "test"),
    "generic": ("train", "test"),
}
REASONING_FILES = [
    "asdiv.xml",
    *(f"{name}_{split}.json" for name, splits in REASONING_SPLITS.items() for split in splits),
    *(
        f"{name}_{teacher}_{split}_{batch}.json"
        for name, splits in {**REASONING_SPLITS, "asdiv": ("train",)}.items()
        for teacher in config["synthetic_reasoning"]["teacher_errors"]
        for split in splits
        for batch in range(2 if split == "train" else 1)
        if name != "generic"
    ),
]


rule data_generate_reasoning:
    """Write the synthetic reasoning sets and their teachers' answers in the raw formats of the released ones."""
    input:
        script="scripts/data/generate_reasoning.py",
        code=code_of("scripts/data/generate_reasoning.py"),
    output:
        [f"<results>/data/raw/mini/reasoning/{file}" for file in REASONING_FILES],
    log:
        "<logs>/data/generate_reasoning.log",
    benchmark:
        "<benchmarks>/data/generate_reasoning.tsv"
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        settings=as_json(config["synthetic_reasoning"]),
        seed=config["data"]["seed"],
        sets=lambda wildcards, output: Path(output[0]).parent.as_posix(),
    shell:
        "python -m {params.module}"
        " --settings {params.settings:q} --seed {params.seed}"
        " --sets-out {params.sets:q}"
        " > {log:q} 2>&1"


rule data_download_file:
    """Fetch one upstream file, checked against its hash or pinned revision."""
    input:
        script="scripts/data/download.py",
        code=code_of("scripts/data/download.py"),
    output:
        file=f"{DOWNLOADS}/datasets/{{path}}",
    log:
        "logs/data/download/{path}.log",
    benchmark:
        "benchmarks/data/download/{path}.tsv"
    wildcard_constraints:
        path=one_of(downloadable()),
    retries: 3
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        settings=lambda wildcards: json_text(file_settings(DATASETS, *downloadable()[wildcards.path])),
        checksums=f"{DOWNLOADS}/checksums.json",
    shell:
        "python -m {params.module} file"
        " --settings {params.settings:q} --checksums {params.checksums:q}"
        " --file-out {output.file:q}"
        " > {log:q} 2>&1"


rule data_prepare_examples:
    """Turn a raw file into canonical examples, checked line by line."""
    input:
        script="scripts/data/prepare_examples.py",
        code=code_of("scripts/data/prepare_examples.py"),
        raw=lambda wildcards: raw_file(wildcards.dataset, wildcards.split),
        references=references_file,
    output:
        examples="<results>/data/examples/{dataset}/{split}.jsonl",
    log:
        "<logs>/data/prepare_examples/{dataset}/{split}.log",
    benchmark:
        "<benchmarks>/data/prepare_examples/{dataset}/{split}.tsv"
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        settings=lambda wildcards: json_text(prepare_settings(DATASETS, wildcards.dataset, wildcards.split)),
        references=lambda wildcards, input: ["--references", *input.references] if input.references else [],
    shell:
        "python -m {params.module}"
        " --raw {input.raw:q} {params.references:q} --settings {params.settings:q}"
        " --examples-out {output.examples:q}"
        " > {log:q} 2>&1"


use rule data_prepare_examples as data_prepare_sample with:
    output:
        examples="<results>/data/examples/{dataset}/{split}_sample_{size}.jsonl",
    log:
        "<logs>/data/prepare_sample/{dataset}/{split}_{size}.log",
    benchmark:
        "<benchmarks>/data/prepare_sample/{dataset}/{split}_{size}.tsv"
    wildcard_constraints:
        size="[0-9]+",
    params:
        module=as_py_module(),
        settings=lambda wildcards: json_text(
            prepare_settings(
                DATASETS, wildcards.dataset, wildcards.split, limit=int(wildcards.size), seed=config["data"]["seed"]
            )
        ),
        references=lambda wildcards, input: ["--references", *input.references] if input.references else [],


rule data_prepare_tasks:
    """Turn raw MetaICL-like task files into canonical examples and k-shot files with datasets 1.4.0."""
    input:
        script="scripts/data/prepare_tasks.py",
        code=code_of("scripts/data/prepare_tasks.py"),
        raw="<results>/data/raw/mini/tasks",
        python=[] if CONDA else VENV.format("preprocess"),
    output:
        examples=directory("<results>/data/tasks"),
    log:
        "<logs>/data/prepare_tasks.log",
    benchmark:
        "<benchmarks>/data/prepare_tasks.tsv"
    conda:
        "../envs/preprocess.yaml"
    params:
        module=as_py_module(),
        python=lambda wildcards, input: input.get("python") or "python",
        tasks=config["tasks"]["names"],
        shots=config["tasks"]["shots"],
        seeds=config["tasks"]["seeds"],
        sampling=config["tasks"]["sampling"],
    shell:
        "{params.python} -m {params.module}"
        " --tasks-raw {input.raw:q} --tasks {params.tasks:q}"
        " --shots {params.shots} --seeds {params.seeds} --sampling {params.sampling}"
        " --examples-out {output.examples:q}"
        " > {log:q} 2>&1"
