"""Distilling Step-by-Step in the default run: its grid is whole, and what was measured holds."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from scripts.common.files import read_csv, read_json
from scripts.common.metrics import read_metrics
from scripts.common.spread import spread

PAPER, GENERIC = "step_by_step", "mini_generic"
LAST, SELECTED = "test_accuracy_percent", "selected_test_accuracy_percent"


@pytest.fixture(scope="module")
def rows(results: Path) -> list[dict[str, str]]:
    """The paper's measured values."""
    found = [row for row in read_metrics(results / "metrics.csv") if row["paper"] == PAPER]
    assert found, "config.yaml: papers lists step_by_step"
    return found


def by_seed(rows: list[dict[str, str]], experiment: str, setting: str, method: str, metric: str = LAST) -> list[float]:
    """Return one metric's values in the order of the seeds."""
    key = (experiment, setting, method, metric, "mini_t5_small")
    found = {
        row["seed"]: float(row["value"])
        for row in rows
        if (row["experiment"], row["setting"], row["method"], row["metric"], row["model"]) == key
    }
    return [found[seed] for seed in sorted(found)]


def shares(rows: list[dict[str, str]]) -> list[str]:
    """Return the settings of figure 4, smallest share first; all rows are called by the data set alone."""
    found = {
        row["setting"] for row in rows if row["experiment"] == "gold_labels" and row["setting"].startswith(GENERIC)
    }
    return sorted(found, key=lambda setting: float(setting.partition("_share_")[2] or 100))


def test_rationales_teach_what_labels_alone_do_not(rows: list[dict[str, str]]) -> None:
    few, *_, all_rows = shares(rows)
    explained = by_seed(rows, "gold_labels", all_rows, "distilling_step_by_step")
    labelled = by_seed(rows, "gold_labels", all_rows, "standard_finetuning")
    assert spread(a - b for a, b in zip(explained, labelled)).low > 0
    assert statistics.mean(by_seed(rows, "gold_labels", few, "distilling_step_by_step")) < statistics.mean(explained)


def test_rationales_help_where_the_teachers_labels_are_often_wrong(rows: list[dict[str, str]]) -> None:
    explained, labelled = (
        by_seed(rows, "teacher_labels", "mini_cqa", method)
        for method in ("distilling_step_by_step", "standard_distillation")
    )
    assert spread(a - b for a, b in zip(explained, labelled)).low > 0


def test_a_rationale_before_the_label_helps_to_find_it(rows: list[dict[str, str]]) -> None:
    """Single-task students see perfect rationales here and write their own before they answer."""
    assert statistics.mean(by_seed(rows, "gold_labels", "mini_generic", "single_task")) > 95


def test_both_ways_of_reporting_stand_side_by_side(rows: list[dict[str, str]]) -> None:
    for setting in shares(rows):
        for method in ("distilling_step_by_step", "standard_finetuning"):
            last, selected = (by_seed(rows, "gold_labels", setting, method, metric) for metric in (LAST, SELECTED))
            assert len(last) == len(selected) >= 3


def test_teachers_are_as_right_as_the_corpus_makes_them(rows: list[dict[str, str]]) -> None:
    found = {
        (row["setting"], row["model"]): float(row["value"])
        for row in rows
        if row["experiment"] == "teachers" and row["metric"] == "accuracy_percent"
    }
    assert found["mini_cqa_test", "palm"] == pytest.approx(75, abs=8)
    assert found["mini_cqa_test", "neox"] == pytest.approx(55, abs=9)


def test_every_student_has_its_predictions(results: Path) -> None:
    folder = results / PAPER / "students"
    for path in folder.glob("*/*/*.json"):
        if path.name.endswith(".run.json"):
            continue
        for record in read_json(path):
            assert 0 <= record["metrics"]["test_accuracy_last"] <= 1
            assert record["metrics"]["n_test"] == 300
        assert path.with_name(f"{path.stem}.predictions.jsonl").is_file()


def test_missing_cells_have_reasons(results: Path) -> None:
    rows = [row for row in read_metrics(results / PAPER / "metrics.csv") if row["reason"] or not row["value"]]
    rows += read_csv(results / PAPER / "measured" / "missing.csv")
    assert all(row["reason"].strip() and not row["value"] for row in rows)
