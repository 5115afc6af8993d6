"""The manifest: which tables and figures there are, how papers and artifacts are called, what their captions say."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.files import read_text
from scripts.common.settings import parse_json, settings_of
from scripts.report.captions import Span, fill_caption, parse_caption, split_lead

SUFFIXES = {"table": ("csv", "md"), "figure": ("csv", "png")}  # what the page needs of each kind


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
    "head_to_head": Paper("Head to head", "The papers' methods on the same task, model, budget and seeds."),
    "mini_world": Paper("How good is the mini world", "What the mini tier stands on: its shipped models, measured."),
}
ACRONYMS = ("fft", "laj")
NO_PAPERS = ("head_to_head", "mini_world")


@dataclasses.dataclass(frozen=True)
class ArtifactSource:
    """One table or figure of the manifest: its files, of which the page needs csv and md, or csv and png."""

    paper: str
    artifact: str
    kind: str
    files: list[str]
    caption: str


def parse_manifest(text: str) -> list[ArtifactSource]:
    """Return the artifacts of the JSON list given to `--artifacts`. Raises `UserError` naming entry and key."""
    sources = []
    for number, entry in enumerate(parse_json("--artifacts", text, list)):
        source = settings_of(ArtifactSource, entry, f"--artifacts: entry {number}")
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
    words = [word.upper() if word in ACRONYMS else word for word in rest.split("_")]
    return f"{kind.capitalize()}{'' if numbered else ':'} {' '.join(words)}"


def anchor(paper: str, artifact: str) -> str:
    """Return the id of an artifact's section on the page."""
    return f"{paper}-{artifact}"


def paper_name(key: str) -> str:
    """Return how a paper is called, its key for one that is not known here."""
    return PAPERS[key].name if key in PAPERS else key


def places_of(row: Mapping[str, str]) -> list[str]:
    """Return the tables and figures in which the paper prints a published value, the main one first."""
    return row["artifact"].split()


def printed_in(comparison: Sequence[Mapping[str, str]], paper: str, artifact: str) -> list[Mapping[str, str]]:
    """Return the comparison's rows of the values that the paper prints in one table or figure."""
    return [row for row in comparison if row["paper"] == paper and artifact in places_of(row)]


def read_caption(source: ArtifactSource, config: Mapping[str, Any]) -> tuple[str, list[list[Span]]]:
    """Return an artifact's lead, "" if its caption has none, and the paragraphs that follow."""
    return split_lead(parse_caption(fill_caption(read_text(source.caption), config, source.caption)))
