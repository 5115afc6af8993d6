"""The committed docs/artifacts.md and its pictures agree with what the Snakefile builds; README points to them."""

from __future__ import annotations

import re

from scripts.common.files import read_csv
from scripts.common.yaml_files import read_yaml
from scripts.report.claims import CLAIM_COLUMNS
from scripts.report.manifest import NO_PAPERS, PAPERS
from tests.workspace import REPO_ROOT, artifact_rules

PAGE = REPO_ROOT / "docs" / "artifacts.md"
PICTURES = REPO_ROOT / "docs" / "figures"
AGAIN = "run `snakemake --cores all gallery` and commit docs/artifacts.md and docs/figures"


def test_the_page_names_exactly_the_artifacts_that_the_snakefile_builds():
    named = re.findall(r"^\|.*\| `(\w+)` \| (?:≥ )?[\d.]+ \|", PAGE.read_text(encoding="utf-8"), flags=re.M)
    assert sorted(named) == artifact_rules(), AGAIN


def test_there_is_a_picture_of_every_figure_and_of_nothing_else():
    figures = {name for name in artifact_rules() if "_figure_" in name}
    claims = {f"claims_{paper}" for paper in PAPERS if paper not in NO_PAPERS}
    pictures = sorted(PICTURES.glob("*.png"))
    assert {path.stem for path in pictures} == figures | claims | {"overview"}, AGAIN
    assert sum(path.stat().st_size for path in pictures) < 1_000_000


def test_links_and_pictures_of_the_pages_for_readers_lead_somewhere():
    for page in (REPO_ROOT / "README.md", REPO_ROOT / "CONTRIBUTING.md", *sorted((REPO_ROOT / "docs").glob("**/*.md"))):
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not link.startswith(("http://", "https://")):
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_readme_shows_the_overview_and_leads_to_the_page():
    text = (REPO_ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"!\[[^\]]+\]\(docs/figures/overview\.png\)", text)
    assert "](docs/artifacts.md)" in text


def test_the_page_of_claims_is_about_every_claim():
    text = (REPO_ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    claims = read_yaml(REPO_ROOT / "config" / "published" / "claims.yaml")
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", text, flags=re.M)
    assert {(row["claim"], row["where"]) for row in claims.values()} <= set(rows), AGAIN
    kept = {row["claim"] for row in read_csv(REPO_ROOT / "docs" / "claims" / "mini.csv", CLAIM_COLUMNS)}
    assert kept == set(claims), AGAIN


def test_the_readme_counts_the_verdicts_as_the_page_of_claims_does():
    text = (REPO_ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    table = text[text.index("| paper | tier |") :].partition("\n\n")[0]
    assert table in (REPO_ROOT / "README.md").read_text(encoding="utf-8"), (
        f"{AGAIN}; put its first table into README.md"
    )
