"""From measured answers and choices to tables and figures of DELIFT, on a run made by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Sequence

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, write_json
from scripts.common.metrics import read_merged, reason_row, write_metrics
from scripts.common.tables import read_markdown_table
from scripts.delift.collect_times import main as collect_times
from scripts.delift.plan import Plan
from scripts.delift.plot_judge_scores import main as plot_judge_scores
from scripts.delift.plot_stages import main as plot_stages
from scripts.delift.plot_subset_size import main as plot_subset_size
from scripts.delift.score_answers import measured_rows, nearest_grade
from scripts.delift.tabulate_artifact import main as tabulate
from scripts.delift.tabulate_time import main as tabulate_time
from scripts.delift.viewer_data import by_run
from tests.unit.delift_small import make_run, score_settings, settings, step_arguments


@dataclasses.dataclass(frozen=True)
class Run:
    """A run made by hand: its folder, and the flags of the steps that read it."""

    folder: Path
    flags: dict[str, Any]

    def arguments(self, artifact: str) -> list[str]:
        return step_arguments(self.folder, self.flags, artifact)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("measured")
    return Run(folder, make_run(folder))


def outputs(stem: Path, kinds: Sequence[str]) -> list[str]:
    return [flag for kind in kinds for flag in (f"--{kind}-out", f"{stem}.{kind}")]


def table(run: Run, artifact: str) -> Any:
    stem = run.folder / artifact
    tabulate([*run.arguments(artifact), *outputs(stem, ("csv", "md", "tex"))])
    return read_markdown_table(f"{stem}.md")


def figure(step: Any, run: Run, name: str) -> list[dict[str, str]]:
    step([*run.arguments(name), *outputs(run.folder / name, ("pdf", "png", "csv"))])
    return read_csv(run.folder / f"{name}.csv")


def test_every_seed_is_measured_once(run: Run) -> None:
    rows = read_merged(run.flags["measured"])
    asked = ("answers", "first/peft/percent_30", "delift", "rouge_1")
    found = [r for r in rows if (r["experiment"], r["setting"], r["method"], r["metric"]) == asked]
    assert [(r["model"], r["seed"]) for r in found] == [("small", "0"), ("small", "1")]
    sizes = [r for r in rows if r["metric"] == "n_examples" and r["setting"] == "first/percent_30"]
    assert {r["experiment"] for r in sizes} == {"choices"}


def test_a_table_shows_means_and_spreads(run: Run) -> None:
    shown = table(run, "table_1")
    assert shown.header == ("Subset", "Examples", "PEFT ROUGE-1", "PEFT LAJ (1 to 5)")
    assert [row[0] for row in shown.rows] == ["base model", "random, 30 %", "DELIFT, 30 %", "full data"]
    assert [row[1] for row in shown.rows] == ["—¹", "6", "6", "20"]
    assert "The model as it is" in " ".join(shown.notes)
    # DELIFT knows 10 of 12 answers (0.9); the others score 0.1 with seed 0 and 0.11 with seed 1.
    first, second = (10 * 0.9 + 2 * 0.1) / 12, (10 * 0.9 + 2 * 0.11) / 12
    mean, std = map(float, shown.rows[2][2].split(" ± "))
    assert mean == pytest.approx((first + second) / 2, abs=6e-4)
    assert std == pytest.approx(abs(first - second) / 2**0.5, abs=6e-4)


def test_private_data_and_what_a_tier_leaves_out_say_so(run: Run) -> None:
    private, left_out = table(run, "table_5"), table(run, "table_2")
    assert all(cell.startswith("—") for row in private.rows for cell in row[2:])
    assert "¹ Not run: private data." in private.notes
    assert "¹ Not run: left out here." in left_out.notes
    assert len(private.rows) == len(left_out.rows) == 4


def test_what_was_chosen_is_held_against_the_truth(run: Run) -> None:
    shown = table(run, "table_selection_quality")
    assert shown.header[-2:] == ("copy", "reverse")
    assert [row[1] for row in shown.rows] == ["random, 30 %", "DELIFT, 30 %", "full data"] * 2
    assert shown.rows[0][3] == "0.550 ± 0.071"


def test_the_curve_of_sizes_ends_at_the_whole_pool(run: Run) -> None:
    rows = figure(plot_subset_size, run, "figure_subset_size")
    ends = {row["method"]: row["mean"] for row in rows if row["percent"] == "100"}
    assert set(ends) == {"random", "delift"}
    assert len(set(ends.values())) == 1
    assert (run.folder / "figure_subset_size.pdf").stat().st_size > 1000


def test_all_stages_are_drawn_with_their_intervals(run: Run) -> None:
    rows = figure(plot_stages, run, "figure_stages")
    assert [(row["stage"], row["method"]) for row in rows] == [
        (stage, method) for stage in ("1", "2") for method in ("initial", "random", "delift", "full")
    ]
    delift = next(row for row in rows if row["method"] == "delift")
    assert float(delift["low"]) < float(delift["mean"]) < float(delift["high"])
    assert delift["n_seeds"] == "2"
    assert (run.folder / "figure_stages.png").stat().st_size > 1000


def test_grades_are_shares_that_sum_to_one(run: Run) -> None:
    rows = figure(plot_judge_scores, run, "figure_laj")
    for method in ("initial", "random", "delift", "full"):
        shares = [float(row["mean_share"]) for row in rows if row["method"] == method]
        assert len(shares) == 5
        assert sum(shares) == pytest.approx(1)
    assert [nearest_grade(value) for value in (1.0, 1.49, 1.5, 4.6, 5.0)] == [1, 1, 2, 5, 5]


def test_times_are_summed_over_jobs_and_kept_apart(run: Run, tmp_path: Path) -> None:
    seconds = {"a": 1.5, "b": 2.5, "c": 0.25, "d": 0.125}
    for name, value in seconds.items():
        write_json(tmp_path / f"{name}.json", {"seconds": value})
    write_json(tmp_path / "e.json", {"seconds": {"selectit": 7, "less": 8}})
    parts = ["utility", "utility", "select/delift", "select/random", "baselines"]
    runs = [str(tmp_path / f"{name}.json") for name in "abcde"]
    times = tmp_path / "times.csv"
    places = [f"first/small/{part}" for part in parts]
    collect_times(["--runs", *runs, "--parts", *places, "--times-out", str(times)])
    tabulate_time([*run.arguments("table_time"), "--times", str(times), *outputs(tmp_path / "t", ("csv", "md", "tex"))])
    shown = read_markdown_table(tmp_path / "t.md")
    assert [row[1:] for row in shown.rows] == [
        ("random", "0.00", "0.12", "0.12"),
        ("DELIFT", "4.00", "0.25", "4.25"),
    ]
    assert not any("second" in row["metric"] for row in read_merged(run.flags["measured"]))


def test_a_model_out_of_reach_leaves_a_reason_in_its_cells(run: Run, tmp_path: Path) -> None:
    given = Plan(settings(), absent={"judge": "judge is named in data.left_out"})
    write_metrics(tmp_path / "missing.csv", [reason_row("delift", **row) for row in given.reasons()])
    kept = [path for path in run.flags["measured"] if "grades" not in path and "missing" not in path]
    flags = {**run.flags, "measured": [*kept, str(tmp_path / "missing.csv")]}
    arguments = step_arguments(run.folder, flags, "table_1", given)
    tabulate([*arguments, *outputs(tmp_path / "t", ("csv", "md", "tex"))])
    shown = read_markdown_table(tmp_path / "t.md")
    assert [row[3][0] for row in shown.rows] == ["—"] * 4
    assert all(row[2][0] == "0" for row in shown.rows)
    assert any("Judge is named in data.left_out." in note for note in shown.notes)


def test_an_answer_that_no_judge_graded_says_so() -> None:
    answers = [{"learning": "peft", "method": "full", "percent": 100, "seed": s, "judge_score": None} for s in (0, 1)]
    how = score_settings(measures=["judge_score"], known=None, likelihood=False)
    (row,) = measured_rows(answers, how, "delift", "first", "small")
    assert (row["setting"], row["metric"], row["value"]) == ("first/peft/percent_100", "judge_score", "")
    assert "no readable grade" in row["reason"]


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
