"""Merging the papers' metrics into one file."""

from __future__ import annotations

import pytest

from scripts.common.errors import UserError
from scripts.common.metrics import METRIC_COLUMNS, metric_row, read_metrics, reason_row, write_metrics
from scripts.report.collect_metrics import main


def measured(paper="nuggets", method="full", seed=0, value=1.5):
    return metric_row(paper, "table_1", "all", "llama_7b", method, seed, "win_rate_percent", value, 805)


def write_raw(path, value="1", n="2"):
    path.write_text(",".join(METRIC_COLUMNS) + f"\nnuggets,table_1,all,llama_7b,full,0,win_rate_percent,{value},{n},\n")


def test_all_rows_are_kept_and_sorted_whatever_the_order_of_the_files(tmp_path):
    write_metrics(tmp_path / "a.csv", [measured("nuggets", seed=1), measured("nuggets", seed=0)])
    write_metrics(tmp_path / "b.csv", [measured("delift")])
    for name, order in (("one.csv", ("a.csv", "b.csv")), ("two.csv", ("b.csv", "a.csv"))):
        main(["--metrics", *(str(tmp_path / file) for file in order), "--metrics-out", str(tmp_path / name)])
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    rows = read_metrics(tmp_path / "one.csv")
    assert [(row["paper"], row["seed"], row["value"]) for row in rows] == [
        ("delift", "0", "1.5"),
        ("nuggets", "0", "1.5"),
        ("nuggets", "1", "1.5"),
    ]


def test_a_value_measured_twice_is_named_with_both_places(tmp_path):
    for name, value in (("a.csv", 1.0), ("b.csv", 2.0)):
        write_metrics(tmp_path / name, [measured(value=value)])
    with pytest.raises(UserError, match=r"b\.csv:2: .*/full/0/win_rate_percent was measured before, in .*a\.csv:2"):
        main(["--metrics", str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--metrics-out", str(tmp_path / "o.csv")])
    assert not (tmp_path / "o.csv").exists()


@pytest.mark.parametrize(
    "value, n, message",
    [("nan", "1", "value is 'nan'"), ("", "1", "value is ''"), ("x", "1", "value is 'x'"), ("1", "1.5", "n is '1.5'")],
)
def test_what_is_no_number_is_named(tmp_path, value, n, message):
    write_raw(tmp_path / "a.csv", value, n)
    with pytest.raises(UserError, match=rf"a\.csv:2: {message}"):
        main(["--metrics", str(tmp_path / "a.csv"), "--metrics-out", str(tmp_path / "o.csv")])


def test_a_missing_column_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("paper,experiment\nnuggets,table_1\n")
    with pytest.raises(UserError, match="column 'setting' is missing"):
        main(["--metrics", str(tmp_path / "a.csv"), "--metrics-out", str(tmp_path / "o.csv")])


def test_reasons_are_kept_each_once(tmp_path):
    why = reason_row("nuggets", "alpaca_eval/kmeans_40", "no example scores above 0.9", method="gt_0.9")
    for name in ("a.csv", "b.csv"):
        write_metrics(tmp_path / name, [why, measured(paper=name[0])])
    main(["--metrics", str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--metrics-out", str(tmp_path / "o.csv")])
    rows = read_metrics(tmp_path / "o.csv")
    assert [(row["paper"], row["value"], row["reason"]) for row in rows] == [
        ("a", "1.5", ""),
        ("b", "1.5", ""),
        ("nuggets", "", "no example scores above 0.9"),
    ]


def test_a_value_with_a_reason_is_refused(tmp_path):
    write_metrics(tmp_path / "a.csv", [{**measured(), "reason": "lost"}])
    with pytest.raises(UserError, match=r"a\.csv:2: has a value and a reason"):
        main(["--metrics", str(tmp_path / "a.csv"), "--metrics-out", str(tmp_path / "o.csv")])
