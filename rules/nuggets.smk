# NUGGETS (ACL 2024): choose instruction data by how much each example helps as one shot.
from scripts.nuggets.settings_choose import MarkSettings as NuggetsMark
from scripts.nuggets.settings_embed import EmbedSettings as NuggetsEmbed
from scripts.nuggets.settings_finetune import TrainSettings as NuggetsTrain
from scripts.nuggets.settings_generate import AnswerSettings as NuggetsAnswer
from scripts.nuggets.settings_score import ScoreSettings as NuggetsScore
from scripts.nuggets.settings_score import difficulty_values


include: "nuggets_files.smk"


wildcard_constraints:
    scorer="nuggets|head_to_head",  # whose pool and goal are meant
    anchors=one_of([*NUGGETS["anchor_sets"], UNSCORED, GOAL]),
    benchmark=one_of(NUGGETS["benchmarks"]),
    mode=one_of(BENCHMARK_OF),


rule nuggets_embed_prompts:
    """Embed the examples of a dataset with the scoring model (K-means anchors and k-center selection)."""
    input:
        script="scripts/nuggets/embed_prompts.py",
        code=code_of("scripts/nuggets/embed_prompts.py"),
        pool=lambda wildcards: NUGGETS_PLAN.pool(wildcards.dataset).examples,
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
        settings=as_json(NuggetsEmbed.of(config)),
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
        pool=NUGGETS_PLAN.pool(NUGGETS["anchor_dataset"]).examples,
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
        pool=nuggets_pool,
        anchors=nuggets_anchors,
        model=model_folder,
    output:
        scores="<results>/{scorer}/scores/{dataset}/{model}/{anchors}/shard_{start}.jsonl",
        raw="<results>/{scorer}/scores/{dataset}/{model}/{anchors}/shard_{start}.raw.safetensors",
        run="<results>/{scorer}/scores/{dataset}/{model}/{anchors}/shard_{start}.run.json",
    log:
        "<logs>/nuggets/score_candidates/{scorer}/{dataset}/{model}/{anchors}/shard_{start}.log",
    benchmark:
        "<benchmarks>/nuggets/score_candidates/{scorer}/{dataset}/{model}/{anchors}/shard_{start}.tsv"
    wildcard_constraints:
        dataset=POOLS,
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
        settings=as_json(NuggetsScore.of(config)),
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} --anchors {input.anchors:q}"
        " --model {input.model:q} {params.compute}"
        " --start {wildcards.start} --stop {params.stop} --settings {params.settings:q}"
        " --scores-out {output.scores:q} --raw-out {output.raw:q} --run-out {output.run:q}"
        " > {log:q} 2>&1"


rule nuggets_collect_scores:
    """Merge the shards of one anchor set: scores in pool order, and the pool sorted by score."""
    input:
        script="scripts/nuggets/collect_scores.py",
        code=code_of("scripts/nuggets/collect_scores.py"),
        pool=nuggets_pool,
        shards=nuggets_shards("jsonl"),
        raws=nuggets_shards("raw.safetensors"),
    output:
        scores="<results>/{scorer}/scores/{dataset}/{model}/{anchors}/scores.csv",
        raw="<results>/{scorer}/scores/{dataset}/{model}/{anchors}/raw.safetensors",
        sorted_pool="<results>/{scorer}/scores/{dataset}/{model}/{anchors}/sorted_pool.jsonl",
    log:
        "<logs>/nuggets/collect_scores/{scorer}/{dataset}/{model}/{anchors}.log",
    benchmark:
        "<benchmarks>/nuggets/collect_scores/{scorer}/{dataset}/{model}/{anchors}.tsv"
    wildcard_constraints:
        dataset=POOLS,
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
        pool=nuggets_pool,
        model=model_folder,
    output:
        difficulty="<results>/{scorer}/difficulty/{dataset}/{model}.csv",
        run="<results>/{scorer}/difficulty/{dataset}/{model}.run.json",
    log:
        "<logs>/nuggets/score_difficulty/{scorer}/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/nuggets/score_difficulty/{scorer}/{dataset}/{model}.tsv"
    wildcard_constraints:
        dataset=POOLS,
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
        settings=as_json(difficulty_values(config)),
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} --model {input.model:q} {params.compute}"
        " --settings {params.settings:q} --difficulty-out {output.difficulty:q} --run-out {output.run:q}"
        " > {log:q} 2>&1"


rule nuggets_select_subset:
    """Choose the training examples of one method, for every seed."""
    input:
        script="scripts/nuggets/select_subset.py",
        code=code_of("scripts/nuggets/select_subset.py"),
        pool=lambda wildcards: NUGGETS_PLAN.pool(wildcards.dataset).examples,
        scores=branch(
            lambda wildcards: NUGGETS_PLAN.method_needs(wildcards.method, "golden_scores"),
            then="<results>/nuggets/scores/{dataset}/{model}/{anchors}/scores.csv",
        ),
        difficulty=branch(
            lambda wildcards: NUGGETS_PLAN.method_needs(wildcards.method, "difficulty", "ifd"),
            then="<results>/nuggets/difficulty/{dataset}/{model}.csv",
        ),
        embeddings=branch(
            lambda wildcards: NUGGETS_PLAN.method_needs(wildcards.method, "embeddings"),
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
            f"<results>/nuggets/subsets/{wildcards.dataset}/{wildcards.model}/{run.name}"
            for run in NUGGETS_PLAN.trained_in(int(wildcards.start))
        ],
        model=model_folder,
    output:
        models=kept(
            directory("<results>/nuggets/train/{dataset}/{model}/runs_{start}"),
            NUGGETS["keep_models"],
        ),
        history="<results>/nuggets/train/{dataset}/{model}/runs_{start}.json",
        measured="<results>/nuggets/measured/subsets/{dataset}/{model}/runs_{start}.csv",
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
        runs=lambda wildcards: [run.name for run in NUGGETS_PLAN.trained_in(int(wildcards.start))],
        rules=lambda wildcards: [
            json_text(NUGGETS["methods"][run.method]) for run in NUGGETS_PLAN.trained_in(int(wildcards.start))
        ],
        prompt=as_json(config["prompts"][NUGGETS["finetune"]["prompt"]]),
        settings=as_json(NuggetsTrain.of(config)),
        seeds=NUGGETS["seeds"],
        checkpoints=f"{RESULTS}/nuggets/checkpoints",
    shell:
        "{params.launcher} -m {params.module}"
        " --runs {params.runs:q} --subsets {input.subsets:q} --rules {params.rules:q} --seeds {params.seeds}"
        " --model {input.model:q} --model-name {wildcards.model:q} {params.compute}"
        " --prompt {params.prompt:q} --settings {params.settings:q} --checkpoints {params.checkpoints:q}"
        " --models-out {output.models:q} --history-out {output.history:q} --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule nuggets_generate_answers:
    """Let the models of several runs answer a benchmark, and measure the likelihood of the reference answers."""
    input:
        script="scripts/nuggets/generate_answers.py",
        code=code_of("scripts/nuggets/generate_answers.py"),
        model=model_folder,
        models=branch(
            lambda wildcards: any(
                map(NUGGETS_PLAN.trained, NUGGETS_PLAN.answered_in(wildcards.benchmark, int(wildcards.start)))
            ),
            then="<results>/nuggets/train/{dataset}/{model}/runs_{start}",
        ),
        examples=lambda wildcards: NUGGETS_PLAN.questions(wildcards.benchmark),
    output:
        answers=directory("<results>/nuggets/answers/{dataset}/{model}/{benchmark}/runs_{start}"),
        measured="<results>/nuggets/measured/likelihood/{benchmark}/{dataset}/{model}/runs_{start}.csv",
    log:
        "<logs>/nuggets/generate_answers/{dataset}/{model}/{benchmark}/runs_{start}.log",
    benchmark:
        "<benchmarks>/nuggets/generate_answers/{dataset}/{model}/{benchmark}/runs_{start}.tsv"
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
        settings=as_json(NuggetsAnswer.of(config)),
        runs=lambda wildcards: [run.name for run in NUGGETS_PLAN.answered_in(wildcards.benchmark, int(wildcards.start))],
        untrained=lambda wildcards: [
            run.name
            for run in NUGGETS_PLAN.answered_in(wildcards.benchmark, int(wildcards.start))
            if not NUGGETS_PLAN.trained(run)
        ],
        seeds=NUGGETS["seeds"],
    shell:
        "python -m {params.module}"
        " --model {input.model:q} --model-name {wildcards.model:q} {params.models:q} {params.compute}"
        " --runs {params.runs:q} --untrained {params.untrained:q} --seeds {params.seeds}"
        " --benchmark {wildcards.benchmark:q} --examples {input.examples:q}"
        " --prompt {params.prompt:q} --turn-separator {params.turn_separator:q} --settings {params.settings:q}"
        " --answers-out {output.answers:q} --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule nuggets_judge_answers:
    """Judge the answers of several runs: AlpacaEval in pairs with the baseline, MT-Bench by grades, or method against method."""
    input:
        script="scripts/nuggets/judge_answers.py",
        code=code_of("scripts/nuggets/judge_answers.py"),
        answers=lambda wildcards: unique(
            f"<results>/{NUGGETS_PLAN.answer_job(run, BENCHMARK_OF[wildcards.mode])}"
            for run in NUGGETS_PLAN.with_reference(wildcards.mode, int(wildcards.start))
        ),
        examples=lambda wildcards: NUGGETS_PLAN.questions(BENCHMARK_OF[wildcards.mode]),
        judge=[model_path(name) for name in judge_models(NUGGETS["judge"])],
    output:
        judgements="<results>/nuggets/judgements/{mode}/{dataset}/{model}/runs_{start}.jsonl",
        measured="<results>/nuggets/measured/judged/{mode}/{dataset}/{model}/runs_{start}.csv",
    log:
        "<logs>/nuggets/judge_answers/{mode}/{dataset}/{model}/runs_{start}.log",
    benchmark:
        "<benchmarks>/nuggets/judge_answers/{mode}/{dataset}/{model}/runs_{start}.tsv"
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"]
    resources:
        gpu=config["compute"]["gpus"] if NUGGETS["judge"]["backend"] == "local" else 0,
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        module=as_py_module(),
        runs=lambda wildcards: [run.name for run in NUGGETS_PLAN.with_reference(wildcards.mode, int(wildcards.start))],
        answers=lambda wildcards: [
            f"{RESULTS}/{NUGGETS_PLAN.answer_job(run, BENCHMARK_OF[wildcards.mode])}/{run.name}"
            for run in NUGGETS_PLAN.with_reference(wildcards.mode, int(wildcards.start))
        ],
        reference=lambda wildcards: (
            ["--reference-run", NUGGETS_PLAN.reference().name] if wildcards.mode == "pairwise" else []
        ),
        settings=as_json(judge_settings(NUGGETS["judge"])),
        device=config["compute"]["device"],
        threads=config["compute"]["threads"],
    shell:
        "python -m {params.module}"
        " --mode {wildcards.mode} --examples {input.examples:q}"
        " --runs {params.runs:q} --answers {params.answers:q} {params.reference:q} --model-name {wildcards.model:q}"
        " --settings {params.settings:q} --device {params.device} --threads {params.threads}"
        " --judgements-out {output.judgements:q} --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule nuggets_count_scores:
    """Count the examples that score at most each threshold."""
    input:
        script="scripts/nuggets/count_scores.py",
        code=code_of("scripts/nuggets/count_scores.py"),
        scores="<results>/nuggets/scores/{dataset}/{model}/{anchors}/scores.csv",
        raw="<results>/nuggets/scores/{dataset}/{model}/{anchors}/raw.safetensors",
    output:
        measured="<results>/nuggets/measured/golden_scores/{dataset}/{model}/{anchors}.csv",
    log:
        "<logs>/nuggets/count_scores/{dataset}/{model}/{anchors}.log",
    benchmark:
        "<benchmarks>/nuggets/count_scores/{dataset}/{model}/{anchors}.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        seed=config["data"]["seed"],
        thresholds=NUGGETS["figure_scores"]["thresholds"],
    shell:
        "python -m {params.module}"
        " --scores {input.scores:q} --raw {input.raw:q}"
        " --dataset {wildcards.dataset:q} --model {wildcards.model:q} --anchors {wildcards.anchors:q}"
        " --seed {params.seed} --thresholds {params.thresholds} --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule nuggets_count_released:
    """Count the released golden scores at each threshold, and measure their spread."""
    input:
        script="scripts/nuggets/count_scores.py",
        code=code_of("scripts/nuggets/count_scores.py"),
        released="<results>/data/examples/{dataset}/train.jsonl",
    output:
        measured="<results>/nuggets/measured/released_scores/{dataset}.csv",
    log:
        "<logs>/nuggets/count_released/{dataset}.log",
    benchmark:
        "<benchmarks>/nuggets/count_released/{dataset}.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        model=NUGGETS["table_released_counts"]["model"],
        anchors=NUGGETS["table_released_counts"]["anchors"],
        seed=config["data"]["seed"],
        thresholds=NUGGETS["table_released_counts"]["thresholds"],
    shell:
        "python -m {params.module}"
        " --released {input.released:q} --dataset {wildcards.dataset:q} --model {params.model:q} --anchors {params.anchors:q}"
        " --seed {params.seed} --thresholds {params.thresholds} --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule nuggets_mark_pool:
    """Mark a pool's rows by a published list of good or bad ones, sample it, and set rows aside."""
    input:
        script="scripts/nuggets/mark_pool.py",
        code=code_of("scripts/nuggets/mark_pool.py"),
        examples="<results>/data/examples/{dataset}/train.jsonl",
        listed=f"<results>/data/examples/{NUGGETS['truth']}/train.jsonl",
        scores=branch(
            bool(NUGGETS["truth_scores"]), then=f"<results>/data/examples/{NUGGETS['truth_scores']}/train.jsonl"
        ),
    output:
        pool="<results>/nuggets/pools/{dataset}/pool.jsonl",
        truth="<results>/nuggets/pools/{dataset}/truth.jsonl",
        scores="<results>/nuggets/pools/{dataset}/scores.jsonl",
        held_out="<results>/nuggets/pools/{dataset}/held_out.jsonl",
    log:
        "<logs>/nuggets/mark_pool/{dataset}.log",
    benchmark:
        "<benchmarks>/nuggets/mark_pool/{dataset}.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        scores=lambda wildcards, input: flag("--listed-scores", input.scores),
        settings=as_json(NuggetsMark.of(config)),
    shell:
        "python -m {params.module}"
        " --examples {input.examples:q} --listed {input.listed:q} {params.scores:q} --settings {params.settings:q}"
        " --pool-out {output.pool:q} --truth-out {output.truth:q} --scores-out {output.scores:q}"
        " --held-out-out {output.held_out:q}"
        " > {log:q} 2>&1"


rule nuggets_measure_released:
    """Measure how our scores agree with released ones, and what is left of that at equal length."""
    input:
        script="scripts/nuggets/measure_released.py",
        code=code_of("scripts/nuggets/measure_released.py"),
        scores=branch(NUGGETS_PLAN.marked, then="<results>/nuggets/scores/{dataset}/{model}/{anchors}/scores.csv"),
        raw=branch(NUGGETS_PLAN.marked, then="<results>/nuggets/scores/{dataset}/{model}/{anchors}/raw.safetensors"),
        difficulty=branch(NUGGETS_PLAN.marked, then="<results>/nuggets/difficulty/{dataset}/{model}.csv"),
        truth=branch(NUGGETS_PLAN.marked, then="<results>/nuggets/pools/{dataset}/truth.jsonl"),
        released=branch(NUGGETS_PLAN.marked, then="<results>/nuggets/pools/{dataset}/scores.jsonl"),
    output:
        measured="<results>/nuggets/measured/released/{dataset}/{model}/{anchors}.csv",
    log:
        "<logs>/nuggets/measure_released/{dataset}/{model}/{anchors}.log",
    benchmark:
        "<benchmarks>/nuggets/measure_released/{dataset}/{model}/{anchors}.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        read=lambda wildcards, input: [
            part
            for name in ("scores", "raw", "difficulty", "truth", "released")
            for part in flag(f"--{name}", input.get(name, []))
        ],
        settings=lambda wildcards: json_text(
            {
                "model": wildcards.model,
                "anchors": wildcards.anchors,
                "seed": config["data"]["seed"],
                "orders": NUGGETS_PLAN.orders(),
                **NUGGETS["table_released"],
                **NUGGETS["figure_anchor_sizes"],
            }
        ),
    shell:
        "python -m {params.module}"
        " {params.read:q} --settings {params.settings:q} --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule nuggets_measure_quality:
    """Measure how well each score tells known good from known bad examples."""
    input:
        script="scripts/nuggets/measure_quality.py",
        code=code_of("scripts/nuggets/measure_quality.py"),
        scores=lambda wildcards: [
            f"<results>/nuggets/scores/{wildcards.dataset}/{wildcards.model}/{anchors}/scores.csv"
            for anchors in NUGGETS_PLAN.anchor_sets()
        ],
        difficulty="<results>/nuggets/difficulty/{dataset}/{model}.csv",
        truth=NUGGETS_PLAN.truth() or [],
    output:
        measured="<results>/nuggets/measured/quality/{dataset}/{model}/{anchors}.csv",
        roc="<results>/nuggets/roc/{dataset}/{model}/{anchors}.csv",
    log:
        "<logs>/nuggets/measure_quality/{dataset}/{model}/{anchors}.log",
    benchmark:
        "<benchmarks>/nuggets/measure_quality/{dataset}/{model}/{anchors}.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        anchor_sets=NUGGETS_PLAN.anchor_sets(),
        truth=lambda wildcards, input: flag("--truth", input.truth),
        settings=lambda wildcards: json_text(
            {
                "model": wildcards.model,
                "anchors": wildcards.anchors,
                "seed": config["data"]["seed"],
                "subset_fraction": NUGGETS["subset_fraction"],
                "orders": NUGGETS_PLAN.orders(),
            }
        ),
    shell:
        "python -m {params.module}"
        " --anchor-sets {params.anchor_sets:q} --scores {input.scores:q} --difficulty {input.difficulty:q} {params.truth:q}"
        " --settings {params.settings:q} --measured-out {output.measured:q} --roc-out {output.roc:q}"
        " > {log:q} 2>&1"


rule nuggets_measure_anchor_sizes:
    """Measure how the golden score depends on the number of anchors."""
    input:
        script="scripts/nuggets/measure_anchor_sizes.py",
        code=code_of("scripts/nuggets/measure_anchor_sizes.py"),
        scores="<results>/nuggets/scores/{dataset}/{model}/{anchors}/scores.csv",
        raw="<results>/nuggets/scores/{dataset}/{model}/{anchors}/raw.safetensors",
        truth=NUGGETS_PLAN.truth() or [],
    output:
        measured="<results>/nuggets/measured/anchor_sizes/{dataset}/{model}/{anchors}.csv",
    log:
        "<logs>/nuggets/measure_anchor_sizes/{dataset}/{model}/{anchors}.log",
    benchmark:
        "<benchmarks>/nuggets/measure_anchor_sizes/{dataset}/{model}/{anchors}.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        truth=lambda wildcards, input: flag("--truth", input.truth),
        settings=lambda wildcards: json_text(
            {
                "model": wildcards.model,
                "anchors": wildcards.anchors,
                "seed": config["data"]["seed"],
                **NUGGETS["figure_anchor_sizes"],
            }
        ),
    shell:
        "python -m {params.module}"
        " --scores {input.scores:q} --raw {input.raw:q} {params.truth:q}"
        " --settings {params.settings:q} --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule nuggets_measure_racing:
    """Measure what exact early stopping would have saved."""
    input:
        script="scripts/nuggets/measure_racing.py",
        code=code_of("scripts/nuggets/measure_racing.py"),
        scores="<results>/nuggets/scores/{dataset}/{model}/{anchors}/scores.csv",
        raw="<results>/nuggets/scores/{dataset}/{model}/{anchors}/raw.safetensors",
    output:
        measured="<results>/nuggets/measured/racing/{dataset}/{model}/{anchors}.csv",
    log:
        "<logs>/nuggets/measure_racing/{dataset}/{model}/{anchors}.log",
    benchmark:
        "<benchmarks>/nuggets/measure_racing/{dataset}/{model}/{anchors}.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        settings=lambda wildcards: json_text(
            {
                "model": wildcards.model,
                "anchors": wildcards.anchors,
                "seed": config["data"]["seed"],
                **NUGGETS["table_racing"],
            }
        ),
    shell:
        "python -m {params.module}"
        " --scores {input.scores:q} --raw {input.raw:q}"
        " --settings {params.settings:q} --measured-out {output.measured:q}"
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


rule nuggets_choose:
    """Only choose: the golden score of every candidate, the sorted pool, and the best-scored subset, as it came too."""
    input:
        f"<results>/nuggets/scores/{NUGGETS_PLAN.main}/sorted_pool.jsonl",
        f"<results>/nuggets/subsets/{NUGGETS_PLAN.main}/top",
        f"<results>/nuggets/original_rows/{NUGGETS_PLAN.main}/top",
    localrule: True
