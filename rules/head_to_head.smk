# The head-to-head: the papers' methods and their baselines on the same pool, model, sizes and seeds, result against cost.
include: "head_to_head_runs.smk"


wildcard_constraints:
    percent="[0-9]+",


rule head_to_head_join_targets:
    """Put all rows for which is chosen into one file: query set and validation rows."""
    input:
        script="scripts/head_to_head/join_targets.py",
        code=code_of("scripts/head_to_head/join_targets.py"),
        rows=[path for path in (choice_part("reference"), choice_part("validation")) if path],
    output:
        targets="<results>/head_to_head/targets.jsonl",
    log:
        "<logs>/head_to_head/join_targets.log",
    benchmark:
        "<benchmarks>/head_to_head/join_targets.tsv"
    priority: 100
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
    shell:
        "python -m {params.module} --rows {input.rows:q} --targets-out {output.targets:q} > {log:q} 2>&1"


rule head_to_head_score_candidates:
    """NUGGETS: compute the golden scores of one shard of the pool, with those rows as anchors."""
    input:
        script="scripts/nuggets/score_candidates.py",
        code=code_of("scripts/nuggets/score_candidates.py"),
        pool=choice_part("pool"),
        anchors="<results>/head_to_head/targets.jsonl",
        model=choice_model,
    output:
        scores="<results>/head_to_head/scores/shard_{start}.jsonl",
        raw="<results>/head_to_head/scores/shard_{start}.raw.safetensors",
        run="<results>/head_to_head/scores/shard_{start}.run.json",
    log:
        "<logs>/head_to_head/score_candidates/shard_{start}.log",
    benchmark:
        "<benchmarks>/head_to_head/score_candidates/shard_{start}.tsv"
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
        stop=lambda wildcards: int(wildcards.start) + config["nuggets"]["score"]["shard_size"],
        settings=as_json(
            {
                **{key: value for key, value in config["nuggets"]["score"].items() if key != "shard_size"},
                "prompt": config["prompts"][config["nuggets"]["score"]["prompt"]],
                "batch_tokens": config["compute"]["batch_tokens"],
            }
        ),
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} --anchors {input.anchors:q}"
        " --model {input.model:q} {params.compute}"
        " --start {wildcards.start} --stop {params.stop} --settings {params.settings:q}"
        " --scores-out {output.scores:q} --raw-out {output.raw:q} --run-out {output.run:q}"
        " > {log:q} 2>&1"


rule head_to_head_collect_scores:
    """Merge the shards of golden scores."""
    input:
        script="scripts/nuggets/collect_scores.py",
        code=code_of("scripts/nuggets/collect_scores.py"),
        pool=choice_part("pool"),
        shards=expand("<results>/head_to_head/scores/shard_{start}.jsonl", start=choice_shards()),
        raws=expand("<results>/head_to_head/scores/shard_{start}.raw.safetensors", start=choice_shards()),
    output:
        scores="<results>/head_to_head/scores/scores.csv",
        raw="<results>/head_to_head/scores/raw.safetensors",
        sorted_pool="<results>/head_to_head/scores/sorted_pool.jsonl",
    log:
        "<logs>/head_to_head/collect_scores.log",
    benchmark:
        "<benchmarks>/head_to_head/collect_scores.tsv"
    priority: 100
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} --shards {input.shards:q} --raws {input.raws:q}"
        " --scores-out {output.scores:q} --raw-out {output.raw:q} --sorted-out {output.sorted_pool:q}"
        " > {log:q} 2>&1"


rule head_to_head_score_difficulty:
    """Score the pool by perplexity and instruction-following difficulty (IFD)."""
    input:
        script="scripts/nuggets/score_difficulty.py",
        code=code_of("scripts/nuggets/score_difficulty.py"),
        pool=choice_part("pool"),
        model=choice_model,
    output:
        difficulty="<results>/head_to_head/difficulty.csv",
        run="<results>/head_to_head/difficulty.run.json",
    log:
        "<logs>/head_to_head/score_difficulty.log",
    benchmark:
        "<benchmarks>/head_to_head/score_difficulty.tsv"
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
                "prompt": config["prompts"][config["nuggets"]["score"]["prompt"]],
                "batch_tokens": config["compute"]["batch_tokens"],
            }
        ),
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} --model {input.model:q} {params.compute}"
        " --settings {params.settings:q} --difficulty-out {output.difficulty:q} --run-out {output.run:q}"
        " > {log:q} 2>&1"


use rule delift_score_baselines as head_to_head_score_baselines with:
    """Score the pool by SelectIT and LESS, with all rows for which is chosen as LESS' validation set."""
    input:
        script="scripts/delift/score_baselines.py",
        code=code_of("scripts/delift/score_baselines.py"),
        pool=choice_part("pool"),
        validation="<results>/head_to_head/targets.jsonl",
        model=choice_model,
    output:
        scores="<results>/head_to_head/baselines.csv",
        run="<results>/head_to_head/baselines.run.json",
    log:
        "<logs>/head_to_head/score_baselines.log",
    benchmark:
        "<benchmarks>/head_to_head/score_baselines.tsv"


rule head_to_head_select_subset:
    """Choose the subsets of one method by DELIFT's command, for every size and seed."""
    input:
        script="scripts/delift/select_subset.py",
        code=code_of("scripts/delift/select_subset.py"),
        pool=choice_part("pool"),
        kernels=branch(choice_needs("utilities", "similarities"), then=choice_kernel),
        embeddings=branch(choice_needs("embeddings"), then=f"<results>/delift/embeddings/{CHOICES['pair']}"),
        scores=branch(choice_needs("ratings", "gradients"), then="<results>/head_to_head/baselines.csv"),
    output:
        subsets=directory("<results>/head_to_head/subsets/{method}"),
        measured="<results>/head_to_head/subsets/{method}.measured.csv",
        run="<results>/head_to_head/subsets/{method}.run.json",
    log:
        "<logs>/head_to_head/select_subset/{method}.log",
    benchmark:
        "<benchmarks>/head_to_head/select_subset/{method}.tsv"
    wildcard_constraints:
        method=one_of([*choices_of("delift"), "full"]),
    priority: 80
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        pair=CHOICES["pair"],
        model=CHOICES["model"],
        stage=DELIFT["pairs"][CHOICES["pair"]]["stage"],
        kernels=choice_kernel_flags,
        embeddings=lambda wildcards, input: (
            ["--embeddings", f"{input.embeddings}/pool.safetensors"] if input.embeddings else []
        ),
        scores=lambda wildcards, input: flag("--scores", input.scores),
        method=lambda wildcards: json_text(choice_settings(wildcards.method)),
        fractions=lambda wildcards: (
            [1.0] if wildcards.method == "full" else [percent / 100 for percent in CHOICES["percents"]]
        ),
        seeds=CHOICES["seeds"],
        threads=config["compute"]["threads"],
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} --stage {params.stage} {params.kernels:q} {params.embeddings:q} {params.scores:q}"
        " --paper head_to_head --pair {params.pair:q} --model-name {params.model:q}"
        " --name {wildcards.method:q} --method {params.method:q}"
        " --fractions {params.fractions} --seeds {params.seeds} --threads {params.threads}"
        " --subsets-out {output.subsets:q} --measured-out {output.measured:q} --run-out {output.run:q}"
        " > {log:q} 2>&1"


rule head_to_head_select_scored:
    """Choose the subsets of one method by NUGGETS' command, for every size and seed."""
    input:
        script="scripts/nuggets/select_subset.py",
        code=code_of("scripts/nuggets/select_subset.py"),
        pool=choice_part("pool"),
        scores=branch(choice_needs("golden_scores"), then="<results>/head_to_head/scores/scores.csv"),
        difficulty=branch(choice_needs("difficulty", "ifd"), then="<results>/head_to_head/difficulty.csv"),
    output:
        subsets=directory("<results>/head_to_head/subsets/{method}"),
    log:
        "<logs>/head_to_head/select_scored/{method}.log",
    benchmark:
        "<benchmarks>/head_to_head/select_scored/{method}.tsv"
    wildcard_constraints:
        method=one_of(choices_of("nuggets")),
    priority: 80
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        scores=lambda wildcards, input: flag("--scores", input.scores),
        difficulty=lambda wildcards, input: flag("--difficulty", input.difficulty),
        method=lambda wildcards: json_text(choice_settings(wildcards.method)),
        percents=CHOICES["percents"],
        seeds=CHOICES["seeds"],
    shell:
        "for percent in {params.percents}; do"
        " python -m {params.module}"
        " --pool {input.pool:q} {params.scores:q} {params.difficulty:q}"
        " --name {wildcards.method:q} --method {params.method:q} --size-fraction 0.$(printf '%02d' $percent)"
        " --seeds {params.seeds} --subsets-out {output.subsets:q}/percent_$percent; done"
        " > {log:q} 2>&1"


rule head_to_head_evaluate_subsets:
    """Let the model learn from some subsets, for every seed, and answer the test set."""
    input:
        script="scripts/delift/evaluate_subsets.py",
        code=code_of("scripts/delift/evaluate_subsets.py"),
        subsets=lambda wildcards: sorted(set(choice_folders(wildcards)) - {"none"}),
        test=choice_part("test"),
        beside=choice_beside(),
        model=choice_model,
    output:
        answers=directory("<results>/head_to_head/answers/units_{start}"),
        run="<results>/head_to_head/answers/units_{start}.run.json",
    log:
        "<logs>/head_to_head/evaluate_subsets/units_{start}.log",
    benchmark:
        "<benchmarks>/head_to_head/evaluate_subsets/units_{start}.tsv"
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
        learning=CHOICES["learning"],
        units=choice_job_units,
        folders=choice_folders,
        seeds=CHOICES["seeds"],
        beside=lambda wildcards, input: flag("--beside", input.beside),
        settings=as_json(delift_evaluate_settings(CHOICES["learning"])),
        checkpoints=f"{RESULTS}/head_to_head/checkpoints",
    shell:
        "python -m {params.module}"
        " --learning {params.learning} --units {params.units:q} --subsets {params.folders:q} --seeds {params.seeds}"
        " --test {input.test:q} {params.beside:q} --model {input.model:q} {params.compute}"
        " --settings {params.settings:q}"
        " --checkpoints {params.checkpoints:q} --answers-out {output.answers:q} --run-out {output.run:q}"
        " > {log:q} 2>&1"


rule head_to_head_score_answers:
    """Measure all answers: agreement with the reference, its likelihood."""
    input:
        script="scripts/delift/score_answers.py",
        code=code_of("scripts/delift/score_answers.py"),
        answers=choice_answers(),
        test=choice_part("test"),
        embedder=delift_embedder,
        judge=[model_path(name) for name in judge_models(DELIFT["judge"])],
    output:
        scored="<results>/head_to_head/answers.jsonl",
        measured="<results>/head_to_head/answers.csv",
    log:
        "<logs>/head_to_head/score_answers.log",
    benchmark:
        "<benchmarks>/head_to_head/score_answers.tsv"
    priority: 40
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        pair=CHOICES["pair"],
        model=CHOICES["model"],
        compute=model_flags(),
        family=MODELS[DELIFT["embed"]["model"]]["family"],
        settings=as_json(
            {
                "measures": CHOICES["measures"],
                "known": {"measure": CHOICES["measures"][0], "threshold": 1.0},
                "likelihood": True,
                "judge": judge_settings(DELIFT["judge"]),
                "embed": {"pooling": DELIFT["embed"]["pooling"]},
            }
        ),
    shell:
        "python -m {params.module}"
        " --answers {input.answers:q} --test {input.test:q}"
        " --paper head_to_head --pair {params.pair:q} --model-name {params.model:q}"
        " --embedder {input.embedder:q} --embedder-family {params.family} {params.compute}"
        " --settings {params.settings:q} --scored-out {output.scored:q} --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule head_to_head_count_selection:
    """Count the operations with which each method chooses, by one formula."""
    input:
        script="scripts/head_to_head/count_selection.py",
        code=code_of("scripts/head_to_head/count_selection.py"),
        pool=choice_part("pool"),
        reference=choice_part("reference"),
        targets=choice_targets(),
        goal="<results>/head_to_head/targets.jsonl",
        model=choice_model,
        embedder=delift_embedder,
    output:
        operations="<results>/head_to_head/operations.csv",
    log:
        "<logs>/head_to_head/count_selection.log",
    benchmark:
        "<benchmarks>/head_to_head/count_selection.tsv"
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
        family=MODELS[shown_backbone()["model"]]["family"],
        distiller=lambda wildcards: f"mend={shown_distiller(wildcards)[1]}",
        arms=as_json(
            [{"method": "prompt", "kind": "icl"}, {"method": "vectors", "kind": "distilled", "source": "mend"}]
        ),
        settings=as_json(shown_evaluate_settings()),
        formats=as_json({**config["mend"]["formats"], "default": config["mend"]["formats"][shown_backbone()["format"]]}),
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


rule head_to_head_collect_metrics:
    """Gather every measured value of the head-to-head in the long schema."""
    input:
        script="scripts/head_to_head/collect_metrics.py",
        code=code_of("scripts/head_to_head/collect_metrics.py"),
        scores=[] if CHOICES["not_run"] else "<results>/head_to_head/answers.csv",
        subsets=[] if CHOICES["not_run"] else [f"<results>/head_to_head/subsets/{name}" for name in CHOICES["methods"]],
        operations=[] if CHOICES["not_run"] else "<results>/head_to_head/operations.csv",
        truth=[] if CHOICES["not_run"] else choice_truth,
        prompted=[] if SHOWN["not_run"] else "<results>/head_to_head/demonstrations/sets.csv",
        retrieved=[] if SHOWN["not_run"] else "<results>/head_to_head/demonstrations/retrieved.csv",
        showing=[] if SHOWN["not_run"] else "<results>/head_to_head/demonstrations/operations.csv",
    output:
        metrics="<results>/head_to_head/metrics.csv",
        notes="<results>/head_to_head/notes.csv",
    log:
        "<logs>/head_to_head/collect_metrics.log",
    benchmark:
        "<benchmarks>/head_to_head/collect_metrics.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        scores=lambda wildcards, input: flag("--scores", input.scores),
        operations=lambda wildcards, input: flag("--operations", input.operations),
        truth=lambda wildcards, input: flag("--truth", input.truth),
        shown=lambda wildcards, input: [
            *flag("--prompted", input.prompted),
            *flag("--retrieved", input.retrieved),
            *flag("--showing", input.showing),
        ],
        settings=HEAD_TO_HEAD_SETTINGS,
    shell:
        "python -m {params.module} {params.scores:q} {params.operations:q} {params.truth:q} {params.shown:q}"
        " --subsets {input.subsets:q}"
        " --settings {params.settings:q} --metrics-out {output.metrics:q} --notes-out {output.notes:q}"
        " > {log:q} 2>&1"


rule head_to_head_collect_times:
    """Gather the seconds that choosing and answering took in this run; they are no metrics."""
    input:
        script="scripts/head_to_head/collect_times.py",
        code=code_of("scripts/head_to_head/collect_times.py"),
        runs=[path for path, _ in choice_times() + shown_times()],
    output:
        times="<results>/head_to_head/times.csv",
    log:
        "<logs>/head_to_head/collect_times.log",
    benchmark:
        "<benchmarks>/head_to_head/collect_times.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        parts=[part for _, part in choice_times() + shown_times()],
    shell:
        "python -m {params.module} --runs {input.runs:q} --parts {params.parts:q} --times-out {output.times:q}"
        " > {log:q} 2>&1"


rule head_to_head_table_selection:
    """Methods that choose training data: what each reaches at each size, and the operations of choosing."""
    input:
        script="scripts/head_to_head/tabulate_artifact.py",
        code=code_of("scripts/head_to_head/tabulate_artifact.py"),
        metrics="<results>/head_to_head/metrics.csv",
        notes="<results>/head_to_head/notes.csv",
        published="config/published/head_to_head.csv",
    output:
        **table_files("head_to_head", "table_selection"),
    log:
        "<logs>/head_to_head/table_selection.log",
    benchmark:
        "<benchmarks>/head_to_head/table_selection.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        artifact=artifact_of,
        settings=HEAD_TO_HEAD_SETTINGS,
        tier=config["tier"],
    shell:
        "python -m {params.module} --artifact {params.artifact}"
        " --metrics {input.metrics:q} --notes {input.notes:q} --published {input.published:q}"
        " --tier {params.tier} --settings {params.settings:q}"
        " --csv-out {output.csv:q} --md-out {output.md:q} --tex-out {output.tex:q}"
        " > {log:q} 2>&1"


use rule head_to_head_table_selection as head_to_head_table_demonstrations with:
    """Ways to show a model demonstrations: accuracy, and the operations of training, preparing and asking."""
    output:
        **table_files("head_to_head", "table_demonstrations"),
    log:
        "<logs>/head_to_head/table_demonstrations.log",
    benchmark:
        "<benchmarks>/head_to_head/table_demonstrations.tsv"


rule head_to_head_table_time:
    """Seconds of choosing, by method, as measured in this run."""
    input:
        script="scripts/head_to_head/tabulate_time.py",
        code=code_of("scripts/head_to_head/tabulate_time.py"),
        times="<results>/head_to_head/times.csv",
    output:
        **table_files("head_to_head", "table_time"),
    log:
        "<logs>/head_to_head/table_time.log",
    benchmark:
        "<benchmarks>/head_to_head/table_time.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        artifact=artifact_of,
        settings=HEAD_TO_HEAD_SETTINGS,
        tier=config["tier"],
    shell:
        "python -m {params.module} --artifact {params.artifact} --times {input.times:q}"
        " --tier {params.tier} --settings {params.settings:q}"
        " --csv-out {output.csv:q} --md-out {output.md:q} --tex-out {output.tex:q}"
        " > {log:q} 2>&1"


use rule head_to_head_table_time as head_to_head_table_time_demonstrations with:
    """Seconds of answering behind each kind of demonstrations, as measured in this run."""
    output:
        **table_files("head_to_head", "table_time_demonstrations"),
    log:
        "<logs>/head_to_head/table_time_demonstrations.log",
    benchmark:
        "<benchmarks>/head_to_head/table_time_demonstrations.tsv"


rule head_to_head_figure_selection:
    """Methods that choose training data: result against the operations of choosing, a panel for each size."""
    input:
        script="scripts/head_to_head/plot_costs.py",
        code=code_of("scripts/head_to_head/plot_costs.py"),
        metrics="<results>/head_to_head/metrics.csv",
        notes="<results>/head_to_head/notes.csv",
        published="config/published/head_to_head.csv",
    output:
        **figure_files("head_to_head", "figure_selection"),
    log:
        "<logs>/head_to_head/figure_selection.log",
    benchmark:
        "<benchmarks>/head_to_head/figure_selection.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        artifact=artifact_of,
        settings=HEAD_TO_HEAD_SETTINGS,
        tier=config["tier"],
    shell:
        "python -m {params.module} --artifact {params.artifact}"
        " --metrics {input.metrics:q} --notes {input.notes:q} --published {input.published:q}"
        " --tier {params.tier} --settings {params.settings:q}"
        " --pdf-out {output.pdf:q} --png-out {output.png:q} --csv-out {output.csv:q}"
        " > {log:q} 2>&1"


use rule head_to_head_figure_selection as head_to_head_figure_demonstrations with:
    """Ways to show a model demonstrations: accuracy against the operations of a question, and of all with training."""
    output:
        **figure_files("head_to_head", "figure_demonstrations"),
    log:
        "<logs>/head_to_head/figure_demonstrations.log",
    benchmark:
        "<benchmarks>/head_to_head/figure_demonstrations.tsv"


rule head_to_head_figure_time:
    """Both halves of the head-to-head against the seconds measured in this run."""
    input:
        script="scripts/head_to_head/plot_times.py",
        code=code_of("scripts/head_to_head/plot_times.py"),
        times="<results>/head_to_head/times.csv",
        metrics="<results>/head_to_head/metrics.csv",
        notes="<results>/head_to_head/notes.csv",
        published="config/published/head_to_head.csv",
    output:
        **figure_files("head_to_head", "figure_time"),
    log:
        "<logs>/head_to_head/figure_time.log",
    benchmark:
        "<benchmarks>/head_to_head/figure_time.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        settings=HEAD_TO_HEAD_SETTINGS,
        tier=config["tier"],
    shell:
        "python -m {params.module} --times {input.times:q}"
        " --metrics {input.metrics:q} --notes {input.notes:q} --published {input.published:q}"
        " --tier {params.tier} --settings {params.settings:q}"
        " --pdf-out {output.pdf:q} --png-out {output.png:q} --csv-out {output.csv:q}"
        " > {log:q} 2>&1"


rule head_to_head_all:
    """Every table and figure of the head-to-head."""
    input:
        expand("<results>/tables/head_to_head_{table}.{suffix}", table=HEAD_TO_HEAD_TABLES, suffix=["csv", "md", "tex"]),
        expand(
            "<results>/figures/head_to_head_{figure}.{suffix}",
            figure=HEAD_TO_HEAD_FIGURES,
            suffix=["pdf", "png", "csv"],
        ),
    localrule: True
