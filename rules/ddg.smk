# DDG (IJCAI 2025) on DiLM (NAACL Findings 2024): demonstrations written by gradient matching.
include: "ddg_runs.smk"


rule ddg_train_generator:
    """Stage A: teach the generator to write texts of each class, for all seeds."""
    input:
        script="scripts/ddg/train_generator.py",
        code=code_of("scripts/ddg/train_generator.py"),
        examples=lambda wildcards: ddg_split(wildcards.task, "train"),
        model=lambda wildcards: model_path(DDG["generator"]),
    output:
        generators=directory("<results>/ddg/generators/{task}"),
        history="<results>/ddg/histories/{task}/pretraining.json",
    log:
        "<logs>/ddg/train_generator/{task}.log",
    benchmark:
        "<benchmarks>/ddg/train_generator/{task}.tsv"
    wildcard_constraints:
        task=one_of(DDG["tasks"]),
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
        seeds=DDG["seeds"],
        settings=lambda wildcards: json_text(ddg_pretraining(wildcards)),
        checkpoints=lambda wildcards: ddg_checkpoints(f"generators/{wildcards.task}"),
    shell:
        "python -m {params.module}"
        " --examples {input.examples:q} --model {input.model:q} {params.compute}"
        " --settings {params.settings:q} --seeds {params.seeds} --checkpoints {params.checkpoints:q}"
        " --generators-out {output.generators:q} --history-out {output.history:q}"
        " > {log:q} 2>&1"


rule ddg_match_gradients:
    """Stage B: match the gradients of one variant, for all seeds."""
    input:
        script="scripts/ddg/match_gradients.py",
        code=code_of("scripts/ddg/match_gradients.py"),
        examples=lambda wildcards: ddg_split(wildcards.task, "train"),
        generators="<results>/ddg/generators/{task}",
        learner=lambda wildcards: ddg_learner_model(DDG["learner"]),
    output:
        generators=directory("<results>/ddg/matched/{task}/{variant}"),
        history="<results>/ddg/histories/{task}/{variant}.json",
    log:
        "<logs>/ddg/match_gradients/{task}/{variant}.log",
    benchmark:
        "<benchmarks>/ddg/match_gradients/{task}/{variant}.tsv"
    wildcard_constraints:
        task=one_of(DDG["tasks"]),
        variant=one_of(DDG["variants"]),
    priority: 80
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
        seeds=DDG["seeds"],
        settings=lambda wildcards: json_text(ddg_matching(wildcards)),
        checkpoints=lambda wildcards: ddg_checkpoints(f"matched/{wildcards.task}/{wildcards.variant}"),
    shell:
        "python -m {params.module}"
        " --examples {input.examples:q} --generators {input.generators:q} --learner {input.learner:q}"
        " {params.compute}"
        " --settings {params.settings:q} --seeds {params.seeds} --checkpoints {params.checkpoints:q}"
        " --generators-out {output.generators:q} --history-out {output.history:q}"
        " > {log:q} 2>&1"


rule ddg_generate_sets:
    """Stage C: write and select the sets of one method, all draws and sizes."""
    input:
        script="scripts/ddg/generate_sets.py",
        code=code_of("scripts/ddg/generate_sets.py"),
        examples=lambda wildcards: ddg_split(wildcards.task, "train"),
        generators=ddg_generators,
        encoder=lambda wildcards: ddg_learner_model(DDG["learner"]),
    output:
        sets=directory("<results>/ddg/sets/{task}/{method}"),
        report="<results>/ddg/reports/{task}/{method}.json",
    log:
        "<logs>/ddg/generate_sets/{task}/{method}.log",
    benchmark:
        "<benchmarks>/ddg/generate_sets/{task}/{method}.tsv"
    wildcard_constraints:
        task=one_of(DDG["tasks"]),
        method=ddg_methods_by("generator"),
    priority: 70
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"]
    resources:
        gpu=config["compute"]["gpus"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        module=as_py_module(),
        compute=device_flags(),
        seeds=DDG["seeds"],
        settings=lambda wildcards: json_text(ddg_sets(wildcards)),
    shell:
        "python -m {params.module}"
        " --examples {input.examples:q} --generators {input.generators:q} --encoder {input.encoder:q}"
        " {params.compute} --settings {params.settings:q} --seeds {params.seeds}"
        " --sets-out {output.sets:q} --report-out {output.report:q}"
        " > {log:q} 2>&1"


rule ddg_select_coresets:
    """Baselines: choose real texts at random, by k-centers or by herding."""
    input:
        script="scripts/ddg/select_coresets.py",
        code=code_of("scripts/ddg/select_coresets.py"),
        examples=lambda wildcards: ddg_split(wildcards.task, "train"),
        encoder=lambda wildcards: ddg_learner_model(DDG["learner"]),
    output:
        sets=directory("<results>/ddg/sets/{task}/{method}"),
    log:
        "<logs>/ddg/select_coresets/{task}/{method}.log",
    benchmark:
        "<benchmarks>/ddg/select_coresets/{task}/{method}.tsv"
    wildcard_constraints:
        task=one_of(DDG["tasks"]),
        method=ddg_methods_by("coreset"),
    priority: 70
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"]
    resources:
        gpu=config["compute"]["gpus"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        module=as_py_module(),
        compute=device_flags(),
        seeds=DDG["seeds"],
        settings=lambda wildcards: json_text(ddg_sets(wildcards)),
    shell:
        "python -m {params.module}"
        " --examples {input.examples:q} --encoder {input.encoder:q} {params.compute}"
        " --settings {params.settings:q} --seeds {params.seeds} --sets-out {output.sets:q}"
        " > {log:q} 2>&1"


rule ddg_import_sets:
    """Take released sets in the place of trained ones."""
    input:
        script="scripts/ddg/import_sets.py",
        code=code_of("scripts/ddg/import_sets.py"),
        files=lambda wildcards: raw_files(ddg_released(wildcards.task).values()),
    output:
        sets=directory("<results>/ddg/sets/{task}/{method}"),
    log:
        "<logs>/ddg/import_sets/{task}/{method}.log",
    benchmark:
        "<benchmarks>/ddg/import_sets/{task}/{method}.tsv"
    wildcard_constraints:
        task=one_of(DDG["tasks"]),
        method=ddg_methods_by("released"),
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        places=lambda wildcards: list(ddg_released(wildcards.task)),
        columns=lambda wildcards: DDG["tasks"][wildcards.task]["text_columns"],
        labels=ddg_label_flags,
    shell:
        "python -m {params.module}"
        " --places {params.places:q} --files {input.files:q}"
        " {params.labels:q} --text-columns {params.columns:q} --sets-out {output.sets:q}"
        " > {log:q} 2>&1"


rule ddg_convert_sets:
    """Convert sets from JSON lines to parquet with the columns that LongICLBench's script for the task reads."""
    input:
        script="scripts/ddg/convert_sets.py",
        code=code_of("scripts/ddg/convert_sets.py"),
        sets="<results>/ddg/sets/{task}/{method}",
    output:
        converted=directory("<results>/ddg/converted/{task}/{method}"),
    log:
        "<logs>/ddg/convert_sets/{task}/{method}.log",
    benchmark:
        "<benchmarks>/ddg/convert_sets/{task}/{method}.tsv"
    wildcard_constraints:
        task=one_of(DDG["tasks"]),
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        columns=lambda wildcards: DDG["tasks"][wildcards.task]["text_columns"],
        labels=ddg_label_flags,
        layout=lambda wildcards: ddg_layout(wildcards.task),
    shell:
        "python -m {params.module}"
        " --sets {input.sets:q} {params.labels:q} --text-columns {params.columns:q} {params.layout:q}"
        " --converted-out {output.converted:q}"
        " > {log:q} 2>&1"


rule ddg_train_learners:
    """Evaluation A: train classifiers on every set of several methods."""
    input:
        script="scripts/ddg/train_learners.py",
        code=code_of("scripts/ddg/train_learners.py"),
        sets=lambda wildcards: [
            f"<results>/ddg/sets/{wildcards.task}/{name}" for name in ddg_learner_methods(**wildcards)
        ],
        full=ddg_full,
        test=lambda wildcards: ddg_split(wildcards.task, "test"),
        learner=lambda wildcards: ddg_learner_model(wildcards.learner),
    output:
        runs="<results>/ddg/learners/{task}/{learner}/{part}.csv",
    log:
        "<logs>/ddg/train_learners/{task}/{learner}/{part}.log",
    benchmark:
        "<benchmarks>/ddg/train_learners/{task}/{learner}/{part}.tsv"
    wildcard_constraints:
        task=one_of(DDG["tasks"]),
        learner=one_of(DDG["learners"]),
        part=one_of(DDG_PARTS),
    priority: 60
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"]
    resources:
        gpu=config["compute"]["gpus"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        module=as_py_module(),
        compute=device_flags(),
        seeds=DDG["seeds"],
        pairs=lambda wildcards, input: [f"{Path(folder).name}={folder}" for folder in input.sets],
        full=lambda wildcards, input: flag("--full-examples", input.full),
        settings=lambda wildcards: json_text(ddg_evaluation(wildcards)),
    shell:
        "python -m {params.module}"
        " --sets {params.pairs:q} {params.full:q} --test {input.test:q} --learner {input.learner:q} {params.compute}"
        " --settings {params.settings:q} --seeds {params.seeds} --runs-out {output.runs:q}"
        " > {log:q} 2>&1"


rule ddg_evaluate_in_context:
    """Evaluation B: the demonstrations of all methods in a model's prompt, round by round."""
    input:
        script="scripts/ddg/evaluate_in_context.py",
        code=code_of("scripts/ddg/evaluate_in_context.py"),
        sets=ddg_context_sets,
        examples=lambda wildcards: ddg_split(wildcards.task, "train"),
        test=lambda wildcards: ddg_split(wildcards.task, "test"),
        prompts=lambda wildcards: sorted(set(ddg_prompts(wildcards).values())),
        encoder=lambda wildcards: ddg_learner_model(DDG["learner"]),
        model=lambda wildcards: model_path(wildcards.model),
    output:
        runs="<results>/ddg/in_context/{task}/{model}.csv",
        answers="<results>/ddg/in_context/{task}/{model}.jsonl",
    log:
        "<logs>/ddg/evaluate_in_context/{task}/{model}.log",
    benchmark:
        "<benchmarks>/ddg/evaluate_in_context/{task}/{model}.tsv"
    wildcard_constraints:
        task=one_of(DDG["tasks"]),
    priority: 60
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
        seeds=DDG["seeds"],
        demonstrations=ddg_context_flags,
        prompts=lambda wildcards: [f"{name}={path}" for name, path in ddg_prompts(wildcards).items()],
        rounds=DDG["in_context"]["rounds"],
        n_queries=DDG["in_context"]["n_queries"],
        settings=lambda wildcards: json_text(ddg_in_context(wildcards)),
    shell:
        "python -m {params.module}"
        " {params.demonstrations:q} --examples {input.examples:q} --encoder {input.encoder:q}"
        " --test {input.test:q} --prompts {params.prompts:q} --model {input.model:q} {params.compute}"
        " --settings {params.settings:q} --seeds {params.seeds} --round {params.rounds} --test-number {params.n_queries:q}"
        " --runs-out {output.runs:q} --answers-out {output.answers:q}"
        " > {log:q} 2>&1"


rule ddg_collect_metrics:
    """Gather every measured value of the papers in the long schema."""
    input:
        script="scripts/ddg/collect_metrics.py",
        code=code_of("scripts/ddg/collect_metrics.py"),
        learners=[f"<results>/ddg/learners/{job}.csv" for job in ddg_learner_jobs()],
        contexts=[f"<results>/ddg/in_context/{job}.csv" for job in ddg_context_jobs()],
    output:
        metrics="<results>/ddg/metrics.csv",
        notes="<results>/ddg/notes.csv",
    log:
        "<logs>/ddg/collect_metrics.log",
    benchmark:
        "<benchmarks>/ddg/collect_metrics.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        learner_jobs=ddg_learner_jobs(),
        context_jobs=ddg_context_jobs(),
        settings=DDG_SETTINGS,
    shell:
        "python -m {params.module}"
        " --learner-jobs {params.learner_jobs:q} --learners {input.learners:q}"
        " --context-jobs {params.context_jobs:q} --contexts {input.contexts:q} --settings {params.settings:q}"
        " --metrics-out {output.metrics:q} --notes-out {output.notes:q}"
        " > {log:q} 2>&1"


rule ddg_table_1:
    """DiLM's Table 1: learners trained on each method's sets, by task and texts a class."""
    input:
        script="scripts/ddg/tabulate_artifact.py",
        code=code_of("scripts/ddg/tabulate_artifact.py"),
        metrics="<results>/ddg/metrics.csv",
        notes="<results>/ddg/notes.csv",
        published="config/published/ddg.csv",
    output:
        **table_files("ddg", "table_1"),
    log:
        "<logs>/ddg/table_1.log",
    benchmark:
        "<benchmarks>/ddg/table_1.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        artifact=artifact_of,
        settings=DDG_SETTINGS,
        tier=config["tier"],
    shell:
        "python -m {params.module} --artifact {params.artifact}"
        " --metrics {input.metrics:q} --notes {input.notes:q} --published {input.published:q}"
        " --tier {params.tier} --settings {params.settings:q}"
        " --csv-out {output.csv:q} --md-out {output.md:q} --tex-out {output.tex:q}"
        " > {log:q} 2>&1"


use rule ddg_table_1 as ddg_table_2 with:
    """DiLM's Table 2: the sets read by other learners, the largest size."""
    output:
        **table_files("ddg", "table_2"),
    log:
        "<logs>/ddg/table_2.log",
    benchmark:
        "<benchmarks>/ddg/table_2.tsv"


use rule ddg_table_1 as ddg_table_7 with:
    """DiLM's Table 7: the sets read by other learners, the smallest size."""
    output:
        **table_files("ddg", "table_7"),
    log:
        "<logs>/ddg/table_7.log",
    benchmark:
        "<benchmarks>/ddg/table_7.tsv"


use rule ddg_table_1 as ddg_table_8 with:
    """DiLM's Table 8: the sets read by other learners, the middle size."""
    output:
        **table_files("ddg", "table_8"),
    log:
        "<logs>/ddg/table_8.log",
    benchmark:
        "<benchmarks>/ddg/table_8.tsv"


use rule ddg_table_1 as ddg_table_3 with:
    """DiLM's Table 3: the sets as demonstrations, DiLM's own scorer."""
    output:
        **table_files("ddg", "table_3"),
    log:
        "<logs>/ddg/table_3.log",
    benchmark:
        "<benchmarks>/ddg/table_3.tsv"


use rule ddg_table_1 as ddg_table_4 with:
    """DiLM's Table 4: without representative teacher, diverse mini-batches, selection."""
    output:
        **table_files("ddg", "table_4"),
    log:
        "<logs>/ddg/table_4.log",
    benchmark:
        "<benchmarks>/ddg/table_4.tsv"


use rule ddg_table_1 as ddg_table_main with:
    """DDG's main table: demonstrations of every method in the prompts of language models, short texts."""
    output:
        **table_files("ddg", "table_main"),
    log:
        "<logs>/ddg/table_main.log",
    benchmark:
        "<benchmarks>/ddg/table_main.tsv"


use rule ddg_table_1 as ddg_table_long with:
    """DDG's table on many classes: accuracy by rounds."""
    output:
        **table_files("ddg", "table_long"),
    log:
        "<logs>/ddg/table_long.log",
    benchmark:
        "<benchmarks>/ddg/table_long.tsv"


use rule ddg_table_1 as ddg_table_ablation with:
    """DDG's ablation: teacher, representative teacher, mini-batches, selection, in both evaluations."""
    output:
        **table_files("ddg", "table_ablation"),
    log:
        "<logs>/ddg/table_ablation.log",
    benchmark:
        "<benchmarks>/ddg/table_ablation.tsv"


use rule ddg_table_1 as ddg_table_paired with:
    """Beyond the papers: differences between methods, paired over seeds."""
    output:
        **table_files("ddg", "table_paired"),
    log:
        "<logs>/ddg/table_paired.log",
    benchmark:
        "<benchmarks>/ddg/table_paired.tsv"


rule ddg_table_examples:
    """DDG's examples: texts that the generator wrote for each class."""
    input:
        script="scripts/ddg/tabulate_examples.py",
        code=code_of("scripts/ddg/tabulate_examples.py"),
        sets=expand(
            "<results>/ddg/sets/{task}/{method}",
            task=DDG["table_examples"]["tasks"],
            method=DDG["table_examples"]["method"],
        ),
    output:
        **table_files("ddg", "table_examples"),
    log:
        "<logs>/ddg/table_examples.log",
    benchmark:
        "<benchmarks>/ddg/table_examples.tsv"
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        titles=[DDG["tasks"][task]["title"] for task in DDG["table_examples"]["tasks"]],
        labels=json_text([DATASETS[DDG["tasks"][task]["dataset"]]["labels"] for task in DDG["table_examples"]["tasks"]]),
        seed=DDG["seeds"][0],
        dpc=max(DDG["sets"]["dpcs"]),
        method=DDG["table_examples"]["method"],
        n_texts=DDG["table_examples"]["n"],
        tier=config["tier"],
    shell:
        "python -m {params.module} --sets {input.sets:q} --titles {params.titles:q} --method {params.method:q}"
        " --labels {params.labels:q}"
        " --seed {params.seed} --dpc {params.dpc} --texts {params.n_texts} --tier {params.tier}"
        " --csv-out {output.csv:q} --md-out {output.md:q} --tex-out {output.tex:q}"
        " > {log:q} 2>&1"


rule ddg_figure_sensitivity:
    """DDG's sensitivity: accuracy by number of demonstrations, decay of the teacher and temperature."""
    input:
        script="scripts/ddg/plot_sensitivity.py",
        code=code_of("scripts/ddg/plot_sensitivity.py"),
        metrics="<results>/ddg/metrics.csv",
        notes="<results>/ddg/notes.csv",
        published="config/published/ddg.csv",
    output:
        **figure_files("ddg", "figure_sensitivity"),
    log:
        "<logs>/ddg/figure_sensitivity.log",
    benchmark:
        "<benchmarks>/ddg/figure_sensitivity.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        settings=DDG_SETTINGS,
        tier=config["tier"],
    shell:
        "python -m {params.module}"
        " --metrics {input.metrics:q} --notes {input.notes:q} --published {input.published:q}"
        " --tier {params.tier} --settings {params.settings:q}"
        " --pdf-out {output.pdf:q} --png-out {output.png:q} --csv-out {output.csv:q}"
        " > {log:q} 2>&1"


rule ddg_figure_training:
    """DDG's training curve: gradient matching, the generator's loss on real texts, and how varied its texts are."""
    input:
        script="scripts/ddg/plot_training.py",
        code=code_of("scripts/ddg/plot_training.py"),
        histories=expand(
            "<results>/ddg/histories/{task}/{variant}.json",
            task=DDG["figure_training"]["task"],
            variant=DDG["figure_training"]["variants"],
        ),
    output:
        **figure_files("ddg", "figure_training"),
    log:
        "<logs>/ddg/figure_training.log",
    benchmark:
        "<benchmarks>/ddg/figure_training.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        variants=DDG["figure_training"]["variants"],
        tier=config["tier"],
    shell:
        "python -m {params.module} --histories {input.histories:q} --variants {params.variants:q} --tier {params.tier}"
        " --pdf-out {output.pdf:q} --png-out {output.png:q} --csv-out {output.csv:q}"
        " > {log:q} 2>&1"


rule ddg_all:
    """Every DDG and DiLM table and figure."""
    input:
        expand(
            "<results>/tables/ddg_{table}.{suffix}",
            table=DDG_TABLES,
            suffix=["csv", "md", "tex"],
        ),
        expand(
            "<results>/figures/ddg_{figure}.{suffix}",
            figure=DDG_FIGURES,
            suffix=["pdf", "png", "csv"],
        ),
    localrule: True


rule ddg_distil:
    """Only distil: the sets of ddg.distil as JSON lines and as parquet with canonical columns, test texts beside them."""
    input:
        expand(
            "<results>/ddg/converted/{task}/{method}",
            task=DDG["distil"]["tasks"],
            method=DDG["distil"]["methods"],
        ),
        [ddg_split(task, "test") for task in DDG["distil"]["tasks"]],
    localrule: True
