"""Distilling Step-by-Step in the default run: what rationales add on data whose labels tell little."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from scripts.common.files import read_csv, read_json
from scripts.common.metrics import read_metrics
from scripts.common.spread import t_critical

PAPER = "step_by_step"
LAST, SELECTED = "test_accuracy_percent", "selected_test_accuracy_percent"


@pytest.fixture(scope="module")
def rows(results: Path) -> list[dict[str, str]]:
    """The paper's measured values."""
    found = [row for row in read_metrics(results / "metrics.csv") if row["paper"] == PAPER]
    assert found, "config.yaml: papers lists step_by_step"
    return found


def by_seed(rows: list[dict[str, str]], artifact: str, setting: str, method: str, metric: str = LAST) -> list[float]:
    """Return one metric's values in the order of the seeds."""
    key = (artifact, setting, method, metric, "mini_t5")
    found = {
        row["seed"]: float(row["value"])
        for row in rows
        if (row["artifact"], row["setting"], row["method"], row["metric"], row["model"]) == key
    }
    return [found[seed] for seed in sorted(found)]


def shares(rows: list[dict[str, str]]) -> list[str]:
    """Return the settings of figure 4, smallest share first."""
    found = {row["setting"] for row in rows if row["artifact"] == "figure_4" and "_share_" in row["setting"]}
    return sorted(found, key=lambda setting: float(setting.rpartition("_")[2]))


def test_rationales_help_where_rows_are_few(rows: list[dict[str, str]]) -> None:
    """Below all rows: a higher mean at every share, and over these shares the paired 95 % interval excludes 0."""
    gains = []
    for setting in shares(rows)[:-1]:
        ours = by_seed(rows, "figure_4", setting, "distilling_step_by_step")
        plain = by_seed(rows, "figure_4", setting, "standard_finetuning")
        assert len(ours) == len(plain) >= 3
        assert statistics.mean(ours) > statistics.mean(plain), setting
        gains += [a - b for a, b in zip(ours, plain)]
    half_width = t_critical(len(gains) - 1) * statistics.stdev(gains) / len(gains) ** 0.5
    assert statistics.mean(gains) - half_width > 0


def test_more_rows_train_better_students(rows: list[dict[str, str]]) -> None:
    for method in ("distilling_step_by_step", "standard_finetuning"):
        first, *_, last = (statistics.mean(by_seed(rows, "figure_4", setting, method)) for setting in shares(rows))
        assert last > first


def test_both_ways_of_reporting_stand_side_by_side(rows: list[dict[str, str]]) -> None:
    for setting in shares(rows):
        for method in ("distilling_step_by_step", "standard_finetuning"):
            last, selected = (by_seed(rows, "figure_4", setting, method, metric) for metric in (LAST, SELECTED))
            assert len(last) == len(selected) >= 3


def test_teachers_are_as_right_as_the_corpus_makes_them(rows: list[dict[str, str]]) -> None:
    found = {
        (row["setting"], row["model"]): float(row["value"])
        for row in rows
        if row["artifact"] == "table_teachers" and row["metric"] == "accuracy_percent"
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
    notes = read_csv(results / PAPER / "notes.csv")
    assert all(note["reason"].strip() for note in notes)
