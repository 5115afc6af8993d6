"""Measurement files: what is read back from them, with the reasons for what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.common.errors import UserError
from scripts.common.files import write_csv
from scripts.common.measured import Measured, as_metrics, measured_row, missing_row, read_measured, write_measured
from scripts.common.metrics import METRIC_COLUMNS, PUBLISHED_COLUMNS
from scripts.common.spread import Spread
from scripts.common.tables import Missing


def row(value: float, seed: int | str = 0, experiment: str = "gold_labels", model: str = "m", setting: str = "cqa"):
    return measured_row("p", experiment, setting, model, "dss", seed, "accuracy_percent", value, 8)


def published(value: str, model: str) -> dict[str, str]:
    cells = ("p", "gold_labels", "cqa", model, "dss", "accuracy_percent", value, "", "Table 1", "paper")
    return dict(zip(PUBLISHED_COLUMNS, cells))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two measurement files that share a value, one of reasons, and published values of two models."""
    write_measured(tmp_path / "a.csv", [row(50, 0), row(60, 1), row(7, "all", "models")])
    write_measured(tmp_path / "b.csv", [row(90, 2), row(7, "all", "models"), row(1, 0, model="other")])
    reasons = [missing_row("p", "gold_labels", "no file", "svamp"), missing_row("p", "teachers", "no answers")]
    write_measured(tmp_path / "c.csv", reasons)
    write_csv(tmp_path / "published.csv", [published("44.5", "m"), published("55", "n")], PUBLISHED_COLUMNS)
    return [tmp_path / f"{name}.csv" for name in "abc"]


def read(files: list[Path], seeds=None) -> Measured:
    return Measured(files, files[0].with_name("published.csv"), seeds)


def test_an_artifact_shows_its_own_seeds(files: list[Path]) -> None:
    where = {"model": "m", "experiment": "gold_labels"}
    everything = read(files).cell("cqa", "dss", "accuracy_percent", **where)
    assert isinstance(everything, Spread)
    assert (everything.mean, everything.n) == (pytest.approx(200 / 3), 3)
    assert read(files, [0, 1]).number("cqa", "dss", "accuracy_percent", **where) == 55
    assert read(files, [0]).number("cqa", "dss", "accuracy_percent", experiment="models") == 7  # no seed changes it


def test_what_is_missing_has_its_reason(files: list[Path]) -> None:
    values = read(files)
    assert values.cell("svamp", "dss", "accuracy_percent", experiment="gold_labels") == Missing("No file.")
    assert values.cell("any", "any", "any", experiment="teachers") == Missing("No answers.")
    assert values.cell("anli", "dss", "accuracy_percent", experiment="gold_labels") == Missing(
        "Not measured in this run."
    )


def test_an_unclear_question_is_an_error(files: list[Path]) -> None:
    with pytest.raises(ValueError, match="name experiment and model"):
        read(files).cell("cqa", "dss", "accuracy_percent", experiment="gold_labels")
    with pytest.raises(ValueError, match="name the model"):
        read(files).published_value("gold_labels", "cqa", "dss", "accuracy_percent")
    assert read(files).published_value("gold_labels", "cqa", "dss", "accuracy_percent", "m") == 44.5
    assert read(files).published_value("gold_labels", "svamp", "dss", "accuracy_percent") is None


def test_equal_rows_of_two_files_are_one_and_unequal_ones_an_error(files: list[Path], tmp_path: Path) -> None:
    rows = read_measured(files)
    assert len(rows) == 5 + 2
    assert len(as_metrics(rows)) == 5
    assert list(as_metrics(rows)[0]) == list(METRIC_COLUMNS)
    write_measured(tmp_path / "d.csv", [row(51, 0)])
    with pytest.raises(UserError, match=r"d.csv:2: .*/cqa/m/dss/0/accuracy_percent is 51, but 50 in .*a.csv:"):
        read_measured([*files, tmp_path / "d.csv"])
    (tmp_path / "d.csv").write_text(files[0].read_text().replace(",50,", ",inf,"))
    with pytest.raises(UserError, match="value is 'inf', not a finite number"):
        read_measured([tmp_path / "d.csv"])
    with pytest.raises(UserError, match="the run diverged"):
        row(float("nan"))
