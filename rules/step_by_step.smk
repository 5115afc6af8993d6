# Distilling Step-by-Step (Findings of ACL 2023): learn from an LLM's rationales as a second task.
include: "step_by_step_files.smk"


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
        settings=as_json(dataclasses.asdict(SBS_PLAN)),
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
        " --dataset {wildcards.dataset:q} --splits {params.splits:q} --reports {input.reports:q}"
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
        " --dataset {wildcards.dataset:q} --teacher {wildcards.teacher:q}"
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
        teacher=SBS["teacher"],
    shell:
        "python -m {params.module}"
        " --results {input.results:q} --students {params.students:q} --teacher {params.teacher:q}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule step_by_step_measure_fewest_rows:
    """Find the smallest share of the training rows with which a student beats its target."""
    input:
        script="scripts/step_by_step/measure_fewest_rows.py",
        code=code_of("scripts/step_by_step/measure_fewest_rows.py"),
        measured=lambda wildcards: SBS_PLAN.fewest_files(wildcards.experiment),
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
        settings=lambda wildcards: json_text(SBS_PLAN.settings(FEWEST_ROWS[wildcards.experiment])),
    shell:
        "python -m {params.module}"
        " --experiment {wildcards.experiment:q} --measured {input.measured:q} --settings {params.settings:q}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"
