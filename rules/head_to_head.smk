# The head-to-head: the papers' methods and their baselines on the same pool, model, sizes and seeds, result against cost.
# Scores, subsets, trainings and measures are made by the papers' own rules, which ask the plan of whoever asks them.
include: "head_to_head_files.smk"


wildcard_constraints:
    half="choosing|answering",


rule head_to_head_join_targets:
    """Put all rows for which is chosen into one file: query set and validation rows."""
    input:
        script="scripts/head_to_head/join_targets.py",
        code=code_of("scripts/head_to_head/join_targets.py"),
        rows=choice_goal_parts,
    output:
        targets="<results>/head_to_head/goals/{pair}.jsonl",
    log:
        "<logs>/head_to_head/join_targets/{pair}.log",
    benchmark:
        "<benchmarks>/head_to_head/join_targets/{pair}.tsv"
    priority: 100
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
    shell:
        "python -m {params.module} --rows {input.rows:q} --targets-out {output.targets:q} > {log:q} 2>&1"


rule head_to_head_select_scored:
    """Choose the subsets of one method by NUGGETS' command, for every size and seed; its own rule knows one size."""
    input:
        script="scripts/nuggets/select_subset.py",
        code=code_of("scripts/nuggets/select_subset.py"),
        pool="<results>/delift/data/{pair}/pool.jsonl",
        scores=branch(
            choice_needs("golden_scores"), then="<results>/head_to_head/scores/{pair}/{model}/goal/scores.csv"
        ),
        difficulty=branch(
            choice_needs("difficulty", "ifd"), then="<results>/head_to_head/difficulty/{pair}/{model}.csv"
        ),
    output:
        subsets=directory("<results>/head_to_head/scored_subsets/{pair}/{model}/{method}"),
    log:
        "<logs>/head_to_head/select_scored/{pair}/{model}/{method}.log",
    benchmark:
        "<benchmarks>/head_to_head/select_scored/{pair}/{model}/{method}.tsv"
    priority: 80
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        scores=lambda wildcards, input: flag("--scores", input.scores),
        difficulty=lambda wildcards, input: flag("--difficulty", input.difficulty),
        method=lambda wildcards: json_text(HEAD_PLAN.choice(wildcards.method)),
        sizes=[f"{percent_name(percent)}={percent / 100:.8g}" for percent in CHOICES["percents"]],
        seeds=CHOICES["seeds"],
    shell:
        "for size in {params.sizes}; do"
        " python -m {params.module}"
        " --pool {input.pool:q} {params.scores:q} {params.difficulty:q}"
        " --name {wildcards.method:q} --method {params.method:q} --size-fraction ${{size#*=}}"
        " --seeds {params.seeds} --subsets-out {output.subsets:q}/${{size%=*}}; done"
        " > {log:q} 2>&1"


rule head_to_head_measure_choices:
    """Measure the subsets that NUGGETS' command has chosen: sizes, and the share of right rows where that is known."""
    input:
        script="scripts/head_to_head/measure_choices.py",
        code=code_of("scripts/head_to_head/measure_choices.py"),
        subsets="<results>/head_to_head/scored_subsets/{pair}/{model}/{method}",
        truth=delift_truth("split"),
    output:
        measured="<results>/head_to_head/measured/scored_subsets/{pair}/{model}/{method}.csv",
    log:
        "<logs>/head_to_head/measure_choices/{pair}/{model}/{method}.log",
    benchmark:
        "<benchmarks>/head_to_head/measure_choices/{pair}/{model}/{method}.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        truth=lambda wildcards, input: flag("--truth", input.truth),
    shell:
        "python -m {params.module}"
        " --subsets {input.subsets:q} {params.truth:q}"
        " --pair {wildcards.pair:q} --model-name {wildcards.model:q} --name {wildcards.method:q}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule head_to_head_count_selection:
    """Count the operations with which each method chooses, by one formula."""
    input:
        script="scripts/head_to_head/count_selection.py",
        code=code_of("scripts/head_to_head/count_selection.py"),
        pool="<results>/delift/data/{pair}/pool.jsonl",
        reference=delift_reference,
        targets=delift_targets,
        goal="<results>/head_to_head/goals/{pair}.jsonl",
        model=model_folder,
        embedder=delift_embedder,
    output:
        operations="<results>/head_to_head/operations/{pair}/{model}.csv",
    log:
        "<logs>/head_to_head/count_selection/{pair}/{model}.log",
    benchmark:
        "<benchmarks>/head_to_head/count_selection/{pair}/{model}.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        reference=lambda wildcards, input: flag("--reference", input.reference),
        settings=as_json(choice_count_settings()),
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} {params.reference:q} --targets {input.targets:q} --goal {input.goal:q}"
        " --model {input.model:q} --embedder {input.embedder:q}"
        " --settings {params.settings:q} --operations-out {output.operations:q}"
        " > {log:q} 2>&1"


rule head_to_head_measure_choosing:
    """Write what choosing costs each method, and one training, as measured values."""
    input:
        script="scripts/head_to_head/measure_choosing.py",
        code=code_of("scripts/head_to_head/measure_choosing.py"),
        operations="<results>/head_to_head/operations/{pair}/{model}.csv",
    output:
        measured="<results>/head_to_head/measured/choosing/{pair}/{model}.csv",
    log:
        "<logs>/head_to_head/measure_choosing/{pair}/{model}.log",
    benchmark:
        "<benchmarks>/head_to_head/measure_choosing/{pair}/{model}.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        methods=as_json({method: HEAD_PLAN.by(method) for method in CHOICES["methods"]}),
    shell:
        "python -m {params.module}"
        " --operations {input.operations:q} --methods {params.methods:q} --model-name {wildcards.model:q}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule head_to_head_prepare_demonstrations:
    """Write DDG's sets of texts as the task files that MEND reads."""
    input:
        script="scripts/head_to_head/prepare_demonstrations.py",
        code=code_of("scripts/head_to_head/prepare_demonstrations.py"),
        sets=shown_sets(),
        test=ddg_split(SHOWN["task"], "test"),
    output:
        tasks=directory("<results>/head_to_head/demonstrations/tasks"),
    log:
        "<logs>/head_to_head/prepare_demonstrations.log",
    benchmark:
        "<benchmarks>/head_to_head/prepare_demonstrations.tsv"
    priority: 70
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        settings=as_json(shown_prepare_settings()),
    shell:
        "python -m {params.module}"
        " --sets {input.sets:q} --test {input.test:q} --settings {params.settings:q} --tasks-out {output.tasks:q}"
        " > {log:q} 2>&1"


rule head_to_head_evaluate_sets:
    """Ask all questions behind every set of demonstrations: in the prompt, and as MEND's vectors."""
    input:
        script="scripts/mend/evaluate_methods.py",
        code=code_of("scripts/mend/evaluate_methods.py"),
        tasks="<results>/head_to_head/demonstrations/tasks",
        distiller=lambda wildcards: shown_distiller(wildcards)[0],
        model=shown_model,
    output:
        scores="<results>/head_to_head/demonstrations/sets.csv",
        run="<results>/head_to_head/demonstrations/sets.run.json",
    log:
        "<logs>/head_to_head/evaluate_sets.log",
    benchmark:
        "<benchmarks>/head_to_head/evaluate_sets.tsv"
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
        family=MODELS[HEAD_PLAN.backbone["model"]]["family"],
        distiller=lambda wildcards: f"mend={shown_distiller(wildcards)[1]}",
        arms=as_json(
            [{"method": "prompt", "kind": "icl"}, {"method": "vectors", "kind": "distilled", "source": "mend"}]
        ),
        settings=as_json(shown_evaluate_settings()),
        formats=as_json(
            {**config["mend"]["formats"], "default": config["mend"]["formats"][HEAD_PLAN.backbone["format"]]}
        ),
    shell:
        "python -m {params.module}"
        " --model {input.model:q} --family {params.family} --tasks {input.tasks:q} {params.compute}"
        " --arms {params.arms:q} --distillers {params.distiller:q}"
        " --settings {params.settings:q} --formats {params.formats:q}"
        " --scores-out {output.scores:q} --run-out {output.run:q}"
        " > {log:q} 2>&1"


rule head_to_head_evaluate_retrieval:
    """Ask all questions without demonstrations, and behind those that are retrieved for each."""
    input:
        script="scripts/ddg/evaluate_in_context.py",
        code=code_of("scripts/ddg/evaluate_in_context.py"),
        examples=ddg_split(SHOWN["task"], "train"),
        test=ddg_split(SHOWN["task"], "test"),
        prompt=f"config/prompts/ddg/{SHOWN['prompt']}.yaml",
        encoder=ddg_learner_model(DDG["learner"]),
        model=shown_model,
    output:
        runs="<results>/head_to_head/demonstrations/retrieved.csv",
        answers="<results>/head_to_head/demonstrations/retrieved.jsonl",
        run="<results>/head_to_head/demonstrations/retrieved.run.json",
    log:
        "<logs>/head_to_head/evaluate_retrieval.log",
    benchmark:
        "<benchmarks>/head_to_head/evaluate_retrieval.tsv"
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
        retrieve=[f"{name}={DDG['methods'][name]['select']}" for name in SHOWN["retrieval"]],
        seed=DDG["seeds"][0],
        dpc=SHOWN["dpc"],
        settings=as_json(
            {
                "text_columns": DDG["tasks"][SHOWN["task"]]["text_columns"],
                "dpc": SHOWN["dpc"],
                "draws": 1,
                "turns": 1,
                "orders": {"plain": "rounds"},
                "scorers": {"plain": ["labels"]},
                "only": {},
                "instruct": False,
                "label_norm": "mean",  # as MEND's evaluation
                "retrieval_rounds": [SHOWN["dpc"]],
                "batch_tokens": config["compute"]["batch_tokens"],
            }
        ),
    shell:
        "python -m {params.module}"
        " --retrieve {params.retrieve:q} --examples {input.examples:q} --encoder {input.encoder:q} --test {input.test:q}"
        " --prompts plain={input.prompt:q} --model {input.model:q} {params.compute} --settings {params.settings:q}"
        " --seeds {params.seed} --round {params.dpc} --test-number full"
        " --runs-out {output.runs:q} --answers-out {output.answers:q} --run-out {output.run:q}"
        " > {log:q} 2>&1"


rule head_to_head_count_demonstrations:
    """Count the operations of each way to show demonstrations, by the same formula."""
    input:
        script="scripts/head_to_head/count_demonstrations.py",
        code=code_of("scripts/head_to_head/count_demonstrations.py"),
        prompted="<results>/head_to_head/demonstrations/sets.csv",
        retrieved="<results>/head_to_head/demonstrations/retrieved.csv",
        examples=ddg_split(SHOWN["task"], "train"),
        test=ddg_split(SHOWN["task"], "test"),
        model=shown_model,
        distiller=lambda wildcards: shown_distiller(wildcards)[0],
        generator=model_path(DDG["generator"]),
        encoder=ddg_learner_model(DDG["learner"]),
    output:
        operations="<results>/head_to_head/demonstrations/operations.csv",
    log:
        "<logs>/head_to_head/count_demonstrations.log",
    benchmark:
        "<benchmarks>/head_to_head/count_demonstrations.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        distiller=lambda wildcards: shown_distiller(wildcards)[1],
        settings=as_json(shown_count_settings()),
    shell:
        "python -m {params.module}"
        " --prompted {input.prompted:q} --retrieved {input.retrieved:q} --examples {input.examples:q} --test {input.test:q}"
        " --model {input.model:q} --distiller {params.distiller:q}"
        " --generator {input.generator:q} --encoder {input.encoder:q}"
        " --settings {params.settings:q} --operations-out {output.operations:q}"
        " > {log:q} 2>&1"


rule head_to_head_measure_demonstrations:
    """Write what each way to show demonstrations reaches and costs as measured values."""
    input:
        script="scripts/head_to_head/measure_demonstrations.py",
        code=code_of("scripts/head_to_head/measure_demonstrations.py"),
        prompted="<results>/head_to_head/demonstrations/sets.csv",
        retrieved="<results>/head_to_head/demonstrations/retrieved.csv",
        operations="<results>/head_to_head/demonstrations/operations.csv",
    output:
        measured="<results>/head_to_head/measured/demonstrations.csv",
    log:
        "<logs>/head_to_head/measure_demonstrations.log",
    benchmark:
        "<benchmarks>/head_to_head/measure_demonstrations.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        methods=["zero_shot", *SHOWN["retrieval"]],
        model=HEAD_PLAN.backbone["model"],
    shell:
        "python -m {params.module}"
        " --prompted {input.prompted:q} --retrieved {input.retrieved:q} --operations {input.operations:q}"
        " --methods {params.methods:q} --model-name {params.model:q} --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule head_to_head_collect_times:
    """Gather the seconds that choosing, or answering, took in this run; they are no metrics."""
    input:
        script="scripts/head_to_head/collect_times.py",
        code=code_of("scripts/head_to_head/collect_times.py"),
        runs=lambda wildcards: [path for path, _ in HEAD_PLAN.times(wildcards.half)],
    output:
        times="<results>/head_to_head/times_{half}.csv",
    log:
        "<logs>/head_to_head/collect_times/{half}.log",
    benchmark:
        "<benchmarks>/head_to_head/collect_times/{half}.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        parts=lambda wildcards: [part for _, part in HEAD_PLAN.times(wildcards.half)],
    shell:
        "python -m {params.module} --runs {input.runs:q} --parts {params.parts:q} --times-out {output.times:q}"
        " > {log:q} 2>&1"
