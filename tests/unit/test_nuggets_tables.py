"""What a table shows: values with their spread, published values apart, and a reason for what is missing."""

from __future__ import annotations

import pytest

from scripts.common.artifacts import NOT_MEASURED, Artifact
from scripts.common.errors import UserError
from scripts.common.files import write_csv
from scripts.common.metrics import PUBLISHED_COLUMNS, metric_row, write_metrics
from scripts.common.spread import Spread
from scripts.common.tables import Missing
from scripts.nuggets.comparison import Comparison
from scripts.nuggets.tabulate_artifact import BUILDERS, NO_SUBSET
from scripts.nuggets.tabulate_cases import choose_cases, quality
from tests.unit.nuggets_eval import comparison

WIN = "alpaca_eval_win_rate_percent"
NOTES = ("artifact", "setting", "model", "method", "reason")


def published(artifact, setting, method, metric, value, model="llama_7b"):
    return dict(zip(PUBLISHED_COLUMNS, ("nuggets", artifact, setting, model, method, metric, value, "", "an image")))


@pytest.fixture
def make(tmp_path):
    def make_artifact(name, values, notes=(), paper=()):
        rows = [
            metric_row("nuggets", artifact, setting, "tiny", method, seed, metric, value, n)
            for artifact, setting, method, seed, metric, value, n in values
        ]
        write_metrics(tmp_path / "metrics.csv", rows)
        write_csv(tmp_path / "notes.csv", [dict(zip(NOTES, note)) for note in notes], NOTES)
        write_csv(tmp_path / "published.csv", paper, PUBLISHED_COLUMNS)
        return Artifact(name, tmp_path / "metrics.csv", tmp_path / "notes.csv", tmp_path / "published.csv")

    return make_artifact


def build(artifact, **changes):
    return BUILDERS[artifact.name](artifact, Comparison(**comparison(**changes)))


def test_cells_hold_the_spread_over_seeds_or_the_reason(make):
    values = [("table_1", "all", "full", seed, WIN, value, 4) for seed, value in ((0, 10.0), (1, 20.0))]
    notes = [
        ("table_1", "", "tiny", "gt_0.9", "no example scores above 0.9"),
        ("table_2", "", "tiny", "base", "not of this table"),
        ("table_1", "koala", "tiny", "base", "only of this group"),
    ]
    artifact = make("table_1", values, notes)
    cell = artifact.cell("all", "full", WIN)
    assert isinstance(cell, Spread)
    assert (cell.mean, cell.n) == (15.0, 2)
    assert cell.std == pytest.approx(50**0.5)
    assert artifact.cell("all", "gt_0.9", WIN) == Missing("No example scores above 0.9.")
    assert artifact.cell("all", "base", WIN) == Missing(NOT_MEASURED)
    assert artifact.cell("koala", "base", WIN) == Missing("Only of this group.")


def test_table_1_keeps_the_papers_order_and_its_values_apart(make):
    values = [
        ("table_1", group, "full", 0, WIN, value, 4)
        for group, value in (("all", 30.0), ("koala", 10.0), ("zoo", 5.0), ("helpful_base", 20.0))
    ]
    values += [("table_1", "pool", "full", 0, "n_examples", 52002, 52002)]
    paper = [
        published("table_1", "helpful_base", "full", WIN, 20.15),
        published("table_1", "koala", "full", WIN, 25.64),
        published("table_1", "all", "full", WIN, 25.43),
        published("table_1", "pool", "full", "n_examples", 52002),
    ]
    table = build(make("table_1", values, (), paper))
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
    assert "comparison" not in build(make("table_1", values, (), paper), model="llama_7b").notes[0]


def test_table_2_puts_turns_and_the_whole_last(make):
    grade = "mt_bench_score_1_to_10"
    values = [("table_2", s, "full", 0, grade, 5.0, 4) for s in ("overall", "writing", "turn_1", "turn_2", "math")]
    table = build(make("table_2", values, (), [published("table_2", "writing", "full", grade, 8.5)]))
    assert [c.key for c in table.columns] == [
        "subset", "writing", "math", "turn_1", "turn_2", "overall", "writing_published"
    ]  # fmt: skip


def test_table_3_shows_the_papers_anchor_sets_beside_ours(make):
    values = [
        ("table_3", "kmeans_4", "gt_0.5", 0, WIN, 40.0, 4),
        ("table_3", "kmeans_4", "gt_0.5", 0, "n_examples", 9, 9),
        ("table_3", "kmeans_4", "gt_0.9", 0, "n_examples", 0, 0),
    ]
    notes = [("table_3", "kmeans_4", "tiny", "gt_0.9", "no example scores above 0.9")]
    table = build(make("table_3", values, notes, [published("table_3", "random_100", "gt_0.5", WIN, 22.28)]))
    assert table.rows[0]["kmeans_4"].mean == 40.0
    assert table.rows[0]["random_100_published"] == 22.28
    assert table.rows[1]["kmeans_4"] == Missing("No example scores above 0.9.")
    assert table.rows[1]["kmeans_4_n"] == 0


def test_baselines_without_references_say_so(make):
    values = [("table_baselines", "all", "full", 0, WIN, 40.0, 4)]
    row = build(make("table_baselines", values)).rows[1]
    assert row["win_rate"].mean == 40.0
    assert row["exact_match"] == Missing("The benchmark has no reference answers.")
    assert row["mt_bench"] == Missing(NOT_MEASURED)


def test_selection_quality_shows_faults_and_further_anchor_sets(make):
    name = "table_selection_quality"
    values = [
        (name, "all", "golden_score", 0, "auc", 0.9, 10),
        (name, "fault_off_topic", "golden_score", 0, "auc", 0.7, 6),
        (name, "k_known_good", "golden_score", 0, "precision_at_k", 0.75, 4),
        (name, "all", "golden_score_random_40", 0, "auc", 0.8, 10),
    ]
    table = build(make(name, values))
    assert table.rows[0]["score"] == "golden score"
    assert table.rows[-1]["score"] == "golden score, random, 40"
    assert table.rows[0]["fault_off_topic"] == 0.7
    assert table.rows[0]["k_known_good"] == 0.75
    assert "Precision at 4 (known good)" in [column.header for column in table.columns]
    assert "4 of 10 examples are known to be good" in table.notes[0]
    assert "precision 0.400" in table.notes[0]


def test_selection_quality_of_a_real_pool_gives_the_reason_everywhere(make):
    name = "table_selection_quality"
    table = build(make(name, [], [(name, "", "tiny", "", "only a synthetic pool has a truth file")]))
    cells = [cell for row in table.rows for key, cell in row.items() if key != "score"]
    assert set(cells) == {Missing("Only a synthetic pool has a truth file.")}


def test_racing_is_shown_in_percent(make):
    name = "table_racing"
    values = [(name, "threshold_0.25", "racing", 0, m, 0.4, 8) for m in ("saved_share", "same_decisions_share")]
    table = build(make(name, values))
    assert table.rows[0] == {"threshold": 0.25, "saved": 40.0, "same": 40.0}
    assert table.rows[1]["saved"] == Missing(NOT_MEASURED)


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
