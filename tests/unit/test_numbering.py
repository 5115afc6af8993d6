"""Every artifact of every paper is said to stand somewhere in the paper, in its list."""

from __future__ import annotations

import pytest

from tests.workspace import REPO_ROOT, listed_artifacts

PAPERS = sorted(["mini_world", *(path.stem for path in (REPO_ROOT / "config" / "papers").glob("*.yaml"))])
NUMBERING = {
    paper: {artifact.name: {"where": artifact.where, "certain": artifact.certain} for artifact in own}
    for paper, own in listed_artifacts().items()
}


def test_every_paper_is_there():
    assert sorted(NUMBERING) == PAPERS


@pytest.mark.parametrize("paper", PAPERS)
def test_its_artifacts_are_those_with_a_caption(paper):
    captions = {path.stem for kind in ("table", "figure") for path in REPO_ROOT.glob(f"report/{paper}_{kind}_*.rst")}
    assert {f"{paper}_{artifact}" for artifact in NUMBERING[paper]} == captions
    for row in NUMBERING[paper].values():
        assert set(row) == {"where", "certain"}
        assert isinstance(row["certain"], bool)
        assert row["where"] or row["certain"]


@pytest.mark.parametrize("paper", PAPERS)
def test_captions_say_so_where_a_number_is_inferred(paper):
    for artifact, row in NUMBERING[paper].items():
        caption = (REPO_ROOT / "report" / f"{paper}_{artifact}.rst").read_text(encoding="utf-8")
        inferred = "paper is inferred" in " ".join(caption.split())
        assert not (inferred and row["certain"]), artifact
