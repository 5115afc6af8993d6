# DELIFT (ICLR 2025): choose fine-tuning data by pairwise in-context utility and submodular functions.
from scripts.delift.settings_artifacts import MapSettings as DeliftMap
from scripts.delift.settings_choose import BaselineSettings as DeliftBaselines
from scripts.delift.settings_choose import EmbedSettings as DeliftEmbed
from scripts.delift.settings_choose import UtilitySettings as DeliftUtility
from scripts.delift.settings_learn import EvaluateSettings as DeliftEvaluate


include: "delift_files.smk"


wildcard_constraints:
    asker="delift|head_to_head",  # whose methods, sizes, seeds and goal are meant
    pair=one_of(DELIFT["pairs"]),
    part="pool|reference|validation|test",
    learning="icl|peft|fft",
    kind=one_of(KINDS),


rule delift_prepare_registered:
    """Read a split of a dataset named in one of DELIFT's JSON registries (huggingface_datasets.json and the like)."""
    input:
        script="scripts/delift/prepare_registered.py",
        code=code_of("scripts/delift/prepare_registered.py"),
        registry=lambda wildcards: DELIFT_PLAN.entries[wildcards.entry.replace("--", "/")],
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
        rows=delift_part_rows,
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
        reference=delift_reference,
        targets=delift_targets,
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
        settings=as_json(DeliftUtility.of(config)),
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
        reference=delift_reference,
        targets=delift_targets,
        blocks=delift_blocks("npy"),
        summaries=delift_blocks("json"),
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
        settings=as_json(DeliftEmbed.of(config)),
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
        validation=delift_goal,
        model=model_folder,
    output:
        scores="<results>/{asker}/baselines/{pair}/{model}.csv",
        run="<results>/{asker}/baselines/{pair}/{model}.run.json",
    log:
        "<logs>/delift/score_baselines/{asker}/{pair}/{model}.log",
    benchmark:
        "<benchmarks>/delift/score_baselines/{asker}/{pair}/{model}.tsv"
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
        settings=as_json(DeliftBaselines.of(config)),
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
        embeddings=branch(delift_needs("embeddings"), then="<results>/delift/embeddings/{pair}"),
        goal=branch(delift_needs("goal_rows"), then=delift_goal),
        scores=branch(
            delift_needs("ratings", "gradients", "ifd"), then="<results>/{asker}/baselines/{pair}/{model}.csv"
        ),
        truth=delift_truth("split"),
        reference_truth=delift_truth("reference_split"),
    output:
        subsets=directory("<results>/{asker}/subsets/{pair}/{model}/{method}"),
        measured="<results>/{asker}/measured/subsets/{pair}/{model}/{method}.csv",
        run="<results>/{asker}/subsets/{pair}/{model}/{method}.run.json",
    log:
        "<logs>/delift/select_subset/{asker}/{pair}/{model}/{method}.log",
    benchmark:
        "<benchmarks>/delift/select_subset/{asker}/{pair}/{model}/{method}.tsv"
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
        goal=lambda wildcards, input: flag("--goal", input.goal),
        goal_embeddings=delift_goal_embeddings,
        scores=lambda wildcards, input: flag("--scores", input.scores),
        truth=lambda wildcards, input: [
            *flag("--truth", input.truth),
            *flag("--reference-truth", input.reference_truth),
        ],
        method=lambda wildcards: json_text(delift_choice(wildcards)),
        fractions=delift_fractions,
        seeds=lambda wildcards: delift_asker(wildcards).choice_seeds(),
        threads=config["compute"]["threads"],
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} --stage {params.stage} {params.kernels:q} {params.embeddings:q}"
        " {params.goal:q} {params.goal_embeddings:q} {params.scores:q}"
        " {params.truth:q} --paper {wildcards.asker:q} --pair {wildcards.pair:q} --model-name {wildcards.model:q}"
        " --name {wildcards.method:q} --method {params.method:q}"
        " --fractions {params.fractions} --seeds {params.seeds} --threads {params.threads}"
        " --subsets-out {output.subsets:q} --measured-out {output.measured:q} --run-out {output.run:q}"
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
        answers=directory("<results>/{asker}/answers/{pair}/{model}/{learning}/units_{start}"),
        run="<results>/{asker}/answers/{pair}/{model}/{learning}/units_{start}.run.json",
    log:
        "<logs>/delift/evaluate_subsets/{asker}/{pair}/{model}/{learning}/units_{start}.log",
    benchmark:
        "<benchmarks>/delift/evaluate_subsets/{asker}/{pair}/{model}/{learning}/units_{start}.tsv"
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
        seeds=lambda wildcards: delift_asker(wildcards).seeds(wildcards.learning),
        beside=lambda wildcards, input: flag("--beside", input.beside),
        neighbours=delift_neighbour_flags,
        settings=lambda wildcards: json_text(DeliftEvaluate.of(config, wildcards.learning)),
        checkpoints=lambda wildcards: f"{RESULTS}/{wildcards.asker}/checkpoints",
    shell:
        "python -m {params.module}"
        " --learning {wildcards.learning} --units {params.units:q} --subsets {params.folders:q} --seeds {params.seeds}"
        " --test {input.test:q} {params.beside:q} {params.neighbours:q}"
        " --model {input.model:q} {params.compute} --settings {params.settings:q}"
        " --checkpoints {params.checkpoints:q} --answers-out {output.answers:q} --run-out {output.run:q}"
        " > {log:q} 2>&1"


rule delift_score_answers:
    """Take the measures of one kind of some answers: overlap or similarity with the reference, the judge's grade."""
    input:
        script="scripts/delift/score_answers.py",
        code=code_of("scripts/delift/score_answers.py"),
        answers=lambda wildcards: delift_asker(wildcards).scored_in(
            wildcards.pair, wildcards.model, int(wildcards.start)
        ),
        test="<results>/delift/data/{pair}/test.jsonl",
        embedder=branch(delift_takes("similarity"), then=delift_embedder),
        judge=branch(delift_takes("grades"), then=delift_judge),
    output:
        scored="<results>/{asker}/scores/{pair}/{model}/{kind}/jobs_{start}.jsonl",
        measured="<results>/{asker}/measured/answers/{kind}/{pair}/{model}/jobs_{start}.csv",
    log:
        "<logs>/delift/score_answers/{asker}/{pair}/{model}/{kind}/jobs_{start}.log",
    benchmark:
        "<benchmarks>/delift/score_answers/{asker}/{pair}/{model}/{kind}/jobs_{start}.tsv"
    priority: 40
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"]
    resources:
        gpu=delift_score_gpus,
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        module=as_py_module(),
        compute=model_flags(),
        embedder=lambda wildcards, input: flag("--embedder", input.embedder),
        family=MODELS[DELIFT["embed"]["model"]]["family"],
        settings=lambda wildcards: json_text(delift_score_settings(wildcards)),
    shell:
        "python -m {params.module}"
        " --answers {input.answers:q} --test {input.test:q}"
        " --paper {wildcards.asker:q} --pair {wildcards.pair:q} --model-name {wildcards.model:q}"
        " {params.embedder:q} --embedder-family {params.family} {params.compute}"
        " --settings {params.settings:q} --scored-out {output.scored:q} --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule delift_measure_objectives:
    """Measure what a method's subsets are worth by the submodular objectives on the utility kernel."""
    input:
        script="scripts/delift/measure_objectives.py",
        code=code_of("scripts/delift/measure_objectives.py"),
        pool="<results>/delift/data/{pair}/pool.jsonl",
        subsets="<results>/delift/subsets/{pair}/{model}/{method}",
        kernels="<results>/delift/kernels/{pair}/{model}",
    output:
        measured="<results>/delift/measured/objectives/{pair}/{model}/{method}.csv",
    log:
        "<logs>/delift/measure_objectives/{pair}/{model}/{method}.log",
    benchmark:
        "<benchmarks>/delift/measure_objectives/{pair}/{model}/{method}.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        kernels=delift_kernel_flags,
        method=lambda wildcards: json_text(DELIFT["methods"][wildcards.method]),
    shell:
        "python -m {params.module}"
        " --pool {input.pool:q} --subsets {input.subsets:q} {params.kernels:q}"
        " --pair {wildcards.pair:q} --model-name {wildcards.model:q}"
        " --name {wildcards.method:q} --method {params.method:q} --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule delift_collect_times:
    """Gather the seconds that choosing took, as measured in this run; they are no metrics."""
    input:
        script="scripts/delift/collect_times.py",
        code=code_of("scripts/delift/collect_times.py"),
        runs=list(DELIFT_PLAN.times()),
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
        parts=list(DELIFT_PLAN.times().values()),
    shell:
        "python -m {params.module} --runs {input.runs:q} --parts {params.parts:q} --times-out {output.times:q}"
        " > {log:q} 2>&1"


rule delift_map_examples:
    """Lay out the examples of each pair in the plane (t-SNE of their embeddings) for the viewer."""
    input:
        script="scripts/delift/map_examples.py",
        code=code_of("scripts/delift/map_examples.py"),
        embeddings=expand("<results>/delift/embeddings/{pair}", pair=sorted({pair for pair, _ in DELIFT_VIEWED})),
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
        pairs=sorted({pair for pair, _ in DELIFT_VIEWED}),
        settings=as_json(DeliftMap.of(config)),
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
            for pair in sorted({pair for pair, _ in DELIFT_VIEWED})
            for part in delift_parts(pair)
            if part != "validation"
        ],
        measured=delift_of_all(DELIFT_PLAN.measured_answers),
        scored=delift_of_all(delift_scored),
        kernels=delift_of_all(delift_viewed_kernels),
        subsets=delift_of_all(DELIFT_PLAN.subsets),
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
        runs=[f"{pair}/{model}" for pair, model in DELIFT_VIEWED],
        settings=as_json(DELIFT_PLAN.viewer()),
        tier=config["tier"],
    shell:
        "python -m {params.module} --runs {params.runs:q}"
        " --maps {input.maps:q} --data {input.data:q} --measured {input.measured:q} --scored {input.scored:q}"
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
        [folder for run in DELIFT_PLAN.all_runs() for folder in DELIFT_PLAN.subsets(*run)],
        [folder for run in DELIFT_PLAN.all_runs() for folder in delift_original_rows(*run)],
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
