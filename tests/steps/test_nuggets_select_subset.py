"""Choosing subsets: thresholds, shares, ties, seeds, and the baselines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_jsonl, write_csv, write_jsonl
from scripts.common.tensors import write_tensors
from scripts.nuggets.select_subset import main

# Of 20 anchors: 17/20 is 0.85, which is not above 0.85; candidate 4 was skipped.
IMPROVED = [10, 17, 18, 10, None, 3, 17, 0, 20, 11]
PERPLEXITY = [5, 2, 9, 2, 7, 1, 8, None, 3, 4]
IFD = [0.5, 0.9, 1.0, 1.2, 0.9, 0.1, 0.95, None, 0.2, 0.3]
LENGTH = [4, 4, 9, 1, 9, 3, 2, 0, 5, 6]
POOL = [{"id": f"c{i}", "instruction": "say", "input": "", "output": f"w{i}"} for i in range(10)]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "pool.jsonl", POOL)
    scores = [
        {
            "id": f"c{i}",
            "golden_score": "" if n is None else f"{n / 20:.9g}",
            "n_improved": n or 0,
            "n_anchors": 20,
            "rank": 1,
        }
        for i, n in enumerate(IMPROVED)
    ]
    write_csv(tmp_path / "scores.csv", scores, list(scores[0]))
    difficulty = [
        {"id": f"c{i}", "perplexity": "" if p is None else p, "ifd": "" if d is None else d, "length": length}
        for i, (p, d, length) in enumerate(zip(PERPLEXITY, IFD, LENGTH))
    ]
    write_csv(tmp_path / "difficulty.csv", difficulty, list(difficulty[0]))
    points = np.array([[0, 0], [9, 0], [0, 7], [1, 0], [5, 5], [0, 1], [8, 1], [1, 6], [4, 4], [2, 2]], np.float32)
    write_tensors(tmp_path / "embeddings.safetensors", {"embeddings": points}, ids=[row["id"] for row in POOL])
    return tmp_path


def select(
    folder: Path,
    method: dict[str, Any],
    *,
    fraction: float = 0.3,
    seeds: tuple[int, ...] = (0, 1),
    without: tuple[str, ...] = (),
) -> dict[int, list[int]]:
    """Run the step and return the chosen rows of each seed."""
    given = {"scores": "scores.csv", "difficulty": "difficulty.csv", "embeddings": "embeddings.safetensors"}
    flags = [text for key, name in given.items() if key not in without for text in (f"--{key}", str(folder / name))]
    main(
        ["--pool", str(folder / "pool.jsonl"), *flags, "--name", "some", "--method", json.dumps(method)]
        + ["--size-fraction", str(fraction), "--seeds", *map(str, seeds), "--subsets-out", str(folder / "subsets")]
    )
    found = {}
    for path in sorted((folder / "subsets").iterdir()):
        rows = read_jsonl(path)
        assert all(row == POOL[int(row["id"][1:])] for row in rows)
        found[int(path.stem[len("seed_") :])] = [int(row["id"][1:]) for row in rows]
    assert sorted(found) == sorted(seeds)
    return found


@pytest.mark.parametrize(
    "method, expected",
    [
        ({"by": "none"}, []),
        ({"by": "all"}, list(range(10))),
        ({"by": "golden_score", "above": 0.5}, [1, 2, 6, 8, 9]),
        ({"by": "golden_score", "at_most": 0.5}, [0, 3, 5, 7]),
        ({"by": "golden_score", "above": 0.85}, [2, 8]),
        ({"by": "golden_score", "above": 0.5, "at_most": 0.85}, [1, 6, 9]),
        ({"by": "golden_score", "above": 1}, []),
        ({"by": "golden_score", "above": 0}, [0, 1, 2, 3, 5, 6, 8, 9]),
        ({"by": "golden_score", "order": "highest"}, [1, 2, 8]),  # 1 and 6 are equal: the first one
        ({"by": "golden_score", "order": "lowest"}, [0, 5, 7]),  # 0 and 3 are equal: the first one
        ({"by": "golden_score", "above": 0.5, "order": "lowest"}, [1, 6, 9]),
        ({"by": "perplexity", "order": "lowest"}, [1, 3, 5]),
        ({"by": "perplexity", "order": "highest"}, [2, 4, 6]),
        ({"by": "ifd", "order": "highest"}, [1, 4, 6]),  # never 1 or more
        ({"by": "ifd", "order": "lowest"}, [5, 8, 9]),
        ({"by": "length", "order": "highest"}, [2, 4, 9]),
        ({"by": "length", "order": "lowest"}, [3, 6, 7]),
    ],
)
def test_methods_without_chance_write_the_same_rows_for_each_seed(
    sources: Path, method: dict[str, Any], expected: list[int]
) -> None:
    assert select(sources, method) == {0: expected, 1: expected}


def test_above_and_at_most_split_the_scored_pool(sources: Path) -> None:
    for n in range(21):
        above = select(sources, {"by": "golden_score", "above": n / 20}, seeds=(0,))[0]
        rest = select(sources, {"by": "golden_score", "at_most": n / 20}, seeds=(0,))[0]
        assert sorted(above + rest) == [0, 1, 2, 3, 5, 6, 7, 8, 9]


def test_random_draws_differ_between_seeds_and_repeat(sources: Path) -> None:
    seeds = tuple(range(6))
    drawn = select(sources, {"by": "random"}, seeds=seeds)
    assert all(len(set(rows)) == 3 and rows == sorted(rows) for rows in drawn.values())
    assert len({tuple(rows) for rows in drawn.values()}) > 3
    assert select(sources, {"by": "random"}, seeds=(3,))[3] == drawn[3]  # whatever other seeds are asked for


def test_k_center_takes_far_points(sources: Path) -> None:
    # Nearest to the mean (3, 2.6) is row 9 at (2, 2); the farthest from it is row 1, then row 2.
    assert select(sources, {"by": "k_center"}) == {0: [1, 2, 9], 1: [1, 2, 9]}


def test_too_few_rows_below_an_ifd_of_1_are_not_filled_up(sources: Path) -> None:
    assert len(select(sources, {"by": "ifd", "order": "highest"}, fraction=1.0)[0]) == 7
    assert len(select(sources, {"by": "ifd"}, fraction=1.0)[0]) == 7  # the highest, unless an order says otherwise


def test_files_of_seeds_no_longer_asked_for_are_removed(sources: Path) -> None:
    select(sources, {"by": "random"}, seeds=(0, 1, 2))
    select(sources, {"by": "random"}, seeds=(1,))
    assert [path.name for path in (sources / "subsets").iterdir()] == ["seed_1.jsonl"]


def test_sources_are_only_needed_where_used(sources: Path) -> None:
    everything = ("scores", "difficulty", "embeddings")
    sizes = {by: len(select(sources, {"by": by}, without=everything)[0]) for by in ("none", "all", "random")}
    assert sizes == {"none": 0, "all": 10, "random": 3}


@pytest.mark.parametrize(
    "method, options, message",
    [
        ({"by": "golden_score", "above": 1.2}, {}, r"method: above: threshold 1.2 is outside \[0, 1\]"),
        ({"by": "golden_score", "at_most": -0.1}, {}, r"method: at_most: threshold -0.1 is outside \[0, 1\]"),
        ({"by": "golden_score"}, {}, "needs above, at_most or order"),
        ({"by": "golden"}, {}, r"unknown value 'golden' \(did you mean 'golden_score'\?\)"),
        ({"by": "golden_score", "over": 0.5}, {}, "--method: unknown key 'over'"),
        (
            {"by": "golden_score", "above": 0.5, "eta": 2},
            {},
            "has no eta; leave it out, it reads above, at_most, order",
        ),
        ({"by": "utility"}, {}, "by utility needs utilities, which this command does not take"),
        ({"by": "length"}, {}, "by length needs an order"),
        ({"by": "length", "order": "top"}, {}, "method: order: unknown value 'top'"),
        ({"by": "random", "order": "highest"}, {}, "by random has no order"),
        ({"by": "random", "above": 0.5}, {}, "by random has no above; leave it out, it reads no options"),
        ({"by": "random"}, {"fraction": 0.0}, r"--size-fraction 0: outside \(0, 1\]"),
        ({"by": "golden_score", "above": 0.5}, {"without": ("scores",)}, "by golden_score needs --scores"),
        ({"by": "ifd", "order": "lowest"}, {"without": ("difficulty",)}, "by ifd needs --difficulty"),
        ({"by": "k_center"}, {"without": ("embeddings",)}, "by k_center needs --embeddings"),
    ],
)
def test_bad_settings_give_one_clear_line(
    sources: Path, method: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        select(sources, method, **options)
    assert "\n" not in str(caught.value)
    assert not (sources / "subsets").exists()


@pytest.mark.parametrize(
    "method", [{"by": "golden_score", "above": 0.5}, {"by": "length", "order": "lowest"}, {"by": "k_center"}]
)
def test_scores_of_another_pool_are_refused(sources: Path, method: dict[str, Any]) -> None:
    write_jsonl(sources / "pool.jsonl", POOL[1:])
    with pytest.raises(UserError, match="its ids are not those of"):
        select(sources, method)
