"""Generated blocks of pages: they are found, filled anew, and an edit by hand is noticed."""

from __future__ import annotations

import pytest

from scripts.common.errors import UserError
from scripts.report.page_blocks import (
    block,
    blocks_of,
    edited,
    filler,
    pages_with_blocks,
    renewed,
    tables_named,
    without_blocks,
)

TEXT = f"# Page\n\nbefore\n\n{block('one', 'old')}\n\nbetween\n\n{block('table x_table_1', '| a |')}\n\nafter\n"


def test_a_block_keeps_its_content_and_the_text_around_it():
    assert blocks_of(TEXT) == {"one": "old", "table x_table_1": "| a |"}
    assert without_blocks(TEXT).split() == ["#", "Page", "before", "between", "after"]
    assert edited(TEXT) == []


def test_blocks_are_filled_anew_and_tables_that_are_not_given_stay():
    fresh = renewed(TEXT, "p.md", filler({"one": "new\nlines"}, "p.md"))
    assert blocks_of(fresh) == {"one": "new\nlines", "table x_table_1": "| a |"}
    assert without_blocks(fresh) == without_blocks(TEXT)
    assert renewed(fresh, "p.md", filler({"one": "new\nlines"}, "p.md")) == fresh


def test_an_edit_by_hand_is_noticed():
    assert edited(TEXT.replace("old", "nicer")) == ["one"]
    assert edited(TEXT.replace("between", "nicer")) == []


def test_a_new_block_needs_no_checksum():
    text = "<!-- generated: one -->\n<!-- end of one, -->\n"
    assert blocks_of(text) == {"one": ""}
    assert blocks_of(renewed(text, "p.md", filler({"one": "new"}, "p.md"))) == {"one": "new"}


def test_faults_name_page_and_block():
    with pytest.raises(UserError, match="p.md: nothing fills the block 'one'; there are: two"):
        renewed(TEXT, "p.md", filler({"two": ""}, "p.md"))
    with pytest.raises(UserError, match="p.md: a generated block does not end"):
        renewed("<!-- generated: one -->\nx\n", "p.md", filler({"one": ""}, "p.md"))
    with pytest.raises(UserError, match="p.md: the block 'one' ends as 'two'"):
        renewed("<!-- generated: one -->\n<!-- end of two, -->\n", "p.md", filler({"one": ""}, "p.md"))


def test_pages_and_their_tables_are_found(tmp_path):
    (tmp_path / "a.md").write_text(TEXT)
    (tmp_path / "b.md").write_text("# nothing\n")
    pages = pages_with_blocks([tmp_path / name for name in ("a.md", "b.md", "missing.md")])
    assert pages == [tmp_path / "a.md"]
    assert tables_named(pages) == ["x_table_1"]
