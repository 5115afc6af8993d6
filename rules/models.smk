# Pre-trained models: fetched once, or shipped under resources/mini and rebuilt on demand.


def model_folder(wildcards):
    """Return the folder of a registered model: shipped, the user's own, or downloaded."""
    return model_source(MODELS, wildcards.model, downloads_root=f"{DOWNLOADS}/models")


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
