"""Tables: typed cells, spread, published columns apart, reasons for what is missing, escaping, stable bytes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.common.files import read_csv, read_text
from scripts.common.spread import Spread, spread
from scripts.common.tables import (
    MINI_NOTE,
    NOT_PUBLISHED,
    Column,
    Missing,
    RenderedTable,
    format_number,
    format_spread,
    latex_escape,
    read_markdown_table,
    render_table,
    to_markdown,
    write_table,
)

COLUMNS = [
    Column("method", "Method"),
    Column("n", "Examples", "number", decimals=0),
    Column("win", "Win rate", "spread", "%", 2),
    Column("win_published", "Win rate", "published", "%", 2),
]
ROWS = [
    {"method": "full", "n": 52002, "win": spread([1.0, 2.0, 3.00001]), "win_published": 25.43},
    {"method": "gt_0.9 & co", "n": 0, "win": Missing("no example scores above 0.9"), "win_published": None},
]


def write(folder, rows=ROWS, columns=COLUMNS, tier="mini", **more):
    paths = {kind: folder / f"nuggets_table_1.{kind}" for kind in ("csv", "md", "tex")}
    write_table(rows, columns, caption="Win rates.", tier=tier, **paths, **more)
    return paths


def test_csv_holds_the_raw_numbers_in_separate_columns(tmp_path):
    first, second = read_csv(write(tmp_path)["csv"])
    assert list(first) == ["method", "n", "win_mean", "win_std", "win_n", "win_published", "note"]
    assert (first["n"], first["win_mean"], first["win_n"], first["win_published"]) == (
        "52002",
        "2.00000333333",
        "3",
        "25.43",
    )
    assert float(first["win_std"]) == pytest.approx(spread([1.0, 2.0, 3.00001]).std, rel=1e-11)
    assert (second["win_mean"], second["win_n"], second["win_published"]) == ("", "", "")
    assert second["note"] == "win: no example scores above 0.9"


def test_markdown_shows_spread_published_apart_and_reasons_below(tmp_path):
    table = read_markdown_table(write(tmp_path, notes=["judged in both orders"])["md"])
    assert table.caption == "Win rates."
    assert table.header == ("Method", "Examples", "Win rate (%)", "Win rate (%), published")
    assert table.numeric == (False, True, True, True)
    assert table.rows == (("full", "52,002", "2.00 ± 1.00", "25.43"), ("gt_0.9 & co", "0", "—¹", "—²"))
    assert table.notes == (
        "Mean ± sample standard deviation over 3 seeds.",
        "judged in both orders",
        "¹ no example scores above 0.9",
        f"² {NOT_PUBLISHED}",
        MINI_NOTE,
    )


def test_latex_is_a_booktabs_table_with_escaped_text(tmp_path):
    text = read_text(write(tmp_path)["tex"])
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{lrrr}", r"\label{tab:nuggets_table_1}"):
        assert part in text
    assert r"full & 52,002 & 2.00 $\pm$ 1.00 & 25.43 \\" in text
    assert r"gt\_0.9 \& co & 0 & ---\textsuperscript{1} & ---\textsuperscript{2} \\" in text
    assert r" &  & (\%) & (\%) published \\" in text
    assert text.count("{") == text.count("}")


def test_only_the_mini_tier_carries_its_note(tmp_path):
    assert MINI_NOTE not in read_text(write(tmp_path, tier="paper")["md"])


def test_equal_tables_are_equal_bytes(tmp_path):
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    assert all(first[kind].read_bytes() == second[kind].read_bytes() for kind in first)


def test_equal_reasons_share_one_number():
    rows = [{"win": Missing(reason)} for reason in ("too big", "no data", "too big")]
    table = render_table(rows, [Column("win", "Win", "spread")], caption="", tier="paper")
    assert table.rows == (("—¹",), ("—²",), ("—¹",))
    assert table.notes == ("¹ too big", "² no data")


def test_note_on_the_spread_tells_how_many_seeds():
    def notes(*counts):
        rows = [{"win": Spread(1.0, None if n == 1 else 0.5, n, None)} for n in counts]
        return render_table(rows, [Column("win", "Win", "spread")], caption="", tier="paper").notes

    assert notes(1, 1) == ()
    assert notes(5, 5) == ("Mean ± sample standard deviation over 5 seeds.",)
    assert notes(1, 5) == ("Mean ± sample standard deviation over 1 to 5 seeds (n of each cell is in the CSV).",)


@pytest.mark.parametrize(
    "value, decimals, text",
    [(1.005, 1, "1.0"), (-0.004, 2, "0.00"), (-1.5, 1, "−1.5"), (9999, 0, "9999"), (12345.678, 1, "12,345.7")],
)
def test_numbers_are_rounded_only_when_printed(value, decimals, text):
    assert format_number(value, decimals) == text


def test_a_single_measurement_is_printed_without_spread():
    assert format_spread(spread([2.0]), 1) == "2.0"


def changed(**cells):
    return [{**ROWS[0], **cells}]


@pytest.mark.parametrize(
    "rows, message",
    [
        (changed(win=None), "a spread column cannot hold None"),
        (changed(win=3.0), "a spread column cannot hold 3.0"),
        (changed(n=float("nan")), "nan is not finite"),
        (changed(n=True), "a number column cannot hold True"),
        (changed(method=1), "a text column cannot hold 1"),
        (changed(n=Missing(" ")), "needs a reason"),
        (changed(other=1), "no column for other"),
        ([{"method": "full"}], "no cell for column 'n'"),
    ],
)
def test_wrong_cells_are_refused_and_nothing_is_written(tmp_path, rows, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        write(tmp_path, rows=rows)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: Column("win", "Win", "percent"),
        lambda: Column("win", "Win", "published"),
        lambda: Column("win_published", "Win", "number"),
    ],
)
def test_wrong_columns_are_refused(make):
    with pytest.raises(ValueError, match="column 'win"):
        make()


def test_two_columns_cannot_share_a_key(tmp_path):
    with pytest.raises(ValueError, match="keys must differ"):
        write(tmp_path, rows=[], columns=[Column("a", "A"), Column("a", "B")])


def test_text_with_line_breaks_wraps_in_latex_and_survives_markdown(tmp_path):
    columns = [Column("case", "Case", tex_width_cm=4)]
    paths = write(tmp_path, rows=[{"case": "Instruction: a|b\n<br> [x]"}], columns=columns)
    assert read_markdown_table(paths["md"]).rows == (("Instruction: a|b\n<br> [x]",),)
    assert r"\begin{tabular}{p{4cm}}" in read_text(paths["tex"])
    assert r"Instruction: a|b\newline \textless{}br\textgreater{} [x] \\" in read_text(paths["tex"])


def test_latex_cell_that_looks_like_an_option_is_wrapped(tmp_path):
    paths = write(tmp_path, rows=[{"a": "[1em]"}], columns=[Column("a", "A")])
    assert "\n{[1em]} \\\\" in read_text(paths["tex"])


def test_latex_escape_leaves_no_active_character():
    assert latex_escape("50% of $x_1^2$ & {a}~#\\") == (
        r"50\% of \$x\_1\textasciicircum{}2\$ \& \{a\}\textasciitilde{}\#\textbackslash{}"
    )


CELLS = st.text(
    st.one_of(st.sampled_from("\\`*_[]<>|~$& \nbr-"), st.characters(exclude_categories=["Cs"])), max_size=30
)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=4), CELLS)
def test_any_text_comes_back_from_markdown(tmp_path_factory, cells, note):
    rows = [{"a": first, "b": second} for first, second in cells]
    table = render_table(rows, [Column("a", "A|"), Column("b", "B")], caption=note, tier="mini", notes=[note])
    path = tmp_path_factory.mktemp("markdown") / "table.md"
    path.write_text(to_markdown(table), encoding="utf-8", newline="")
    assert read_markdown_table(path) == table


@pytest.mark.parametrize(
    "text, message",
    [
        ("# title\n", "not a table written by this workflow"),
        ("**c**\n\n| a | b |\n|:--|--:|\n| 1 |\n", ":5: 1 cells under 2 headers"),
        ("**c**\n\n| a |\n|:--|\nhello\n", ":5: neither table row nor note"),
    ],
)
def test_damaged_markdown_is_a_clear_error(tmp_path, text, message):
    path = tmp_path / "table.md"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(message)):
        read_markdown_table(path)


def test_rendered_table_without_rows_still_has_its_header():
    table = RenderedTable("c", ("A",), (False,), (), ())
    assert to_markdown(table) == "**c**\n\n| A |\n|:--|\n"
