"""Write docs/artifacts.md: every table and figure of a finished run with its target, minutes and status, and pictures.

Minutes are those of all jobs that the target needs, added up, from the run's benchmark files.
"""

from __future__ import annotations

import argparse
import collections
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.files import read_csv, read_json, whole_folder, write_text
from scripts.common.metrics import COMPARISON_COLUMNS
from scripts.common.tables import read_markdown_table
from scripts.report.job_graph import PlannedJob, load_jobs, minutes_behind, seconds_behind
from scripts.report.manifest import (
    NO_PAPERS,
    PAPERS,
    ArtifactSource,
    artifact_title,
    paper_name,
    parse_manifest,
    printed_in,
    read_caption,
)
from scripts.report.run_facts import machine_facts
from scripts.report.shown_artifacts import Status, judge, unmeasured
from scripts.report.thumbnails import write_thumbnails

THUMBNAIL_SCALE = 0.24  # of a figure's pixels
OVERVIEW_SCALE = 1.0  # the claims' too: they are read, not looked up

HEAD = """# Tables and figures

Written by `snakemake --cores all gallery` from a finished run of the {tier} tier; do not edit.

{stamp}{n} tables and figures, {total:.0f} minutes of jobs in all, several of which may run at once.
Machine: {machine}; {date}.

The minutes of a row are those of all jobs behind it, from scratch, as measured (≥: the time of some was not recorded);
rows of a paper share most of them. What the other tiers need stands on each paper's page. Statuses compare with
published values; the numbers are in `results/{tier}/report.html`.

![The main claim of each paper, as measured]({overview})"""


def status_of(source: ArtifactSource, comparison: Sequence[Mapping[str, str]]) -> Status:
    """Return the verdict that the report shows for an artifact."""
    markdown = next((file for file in source.files if file.endswith(".md")), None)
    empty = unmeasured(read_markdown_table(markdown)) if markdown else None
    return empty or judge(printed_in(comparison, source.paper, source.artifact), built=True)


def artifact_row(source: ArtifactSource, lead: str, status: Status, jobs: Sequence[PlannedJob], pictures: str) -> str:
    """Return one artifact's row of the page. pictures: the thumbnails' folder, seen from the page."""
    name = f"{source.paper}_{source.artifact}"
    picture = f"![{artifact_title(source.artifact)}]({pictures}/{name}.png)" if source.kind == "figure" else ""
    minutes = minutes_behind(source.files, jobs)
    verdict = f"not run: {status.reason}" if status.text == "not run" and status.reason else status.text
    title = f"**{artifact_title(source.artifact)}** {lead}".strip()
    return f"| {title} | {picture} | `{name}` | {minutes} | {verdict} |"


def page(
    sources: Sequence[ArtifactSource],
    comparison: Sequence[Mapping[str, str]],
    config: Mapping[str, Any],
    jobs: Sequence[PlannedJob],
    pictures: str,
) -> str:
    """Return the page."""
    tier = config["tier"]
    lines = [
        HEAD.format(
            tier=tier,
            stamp="A synthetic stand-in that replicates nothing: " if tier == "mini" else "",
            n=len(sources),
            total=seconds_behind([file for source in sources for file in source.files], jobs) / 60,
            date=datetime.now(timezone.utc).date().isoformat(),
            machine=", ".join(f"{name} {value}" for name, value in machine_facts()[:4]),
            overview=f"{pictures}/overview.png",
        )
    ]
    by_paper = collections.defaultdict(list)
    for source in sources:
        by_paper[source.paper].append(source)
    for paper, members in by_paper.items():
        lines += ["", f"## {paper_name(paper)}", ""]
        about = PAPERS[paper].about if paper in PAPERS else ""
        more = f"More on [its page]({paper}.md)." if paper not in NO_PAPERS else ""
        lines += [" ".join(filter(None, [about, more])), ""]
        lines += ["| what it shows | | target | minutes | status |", "| --- | --- | --- | --: | --- |"]
        lines += [
            artifact_row(source, read_caption(source, config)[0], status_of(source, comparison), jobs, pictures)
            for source in members
        ]
    return "\n".join(lines) + "\n"


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", required=True, help="JSON list as for the report")
    parser.add_argument("--comparison", required=True, type=Path, help="CSV written by compare_published")
    parser.add_argument("--config", required=True, type=Path, help="the run's configuration, JSON")
    parser.add_argument("--jobs", required=True, type=Path, help="the run's jobs as written by plan_jobs, JSON")
    parser.add_argument("--overview", required=True, help="PNG that shows the papers side by side")
    parser.add_argument("--claim-figures", nargs="*", default=[], type=Path, help="PNGs report_claims_<paper>.png")
    parser.add_argument("--gallery-out", required=True, type=Path, help="Markdown page")
    parser.add_argument("--figures-out", required=True, type=Path, help="folder of the thumbnails")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the run, write thumbnails and page."""
    args = parse_args(argv)
    config, sources = read_json(args.config), parse_manifest(args.artifacts)
    jobs = load_jobs(args.jobs)
    figures = {
        f"{source.paper}_{source.artifact}": (
            next(file for file in source.files if file.endswith(".png")),
            THUMBNAIL_SCALE,
        )
        for source in sources
        if source.kind == "figure"
    }
    full = {path.stem.removeprefix("report_"): (str(path), OVERVIEW_SCALE) for path in args.claim_figures}
    with whole_folder(args.figures_out) as folder:
        write_thumbnails({**figures, **full, "overview": (args.overview, OVERVIEW_SCALE)}, folder)
    pictures = Path(os.path.relpath(args.figures_out, args.gallery_out.parent)).as_posix()
    write_text(args.gallery_out, page(sources, read_csv(args.comparison, COMPARISON_COLUMNS), config, jobs, pictures))


if __name__ == "__main__":
    run_step(main)
