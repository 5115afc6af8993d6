"""The page "How good is the mini world": its figures and its table from metrics and cards."""

from __future__ import annotations

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, write_csv, write_json
from scripts.common.metrics import PUBLISHED_COLUMNS, write_metrics
from scripts.data.synthetic_instructions import FAMILIES, FAULTS
from scripts.mini_world import plot_authors, plot_in_context, tabulate_models
from scripts.mini_world.evaluate_causal import ROUNDS, row


def with_interval(setting, method, metric, value, n=400):
    ends = (("", value), ("_low", value - 0.02), ("_high", value + 0.02))
    return [row("tiny", setting, method, 0, f"{metric}{suffix}", number, n) for suffix, number in ends]


@pytest.fixture
def metrics(tmp_path):
    rows = []
    for setting, rounds in (("trained", range(16)), ("held_out", range(16))):
        for k in rounds:
            rows += with_interval(setting, f"demos_{k}", "in_context_accuracy", 0.1 + k / 20)
        for k in ROUNDS:
            rows += with_interval(f"{setting}_20_classes", f"demos_{k}", "in_context_accuracy", 0.1 + k / 120, 64)
    for setting in ("shuffled", "shuffled_held_out"):
        rows += with_interval(setting, "demos_15", "in_context_accuracy", 0.27)
    rows += [row("tiny", setting, "guessing", 0, "guessing_rate", 0.25, 9) for setting in ("shuffled",)]
    rows += [row("tiny", "trained_20_classes", "guessing", 0, "guessing_rate", 0.05, 9)]
    for method in ("golden", "mean_gain"):
        for setting in ("all", *(f"family_{f}" for f in FAMILIES), *(f"fault_{f}" for f in FAULTS)):
            rows += with_interval(setting, method, "author_auc", 0.9)
    for setting in ("all", *(f"family_{f}" for f in FAMILIES)):
        rows += with_interval(setting, "demos_1", "same_instruction_better", 0.8)
    for fault in FAULTS:
        rows += with_interval(f"fault_{fault}", "after_careful", "right_over_careless_nats", 3.0)
        rows += with_interval(f"fault_{fault}", "after_careless", "right_over_careless_nats", -1.0)
    write_metrics(tmp_path / "metrics.csv", rows)
    return tmp_path / "metrics.csv"


def given(artifact, metrics):
    write_csv(metrics.parent / "published.csv", [], PUBLISHED_COLUMNS)
    published = ["--published", str(metrics.parent / "published.csv")]
    return ["--artifact", artifact, "--measured", str(metrics), *published, "--settings", "{}", "--tier", "mini"]


def draw(step, metrics, folder):
    folder.mkdir()
    outputs = [part for kind in ("pdf", "png", "csv") for part in (f"--{kind}-out", str(folder / f"figure.{kind}"))]
    step.main([*given("figure_any", metrics), *outputs])
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("step", [plot_in_context, plot_authors], ids=["in_context", "authors"])
def test_figures_are_three_files_with_equal_bytes(step, metrics, tmp_path):
    files = draw(step, metrics, tmp_path / "one")
    assert set(files) == {"figure.pdf", "figure.png", "figure.csv"}
    assert draw(step, metrics, tmp_path / "two") == files


def test_figures_come_with_all_they_draw(metrics, tmp_path):
    draw(plot_in_context, metrics, tmp_path / "one")
    rows = read_csv(tmp_path / "one" / "figure.csv")
    few = [r for r in rows if (r["panel"], r["series"]) == ("few_classes", "held_out")]
    assert [(int(r["x"]), float(r["y"])) for r in few] == [(k, pytest.approx(0.1 + k / 20)) for k in range(16)]
    assert len([r for r in rows if r["panel"] == "20_classes" and r["series"] != "guessing"]) == 2 * len(ROUNDS)
    draw(plot_authors, metrics, tmp_path / "two")
    rows = read_csv(tmp_path / "two" / "figure.csv")
    assert {r["x"] for r in rows if r["panel"] == "right_over_careless_nats"} == {f"fault_{f}" for f in FAULTS}
    assert {r["x"] for r in rows if r["panel"] == "author_auc"} >= {"all", "family_copy", "fault_wrong"}
    assert {r["x"] for r in rows if r["panel"] == "same_instruction_better"} == {
        "all",
        *(f"family_{f}" for f in FAMILIES),
    }


def test_a_missing_value_is_named_with_what_measures_it(metrics, tmp_path):
    kept = [line for line in metrics.read_text().splitlines() if "after_careless" not in line]
    metrics.write_text("\n".join(kept) + "\n")
    with pytest.raises(UserError, match=r"--measured: no right_over_careless_nats of fault_empty, after_careless"):
        draw(plot_authors, metrics, tmp_path / "one")


def test_the_table_reads_cards_and_metrics(metrics, tmp_path):
    half = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 96}
    loss = {"value": 1.25, "low": None, "high": None, "n": None}
    cards = {
        "causal": {"trained_15": half, "loss_class": loss, "loss_class_miss": loss, "same_instruction": half},
        "small": {"trained_15": half, "held_out_15": half, "loss_plain": loss},
        "encoder": {"pair_trained": half, "loss": loss},
    }
    for name, measures in cards.items():
        (tmp_path / name).mkdir()
        content = {"parameters": 12345, "bytes": 49_380, "steps": 7, "measures": measures}
        write_json(tmp_path / name / "card.json", content)
    outputs = [part for kind in ("csv", "md", "tex") for part in (f"--{kind}-out", str(tmp_path / f"table.{kind}"))]
    paths = [str(tmp_path / name / "card.json") for name in cards]
    tabulate_models.main([*given("table_models", metrics), "--cards", *paths, *outputs])
    causal, small, encoder = read_csv(tmp_path / "table.csv")
    assert float(causal["trained"]) == pytest.approx(0.85)
    assert causal["losses"] == "class 1.250"
    assert causal["others"] == "same instruction 0.500 (0.400 to 0.600)"
    assert (float(small["held_out"]), small["losses"]) == (0.5, "plain 1.250")
    assert encoder["held_out"] == ""
    assert "no causal language model" in encoder["note"]
    assert (encoder["losses"], encoder["others"]) == ("loss 1.250", "pair trained 0.500 (0.400 to 0.600)")
    (tmp_path / "small" / "card.json").write_text("[]")
    with pytest.raises(UserError, match=r"card\.json: no model card; rebuild them: snakemake"):
        tabulate_models.main([*given("table_models", metrics), "--cards", *paths, *outputs])
