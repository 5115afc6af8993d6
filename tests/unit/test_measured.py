"""Reading measured values back: what there is, why the rest is missing, and questions with two answers."""

from __future__ import annotations

import pytest

from scripts.common.errors import UserError
from scripts.common.measured import NOT_MEASURED, Measured
from scripts.common.metrics import PUBLISHED_COLUMNS, metric_row, reason_row, write_metrics
from scripts.common.spread import Spread
from scripts.common.tables import Missing
from tests.unit.nuggets_eval import published, write_published


def row(experiment, setting, method, seed, number, model="small", metric="score"):
    made = metric_row("paper", experiment, setting, model, method, seed, metric, number, 9)
    return {column: str(cell) for column, cell in made.items()}


def why(reason, experiment="first", **about):
    return reason_row("paper", experiment, reason, **about)


def test_a_cell_holds_the_spread_over_seeds_or_the_reason():
    measured = Measured([row("first", "all", "full", seed, 10.0 * (seed + 1)) for seed in (0, 1)] + [why("too long")])
    cell = measured.cell("all", "full", "score")
    assert isinstance(cell, Spread)
    assert (cell.mean, cell.n) == (15.0, 2)
    assert measured.number("all", "full", "score") == 15.0
    assert measured.cell("all", "top", "score") == Missing("Too long.")
    assert measured.count("all", "score") == 9


def test_a_reason_is_about_what_it_names_and_everything_it_leaves_open():
    measured = Measured(
        [
            why("of one method", method="top"),
            why("of one setting", setting="koala", method="base"),
            why("of one metric", method="full", metric="score"),
            why("of another experiment", "second"),
        ]
    )
    assert measured.cell("all", "top", "score", experiment="first") == Missing("Of one method.")
    assert measured.cell("koala", "base", "score", experiment="first") == Missing("Of one setting.")
    assert measured.cell("all", "base", "score", experiment="first") == Missing(NOT_MEASURED)
    assert measured.cell("all", "full", "other", experiment="first", otherwise="no") == Missing("no")
    assert measured.cell("all", "full", "other", experiment="second") == Missing("Of another experiment.")
    assert measured.reason("all", "full", "score", experiment="first") == "of one metric"
    assert measured.reason("all", "full", "other", experiment="first") is None


def test_a_question_with_two_answers_is_an_error_until_it_names_one():
    measured = Measured([row("first", "all", "full", 0, 1.0), row("second", "all", "full", 0, 2.0)])
    with pytest.raises(ValueError, match="all/full/score was measured for first with small, second with small"):
        measured.cell("all", "full", "score")
    assert measured.number("all", "full", "score", experiment="second") == 2.0
    models = Measured([row("first", "all", "full", 0, 1.0), row("first", "all", "full", 0, 2.0, model="large")])
    with pytest.raises(ValueError, match="name experiment and model"):
        models.cell("all", "full", "score", experiment="first")
    assert models.number("all", "full", "score", model="large") == 2.0


def test_files_are_read_together_with_what_the_paper_prints_there(tmp_path):
    write_metrics(tmp_path / "a.csv", [row("first", "zoo", "full", 0, 1.0), row("first", "all", "full", 0, 3.0)])
    write_metrics(tmp_path / "b.csv", [row("second", "koala", "full", 0, 2.0)])
    paper = [
        published("table_1 table_3", "first", "koala", "full", "score", 7.0),
        published("table_3", "second", "koala", "full", "score", 8.0),
        published("table_10", "first", "all", "full", "score", 9.0),
    ]
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    measured = Measured.read(files, write_published(tmp_path / "p.csv", paper), "table_1")
    assert len(measured.rows) == 3
    assert measured.settings_of("score") == ["koala", "all", "zoo"]  # the paper's order, then by name
    assert measured.published_value("koala", "full", "score") == 7.0
    assert measured.published_value("all", "full", "score") is None
    assert measured.prints("koala", "score")
    assert not measured.prints("all", "score")
    both = Measured.read(files, tmp_path / "p.csv", "table_3")
    with pytest.raises(ValueError, match="2 published values of koala/full/score"):
        both.published_value("koala", "full", "score")
    assert both.published_value("koala", "full", "score", experiment="second") == 8.0


def test_the_source_of_published_values_and_another_model_are_named():
    paper = [dict.fromkeys(PUBLISHED_COLUMNS, "") | {"source": "an image", "model": "llama_7b"}]
    (note,) = Measured([], paper).published_note("tiny", "pool")
    assert note.startswith("Published: an image. It is about llama_7b; this run about tiny on pool")
    assert Measured([], paper).published_note("llama_7b", "pool") == ["Published: an image."]
    assert Measured([]).published_note("tiny", "pool") == []


def test_an_artifact_shows_its_own_seeds_and_what_no_seed_changes():
    measured = Measured([row("first", "all", "full", seed, 10.0 * (seed + 1)) for seed in (0, 1, 2)]
                        + [row("models", "all", "size", "all", 7.0), why("too long")])  # fmt: skip
    own = measured.of_seeds([0, 2])
    assert own.number("all", "full", "score") == 20.0
    assert own.number("all", "size", "score") == 7.0
    assert own.cell("all", "top", "score") == Missing("Too long.")


def test_what_two_files_measured_equally_is_one_value(tmp_path):
    both = [row("first", "all", "full", 0, 1.0), row("models", "all", "size", "all", 7.0)]
    write_metrics(tmp_path / "a.csv", both)
    write_metrics(tmp_path / "b.csv", both[1:])
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    cell = Measured.read(files, write_published(tmp_path / "p.csv", []), "table_1").cell("all", "size", "score")
    assert isinstance(cell, Spread)
    assert (cell.mean, cell.n) == (7.0, 1)
    write_metrics(tmp_path / "b.csv", [row("models", "all", "size", "all", 8.0)])
    with pytest.raises(
        UserError, match=r"b\.csv:2: .*/size/all/score was measured before, in .*a\.csv:3, as 7 and not 8"
    ):
        Measured.read(files, tmp_path / "p.csv", "table_1")
