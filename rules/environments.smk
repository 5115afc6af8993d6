# Virtual environments for steps that cannot share .venv; conda makes them itself.


rule venv:
    """Build the virtual environment of a step that cannot share .venv (not used with --sdm conda)."""
    input:
        script="scripts/make_venv.py",
        code=code_of("scripts/make_venv.py"),
        yaml="envs/{env}.yaml",
    output:
        python=VENV.format("{env}"),
    log:
        "logs/venv/{env}.log",
    localrule: True
    conda:
        "../envs/workflow.yaml"
    params:
        module=as_py_module(),
    shell:
        "python -m {params.module} --environment {input.yaml:q} --venv-out .venvs/{wildcards.env:q} > {log:q} 2>&1"
