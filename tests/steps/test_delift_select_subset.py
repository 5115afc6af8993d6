"""Choosing subsets: every method, budgets, seeds, statistics against the truth, one clear line for each bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_json, read_jsonl, write_csv, write_jsonl
from scripts.common.metrics import read_metrics
from scripts.common.tensors import write_tensors
from scripts.delift import measure_objectives, select_subset
from scripts.selection.facility_location import facility_location, maximise, new_kernel

N, N_TARGETS = 20, 12
POOL = [{"id": f"p{i}", "instruction": f"do {i}", "input": "", "output": str(i)} for i in range(N)]
TRUTH = [
    {"id": f"p{i}", "good": i % 4 != 0, "family": f"f{i % 3}", "fault": "" if i % 4 else "wrong",
     "duplicate_of": f"p{i - 10}" if i >= 15 else ""}
    for i in range(N)
]  # fmt: skip
GOAL = [{"id": f"g{i}", "instruction": f"ask {i}", "input": "", "output": f"about {i}"} for i in (4, 13)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    write_jsonl(folder / "pool.jsonl", POOL)
    write_jsonl(folder / "truth.jsonl", TRUTH)
    for name, n in (("kernel", N), ("reference", 3)):
        kernel = new_kernel(str(folder / f"{name}.npy"), N_TARGETS, n)
        kernel[:] = rng.random((N_TARGETS, n))
        kernel.flush()
    vectors = rng.normal(size=(N, 4)).astype(np.float32)
    write_tensors(folder / "embeddings.safetensors", {"embeddings": vectors}, ids=[row["id"] for row in POOL])
    write_jsonl(folder / "goal.jsonl", GOAL)
    write_tensors(folder / "goal.safetensors", {"embeddings": vectors[[4, 13]] * 3}, ids=[row["id"] for row in GOAL])
    scores = [
        {
            "id": row["id"],
            "selectit": f"{i / 10:.1f}",
            "less": f"{-i / 10:.1f}",
            "ifd": "" if i == 7 else f"{i / 10:.1f}",
        }
        for i, row in enumerate(POOL)
    ]
    write_csv(folder / "scores.csv", scores, ("id", "selectit", "less", "ifd"))
    return folder


SOURCES = {
    "kernel": "kernel.npy",
    "reference-kernel": "reference.npy",
    "embeddings": "embeddings.safetensors",
    "goal": "goal.jsonl",
    "goal-embeddings": "goal.safetensors",
    "scores": "scores.csv",
    "truth": "truth.jsonl",
}
NAMED = ["--pair", "pair", "--model-name", "tiny", "--name", "tried"]
FILES = {**SOURCES, "reference-truth": "reference_truth.jsonl"}


def select(
    files: Path,
    out: Path,
    method: dict[str, Any],
    *,
    stage: int = 1,
    fractions: tuple[float, ...] = (0.3,),
    seeds: tuple[int, ...] = (0,),
    sources: tuple[str, ...] = tuple(SOURCES),
) -> list[dict[str, Any]]:
    """Run the step; return what selection.json says of each subset."""
    flags = [part for name in sources for part in (f"--{name}", str(files / FILES[name]))]
    select_subset.main(
        ["--pool", str(files / "pool.jsonl"), "--stage", str(stage), *flags, *NAMED]
        + ["--method", json.dumps(method), "--fractions", *map(str, fractions), "--seeds", *map(str, seeds)]
        + ["--threads", "1", "--subsets-out", str(out / "subsets"), "--run-out", str(out / "run.json")]
        + ["--paper", "delift", "--measured-out", str(out / "measured.csv")]
    )
    return read_json(out / "subsets" / "selection.json")["subsets"]


def objectives(files: Path, out: Path, method: dict[str, Any], *, reference: bool = True) -> list[dict[str, float]]:
    """Return {objective: value} of each subset that `select` wrote last."""
    flags = ["--kernel", str(files / "kernel.npy")]
    flags += ["--reference-kernel", str(files / "reference.npy")] if reference else []
    measure_objectives.main(
        ["--pool", str(files / "pool.jsonl"), "--subsets", str(out / "subsets"), *flags, *NAMED]
        + ["--method", json.dumps(method), "--measured-out", str(out / "objectives.csv")]
    )
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in read_metrics(out / "objectives.csv"):
        key = (row["setting"], row["seed"])
        found.setdefault(key, {})[row["metric"].removeprefix("objective_")] = float(row["value"])
    subsets = read_json(out / "subsets" / "selection.json")["subsets"]
    return [found[f"pair/{subset['percent']}", str(subset["seed"])] for subset in subsets]


def chosen(files: Path, out: Path, method: dict[str, Any], **options: Any) -> list[str]:
    return select(files, out, method, **options)[0]["ids"]


@pytest.mark.parametrize(
    "by",
    [
        *("random", "utility", "embedding", "mean_utility", "selectit", "less", "ifd", "deft_ucs", "herding"),
        *("k_center", "goal_bm25", "goal_neighbours"),
    ],
)
def test_every_method_chooses_the_budget_and_writes_its_rows(by, files, tmp_path):
    (subset,) = select(files, tmp_path, {"by": by})
    assert (subset["n"], subset["percent"]) == (6, "percent_30")
    assert len(set(subset["ids"])) == 6
    rows = read_jsonl(tmp_path / "subsets" / "percent_30" / "seed_0.jsonl")
    assert rows == [POOL[int(name[1:])] for name in subset["ids"]]
    measured = {row["metric"]: row["value"] for row in read_metrics(tmp_path / "measured.csv")}
    assert measured["n_examples"] == "6"
    assert set(measured) == {"n_examples", "share_good", "share_repeated", "share_of_f0", "share_of_f1", "share_of_f2"}
    assert sum(subset["families"].values()) == pytest.approx(1.0)
    assert read_json(tmp_path / "run.json")["seconds"] >= 0


@pytest.mark.parametrize("by", ["goal_bm25", "goal_neighbours"])
def test_the_rows_of_the_goal_choose_in_turns(by, files, tmp_path):
    """Each has a twin in the pool, by its words and by its vector: those come first, and a larger choice begins so."""
    six = chosen(files, tmp_path, {"by": by})
    assert six[:2] == ["p4", "p13"]
    assert chosen(files, tmp_path, {"by": by}, fractions=(0.1, 0.3)) == six[:2]


@pytest.mark.parametrize(("by", "flag"), [("goal_bm25", "goal"), ("goal_neighbours", "goal-embeddings")])
def test_without_a_goal_there_is_nothing_to_choose_for(by, flag, files, tmp_path):
    with pytest.raises(UserError, match=f"method: by {by} needs --{flag}; give it"):
        chosen(files, tmp_path, {"by": by}, sources=tuple(name for name in SOURCES if name != flag))


def test_none_all_and_only_good(files, tmp_path):
    (nothing,) = select(files, tmp_path, {"by": "none"})
    assert (nothing["n"], nothing["share_good"]) == (0, None)
    assert objectives(files, tmp_path, {"by": "none"})[0]["facility_location"] == 0.0
    assert (tmp_path / "subsets" / "percent_30" / "seed_0.jsonl").read_text() == ""
    (everything,) = select(files, tmp_path, {"by": "all"})
    assert everything["ids"] == [row["id"] for row in POOL]
    assert everything["share_good"] == 0.75
    (good,) = select(files, tmp_path, {"by": "only_good"})
    assert good["share_good"] == 1.0


def test_stages_have_their_own_objective(files, tmp_path):
    kernel = np.load(files / "kernel.npy")
    found = []
    for stage, name in enumerate(("facility_location", "mutual_information", "conditional_gain"), start=1):
        found += select(files, tmp_path, {"by": "utility"}, stage=stage)
        (values,) = objectives(files, tmp_path, {"by": "utility"})
        assert set(values) == {"facility_location", "mutual_information", "conditional_gain"}
        assert sum(found[-1]["gains"]) == pytest.approx(values[name], abs=1e-6)
    assert set(objectives(files, tmp_path, {"by": "utility"}, reference=False)[0]) == {"facility_location"}
    assert found[0]["ids"] == [f"p{row}" for row in maximise(facility_location(kernel), 6).order]
    fixed = select(files, tmp_path, {"by": "utility", "objective": "facility_location"}, stage=3)[0]
    assert fixed["ids"] == found[0]["ids"]


def test_greedy_beats_the_other_methods_at_its_own_objective(files, tmp_path):
    values = {}
    for by in ("utility", "random", "mean_utility", "k_center"):
        select(files, tmp_path, {"by": by})
        values[by] = objectives(files, tmp_path, {"by": by})[0]["facility_location"]
    assert max(values, key=values.get) == "utility"


def test_budgets_are_nested_and_100_percent_is_everything(files, tmp_path):
    small, large, whole = select(files, tmp_path, {"by": "utility"}, fractions=(0.1, 0.5, 1.0))
    assert large["ids"][:2] == small["ids"]
    assert large["gains"][:2] == small["gains"]
    assert sorted(whole["ids"]) == sorted(row["id"] for row in POOL)
    worth = objectives(files, tmp_path, {"by": "utility"})[2]["facility_location"]
    assert worth == pytest.approx(np.load(files / "kernel.npy").max(axis=1).sum(), abs=1e-4)


def test_seeds_change_random_subsets_only(files, tmp_path):
    first, second = select(files, tmp_path, {"by": "random"}, seeds=(0, 1))
    assert first["ids"] != second["ids"]
    first, second = select(files, tmp_path, {"by": "utility"}, seeds=(0, 1))
    assert first["ids"] == second["ids"]
    first, second = select(files, tmp_path, {"by": "utility", "optimiser": "stochastic", "epsilon": 0.5}, seeds=(0, 1))
    assert first["ids"] != second["ids"]


def test_scores_are_taken_from_the_highest(files, tmp_path):
    assert chosen(files, tmp_path, {"by": "selectit"}) == ["p19", "p18", "p17", "p16", "p15", "p14"]
    assert chosen(files, tmp_path, {"by": "less"}) == ["p0", "p1", "p2", "p3", "p4", "p5"]
    # An IFD of 1 or more is left out, and so is a row without one.
    assert chosen(files, tmp_path, {"by": "ifd"}) == ["p9", "p8", "p6", "p5", "p4", "p3"]


def test_statistics_against_the_truth(files, tmp_path):
    (subset,) = select(files, tmp_path, {"by": "selectit"}, fractions=(0.8,))
    rows = [int(name[1:]) for name in subset["ids"]]  # 19 .. 4
    assert rows == list(range(19, 3, -1))
    assert subset["share_good"] == round(sum(row % 4 != 0 for row in rows) / 16, 9)
    assert subset["share_repeated"] == round(5 / 16, 9)  # 15 .. 19 repeat 5 .. 9, which come later
    assert subset["families"]["f0"] == round(sum(row % 3 == 0 for row in rows) / 16, 9)
    assert subset["share_reference"] is None  # nothing is known of the reference set
    write_jsonl(files / "reference_truth.jsonl", [row for row in TRUTH if row["family"] != "f1"])
    (subset,) = select(files, tmp_path, {"by": "selectit"}, fractions=(0.8,), sources=(*SOURCES, "reference-truth"))
    assert subset["share_reference"] == round(sum(row % 3 != 1 for row in rows) / 16, 9)
    (unknown,) = select(files, tmp_path, {"by": "selectit"}, sources=("scores",))
    assert (unknown["share_good"], unknown["families"]) == (None, {})
    told = {row["metric"]: row["reason"] for row in read_metrics(tmp_path / "measured.csv") if row["reason"]}
    assert set(told) == {"share_good", "share_repeated", "share_reference"}
    assert all("only a synthetic pool has a truth file" in reason for reason in told.values())


def test_the_same_bytes_twice(files, tmp_path):
    contents = []
    for _ in range(2):
        select(files, tmp_path, {"by": "deft_ucs"}, fractions=(0.3, 0.5), seeds=(0, 1))
        contents.append({path.name: path.read_bytes() for path in sorted((tmp_path / "subsets").rglob("*.json*"))})
    assert contents[0] == contents[1]


def test_older_subsets_are_removed(files, tmp_path):
    select(files, tmp_path, {"by": "random"}, seeds=(0, 1))
    select(files, tmp_path, {"by": "random"}, fractions=(0.025,))
    assert [path.name for path in (tmp_path / "subsets").iterdir() if path.is_dir()] == ["percent_2_5"]


@pytest.mark.parametrize(
    "method, options, message",
    [
        ({"by": "utilty"}, {}, "did you mean 'utility'"),
        ({"by": "utility", "objective": "facility"}, {}, "method: objective"),
        ({"by": "random", "objective": "facility_location"}, {}, "has no objective"),
        ({"by": "utility", "saturated": "stop"}, {}, "method: saturated"),
        ({"by": "utility"}, {"sources": ()}, "by utility needs --kernel"),
        ({"by": "utility"}, {"sources": ("kernel",), "stage": 2}, "needs --reference-kernel"),
        ({"by": "less"}, {"sources": ()}, "by less needs --scores"),
        ({"by": "k_center"}, {"sources": ()}, "by k_center needs --embeddings"),
        ({"by": "only_good"}, {"sources": ()}, "by only_good needs --truth"),
        ({"by": "random"}, {"fractions": (0.0,)}, "a size of 0 or above the pool chooses nothing"),
        ({"by": "random"}, {"fractions": (1.5,)}, "a size of 0 or above the pool chooses nothing"),
    ],
)
def test_bad_requests(method, options, message, files, tmp_path):
    with pytest.raises(UserError, match=message):
        select(files, tmp_path, method, **options)


def test_files_of_another_pool(files, tmp_path):
    for path in files.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "pool.jsonl").unlink()
    write_jsonl(tmp_path / "pool.jsonl", [*POOL[:-1], {**POOL[-1], "id": "other"}])
    with pytest.raises(UserError, match="row 'other' of .* is missing"):
        select(tmp_path, tmp_path, {"by": "random"})
    for by, source in (("selectit", "scores"), ("herding", "embeddings")):
        with pytest.raises(UserError, match="its ids are not those of"):
            select(tmp_path, tmp_path, {"by": by}, sources=(source,))
    (tmp_path / "pool.jsonl").unlink()
    write_jsonl(tmp_path / "pool.jsonl", POOL[:-1])
    with pytest.raises(UserError, match="20 candidates where 19 are expected"):
        select(tmp_path, tmp_path, {"by": "utility"}, sources=("kernel",))


def test_objectives_of_another_pool(files, tmp_path):
    select(files, tmp_path, {"by": "random"})
    for path in files.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "pool.jsonl").unlink()
    write_jsonl(tmp_path / "pool.jsonl", [{**row, "id": f"other {row['id']}"} for row in POOL])
    with pytest.raises(UserError, match="is not in --pool; choose from that pool again"):
        objectives(tmp_path, tmp_path, {"by": "random"})


def test_a_baseline_that_was_not_scored(files, tmp_path):
    for path in files.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "scores.csv").unlink()
    write_csv(tmp_path / "scores.csv", [{"id": row["id"], "less": ""} for row in POOL], ("id", "less"))
    with pytest.raises(UserError, match="column 'less' has no value"):
        select(tmp_path, tmp_path, {"by": "less"})
