# Virtual environments for steps that cannot share .venv; conda makes them itself.


rule venv:
    """Build the virtual environment of a step that cannot share .venv (not used with --sdm conda)."""
    input:
        # Only other pins are a reason to build it again, and then its users run again too. They must not call it
        # ancient: Snakemake 9.27.1 plans nothing else when a file that exists, is ancient to its users and is out of date.
        script=ancient("scripts/make_venv.py"),
        code=[ancient(path) for path in code_of("scripts/make_venv.py")],
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
