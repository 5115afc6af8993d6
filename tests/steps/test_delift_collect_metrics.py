"""From scored answers to metrics, tables and figures of DELIFT, on a run made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, write_json
from scripts.common.metrics import PUBLISHED_COLUMNS
from scripts.common.tables import read_markdown_table
from scripts.delift.collect_metrics import main, nearest_grade
from scripts.delift.collect_times import main as collect_times
from scripts.delift.comparison import by_run
from scripts.delift.plot_judge_scores import main as plot_judge_scores
from scripts.delift.plot_stages import main as plot_stages
from scripts.delift.plot_subset_size import main as plot_subset_size
from scripts.delift.tabulate_artifact import main as tabulate
from scripts.delift.tabulate_time import main as tabulate_time
from tests.unit.delift_small import comparison, make_run

SETTINGS = json.dumps(comparison())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with metrics.csv, notes.csv and an empty file of published values."""
    folder = tmp_path_factory.mktemp("metrics")
    collect(make_run(folder), folder)
    (folder / "published.csv").write_text(",".join(PUBLISHED_COLUMNS) + "\n")
    return folder


def collect(flags: dict[str, Any], folder: Path) -> None:
    arguments = ["--settings", SETTINGS, "--metrics-out", str(folder / "metrics.csv")]
    for name in ("runs", "scores", "scored", "subsets"):
        arguments += [f"--{name}", *flags[name]]
    main([*arguments, "--notes-out", str(folder / "notes.csv")])


def table(run: Path, artifact: str) -> Any:
    stem = run / artifact
    inputs = ["--metrics", f"{run}/metrics.csv", "--notes", f"{run}/notes.csv", "--published", f"{run}/published.csv"]
    outputs = [flag for kind in ("csv", "md", "tex") for flag in (f"--{kind}-out", f"{stem}.{kind}")]
    tabulate(["--artifact", artifact, *inputs, "--tier", "mini", "--settings", SETTINGS, *outputs])
    return read_markdown_table(f"{stem}.md")


def figure(step: Any, run: Path, name: str) -> list[dict[str, str]]:
    outputs = [flag for kind in ("pdf", "png", "csv") for flag in (f"--{kind}-out", f"{run}/{name}.{kind}")]
    inputs = ["--metrics", f"{run}/metrics.csv", "--notes", f"{run}/notes.csv", "--settings", SETTINGS]
    step([*inputs, "--tier", "mini", *outputs])
    return read_csv(run / f"{name}.csv")


def test_metrics_hold_every_seed_of_every_artifact(run: Path) -> None:
    rows = read_csv(run / "metrics.csv")
    asked = [r for r in rows if (r["experiment"], r["method"], r["metric"]) == ("table_1", "delift", "rouge_1")]
    assert [(r["setting"], r["model"], r["seed"]) for r in asked] == [
        ("first/peft/percent_30", "small", "0"),
        ("first/peft/percent_30", "small", "1"),
    ]
    assert not any("second" in r["setting"] for r in rows if r["experiment"] == "table_1")


def test_a_table_shows_means_and_spreads(run: Path) -> None:
    shown = table(run, "table_1")
    assert shown.header == ("Subset", "Examples", "PEFT ROUGE-1", "PEFT LAJ (1 to 5)")
    assert [row[0] for row in shown.rows] == ["base model", "random, 30 %", "DELIFT, 30 %", "full data"]
    assert [row[1] for row in shown.rows] == ["—¹", "6", "6", "20"]
    assert "The model as it is" in " ".join(shown.notes)
    # DELIFT knows 10 of 12 answers (0.9); the others score 0.1 with seed 0 and 0.11 with seed 1.
    first, second = (10 * 0.9 + 2 * 0.1) / 12, (10 * 0.9 + 2 * 0.11) / 12
    mean = (first + second) / 2
    assert shown.rows[2][2] == f"{mean:.3f} ± {abs(first - second) / 2**0.5:.3f}"


def test_private_data_and_what_a_tier_leaves_out_say_so(run: Path) -> None:
    private, left_out = table(run, "table_5"), table(run, "table_2")
    assert all(cell.startswith("—") for row in private.rows for cell in row[2:])
    assert "¹ Not run: private data." in private.notes
    assert "¹ Not run: left out here." in left_out.notes
    assert len(private.rows) == len(left_out.rows) == 4


def test_what_was_chosen_is_held_against_the_truth(run: Path) -> None:
    shown = table(run, "table_selection_quality")
    assert shown.header[-2:] == ("copy", "reverse")
    assert [row[1] for row in shown.rows] == ["random, 30 %", "DELIFT, 30 %", "full data"] * 2
    assert shown.rows[0][3] == "0.550 ± 0.071"


def test_the_curve_of_sizes_ends_at_the_whole_pool(run: Path) -> None:
    rows = figure(plot_subset_size, run, "figure_subset_size")
    ends = {row["method"]: row["mean"] for row in rows if row["percent"] == "100"}
    assert set(ends) == {"random", "delift"}
    assert len(set(ends.values())) == 1
    assert (run / "figure_subset_size.pdf").stat().st_size > 1000


def test_all_stages_are_drawn_with_their_intervals(run: Path) -> None:
    rows = figure(plot_stages, run, "figure_stages")
    assert [(row["stage"], row["method"]) for row in rows] == [
        (stage, method) for stage in ("1", "2") for method in ("initial", "random", "delift", "full")
    ]
    delift = next(row for row in rows if row["method"] == "delift")
    assert float(delift["low"]) < float(delift["mean"]) < float(delift["high"])
    assert delift["n_seeds"] == "2"
    assert (run / "figure_stages.png").stat().st_size > 1000


def test_grades_are_shares_that_sum_to_one(run: Path) -> None:
    rows = figure(plot_judge_scores, run, "figure_laj")
    for method in ("initial", "random", "delift", "full"):
        shares = [float(row["mean_share"]) for row in rows if row["method"] == method]
        assert len(shares) == 5
        assert sum(shares) == pytest.approx(1)
    assert [nearest_grade(value) for value in (1.0, 1.49, 1.5, 4.6, 5.0)] == [1, 1, 2, 5, 5]


def test_times_are_summed_over_jobs_and_kept_apart(run: Path, tmp_path: Path) -> None:
    seconds = {"a": 1.5, "b": 2.5, "c": 0.25, "d": 0.125}
    for name, value in seconds.items():
        write_json(tmp_path / f"{name}.json", {"seconds": value})
    write_json(tmp_path / "e.json", {"seconds": {"selectit": 7, "less": 8}})
    parts = ["utility", "utility", "select/delift", "select/random", "baselines"]
    runs = [str(tmp_path / f"{name}.json") for name in "abcde"]
    times = tmp_path / "times.csv"
    places = [f"first/small/{part}" for part in parts]
    collect_times(["--runs", *runs, "--parts", *places, "--times-out", str(times)])
    outputs = [flag for kind in ("csv", "md", "tex") for flag in (f"--{kind}-out", f"{tmp_path}/t.{kind}")]
    tabulate_time(["--times", str(times), "--settings", SETTINGS, "--tier", "mini", *outputs])
    shown = read_markdown_table(tmp_path / "t.md")
    assert [row[1:] for row in shown.rows] == [
        ("random", "0.00", "0.12", "0.12"),
        ("DELIFT", "4.00", "0.25", "4.25"),
    ]
    assert "seconds" not in (run / "metrics.csv").read_text()


def test_a_missing_answer_is_named(tmp_path: Path) -> None:
    flags = make_run(tmp_path)
    scores = Path(flags["scores"][0])
    scores.write_text("".join(line for line in scores.read_text().splitlines(True) if ",full," not in line))
    with pytest.raises(UserError, match="table_1: no answers of first, small, peft, full"):
        collect(flags, tmp_path)


def test_names_of_another_form_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--runs: 'first' is not of the form <pair>/<model>"):
        by_run(["first"], [], "--scores")
    write_json(tmp_path / "run.json", {"seconds": 1})
    flags = ["--runs", str(tmp_path / "run.json"), "--times-out", str(tmp_path / "times.csv"), "--parts"]
    with pytest.raises(UserError, match="--parts: 'first/utility' is not of the form"):
        collect_times([*flags, "first/utility"])


def test_a_file_of_another_run_is_named() -> None:
    with pytest.raises(UserError, match="x/third/small.csv belongs to none"):
        by_run(["first/small"], ["x/third/small.csv"], "--scores")
