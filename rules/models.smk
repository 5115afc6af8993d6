# Pre-trained models: fetched once, or shipped under resources/mini and rebuilt on demand.


rule models_download:
    """Fetch one model's safetensors, tokenizer and config at its pinned revision."""
    input:
        script="scripts/data/download.py",
        code=code_of("scripts/data/download.py"),
    output:
        model=directory(f"{DOWNLOADS}/models/{{model}}"),
    log:
        "logs/models/download/{model}.log",
    benchmark:
        "benchmarks/models/download/{model}.tsv"
    retries: 3
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        settings=lambda wildcards: json_text(model_settings(MODELS, wildcards.model)),
        checksums=f"{DOWNLOADS}/checksums.json",
    shell:
        "python -m {params.module} model"
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


rule mini_world_evaluate_causal:
    """Measure how good the shipped model is at learning in context and at telling careful from careless authors."""
    input:
        script="scripts/mini_world/evaluate_causal.py",
        code=code_of("scripts/mini_world/evaluate_causal.py"),
        model="resources/mini/causal",
    output:
        metrics="<results>/mini_world/metrics.csv",
    log:
        "<logs>/mini_world/evaluate_causal.log",
    benchmark:
        "<benchmarks>/mini_world/evaluate_causal.tsv"
    conda:
        "../envs/lm.yaml"
    params:
        module=as_py_module(),
        settings=as_json({**config["mini_world"]["world"], **config["mini_world"]["evaluate"]}),
        seed=config["data"]["seed"],
    shell:
        "python -m {params.module}"
        " --model {input.model:q} --name mini_causal --settings {params.settings:q} --seed {params.seed} --threads 1"
        " --metrics-out {output.metrics:q}"
        " > {log:q} 2>&1"


rule rebuild_mini_models:
    """Train the shipped small models anew and put them in resources/mini (under an hour on two cores)."""
    input:
        causal="results/mini_models/causal",
    log:
        "results/mini_models/logs/install.log",
    localrule: True
    conda:
        "../envs/workflow.yaml"
    shell:
        "(rm -rf resources/mini/causal && cp -r {input.causal:q} resources/mini/causal) > {log:q} 2>&1"
