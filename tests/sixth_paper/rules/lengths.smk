# A made-up sixth paper: the mean length of answers.
rule lengths_measure_answers:
    """Measure the answers of one dataset."""
    input:
        script="scripts/lengths/measure_answers.py",
        code=code_of("scripts/lengths/measure_answers.py"),
        examples="<results>/data/examples/{dataset}/train.jsonl",
    output:
        measured="<results>/lengths/measured/{dataset}.csv",
    log:
        "<logs>/lengths/measure_answers/{dataset}.log",
    benchmark:
        "<benchmarks>/lengths/measure_answers/{dataset}.tsv"
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        unit=config["lengths"]["unit"],
    shell:
        "python -m {params.module} --examples {input.examples:q} --dataset {wildcards.dataset} --unit {params.unit}"
        " --measured-out {output.measured:q} > {log:q} 2>&1"
