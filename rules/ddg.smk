# DDG (IJCAI 2025) on DiLM (NAACL Findings 2024): demonstrations written by gradient matching.
include: "ddg_files.smk"


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
        settings=lambda wildcards: json_text(ddg_settings.pretraining(DDG, wildcards.task)),
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
        settings=lambda wildcards: json_text(ddg_settings.matching(DDG, wildcards.task, wildcards.variant)),
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
        settings=lambda wildcards: json_text(ddg_settings.sets(DDG, wildcards.task, wildcards.method)),
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
        encoder=ddg_coreset_encoder,
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
        encoder=lambda wildcards, input: flag("--encoder", input.encoder),
        seeds=DDG["seeds"],
        settings=lambda wildcards: json_text(ddg_settings.sets(DDG, wildcards.task, wildcards.method)),
    shell:
        "python -m {params.module}"
        " --examples {input.examples:q} {params.encoder:q} {params.compute}"
        " --settings {params.settings:q} --seeds {params.seeds} --sets-out {output.sets:q}"
        " > {log:q} 2>&1"


rule ddg_import_sets:
    """Take released sets in the place of trained ones."""
    input:
        script="scripts/ddg/import_sets.py",
        code=code_of("scripts/ddg/import_sets.py"),
        files=lambda wildcards: raw_files(DDG_PLAN.released(wildcards.task).values()),
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
        places=lambda wildcards: list(DDG_PLAN.released(wildcards.task)),
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
        layout=lambda wildcards: ddg_settings.layout(DDG, wildcards.task),
    shell:
        "python -m {params.module}"
        " --sets {input.sets:q} {params.labels:q} --text-columns {params.columns:q} {params.layout:q}"
        " --converted-out {output.converted:q}"
        " > {log:q} 2>&1"


rule ddg_train_learners:
    """Evaluation A: train classifiers on the sets of one job's methods and sizes."""
    input:
        script="scripts/ddg/train_learners.py",
        code=code_of("scripts/ddg/train_learners.py"),
        sets=ddg_learner_sets,
        full=ddg_full,
        test=lambda wildcards: ddg_split(wildcards.task, "test"),
        learner=lambda wildcards: ddg_learner_model(wildcards.learner),
    output:
        runs="<results>/ddg/learners/{task}/{learner}/{job}.csv",
    log:
        "<logs>/ddg/train_learners/{task}/{learner}/{job}.log",
    benchmark:
        "<benchmarks>/ddg/train_learners/{task}/{learner}/{job}.tsv"
    wildcard_constraints:
        task=one_of(DDG["tasks"]),
        learner=one_of(DDG["learners"]),
        job=one_of({job[2] for job in DDG_PLAN.learner_jobs} or {"none"}),
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
        texts=ddg_learner_flags,
        settings=lambda wildcards: json_text(ddg_settings.learners(DDG, ddg_learner_runs(wildcards))),
    shell:
        "python -m {params.module}"
        " {params.texts:q} --test {input.test:q} --learner {input.learner:q} {params.compute}"
        " --settings {params.settings:q} --seeds {params.seeds} --runs-out {output.runs:q}"
        " > {log:q} 2>&1"


rule ddg_measure_learners:
    """Write the scores of one job's learners."""
    input:
        script="scripts/ddg/measure_learners.py",
        code=code_of("scripts/ddg/measure_learners.py"),
        runs="<results>/ddg/learners/{task}/{learner}/{job}.csv",
    output:
        measured="<results>/ddg/measured/learners/{task}/{learner}/{job}.csv",
    log:
        "<logs>/ddg/measure_learners/{task}/{learner}/{job}.log",
    benchmark:
        "<benchmarks>/ddg/measure_learners/{task}/{learner}/{job}.tsv"
    wildcard_constraints:
        task=one_of(DDG["tasks"]),
        learner=one_of(DDG["learners"]),
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        metric=lambda wildcards: DDG["tasks"][wildcards.task]["metric"],
        seeds=DDG["seeds"],
    shell:
        "python -m {params.module}"
        " --runs {input.runs:q} --task {wildcards.task:q} --learner {wildcards.learner:q} --metric {params.metric}"
        " --seeds {params.seeds} --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule ddg_evaluate_in_context:
    """Evaluation B: the demonstrations of one job's methods in a model's prompt, round by round."""
    input:
        script="scripts/ddg/evaluate_in_context.py",
        code=code_of("scripts/ddg/evaluate_in_context.py"),
        sets=ddg_context_sets,
        examples=ddg_context_examples,
        test=lambda wildcards: ddg_split(wildcards.task, "test"),
        prompts=lambda wildcards: sorted(set(ddg_context_prompts(wildcards).values())),
        encoder=ddg_context_encoder,
        model=model_folder,
    output:
        runs="<results>/ddg/in_context/{task}/{model}/{job}.csv",
        answers="<results>/ddg/in_context/{task}/{model}/{job}.jsonl",
    log:
        "<logs>/ddg/evaluate_in_context/{task}/{model}/{job}.log",
    benchmark:
        "<benchmarks>/ddg/evaluate_in_context/{task}/{model}/{job}.tsv"
    wildcard_constraints:
        task=one_of(DDG["tasks"]),
        job=one_of({job[2] for job in DDG_PLAN.context_jobs} or {"none"}),
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
        prompts=lambda wildcards: [f"{name}={path}" for name, path in ddg_context_prompts(wildcards).items()],
        rounds=ddg_rounds,
        n_queries=DDG["in_context"]["n_queries"],
        settings=lambda wildcards: json_text(
            ddg_settings.in_context(DDG_PLAN, DDG, ddg_context_runs(wildcards), config["compute"]["batch_tokens"])
        ),
    shell:
        "python -m {params.module}"
        " {params.demonstrations:q} --test {input.test:q} --prompts {params.prompts:q}"
        " --model {input.model:q} {params.compute}"
        " --settings {params.settings:q} --seeds {params.seeds} --round {params.rounds} --test-number {params.n_queries:q}"
        " --runs-out {output.runs:q} --answers-out {output.answers:q}"
        " > {log:q} 2>&1"


rule ddg_measure_in_context:
    """Write the accuracies of one job of evaluation B."""
    input:
        script="scripts/ddg/measure_in_context.py",
        code=code_of("scripts/ddg/measure_in_context.py"),
        runs="<results>/ddg/in_context/{task}/{model}/{job}.csv",
    output:
        measured="<results>/ddg/measured/in_context/{task}/{model}/{job}.csv",
    log:
        "<logs>/ddg/measure_in_context/{task}/{model}/{job}.log",
    benchmark:
        "<benchmarks>/ddg/measure_in_context/{task}/{model}/{job}.tsv"
    wildcard_constraints:
        task=one_of(DDG["tasks"]),
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        seeds=DDG["seeds"],
    shell:
        "python -m {params.module}"
        " --runs {input.runs:q} --task {wildcards.task:q} --model {wildcards.model:q}"
        " --seeds {params.seeds} --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule ddg_measure_averages:
    """Write the mean over the tasks of DDG's main table."""
    input:
        script="scripts/ddg/measure_averages.py",
        code=code_of("scripts/ddg/measure_averages.py"),
        runs=ddg_job_files("in_context", DDG_PLAN.jobs_of("table_main")[1]),
    output:
        measured="<results>/ddg/measured/averages.csv",
    log:
        "<logs>/ddg/measure_averages.log",
    benchmark:
        "<benchmarks>/ddg/measure_averages.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        jobs=ddg_job_names(DDG_PLAN.jobs_of("table_main")[1]),
        settings=as_json(ddg_settings.averages(DDG_PLAN)),
    shell:
        "python -m {params.module}"
        " --jobs {params.jobs:q} --runs {input.runs:q} --settings {params.settings:q}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule ddg_measure_differences:
    """Write the differences between methods, paired over seeds."""
    input:
        script="scripts/ddg/measure_differences.py",
        code=code_of("scripts/ddg/measure_differences.py"),
        learners=ddg_job_files("learners", DDG_PLAN.jobs_of("table_paired")[0]),
        contexts=ddg_job_files("in_context", DDG_PLAN.jobs_of("table_paired")[1]),
    output:
        measured="<results>/ddg/measured/differences.csv",
    log:
        "<logs>/ddg/measure_differences.log",
    benchmark:
        "<benchmarks>/ddg/measure_differences.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        learner_jobs=ddg_job_names(DDG_PLAN.jobs_of("table_paired")[0]),
        context_jobs=ddg_job_names(DDG_PLAN.jobs_of("table_paired")[1]),
        settings=as_json(ddg_settings.differences(DDG_PLAN)),
    shell:
        "python -m {params.module}"
        " --learner-jobs {params.learner_jobs:q} --learners {input.learners:q}"
        " --context-jobs {params.context_jobs:q} --contexts {input.contexts:q} --settings {params.settings:q}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule ddg_list_missing:
    """Write down what cannot be measured and why: files and models out of reach, methods without sets."""
    input:
        script="scripts/ddg/list_missing.py",
        code=code_of("scripts/ddg/list_missing.py"),
    output:
        measured="<results>/ddg/measured/missing.csv",
    log:
        "<logs>/ddg/list_missing.log",
    benchmark:
        "<benchmarks>/ddg/list_missing.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        settings=as_json(dataclasses.asdict(DDG_PLAN)),
    shell:
        "python -m {params.module}"
        " --settings {params.settings:q}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


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
