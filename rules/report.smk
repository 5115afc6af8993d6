# All papers together: the long metrics, the comparison with the published values, the page.
WITH_MINI_WORLD = config["data"]["source"] == "synthetic" and not config["from_kept"]
REPORTED = config["papers"] + (["mini_world"] if WITH_MINI_WORLD else [])


REPORT_ARTIFACTS = [
    {
        "paper": paper,
        "artifact": artifact,
        "kind": kind,
        "caption": f"report/{paper}_{artifact}.rst",
        "files": [f"{RESULTS}/{kind}s/{paper}_{artifact}.{suffix}" for suffix in SUFFIXES[kind]],
    }
    for paper in REPORTED
    for kind in SUFFIXES
    for artifact in artifact_names(paper, kind)
]

REPORT_FIGURES = [artifact for artifact in REPORT_ARTIFACTS if artifact["kind"] == "figure"]
WITH_CLAIM = [paper for paper in config["papers"] if paper in config["overview"]]
# Tables and figures whose published values can be checked from data alone, and the measured values that they show.
WITHOUT_GPU = [
    (paper, artifact.name)
    for paper in config["papers"]
    for artifact in DISPLAYED[paper].artifacts
    if artifact.data_alone
]
WITHOUT_GPU_MEASURED = sorted(
    {file for paper, artifact in WITHOUT_GPU for file in DISPLAYED[paper].plan.needs(artifact).measured}
)
# Papers whose plan says itself what is missing and why; the others have a step that finds it out.
GIVING_REASONS = [paper for paper in ("mend", "delift", "head_to_head") if paper in LISTED]
# Papers with claims (the head to head has none, nor need a new paper), and what other tiers kept in docs/ say of them.
CLAIMED = {claim["paper"] for claim in read_yaml("config/published/claims.yaml").values()}
CLAIMING = [paper for paper in config["papers"] if paper in CLAIMED]
OTHER_CLAIMS = [
    path for path in sorted(map(str, Path("docs/claims").glob("*.csv"))) if Path(path).stem != config["tier"]
]
# Pages with generated blocks, and the tables of the run that they show: the mini tier's, which everybody can rebuild.
PAGES_WITH_BLOCKS = [
    str(page) for page in pages_with_blocks([Path("README.md"), *sorted(Path("docs").glob("**/*.md"))])
]
PAGE_TABLES = [
    f"{RESULTS}/tables/{name}.md"
    for name in tables_named([Path(page) for page in PAGES_WITH_BLOCKS])
    if config["tier"] == "mini" and name in {f"{shown['paper']}_{shown['artifact']}" for shown in REPORT_ARTIFACTS}
]
PAPER_PAGES = [page for page in (f"docs/{paper}.md" for paper in REPORTED) if Path(page).is_file()]


rule report_list_missing:
    """Write down what is not measured for a paper and why: what the tier leaves out, data and models out of reach."""
    input:
        script="scripts/report/list_missing.py",
        code=code_of("scripts/report/list_missing.py"),
    output:
        measured="<results>/{paper}/measured/missing.csv",
    log:
        "<logs>/report/list_missing/{paper}.log",
    benchmark:
        "<benchmarks>/report/list_missing/{paper}.tsv"
    wildcard_constraints:
        paper=one_of(GIVING_REASONS),
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        reasons=lambda wildcards: json_text(LISTED[wildcards.paper].plan.reasons()),
    shell:
        "python -m {params.module}"
        " --paper {wildcards.paper:q} --reasons {params.reasons:q}"
        " --measured-out {output.measured:q}"
        " > {log:q} 2>&1"


rule report_collect_metrics:
    """Gather the measured values of all papers in one long table."""
    input:
        script="scripts/report/collect_metrics.py",
        code=code_of("scripts/report/collect_metrics.py"),
        metrics=expand("<results>/{paper}/metrics.csv", paper=REPORTED),
    output:
        metrics="<results>/metrics.csv",
    log:
        "<logs>/report/collect_metrics.log",
    benchmark:
        "<benchmarks>/report/collect_metrics.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
    shell:
        "python -m {params.module}" " --metrics {input.metrics:q} --metrics-out {output.metrics:q}" " > {log:q} 2>&1"


rule report_compare_published:
    """Put our values beside the published ones, each with its status."""
    input:
        script="scripts/report/compare_published.py",
        code=code_of("scripts/report/compare_published.py"),
        metrics="<results>/metrics.csv",
        published=expand("config/published/{paper}.csv", paper=config["papers"]),
    output:
        comparison=in_report("<results>/comparison.csv", "report", "comparison"),
    log:
        "<logs>/report/compare_published.log",
    benchmark:
        "<benchmarks>/report/compare_published.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        tolerances=as_json(config["tolerances"]),
        tier=config["tier"],
    shell:
        "python -m {params.module}"
        " --metrics {input.metrics:q} --published {input.published:q}"
        " --tolerances {params.tolerances:q} --tier {params.tier}"
        " --comparison-out {output.comparison:q}"
        " > {log:q} 2>&1"


rule report_collect_without_gpu:
    """Bring together what can be measured from data alone: counts, sizes, what was released of teachers."""
    input:
        script="scripts/report/collect_metrics.py",
        code=code_of("scripts/report/collect_metrics.py"),
        metrics=WITHOUT_GPU_MEASURED,
    output:
        metrics="<results>/without_gpu/metrics.csv",
    log:
        "<logs>/report/collect_without_gpu.log",
    benchmark:
        "<benchmarks>/report/collect_without_gpu.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
    shell:
        "python -m {params.module} --metrics {input.metrics:q} --metrics-out {output.metrics:q} > {log:q} 2>&1"


use rule report_compare_published as report_compare_without_gpu with:
    """Compare what data alone can tell with the published values."""
    input:
        script="scripts/report/compare_published.py",
        code=code_of("scripts/report/compare_published.py"),
        metrics="<results>/without_gpu/metrics.csv",
        published=expand("config/published/{paper}.csv", paper=sorted({paper for paper, _ in WITHOUT_GPU})),
    output:
        comparison="<results>/without_gpu/comparison.csv",
    log:
        "<logs>/report/compare_without_gpu.log",
    benchmark:
        "<benchmarks>/report/compare_without_gpu.tsv"


rule report_plot_overview:
    """Draw the main claim of every paper side by side, as measured."""
    input:
        script="scripts/report/plot_overview.py",
        code=code_of("scripts/report/plot_overview.py"),
        metrics="<results>/metrics.csv",
    output:
        **figure_files("report", "overview"),
    log:
        "<logs>/report/plot_overview.log",
    benchmark:
        "<benchmarks>/report/plot_overview.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        claims=as_json(config["overview"]),
        papers=WITH_CLAIM,
        tier=config["tier"],
    shell:
        "python -m {params.module}"
        " --metrics {input.metrics:q} --claims {params.claims:q} --papers {params.papers:q} --tier {params.tier}"
        " --pdf-out {output.pdf:q} --png-out {output.png:q} --csv-out {output.csv:q}"
        " > {log:q} 2>&1"


rule report_measure_claims:
    """Decide every claim of the papers by the measured values."""
    input:
        script="scripts/report/measure_claims.py",
        code=code_of("scripts/report/measure_claims.py"),
        claims="config/published/claims.yaml",
        metrics="<results>/metrics.csv",
        published=expand("config/published/{paper}.csv", paper=config["papers"]),
    output:
        claims="<results>/claims.csv",
    log:
        "<logs>/report/measure_claims.log",
    benchmark:
        "<benchmarks>/report/measure_claims.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        papers=config["papers"],
        tier=config["tier"],
    shell:
        "python -m {params.module}"
        " --claims {input.claims:q} --metrics {input.metrics:q} --published {input.published:q}"
        " --papers {params.papers:q} --tier {params.tier} --claims-out {output.claims:q}"
        " > {log:q} 2>&1"


rule report_plot_claims:
    """Draw the claims of a paper: what it prints and what was measured, each with its verdict."""
    input:
        script="scripts/report/plot_claims.py",
        code=code_of("scripts/report/plot_claims.py"),
        claims=["<results>/claims.csv", *OTHER_CLAIMS],
    output:
        pdf="<results>/figures/report_claims_{paper}.pdf",
        png="<results>/figures/report_claims_{paper}.png",
        csv="<results>/figures/report_claims_{paper}.csv",
    log:
        "<logs>/report/plot_claims/{paper}.log",
    benchmark:
        "<benchmarks>/report/plot_claims/{paper}.tsv"
    wildcard_constraints:
        paper=one_of(CLAIMING),
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        tier=config["tier"],
    shell:
        "python -m {params.module}"
        " --claims {input.claims:q} --paper {wildcards.paper:q} --tier {params.tier}"
        " --pdf-out {output.pdf:q} --png-out {output.png:q} --csv-out {output.csv:q}"
        " > {log:q} 2>&1"


rule report_plot_contact_sheet:
    """Draw all figures of the run, small, on one page."""
    input:
        script="scripts/report/plot_contact_sheet.py",
        code=code_of("scripts/report/plot_contact_sheet.py"),
        figures=[file for figure in REPORT_FIGURES for file in figure["files"]],
        captions=[figure["caption"] for figure in REPORT_FIGURES],
        config="<results>/config.json",
    output:
        sheet="<results>/contact_sheet.png",
    log:
        "<logs>/report/plot_contact_sheet.log",
    benchmark:
        "<benchmarks>/report/plot_contact_sheet.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        artifacts=as_json(REPORT_FIGURES),
        tier=config["tier"],
    shell:
        "python -m {params.module}"
        " --tier {params.tier} --artifacts {params.artifacts:q} --config {input.config:q}"
        " --sheet-out {output.sheet:q}"
        " > {log:q} 2>&1"


rule report_write_config:
    """Write down the merged configuration of the run."""
    output:
        config="<results>/config.json",
    log:
        "<logs>/report/write_config.log",
    localrule: True
    conda:
        "../envs/workflow.yaml"
    params:
        config=as_json(config),
    shell:
        "printf '%s\\n' {params.config:q} > {output.config:q} 2> {log:q}"


rule report_render_report:
    """Render the page with every table and figure, the comparison and the facts of the run."""
    input:
        script="scripts/report/render_report.py",
        code=code_of("scripts/report/render_report.py"),
        templates=sorted(map(str, Path("scripts/report/templates").iterdir())),
        artifacts=[file for artifact in REPORT_ARTIFACTS for file in artifact["files"]],
        captions=[artifact["caption"] for artifact in REPORT_ARTIFACTS],
        metrics="<results>/metrics.csv",
        comparison="<results>/comparison.csv",
        config="<results>/config.json",
        environments=sorted(map(str, Path("envs").glob("*.yaml"))),
        docs=PAPER_PAGES,
        overview=["<results>/figures/report_overview.png"] if WITH_CLAIM else [],
        sheet=["<results>/contact_sheet.png"] if REPORT_FIGURES else [],
        claims=["<results>/claims.csv"] if CLAIMING else [],
        claim_figures=[f"<results>/figures/report_claims_{paper}.png" for paper in CLAIMING],
        kept_claims=OTHER_CLAIMS,
        moves="config/published/moves.yaml",
        jobs=[] if config["from_kept"] else "<results>/jobs.json",
        times=KEPT_TIMES if config["from_kept"] else [],
    output:
        report="<results>/report.html",
    log:
        "<logs>/report/render_report.log",
    benchmark:
        "<benchmarks>/report/render_report.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        artifacts=as_json(REPORT_ARTIFACTS),
        benchmarks=f"{RESULTS}/benchmarks",
        tier=config["tier"],
    shell:
        "python -m {params.module}"
        " --tier {params.tier} --artifacts {params.artifacts:q}"
        " --metrics {input.metrics:q} --comparison {input.comparison:q} --config {input.config:q}"
        " --environments {input.environments:q} --benchmarks {params.benchmarks:q}"
        " --docs {input.docs:q} --overview {input.overview:q} --contact-sheet {input.sheet:q}"
        " --claims {input.claims:q} --claim-figures {input.claim_figures:q}"
        " --kept-claims {input.kept_claims:q} --moves {input.moves:q} --jobs {input.jobs:q} --times {input.times:q}"
        " --report-out {output.report:q}"
        " > {log:q} 2>&1"


rule report_plan_jobs:
    """Write down every job of a run from scratch, for the minutes in the report and in docs/artifacts.md."""
    input:
        script="scripts/report/plan_jobs.py",
        code=code_of("scripts/report/plan_jobs.py"),
        rules=["Snakefile", *sorted(map(str, Path("rules").glob("*.smk")))],
        config="<results>/config.json",
    output:
        jobs="<results>/jobs.json",
    log:
        "<logs>/report/plan_jobs.log",
    benchmark:
        "<benchmarks>/report/plan_jobs.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        module=as_py_module(),
    shell:
        "python -m {params.module}"
        " --config {input.config:q} --targets report --jobs-out {output.jobs:q}"
        " > {log:q} 2>&1"


rule report_write_gallery:
    """Write docs/artifacts.md and its pictures from a finished run of the tier."""
    input:
        script="scripts/report/write_gallery.py",
        code=code_of("scripts/report/write_gallery.py"),
        artifacts=[file for artifact in REPORT_ARTIFACTS for file in artifact["files"]],
        captions=[artifact["caption"] for artifact in REPORT_ARTIFACTS],
        comparison="<results>/comparison.csv",
        config="<results>/config.json",
        jobs="<results>/jobs.json",
        overview="<results>/figures/report_overview.png",
        claim_figures=[f"<results>/figures/report_claims_{paper}.png" for paper in CLAIMING],
    output:
        gallery="docs/artifacts.md",
        figures=directory("docs/figures"),
    log:
        "<logs>/report/write_gallery.log",
    benchmark:
        "<benchmarks>/report/write_gallery.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        artifacts=as_json(REPORT_ARTIFACTS),
    shell:
        "python -m {params.module}"
        " --artifacts {params.artifacts:q} --comparison {input.comparison:q} --config {input.config:q}"
        " --jobs {input.jobs:q} --overview {input.overview:q} --claim-figures {input.claim_figures:q}"
        " --gallery-out {output.gallery:q} --figures-out {output.figures:q}"
        " > {log:q} 2>&1"


rule report_write_claims_page:
    """Write docs/claims.md, and keep what this tier says of the claims."""
    input:
        script="scripts/report/write_claims_page.py",
        code=code_of("scripts/report/write_claims_page.py"),
        claims="<results>/claims.csv",
        kept=OTHER_CLAIMS,
    output:
        page="docs/claims.md",
        kept=f"docs/claims/{config['tier']}.csv",
    log:
        "<logs>/report/write_claims_page.log",
    benchmark:
        "<benchmarks>/report/write_claims_page.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
    shell:
        "python -m {params.module}"
        " --claims {input.claims:q} --kept {input.kept:q} --page-out {output.page:q} --kept-out {output.kept:q}"
        " > {log:q} 2>&1"


rule report_write_benchmarks_page:
    """Write docs/benchmarks.md, the one page with speeds, from docs/benchmarks.csv."""
    input:
        script="scripts/report/write_benchmarks_page.py",
        code=code_of("scripts/report/write_benchmarks_page.py"),
        benchmarks="docs/benchmarks.csv",
    output:
        page="docs/benchmarks.md",
    log:
        "<logs>/report/write_benchmarks_page.log",
    benchmark:
        "<benchmarks>/report/write_benchmarks_page.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
    shell:
        "python -m {params.module}" " --benchmarks {input.benchmarks:q} --page-out {output.page:q}" " > {log:q} 2>&1"


rule report_write_pages:
    """Renew the generated blocks of README.md and docs/: verdicts, and tables of the run. The pages change in place."""
    input:
        script="scripts/report/write_pages.py",
        code=code_of("scripts/report/write_pages.py"),
        claims=[f"docs/claims/{config['tier']}.csv", *OTHER_CLAIMS],
        tables=PAGE_TABLES,
        pages=PAGES_WITH_BLOCKS,
    output:
        blocks="<results>/page_blocks.json",
    log:
        "<logs>/report/write_pages.log",
    benchmark:
        "<benchmarks>/report/write_pages.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
    shell:
        "python -m {params.module}"
        " --claims {input.claims:q} --tables {input.tables:q} --pages {input.pages:q} --blocks-out {output.blocks:q}"
        " > {log:q} 2>&1"


rule reference_write_settings:
    """Write docs/settings.md: every setting, and its value without a tier."""
    input:
        script="scripts/reference/write_settings.py",
        code=code_of("scripts/reference/write_settings.py"),
        config=["config/config.yaml", "config/mini_world.yaml", *[f"config/papers/{paper}.yaml" for paper in PAPERS]],
    output:
        page="docs/settings.md",
    log:
        "<logs>/reference/write_settings.log",
    benchmark:
        "<benchmarks>/reference/write_settings.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        module=as_py_module(),
    shell:
        "python -m {params.module}" " --config {input.config:q} --page-out {output.page:q}" " > {log:q} 2>&1"


rule report_write_tier_page:
    """Write docs/<tier>/README.md and its pictures from what is kept of the tier (`from_kept: true`)."""
    input:
        script="scripts/report/write_tier_page.py",
        code=code_of("scripts/report/write_tier_page.py"),
        artifacts=[file for artifact in REPORT_ARTIFACTS for file in artifact["files"]],
        captions=[artifact["caption"] for artifact in REPORT_ARTIFACTS],
        comparison="<results>/comparison.csv",
        config="<results>/config.json",
        claims=["<results>/claims.csv"] if CLAIMING else [],
        claim_figures=[f"<results>/figures/report_claims_{paper}.png" for paper in CLAIMING],
        times=KEPT_TIMES,
    output:
        page=f"docs/{config['tier']}/README.md",
        figures=directory(f"docs/{config['tier']}/figures"),
    log:
        "<logs>/report/write_tier_page.log",
    benchmark:
        "<benchmarks>/report/write_tier_page.tsv"
    conda:
        "../envs/report.yaml"
    params:
        module=as_py_module(),
        artifacts=as_json(REPORT_ARTIFACTS),
    shell:
        "python -m {params.module}"
        " --artifacts {params.artifacts:q} --comparison {input.comparison:q} --config {input.config:q}"
        " --claims {input.claims:q} --claim-figures {input.claim_figures:q} --times {input.times:q}"
        " --page-out {output.page:q} --figures-out {output.figures:q}"
        " > {log:q} 2>&1"


rule gallery:
    """All generated pages and blocks: of a finished run, or, from kept values, of the tier's own page."""
    input:
        rules.report_write_tier_page.output if config["from_kept"] else rules.report_write_gallery.output,
        rules.report_write_claims_page.output,
        rules.report_write_benchmarks_page.output,
        rules.report_write_pages.output,
        rules.reference_write_settings.output,
    localrule: True


rule report:
    """The page, the comparison with the published values and all metrics."""
    input:
        "<results>/report.html",
        "<results>/comparison.csv",
        "<results>/metrics.csv",
        ["<results>/claims.csv"] if CLAIMING else [],
    localrule: True


rule published_without_gpu:
    """Every table whose published values can be checked from data alone, and the comparison: minutes, no model."""
    input:
        [
            file
            for shown in REPORT_ARTIFACTS
            if (shown["paper"], shown["artifact"]) in WITHOUT_GPU
            for file in shown["files"]
        ],
        "<results>/without_gpu/comparison.csv" if WITHOUT_GPU else [],
    localrule: True


rule download:
    """Fetch all data and models of the tier, so that compute nodes need no network, but for a judge at an endpoint."""
    input:
        [file for paper in config["papers"] for file in paper_files(paper)],
    localrule: True


rule resources_estimate:
    """Print the jobs, hours and GPU hours of what is still to be run (give the tier's --configfile)."""
    input:
        script="scripts/report/estimate_resources.py",
        code=code_of("scripts/report/estimate_resources.py"),
        costs=COSTS,
    log:
        "<logs>/report/estimate_resources.log",
    localrule: True
    conda:
        "../envs/workflow.yaml"
    params:
        module=as_py_module(),
        config=as_json(config),
        sizes=as_json(model_sizes(MODELS)),
        benchmarks=f"{RESULTS}/benchmarks",
        estimate=f"{RESULTS}/resources.csv",
    shell:
        "python -m {params.module}"
        " --config {params.config:q} --targets all --benchmarks {params.benchmarks:q}"
        " --costs {input.costs:q} --sizes {params.sizes:q}"
        " --estimate-out {params.estimate:q} 2> {log:q}"


rule artifact_costs:
    """Print for each table and figure its jobs from scratch, of what kinds, and hours with and without a GPU."""
    input:
        script="scripts/report/artifact_costs.py",
        code=code_of("scripts/report/artifact_costs.py"),
        costs=COSTS,
    log:
        "<logs>/report/artifact_costs.log",
    localrule: True
    conda:
        "../envs/workflow.yaml"
    params:
        module=as_py_module(),
        config=as_json(config),
        artifacts=as_json(REPORT_ARTIFACTS),
        owners=[*PAPERS, "data", "models", "mini_world", "report"],
        sizes=as_json(model_sizes(MODELS)),
        benchmarks=f"{RESULTS}/benchmarks",
        table=f"{RESULTS}/artifact_costs.csv",
    shell:
        "python -m {params.module}"
        " --config {params.config:q} --artifacts {params.artifacts:q} --owners {params.owners:q}"
        " --benchmarks {params.benchmarks:q} --costs {input.costs:q} --sizes {params.sizes:q}"
        " --costs-out {params.table:q} 2> {log:q}"


rule keep_measured:
    """Keep what the tables and figures of the tier are made from in docs/<tier>/measured, so far as it is there."""
    input:
        script="scripts/report/keep_measured.py",
        code=code_of("scripts/report/keep_measured.py"),
        jobs="<results>/jobs.json",
    log:
        "<logs>/report/keep_measured.log",
    localrule: True
    conda:
        "../envs/workflow.yaml"
    params:
        module=as_py_module(),
        results=lambda wildcards, input: str(Path(input.jobs).parent),
        kept=KEPT,
        times=KEPT_TIMES,
    shell:
        "python -m {params.module} --results {params.results:q} --kept {params.kept:q} --jobs {input.jobs:q}"
        " --times {params.times:q} > {log:q} 2>&1"


rule use_measured:
    """Take back what docs/<tier>/measured keeps: its tables and figures are made without computing anything."""
    input:
        script="scripts/report/keep_measured.py",
        code=code_of("scripts/report/keep_measured.py"),
    log:
        "<logs>/report/use_measured.log",
    localrule: True
    conda:
        "../envs/workflow.yaml"
    params:
        module=as_py_module(),
        results=RESULTS,
        kept=KEPT,
    shell:
        "python -m {params.module} --results {params.results:q} --kept {params.kept:q} > {log:q} 2>&1"
