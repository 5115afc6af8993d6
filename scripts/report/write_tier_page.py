"""Write docs/<tier>/README.md: what a tier measured so far, from what docs/ keeps of it, and its pictures.

The page shows the claims that were measured, and of each paper its main tables and figures: those of `MAIN` that can be
made from what is kept.
"""

from __future__ import annotations

import argparse
import collections
import os
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.files import read_csv, read_json, read_text, whole_folder, write_text
from scripts.common.metrics import COMPARISON_COLUMNS
from scripts.report.claim_tables import claims_table
from scripts.report.claims import CLAIM_COLUMNS, NOT_RUN, directions
from scripts.report.kept_times import TIME_COLUMNS, machines_of, minutes_of
from scripts.report.manifest import ArtifactSource, artifact_title, paper_name, parse_manifest, read_caption
from scripts.report.thumbnails import write_thumbnails

MAIN = {
    "step_by_step": ("table_3", "table_teachers", "table_1", "table_2", "figure_4"),
    "ddg": ("table_1", "table_main", "table_long"),
    "nuggets": ("table_released_counts", "table_released", "figure_released", "table_1", "table_3", "table_baselines"),
    "mend": ("table_2", "table_efficiency", "table_timing", "figure_3"),
    "delift": ("table_1", "table_4", "table_6"),
    "head_to_head": ("table_selection", "figure_selection", "table_demonstrations"),
}
"""A paper's main tables and figures, in the page's order; of any other paper all."""
SCALE = 0.5  # of a figure's pixels: they are read here
ABOUT = {
    "laptop": "Real data and small pre-trained models from packages of the Python index, two cores, no GPU, no model "
    "hub. Models of this size are far from the papers': compare differences and directions, not values.",
}
HEAD = """# The {tier} tier: what is measured so far

Written by `snakemake --cores all gallery --configfile config/tiers/{tier}.yaml --config from_kept=true`; do not edit.

{about}

Measuring takes hours, so the values are kept in [measured](measured). From these every table and figure below, and the
whole report, are made in a minute, without model or data:

```bash
snakemake --cores all report --configfile config/tiers/{tier}.yaml --config from_kept=true
```

`snakemake --cores all use_measured --configfile config/tiers/{tier}.yaml` takes them into the results instead; a run
then goes on where they end. `keep_measured` brings new ones back.

| paper | tables and figures | minutes of jobs | measured on |
| --- | --: | --: | --- |
{papers}

{compared}"""


def paper_line(paper: str, sources: Sequence[ArtifactSource], times: Sequence[Mapping[str, str]]) -> str:
    """Return a paper's row of the first table."""
    names = [f"{source.paper}_{source.artifact}" for source in sources]
    minutes = minutes_of(times, names)
    told = f"{minutes:.0f}" if minutes >= 1 else "below 1"
    return f"| {paper_name(paper)} | {len(names)} | {told} | {machines_of(times, names)} |"


def compared(comparison: Sequence[Mapping[str, str]], claims: Sequence[Mapping[str, str]]) -> str:
    """Say how many published values were reached, and how many printed differences have the same sign."""
    counts = collections.Counter(row["status"] for row in comparison)
    same, printed = directions(claims)
    lines = [
        f"Of the published values {counts['reproduced']} are reproduced and {counts['deviates']} deviate.",
        "The others belong to models that this tier does not run.",
    ]
    if printed:
        lines.append(f"Differences with the printed sign, measured with other models: {same} of {printed}.")
    return " ".join(lines)


def artifact_lines(source: ArtifactSource, config: Mapping[str, Any], pictures: str) -> list[str]:
    """Return the lines of a table or figure. pictures: the folder of small figures, seen from the page."""
    lead = read_caption(source, config)[0]
    name = f"{source.paper}_{source.artifact}"
    title = f"### {artifact_title(source.artifact)}{f': {lead}' if lead else ''}"
    if source.kind == "figure":
        return [
            title,
            "",
            f"![{artifact_title(source.artifact)} of {paper_name(source.paper)}]({pictures}/{name}.png)",
            "",
        ]
    return [title, "", read_text(next(file for file in source.files if file.endswith(".md"))).strip(), ""]


def main_ones(paper: str, sources: Sequence[ArtifactSource]) -> list[ArtifactSource]:
    """Return a paper's main tables and figures, of those that were made."""
    by_name = {source.artifact: source for source in sources}
    return [by_name[name] for name in MAIN.get(paper, tuple(by_name)) if name in by_name]


def section(
    paper: str,
    sources: Sequence[ArtifactSource],
    claims: Sequence[Mapping[str, str]],
    config: Mapping[str, Any],
    pictures: str,
) -> list[str]:
    """Return a paper's lines: the claims that were measured, then its tables and figures."""
    name = paper_name(paper)
    lines = ["", f"## {name}", "", f"How it is run and where it deviates: [its page](../{paper}.md).", ""]
    if claims:
        lines += [f"![The claims of {name}]({pictures}/claims_{paper}.png)", "", *claims_table(claims), ""]
    for source in sources:
        lines += artifact_lines(source, config, pictures)
    return lines


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", required=True, help="JSON list as for the report")
    parser.add_argument("--config", required=True, type=Path, help="the run's configuration, JSON")
    parser.add_argument("--comparison", required=True, type=Path, help="CSV written by compare_published")
    parser.add_argument("--claims", nargs="?", type=Path, help="CSV written by measure_claims")
    parser.add_argument("--claim-figures", nargs="*", default=[], type=Path, help="PNGs report_claims_<paper>.png")
    parser.add_argument("--times", required=True, type=Path, help="CSV of the kept jobs' seconds")
    parser.add_argument("--page-out", required=True, type=Path, help="Markdown page")
    parser.add_argument("--figures-out", required=True, type=Path, help="folder of its pictures")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read what was made from the kept values, write pictures and page."""
    args = parse_args(argv)
    config, sources = read_json(args.config), parse_manifest(args.artifacts)
    times = read_csv(args.times, TIME_COLUMNS)
    claims = read_csv(args.claims, CLAIM_COLUMNS) if args.claims else []
    tier = config["tier"]
    by_paper: dict[str, list[ArtifactSource]] = {}
    for source in sources:
        by_paper.setdefault(source.paper, []).append(source)
    chosen = {paper: main_ones(paper, members) for paper, members in by_paper.items()}
    measured = [row for row in claims if row["verdict"] != NOT_RUN]
    claim_pictures = {path.stem.removeprefix("report_"): path for path in args.claim_figures}
    shown_claims = {f"claims_{row['paper']}" for row in measured}
    pictures = Path(os.path.relpath(args.figures_out, args.page_out.parent)).as_posix()
    lines = [
        HEAD.format(
            tier=tier,
            about=ABOUT.get(tier, ""),
            papers="\n".join(paper_line(paper, members, times) for paper, members in by_paper.items()),
            compared=compared(read_csv(args.comparison, COMPARISON_COLUMNS), claims),
        )
    ]
    for paper, members in chosen.items():
        lines += section(paper, members, [row for row in measured if row["paper"] == paper], config, pictures)
    small = {
        f"{source.paper}_{source.artifact}": (next(file for file in source.files if file.endswith(".png")), SCALE)
        for members in chosen.values()
        for source in members
        if source.kind == "figure"
    }
    full = {name: (str(path), 1.0) for name, path in claim_pictures.items() if name in shown_claims}
    with whole_folder(args.figures_out) as folder:
        write_thumbnails({**small, **full}, folder)
    write_text(args.page_out, "\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    run_step(main)
