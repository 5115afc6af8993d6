# DELIFT (ICLR 2025): choose fine-tuning data by pairwise in-context utility and submodular functions.
include: "delift_runs.smk"


wildcard_constraints:
    pair=one_of(DELIFT["pairs"]),
    part="pool|reference|validation|test",
    learning="icl|peft|fft",


rule delift_prepare_registered:
    """Read a split of a dataset named in one of DELIFT's JSON registries (huggingface_datasets.json and the like)."""
    input:
        script="scripts/delift/prepare_registered.py",
        code=code_of("scripts/delift/prepare_registered.py"),
        registry=lambda wildcards: DELIFT_JSON_DATASETS[wildcards.entry.replace("--", "/")],
    output:
        examples="<results>/delift/registered/{entry}/{split}.jsonl",
    log:
        "<logs>/delift/prepare_registered/{entry}/{split}.log",
    benchmark:
        "<benchmarks>/delift/prepare_registered/{entry}/{split}.tsv"
    wildcard_constraints:
        entry="[^/]+",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        dataset=lambda wildcards: wildcards.entry.replace("--", "/"),
        mirror=flag("--mirror", config["data"]["mirror"]),
        downloads=f"{DOWNLOADS}/datasets",
        seed=config["data"]["seed"],
    shell:
        "python -m {params.module}"
        " --registry {input.registry:q} --dataset {params.dataset:q} --part {wildcards.split:q}"
        " {params.mirror:q} --downloads {params.downloads:q} --seed {params.seed} --examples-out {output.examples:q}"
        " > {log:q} 2>&1"


rule delift_prepare_part:
    """Cut one part of a dataset pair: the pool, the reference set, the validation or the test set."""
    input:
        script="scripts/delift/prepare_part.py",
        code=code_of("scripts/delift/prepare_part.py"),
        rows=lambda wildcards: delift_split(DELIFT["pairs"][wildcards.pair][wildcards.part]),
    output:
        part="<results>/delift/data/{pair}/{part}.jsonl",
    log:
        "<logs>/delift/prepare_part/{pair}/{part}.log",
    benchmark:
        "<benchmarks>/delift/prepare_part/{pair}/{part}.tsv"
    priority: 100
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        first=lambda wildcards: DELIFT["pairs"][wildcards.pair][wildcards.part]["from"],
        last=lambda wildcards: DELIFT["pairs"][wildcards.pair][wildcards.part]["to"],
        limit=lambda wildcards: flag("--limit", DELIFT["limits"][wildcards.part]),
        expected=delift_expected_flags,
        seed=config["data"]["seed"],
    shell:
        "python -m {params.module}"
        " --rows {input.rows:q} --first {params.first} --last {params.last} {params.limit} {params.expected}"
        " --seed {params.seed} --part-out {output.part:q}"
        " > {log:q} 2>&1"


rule delift_score_utility:
    """Score one block of candidates: how much does each, as an example, help the model to predict each target?"""
    input:
        script="scripts/delift/score_utility.py",
        code=code_of("scripts/delift/score_utility.py"),
        pool="<results>/delift/data/{pair}/pool.jsonl",
        reference=lambda wildcards: delift_data(wildcards.pair, "reference"),
        targets=lambda wildcards: delift_data(wildcards.pair, DELIFT["pairs"][wildcards.pair]["targets"]),
        model=model_folder,
    output:
        block="<results>/delift/utility/{pair}/{model}/block_{start}.npy",
        summary="<results>/delift/utility/{pair}/{model}/block_{start}.json",
        run="<results>/delift/utility/{pair}/{model}/block_{start}.run.json",
    log:
        "<logs>/delift/score_utility/{pair}/{model}/block_{start}.log",
    benchmark:
        "<benchmarks>/delift/score_utility/{pair}/{model}/block_{start}.tsv"
    priority: 100
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"]
    resources:
        gpu=config["compute"]["gpus"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        module=as_py_module(),
        compute=model_flags(),
        reference=lambda wildcards, input: flag("--reference", input.reference),
        stop=lambda wildcards: int(wildcards.start) + DELIFT["utility"]["block_size"],
        settings=as_json(
            {
                **{key: value for key, value in DELIFT["utility"].items() if key != "block_size"},
                "prompt": config["prompts"][DELIFT["prompt"]],
                "batch_tokens": config["compute"]["batch_tokens"],
            }
        ),
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} {params.reference:q} --targets {input.targets:q}"
        " --start {wildcards.start} --stop {params.stop}"
        " --model {input.model:q} {params.compute} --settings {params.settings:q}"
        " --block-out {output.block:q} --summary-out {output.summary:q} --run-out {output.run:q}"
        " > {log:q} 2>&1"


rule delift_collect_utility:
    """Put the blocks together to the utility kernels of pool and reference set, each entry in [0, 1]."""
    input:
        script="scripts/delift/collect_utility.py",
        code=code_of("scripts/delift/collect_utility.py"),
        pool="<results>/delift/data/{pair}/pool.jsonl",
        reference=lambda wildcards: delift_data(wildcards.pair, "reference"),
        targets=lambda wildcards: delift_data(wildcards.pair, DELIFT["pairs"][wildcards.pair]["targets"]),
        blocks=lambda wildcards: expand(
            "<results>/delift/utility/{pair}/{model}/block_{start}.npy",
            pair=wildcards.pair,
            model=wildcards.model,
            start=delift_blocks(wildcards.pair),
        ),
        summaries=lambda wildcards: expand(
            "<results>/delift/utility/{pair}/{model}/block_{start}.json",
            pair=wildcards.pair,
            model=wildcards.model,
            start=delift_blocks(wildcards.pair),
        ),
    output:
        kernels=directory("<results>/delift/kernels/{pair}/{model}"),
    log:
        "<logs>/delift/collect_utility/{pair}/{model}.log",
    benchmark:
        "<benchmarks>/delift/collect_utility/{pair}/{model}.tsv"
    priority: 100
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        reference=lambda wildcards, input: flag("--reference", input.reference),
        reference_out=lambda wildcards, output: delift_reference_flags(
            "--reference-kernel-out", wildcards, f"{output.kernels}/reference.npy"
        ),
        scale=lambda wildcards: DELIFT["pairs"][wildcards.pair]["scale"],
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} {params.reference:q} --targets {input.targets:q}"
        " --blocks {input.blocks:q} --summaries {input.summaries:q} --scale {params.scale}"
        " --kernel-out {output.kernels:q}/pool.npy {params.reference_out:q}"
        " --summary-out {output.kernels:q}/summary.json"
        " > {log:q} 2>&1"


rule delift_embed_examples:
    """Embed a pair's examples, and its test prompts, which ask for neighbours."""
    input:
        script="scripts/delift/embed_examples.py",
        code=code_of("scripts/delift/embed_examples.py"),
        parts=lambda wildcards: [
            f"<results>/delift/data/{wildcards.pair}/{name}.jsonl" for name in delift_parts(wildcards.pair)
        ],
        queries="<results>/delift/data/{pair}/test.jsonl",
        model=delift_embedder,
    output:
        embeddings=directory("<results>/delift/embeddings/{pair}"),
        run="<results>/delift/embeddings/{pair}.run.json",
    log:
        "<logs>/delift/embed_examples/{pair}.log",
    benchmark:
        "<benchmarks>/delift/embed_examples/{pair}.tsv"
    priority: 100
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"]
    resources:
        gpu=config["compute"]["gpus"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        module=as_py_module(),
        compute=model_flags(),
        family=MODELS[DELIFT["embed"]["model"]]["family"],
        files=lambda wildcards, output: [
            f"{output.embeddings}/{name}.safetensors" for name in delift_parts(wildcards.pair)
        ],
        settings=as_json(
            {
                **{key: value for key, value in DELIFT["embed"].items() if key not in ("model", "metric")},
                "prompt": config["prompts"][DELIFT["prompt"]],
                "batch_tokens": config["compute"]["batch_tokens"],
            }
        ),
    shell:
        "python -m {params.module}"
        " --examples {input.parts:q} --queries {input.queries:q}"
        " --model {input.model:q} {params.compute} --family {params.family} --settings {params.settings:q}"
        " --embeddings-out {params.files:q} --queries-out {output.embeddings:q}/queries.safetensors"
        " --run-out {output.run:q}"
        " > {log:q} 2>&1"


rule delift_collect_similarity:
    """Make the static kernels of DELIFT (SE): similarities of embeddings, each entry in [0, 1]."""
    input:
        script="scripts/delift/collect_similarity.py",
        code=code_of("scripts/delift/collect_similarity.py"),
        embeddings="<results>/delift/embeddings/{pair}",
    output:
        kernels=directory("<results>/delift/kernels/{pair}/embedding"),
    log:
        "<logs>/delift/collect_similarity/{pair}.log",
    benchmark:
        "<benchmarks>/delift/collect_similarity/{pair}.tsv"
    priority: 100
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        reference=lambda wildcards, input: delift_reference_flags(
            "--reference", wildcards, f"{input.embeddings}/reference.safetensors"
        ),
        reference_out=lambda wildcards, output: delift_reference_flags(
            "--reference-kernel-out", wildcards, f"{output.kernels}/reference.npy"
        ),
        targets=lambda wildcards: DELIFT["pairs"][wildcards.pair]["targets"],
        metric=DELIFT["embed"]["metric"],
        scale=lambda wildcards: DELIFT["pairs"][wildcards.pair]["scale"],
    shell:
        "python -m {params.module}"
        " --targets {input.embeddings:q}/{params.targets}.safetensors --pool {input.embeddings:q}/pool.safetensors"
        " {params.reference:q} --metric {params.metric} --scale {params.scale}"
        " --kernel-out {output.kernels:q}/pool.npy {params.reference_out:q}"
        " --summary-out {output.kernels:q}/summary.json"
        " > {log:q} 2>&1"


rule delift_score_baselines:
    """Score the pool by the baselines that need a model: SelectIT, LESS, instruction-following difficulty."""
    input:
        script="scripts/delift/score_baselines.py",
        code=code_of("scripts/delift/score_baselines.py"),
        pool="<results>/delift/data/{pair}/pool.jsonl",
        validation="<results>/delift/data/{pair}/validation.jsonl",
        model=model_folder,
    output:
        scores="<results>/delift/baselines/{pair}/{model}.csv",
        run="<results>/delift/baselines/{pair}/{model}.run.json",
    log:
        "<logs>/delift/score_baselines/{pair}/{model}.log",
    benchmark:
        "<benchmarks>/delift/score_baselines/{pair}/{model}.tsv"
    priority: 90
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"]
    resources:
        gpu=config["compute"]["gpus"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        module=as_py_module(),
        compute=model_flags(),
        settings=as_json(
            {
                **DELIFT["baselines"],
                "prompt": config["prompts"][DELIFT["prompt"]],
                "batch_tokens": config["compute"]["batch_tokens"],
                "seed": config["data"]["seed"],
            }
        ),
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} --validation {input.validation:q}"
        " --model {input.model:q} {params.compute} --settings {params.settings:q}"
        " --scores-out {output.scores:q} --run-out {output.run:q}"
        " > {log:q} 2>&1"


rule delift_select_subset:
    """Choose the subsets of one method, for every size and seed."""
    input:
        script="scripts/delift/select_subset.py",
        code=code_of("scripts/delift/select_subset.py"),
        pool="<results>/delift/data/{pair}/pool.jsonl",
        kernels=branch(delift_needs("utilities", "similarities"), then=delift_kernels),
        utilities=branch(delift_has_utilities, then="<results>/delift/kernels/{pair}/{model}"),
        embeddings=branch(delift_needs("embeddings"), then="<results>/delift/embeddings/{pair}"),
        scores=branch(delift_needs("ratings", "gradients", "ifd"), then="<results>/delift/baselines/{pair}/{model}.csv"),
        truth=delift_truth,
        reference_truth=delift_reference_truth,
    output:
        subsets=directory("<results>/delift/subsets/{pair}/{model}/{method}"),
        run="<results>/delift/subsets/{pair}/{model}/{method}.run.json",
    log:
        "<logs>/delift/select_subset/{pair}/{model}/{method}.log",
    benchmark:
        "<benchmarks>/delift/select_subset/{pair}/{model}/{method}.tsv"
    priority: 80
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        stage=lambda wildcards: DELIFT["pairs"][wildcards.pair]["stage"],
        kernels=delift_kernel_flags,
        embeddings=lambda wildcards, input: (
            ["--embeddings", f"{input.embeddings}/pool.safetensors"] if input.embeddings else []
        ),
        scores=lambda wildcards, input: flag("--scores", input.scores),
        truth=lambda wildcards, input: [
            *flag("--truth", input.truth),
            *flag("--reference-truth", input.reference_truth),
        ],
        method=lambda wildcards: json_text(DELIFT["methods"][wildcards.method]),
        fractions=delift_fractions,
        seeds=sorted({seed for seeds in DELIFT["seeds"].values() for seed in seeds}),
        threads=config["compute"]["threads"],
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} --stage {params.stage} {params.kernels:q} {params.embeddings:q} {params.scores:q}"
        " {params.truth:q} --name {wildcards.method:q} --method {params.method:q}"
        " --fractions {params.fractions} --seeds {params.seeds} --threads {params.threads}"
        " --subsets-out {output.subsets:q} --run-out {output.run:q}"
        " > {log:q} 2>&1"


rule delift_evaluate_subsets:
    """Let the model learn from some subsets, for every seed, and answer the test set."""
    input:
        script="scripts/delift/evaluate_subsets.py",
        code=code_of("scripts/delift/evaluate_subsets.py"),
        subsets=lambda wildcards: sorted(set(delift_unit_folders(wildcards)) - {"none"}),
        test="<results>/delift/data/{pair}/test.jsonl",
        beside=delift_beside,
        pool=branch(delift_in_context, then="<results>/delift/data/{pair}/pool.jsonl"),
        embeddings=branch(delift_in_context, then="<results>/delift/embeddings/{pair}"),
        model=model_folder,
    output:
        answers=directory("<results>/delift/answers/{pair}/{model}/{learning}/units_{start}"),
        run="<results>/delift/answers/{pair}/{model}/{learning}/units_{start}.run.json",
    log:
        "<logs>/delift/evaluate_subsets/{pair}/{model}/{learning}/units_{start}.log",
    benchmark:
        "<benchmarks>/delift/evaluate_subsets/{pair}/{model}/{learning}/units_{start}.tsv"
    priority: 50
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"]
    resources:
        gpu=config["compute"]["gpus"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        module=as_py_module(),
        compute=model_flags(),
        units=delift_units,
        folders=delift_unit_folders,
        seeds=lambda wildcards: DELIFT["seeds"][wildcards.learning],
        beside=lambda wildcards, input: flag("--beside", input.beside),
        neighbours=delift_neighbour_flags,
        settings=lambda wildcards: json_text(delift_evaluate_settings(wildcards.learning)),
        checkpoints=f"{RESULTS}/delift/checkpoints",
    shell:
        "python -m {params.module}"
        " --learning {wildcards.learning} --units {params.units:q} --subsets {params.folders:q} --seeds {params.seeds}"
        " --test {input.test:q} {params.beside:q} {params.neighbours:q}"
        " --model {input.model:q} {params.compute} --settings {params.settings:q}"
        " --checkpoints {params.checkpoints:q} --answers-out {output.answers:q} --run-out {output.run:q}"
        " > {log:q} 2>&1"


rule delift_score_answers:
    """Measure all answers of a pair and model: overlap and similarity with the reference, the judge's grade."""
    input:
        script="scripts/delift/score_answers.py",
        code=code_of("scripts/delift/score_answers.py"),
        answers=lambda wildcards: delift_answers(wildcards.pair, wildcards.model),
        test="<results>/delift/data/{pair}/test.jsonl",
        embedder=delift_embedder,
        judge=[model_path(name) for name in judge_models(DELIFT["judge"])],
    output:
        scored="<results>/delift/scores/{pair}/{model}.jsonl",
        scores="<results>/delift/scores/{pair}/{model}.csv",
    log:
        "<logs>/delift/score_answers/{pair}/{model}.log",
    benchmark:
        "<benchmarks>/delift/score_answers/{pair}/{model}.tsv"
    priority: 40
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"]
    resources:
        gpu=config["compute"]["gpus"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        module=as_py_module(),
        compute=model_flags(),
        family=MODELS[DELIFT["embed"]["model"]]["family"],
        settings=as_json(
            {
                "measures": DELIFT["measures"],
                "known": DELIFT["known"],
                "judge": judge_settings(DELIFT["judge"]),
                "embed": {
                    "pooling": DELIFT["embed"]["pooling"],
                    "max_tokens": DELIFT["embed"]["max_tokens"],
                    "batch_tokens": config["compute"]["batch_tokens"],
                },
            }
        ),
    shell:
        "python -m {params.module}"
        " --answers {input.answers:q} --test {input.test:q}"
        " --embedder {input.embedder:q} --embedder-family {params.family} {params.compute}"
        " --settings {params.settings:q} --scored-out {output.scored:q} --scores-out {output.scores:q}"
        " > {log:q} 2>&1"


rule delift_collect_metrics:
    """Gather every measured value of DELIFT in the long schema."""
    input:
        script="scripts/delift/collect_metrics.py",
        code=code_of("scripts/delift/collect_metrics.py"),
        scores=delift_files("<results>/delift/scores/{pair}/{model}.csv"),
        scored=delift_files("<results>/delift/scores/{pair}/{model}.jsonl"),
        subsets=[folder for pair, model in DELIFT_RUNS for folder in delift_subsets(pair, model)],
    output:
        metrics="<results>/delift/metrics.csv",
        notes="<results>/delift/notes.csv",
    log:
        "<logs>/delift/collect_metrics.log",
    benchmark:
        "<benchmarks>/delift/collect_metrics.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        runs=[f"{pair}/{model}" for pair, model in DELIFT_RUNS],
        settings=DELIFT_SETTINGS,
    shell:
        "python -m {params.module}"
        " --runs {params.runs:q} --scores {input.scores:q} --scored {input.scored:q} --subsets {input.subsets:q}"
        " --settings {params.settings:q} --metrics-out {output.metrics:q} --notes-out {output.notes:q}"
        " > {log:q} 2>&1"


rule delift_collect_times:
    """Gather the seconds that choosing took, as measured in this run; they are no metrics."""
    input:
        script="scripts/delift/collect_times.py",
        code=code_of("scripts/delift/collect_times.py"),
        runs=list(delift_times()),
    output:
        times="<results>/delift/times.csv",
    log:
        "<logs>/delift/collect_times.log",
    benchmark:
        "<benchmarks>/delift/collect_times.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        parts=list(delift_times().values()),
    shell:
        "python -m {params.module} --runs {input.runs:q} --parts {params.parts:q} --times-out {output.times:q}"
        " > {log:q} 2>&1"


rule delift_table_1:
    """Table 1: stage 1 on MixInstruct."""
    input:
        script="scripts/delift/tabulate_artifact.py",
        code=code_of("scripts/delift/tabulate_artifact.py"),
        metrics="<results>/delift/metrics.csv",
        notes="<results>/delift/notes.csv",
        published="config/published/delift.csv",
    output:
        **table_files("delift", "table_1"),
    log:
        "<logs>/delift/table_1.log",
    benchmark:
        "<benchmarks>/delift/table_1.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        artifact=artifact_of,
        settings=DELIFT_SETTINGS,
        tier=config["tier"],
    shell:
        "python -m {params.module} --artifact {params.artifact}"
        " --metrics {input.metrics:q} --notes {input.notes:q} --published {input.published:q}"
        " --tier {params.tier} --settings {params.settings:q}"
        " --csv-out {output.csv:q} --md-out {output.md:q} --tex-out {output.tex:q}"
        " > {log:q} 2>&1"


use rule delift_table_1 as delift_table_2 with:
    """Table 2: stage 1 on P3."""
    output:
        **table_files("delift", "table_2"),
    log:
        "<logs>/delift/table_2.log",
    benchmark:
        "<benchmarks>/delift/table_2.tsv"


use rule delift_table_1 as delift_table_3 with:
    """Table 3: stage 2, HotpotQA for MMLU."""
    output:
        **table_files("delift", "table_3"),
    log:
        "<logs>/delift/table_3.log",
    benchmark:
        "<benchmarks>/delift/table_3.tsv"


use rule delift_table_1 as delift_table_4 with:
    """Table 4: stage 2, MixInstruct for MT-Bench and GSM8K."""
    output:
        **table_files("delift", "table_4"),
    log:
        "<logs>/delift/table_4.log",
    benchmark:
        "<benchmarks>/delift/table_4.tsv"


use rule delift_table_1 as delift_table_5 with:
    """Table 5: stage 3, Government beside IBM (private data)."""
    output:
        **table_files("delift", "table_5"),
    log:
        "<logs>/delift/table_5.log",
    benchmark:
        "<benchmarks>/delift/table_5.tsv"


use rule delift_table_1 as delift_table_6 with:
    """Table 6: stage 3, HotpotQA beside SQuAD."""
    output:
        **table_files("delift", "table_6"),
    log:
        "<logs>/delift/table_6.log",
    benchmark:
        "<benchmarks>/delift/table_6.tsv"


use rule delift_table_1 as delift_table_fft with:
    """Full fine-tuning (third version of the paper)."""
    output:
        **table_files("delift", "table_fft"),
    log:
        "<logs>/delift/table_fft.log",
    benchmark:
        "<benchmarks>/delift/table_fft.tsv"


use rule delift_table_1 as delift_table_selection_quality with:
    """Beyond the paper: what each method chooses, held against what is known of the pool."""
    output:
        **table_files("delift", "table_selection_quality"),
    log:
        "<logs>/delift/table_selection_quality.log",
    benchmark:
        "<benchmarks>/delift/table_selection_quality.tsv"


rule delift_table_time:
    """Wall-clock time of choosing, by method (third version of the paper)."""
    input:
        script="scripts/delift/tabulate_time.py",
        code=code_of("scripts/delift/tabulate_time.py"),
        times="<results>/delift/times.csv",
    output:
        **table_files("delift", "table_time"),
    log:
        "<logs>/delift/table_time.log",
    benchmark:
        "<benchmarks>/delift/table_time.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        settings=DELIFT_SETTINGS,
        tier=config["tier"],
    shell:
        "python -m {params.module} --times {input.times:q} --tier {params.tier} --settings {params.settings:q}"
        " --csv-out {output.csv:q} --md-out {output.md:q} --tex-out {output.tex:q}"
        " > {log:q} 2>&1"


rule delift_figure_subset_size:
    """How the result grows with the size of the subset, for every method."""
    input:
        script="scripts/delift/plot_subset_size.py",
        code=code_of("scripts/delift/plot_subset_size.py"),
        metrics="<results>/delift/metrics.csv",
        notes="<results>/delift/notes.csv",
    output:
        **figure_files("delift", "figure_subset_size"),
    log:
        "<logs>/delift/figure_subset_size.log",
    benchmark:
        "<benchmarks>/delift/figure_subset_size.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        settings=DELIFT_SETTINGS,
        tier=config["tier"],
    shell:
        "python -m {params.module} --metrics {input.metrics:q} --notes {input.notes:q}"
        " --settings {params.settings:q} --tier {params.tier}"
        " --pdf-out {output.pdf:q} --png-out {output.png:q} --csv-out {output.csv:q}"
        " > {log:q} 2>&1"


use rule delift_figure_subset_size as delift_figure_laj with:
    """The distribution of the judge's grades, for every method."""
    input:
        script="scripts/delift/plot_judge_scores.py",
        code=code_of("scripts/delift/plot_judge_scores.py"),
        metrics="<results>/delift/metrics.csv",
        notes="<results>/delift/notes.csv",
    output:
        **figure_files("delift", "figure_laj"),
    log:
        "<logs>/delift/figure_laj.log",
    benchmark:
        "<benchmarks>/delift/figure_laj.tsv"


use rule delift_figure_subset_size as delift_figure_stages with:
    """Beyond the paper: what each subset is worth in each stage, with intervals over seeds."""
    input:
        script="scripts/delift/plot_stages.py",
        code=code_of("scripts/delift/plot_stages.py"),
        metrics="<results>/delift/metrics.csv",
        notes="<results>/delift/notes.csv",
    output:
        **figure_files("delift", "figure_stages"),
    log:
        "<logs>/delift/figure_stages.log",
    benchmark:
        "<benchmarks>/delift/figure_stages.tsv"


rule delift_map_examples:
    """Lay out the examples of each pair in the plane (t-SNE of their embeddings) for the viewer."""
    input:
        script="scripts/delift/map_examples.py",
        code=code_of("scripts/delift/map_examples.py"),
        embeddings=expand("<results>/delift/embeddings/{pair}", pair=DELIFT_PAIRS),
    output:
        maps="<results>/delift/maps.json",
    log:
        "<logs>/delift/map_examples.log",
    benchmark:
        "<benchmarks>/delift/map_examples.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        pairs=DELIFT_PAIRS,
        settings=as_json({key: value for key, value in DELIFT["viewer"].items() if key != "percents"}),
        threads=config["compute"]["threads"],
    shell:
        "python -m {params.module}"
        " --pairs {params.pairs:q} --embeddings {input.embeddings:q}"
        " --settings {params.settings:q} --threads {params.threads} --maps-out {output.maps:q}"
        " > {log:q} 2>&1"


rule delift_render_viewer:
    """Render the interactive page: knowledge before and after, the chosen subset, all experiments, maps."""
    input:
        script="scripts/delift/render_viewer.py",
        code=code_of("scripts/delift/render_viewer.py"),
        templates=sorted(map(str, Path("scripts/delift/templates").iterdir())),
        maps="<results>/delift/maps.json",
        data=[
            f"<results>/delift/data/{pair}/{part}.jsonl"
            for pair in DELIFT_PAIRS
            for part in delift_parts(pair)
            if part != "validation"
        ],
        scores=delift_files("<results>/delift/scores/{pair}/{model}.csv"),
        scored=delift_files("<results>/delift/scores/{pair}/{model}.jsonl"),
        kernels=[
            f"<results>/delift/kernels/{pair}/{model}"
            for pair, model in DELIFT_RUNS
            if delift_uses_utility(pair, model)
        ],
        subsets=[folder for pair, model in DELIFT_RUNS for folder in delift_subsets(pair, model)],
    output:
        viewer="<results>/delift/viewer.html",
    log:
        "<logs>/delift/render_viewer.log",
    benchmark:
        "<benchmarks>/delift/render_viewer.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        runs=[f"{pair}/{model}" for pair, model in DELIFT_RUNS],
        settings=as_json(
            {
                "compared": {key: DELIFT[key] for key in DELIFT_COMPARISON_KEYS},
                "known": DELIFT["known"],
                "measures": DELIFT["measures"],
                "percents": DELIFT["viewer"]["percents"],
            }
        ),
        tier=config["tier"],
    shell:
        "python -m {params.module} --runs {params.runs:q}"
        " --maps {input.maps:q} --data {input.data:q} --scores {input.scores:q} --scored {input.scored:q}"
        " --kernels {input.kernels:q} --subsets {input.subsets:q}"
        " --settings {params.settings:q} --tier {params.tier} --viewer-out {output.viewer:q}"
        " > {log:q} 2>&1"


rule delift_original_rows:
    """Write the chosen rows of one method in the form in which the pool came: conversations, Alpaca rows, tables."""
    input:
        script="scripts/data/original_rows.py",
        code=code_of("scripts/data/original_rows.py"),
        raw=lambda wildcards: raw_file(*delift_pool(wildcards.pair)),
        chosen="<results>/delift/subsets/{pair}/{model}/{method}",
    output:
        rows=directory("<results>/delift/original_rows/{pair}/{model}/{method}"),
    log:
        "<logs>/delift/original_rows/{pair}/{model}/{method}.log",
    benchmark:
        "<benchmarks>/delift/original_rows/{pair}/{model}/{method}.tsv"
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        settings=lambda wildcards: json_text(prepare_settings(DATASETS, *delift_pool(wildcards.pair))),
    shell:
        "python -m {params.module}"
        " --raw {input.raw:q} --settings {params.settings:q} --chosen {input.chosen:q} --rows-out {output.rows:q}"
        " > {log:q} 2>&1"


rule delift_choose:
    """Only choose: the utility kernels and the subsets of every method, as they came too, without training."""
    input:
        [folder for pair, model in DELIFT_RUNS for folder in delift_subsets(pair, model)],
        [folder for pair, model in DELIFT_RUNS for folder in delift_original_rows(pair, model)],
    localrule: True


rule delift_embeddings:
    """Only embed (the original's create_embeddings): every pair's examples and their map."""
    input:
        "<results>/delift/maps.json",
    localrule: True


rule delift_experiments:
    """Run and measure every experiment (the original's load_all_experiments)."""
    input:
        "<results>/delift/metrics.csv",
    localrule: True


rule delift_viewer:
    """The interactive page (the original's visualization)."""
    input:
        "<results>/delift/viewer.html",
    localrule: True


rule delift_all:
    """Every DELIFT table and figure, and the interactive page."""
    input:
        expand("<results>/tables/delift_{table}.{suffix}", table=DELIFT_TABLES, suffix=["csv", "md", "tex"]),
        expand("<results>/figures/delift_{figure}.{suffix}", figure=DELIFT_FIGURES, suffix=["pdf", "png", "csv"]),
        ["<results>/delift/viewer.html"] if DELIFT_RUNS else [],
    localrule: True
