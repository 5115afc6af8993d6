"""What a table shows: values with their spread, published values apart, and a reason for what is missing."""

from __future__ import annotations

import pytest

from scripts.common.errors import UserError
from scripts.common.measured import NOT_MEASURED, Measured
from scripts.common.metrics import metric_row, reason_row
from scripts.common.tables import Missing
from scripts.nuggets.benchmarks import UNSCORED
from scripts.nuggets.comparison import Comparison
from scripts.nuggets.tabulate_artifact import BUILDERS, NO_SUBSET
from scripts.nuggets.tabulate_cases import choose_cases, quality
from tests.unit.nuggets_eval import plan, published, value

WIN = "alpaca_eval_win_rate_percent"
EMPTY = "no example scores above 0.9"


def texts(rows):
    """Return rows as a file gives them back."""
    return [{column: str(cell) for column, cell in row.items()} for row in rows]


def build(name, rows, paper=(), **changes):
    settings = Comparison(**plan(**changes).settings(name))
    return BUILDERS[name](Measured(texts(rows), texts(paper)), settings)


def test_table_1_keeps_the_papers_order_and_its_values_apart():
    groups = (("all", 30.0), ("koala", 10.0), ("zoo", 5.0), ("helpful_base", 20.0))
    rows = [value(f"alpaca_eval/{UNSCORED}", group, "full", 0, WIN, number) for group, number in groups]
    rows.append(value(f"subset/{UNSCORED}", "pool", "full", 0, "n_examples", 52002, 52002))
    about = ("table_1", f"alpaca_eval/{UNSCORED}")
    paper = [
        published(*about, "helpful_base", "full", WIN, 20.15),
        published(*about, "koala", "full", WIN, 25.64),
        published(*about, "all", "full", WIN, 25.43),
        published("table_1", f"subset/{UNSCORED}", "pool", "full", "n_examples", 52002),
    ]
    table = build("table_1", rows, paper)
    assert [column.key for column in table.columns] == [
        "subset",
        "helpful_base",
        "koala",
        "zoo",
        "all",
        "answer_length",
        "n_examples",
        "helpful_base_published",
        "koala_published",
        "all_published",
        "n_examples_published",
    ]
    base, full, *_ = table.rows
    assert full["koala"].mean == 10.0
    assert full["koala_published"] == 25.64
    assert full["n_examples"] == 52002
    assert base["n_examples"] == Missing(NO_SUBSET)
    assert base["koala_published"] is None
    assert "It is about llama_7b; this run about tiny on pool" in table.notes[0]
    assert "comparison" not in build("table_1", rows, paper, model="llama_7b").notes[0]


def test_runs_of_another_anchor_set_in_the_same_file_are_not_shown():
    rows = [
        value(f"alpaca_eval/{name}", "all", "gt_0.5", 0, WIN, n) for name, n in (("kmeans_4", 1.0), ("random_4", 2.0))
    ]
    assert build("table_1", rows).rows[2]["all"].mean == 1.0
    own = {"anchors": "random_4", "methods": ["gt_0.5"]}
    assert build("table_1", rows, table_1=own).rows[0]["all"].mean == 2.0


def test_table_2_puts_turns_and_the_whole_last():
    grade, name = "mt_bench_score_1_to_10", f"mt_bench/{UNSCORED}"
    rows = [value(name, s, "full", 0, grade, 5.0) for s in ("overall", "writing", "turn_1", "turn_2", "math")]
    table = build("table_2", rows, [published("table_2", name, "writing", "full", grade, 8.5)])
    assert [c.key for c in table.columns] == [
        "subset", "writing", "math", "turn_1", "turn_2", "overall", "writing_published"
    ]  # fmt: skip


def test_table_3_shows_the_papers_anchor_sets_beside_ours():
    rows = [
        value("alpaca_eval/kmeans_4", "all", "gt_0.5", 0, WIN, 40.0),
        value("subset/kmeans_4", "pool", "gt_0.5", 0, "n_examples", 9, 9),
        value("subset/kmeans_4", "pool", "gt_0.9", 0, "n_examples", 0, 0),
        reason_row("nuggets", "alpaca_eval/kmeans_4", EMPTY, model="tiny", method="gt_0.9"),
    ]
    paper = [published("table_1 table_3", "alpaca_eval/random_100", "all", "gt_0.5", WIN, 22.28)]
    table = build("table_3", rows, paper)
    assert table.rows[0]["kmeans_4"].mean == 40.0
    assert table.rows[0]["random_100_published"] == 22.28
    assert table.rows[1]["kmeans_4"] == Missing("No example scores above 0.9.")
    assert table.rows[1]["kmeans_4_n"] == 0


def test_baselines_without_references_say_so():
    row = build("table_baselines", [value(f"alpaca_eval/{UNSCORED}", "all", "full", 0, WIN, 40.0)]).rows[1]
    assert row["win_rate"].mean == 40.0
    assert row["exact_match"] == Missing("The benchmark has no reference answers.")
    assert row["mt_bench"] == Missing(NOT_MEASURED)


def test_selection_quality_shows_faults_and_further_anchor_sets():
    name = "quality/kmeans_4"
    rows = [
        value(name, "all", "golden_score", 0, "auc", 0.9, 10),
        value(name, "fault_off_topic", "golden_score", 0, "auc", 0.7, 6),
        value(name, "k_known_good", "golden_score", 0, "precision_at_k", 0.75, 4),
        value(name, "all", "golden_score_random_40", 0, "auc", 0.8, 10),
    ]
    table = build("table_selection_quality", rows)
    assert table.rows[0]["score"] == "golden score"
    assert table.rows[-1]["score"] == "golden score, random, 40"
    assert table.rows[0]["fault_off_topic"] == 0.7
    assert table.rows[0]["k_known_good"] == 0.75
    assert "Precision at 4 (known good)" in [column.header for column in table.columns]
    assert "4 of 10 examples are known to be good" in table.notes[0]
    assert "precision 0.400" in table.notes[0]


def test_selection_quality_of_a_real_pool_gives_the_reason_everywhere():
    why = reason_row("nuggets", "quality/kmeans_4", "only a synthetic pool has a truth file", model="tiny")
    table = build("table_selection_quality", [why])
    cells = [cell for row in table.rows for key, cell in row.items() if key != "score"]
    assert set(cells) == {Missing("Only a synthetic pool has a truth file.")}


def test_racing_is_shown_in_percent():
    metrics = ("saved_share", "same_decisions_share")
    table = build("table_racing", [value("racing/kmeans_4", "threshold_0.25", "racing", 0, m, 0.4, 8) for m in metrics])
    assert table.rows[0] == {"threshold": 0.25, "saved": 40.0, "same": 40.0}
    assert table.rows[1]["saved"] == Missing(NOT_MEASURED)


def test_released_scores_end_where_the_file_ends():
    name, about = "released_scores/kmeans_100", ("bad", "llama_7b")
    rows = [
        metric_row("nuggets", name, *about, method, 0, metric, number, 4)
        for method, metric, number in (
            ("lowest", "golden_score", 0.1),
            ("mean", "golden_score", 0.25),
            ("median", "golden_score", 0.2),
            ("highest", "golden_score", 0.3),
            ("le_0.25", "n_examples", 3),
            ("le_0.5", "n_examples", 4),
        )
    ]
    paper = [published("figure_scores", "golden_scores/random_1000", "alpaca", "le_0.5", "n_examples", 9549)]
    shown = {"dataset": "bad", "model": "llama_7b", "anchors": "kmeans_100", "thresholds": [0.25, 0.5]}
    table = build("table_released_counts", rows, paper, table_released_counts=shown)
    assert table.rows == [
        {"threshold": 0.25, "released": 3.0, "all_published": None},
        {
            "threshold": 0.5,
            "released": Missing("The released file ends at a score of 0.3."),
            "all_published": 9549.0,
        },
    ]
    assert "The 4 released scores: lowest 0.100, mean 0.250, median 0.200, highest 0.300" in table.notes[0]


def test_without_released_scores_every_cell_says_so():
    table = build("table_released_counts", [])
    assert {row["released"] for row in table.rows} == {Missing("No golden scores were released for this pool.")}


def test_cases_are_the_ends_of_the_sorted_pool():
    pool = [{"id": str(i), "score": score} for i, score in enumerate([0.9, 0.8, 0.5, 0.2, 0.1, None])]
    assert [(side, rank, row["id"]) for side, rank, row in choose_cases(pool, 2)] == [
        ("highest", 1, "0"),
        ("highest", 2, "1"),
        ("lowest", 4, "3"),
        ("lowest", 5, "4"),
    ]


@pytest.mark.parametrize("size", range(1, 6))
def test_no_case_stands_on_both_sides(size):
    pool = [{"id": i, "score": 1.0 - i / 10} for i in range(size)]
    chosen = [row["id"] for _, _, row in choose_cases(pool, 3)]
    assert len(set(chosen)) == len(chosen) == size


def test_a_pool_without_scores_has_no_cases():
    with pytest.raises(UserError, match="no example has a score"):
        choose_cases([{"id": "0", "score": None}], 3)


def test_quality_in_words():
    assert quality({"good": True, "fault": ""}) == "good"
    assert quality({"good": False, "fault": "off_topic"}) == "off topic"
    assert quality({"good": False, "fault": ""}) == "bad"
