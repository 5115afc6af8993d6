# MEND (ICLR 2024): demonstrations distilled into a few vectors that a frozen language model reads instead of them.
include: "mend_files.smk"


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
        row=lambda wildcards: json_text(MEND_PLAN.tasks.tasks[wildcards.task]),
        raw=flag("--raw", MEND["tasks"]["raw"]),
        sampling=MEND["tasks"]["sampling"],
        draws=lambda wildcards: json_text(MEND_PLAN.draws(wildcards.task)),
    shell:
        "{params.python} -m {params.module}"
        " --task {wildcards.task:q} --row {params.row:q} {params.raw:q}"
        " --draws {params.draws:q} --sampling {params.sampling} --task-out {output.task:q}"
        " > {log:q} 2>&1"


rule data_choose_task:
    """Make one task from the canonical rows of a registered data set: its labels, k-shot files, options."""
    input:
        script="scripts/data/choose_task.py",
        code=code_of("scripts/data/choose_task.py"),
        train=lambda wildcards: mend_examples(wildcards, "train"),
        test=lambda wildcards: mend_examples(wildcards, "test"),
    output:
        task=directory("<results>/data/registered_tasks/{task}"),
    log:
        "<logs>/data/choose_task/{task}.log",
    benchmark:
        "<benchmarks>/data/choose_task/{task}.tsv"
    wildcard_constraints:
        task=MEND_CODE,
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        row=lambda wildcards: json_text(MEND_PLAN.tasks.tasks[wildcards.task]),
        sampling=MEND["tasks"]["sampling"],
        draws=lambda wildcards: json_text(MEND_PLAN.draws(wildcards.task)),
    shell:
        "python -m {params.module}"
        " --task {wildcards.task:q} --row {params.row:q} --train {input.train:q} --test {input.test:q}"
        " --draws {params.draws:q} --sampling {params.sampling} --task-out {output.task:q}"
        " > {log:q} 2>&1"


rule data_split_prepared_tasks:
    """Split the authors' prepared rows into the k-shot files of the tasks."""
    input:
        script="scripts/data/split_prepared_tasks.py",
        code=code_of("scripts/data/split_prepared_tasks.py"),
        rows=mend_prepared(),
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
        draws=lambda wildcards: json_text({task: MEND_PLAN.draws(task) for task in MEND_PLAN.all_tasks()}),
    shell:
        "python -m {params.module}"
        " --rows {input.rows:q} --draws {params.draws:q} --tasks-out {output.tasks:q}"
        " > {log:q} 2>&1"


rule mend_gather_rows:
    """Put the rows of all meta-training tasks of a setting into one file."""
    input:
        script="scripts/mend/gather_rows.py",
        code=code_of("scripts/mend/gather_rows.py"),
        tasks=lambda wildcards: MEND_PLAN.task_files(MEND_PLAN.train_tasks(wildcards.train_set)),
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
        folder=lambda wildcards: mend_folder(MEND_PLAN.task_folder),
        tasks=lambda wildcards: MEND_PLAN.train_tasks(wildcards.train_set),
        shots=MEND["train_shots"],
        seed=MEND["train_seed"],
        dev_rows=MEND_PLAN.dev_rows(),
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
        texts=MEND_PLAN.texts(DATASETS),
        start=lambda wildcards: MEND_PLAN.start(wildcards.backbone, "backbone")[0],
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
        layers=mend_layers,
        settings=as_json(MEND["pretrain"]),
        variants=lambda wildcards: json_text({wildcards.start_loss: PRETRAINING[wildcards.start_loss]}),
        format=lambda wildcards: json_text(mend_format(wildcards)),
        seed=MEND["train_seed"],
        checkpoints=lambda wildcards: mend_checkpoints(f"{wildcards.backbone}_pretraining_{wildcards.start_loss}"),
    shell:
        "{params.launcher} -m {params.module}"
        " --model {input.model:q} --texts {input.texts:q}"
        " --starts backbone={input.start:q} {params.layers:q} {params.compute}"
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
        starts=lambda wildcards: sorted({folder for folder, _ in mend_starts(wildcards).values()}),
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
        variants=one_of(MEND_PLAN.training_jobs()),
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
        layers=mend_layers,
        settings=as_json(MEND["finetune"]),
        variants=lambda wildcards: json_text(MEND_PLAN.variants(wildcards.variants)),
        starts=lambda wildcards: [f"{name}={mend_folder(place)}" for name, (_, place) in mend_starts(wildcards).items()],
        format=lambda wildcards: json_text(mend_format(wildcards)),
        seed=MEND["train_seed"],
        checkpoints=lambda wildcards: mend_checkpoints(
            f"{wildcards.backbone}_{wildcards.train_set}_{wildcards.variants}"
        ),
    shell:
        "{params.launcher} -m {params.module}"
        " --model {input.model:q} --meta-train {input.train:q} --dev {input.dev:q}"
        " --starts {params.starts:q} {params.layers:q} {params.compute}"
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
        tasks=lambda wildcards: MEND_PLAN.task_files(mend_prompted_tasks(wildcards)),
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
        folder=lambda wildcards: mend_folder(MEND_PLAN.task_folder),
        settings=lambda wildcards: json_text(
            {
                **MEND["prompt_tuning"],
                "task_names": mend_prompted_tasks(wildcards),
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
        tasks=lambda wildcards: MEND_PLAN.task_files(MEND_PLAN.test_tasks(mend_job(wildcards).settings)),
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
        arms=MEND_JOB_NAMES,
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
        folder=lambda wildcards: mend_folder(MEND_PLAN.task_folder),
        arms=lambda wildcards: json_text(list(map(MEND_PLAN.evaluated_arm, mend_job(wildcards).arms))),
        distillers=lambda wildcards: mend_pairs(wildcards, "distilled"),
        tuned=lambda wildcards: mend_pairs(wildcards, "tuned"),
        prompts=lambda wildcards, input: flag("--prompts", input.prompts),
        settings=mend_evaluate_settings,
        formats=lambda wildcards: json_text({**MEND["formats"], "default": mend_format(wildcards)}),
    shell:
        "python -m {params.module}"
        " --model {input.model:q} --tasks {params.folder:q} {params.compute}"
        " --arms {params.arms:q} {params.distillers:q} {params.tuned:q} {params.prompts:q}"
        " --settings {params.settings:q} --formats {params.formats:q}"
        " --scores-out {output.scores:q} --run-out {output.run:q}"
        " > {log:q} 2>&1"


rule mend_measure_efficiency:
    """Count the operations of zero-shot, in-context learning and MEND, and time them; no distiller is trained for it."""
    input:
        script="scripts/mend/measure_efficiency.py",
        code=code_of("scripts/mend/measure_efficiency.py"),
        model=mend_llm,
        tasks=MEND_PLAN.task_files([MEND_PLAN.study_task()]),
        distiller=lambda wildcards: MEND_PLAN.unlearned_distiller(wildcards.backbone)[0],
    output:
        measured="<results>/mend/measured/cost/{backbone}.csv",
        seconds="<results>/mend/measured/seconds/{backbone}.csv",
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
        folder=lambda wildcards: mend_folder(MEND_PLAN.task_folder),
        settings=lambda wildcards: json_text(
            {
                **mend_study_settings("efficiency"),
                **MEND_PLAN.unlearned_distiller(wildcards.backbone)[1],
                "train_seed": MEND["train_seed"],
                "batch_tokens": config["compute"]["batch_tokens"],
            }
        ),
        format=lambda wildcards: json_text(mend_format(wildcards)),
    shell:
        "python -m {params.module}"
        " --model {input.model:q} --distiller {input.distiller:q} --tasks {params.folder:q} {params.compute}"
        " --settings {params.settings:q} --format {params.format:q}"
        " --measured-out {output.measured:q} --seconds-out {output.seconds:q}"
        " > {log:q} 2>&1"


rule mend_measure_attention:
    """Average the attention on distilled vectors, demonstrations and query."""
    input:
        script="scripts/mend/attention_maps.py",
        code=code_of("scripts/mend/attention_maps.py"),
        model=mend_llm,
        tasks=MEND_PLAN.task_files([MEND_PLAN.study_task()]),
        distiller=MEND_PLAN.study_distiller()[0],
    output:
        measured="<results>/mend/measured/attention/{backbone}.csv",
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
        folder=lambda wildcards: mend_folder(MEND_PLAN.task_folder),
        distiller=lambda wildcards: mend_folder(MEND_PLAN.study_distiller()[1]),
        settings=as_json({**mend_study_settings("attention"), "n_demonstrations": MEND["n_demonstrations"]}),
        format=lambda wildcards: json_text(mend_format(wildcards)),
    shell:
        "python -m {params.module}"
        " --model {input.model:q} --distiller {params.distiller:q} --tasks {params.folder:q} {params.compute}"
        " --settings {params.settings:q} --format {params.format:q}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule mend_measure_scores:
    """Write what one scoring job measured: the mean over the tasks of each setting, seed by seed."""
    input:
        script="scripts/mend/measure_scores.py",
        code=code_of("scripts/mend/measure_scores.py"),
        scores="<results>/mend/scores/{backbone}/{train_set}/{arms}.csv",
    output:
        measured=f"<results>/mend/measured/{SCORES}/{{backbone}}/{{train_set}}/{{arms}}.csv",
    log:
        "<logs>/mend/measure_scores/{backbone}/{train_set}/{arms}.log",
    benchmark:
        "<benchmarks>/mend/measure_scores/{backbone}/{train_set}/{arms}.tsv"
    wildcard_constraints:
        backbone=one_of(MEND["backbones"]),
        train_set="[a-z0-9_]+",
        arms=MEND_JOB_NAMES,
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        settings=mend_score_settings,
    shell:
        "python -m {params.module}"
        " --scores {input.scores:q} --settings {params.settings:q}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule mend_measure_average:
    """Average the scores of a backbone's methods over all settings."""
    input:
        script="scripts/mend/measure_average.py",
        code=code_of("scripts/mend/measure_average.py"),
        scores=lambda wildcards: sorted(set(MEND_PLAN.averaged(wildcards.backbone).values())),
    output:
        measured=f"<results>/mend/measured/{AVERAGE}/{{backbone}}.csv",
    log:
        "<logs>/mend/measure_average/{backbone}.log",
    benchmark:
        "<benchmarks>/mend/measure_average/{backbone}.tsv"
    wildcard_constraints:
        backbone=one_of(MEND["backbones"]),
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        scores=lambda wildcards: [
            f"{name}={mend_folder(path)}" for name, path in MEND_PLAN.averaged(wildcards.backbone).items()
        ],
        settings=lambda wildcards: json_text(
            {
                "model": MEND_PLAN.model(wildcards.backbone),
                "settings": {name: MEND_PLAN.test_tasks([name]) for name in MEND["settings"]},
                "n_demonstrations": MEND["n_demonstrations"],
            }
        ),
    shell:
        "python -m {params.module}"
        " --scores {params.scores:q} --settings {params.settings:q}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule mend_tasks:
    """Only the data: every task of the chosen settings as k-shot files."""
    input:
        MEND_PLAN.task_files(MEND_PLAN.all_tasks()),
    localrule: True
