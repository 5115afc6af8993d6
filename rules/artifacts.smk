# The rules of all tables and figures that a paper lists in scripts/<paper>/artifacts.py; what each needs, its plan says.
for paper, listed in DISPLAYED.items():
    for artifact in listed.artifacts:

        rule:
            name:
                f"{paper}_{artifact.name}"
            input:
                **named_inputs(listed.plan.needs(artifact.name).files),
                script=f"scripts/{paper}/{artifact.step}.py",
                code=code_of(f"scripts/{paper}/{artifact.step}.py"),
                measured=listed.plan.needs(artifact.name).measured,
                published=f"config/published/{paper}.csv",
            output:
                **marked_files(paper, artifact),
            log:
                f"<logs>/{paper}/{artifact.name}.log",
            benchmark:
                f"<benchmarks>/{paper}/{artifact.name}.tsv"
            conda:
                f"../envs/{artifact.env}.yaml"
            params:
                module=as_py_module(),
                artifact=artifact.name,
                files=flags_of(listed.plan.needs(artifact.name).files),
                outputs=output_flags,
                settings=as_json(listed.plan.settings(artifact.name)),
                tier=config["tier"],
            shell:
                "python -m {params.module} --artifact {params.artifact}"
                " --measured {input.measured:q} {params.files:q} --published {input.published:q}"
                " --settings {params.settings:q} --tier {params.tier} {params.outputs:q}"
                " > {log:q} 2>&1"

        workflow.get_rule(f"{paper}_{artifact.name}").docstring = artifact.title

    rule:
        name:
            f"{paper}_all"
        input:
            [file for artifact in listed.artifacts for file in files_of(paper, artifact)],
            f"<results>/{paper}/metrics.csv",
            listed.pages(),
        localrule: True

    workflow.get_rule(f"{paper}_all").docstring = f"{paper_name(paper)}: every table and figure, and its values."


rule report_collect_measured:
    """Gather the measured values of a paper that lists its tables and figures."""
    input:
        script="scripts/report/collect_metrics.py",
        code=code_of("scripts/report/collect_metrics.py"),
        metrics=lambda wildcards: DISPLAYED[wildcards.paper].plan.measured(),
    output:
        metrics="<results>/{paper}/metrics.csv",
    log:
        "<logs>/report/collect_measured/{paper}.log",
    benchmark:
        "<benchmarks>/report/collect_measured/{paper}.tsv"
    wildcard_constraints:
        paper=one_of(DISPLAYED),
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
    shell:
        "python -m {params.module}" " --metrics {input.metrics:q} --metrics-out {output.metrics:q}" " > {log:q} 2>&1"
