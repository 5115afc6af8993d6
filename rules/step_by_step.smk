# Distilling Step-by-Step (Findings of ACL 2023): learn from an LLM's rationales as a second task.
include: "step_by_step_runs.smk"


rule step_by_step_prepare_examples:
    """Join one split's gold rows with a teacher's raw answers, and count what could not be read."""
    input:
        script="scripts/step_by_step/prepare_examples.py",
        code=code_of("scripts/step_by_step/prepare_examples.py"),
        gold=lambda wildcards: sbs_raw(wildcards.dataset, wildcards.split),
        llm=sbs_teacher_files,
    output:
        examples="<results>/step_by_step/examples/{dataset}/{teacher}/{split}.jsonl",
        report="<results>/step_by_step/examples/{dataset}/{teacher}/{split}.report.json",
    log:
        "<logs>/step_by_step/prepare_examples/{dataset}/{teacher}/{split}.log",
    benchmark:
        "<benchmarks>/step_by_step/prepare_examples/{dataset}/{teacher}/{split}.tsv"
    wildcard_constraints:
        teacher=SBS_TEACHERS,
        split="train|valid|test",
    priority: 50
    conda:
        "../envs/data.yaml"
    params:
        module=as_py_module(),
        settings=sbs_prepare_settings,
        llm=lambda wildcards, input: ["--llm", *input.llm] if input.llm else [],
    shell:
        "python -m {params.module}"
        " --gold {input.gold:q} {params.llm:q} --settings {params.settings:q}"
        " --examples-out {output.examples:q} --report-out {output.report:q}"
        " > {log:q} 2>&1"


rule step_by_step_train_models:
    """Train the students of one job from one model, and measure them at the last and the validation-best step."""
    input:
        script="scripts/step_by_step/train_models.py",
        code=code_of("scripts/step_by_step/train_models.py"),
        train=sbs_examples("train"),
        valid=sbs_examples("valid"),
        test=sbs_examples("test"),
        augmentation=sbs_augmentation,
        model=model_folder,
    output:
        results="<results>/step_by_step/students/{dataset}/{model}/{job}.json",
        predictions="<results>/step_by_step/students/{dataset}/{model}/{job}.predictions.jsonl",
        facts="<results>/step_by_step/students/{dataset}/{model}/{job}.run.json",
    log:
        "<logs>/step_by_step/train_models/{dataset}/{model}/{job}.log",
    benchmark:
        "<benchmarks>/step_by_step/train_models/{dataset}/{model}/{job}.tsv"
    wildcard_constraints:
        job=SBS_JOB_NAMES,
    priority: 90
    conda:
        "../envs/lm.yaml"
    threads: config["compute"]["threads"] * SBS["devices"]
    resources:
        gpu=config["compute"]["gpus"] * SBS["devices"],
        mem_mb=memory,
        runtime=config["compute"]["runtime"],
    params:
        launch=launcher(SBS["devices"]),
        module=as_py_module(),
        compute=device_flags(),
        teachers=sbs_job_teachers,
        students=sbs_job_students,
        settings=sbs_job_settings,
        valid=lambda wildcards, input: ["--valid", *input.valid] if input.valid else [],
        augmentation=lambda wildcards, input: flag("--augmentation", input.augmentation),
        checkpoints=f"{RESULTS}/step_by_step/checkpoints",
    shell:
        "{params.launch} -m {params.module}"
        " --teachers {params.teachers:q} --train {input.train:q} {params.valid:q} --test {input.test:q}"
        " {params.augmentation:q}"
        " --students {params.students:q} --settings {params.settings:q}"
        " --model {input.model:q} {params.compute} --checkpoints {params.checkpoints:q}"
        " --results-out {output.results:q} --predictions-out {output.predictions:q} --facts-out {output.facts:q}"
        " > {log:q} 2>&1"


rule step_by_step_list_missing:
    """Write down what cannot be measured and why: answers not released, files out of reach."""
    input:
        script="scripts/step_by_step/list_missing.py",
        code=code_of("scripts/step_by_step/list_missing.py"),
    output:
        measured="<results>/step_by_step/measured/missing.csv",
    log:
        "<logs>/step_by_step/list_missing.log",
    benchmark:
        "<benchmarks>/step_by_step/list_missing.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        settings=SBS_SETTINGS,
    shell:
        "python -m {params.module}"
        " --settings {params.settings:q}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule step_by_step_measure_rows:
    """Count the rows of a data set's splits, the held-out ones included."""
    input:
        script="scripts/step_by_step/measure_rows.py",
        code=code_of("scripts/step_by_step/measure_rows.py"),
        reports=lambda wildcards: sbs_reports(wildcards.dataset, sbs_counted(wildcards)),
    output:
        measured="<results>/step_by_step/measured/rows/{dataset}.csv",
    log:
        "<logs>/step_by_step/measure_rows/{dataset}.log",
    benchmark:
        "<benchmarks>/step_by_step/measure_rows/{dataset}.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        splits=lambda wildcards: list(sbs_counted(wildcards)),
        hold_out=lambda wildcards: "no" if "valid" in SBS_PLAN.splits[wildcards.dataset] else "yes",
    shell:
        "python -m {params.module}"
        " --dataset {wildcards.dataset} --splits {params.splits:q} --reports {input.reports:q}"
        " --hold-out {params.hold_out}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule step_by_step_measure_teacher:
    """Write how often a few-shot teacher is right, and how many of its answers can be read."""
    input:
        script="scripts/step_by_step/measure_teacher.py",
        code=code_of("scripts/step_by_step/measure_teacher.py"),
        reports=lambda wildcards: sbs_reports(wildcards.dataset, sbs_answered(wildcards)),
    output:
        measured="<results>/step_by_step/measured/teachers/{dataset}/{teacher}.csv",
    log:
        "<logs>/step_by_step/measure_teacher/{dataset}/{teacher}.log",
    benchmark:
        "<benchmarks>/step_by_step/measure_teacher/{dataset}/{teacher}.tsv"
    wildcard_constraints:
        teacher=SBS_TEACHERS,
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        splits=lambda wildcards: list(sbs_answered(wildcards)),
    shell:
        "python -m {params.module}"
        " --dataset {wildcards.dataset} --teacher {wildcards.teacher}"
        " --splits {params.splits:q} --reports {input.reports:q}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule step_by_step_measure_students:
    """Write the accuracies of one training job's students."""
    input:
        script="scripts/step_by_step/measure_students.py",
        code=code_of("scripts/step_by_step/measure_students.py"),
        results="<results>/step_by_step/students/{dataset}/{model}/{job}.json",
    output:
        measured="<results>/step_by_step/measured/students/{dataset}/{model}/{job}.csv",
    log:
        "<logs>/step_by_step/measure_students/{dataset}/{model}/{job}.log",
    benchmark:
        "<benchmarks>/step_by_step/measure_students/{dataset}/{model}/{job}.tsv"
    wildcard_constraints:
        job=SBS_JOB_NAMES,
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        students=lambda wildcards: [student.name for student in sbs_students(wildcards)],
        settings=SBS_SETTINGS,
    shell:
        "python -m {params.module}"
        " --results {input.results:q} --students {params.students:q} --settings {params.settings:q}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule step_by_step_measure_fewest_rows:
    """Find the smallest share of the training rows with which a student beats its target."""
    input:
        script="scripts/step_by_step/measure_fewest_rows.py",
        code=code_of("scripts/step_by_step/measure_fewest_rows.py"),
        measured=sbs_fewest,
    output:
        measured="<results>/step_by_step/measured/{experiment}.csv",
    log:
        "<logs>/step_by_step/measure_fewest_rows/{experiment}.log",
    benchmark:
        "<benchmarks>/step_by_step/measure_fewest_rows/{experiment}.tsv"
    wildcard_constraints:
        experiment=one_of(FEWEST_ROWS),
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        settings=SBS_SETTINGS,
    shell:
        "python -m {params.module}"
        " --experiment {wildcards.experiment} --measured {input.measured:q} --settings {params.settings:q}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule step_by_step_collect_metrics:
    """Bring everything measured for the paper together in one file."""
    input:
        script="scripts/report/collect_measured.py",
        code=code_of("scripts/report/collect_measured.py"),
        measured=SBS_PLAN.measured_files(),
    output:
        metrics="<results>/step_by_step/metrics.csv",
    log:
        "<logs>/step_by_step/collect_metrics.log",
    benchmark:
        "<benchmarks>/step_by_step/collect_metrics.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
    shell:
        "python -m {params.module}" " --measured {input.measured:q} --metrics-out {output.metrics:q}" " > {log:q} 2>&1"


rule step_by_step_table_1:
    """Table 1: where the rationales come from."""
    input:
        script="scripts/step_by_step/tabulate_artifact.py",
        code=code_of("scripts/step_by_step/tabulate_artifact.py"),
        measured=sbs_measured("table_1"),
        published="config/published/step_by_step.csv",
    output:
        **table_files("step_by_step", "table_1"),
    log:
        "<logs>/step_by_step/table_1.log",
    benchmark:
        "<benchmarks>/step_by_step/table_1.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        artifact=artifact_of,
        settings=SBS_SETTINGS,
        tier=config["tier"],
    shell:
        "python -m {params.module} --artifact {params.artifact} --settings {params.settings:q}"
        " --measured {input.measured:q} --published {input.published:q} --tier {params.tier}"
        " --csv-out {output.csv:q} --md-out {output.md:q} --tex-out {output.tex:q}"
        " > {log:q} 2>&1"


use rule step_by_step_table_1 as step_by_step_table_2 with:
    """Table 2: ways of training with rationales."""
    input:
        script="scripts/step_by_step/tabulate_artifact.py",
        code=code_of("scripts/step_by_step/tabulate_artifact.py"),
        measured=sbs_measured("table_2"),
        published="config/published/step_by_step.csv",
    output:
        **table_files("step_by_step", "table_2"),
    log:
        "<logs>/step_by_step/table_2.log",
    benchmark:
        "<benchmarks>/step_by_step/table_2.tsv"


use rule step_by_step_table_1 as step_by_step_table_3 with:
    """Table 3: sizes of the data sets."""
    input:
        script="scripts/step_by_step/tabulate_artifact.py",
        code=code_of("scripts/step_by_step/tabulate_artifact.py"),
        measured=sbs_measured("table_3"),
        published="config/published/step_by_step.csv",
    output:
        **table_files("step_by_step", "table_3"),
    log:
        "<logs>/step_by_step/table_3.log",
    benchmark:
        "<benchmarks>/step_by_step/table_3.tsv"


use rule step_by_step_table_1 as step_by_step_table_teachers with:
    """Beyond the paper: how often each teacher is right, and how often its answers can be read."""
    input:
        script="scripts/step_by_step/tabulate_artifact.py",
        code=code_of("scripts/step_by_step/tabulate_artifact.py"),
        measured=sbs_measured("table_teachers"),
        published="config/published/step_by_step.csv",
    output:
        **table_files("step_by_step", "table_teachers"),
    log:
        "<logs>/step_by_step/table_teachers.log",
    benchmark:
        "<benchmarks>/step_by_step/table_teachers.tsv"


rule step_by_step_figure_4:
    """Figure 4: accuracy against the share of training rows, gold labels."""
    input:
        script="scripts/step_by_step/plot_shares.py",
        code=code_of("scripts/step_by_step/plot_shares.py"),
        measured=sbs_measured("figure_4"),
        published="config/published/step_by_step.csv",
    output:
        **figure_files("step_by_step", "figure_4"),
    log:
        "<logs>/step_by_step/figure_4.log",
    benchmark:
        "<benchmarks>/step_by_step/figure_4.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        artifact=artifact_of,
        settings=SBS_SETTINGS,
        tier=config["tier"],
    shell:
        "python -m {params.module} --artifact {params.artifact} --settings {params.settings:q}"
        " --measured {input.measured:q} --published {input.published:q} --tier {params.tier}"
        " --pdf-out {output.pdf:q} --png-out {output.png:q} --csv-out {output.csv:q}"
        " > {log:q} 2>&1"


use rule step_by_step_figure_4 as step_by_step_figure_5 with:
    """Figure 5: accuracy against the share of training rows, the teacher's labels."""
    input:
        script="scripts/step_by_step/plot_shares.py",
        code=code_of("scripts/step_by_step/plot_shares.py"),
        measured=sbs_measured("figure_5"),
        published="config/published/step_by_step.csv",
    output:
        **figure_files("step_by_step", "figure_5"),
    log:
        "<logs>/step_by_step/figure_5.log",
    benchmark:
        "<benchmarks>/step_by_step/figure_5.tsv"


use rule step_by_step_figure_4 as step_by_step_figure_6 with:
    """Figure 6: accuracy against the size of the student, gold labels."""
    input:
        script="scripts/step_by_step/plot_sizes.py",
        code=code_of("scripts/step_by_step/plot_sizes.py"),
        measured=sbs_measured("figure_6"),
        published="config/published/step_by_step.csv",
    output:
        **figure_files("step_by_step", "figure_6"),
    log:
        "<logs>/step_by_step/figure_6.log",
    benchmark:
        "<benchmarks>/step_by_step/figure_6.tsv"


use rule step_by_step_figure_4 as step_by_step_figure_7 with:
    """Figure 7: accuracy against the size of the student, the teacher's labels."""
    input:
        script="scripts/step_by_step/plot_sizes.py",
        code=code_of("scripts/step_by_step/plot_sizes.py"),
        measured=sbs_measured("figure_7"),
        published="config/published/step_by_step.csv",
    output:
        **figure_files("step_by_step", "figure_7"),
    log:
        "<logs>/step_by_step/figure_7.log",
    benchmark:
        "<benchmarks>/step_by_step/figure_7.tsv"


use rule step_by_step_figure_4 as step_by_step_figure_8 with:
    """Figure 8: accuracy by share of training rows and size of the student beside the teacher's, gold labels."""
    input:
        script="scripts/step_by_step/plot_minimum.py",
        code=code_of("scripts/step_by_step/plot_minimum.py"),
        measured=sbs_measured("figure_8"),
        published="config/published/step_by_step.csv",
    output:
        **figure_files("step_by_step", "figure_8"),
    log:
        "<logs>/step_by_step/figure_8.log",
    benchmark:
        "<benchmarks>/step_by_step/figure_8.tsv"


use rule step_by_step_figure_4 as step_by_step_figure_9 with:
    """Figure 9: accuracy by share of training rows and size of the student beside the teacher's, its labels."""
    input:
        script="scripts/step_by_step/plot_minimum.py",
        code=code_of("scripts/step_by_step/plot_minimum.py"),
        measured=sbs_measured("figure_9"),
        published="config/published/step_by_step.csv",
    output:
        **figure_files("step_by_step", "figure_9"),
    log:
        "<logs>/step_by_step/figure_9.log",
    benchmark:
        "<benchmarks>/step_by_step/figure_9.tsv"


rule step_by_step_all:
    """Every table and figure of Distilling Step-by-Step."""
    input:
        expand("<results>/tables/step_by_step_{table}.{suffix}", table=STEP_BY_STEP_TABLES, suffix=["csv", "md", "tex"]),
        expand(
            "<results>/figures/step_by_step_{figure}.{suffix}",
            figure=STEP_BY_STEP_FIGURES,
            suffix=["pdf", "png", "csv"],
        ),
    localrule: True
