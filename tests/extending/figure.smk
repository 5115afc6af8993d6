

rule nuggets_figure_subset_values:
    """What a model gains from each subset, with intervals."""
    input:
        script="scripts/nuggets/plot_subset_values.py",
        code=code_of("scripts/nuggets/plot_subset_values.py"),
        metrics="<results>/nuggets/metrics.csv",
    output:
        **figure_files("nuggets", "figure_subset_values"),
    log:
        "<logs>/nuggets/figure_subset_values.log",
    benchmark:
        "<benchmarks>/nuggets/figure_subset_values.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        methods=NUGGETS["table_baselines"]["methods"],
        tier=config["tier"],
    shell:
        "python -m {params.module} --metrics {input.metrics:q} --methods {params.methods:q} --tier {params.tier}"
        " --pdf-out {output.pdf:q} --png-out {output.png:q} --csv-out {output.csv:q}"
        " > {log:q} 2>&1"
