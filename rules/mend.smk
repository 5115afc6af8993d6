# MEND (ICLR 2024): demonstrations distilled into a few vectors that a frozen language model reads instead of them.
include: "mend_runs.smk"


rule data_generate_meta_tasks:
    """Write the synthetic meta-training tasks and the texts of MEND's stage 1."""
    input:
        script="scripts/data/generate_meta_tasks.py",
        code=code_of("scripts/data/generate_meta_tasks.py"),
    output:
        train="<results>/data/raw/mini/meta_tasks_train.jsonl",
        dev="<results>/data/raw/mini/meta_tasks_dev.jsonl",
        texts="<results>/data/raw/mini/texts.jsonl",
    log:
        "<logs>/data/generate_meta_tasks.log",
    benchmark:
        "<benchmarks>/data/generate_meta_tasks.tsv"
    priority: 200
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        corpus=as_json(config["synthetic"]),
        settings=as_json(MEND["synthetic"]),
        seed=config["data"]["seed"],
    shell:
        "python -m {params.module}"
        " --corpus {params.corpus:q} --settings {params.settings:q} --seed {params.seed}"
        " --train-out {output.train:q} --dev-out {output.dev:q} --texts-out {output.texts:q}"
        " > {log:q} 2>&1"


rule data_rebuild_task:
    """Turn one upstream data set into a MetaICL task with datasets 1.4.0: k-shot files, options."""
    input:
        script="scripts/data/rebuild_task.py",
        code=code_of("scripts/data/rebuild_task.py"),
        python=[] if CONDA else VENV.format("preprocess"),
    output:
        task=directory("<results>/data/metaicl/{task}"),
    log:
        "<logs>/data/rebuild_task/{task}.log",
    benchmark:
        "<benchmarks>/data/rebuild_task/{task}.tsv"
    wildcard_constraints:
        task=MEND_CODE,
    localrule: True
    conda:
        "../envs/preprocess.yaml"
    params:
        module=as_py_module(),
        python=lambda wildcards, input: input.get("python") or "python",
        row=lambda wildcards: json_text(MEND_TASKS.tasks[wildcards.task]),
        raw=flag("--raw", MEND["tasks"]["raw"]),
        sampling=MEND["tasks"]["sampling"],
        draws=lambda wildcards: json_text(mend_draws(wildcards.task)),
    shell:
        "{params.python} -m {params.module}"
        " --task {wildcards.task:q} --row {params.row:q} {params.raw:q}"
        " --draws {params.draws:q} --sampling {params.sampling} --task-out {output.task:q}"
        " > {log:q} 2>&1"


rule data_split_prepared_tasks:
    """Split the authors' prepared rows into the k-shot files of the tasks."""
    input:
        script="scripts/data/split_prepared_tasks.py",
        code=code_of("scripts/data/split_prepared_tasks.py"),
        rows=raw_files(file for file in mend_raw_files() if file[0] == MEND["tasks"]["prepared"]),
    output:
        tasks=directory("<results>/data/metaicl_prepared"),
    log:
        "<logs>/data/split_prepared_tasks.log",
    benchmark:
        "<benchmarks>/data/split_prepared_tasks.tsv"
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        draws=lambda wildcards: json_text({task: mend_draws(task) for task in mend_all_tasks()}),
    shell:
        "python -m {params.module}"
        " --rows {input.rows:q} --draws {params.draws:q} --tasks-out {output.tasks:q}"
        " > {log:q} 2>&1"


rule mend_gather_rows:
    """Put the rows of all meta-training tasks of a setting into one file."""
    input:
        script="scripts/mend/gather_rows.py",
        code=code_of("scripts/mend/gather_rows.py"),
        tasks=lambda wildcards: mend_task_files(mend_train_tasks(wildcards.train_set)),
    output:
        train="<results>/mend/data/{train_set}/train.jsonl",
        dev="<results>/mend/data/{train_set}/dev.jsonl",
    log:
        "<logs>/mend/gather_rows/{train_set}.log",
    benchmark:
        "<benchmarks>/mend/gather_rows/{train_set}.tsv"
    wildcard_constraints:
        train_set="[a-z0-9_]+",
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        folder=lambda wildcards: mend_task_folder().replace("<results>", RESULTS),
        tasks=lambda wildcards: mend_train_tasks(wildcards.train_set),
        shots=MEND["train_shots"],
        seed=MEND["train_seed"],
        dev_rows=mend_dev_rows(),
    shell:
        "python -m {params.module}"
        " --tasks {params.folder:q} --names {params.tasks:q} --shots {params.shots} --seed {params.seed}"
        " --dev-rows {params.dev_rows}"
        " --train-out {output.train:q} --dev-out {output.dev:q}"
        " > {log:q} 2>&1"


rule mend_pretrain_distiller:
    """Stage 1: train a distiller on texts, by distillation or by the language-modelling loss."""
    input:
        script="scripts/mend/train_distiller.py",
        code=code_of("scripts/mend/train_distiller.py"),
        model=mend_llm,
        texts=mend_texts(),
        start=lambda wildcards: mend_starts(wildcards.backbone, ["backbone"])["backbone"][0],
    output:
        distiller=directory("<results>/mend/distillers/{backbone}/pretraining/{start_loss}"),
        history="<results>/mend/distillers/{backbone}/pretraining/{start_loss}.json",
    log:
        "<logs>/mend/pretrain_distiller/{backbone}/{start_loss}.log",
    benchmark:
        "<benchmarks>/mend/pretrain_distiller/{backbone}/{start_loss}.tsv"
    wildcard_constraints:
        backbone=one_of(MEND["backbones"]),
        start_loss="distillation|language_model",
    priority: 190
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"] * MEND["devices"]
    resources:
        gpu=config["compute"]["gpus"] * MEND["devices"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        launcher=launcher(MEND["devices"]),
        module=as_py_module(),
        compute=mend_flags,
        settings=as_json(MEND["pretrain"]),
        variants=lambda wildcards: json_text({wildcards.start_loss: MEND_PRETRAINING[wildcards.start_loss]}),
        format=lambda wildcards: json_text(mend_format(wildcards)),
        seed=MEND["train_seed"],
        checkpoints=lambda wildcards: mend_checkpoints(f"{wildcards.backbone}_pretraining_{wildcards.start_loss}"),
    shell:
        "{params.launcher} -m {params.module}"
        " --model {input.model:q} --texts {input.texts:q} --starts backbone={input.start:q} {params.compute}"
        " --variants {params.variants:q} --settings {params.settings:q} --format {params.format:q}"
        " --seed {params.seed} --checkpoints {params.checkpoints:q}"
        " --distillers-out {output.distiller:q} --history-out {output.history:q}"
        " > {log:q} 2>&1"


rule mend_train_distiller:
    """Stage 2: train a group of distillers on the meta-training tasks."""
    input:
        script="scripts/mend/train_distiller.py",
        code=code_of("scripts/mend/train_distiller.py"),
        model=mend_llm,
        train=mend_rows("train"),
        dev=mend_rows("dev"),
        starts=lambda wildcards: sorted({folder for folder, _ in mend_group_starts(wildcards).values()}),
    output:
        distillers=directory("<results>/mend/distillers/{backbone}/{train_set}/{variants}"),
        history="<results>/mend/distillers/{backbone}/{train_set}/{variants}.json",
    log:
        "<logs>/mend/train_distiller/{backbone}/{train_set}/{variants}.log",
    benchmark:
        "<benchmarks>/mend/train_distiller/{backbone}/{train_set}/{variants}.tsv"
    wildcard_constraints:
        backbone=one_of(MEND["backbones"]),
        train_set="[a-z0-9_]+",
        variants=one_of(MEND["groups"]),
    priority: 180
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"] * MEND["devices"]
    resources:
        gpu=config["compute"]["gpus"] * MEND["devices"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        launcher=launcher(MEND["devices"]),
        module=as_py_module(),
        compute=mend_flags,
        settings=as_json(MEND["finetune"]),
        variants=lambda wildcards: json_text(mend_variants(wildcards)),
        starts=lambda wildcards: [f"{name}={place}" for name, (_, place) in mend_group_starts(wildcards).items()],
        format=lambda wildcards: json_text(mend_format(wildcards)),
        seed=MEND["train_seed"],
        checkpoints=lambda wildcards: mend_checkpoints(
            f"{wildcards.backbone}_{wildcards.train_set}_{wildcards.variants}"
        ),
    shell:
        "{params.launcher} -m {params.module}"
        " --model {input.model:q} --meta-train {input.train:q} --dev {input.dev:q}"
        " --starts {params.starts:q} {params.compute}"
        " --variants {params.variants:q} --settings {params.settings:q} --format {params.format:q}"
        " --seed {params.seed} --checkpoints {params.checkpoints:q}"
        " --distillers-out {output.distillers:q} --history-out {output.history:q}"
        " > {log:q} 2>&1"


rule mend_tune_model:
    """The baseline MetaICL: tune the language model itself on the meta-training tasks."""
    input:
        script="scripts/mend/train_baselines.py",
        code=code_of("scripts/mend/train_baselines.py"),
        model=mend_llm,
        train=mend_rows("train"),
    output:
        model=directory("<results>/mend/tuned/{backbone}/{train_set}"),
        history="<results>/mend/tuned/{backbone}/{train_set}.json",
    log:
        "<logs>/mend/tune_model/{backbone}/{train_set}.log",
    benchmark:
        "<benchmarks>/mend/tune_model/{backbone}/{train_set}.tsv"
    wildcard_constraints:
        backbone=one_of(MEND["backbones"]),
        train_set="[a-z0-9_]+",
    priority: 170
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"] * MEND["devices"]
    resources:
        gpu=config["compute"]["gpus"] * MEND["devices"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        launcher=launcher(MEND["devices"]),
        module=as_py_module(),
        compute=mend_flags,
        settings=as_json(MEND["tune"]),
        format=lambda wildcards: json_text(mend_format(wildcards)),
        seed=MEND["train_seed"],
        checkpoints=lambda wildcards: mend_checkpoints(f"{wildcards.backbone}_{wildcards.train_set}_tuned"),
    shell:
        "{params.launcher} -m {params.module} metaicl"
        " --model {input.model:q} --meta-train {input.train:q} {params.compute}"
        " --settings {params.settings:q} --format {params.format:q}"
        " --seed {params.seed} --checkpoints {params.checkpoints:q}"
        " --model-out {output.model:q} --history-out {output.history:q}"
        " > {log:q} 2>&1"


rule mend_tune_prompts:
    """The baseline prompt tuning: a table of vectors for each test task and seed."""
    input:
        script="scripts/mend/train_baselines.py",
        code=code_of("scripts/mend/train_baselines.py"),
        model=mend_llm,
        tasks=lambda wildcards: mend_task_files(mend_test_tasks(wildcards.train_set)),
    output:
        prompts="<results>/mend/prompts/{backbone}/{train_set}.safetensors",
        history="<results>/mend/prompts/{backbone}/{train_set}.json",
    log:
        "<logs>/mend/tune_prompts/{backbone}/{train_set}.log",
    benchmark:
        "<benchmarks>/mend/tune_prompts/{backbone}/{train_set}.tsv"
    wildcard_constraints:
        backbone=one_of(MEND["backbones"]),
        train_set="[a-z0-9_]+",
    priority: 170
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"]
    resources:
        gpu=config["compute"]["gpus"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        module=as_py_module(),
        compute=mend_flags,
        folder=lambda wildcards: mend_task_folder().replace("<results>", RESULTS),
        settings=lambda wildcards: json_text(
            {
                **MEND["prompt_tuning"],
                "task_names": mend_test_tasks(wildcards.train_set),
                "shots": MEND["shots"],
                "seeds": MEND["seeds"],
            }
        ),
        format=lambda wildcards: json_text(mend_format(wildcards)),
    shell:
        "python -m {params.module} prompt_tuning"
        " --model {input.model:q} --tasks {params.folder:q} {params.compute}"
        " --settings {params.settings:q} --format {params.format:q}"
        " --prompts-out {output.prompts:q} --history-out {output.history:q}"
        " > {log:q} 2>&1"


rule mend_evaluate_methods:
    """Score the options of every test query with each method of one comparison, for every seed."""
    input:
        script="scripts/mend/evaluate_methods.py",
        code=code_of("scripts/mend/evaluate_methods.py"),
        model=mend_llm,
        tasks=lambda wildcards: mend_task_files(mend_test_tasks(wildcards.train_set)),
        sources=mend_source_folders,
        prompts=mend_prompts,
    output:
        scores="<results>/mend/scores/{backbone}/{train_set}/{arms}.csv",
        run="<results>/mend/scores/{backbone}/{train_set}/{arms}.run.json",
    log:
        "<logs>/mend/evaluate_methods/{backbone}/{train_set}/{arms}.log",
    benchmark:
        "<benchmarks>/mend/evaluate_methods/{backbone}/{train_set}/{arms}.tsv"
    wildcard_constraints:
        backbone=one_of(MEND["backbones"]),
        train_set="[a-z0-9_]+",
        arms="main|ablation|robustness",
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
        compute=mend_flags,
        folder=lambda wildcards: mend_task_folder().replace("<results>", RESULTS),
        arms=lambda wildcards: json_text(mend_arms(wildcards.arms, wildcards.backbone)),
        distillers=lambda wildcards: mend_pairs(wildcards, "distilled"),
        tuned=lambda wildcards: mend_pairs(wildcards, "tuned"),
        prompts=lambda wildcards, input: flag("--prompts", input.prompts),
        settings=lambda wildcards: json_text(
            {
                "task_names": mend_test_tasks(wildcards.train_set),
                "metric_of": MEND_TASKS.metric_of(mend_test_tasks(wildcards.train_set)),
                "shots": MEND["shots"],
                "seeds": MEND["seeds"],
                **{key: MEND[key] for key in ("max_test", "f1", "ties")},
                "batch_tokens": config["compute"]["batch_tokens"],
            }
        ),
        formats=lambda wildcards: json_text({**MEND["formats"], "default": mend_format(wildcards)}),
    shell:
        "python -m {params.module}"
        " --model {input.model:q} --tasks {params.folder:q} {params.compute}"
        " --arms {params.arms:q} {params.distillers:q} {params.tuned:q} {params.prompts:q}"
        " --settings {params.settings:q} --formats {params.formats:q}"
        " --scores-out {output.scores:q} --run-out {output.run:q}"
        " > {log:q} 2>&1"


rule mend_measure_efficiency:
    """Count the operations of zero-shot, in-context learning and MEND, and time them."""
    input:
        script="scripts/mend/measure_efficiency.py",
        code=code_of("scripts/mend/measure_efficiency.py"),
        model=mend_llm,
        tasks=lambda wildcards: mend_task_files([mend_study_task()]),
        distiller=lambda wildcards: mend_study_distiller()[0],
    output:
        efficiency="<results>/mend/efficiency/{backbone}.csv",
        timing="<results>/mend/efficiency/{backbone}.run.json",
    log:
        "<logs>/mend/measure_efficiency/{backbone}.log",
    benchmark:
        "<benchmarks>/mend/measure_efficiency/{backbone}.tsv"
    wildcard_constraints:
        backbone=one_of(MEND["backbones"]),
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"]
    resources:
        gpu=config["compute"]["gpus"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        module=as_py_module(),
        compute=mend_flags,
        folder=lambda wildcards: mend_task_folder().replace("<results>", RESULTS),
        distiller=lambda wildcards: mend_study_distiller()[1],
        settings=as_json(
            {
                **MEND["efficiency"],
                "task_name": mend_study_task(),
                "shots": MEND["shots"],
                "seed": MEND["seeds"][0],
                "batch_tokens": config["compute"]["batch_tokens"],
            }
        ),
        format=lambda wildcards: json_text(mend_format(wildcards)),
    shell:
        "python -m {params.module}"
        " --model {input.model:q} --distiller {params.distiller:q} --tasks {params.folder:q} {params.compute}"
        " --settings {params.settings:q} --format {params.format:q}"
        " --efficiency-out {output.efficiency:q} --timing-out {output.timing:q}"
        " > {log:q} 2>&1"


rule mend_measure_attention:
    """Average the attention on distilled vectors, demonstrations and query."""
    input:
        script="scripts/mend/attention_maps.py",
        code=code_of("scripts/mend/attention_maps.py"),
        model=mend_llm,
        tasks=lambda wildcards: mend_task_files([mend_study_task()]),
        distiller=lambda wildcards: mend_study_distiller()[0],
    output:
        attention="<results>/mend/attention/{backbone}.csv",
    log:
        "<logs>/mend/measure_attention/{backbone}.log",
    benchmark:
        "<benchmarks>/mend/measure_attention/{backbone}.tsv"
    wildcard_constraints:
        backbone=one_of(MEND["backbones"]),
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"]
    resources:
        gpu=config["compute"]["gpus"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        module=as_py_module(),
        compute=mend_flags,
        folder=lambda wildcards: mend_task_folder().replace("<results>", RESULTS),
        distiller=lambda wildcards: mend_study_distiller()[1],
        settings=as_json(
            {
                **MEND["attention"],
                "task_name": mend_study_task(),
                "shots": MEND["shots"],
                "seed": MEND["seeds"][0],
                "n_demonstrations": MEND["n_demonstrations"],
            }
        ),
        format=lambda wildcards: json_text(mend_format(wildcards)),
    shell:
        "python -m {params.module}"
        " --model {input.model:q} --distiller {params.distiller:q} --tasks {params.folder:q} {params.compute}"
        " --settings {params.settings:q} --format {params.format:q}"
        " --attention-out {output.attention:q}"
        " > {log:q} 2>&1"


rule mend_collect_metrics:
    """Gather every measured value of the paper in the long schema; measured seconds apart."""
    input:
        script="scripts/mend/collect_metrics.py",
        code=code_of("scripts/mend/collect_metrics.py"),
        scores=[f"<results>/mend/scores/{run}.csv" for run in mend_runs()],
        efficiency=f"<results>/mend/efficiency/{MEND['backbone']}.csv",
        seconds=f"<results>/mend/efficiency/{MEND['backbone']}.run.json",
        attention=f"<results>/mend/attention/{MEND['backbone']}.csv",
    output:
        metrics="<results>/mend/metrics.csv",
        notes="<results>/mend/notes.csv",
        timing="<results>/mend/timing.csv",
    log:
        "<logs>/mend/collect_metrics.log",
    benchmark:
        "<benchmarks>/mend/collect_metrics.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        runs=mend_runs(),
        settings=MEND_SETTINGS,
    shell:
        "python -m {params.module}"
        " --runs {params.runs:q} --scores {input.scores:q} --efficiency {input.efficiency:q}"
        " --seconds {input.seconds:q} --attention {input.attention:q} --settings {params.settings:q}"
        " --metrics-out {output.metrics:q} --notes-out {output.notes:q} --timing-out {output.timing:q}"
        " > {log:q} 2>&1"


rule mend_table_2:
    """Table 2, the main comparison: every method in every setting, mean and standard deviation over seeds."""
    input:
        script="scripts/mend/tabulate_artifact.py",
        code=code_of("scripts/mend/tabulate_artifact.py"),
        metrics="<results>/mend/metrics.csv",
        notes="<results>/mend/notes.csv",
        published="config/published/mend.csv",
    output:
        **table_files("mend", "table_2"),
    log:
        "<logs>/mend/table_2.log",
    benchmark:
        "<benchmarks>/mend/table_2.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        artifact=artifact_of,
        settings=MEND_SETTINGS,
        tier=config["tier"],
    shell:
        "python -m {params.module} --artifact {params.artifact}"
        " --metrics {input.metrics:q} --notes {input.notes:q} --published {input.published:q}"
        " --tier {params.tier} --settings {params.settings:q}"
        " --csv-out {output.csv:q} --md-out {output.md:q} --tex-out {output.tex:q}"
        " > {log:q} 2>&1"


use rule mend_table_2 as mend_table_3 with:
    """Perturbed demonstrations: without inputs, without labels, with random and with wrong labels."""
    output:
        **table_files("mend", "table_3"),
    log:
        "<logs>/mend/table_3.log",
    benchmark:
        "<benchmarks>/mend/table_3.tsv"


use rule mend_table_2 as mend_table_4 with:
    """Ablation: stages left out, other losses in either stage."""
    output:
        **table_files("mend", "table_4"),
    log:
        "<logs>/mend/table_4.log",
    benchmark:
        "<benchmarks>/mend/table_4.tsv"


use rule mend_table_2 as mend_table_5 with:
    """Hyper-parameters of the runs."""
    output:
        **table_files("mend", "table_5"),
    log:
        "<logs>/mend/table_5.log",
    benchmark:
        "<benchmarks>/mend/table_5.tsv"


use rule mend_table_2 as mend_table_efficiency with:
    """Operations and memory of preparing and of asking, caching on and off, and from how many queries on MEND pays."""
    output:
        **table_files("mend", "table_efficiency"),
    log:
        "<logs>/mend/table_efficiency.log",
    benchmark:
        "<benchmarks>/mend/table_efficiency.tsv"


use rule mend_table_2 as mend_table_separators with:
    """Beyond the paper: other ways of joining demonstrations than the one trained with."""
    output:
        **table_files("mend", "table_separators"),
    log:
        "<logs>/mend/table_separators.log",
    benchmark:
        "<benchmarks>/mend/table_separators.tsv"


use rule mend_table_2 as mend_table_unseen_labels with:
    """Beyond the paper: queries whose label is, or is not, among the demonstrations' labels."""
    output:
        **table_files("mend", "table_unseen_labels"),
    log:
        "<logs>/mend/table_unseen_labels.log",
    benchmark:
        "<benchmarks>/mend/table_unseen_labels.tsv"


use rule mend_table_2 as mend_table_paired with:
    """Beyond the paper: MEND against each other method, paired over the demonstrations' seeds, with 95 % intervals."""
    output:
        **table_files("mend", "table_paired"),
    log:
        "<logs>/mend/table_paired.log",
    benchmark:
        "<benchmarks>/mend/table_paired.tsv"


use rule mend_table_2 as mend_table_timing with:
    """Measured seconds of preparing and of asking; they vary from run to run."""
    input:
        script="scripts/mend/tabulate_artifact.py",
        code=code_of("scripts/mend/tabulate_artifact.py"),
        metrics="<results>/mend/timing.csv",
        notes="<results>/mend/notes.csv",
        published="config/published/mend.csv",
    output:
        **table_files("mend", "table_timing"),
    log:
        "<logs>/mend/table_timing.log",
    benchmark:
        "<benchmarks>/mend/table_timing.tsv"


rule mend_figure_3:
    """Figure 3, efficiency: operations and memory of each method over the number of demonstrations."""
    input:
        script="scripts/mend/plot_efficiency.py",
        code=code_of("scripts/mend/plot_efficiency.py"),
        metrics="<results>/mend/metrics.csv",
        notes="<results>/mend/notes.csv",
        published="config/published/mend.csv",
    output:
        **figure_files("mend", "figure_3"),
    log:
        "<logs>/mend/figure_3.log",
    benchmark:
        "<benchmarks>/mend/figure_3.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        settings=MEND_SETTINGS,
        tier=config["tier"],
    shell:
        "python -m {params.module}"
        " --metrics {input.metrics:q} --notes {input.notes:q} --published {input.published:q}"
        " --tier {params.tier} --settings {params.settings:q}"
        " --pdf-out {output.pdf:q} --png-out {output.png:q} --csv-out {output.csv:q}"
        " > {log:q} 2>&1"


use rule mend_figure_3 as mend_figure_4 with:
    """Figure 4, score against the demonstration distillation ratio, by demonstrations (a) and by vectors (b)."""
    input:
        script="scripts/mend/plot_ratio.py",
        code=code_of("scripts/mend/plot_ratio.py"),
        metrics="<results>/mend/metrics.csv",
        notes="<results>/mend/notes.csv",
        published="config/published/mend.csv",
    output:
        **figure_files("mend", "figure_4"),
    log:
        "<logs>/mend/figure_4.log",
    benchmark:
        "<benchmarks>/mend/figure_4.tsv"


use rule mend_figure_3 as mend_figure_5 with:
    """Attention of the language model on distilled vectors, demonstrations and query, layer by layer."""
    input:
        script="scripts/mend/plot_attention.py",
        code=code_of("scripts/mend/plot_attention.py"),
        metrics="<results>/mend/metrics.csv",
        notes="<results>/mend/notes.csv",
        published="config/published/mend.csv",
    output:
        **figure_files("mend", "figure_5"),
    log:
        "<logs>/mend/figure_5.log",
    benchmark:
        "<benchmarks>/mend/figure_5.tsv"


use rule mend_figure_3 as mend_figure_lambda with:
    """Beyond the paper: score against lambda, the weight of distillation in stage 2."""
    input:
        script="scripts/mend/plot_lambda.py",
        code=code_of("scripts/mend/plot_lambda.py"),
        metrics="<results>/mend/metrics.csv",
        notes="<results>/mend/notes.csv",
        published="config/published/mend.csv",
    output:
        **figure_files("mend", "figure_lambda"),
    log:
        "<logs>/mend/figure_lambda.log",
    benchmark:
        "<benchmarks>/mend/figure_lambda.tsv"


use rule mend_figure_3 as mend_figure_timing with:
    """Measured seconds of each method over the number of demonstrations; they vary from run to run."""
    input:
        script="scripts/mend/plot_timing.py",
        code=code_of("scripts/mend/plot_timing.py"),
        metrics="<results>/mend/timing.csv",
        notes="<results>/mend/notes.csv",
        published="config/published/mend.csv",
    output:
        **figure_files("mend", "figure_timing"),
    log:
        "<logs>/mend/figure_timing.log",
    benchmark:
        "<benchmarks>/mend/figure_timing.tsv"


rule mend_tasks:
    """Only the data: every task of the chosen settings as k-shot files."""
    input:
        mend_task_files(mend_all_tasks()),
    localrule: True


rule mend_all:
    """Every MEND table and figure."""
    input:
        expand("<results>/tables/mend_{table}.{suffix}", table=MEND_TABLES, suffix=["csv", "md", "tex"]),
        expand("<results>/figures/mend_{figure}.{suffix}", figure=MEND_FIGURES, suffix=["pdf", "png", "csv"]),
    localrule: True
