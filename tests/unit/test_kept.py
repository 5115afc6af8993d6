"""A plan over kept files: what is there is shown, what is not is left out, nothing is computed."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.common.artifact_list import Artifact, Needs, Paper
from scripts.common.files import write_text
from scripts.common.kept import kept_paper

NEEDS = {
    "table_all": Needs(("<results>/x/measured/a.csv", "<results>/x/measured/missing.csv")),
    "table_some": Needs(("<results>/x/measured/a.csv", "<results>/x/measured/b.csv")),
    "table_none": Needs(("<results>/x/measured/b.csv",)),
    "table_reasons": Needs(("<results>/x/measured/missing.csv",)),
    "table_settings": Needs(),
    "figure_files": Needs(("<results>/x/measured/a.csv",), {"scores": "<results>/x/scores.csv"}),
    "figure_no_file": Needs(("<results>/x/measured/a.csv",), {"scores": ["<results>/x/scores.csv", "<results>/x/no"]}),
}


class Planned:
    """A plan of seven tables and figures."""

    def needs(self, artifact: str) -> Needs:
        return NEEDS[artifact]

    def settings(self, artifact: str) -> dict[str, str]:
        return {"of": artifact}

    def measured(self) -> list[str]:
        return ["<results>/x/measured/a.csv", "<results>/x/measured/b.csv"]

    def raw_files(self, datasets: object) -> list[tuple[str, str]]:
        return [("sst2", "train")]

    def models(self) -> list[str]:
        return ["minilm"]


@pytest.fixture
def kept(tmp_path: Path) -> Paper:
    for name in ("measured/a.csv", "measured/missing.csv", "scores.csv"):
        write_text(tmp_path / "x" / name, "one\n")
    return kept_paper(Paper([Artifact(name, "Title.", "step") for name in NEEDS], Planned()), tmp_path)


def test_shown_is_what_has_values_and_all_files(kept: Paper) -> None:
    assert [artifact.name for artifact in kept.artifacts] == ["table_all", "table_some", "figure_files"]


def test_paths_are_those_of_the_kept_files(kept: Paper, tmp_path: Path) -> None:
    assert kept.plan.needs("table_all").measured == (
        f"{tmp_path}/x/measured/a.csv",
        f"{tmp_path}/x/measured/missing.csv",
    )
    assert kept.plan.needs("table_some").measured == (f"{tmp_path}/x/measured/a.csv",)
    assert kept.plan.needs("figure_files").files == {"scores": f"{tmp_path}/x/scores.csv"}
    assert kept.plan.measured() == [f"{tmp_path}/x/measured/a.csv"]
    assert kept.plan.settings("table_all") == {"of": "table_all"}


def test_nothing_is_read_or_loaded(kept: Paper) -> None:
    assert kept.plan.raw_files({}) == []
    assert kept.plan.models() == []
    assert kept.downloads() == []
    assert kept.pages() == []
