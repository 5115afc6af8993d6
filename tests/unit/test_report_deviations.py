"""The deviations that the report shows are those of the papers' pages."""

from __future__ import annotations

import pytest

from scripts.report.deviations import read_deviations
from tests.workspace import REPO_ROOT

PAPERS = ("mend", "ddg", "step_by_step", "delift", "nuggets")


@pytest.mark.parametrize("paper", PAPERS)
def test_every_paper_has_deviations(paper):
    assert read_deviations(REPO_ROOT / "docs" / f"{paper}.md").count("<li>") >= 5


def test_the_section_ends_with_the_next_heading_and_markup_from_the_page_is_text(tmp_path):
    page = tmp_path / "p.md"
    page.write_text(
        "# P\n\n## Use\n\n- no\n\n## Deviations\n\n- `a` <b>b</b>\n\n### Smaller\n\nc\n\n## After\n\n- no\n"
    )
    html = read_deviations(page)
    assert "<code>a</code> &lt;b&gt;b&lt;/b&gt;" in html
    assert "<h3>Smaller</h3>" in html
    assert "no" not in html
    page.write_text("# P\n\nnothing\n")
    assert read_deviations(page) == ""


@pytest.mark.parametrize("paper", PAPERS)
def test_deviations_hold_no_links_to_other_pages(paper):
    """The report shows them, and from there such a link would lead nowhere."""
    assert "href" not in read_deviations(REPO_ROOT / "docs" / f"{paper}.md")
