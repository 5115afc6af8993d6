"""Render one self-contained page with every table and figure, the comparison and the facts of the run.

Nothing on the page is loaded from elsewhere: images, style and script are inside it, and its content security policy
refuses anything else. All text from data is escaped.
"""

from __future__ import annotations

import argparse
import base64
import collections
import hashlib
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.environments import read_environment
from scripts.common.errors import UserError, run_step
from scripts.common.files import read_csv, read_json, read_text, write_text
from scripts.common.metrics import COMPARISON_COLUMNS, read_metrics
from scripts.report.claims import CLAIM_COLUMNS, NOT_RUN, VERDICTS, directions
from scripts.report.deviations import read_deviations
from scripts.report.job_graph import PlannedJob, jobs_behind, load_jobs, minutes_behind
from scripts.report.kept_times import TIME_COLUMNS, machines_of, minutes_of
from scripts.report.manifest import NO_PAPERS, ArtifactSource, paper_name, parse_manifest
from scripts.report.moves import moves_of, read_moves
from scripts.report.run_facts import git_commit, machine_facts, read_step_times, times_by_paper
from scripts.report.shown_artifacts import (
    STATUS_NAMES,
    Link,
    build_artifact,
    group_papers,
    read_picture,
    relative_link,
)
from scripts.report.shown_comparison import comparison_rows, grouped

TEMPLATES = Path(__file__).resolve().parent / "templates"
COUNT_WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


def verdict_counts(rows: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return how often each verdict was given, by paper and tier; rows: claims of all tiers.

    A tier that ran none of a paper's claims has no row.
    """
    counts: dict[tuple[str, str], collections.Counter[str]] = {}
    for row in rows:
        counts.setdefault((row["paper"], row["tier"]), collections.Counter())[row["verdict"]] += 1
    order = list(dict.fromkeys(row["paper"] for row in rows))
    return [
        {"paper": paper, "tier": tier, "counts": [found[verdict] for verdict in VERDICTS]}
        for (paper, tier), found in sorted(counts.items(), key=lambda item: order.index(item[0][0]))
        if set(found) != {NOT_RUN}
    ]


def read_comparison(path: Path) -> list[dict[str, str]]:
    """Return the comparison as `compare_published` wrote it. Raises `UserError` for a status it does not know."""
    rows = read_csv(path, COMPARISON_COLUMNS)
    for line, row in enumerate(rows, start=2):
        if row["status"] not in STATUS_NAMES:
            raise UserError(f"{path}:{line}: unknown status '{row['status']}'; run compare_published again")
    return rows


def read_config(path: Path) -> dict[str, Any]:
    """Return the configuration from a JSON file. Raises `UserError` if it is not a map."""
    config = read_json(path)
    if not isinstance(config, dict):
        raise UserError(f"{path}: expected a map of settings, found {type(config).__name__}")
    return config


def config_sections(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (key, YAML text): first the single values at the top of the configuration, then each of its maps."""
    import yaml

    def dump(value: Any) -> str:
        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100).rstrip()

    single = {key: value for key, value in config.items() if not isinstance(value, dict)}
    maps = [(key, dump(value)) for key, value in config.items() if isinstance(value, dict)]
    return [("general", dump(single)), *maps] if single else maps


def render_page(context: Mapping[str, Any]) -> str:
    """Fill the template; style and script are put into the page and allowed by their hashes, and nothing else is."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    style, script = (read_text(TEMPLATES / name) for name in ("report.css", "report.js"))
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_content_hash(style)}'; script-src '{_content_hash(script)}'"
    )
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html.j2")
    # Our own files, the only markup that is not escaped.
    own = {"style": Markup(style), "script": Markup(script)}  # noqa: S704
    return template.render(**context, **own, policy=policy)


def _content_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def build_context(args: argparse.Namespace) -> dict[str, Any]:
    """Read every input of the page and return what the template needs."""
    folder = args.report_out.parent
    config, comparison, metrics = read_config(args.config), read_comparison(args.comparison), read_metrics(args.metrics)
    sources = parse_manifest(args.artifacts)
    artifacts = [(source.paper, build_artifact(source, config, comparison, folder)) for source in sources]
    papers = group_papers(artifacts, comparison)
    moves = read_moves(args.moves) if args.moves and args.tier == "mini" else []
    claims = read_csv(args.claims, CLAIM_COLUMNS) if args.claims else []
    kept = [row for path in args.kept_claims for row in read_csv(path, CLAIM_COLUMNS)]
    deviations = {path.stem: read_deviations(path) for path in args.docs}
    jobs = load_jobs(args.jobs) if args.jobs else []
    times = read_csv(args.times, TIME_COLUMNS) if args.times else []
    return {
        "tier": args.tier,
        "papers": papers,
        "deviations": {paper: found for paper, found in deviations.items() if found},
        "overview": read_picture(args.overview) if args.overview else None,
        "claims": claims,
        "verdict_counts": verdict_counts([*claims, *kept]),
        "moves": {
            artifact.anchor: moves_of(moves, paper, artifact.name) for paper, artifact in artifacts if artifact.name
        },
        "minutes": {
            artifact.anchor: shown_minutes(source, jobs, times) for source, (_, artifact) in zip(sources, artifacts)
        },
        "kept_on": machines_of(times, [f"{source.paper}_{source.artifact}" for source in sources]),
        "claim_figures": {path.stem.removeprefix("report_claims_"): read_picture(path) for path in args.claim_figures},
        "verdicts": VERDICTS,
        "paper_name": paper_name,
        "n_papers": sum(paper["key"] not in NO_PAPERS for paper in papers),
        "comparison": grouped(comparison_rows(comparison, [artifact.anchor for _, artifact in artifacts])),
        "counts": collections.Counter(row["status"] for row in comparison),
        "directions": directions(claims) if args.tier != "mini" else (0, 0),
        "printed_not_run": sum((row["status"], row["origin"]) == ("not_run", "paper") for row in comparison),
        "status_names": STATUS_NAMES,
        "count_words": COUNT_WORDS,
        "n_metrics": len(metrics),
        "n_artifacts": len(artifacts),
        "data_links": [
            Link("metrics.csv", relative_link(args.metrics, folder)),
            Link("comparison.csv", relative_link(args.comparison, folder)),
        ],
        "contact_sheet": relative_link(args.contact_sheet, folder) if args.contact_sheet else "",
        "config_sections": config_sections(config),
        "environments": [read_environment(path) for path in args.environments],
        "machine": machine_facts(),
        "commit": git_commit(Path(__file__).resolve().parent),
        "times": times_by_paper(read_step_times(args.benchmarks)) if args.benchmarks else [],
        "rendered": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    }


def shown_minutes(source: ArtifactSource, jobs: Sequence[PlannedJob], times: Sequence[Mapping[str, str]]) -> str:
    """Return the minutes of the jobs behind a table or figure, "" if they are not known. times: of a kept run."""
    kept = minutes_of(times, [f"{source.paper}_{source.artifact}"])
    if kept:
        return f"{kept:.1f}"
    return minutes_behind(source.files, jobs) if jobs_behind(source.files, jobs) else ""


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", required=True, help="tier of the run: mini, sample or paper")
    parser.add_argument(
        "--artifacts",
        required=True,
        help="JSON list of {paper, artifact, kind: table|figure, files: [...], caption: file}",
    )
    parser.add_argument("--metrics", required=True, type=Path, help="CSV of all measured values")
    parser.add_argument("--comparison", required=True, type=Path, help="CSV written by compare_published")
    parser.add_argument("--config", required=True, type=Path, help="the run's configuration, JSON or YAML")
    parser.add_argument("--environments", required=True, nargs="+", type=Path, help="environment files of the steps")
    parser.add_argument(
        "--docs", nargs="*", default=[], type=Path, help="the papers' pages, whose deviations are shown"
    )
    parser.add_argument("--overview", nargs="?", type=Path, help="PNG that shows the papers side by side")
    parser.add_argument("--claims", nargs="?", type=Path, help="CSV written by measure_claims")
    parser.add_argument(
        "--kept-claims", nargs="*", default=[], type=Path, help="the same of other tiers, kept in docs/"
    )
    parser.add_argument("--moves", nargs="?", type=Path, help="YAML of numbers that differ between processors")
    parser.add_argument("--claim-figures", nargs="*", default=[], type=Path, help="PNGs report_claims_<paper>.png")
    parser.add_argument("--contact-sheet", nargs="?", type=Path, help="PNG with all figures, to link to")
    parser.add_argument("--benchmarks", type=Path, help="folder of Snakemake's benchmark files, if there are any")
    parser.add_argument("--jobs", nargs="?", type=Path, help="jobs of the run as written by plan_jobs, JSON")
    parser.add_argument("--times", nargs="?", type=Path, help="instead: CSV of the seconds of kept jobs")
    parser.add_argument("--report-out", required=True, type=Path, help="the page")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read results and facts, render the page, write it."""
    args = parse_args(argv)
    write_text(args.report_out, render_page(build_context(args)))


if __name__ == "__main__":
    run_step(main)
