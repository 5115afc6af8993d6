"""The figure steps: three files each, the numbers drawn, what is missing said, and the same bytes twice."""

from __future__ import annotations

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, write_csv
from scripts.common.metrics import read_metrics, reason_row, write_metrics
from scripts.nuggets import (
    benchmarks,
    plot_anchor_sizes,
    plot_cases,
    plot_pairwise,
    plot_scores,
    plot_selection_quality,
)
from scripts.nuggets.benchmarks import UNSCORED
from scripts.nuggets.measure_quality import ROC_COLUMNS
from tests.unit.nuggets_eval import flags, plan, published, value, write_published

EMPTY = "no example scores above 0.9"
JUDGED = f"alpaca_eval/{UNSCORED}"


@pytest.fixture
def folder(tmp_path):
    rows = [value("golden_scores/kmeans_4", "pool", f"le_{t:g}", 0, "n_examples", c) for t, c in ((0.5, 2), (0.8, 3))]
    for method, anchors, shares in (("base", UNSCORED, (0.2, 0.3, 0.5)), ("gt_0.5", "kmeans_4", (0.6, 0.3, 0.1))):
        for seed in (0, 1):
            for outcome, share in zip(("win", "tie", "loss"), shares):
                moved = share + (0.05 if outcome == "win" else -0.05 if outcome == "tie" else 0.0) * seed
                rows.append(value(f"pairwise/{anchors}", "vs_full", method, seed, f"{outcome}_share", moved))
    for score in benchmarks.SCORES:
        rows.append(value("quality/kmeans_4", "all", score, 0, "auc", 0.75))
    for method, number in (("base", 0.5), ("full", 0.6)):
        rows += [value(JUDGED, "all", method, seed, "exact_match", number + seed / 100) for seed in (0, 1)]
        rows.append(value(f"mt_bench/{UNSCORED}", "overall", method, 0, "exact_match", 0.1))
    for size in (5, 10):
        for draw in range(3):
            key = ("anchor_sizes/kmeans_4", f"n_anchors_{size}", "golden_score", draw)
            rows.append(value(*key, "auc", 0.7 + draw / 10))
            rows.append(value(*key, "spearman_with_all_anchors", 0.9))
    for mode in ("pairwise", "alpaca_eval"):
        rows.append(reason_row("nuggets", f"{mode}/kmeans_4", EMPTY, model="tiny", method="gt_0.9"))
    write_metrics(tmp_path / "measured.csv", rows)
    points = [(score, x, y) for score in benchmarks.SCORES for x, y in ((0, 0), (0, 0.5), (1, 1))]
    write_csv(tmp_path / "roc.csv", [dict(zip(ROC_COLUMNS, point)) for point in points], ROC_COLUMNS)
    paper = published("figure_scores", "golden_scores/random_4", "pool", "le_0.5", "n_examples", 4, "tiny")
    write_published(tmp_path / "published.csv", [paper])
    scores = [{"id": i, "golden_score": s} for i, s in enumerate([0.25, 0.5, 0.75, 1.0, ""])]
    write_csv(tmp_path / "scores.csv", scores, ("id", "golden_score"))
    columns = ("side", "rank", "id", "golden_score", "quality", "instruction", "input", "output")
    texts = [
        ("highest", 1, "p0", 0.9, "good", "Do $this_1$ \\now {it}", "", "word " * 400),
        ("lowest", 9, "p8", 0.1, "empty", "x" * 300, "a\n\nb\nc\nd\ne", ""),
    ]
    write_csv(tmp_path / "cases.csv", [dict(zip(columns, text)) for text in texts], columns)
    return tmp_path


STEPS = {
    "scores": (plot_scores, ["scores"]),
    "pairwise": (plot_pairwise, []),
    "selection_quality": (plot_selection_quality, ["roc"]),
    "anchor_sizes": (plot_anchor_sizes, []),
    "cases": (plot_cases, ["cases"]),
}


def draw(folder, name, tier="mini"):
    """Draw a figure from all values there are; what is planned for it is another test's."""
    step, files = STEPS[name]
    paths = {kind: folder / f"figure_{name}.{kind}" for kind in ("pdf", "png", "csv")}
    shown = plan(table_baselines={"methods": ["base", "full", "gt_0.9"]})
    given = {
        "artifact": f"figure_{name}",
        "measured": folder / "measured.csv",
        **{file: folder / f"{file}.csv" for file in files},
        "published": folder / "published.csv",
        "settings": shown.settings(f"figure_{name}"),
        "tier": tier,
        **{f"{kind}-out": path for kind, path in paths.items()},
    }
    step.main(flags(given))
    return paths


@pytest.mark.parametrize("name", sorted(STEPS))
def test_every_figure_is_written_the_same_twice(folder, name):
    files = draw(folder, name)
    first = {kind: path.read_bytes() for kind, path in files.items()}
    assert first["pdf"].startswith(b"%PDF")
    assert first["png"].startswith(b"\x89PNG")
    assert b"CreationDate" not in first["pdf"]
    assert {kind: path.read_bytes() for kind, path in draw(folder, name).items()} == first
    assert draw(folder, name, tier="paper")["png"].read_bytes() != first["png"]  # no stamp


def test_the_score_curve_draws_counts_and_published_counts(folder):
    rows = read_csv(draw(folder, "scores")["csv"])
    found = {(row["series"], row["golden_score"]): row["n_examples"] for row in rows}
    assert found["curve", "0.75"] == "3"
    assert found["threshold", "0.8"] == "3"
    assert found["threshold_published", "0.5"] == "4"


def test_published_counts_of_another_pool_are_not_drawn(folder, repo_root):
    (folder / "published.csv").write_bytes((repo_root / "config" / "published" / "nuggets.csv").read_bytes())
    rows = read_csv(draw(folder, "scores")["csv"])
    assert {row["series"] for row in rows} == {"curve", "threshold"}


def test_pairwise_draws_means_and_says_what_was_not_run(folder):
    rows = {(row["method"], row["outcome"]): row for row in read_csv(draw(folder, "pairwise")["csv"])}
    assert float(rows["gt_0.5", "win"]["share"]) == pytest.approx(0.625)
    assert float(rows["gt_0.5", "loss"]["share"]) == pytest.approx(0.1)
    assert rows["gt_0.5", "win"]["n_seeds"] == "2"
    assert rows["gt_0.9", ""]["note"] == EMPTY


def test_selection_quality_draws_curves_and_models(folder):
    rows = read_csv(draw(folder, "selection_quality")["csv"])
    bars = {row["series"]: row for row in rows if row["panel"] == "exact_match"}
    assert float(bars["full"]["y"]) == pytest.approx(0.605)
    assert bars["gt_0.9"]["note"] == EMPTY
    assert {row["series"] for row in rows if row["panel"] == "roc"} == set(benchmarks.SCORES)


def test_without_truth_the_panels_say_why(folder):
    reason = "it is not known which examples are good"
    write_csv(folder / "roc.csv", [], ROC_COLUMNS)
    kept = [row for row in read_metrics(folder / "measured.csv") if row["metric"] != "auc"]
    kept.append(reason_row("nuggets", "quality/kmeans_4", reason, model="tiny"))
    kept.append(reason_row("nuggets", "anchor_sizes/kmeans_4", reason, model="tiny", metric="auc"))
    write_metrics(folder / "measured.csv", kept)
    rows = read_csv(draw(folder, "selection_quality")["csv"])
    assert [row["note"] for row in rows if row["panel"] == "roc"] == [reason]
    rows = read_csv(draw(folder, "anchor_sizes")["csv"])
    assert [row["note"] for row in rows if row["metric"] == "auc"] == [reason]
    assert [row["median"] for row in rows if row["metric"] == "spearman_with_all_anchors"] == ["0.9", "0.9"]


def test_anchor_sizes_draws_median_and_range(folder):
    rows = {(r["metric"], r["n_anchors"]): r for r in read_csv(draw(folder, "anchor_sizes")["csv"])}
    found = rows["auc", "10"]
    assert [float(found[key]) for key in ("low", "median", "high")] == pytest.approx([0.72, 0.8, 0.88])
    assert found["n_draws"] == "3"


def test_the_win_rate_stands_in_where_there_are_no_references(folder):
    rows = [row for row in read_metrics(folder / "measured.csv") if row["metric"] != "exact_match"]
    rows.append(value(JUDGED, "all", "full", 0, "alpaca_eval_win_rate_percent", 40.0))
    write_metrics(folder / "measured.csv", rows)
    drawn = read_csv(draw(folder, "selection_quality")["csv"])
    bars = {row["series"]: row for row in drawn if row["panel"] == "alpaca_eval_win_rate_percent"}
    assert float(bars["full"]["y"]) == 40.0


def test_nothing_to_draw_is_an_error(folder):
    write_csv(folder / "scores.csv", [{"id": 0, "golden_score": ""}], ("id", "golden_score"))
    with pytest.raises(UserError, match="no example has a golden score"):
        draw(folder, "scores")
    (folder / "cases.csv").write_text((folder / "cases.csv").read_text().splitlines()[0] + "\n")
    with pytest.raises(UserError, match="holds no cases"):
        draw(folder, "cases")
