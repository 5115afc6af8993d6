# Pre-trained models: fetched once, or shipped under resources/mini and rebuilt on demand; how good the shipped ones are.
from scripts.mini_world.plan import AUTHORS, IN_CONTEXT, MINI_DISTILLERS, MINI_MODELS


rule models_download:
    """Fetch one model's weights, tokenizer and config, or convert local ones, into a folder of safetensors."""
    input:
        script="scripts/data/download_model.py",
        code=code_of("scripts/data/download_model.py"),
        local=lambda wildcards: MODELS[wildcards.model]["local"] or [],
    output:
        model=directory(f"{DOWNLOADS}/models/{{model}}"),
    log:
        "logs/models/download/{model}.log",
    benchmark:
        "benchmarks/models/download/{model}.tsv"
    retries: 3
    localrule: True
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        settings=lambda wildcards: json_text(model_settings(MODELS, wildcards.model)),
        checksums=f"{DOWNLOADS}/checksums.json",
    shell:
        "python -m {params.module}"
        " --settings {params.settings:q} --checksums {params.checksums:q}"
        " --model-out {output.model:q}"
        " > {log:q} 2>&1"


rule mini_world_train_causal:
    """Train the mini tier's causal language model from the synthetic corpus (resumes after a kill)."""
    input:
        script="scripts/mini_world/train_causal.py",
        code=code_of("scripts/mini_world/train_causal.py"),
    output:
        model=directory("results/mini_models/causal"),
        curve="results/mini_models/causal_curve.jsonl",
    log:
        "results/mini_models/logs/train_causal.log",
    benchmark:
        "results/mini_models/benchmarks/train_causal.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        settings=as_json({**config["mini_world"]["world"], **config["mini_world"]["causal"]}),
        seed=config["mini_world"]["seed"],
        checkpoint="results/mini_models/causal.checkpoint",
    shell:
        "python -m {params.module}"
        " --settings {params.settings:q} --seed {params.seed} --threads 1"
        " --checkpoint {params.checkpoint:q} --curve-out {output.curve:q} --model-out {output.model:q}"
        " > {log:q} 2>&1"


use rule mini_world_train_causal as mini_world_train_small with:
    """Train the smaller causal language model, for distillers and generators, on the same documents."""
    output:
        model=directory("results/mini_models/small"),
        curve="results/mini_models/small_curve.jsonl",
    log:
        "results/mini_models/logs/train_small.log",
    benchmark:
        "results/mini_models/benchmarks/train_small.tsv"
    params:
        module=as_py_module(),
        settings=as_json({**config["mini_world"]["world"], **config["mini_world"]["small"]}),
        seed=config["mini_world"]["seed"],
        checkpoint="results/mini_models/small.checkpoint",


use rule mini_world_train_causal as mini_world_train_encoder with:
    """Train the encoder, a small BERT, on masked words and on pairs of texts."""
    input:
        script="scripts/mini_world/train_encoder.py",
        code=code_of("scripts/mini_world/train_encoder.py"),
    output:
        model=directory("results/mini_models/encoder"),
        curve="results/mini_models/encoder_curve.jsonl",
    log:
        "results/mini_models/logs/train_encoder.log",
    benchmark:
        "results/mini_models/benchmarks/train_encoder.tsv"
    params:
        module=as_py_module(),
        settings=as_json({**config["mini_world"]["world"], **config["mini_world"]["encoder"]}),
        seed=config["mini_world"]["seed"],
        checkpoint="results/mini_models/encoder.checkpoint",


rule mini_world_train_t5:
    """Pre-train a small T5, which has to learn the answers later, on unlabelled text."""
    input:
        script="scripts/mini_world/train_t5.py",
        code=code_of("scripts/mini_world/train_t5.py"),
    output:
        model=directory("results/mini_models/{t5}"),
        curve="results/mini_models/{t5}_curve.jsonl",
    log:
        "results/mini_models/logs/train_{t5}.log",
    benchmark:
        "results/mini_models/benchmarks/train_{t5}.tsv"
    wildcard_constraints:
        t5="t5(_small)?",
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        settings=lambda wildcards: json_text(config["step_by_step"]["mini_models"][wildcards.t5]),
        seed=config["mini_world"]["seed"],
    shell:
        "python -m {params.module}"
        " --settings {params.settings:q} --seed {params.seed} --threads 1"
        " --curve-out {output.curve:q} --model-out {output.model:q}"
        " > {log:q} 2>&1"


rule mini_world_generate_tasks:
    """Write the synthetic tasks that the shipped distillers read."""
    input:
        script="scripts/data/generate_meta_tasks.py",
        code=code_of("scripts/data/generate_meta_tasks.py"),
    output:
        train="results/mini_models/tasks/train.jsonl",
        dev="results/mini_models/tasks/dev.jsonl",
        texts="results/mini_models/tasks/texts.jsonl",
    log:
        "results/mini_models/logs/generate_tasks.log",
    benchmark:
        "results/mini_models/benchmarks/generate_tasks.tsv"
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        corpus=as_json(config["synthetic"]),
        settings=as_json(config["mini_world"]["distiller"]["tasks"]),
        seed=config["mini_world"]["seed"],
    shell:
        "python -m {params.module}"
        " --corpus {params.corpus:q} --settings {params.settings:q} --seed {params.seed}"
        " --train-out {output.train:q} --dev-out {output.dev:q} --texts-out {output.texts:q}"
        " > {log:q} 2>&1"


rule mini_world_train_distillers:
    """Train the shipped distillers of MEND for the causal model: with and without the distance to it in the loss."""
    input:
        script="scripts/mend/train_distiller.py",
        code=code_of("scripts/mend/train_distiller.py"),
        model="results/mini_models/causal",
        train="results/mini_models/tasks/train.jsonl",
        dev="results/mini_models/tasks/dev.jsonl",
    output:
        distillers=directory("results/mini_models/distillers"),
        history="results/mini_models/distillers.json",
    log:
        "results/mini_models/logs/train_distillers.log",
    benchmark:
        "results/mini_models/benchmarks/train_distillers.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        settings=as_json(config["mini_world"]["distiller"]["settings"]),
        variants=as_json(config["mini_world"]["distiller"]["variants"]),
        format=as_json(config["mend"]["formats"]["label"]),
        seed=config["mini_world"]["seed"],
        checkpoints="results/mini_models/distillers.checkpoints",
    shell:
        "python -m {params.module}"
        " --model {input.model:q} --meta-train {input.train:q} --dev {input.dev:q} --starts causal={input.model:q}"
        " --variants {params.variants:q} --settings {params.settings:q} --format {params.format:q}"
        " --seed {params.seed} --dtype float32 --device cpu --threads 1 --checkpoints {params.checkpoints:q}"
        " --distillers-out {output.distillers:q} --history-out {output.history:q}"
        " > {log:q} 2>&1"


rule mini_world_describe_distillers:
    """Put the distillers into the form in which they are shipped, with their cards."""
    input:
        script="scripts/mini_world/describe_distillers.py",
        code=code_of("scripts/mini_world/describe_distillers.py"),
        distillers="results/mini_models/distillers",
        history="results/mini_models/distillers.json",
    output:
        models=[directory(f"results/mini_models/{name}") for name in MINI_DISTILLERS],
        curves=[f"results/mini_models/{name}_curve.jsonl" for name in MINI_DISTILLERS],
    log:
        "results/mini_models/logs/describe_distillers.log",
    benchmark:
        "results/mini_models/benchmarks/describe_distillers.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        names=MINI_DISTILLERS,
        dev_tasks=config["mini_world"]["distiller"]["tasks"]["dev_tasks"],
    shell:
        "python -m {params.module}"
        " --distillers {input.distillers:q} --history {input.history:q} --names {params.names:q}"
        " --dev-tasks {params.dev_tasks} --models-out {output.models:q} --curves-out {output.curves:q}"
        " > {log:q} 2>&1"


rule mini_world_evaluate_causal:
    """Measure how good the shipped model is: at learning in context, or at telling careful from careless authors."""
    input:
        script="scripts/mini_world/evaluate_causal.py",
        code=code_of("scripts/mini_world/evaluate_causal.py"),
        model="resources/mini/causal",
    output:
        measured="<results>/mini_world/measured/{experiment}.csv",
    log:
        "<logs>/mini_world/evaluate_causal/{experiment}.log",
    benchmark:
        "<benchmarks>/mini_world/evaluate_causal/{experiment}.tsv"
    wildcard_constraints:
        experiment=one_of([IN_CONTEXT, AUTHORS]),
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        settings=as_json({**config["mini_world"]["world"], **config["mini_world"]["evaluate"]}),
        seed=config["data"]["seed"],
    shell:
        "python -m {params.module}"
        " --model {input.model:q} --name mini_causal --settings {params.settings:q} --seed {params.seed} --threads 1"
        " --experiment {wildcards.experiment:q} --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule rebuild_mini_models:
    """Train the shipped small models anew and put them in resources/mini (within an hour on two idle cores)."""
    input:
        models=[f"results/mini_models/{name}" for name in MINI_MODELS],
    log:
        "results/mini_models/logs/install.log",
    localrule: True
    conda:
        "../envs/workflow.yaml"
    params:
        shipped="resources/mini",
    shell:
        "(for trained in {input.models:q}; do"
        " model=$(basename $trained)"
        " && rm -rf {params.shipped}/.$model"
        " && cp -r $trained {params.shipped}/.$model"
        " && rm -rf {params.shipped}/$model"
        " && mv {params.shipped}/.$model {params.shipped}/$model"
        " || exit 1; done) > {log:q} 2>&1"
