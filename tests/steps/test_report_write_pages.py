"""The step that renews the generated blocks of pages: verdicts of all tiers, tables of the run, and nothing else."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.common.files import write_csv
from scripts.report import write_pages
from scripts.report.claims import CLAIM_COLUMNS, HOLDS, NOT_MEASURED, NOT_RUN
from scripts.report.page_blocks import blocks_of, edited

PAGE = """# MEND

Written by a person, with 3 % in it.

<!-- generated: counts of verdicts -->
<!-- end of counts of verdicts, -->

<!-- generated: verdicts of mend -->
| an old row |
<!-- end of verdicts of mend, 000000000000 -->

<!-- generated: table mend_table_2 -->
<!-- end of table mend_table_2, -->

<!-- generated: table mend_table_9 -->

kept

<!-- end of table mend_table_9, -->
"""


@pytest.fixture
def run(tmp_path):
    """A run of two tiers with one claim, one table and one page; return the step's command line."""
    one = {
        **dict.fromkeys(CLAIM_COLUMNS, ""),
        "claim": "a",
        "paper": "mend",
        "text": "A is better.",
        "where": "Table 2",
    }
    measured = {"metric": "score_percent", "difference": "2.5", "low": "1", "high": "4", "verdict": HOLDS}
    means = {"better_mean": "5", "worse_mean": "2.5", "base_mean": "6", "all_mean": "4"}
    write_csv(tmp_path / "mini.csv", [{**one, "tier": "mini", **measured, **means}], CLAIM_COLUMNS)
    laptop = {**one, "tier": "laptop", "verdict": NOT_RUN, "reason": NOT_MEASURED}
    write_csv(tmp_path / "laptop.csv", [laptop], CLAIM_COLUMNS)
    (tmp_path / "mend_table_2.md").write_text("**Title**\n\n| x |\n|:--|\n| 1.5 |\n", encoding="utf-8")
    (tmp_path / "page.md").write_text(PAGE, encoding="utf-8")
    return [
        *("--claims", str(tmp_path / "laptop.csv"), str(tmp_path / "mini.csv")),
        *("--tables", str(tmp_path / "mend_table_2.md"), "--pages", str(tmp_path / "page.md")),
        *("--blocks-out", str(tmp_path / "blocks.json")),
    ]


def test_blocks_are_renewed_and_the_rest_stays(tmp_path, run):
    write_pages.main(run)
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    found = blocks_of(text)
    assert found["counts of verdicts"].split("\n")[2:] == ["| MEND | mini | 1 | 0 | 0 | 0 |"]
    assert found["verdicts of mend"].split("\n")[2:] == [
        "| A is better. | Table 2 | mini | **holds** | +2.5 [1.0, 4.0] points | 5.0 | 2.5 | 6.0 | 4.0 |  |"
    ]
    assert found["table mend_table_2"] == "**Title**\n\n| x |\n|:--|\n| 1.5 |"
    assert found["table mend_table_9"] == "kept"  # the run has no such table
    assert text.startswith("# MEND\n\nWritten by a person, with 3 % in it.\n")
    assert edited(text) == ["table mend_table_9"]  # as it was: no checksum
    assert json.loads((tmp_path / "blocks.json").read_text())[str(tmp_path / "page.md")] == sorted(found)


def test_a_second_time_changes_nothing(tmp_path, run):
    write_pages.main(run)
    first = (tmp_path / "page.md").stat().st_mtime_ns
    write_pages.main(run)
    assert (tmp_path / "page.md").stat().st_mtime_ns == first


def test_a_block_that_nothing_fills_stops_the_step(tmp_path, run):
    text = PAGE.replace("verdicts of mend", "verdicts of mond")
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="page.md: nothing fills the block 'verdicts of mond'; there are: counts of"):
        write_pages.main(run)
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == text
