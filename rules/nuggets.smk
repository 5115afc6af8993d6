# NUGGETS (ACL 2024): choose instruction data by how much each example helps as one shot.
include: "nuggets_runs.smk"


wildcard_constraints:
    anchors=one_of(NUGGETS["anchor_sets"]),


rule nuggets_embed_prompts:
    """Embed the examples of a dataset with the scoring model (K-means anchors and k-center selection)."""
    input:
        script="scripts/nuggets/embed_prompts.py",
        code=code_of("scripts/nuggets/embed_prompts.py"),
        pool=lambda wildcards: nuggets_examples(wildcards.dataset),
        model=model_folder,
    output:
        embeddings="<results>/nuggets/embeddings/{dataset}/{model}.safetensors",
    log:
        "<logs>/nuggets/embed_prompts/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/nuggets/embed_prompts/{dataset}/{model}.tsv"
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
                "prompt": config["prompts"][NUGGETS["score"]["prompt"]],
                "batch_tokens": config["compute"]["batch_tokens"],
                **NUGGETS["embed"],
            }
        ),
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} --model {input.model:q} {params.compute}"
        " --settings {params.settings:q} --embeddings-out {output.embeddings:q}"
        " > {log:q} 2>&1"


rule nuggets_select_anchors:
    """Draw one anchor set: the real examples nearest to K-means centres, or a random sample."""
    input:
        script="scripts/nuggets/select_anchors.py",
        code=code_of("scripts/nuggets/select_anchors.py"),
        pool=nuggets_examples(NUGGETS["anchor_dataset"]),
        embeddings=branch(
            lambda wildcards: NUGGETS["anchor_sets"][wildcards.anchors]["by"] == "kmeans",
            then=f"<results>/nuggets/embeddings/{NUGGETS['anchor_dataset']}/{{model}}.safetensors",
        ),
    output:
        anchors="<results>/nuggets/anchors/{dataset}/{model}/{anchors}.jsonl",
    log:
        "<logs>/nuggets/select_anchors/{dataset}/{model}/{anchors}.log",
    benchmark:
        "<benchmarks>/nuggets/select_anchors/{dataset}/{model}/{anchors}.tsv"
    priority: 100
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        embeddings=lambda wildcards, input: flag("--embeddings", input.embeddings),
        anchor_set=lambda wildcards: json_text(NUGGETS["anchor_sets"][wildcards.anchors]),
        seed=config["data"]["seed"],
        threads=config["compute"]["threads"],
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} {params.embeddings:q} --anchor-set {params.anchor_set:q}"
        " --seed {params.seed} --threads {params.threads} --anchors-out {output.anchors:q}"
        " > {log:q} 2>&1"


rule nuggets_score_candidates:
    """Score one shard of the pool: on how many anchors does each candidate, as one shot, raise the likelihood."""
    input:
        script="scripts/nuggets/score_candidates.py",
        code=code_of("scripts/nuggets/score_candidates.py"),
        pool=lambda wildcards: nuggets_examples(wildcards.dataset),
        anchors="<results>/nuggets/anchors/{dataset}/{model}/{anchors}.jsonl",
        model=model_folder,
    output:
        scores="<results>/nuggets/scores/{dataset}/{model}/{anchors}/shard_{start}.jsonl",
        raw="<results>/nuggets/scores/{dataset}/{model}/{anchors}/shard_{start}.raw.safetensors",
    log:
        "<logs>/nuggets/score_candidates/{dataset}/{model}/{anchors}/shard_{start}.log",
    benchmark:
        "<benchmarks>/nuggets/score_candidates/{dataset}/{model}/{anchors}/shard_{start}.tsv"
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
        stop=lambda wildcards: int(wildcards.start) + NUGGETS["score"]["shard_size"],
        settings=as_json(
            {
                **{key: value for key, value in NUGGETS["score"].items() if key != "shard_size"},
                "prompt": config["prompts"][NUGGETS["score"]["prompt"]],
                "batch_tokens": config["compute"]["batch_tokens"],
            }
        ),
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} --anchors {input.anchors:q}"
        " --model {input.model:q} {params.compute}"
        " --start {wildcards.start} --stop {params.stop} --settings {params.settings:q}"
        " --scores-out {output.scores:q} --raw-out {output.raw:q}"
        " > {log:q} 2>&1"


rule nuggets_collect_scores:
    """Merge the shards of one anchor set: scores in pool order, and the pool sorted by score."""
    input:
        script="scripts/nuggets/collect_scores.py",
        code=code_of("scripts/nuggets/collect_scores.py"),
        pool=lambda wildcards: nuggets_examples(wildcards.dataset),
        shards=expand(
            "<results>/nuggets/scores/{{dataset}}/{{model}}/{{anchors}}/shard_{start}.jsonl",
            start=nuggets_shards(),
        ),
        raws=expand(
            "<results>/nuggets/scores/{{dataset}}/{{model}}/{{anchors}}/shard_{start}.raw.safetensors",
            start=nuggets_shards(),
        ),
    output:
        scores="<results>/nuggets/scores/{dataset}/{model}/{anchors}/scores.csv",
        raw="<results>/nuggets/scores/{dataset}/{model}/{anchors}/raw.safetensors",
        sorted_pool="<results>/nuggets/scores/{dataset}/{model}/{anchors}/sorted_pool.jsonl",
    log:
        "<logs>/nuggets/collect_scores/{dataset}/{model}/{anchors}.log",
    benchmark:
        "<benchmarks>/nuggets/collect_scores/{dataset}/{model}/{anchors}.tsv"
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


rule nuggets_score_difficulty:
    """Score the pool by the baselines' measures: perplexity, instruction-following difficulty (IFD), length."""
    input:
        script="scripts/nuggets/score_difficulty.py",
        code=code_of("scripts/nuggets/score_difficulty.py"),
        pool=lambda wildcards: nuggets_examples(wildcards.dataset),
        model=model_folder,
    output:
        difficulty="<results>/nuggets/difficulty/{dataset}/{model}.csv",
    log:
        "<logs>/nuggets/score_difficulty/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/nuggets/score_difficulty/{dataset}/{model}.tsv"
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
                "prompt": config["prompts"][NUGGETS["score"]["prompt"]],
                "batch_tokens": config["compute"]["batch_tokens"],
            }
        ),
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} --model {input.model:q} {params.compute}"
        " --settings {params.settings:q} --difficulty-out {output.difficulty:q}"
        " > {log:q} 2>&1"


rule nuggets_select_subset:
    """Choose the training examples of one method, for every seed."""
    input:
        script="scripts/nuggets/select_subset.py",
        code=code_of("scripts/nuggets/select_subset.py"),
        pool=lambda wildcards: nuggets_examples(wildcards.dataset),
        scores=branch(
            nuggets_needs("golden_scores"),
            then="<results>/nuggets/scores/{dataset}/{model}/{anchors}/scores.csv",
        ),
        difficulty=branch(
            nuggets_needs("difficulty", "ifd"),
            then="<results>/nuggets/difficulty/{dataset}/{model}.csv",
        ),
        embeddings=branch(
            nuggets_needs("embeddings"),
            then="<results>/nuggets/embeddings/{dataset}/{model}.safetensors",
        ),
    output:
        subsets=directory("<results>/nuggets/subsets/{dataset}/{model}/{anchors}/{method}"),
    log:
        "<logs>/nuggets/select_subset/{dataset}/{model}/{anchors}/{method}.log",
    benchmark:
        "<benchmarks>/nuggets/select_subset/{dataset}/{model}/{anchors}/{method}.tsv"
    priority: 80
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        scores=lambda wildcards, input: flag("--scores", input.scores),
        difficulty=lambda wildcards, input: flag("--difficulty", input.difficulty),
        embeddings=lambda wildcards, input: flag("--embeddings", input.embeddings),
        method=lambda wildcards: json_text(NUGGETS["methods"][wildcards.method]),
        fraction=NUGGETS["subset_fraction"],
        seeds=NUGGETS["seeds"],
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} {params.scores:q} {params.difficulty:q} {params.embeddings:q}"
        " --name {wildcards.method:q} --method {params.method:q} --size-fraction {params.fraction}"
        " --seeds {params.seeds} --subsets-out {output.subsets:q}"
        " > {log:q} 2>&1"


rule nuggets_train_model:
    """Fine-tune the model on the subsets of several runs, for every seed."""
    input:
        script="scripts/nuggets/train_model.py",
        code=code_of("scripts/nuggets/train_model.py"),
        subsets=lambda wildcards: [
            f"<results>/nuggets/subsets/{wildcards.dataset}/{wildcards.model}/{run}"
            for run in nuggets_trained_runs(wildcards)
        ],
        model=model_folder,
    output:
        models=kept(
            directory("<results>/nuggets/train/{dataset}/{model}/runs_{start}"),
            NUGGETS["keep_models"],
        ),
        history="<results>/nuggets/train/{dataset}/{model}/runs_{start}.json",
    log:
        "<logs>/nuggets/train_model/{dataset}/{model}/runs_{start}.log",
    benchmark:
        "<benchmarks>/nuggets/train_model/{dataset}/{model}/runs_{start}.tsv"
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"] * NUGGETS["finetune"]["devices"]
    resources:
        gpu=config["compute"]["gpus"] * NUGGETS["finetune"]["devices"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        module=as_py_module(),
        launcher=launcher(NUGGETS["finetune"]["devices"]),
        compute=model_flags(),
        runs=nuggets_trained_runs,
        rules=lambda wildcards: [json_text(nuggets_rule(run)) for run in nuggets_trained_runs(wildcards)],
        prompt=as_json(config["prompts"][NUGGETS["finetune"]["prompt"]]),
        settings=as_json({key: value for key, value in NUGGETS["finetune"].items() if key != "prompt"}),
        seeds=NUGGETS["seeds"],
        checkpoints=f"{RESULTS}/nuggets/checkpoints",
    shell:
        "{params.launcher} -m {params.module}"
        " --runs {params.runs:q} --subsets {input.subsets:q} --rules {params.rules:q} --seeds {params.seeds}"
        " --model {input.model:q} {params.compute}"
        " --prompt {params.prompt:q} --settings {params.settings:q} --checkpoints {params.checkpoints:q}"
        " --models-out {output.models:q} --history-out {output.history:q}"
        " > {log:q} 2>&1"


rule nuggets_generate_answers:
    """Let the models of several runs answer both benchmarks, and measure the likelihood of the reference answers."""
    input:
        script="scripts/nuggets/generate_answers.py",
        code=code_of("scripts/nuggets/generate_answers.py"),
        model=model_folder,
        models=branch(
            nuggets_trained_runs,
            then="<results>/nuggets/train/{dataset}/{model}/runs_{start}",
        ),
        alpaca_eval=f"<results>/data/examples/{NUGGETS['benchmarks']['alpaca_eval']}/test.jsonl",
        mt_bench=f"<results>/data/examples/{NUGGETS['benchmarks']['mt_bench']}/test.jsonl",
    output:
        answers=directory("<results>/nuggets/answers/{dataset}/{model}/runs_{start}"),
    log:
        "<logs>/nuggets/generate_answers/{dataset}/{model}/runs_{start}.log",
    benchmark:
        "<benchmarks>/nuggets/generate_answers/{dataset}/{model}/runs_{start}.tsv"
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
        models=lambda wildcards, input: flag("--models", input.models),
        prompt=as_json(config["prompts"][NUGGETS["finetune"]["prompt"]]),
        turn_separator=NUGGETS["generate"]["turn_separator"],
        settings=as_json(
            {
                **{key: value for key, value in NUGGETS["generate"].items() if key != "turn_separator"},
                "batch_tokens": config["compute"]["batch_tokens"],
            }
        ),
        runs=nuggets_job_runs,
        untrained=lambda wildcards: ["--untrained", *nuggets_untrained_runs(wildcards)],
        seeds=NUGGETS["seeds"],
    shell:
        "python -m {params.module}"
        " --model {input.model:q} {params.models:q} {params.compute}"
        " --runs {params.runs:q} {params.untrained:q} --seeds {params.seeds}"
        " --alpaca-eval {input.alpaca_eval:q} --mt-bench {input.mt_bench:q}"
        " --prompt {params.prompt:q} --turn-separator {params.turn_separator:q} --settings {params.settings:q}"
        " --answers-out {output.answers:q}"
        " > {log:q} 2>&1"


rule nuggets_judge_answers:
    """Judge the answers of all models: AlpacaEval in pairs with the baseline, MT-Bench by grades, or method against method."""
    input:
        script="scripts/nuggets/judge_answers.py",
        code=code_of("scripts/nuggets/judge_answers.py"),
        answers=lambda wildcards: nuggets_answer_jobs(wildcards.mode),
        examples=lambda wildcards: "<results>/data/examples/{}/test.jsonl".format(
            NUGGETS["benchmarks"]["mt_bench" if wildcards.mode == "mt_bench" else "alpaca_eval"]
        ),
        judge=[model_path(name) for name in judge_models(NUGGETS["judge"])],
    output:
        judgements="<results>/nuggets/judgements/{mode}.jsonl",
        metrics="<results>/nuggets/judgements/{mode}.csv",
    log:
        "<logs>/nuggets/judge_answers/{mode}.log",
    benchmark:
        "<benchmarks>/nuggets/judge_answers/{mode}.tsv"
    wildcard_constraints:
        mode="alpaca_eval|mt_bench|pairwise",
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"]
    resources:
        gpu=config["compute"]["gpus"] if NUGGETS["judge"]["backend"] == "local" else 0,
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        module=as_py_module(),
        runs=lambda wildcards: nuggets_runs(wildcards.mode),
        answers=lambda wildcards: nuggets_answers(wildcards.mode),
        reference=lambda wildcards: (
            flag("--reference-run", f"{NUGGETS['anchors']}/{NUGGETS['figure_pairwise']['reference']}")
            if wildcards.mode == "pairwise"
            else []
        ),
        settings=as_json(judge_settings(NUGGETS["judge"])),
        device=config["compute"]["device"],
        threads=config["compute"]["threads"],
    shell:
        "python -m {params.module}"
        " --mode {wildcards.mode} --examples {input.examples:q}"
        " --runs {params.runs:q} --answers {params.answers:q} {params.reference:q}"
        " --settings {params.settings:q} --device {params.device} --threads {params.threads}"
        " --judgements-out {output.judgements:q} --metrics-out {output.metrics:q}"
        " > {log:q} 2>&1"


rule nuggets_collect_metrics:
    """Gather every measured value of NUGGETS in the long schema."""
    input:
        script="scripts/nuggets/collect_metrics.py",
        code=code_of("scripts/nuggets/collect_metrics.py"),
        alpaca_eval="<results>/nuggets/judgements/alpaca_eval.csv",
        mt_bench="<results>/nuggets/judgements/mt_bench.csv",
        pairwise="<results>/nuggets/judgements/pairwise.csv",
        answers=nuggets_answer_jobs("all"),
        scores=expand(
            f"<results>/nuggets/scores/{NUGGETS_POOL}/{{anchors}}/scores.csv",
            anchors=nuggets_anchor_sets(),
        ),
        raw=f"<results>/nuggets/scores/{NUGGETS_MAIN}/raw.safetensors",
        difficulty=f"<results>/nuggets/difficulty/{NUGGETS_POOL}.csv",
        truth=f"<results>/data/examples/{NUGGETS['truth']}/train.jsonl" if NUGGETS["truth"] else [],
    output:
        metrics="<results>/nuggets/metrics.csv",
        notes="<results>/nuggets/notes.csv",
        roc="<results>/nuggets/roc.csv",
    log:
        "<logs>/nuggets/collect_metrics.log",
    benchmark:
        "<benchmarks>/nuggets/collect_metrics.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        runs=nuggets_runs("all"),
        answers=nuggets_answers("all"),
        anchor_sets=nuggets_anchor_sets(),
        truth=lambda wildcards, input: flag("--truth", input.truth),
        settings=NUGGETS_SETTINGS,
    shell:
        "python -m {params.module}"
        " --alpaca-eval {input.alpaca_eval:q} --mt-bench {input.mt_bench:q} --pairwise {input.pairwise:q}"
        " --runs {params.runs:q} --answers {params.answers:q}"
        " --anchor-sets {params.anchor_sets:q} --scores {input.scores:q} --raw {input.raw:q}"
        " --difficulty {input.difficulty:q} {params.truth:q} --settings {params.settings:q}"
        " --metrics-out {output.metrics:q} --notes-out {output.notes:q} --roc-out {output.roc:q}"
        " > {log:q} 2>&1"


rule nuggets_table_1:
    """Table 1: AlpacaEval win rate by group, answer length, size of each subset."""
    input:
        script="scripts/nuggets/tabulate_artifact.py",
        code=code_of("scripts/nuggets/tabulate_artifact.py"),
        metrics="<results>/nuggets/metrics.csv",
        notes="<results>/nuggets/notes.csv",
        published="config/published/nuggets.csv",
    output:
        **table_files("nuggets", "table_1"),
    log:
        "<logs>/nuggets/table_1.log",
    benchmark:
        "<benchmarks>/nuggets/table_1.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        artifact=artifact_of,
        settings=NUGGETS_SETTINGS,
        tier=config["tier"],
    shell:
        "python -m {params.module} --artifact {params.artifact}"
        " --metrics {input.metrics:q} --notes {input.notes:q} --published {input.published:q}"
        " --tier {params.tier} --settings {params.settings:q}"
        " --csv-out {output.csv:q} --md-out {output.md:q} --tex-out {output.tex:q}"
        " > {log:q} 2>&1"


use rule nuggets_table_1 as nuggets_table_2 with:
    """Table 2: MT-Bench grade by category."""
    output:
        **table_files("nuggets", "table_2"),
    log:
        "<logs>/nuggets/table_2.log",
    benchmark:
        "<benchmarks>/nuggets/table_2.tsv"


use rule nuggets_table_1 as nuggets_table_3 with:
    """Table 3: AlpacaEval win rate by anchor set and threshold."""
    output:
        **table_files("nuggets", "table_3"),
    log:
        "<logs>/nuggets/table_3.log",
    benchmark:
        "<benchmarks>/nuggets/table_3.tsv"


use rule nuggets_table_1 as nuggets_table_baselines with:
    """Beyond the paper: NUGGETS beside perplexity, IFD, length, k-center and random subsets of equal size."""
    output:
        **table_files("nuggets", "table_baselines"),
    log:
        "<logs>/nuggets/table_baselines.log",
    benchmark:
        "<benchmarks>/nuggets/table_baselines.tsv"


use rule nuggets_table_1 as nuggets_table_selection_quality with:
    """Beyond the paper: how well each score separates known good from known bad examples."""
    output:
        **table_files("nuggets", "table_selection_quality"),
    log:
        "<logs>/nuggets/table_selection_quality.log",
    benchmark:
        "<benchmarks>/nuggets/table_selection_quality.tsv"


use rule nuggets_table_1 as nuggets_table_racing with:
    """Beyond the paper: anchor evaluations that exact early stopping saves."""
    output:
        **table_files("nuggets", "table_racing"),
    log:
        "<logs>/nuggets/table_racing.log",
    benchmark:
        "<benchmarks>/nuggets/table_racing.tsv"


rule nuggets_table_cases:
    """The case table: the examples with the highest and the lowest golden scores."""
    input:
        script="scripts/nuggets/tabulate_cases.py",
        code=code_of("scripts/nuggets/tabulate_cases.py"),
        sorted_pool=f"<results>/nuggets/scores/{NUGGETS_MAIN}/sorted_pool.jsonl",
        truth=f"<results>/data/examples/{NUGGETS['truth']}/train.jsonl" if NUGGETS["truth"] else [],
    output:
        **table_files("nuggets", "table_cases"),
    log:
        "<logs>/nuggets/table_cases.log",
    benchmark:
        "<benchmarks>/nuggets/table_cases.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        truth=lambda wildcards, input: flag("--truth", input.truth),
        n_cases=NUGGETS["table_cases"]["n"],
        tier=config["tier"],
    shell:
        "python -m {params.module}"
        " --sorted-pool {input.sorted_pool:q} {params.truth:q} --cases {params.n_cases} --tier {params.tier}"
        " --csv-out {output.csv:q} --md-out {output.md:q} --tex-out {output.tex:q}"
        " > {log:q} 2>&1"


rule nuggets_figure_scores:
    """The score curve: golden scores in ascending order and the examples below each threshold."""
    input:
        script="scripts/nuggets/plot_scores.py",
        code=code_of("scripts/nuggets/plot_scores.py"),
        scores=f"<results>/nuggets/scores/{NUGGETS_MAIN}/scores.csv",
        metrics="<results>/nuggets/metrics.csv",
        published="config/published/nuggets.csv",
    output:
        **figure_files("nuggets", "figure_scores"),
    log:
        "<logs>/nuggets/figure_scores.log",
    benchmark:
        "<benchmarks>/nuggets/figure_scores.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        dataset=NUGGETS["dataset"],
        model=NUGGETS["model"],
        tier=config["tier"],
    shell:
        "python -m {params.module} --scores {input.scores:q} --metrics {input.metrics:q} --published {input.published:q}"
        " --dataset {params.dataset:q} --model {params.model:q} --tier {params.tier}"
        " --pdf-out {output.pdf:q} --png-out {output.png:q} --csv-out {output.csv:q}"
        " > {log:q} 2>&1"


rule nuggets_figure_pairwise:
    """The pairwise figure: wins, ties and losses of each subset against the full pool."""
    input:
        script="scripts/nuggets/plot_pairwise.py",
        code=code_of("scripts/nuggets/plot_pairwise.py"),
        metrics="<results>/nuggets/metrics.csv",
        notes="<results>/nuggets/notes.csv",
    output:
        **figure_files("nuggets", "figure_pairwise"),
    log:
        "<logs>/nuggets/figure_pairwise.log",
    benchmark:
        "<benchmarks>/nuggets/figure_pairwise.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        reference=NUGGETS["figure_pairwise"]["reference"],
        methods=NUGGETS["figure_pairwise"]["methods"],
        tier=config["tier"],
    shell:
        "python -m {params.module} --metrics {input.metrics:q} --notes {input.notes:q}"
        " --reference {params.reference:q} --methods {params.methods:q} --tier {params.tier}"
        " --pdf-out {output.pdf:q} --png-out {output.png:q} --csv-out {output.csv:q}"
        " > {log:q} 2>&1"


rule nuggets_figure_cases:
    """The case figure: the highest and the lowest scored examples."""
    input:
        script="scripts/nuggets/plot_cases.py",
        code=code_of("scripts/nuggets/plot_cases.py"),
        cases="<results>/tables/nuggets_table_cases.csv",
    output:
        **figure_files("nuggets", "figure_cases"),
    log:
        "<logs>/nuggets/figure_cases.log",
    benchmark:
        "<benchmarks>/nuggets/figure_cases.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        tier=config["tier"],
    shell:
        "python -m {params.module} --cases {input.cases:q} --tier {params.tier}"
        " --pdf-out {output.pdf:q} --png-out {output.png:q} --csv-out {output.csv:q}"
        " > {log:q} 2>&1"


rule nuggets_figure_selection_quality:
    """Beyond the paper: ROC curves of the scores, and exact match after training on each subset."""
    input:
        script="scripts/nuggets/plot_selection_quality.py",
        code=code_of("scripts/nuggets/plot_selection_quality.py"),
        roc="<results>/nuggets/roc.csv",
        metrics="<results>/nuggets/metrics.csv",
        notes="<results>/nuggets/notes.csv",
    output:
        **figure_files("nuggets", "figure_selection_quality"),
    log:
        "<logs>/nuggets/figure_selection_quality.log",
    benchmark:
        "<benchmarks>/nuggets/figure_selection_quality.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        methods=NUGGETS["table_baselines"]["methods"],
        tier=config["tier"],
    shell:
        "python -m {params.module} --roc {input.roc:q} --metrics {input.metrics:q} --notes {input.notes:q}"
        " --methods {params.methods:q} --tier {params.tier}"
        " --pdf-out {output.pdf:q} --png-out {output.png:q} --csv-out {output.csv:q}"
        " > {log:q} 2>&1"


rule nuggets_figure_anchor_sizes:
    """Beyond the paper: how many anchors the golden score needs."""
    input:
        script="scripts/nuggets/plot_anchor_sizes.py",
        code=code_of("scripts/nuggets/plot_anchor_sizes.py"),
        metrics="<results>/nuggets/metrics.csv",
        notes="<results>/nuggets/notes.csv",
    output:
        **figure_files("nuggets", "figure_anchor_sizes"),
    log:
        "<logs>/nuggets/figure_anchor_sizes.log",
    benchmark:
        "<benchmarks>/nuggets/figure_anchor_sizes.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        tier=config["tier"],
    shell:
        "python -m {params.module} --metrics {input.metrics:q} --notes {input.notes:q} --tier {params.tier}"
        " --pdf-out {output.pdf:q} --png-out {output.png:q} --csv-out {output.csv:q}"
        " > {log:q} 2>&1"


rule nuggets_original_rows:
    """Write the chosen rows of one method in the form in which the pool came: conversations, Alpaca rows, tables."""
    input:
        script="scripts/data/original_rows.py",
        code=code_of("scripts/data/original_rows.py"),
        raw=lambda wildcards: raw_file(wildcards.dataset, "train"),
        chosen="<results>/nuggets/subsets/{dataset}/{model}/{anchors}/{method}",
    output:
        rows=directory("<results>/nuggets/original_rows/{dataset}/{model}/{anchors}/{method}"),
    log:
        "<logs>/nuggets/original_rows/{dataset}/{model}/{anchors}/{method}.log",
    benchmark:
        "<benchmarks>/nuggets/original_rows/{dataset}/{model}/{anchors}/{method}.tsv"
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        settings=lambda wildcards: json_text(prepare_settings(DATASETS, wildcards.dataset, "train")),
    shell:
        "python -m {params.module}"
        " --raw {input.raw:q} --settings {params.settings:q} --chosen {input.chosen:q} --rows-out {output.rows:q}"
        " > {log:q} 2>&1"


rule nuggets_all:
    """Every NUGGETS table and figure."""
    input:
        expand("<results>/tables/nuggets_{table}.{suffix}", table=NUGGETS_TABLES, suffix=["csv", "md", "tex"]),
        expand("<results>/figures/nuggets_{figure}.{suffix}", figure=NUGGETS_FIGURES, suffix=["pdf", "png", "csv"]),
    localrule: True


rule nuggets_choose:
    """Only choose: the golden score of every candidate, the sorted pool, and the best-scored subset, as it came too."""
    input:
        f"<results>/nuggets/scores/{NUGGETS_MAIN}/sorted_pool.jsonl",
        f"<results>/nuggets/subsets/{NUGGETS_MAIN}/top",
        f"<results>/nuggets/original_rows/{NUGGETS_MAIN}/top",
    localrule: True
