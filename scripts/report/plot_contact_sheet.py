"""Draw the contact sheet: every figure of the run, small and all to one scale, paper by paper on one page."""

from __future__ import annotations

import argparse
import dataclasses
import io
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import atomic_path, read_json
from scripts.common.plotting import FAINT, INK, MINI_STAMP, PNG_DPI, RC_PARAMS
from scripts.report.manifest import ArtifactSource, artifact_title, paper_name, parse_manifest, read_caption

PAGE_WIDTH = 12.0  # inches
SCALE = 0.53  # of the figures
GAP = 0.18  # inches between figures and at the page's edges
NAME_HEIGHT = 0.32  # inches above a figure, for its title and lead
HEADING_HEIGHT = 0.35  # inches above a paper's figures


@dataclasses.dataclass(frozen=True)
class Thumbnail:
    """One figure of the sheet: pixels, and its size on the page in inches."""

    pixels: Any
    title: str
    lead: str
    width: float
    height: float


@dataclasses.dataclass(frozen=True)
class Placed:
    """A thumbnail and its upper left corner, in inches from the page's upper left corner."""

    thumbnail: Thumbnail
    left: float
    top: float


def read_thumbnail(source: ArtifactSource, config: Mapping[str, Any]) -> Thumbnail:
    """Return a figure as the sheet shows it. Raises `UserError` if its PNG is missing."""
    from matplotlib.image import imread

    (png,) = (file for file in source.files if file.endswith(".png"))
    if not Path(png).is_file():
        raise UserError(f"{png}: no such file; run snakemake --cores all {source.paper}_{source.artifact}")
    pixels = imread(png)
    height, width = (side / PNG_DPI * SCALE for side in pixels.shape[:2])
    return Thumbnail(pixels, artifact_title(source.artifact), read_caption(source, config)[0], width, height)


def arrange(thumbnails: Sequence[Thumbnail], top: float) -> tuple[list[Placed], float]:
    """Set figures side by side in lines as wide as the page; return their places and where the last line ends."""
    placed: list[Placed] = []
    left, line_height = GAP, 0.0
    for one in thumbnails:
        if placed and left + one.width > PAGE_WIDTH - GAP:
            left, top, line_height = GAP, top + line_height + GAP, 0.0
        placed.append(Placed(one, left, top))
        left += one.width + GAP
        line_height = max(line_height, NAME_HEIGHT + one.height)
    return placed, top + line_height


def draw_sheet(papers: Mapping[str, Sequence[Thumbnail]], tier: str) -> bytes:
    """Return the sheet as PNG. papers: {printed name: its figures}."""
    import matplotlib
    from matplotlib.figure import Figure

    headings, placed, top = [], [], GAP
    for name, thumbnails in papers.items():
        headings.append((name, top))
        own, end = arrange(thumbnails, top + HEADING_HEIGHT)
        placed += own
        top = end + GAP
    matplotlib.rcParams.update(RC_PARAMS)
    figure = Figure(figsize=(PAGE_WIDTH, top))

    def text(words: str, left: float, down: float, **style: Any) -> None:
        figure.text(left / PAGE_WIDTH, 1 - down / top, words, va="top", parse_math=False, **style)

    for name, down in headings:
        text(name, GAP, down, fontsize=13, weight="bold")
    for one in placed:
        text(one.thumbnail.title, one.left, one.top, fontsize=7.5, color=INK, weight="bold")
        text(one.thumbnail.lead, one.left, one.top + 0.13, fontsize=6, color=FAINT)
        width, height = one.thumbnail.width, one.thumbnail.height
        bottom = top - one.top - NAME_HEIGHT - height
        axes = figure.add_axes((one.left / PAGE_WIDTH, bottom / top, width / PAGE_WIDTH, height / top))
        axes.imshow(one.thumbnail.pixels, interpolation="antialiased", aspect="auto")
        axes.set_axis_off()
    if tier == "mini":
        text(MINI_STAMP, PAGE_WIDTH - GAP, GAP, ha="right", color=FAINT, style="italic")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return buffer.getvalue()


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", required=True)
    parser.add_argument("--artifacts", required=True, help="JSON list as for the report; its figures are shown")
    parser.add_argument("--config", required=True, type=Path, help="the run's configuration, JSON")
    parser.add_argument("--sheet-out", required=True, type=Path, help="PNG")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the sheet."""
    args = parse_args(argv)
    config = read_json(args.config)
    papers: dict[str, list[Thumbnail]] = {}
    for source in parse_manifest(args.artifacts):
        if source.kind == "figure":
            papers.setdefault(paper_name(source.paper), []).append(read_thumbnail(source, config))
    if not papers:
        raise UserError("--artifacts: no figure among them; give the report's list")
    sheet = draw_sheet(papers, args.tier)
    with atomic_path(args.sheet_out) as temporary:
        temporary.write_bytes(sheet)


if __name__ == "__main__":
    run_step(main)
