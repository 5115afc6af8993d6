"""The head-to-head's measures and last steps: table, figure, seconds; what was not run says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, write_csv, write_json
from scripts.common.metrics import read_merged
from scripts.head_to_head import collect_times, plot_costs, plot_times, tabulate_artifact, tabulate_time
from scripts.head_to_head.columns import TIME_COLUMNS
from tests.unit.head_to_head_small import (
    METHODS,
    SEEDS,
    both_halves,
    make_demonstrations,
    make_run,
    settings,
    step_flags,
)


def paths(folder: Path, *kinds: str) -> list[str]:
    return [text for kind in kinds for text in (f"--{kind}-out", str(folder / f"out.{kind}"))]


def test_measures_hold_results_choices_and_operations(tmp_path: Path) -> None:
    rows = {
        (row["experiment"], row["setting"], row["method"], row["metric"], row["seed"]): float(row["value"])
        for row in read_merged(make_run(tmp_path))
    }
    assert rows["choices", "pair_one/percent_30", "nuggets", "share_good", "1"] == 0.75
    assert rows["choices", "pair_one/percent_30", "nuggets", "n_examples", "1"] == 12
    assert rows["choosing", "choosing", "random", "flops", "0"] == 0
    assert rows["choosing", "choosing", "less", "flops", "0"] == 5e8
    assert rows["choosing", "training", "finetune", "flops", "0"] == 1e9
    chosen = [key for key in rows if key[0] == "choices"]
    assert {key[-1] for key in chosen} == {str(seed) for seed in SEEDS}


def test_a_subset_without_answers_says_so(tmp_path: Path) -> None:
    flags = step_flags(
        make_run(tmp_path), methods=[*METHODS, "ifd"], by={**settings()["selection"]["by"], "ifd": "ifd"}
    )
    tabulate_artifact.main(["--artifact", "table_selection", *flags, *paths(tmp_path, "csv", "md", "tex")])
    rows = {row["method"]: row for row in read_csv(tmp_path / "out.csv")}
    assert rows["IFD"]["exact_match_10_mean"] == ""
    assert "Not measured in this run." in (tmp_path / "out.md").read_text(encoding="utf-8")


def test_table_and_figure_show_every_method(tmp_path: Path) -> None:
    flags = step_flags(make_run(tmp_path))
    tabulate_artifact.main(["--artifact", "table_selection", *flags, *paths(tmp_path, "csv", "md", "tex")])
    rows = {row["method"]: row for row in read_csv(tmp_path / "out.csv")}
    assert list(rows) == ["base model", "random", "LESS", "NUGGETS", "full data"]
    assert float(rows["LESS"]["runs"]) == 0.5
    assert float(rows["NUGGETS"]["exact_match_30_mean"]) == pytest.approx(0.7 + 0.03 + 0.01)
    assert float(rows["random"]["good_10"]) == 0.5
    assert rows["base model"]["gflops"] == ""
    plot_costs.main(["--artifact", "figure_selection", *flags, *paths(tmp_path, "pdf", "png", "csv")])
    drawn = read_csv(tmp_path / "out.csv")
    assert {row["method"] for row in drawn} == {*METHODS, "initial", "full"}
    assert len(drawn) == 2 * 2 * 5
    (point,) = [r for r in drawn if r["method"] == "nuggets" and r["panel"] == "exact_match, 10 % of the pool"]
    assert (float(point["cost"]), float(point["mean"]), int(point["n"])) == (4, pytest.approx(0.72), 3)


def test_without_truth_nothing_is_said_of_right_answers(tmp_path: Path) -> None:
    flags = step_flags(make_run(tmp_path, truth_known=False))
    tabulate_artifact.main(["--artifact", "table_selection", *flags, *paths(tmp_path, "csv", "md", "tex")])
    assert "good_10" not in read_csv(tmp_path / "out.csv")[0]


def test_the_pair_says_what_its_good_rows_are(tmp_path: Path) -> None:
    flags = step_flags(make_run(tmp_path), good="of the goal")
    tabulate_artifact.main(["--artifact", "table_selection", *flags, *paths(tmp_path, "csv", "md", "tex")])
    page = (tmp_path / "out.md").read_text(encoding="utf-8")
    assert "| of the goal, 10 % |" in page
    assert "Of the goal: share of the chosen examples that come from the goal's source." in page
    assert "answer is right" not in page


def test_what_was_not_run_says_why(tmp_path: Path) -> None:
    flags = step_flags([], not_run="no pool here")
    tabulate_artifact.main(["--artifact", "table_selection", *flags, *paths(tmp_path, "csv", "md", "tex")])
    assert "Not run: no pool here." in (tmp_path / "out.md").read_text(encoding="utf-8")
    plot_costs.main(["--artifact", "figure_selection", *flags, *paths(tmp_path, "pdf", "png", "csv")])
    assert read_csv(tmp_path / "out.csv")[0]["note"] == "not run: no pool here"


def test_seconds_add_up_by_method_and_part(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"seconds": 1.5})
    write_json(tmp_path / "b.json", {"seconds": {"less": 2.0, "selectit": 7.0}})
    runs = [str(tmp_path / name) for name in ("a.json", "a.json", "b.json", "a.json")]
    parts = ["nuggets/scoring", "nuggets/scoring", "less/scoring/less", "less/choosing"]
    times = tmp_path / "times.csv"
    collect_times.main(["--runs", *runs, "--parts", *parts, "--times-out", str(times)])
    found = {(row["method"], row["part"]): row["seconds"] for row in read_csv(times)}
    assert found == {("less", "choosing"): "1.5", ("less", "scoring"): "2", ("nuggets", "scoring"): "3"}
    asked = ["--choosing-times", str(times), *step_flags([])]
    tabulate_time.main(["--artifact", "table_time", *asked, *paths(tmp_path, "csv", "md", "tex")])
    rows = {row["method"]: row for row in read_csv(tmp_path / "out.csv")}
    assert rows["NUGGETS"]["scoring"] == "3"
    assert rows["random"]["scoring"] == ""
    with pytest.raises(UserError, match="b.json: no 'seconds' of ifd"):
        collect_times.main(["--runs", runs[2], "--parts", "ifd/scoring/ifd", "--times-out", str(times)])


def test_a_table_of_seconds_needs_those_of_its_half(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--choosing-times: table_time needs it"):
        tabulate_time.main(["--artifact", "table_time", *step_flags([]), *paths(tmp_path, "csv", "md", "tex")])


def test_demonstrations_show_accuracy_and_three_costs(tmp_path: Path) -> None:
    flags = step_flags([*make_run(tmp_path), *make_demonstrations(tmp_path)], both_halves())
    tabulate_artifact.main(["--artifact", "table_demonstrations", *flags, *paths(tmp_path, "csv", "md", "tex")])
    rows = {row["method"]: row for row in read_csv(tmp_path / "out.csv")}
    assert list(rows) == ["zero-shot", "random", "DDG", "BM25", "MEND of random texts", "MEND of DDG's texts"]
    assert float(rows["DDG"]["accuracy_mean"]) == pytest.approx(0.805)
    assert [float(rows["DDG"][part]) for part in ("training", "preparing", "asking")] == [900, 50, 2]
    assert float(rows["MEND of DDG's texts"]["tokens"]) == 8
    assert float(rows["random"]["tokens"]) == 40
    plot_costs.main(["--artifact", "figure_demonstrations", *flags, *paths(tmp_path, "pdf", "png", "csv")])
    costs = {
        (row["panel"].partition(", ")[2], row["method"]): float(row["cost"]) for row in read_csv(tmp_path / "out.csv")
    }
    assert costs["A question, once prepared", "ddg"] == 2
    assert costs["Training, preparing, 50 questions", "ddg"] == 900 + 50 + 50 * 2
    assert len(costs) == 2 * 6


def test_demonstrations_that_were_not_run_say_why(tmp_path: Path) -> None:
    flags = step_flags([])
    tabulate_artifact.main(["--artifact", "table_demonstrations", *flags, *paths(tmp_path, "csv", "md", "tex")])
    assert "Not run: no task here." in (tmp_path / "out.md").read_text(encoding="utf-8")
    plot_costs.main(["--artifact", "figure_demonstrations", *flags, *paths(tmp_path, "pdf", "png", "csv")])
    assert read_csv(tmp_path / "out.csv")[0]["note"] == "not run: no task here"


def test_seconds_of_a_job_are_divided_among_its_sets(tmp_path: Path) -> None:
    write_json(
        tmp_path / "sets.json", {"arms": [{"method": "prompt", "seconds": 8.0}, {"method": "vectors", "seconds": 2.0}]}
    )
    write_json(tmp_path / "retrieved.json", {"seconds": {"bm25": 5.0}})
    runs = [str(tmp_path / name) for name in ("sets.json", "sets.json", "retrieved.json")]
    parts = ["ddg/answering/prompt", "mend_ddg/answering/vectors", "bm25/answering/bm25"]
    times = tmp_path / "times.csv"
    collect_times.main(["--runs", *runs, "--parts", *parts, "--times-out", str(times)])
    asked = ["--answering-times", str(times), *step_flags([], both_halves())]
    tabulate_time.main(["--artifact", "table_time_demonstrations", *asked, *paths(tmp_path, "csv", "md", "tex")])
    rows = {row["method"]: row["answering"] for row in read_csv(tmp_path / "out.csv")}
    assert (rows["DDG"], rows["MEND of DDG's texts"], rows["BM25"]) == (
        "2",
        "0.5",
        "5",
    )  # 2 methods x 2 sets share a job
    with pytest.raises(UserError, match="--parts: 'ddg' is not of the form METHOD/PART"):
        collect_times.main(["--runs", runs[0], "--parts", "ddg", "--times-out", str(times)])
    with pytest.raises(UserError, match="sets.json: no 'seconds' of other"):
        collect_times.main(["--runs", runs[0], "--parts", "ddg/answering/other", "--times-out", str(times)])


def test_the_figure_of_seconds_shows_what_was_run(tmp_path: Path) -> None:
    times = tmp_path / "times.csv"
    seconds = [("random", "choosing", 0.5), ("less", "scoring", 3), ("less", "choosing", 1), ("nuggets", "scoring", 9)]
    seconds += [("ddg", "answering", 8), ("zero_shot", "answering", 1)]
    write_csv(times, [dict(zip(TIME_COLUMNS, row)) for row in seconds], TIME_COLUMNS)
    write_csv(tmp_path / "none.csv", [], TIME_COLUMNS)
    inputs = ["--choosing-times", str(times), "--answering-times", str(tmp_path / "none.csv")]
    flags = step_flags([*make_run(tmp_path), *make_demonstrations(tmp_path)], both_halves())
    plot_times.main(["--artifact", "figure_time", *inputs, *flags, *paths(tmp_path, "pdf", "png", "csv")])
    costs = {row["method"]: row["cost"] for row in read_csv(tmp_path / "out.csv") if row["cost"]}
    assert costs == {"random": "0.5", "less": "4", "nuggets": "9", "ddg": "2", "zero_shot": "1"}
    flags = step_flags([], not_run="no pool here")
    plot_times.main(["--artifact", "figure_time", *inputs, *flags, *paths(tmp_path, "pdf", "png", "csv")])
    assert read_csv(tmp_path / "out.csv")[0]["note"] == "neither half was run in this tier"
