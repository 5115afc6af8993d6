"""Render one self-contained page with every table and figure, the comparison and the facts of the run.

Nothing on the page is loaded from elsewhere: images, style and script are inside it, and its content security policy
refuses anything else. All text from data is escaped.
"""

from __future__ import annotations

import argparse
import base64
import collections
import dataclasses
import hashlib
import json
import os
import struct
import urllib.parse
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.environments import read_environment
from scripts.common.errors import UserError, did_you_mean, run_step
from scripts.common.files import read_csv, read_json, read_text, write_text
from scripts.common.metrics import is_finite_number, read_metrics
from scripts.common.plotting import PNG_DPI
from scripts.common.tables import PUBLISHED_SUFFIX, RenderedTable, format_number, read_markdown_table
from scripts.report.captions import Span, fill_caption, parse_caption, plain_text
from scripts.report.compare_published import COMPARISON_COLUMNS
from scripts.report.run_facts import StepTime, git_commit, machine_facts, read_step_times

TEMPLATES = Path(__file__).resolve().parent / "templates"
SUFFIXES = {"table": ("csv", "md"), "figure": ("csv", "png")}  # what the page needs of each kind
FILE_NAMES = {"csv": "CSV", "md": "Markdown", "tex": "LaTeX", "pdf": "PDF", "png": "PNG"}
STATUS_NAMES = {"reproduced": "reproduced", "deviates": "deviates", "not_run": "not run"}
COUNT_WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
FIGURE_ROWS_SHOWN = 60  # rows of a figure's CSV shown on the page; the file itself holds them all
PRINT_SCALE = 1.3  # figures are shown this much larger than printed, which makes their letters as large as the page's


@dataclasses.dataclass(frozen=True)
class Paper:
    """How a paper is called on the page."""

    name: str
    about: str


PAPERS = {
    "mend": Paper("MEND", "Compresses demonstrations into vectors with a distiller. ICLR 2024."),
    "ddg": Paper("DDG", "Generates demonstrations whose gradients match the real data's. IJCAI 2025, on DiLM."),
    "step_by_step": Paper("Distilling Step-by-Step", "Learns from a language model's rationales. ACL Findings 2023."),
    "delift": Paper("DELIFT", "Chooses fine-tuning data by pairwise in-context utility. ICLR 2025."),
    "nuggets": Paper("NUGGETS", "Chooses instruction data by how much each example helps as one shot. ACL 2024."),
    "mini_world": Paper("How good is the mini world", "What the mini tier stands on: its shipped models, measured."),
}
NO_PAPERS = ("mini_world",)


@dataclasses.dataclass(frozen=True)
class ArtifactSource:
    """One table or figure of the manifest: its files, of which the page needs csv and md, or csv and png."""

    paper: str
    artifact: str
    kind: str
    files: list[str]
    caption: str
    title: str = ""


@dataclasses.dataclass(frozen=True)
class Link:
    """A link to a file beside the report."""

    name: str
    href: str


@dataclasses.dataclass(frozen=True)
class Status:
    """The verdict on an artifact: a comparison status or "own"; its text; why values of it are not compared."""

    kind: str
    text: str
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Artifact:
    """One table or figure as the template shows it. `rows_left_out` counts rows of `table` that only the CSV holds."""

    anchor: str
    name: str
    kind: str
    title: str
    paragraphs: list[list[Span]]
    table: RenderedTable
    published: tuple[bool, ...]
    image: str
    width: int
    height: int
    alt: str
    links: list[Link]
    status: Status
    rows_left_out: int = 0


def parse_manifest(text: str) -> list[ArtifactSource]:
    """Return the artifacts of the JSON list given to `--artifacts`. Raises `UserError` naming entry and key."""
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"--artifacts: broken JSON ({error.msg}, column {error.colno})") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UserError("--artifacts: expected a JSON list of objects")
    fields = [field.name for field in dataclasses.fields(ArtifactSource)]
    sources = []
    for number, entry in enumerate(entries):
        unknown = sorted(set(entry) - set(fields))
        missing = [name for name in fields if name not in entry and name != "title"]
        if unknown:
            raise UserError(
                f"--artifacts: entry {number}: unknown key '{unknown[0]}'{did_you_mean(unknown[0], fields)}"
            )
        if missing:
            raise UserError(f"--artifacts: entry {number}: key '{missing[0]}' is missing; expected {', '.join(fields)}")
        source = ArtifactSource(**entry)
        suffixes = {Path(file).suffix[1:] for file in source.files}
        if source.kind not in SUFFIXES or not suffixes.issuperset(SUFFIXES[source.kind]):
            raise UserError(
                f"--artifacts: {source.paper}_{source.artifact}: a table needs csv and md files, a figure csv and png;"
                f" found kind '{source.kind}' with {', '.join(sorted(suffixes)) or 'no files'}"
            )
        sources.append(source)
    return sources


def artifact_title(artifact: str) -> str:
    """Return the printed name: "Table 1" for `table_1`, "Figure: anchor sizes" for `figure_anchor_sizes`."""
    kind, _, rest = artifact.partition("_")
    if kind not in SUFFIXES or not rest:
        return artifact.replace("_", " ").capitalize()
    numbered = rest[0].isdigit()
    return f"{kind.capitalize()}{'' if numbered else ':'} {rest.replace('_', ' ')}"


def judge(rows: Sequence[Mapping[str, str]], *, built: bool) -> Status:
    """Return the verdict on an artifact from its comparison rows: one deviation outweighs everything else.

    built: the artifact is part of this run, so that without a comparable value it is "not compared", else "not run".
    """
    if not rows:
        return Status("own", "no published value")
    counts = collections.Counter(row["status"] for row in rows)
    notes = collections.Counter(row["note"] for row in rows if row["status"] == "not_run")
    reason = notes.most_common(1)[0][0] if notes else ""
    if reason and counts["not_run"] < len(rows):
        reason = f"{counts['not_run']} of {len(rows)} published values, e.g. {reason}"
    for status in ("deviates", "reproduced"):
        if counts[status]:
            return Status(status, f"{STATUS_NAMES[status]}: {counts[status]} of {len(rows)}", reason)
    return Status("not_run", "not compared" if built else "not run", reason)


def png_size(content: bytes, name: str) -> tuple[int, int]:
    """Return width and height in pixels of a PNG file. Raises `UserError` if it is none."""
    if content[:8] != b"\x89PNG\r\n\x1a\n" or len(content) < 24:
        raise UserError(f"{name}: not a PNG image; delete it and run again")
    return struct.unpack(">II", content[16:24])


def build_artifact(
    source: ArtifactSource,
    config: Mapping[str, Any],
    comparison: Sequence[Mapping[str, str]],
    folder: Path,
) -> Artifact:
    """Read one artifact's files into what the template shows. folder: where the report lies, for relative links."""
    files = {Path(file).suffix[1:]: Path(file) for file in source.files}
    paragraphs = parse_caption(fill_caption(read_text(source.caption), config, source.caption))
    title = source.title or artifact_title(source.artifact)
    image, width, height, left_out = "", 0, 0, 0
    if source.kind == "table":
        table = read_markdown_table(files["md"])
    else:
        table, left_out = _figure_numbers(files["csv"])
        content = read_bytes(files["png"])
        pixels = png_size(content, str(files["png"]))
        width, height = (round(side / PNG_DPI * 96 * PRINT_SCALE) for side in pixels)
        image = "data:image/png;base64," + base64.b64encode(content).decode("ascii")
    key = (source.paper, source.artifact)
    return Artifact(
        anchor=anchor(source.paper, source.artifact),
        name=source.artifact,
        kind=source.kind,
        title=title,
        paragraphs=paragraphs,
        table=table,
        published=tuple(title.endswith(PUBLISHED_SUFFIX) for title in table.header),
        image=image,
        width=width,
        height=height,
        alt=f"{title}. {plain_text(paragraphs)}",
        links=[Link(name, relative_link(files[kind], folder)) for kind, name in FILE_NAMES.items() if kind in files],
        status=judge([row for row in comparison if (row["paper"], row["artifact"]) == key], built=True),
        rows_left_out=left_out,
    )


def _figure_numbers(path: Path) -> tuple[RenderedTable, int]:
    """Return the first rows of the CSV that a figure draws as a table, and how many more there are."""
    rows = read_csv(path)
    header = tuple(rows[0]) if rows else ()
    numeric = tuple(all(is_finite_number(row[name] or "0") for row in rows) for name in header)
    shown = tuple(tuple(row[name] or "—" for name in header) for row in rows[:FIGURE_ROWS_SHOWN])
    return RenderedTable("", header, numeric, shown, ()), max(0, len(rows) - FIGURE_ROWS_SHOWN)


def read_bytes(path: Path) -> bytes:
    """Return a file's content. Raises `UserError` if there is no such file."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; check the path")
    return path.read_bytes()


def anchor(paper: str, artifact: str) -> str:
    """Return the id of an artifact's section on the page."""
    return f"{paper}-{artifact}"


def relative_link(path: Path, folder: Path) -> str:
    """Return the link from a page in `folder` to a file."""
    return urllib.parse.quote(Path(os.path.relpath(path, folder)).as_posix())


def group_papers(
    artifacts: Sequence[tuple[str, Artifact]], comparison: Sequence[Mapping[str, str]]
) -> list[dict[str, Any]]:
    """Return the papers in order of appearance, each with its artifacts and with published ones that were not built."""
    keys = dict.fromkeys([*(paper for paper, _ in artifacts), *(row["paper"] for row in comparison)])
    papers: list[dict[str, Any]] = []
    for key in keys:
        built = [artifact for paper, artifact in artifacts if paper == key]
        rows = [row for row in comparison if row["paper"] == key]
        absent = sorted({row["artifact"] for row in rows} - {artifact.name for artifact in built})
        papers.append(
            {
                "key": key,
                "name": PAPERS[key].name if key in PAPERS else key,
                "about": PAPERS[key].about if key in PAPERS else "",
                "artifacts": built,
                "absent": [
                    (artifact_title(name), judge([row for row in rows if row["artifact"] == name], built=False))
                    for name in absent
                ],
            }
        )
    return papers


def comparison_rows(comparison: Sequence[Mapping[str, str]], built: Sequence[str]) -> list[dict[str, Any]]:
    """Return the comparison as shown: ours rounded to the most digits that the paper prints for that metric.

    built: anchors of the artifacts on the page, to which a row may link.
    """
    decimals: dict[tuple[str, str], int] = {}
    for row in comparison:
        digits = len(row["published"].partition(".")[2])
        key = (row["paper"], row["metric"])
        decimals[key] = max(decimals.get(key, 0), digits)
    shown = []
    for row in comparison:
        places = decimals[row["paper"], row["metric"]]
        target = anchor(row["paper"], row["artifact"])
        ours = format_number(float(row["ours_mean"]), places) if row["ours_mean"] else "—"
        std = format_number(float(row["ours_std"]), places) if row["ours_std"] else ""
        difference = format_number(float(row["difference"]), places) if row["difference"] else "—"
        if row["status"] == "deviates" and not any(digit in difference for digit in "123456789"):
            difference = f"{float(row['difference']):.1g}".replace("-", "−")  # too small for the paper's digits
        shown.append(
            {
                **row,
                "paper_name": PAPERS[row["paper"]].name if row["paper"] in PAPERS else row["paper"],
                "artifact_title": artifact_title(row["artifact"]),
                "target": target if target in built else "",
                "shown_published": format_number(float(row["published"]), len(row["published"].partition(".")[2])),
                "ours": f"{ours} ± {std}" if std else ours,
                "shown_difference": difference,
                "status_name": STATUS_NAMES[row["status"]],
            }
        )
    return shown


def read_comparison(path: Path) -> list[dict[str, str]]:
    """Return the comparison as `compare_published` wrote it. Raises `UserError` for a status it does not know."""
    rows = read_csv(path, COMPARISON_COLUMNS)
    for line, row in enumerate(rows, start=2):
        if row["status"] not in STATUS_NAMES:
            raise UserError(f"{path}:{line}: unknown status '{row['status']}'; run compare_published again")
    return rows


def read_config(path: Path) -> dict[str, Any]:
    """Return the configuration from a JSON or YAML file. Raises `UserError` if it is not a map."""
    if path.suffix == ".json":
        config = read_json(path)
    else:
        import yaml

        try:
            config = yaml.safe_load(read_text(path))
        except yaml.YAMLError as error:
            raise UserError(f"{path}: broken YAML ({' '.join(str(error).split())}); mend it") from None
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
    return template.render(**context, style=Markup(style), script=Markup(script), policy=policy)


def _content_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def build_context(args: argparse.Namespace) -> dict[str, Any]:
    """Read every input of the page and return what the template needs."""
    folder = args.report_out.parent
    config, comparison, metrics = read_config(args.config), read_comparison(args.comparison), read_metrics(args.metrics)
    sources = parse_manifest(args.artifacts)
    artifacts = [(source.paper, build_artifact(source, config, comparison, folder)) for source in sources]
    papers = group_papers(artifacts, comparison)
    times: list[StepTime] = read_step_times(args.benchmarks) if args.benchmarks else []
    return {
        "tier": args.tier,
        "papers": papers,
        "n_papers": sum(paper["key"] not in NO_PAPERS for paper in papers),
        "comparison": comparison_rows(comparison, [artifact.anchor for _, artifact in artifacts]),
        "counts": collections.Counter(row["status"] for row in comparison),
        "status_names": STATUS_NAMES,
        "count_words": COUNT_WORDS,
        "n_metrics": len(metrics),
        "n_artifacts": len(artifacts),
        "data_links": [
            Link("metrics.csv", relative_link(args.metrics, folder)),
            Link("comparison.csv", relative_link(args.comparison, folder)),
        ],
        "config_sections": config_sections(config),
        "environments": [read_environment(path) for path in args.environments],
        "machine": machine_facts(),
        "commit": args.commit or git_commit(Path(__file__).resolve().parent),
        "times": times,
        "rendered": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    }


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", required=True, help="tier of the run: mini, sample or paper")
    parser.add_argument(
        "--artifacts",
        required=True,
        help="JSON list of {paper, artifact, kind: table|figure, files: [...], caption: file, title: optional}",
    )
    parser.add_argument("--metrics", required=True, type=Path, help="CSV of all measured values")
    parser.add_argument("--comparison", required=True, type=Path, help="CSV written by compare_published")
    parser.add_argument("--config", required=True, type=Path, help="the run's configuration, JSON or YAML")
    parser.add_argument("--environments", required=True, nargs="+", type=Path, help="environment files of the steps")
    parser.add_argument("--benchmarks", type=Path, help="folder of Snakemake's benchmark files, if there are any")
    parser.add_argument("--commit", default="", help="git commit to print; without it git is asked")
    parser.add_argument("--report-out", required=True, type=Path, help="the page")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read results and facts, render the page, write it."""
    args = parse_args(argv)
    write_text(args.report_out, render_page(build_context(args)))


if __name__ == "__main__":
    run_step(main)
