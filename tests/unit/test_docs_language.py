"""The pages for readers: short sentences, results that are generated or dated, and speeds on one page only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.common.files import read_csv
from scripts.report.claim_tables import read_claims_of_tiers
from scripts.report.claims import CLAIM_COLUMNS
from scripts.report.page_blocks import blocks_of, edited, without_blocks
from scripts.report.write_pages import contents
from tests.workspace import REPO_ROOT, artifact_rules

DOCS = REPO_ROOT / "docs"
GENERATED = "do not edit"  # a page that is wholly generated says so in its first lines
PAGES = [
    page
    for page in (REPO_ROOT / "README.md", REPO_ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("**/*.md")))
    if GENERATED not in " ".join(page.read_text(encoding="utf-8")[:600].split())
]
CAPTIONS = sorted((REPO_ROOT / "report").glob("*.rst"))
PAPERS = ("mend", "ddg", "step_by_step", "delift", "nuggets")
MOST_WORDS = 30
RESULT = re.compile(
    r"\d ?%"  # a share
    r"|±"
    r"|\b\d[\d,.]*(?: to \d[\d,.]*)? times\b"
    r"|\b\d[\d,.]*(?: to \d[\d,.]*)? ?(?:s|ms|seconds|minutes|hours)\b"
    r"|(?<![\w.])\.\d{2,3}\b"  # .98
    r"|\[[-+]?\d[\d.]*,? ?(?:to )?[-+]?\d[\d.]*\]"  # an interval
    r"|\|\s*\**[-+]?\d+\.\d+"  # a decimal number in a table
)
DATE = re.compile(r"\b20\d\d-\d\d-\d\d\b")
SPEED = re.compile(r"times (?:as fast|faster|slower)|(?:pairs|steps|queries|examples)(?:/s| (?:per|a) second)")


def written(text: str) -> str:
    """Return what people wrote of a page, without code, the targets of links and generated blocks."""
    text = re.sub(r"^```.*?^```", "", without_blocks(text), flags=re.M | re.S)
    text = re.sub(r"`[^`]+`", "CODE", text)
    return re.sub(r"\]\([^)]*\)", "]", text)


def sections(text: str) -> list[str]:
    """Return the parts of a page, each with its heading."""
    return re.split(r"^(?=#+ )", text, flags=re.M)


def sentences(text: str) -> list[str]:
    """Return the sentences of running text: no headings, no tables; an item of a list begins one."""
    lines = [line for line in text.split("\n") if not re.match(r"\s*(\||#)", line)]
    items = re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", "\n".join(lines))
    return [found for item in items for found in re.split(r"(?<=[.!?])[*)\"']*\s+", " ".join(item.split())) if found]


def words(sentence: str) -> int:
    return len(re.findall(r"[^\W_][\w'.,-]*", sentence))


def of_caption(text: str) -> str:
    """Return a caption with its expressions as one word each, all branches of a condition left in."""
    text = re.sub(r"\{\{.*?\}\}", "CODE", text, flags=re.S)
    return re.sub(r"\{%.*?%\}", " ", text, flags=re.S)


def test_pages_that_people_write_are_read() -> None:
    generated = {page.name for page in DOCS.glob("**/*.md")} - {page.name for page in PAGES}
    assert {"artifacts.md", "benchmarks.md", "claims.md"} <= generated
    assert not generated & {f"{paper}.md" for paper in (*PAPERS, "head_to_head", "own_data", "models", "data")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sentences_are_short(page: Path) -> None:
    found = sentences(written(page.read_text(encoding="utf-8")))
    assert len(found) >= 3
    assert [one for one in found if words(one) > MOST_WORDS] == []


@pytest.mark.parametrize("caption", CAPTIONS, ids=lambda path: path.stem)
def test_sentences_of_captions_are_short(caption: Path) -> None:
    found = sentences(of_caption(caption.read_text(encoding="utf-8")))
    assert [one for one in found if words(one) > MOST_WORDS] == []


def test_files_named_in_captions_exist() -> None:
    named = {
        (caption.name, file)
        for caption in CAPTIONS
        for file in re.findall(r"\b(?:config|docs|report|scripts)/[\w./-]+\.\w+", caption.read_text(encoding="utf-8"))
    }
    assert named
    assert [one for one in named if not (REPO_ROOT / one[1]).is_file()] == []


def slug(heading: str) -> str:
    """Return the anchor that code hosts give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_sections_lead_to_headings(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]*#[^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            file, _, anchor = link.partition("#")
            text = (page.parent / file if file else page).read_text(encoding="utf-8")
            assert anchor in {slug(one) for one in re.findall(r"^#+ (.+)$", text, flags=re.M)}, link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_results_are_generated_or_dated(page: Path) -> None:
    """A share, a ratio, a time, a spread or an interval in a section without a date would grow old unnoticed."""
    undated = [
        (section.split("\n")[0], RESULT.findall(section))
        for section in sections(written(page.read_text(encoding="utf-8")))
        if RESULT.search(section) and not DATE.search(section)
    ]
    assert undated == [], f"{page.name}: give the section a date (2026-01-31), or let the gallery write the number"


def test_what_looks_like_a_result() -> None:
    for text in (
        "98 %",
        "98%",
        ".98 exact",
        "47.8 ± 1.2",
        "4.8 times",
        "13 to 18 minutes",
        "27 s",
        "[1.2, 3.4]",
        "| 4.2 |",
    ):
        assert RESULT.search(text), text
    for text in ("16 demonstrations", "2 x 64", "version 4.24", "three classes", "GPT-2", "1e-5", "MiB", "| 12 |"):
        assert not RESULT.search(text), text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_speeds_stand_on_one_page(page: Path) -> None:
    assert SPEED.findall(written(page.read_text(encoding="utf-8"))) == [], "speeds: docs/benchmarks.csv"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_hand_changes_a_generated_block(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert edited(text) == [], f"{page.name}: run `snakemake --cores all gallery`"
    tables = [name.removeprefix("table ") for name in blocks_of(text) if name.startswith("table ")]
    assert set(tables) <= set(artifact_rules())
    assert all(body for body in blocks_of(text).values()), f"{page.name}: an empty block; run the gallery"


def test_blocks_of_verdicts_follow_from_the_kept_claims() -> None:
    filled = contents(read_claims_of_tiers(sorted((DOCS / "claims").glob("*.csv"))), [])
    for page, name in (
        (REPO_ROOT / "README.md", "counts of verdicts"),
        *((DOCS / f"{p}.md", f"verdicts of {p}") for p in PAPERS),
    ):
        assert blocks_of(page.read_text(encoding="utf-8"))[name] == filled[name], f"{page.name}: run the gallery"


def test_the_page_of_claims_follows_from_the_kept_claims() -> None:
    from scripts.report.write_claims_page import page

    rows = read_claims_of_tiers(sorted((DOCS / "claims").glob("*.csv")))
    assert (DOCS / "claims.md").read_text(encoding="utf-8") == page(rows), "run `snakemake --cores all gallery`"


def test_base_and_all_data_stand_beside_what_a_paper_says_of_a_model() -> None:
    """Else "holds" could hide that the untouched model does as well."""
    rows = read_csv(DOCS / "claims" / "mini.csv", CLAIM_COLUMNS)
    without = {row["claim"] for row in rows if row["difference"] and not (row["base_mean"] or row["all_mean"])}
    assert without == {
        "mend_queries_cost_less",  # operations
        "dilm_moves_to_other_learners",  # no run of that learner on all texts, none of that scorer without texts
        "dilm_in_context",
        "golden_score_finds_good",  # areas under a curve: no model is trained
        "golden_score_beats_length",
    }


@pytest.mark.parametrize("paper", PAPERS)
def test_a_papers_page_has_the_usual_order(paper: str) -> None:
    headings = re.findall(r"^## (.+)$", (DOCS / f"{paper}.md").read_text(encoding="utf-8"), flags=re.M)
    wanted = ["What the paper claims", "What we find", "How to run it", "Your own data", "Coming from the original"]
    places = [next(n for n, one in enumerate(headings) if one.startswith(start)) for start in (*wanted, "Deviations")]
    assert places == sorted(places)
    assert headings[-1] == "Deviations"
