# A made-up sixth paper: the mean length of answers.
include: "lengths_runs.smk"


rule lengths_measure_answers:
    """Measure the answers of every dataset."""
    input:
        script="scripts/lengths/measure_answers.py",
        code=code_of("scripts/lengths/measure_answers.py"),
        examples=expand("<results>/data/examples/{dataset}/train.jsonl", dataset=LENGTHS["datasets"]),
    output:
        metrics="<results>/lengths/metrics.csv",
        notes="<results>/lengths/notes.csv",
    log:
        "<logs>/lengths/measure_answers.log",
    benchmark:
        "<benchmarks>/lengths/measure_answers.tsv"
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        datasets=LENGTHS["datasets"],
        unit=LENGTHS["unit"],
    shell:
        "python -m {params.module} --examples {input.examples:q} --datasets {params.datasets:q} --unit {params.unit}"
        " --metrics-out {output.metrics:q} --notes-out {output.notes:q} > {log:q} 2>&1"


rule lengths_table_1:
    """Table 1: mean length of the answers."""
    input:
        script="scripts/lengths/tabulate_answers.py",
        code=code_of("scripts/lengths/tabulate_answers.py"),
        metrics="<results>/lengths/metrics.csv",
        notes="<results>/lengths/notes.csv",
        published="config/published/lengths.csv",
    output:
        **table_files("lengths", "table_1"),
    log:
        "<logs>/lengths/table_1.log",
    benchmark:
        "<benchmarks>/lengths/table_1.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        tier=config["tier"],
    shell:
        "python -m {params.module} --metrics {input.metrics:q} --notes {input.notes:q}"
        " --published {input.published:q} --tier {params.tier}"
        " --csv-out {output.csv:q} --md-out {output.md:q} --tex-out {output.tex:q} > {log:q} 2>&1"


rule lengths_all:
    """Every table of the made-up paper."""
    input:
        expand("<results>/tables/lengths_{table}.{suffix}", table=LENGTHS_TABLES, suffix=["csv", "md", "tex"]),
    localrule: True
