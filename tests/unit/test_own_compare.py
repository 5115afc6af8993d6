"""What a comparison makes of answers: tables by row and training, sentences, one page; and the YAML behind it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

from scripts.common.config_check import config_faults
from scripts.common.errors import UserError
from scripts.common.files import write_text
from scripts.common.step_parser import shipped_config
from scripts.own import comparing
from scripts.own.comparing import Result, per_row, results_of, row_of, table_lines
from scripts.own.models import OwnModel
from scripts.own.pages import Page, figure, render
from scripts.own.settings import (
    Machine,
    Task,
    choosing_settings,
    comparing_settings,
    less_settings,
    targets_of,
)
from scripts.own.statistics import paired_difference
from scripts.own.ways import offered
from scripts.selection.methods import config_names
from tests.workspace import REPO_ROOT, config_sections

ROOT = REPO_ROOT
MODEL = OwnModel("mini_causal", None, "causal", width=128, window=2048)


def task(ways: list[str], n_goal: int = 6, keep: int = 5, model: OwnModel | None = MODEL) -> Task:
    return Task(40, n_goal, ways, keep, [0, 1, 2], model, None, None, Machine(2, False, 4000))


def merged(overlay: dict[str, Any]) -> dict[str, Any]:
    """Return the config of the papers that an overlay names, with it on top, as Snakemake merges it."""
    from snakemake.utils import update_config

    config = shipped_config()
    update_config(config, overlay)
    return config


def faults(overlay: dict[str, Any], tmp_path: Path) -> list[str]:
    """Return what the config check finds wrong with an overlay."""
    split = {"schema": "instruction", "reader": "json", "origin": "local"}
    rows = {name: {**split, "splits": {"train": {"file": "x.jsonl"}}} for name in ("own_pool", "own_goal", "own_test")}
    (tmp_path / "own_datasets.yaml").write_text(yaml.safe_dump(rows), encoding="utf-8")
    overlay = {**overlay, "registries": {"datasets": [str(tmp_path / "own_datasets.yaml")], "models": []}}
    return config_faults(merged(overlay), config_sections(), config_names(), ROOT)


@pytest.mark.parametrize("goal", [0, 6])
def test_the_workflow_takes_the_settings_of_every_way(goal: int, tmp_path: Path) -> None:
    ways = [way for way in offered() if goal or way != "less"]
    assert faults(choosing_settings(task(ways, goal)), tmp_path) == []
    if goal:
        assert faults(comparing_settings(task(ways, goal), 3), tmp_path) == []


def test_scores_that_no_way_asks_for_are_switched_off() -> None:
    asked = {way: choosing_settings(task([way]))["delift"]["baselines"] for way in ("less", "selectit", "k_center")}
    assert asked["less"]["selectit"] is None
    assert asked["selectit"]["less"] is None
    assert (asked["k_center"]["selectit"], asked["k_center"]["less"]) == (None, None)


def test_a_way_is_asked_for_where_its_rules_put_it() -> None:
    found = targets_of(task(["golden_score", "ifd", "utility"]))
    assert found["golden_score"].endswith("nuggets/subsets/own_pool/mini_causal/own/own_golden_score")
    assert found["ifd"].endswith("nuggets/subsets/own_pool/mini_causal/unscored/own_ifd")
    assert found["utility"].endswith("delift/subsets/own/mini_causal/own_utility")


def test_less_grows_with_the_model() -> None:
    assert [less_settings(width)["lora_rank"] for width in (64, 576, 2048, 4096, None)] == [8, 16, 64, 128, 128]
    assert less_settings(4096)["dimension"] == 8192


def test_a_higher_rate_of_learning_where_it_is_asked_for() -> None:
    usual, own = (comparing_settings(task(["random"]), 3, rate)["delift"]["finetune"] for rate in (None, 0.25))
    assert (usual["fft"]["learning_rate"], own["fft"]["learning_rate"]) == (5e-4, 0.25)
    assert (usual["peft"]["learning_rate"], own["peft"]["learning_rate"]) == (1e-4, 0.25)


def test_only_the_baselines_that_are_asked_for_are_computed() -> None:
    for ways, wanted in ((["random"], set()), (["less"], {"less"}), (["selectit"], {"selectit"})):
        baselines = comparing_settings(task(ways, 5), 3)["delift"]["baselines"]
        computed = {name for name in ("selectit", "less") if baselines.get(name, {}) is not None}
        assert computed == wanted


def answers() -> list[dict[str, Any]]:
    """Two trainings of a way and of random, one of the model as it is, three test rows, of which one does not fit."""
    found = []
    for method, seeds, shift in (
        ("initial", [0], -1.0),
        ("own_random", [0, 1], 0.0),
        ("own_ifd", [0, 1], 0.5),
        ("full", [0, 1], 0.2),
    ):
        for seed in seeds:
            for row, n_tokens in (("b", 4), ("a", 2), ("cut", 0)):
                value = (shift - 2 + 0.1 * seed) * n_tokens
                found.append({"method": method, "percent": 12, "seed": seed, "id": row, "loglik_nats": value,
                              "n_tokens": n_tokens, "rouge_1": 0.25})  # fmt: skip
    return found


def test_answers_become_tables_of_trainings_and_rows() -> None:
    loglik, rouge = per_row(answers())
    assert loglik["own_ifd"] == pytest.approx(np.array([[-1.5, -1.5], [-1.4, -1.4]]))
    assert loglik["initial"].shape == (1, 2)
    assert rouge["full"].shape == (2, 2)


def write_run(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write what the workflow leaves: the answers of each job, operations and seconds."""
    files = comparing.Files.of(task(["random", "ifd"]))
    assert len(files.answers) == 4
    for path, method in zip(files.answers, ("full", "initial", "own_ifd", "own_random")):
        own = [json.dumps(row) + "\n" for row in rows if row["method"] == method]
        write_text(folder / path, "".join(own))
    write_text(folder / files.operations, "what,flops\nifd,3e9\nfinetune,6e9\n")
    write_text(folder / files.times, "method,part,seconds\nown_ifd,scoring,2\nown_ifd,choosing,1\n")


@pytest.fixture
def results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[Result]:
    write_run(tmp_path, answers())
    found = results_of(task(["random", "ifd"]), tmp_path, 3)
    assert "1 of 3 test rows do not fit" in capsys.readouterr().err
    return found


def test_each_choice_is_held_against_random(results: list[Result]) -> None:
    by_name = {one.name: one for one in results}
    assert list(by_name) == ["the model as it is", "random", "ifd", "the whole pool"]
    assert by_name["random"].difference is None
    ifd = by_name["ifd"]
    assert ifd.difference is not None
    assert (ifd.difference.mean, ifd.loglik) == pytest.approx((0.5, -1.45))
    assert ifd.said == "ifd beats random by 0.50 nats [0.50, 0.50]"
    assert (ifd.flops, ifd.trainings, ifd.seconds) == (3e9, 0.5, 3)
    assert (by_name["random"].flops, by_name["the whole pool"].flops) == (0, None)


def test_the_table_says_the_same_on_screen_and_on_disk(results: list[Result]) -> None:
    lines = table_lines(results)
    assert lines[3].split() == ["ifd", "-1.450", "+0.500", "[+0.500,", "+0.500]", "0.250", "3", "GFLOP", "=",
                                "0.50", "trainings,", "3", "s"]  # fmt: skip
    row = row_of(results[2])
    assert (row["against_random"], row["choosing_gflops"], row["choosing_in_trainings"]) == ("0.5", "3", "0.5")


def test_the_page_is_whole_and_takes_names_as_texts(results: list[Result]) -> None:
    page = render(Page("5 of 40 rows of <script>alert(1)</script>.json", "facts", results))
    assert "<script" not in page
    assert page.count("<tr>") == 5
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_the_figure_shows_each_difference_with_its_interval(results: list[Result]) -> None:
    drawing = ElementTree.fromstring(figure(results))  # noqa: S314 — our own text
    circles = drawing.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 3
    places = [float(circle.attrib["cx"]) for circle in circles]
    assert places[0] < places[2] < places[1], "the model as it is, the whole pool, ifd"


def test_a_difference_of_nothing_is_drawn_too() -> None:
    zero = paired_difference(np.zeros((2, 3)), np.zeros((2, 3)))
    assert figure([Result("same", 0, 0, zero, "", None, None, None)]).startswith("<svg")


def test_two_test_rows_are_the_least(tmp_path: Path) -> None:
    write_run(tmp_path, [row for row in answers() if row["id"] != "a"])
    with pytest.raises(UserError, match="--test: fewer than 2 rows"):
        results_of(task(["random", "ifd"]), tmp_path, 2)


def test_no_embedder_and_no_judge_is_loaded_that_nobody_asks_for() -> None:
    settings = comparing_settings(task(["random", "k_center"]), 3)
    assert settings["delift"]["embed"]["model"] == "mini_causal"
    assert settings["delift"]["judge"] == {"backend": "reference", "model": "reference"}
    encoder = OwnModel("own_embedder", None, "encoder", width=96, window=128)
    named = choosing_settings(dataclasses.replace(task(["k_center"]), embedder=encoder))["delift"]["embed"]
    assert named == {"model": "own_embedder", "pooling": "first", "max_tokens": 128}


def test_a_narrow_model_takes_one_thread_and_learns_with_all_its_weights() -> None:
    wide = dataclasses.replace(MODEL, width=4096, window=32768)
    narrow = comparing_settings(task(["random"]), 3)
    large = comparing_settings(task(["random"], model=wide), 3)
    assert (narrow["compute"]["threads"], large["compute"]["threads"]) == (1, 2)
    learning = [one["head_to_head"]["selection"]["learning"] for one in (narrow, large)]
    assert learning == ["fft", "peft"]
    assert large["delift"]["finetune"]["peft"]["max_tokens"] == 1024
