"""Choosing anchors: K-means, random, given; errors for empty pools and too many anchors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_jsonl, write_jsonl
from scripts.common.tensors import write_tensors
from scripts.nuggets.select_anchors import main
from tests.unit.nuggets_tiny import instruction_rows

POOL = instruction_rows(12, seed=5)
IDS = [row["id"] for row in POOL]
GROUPS = np.repeat(np.arange(4), 3)  # four tight groups of three rows
EMBEDDINGS = (100 * np.stack([GROUPS, -GROUPS], axis=1) + np.random.default_rng(0).normal(size=(12, 2))).astype(
    np.float32
)


def select(
    folder: Path, anchor_set: dict[str, Any], *, seed: int = 0, embeddings: bool = True, pool: Any = POOL
) -> list[str]:
    """Run the step and return the ids it chose."""
    write_jsonl(folder / "pool.jsonl", pool)
    write_tensors(folder / "embeddings.safetensors", {"embeddings": EMBEDDINGS}, ids=IDS)
    out = folder / "anchors.jsonl"
    given = ["--embeddings", str(folder / "embeddings.safetensors")] if embeddings else []
    main(
        ["--pool", str(folder / "pool.jsonl"), *given, "--anchor-set", json.dumps(anchor_set)]
        + ["--seed", str(seed), "--threads", "1", "--anchors-out", str(out)]
    )
    rows = read_jsonl(out)
    assert all(row == POOL[IDS.index(row["id"])] for row in rows)
    return [row["id"] for row in rows]


def test_kmeans_takes_one_row_of_each_group_whatever_the_seed(tmp_path: Path) -> None:
    chosen = select(tmp_path, {"by": "kmeans", "n": 4})
    assert [GROUPS[IDS.index(key)] for key in chosen] == [0, 1, 2, 3]
    assert select(tmp_path, {"by": "kmeans", "n": 4}, seed=9) == chosen


def test_kmeans_can_take_every_row(tmp_path: Path) -> None:
    assert select(tmp_path, {"by": "kmeans", "n": 12}) == IDS


def test_random_draws_follow_the_seed(tmp_path: Path) -> None:
    draws = [select(tmp_path, {"by": "random", "n": 5}, seed=seed, embeddings=False) for seed in (0, 0, 1, 2)]
    assert draws[0] == draws[1]
    assert len({tuple(draw) for draw in draws}) == 3
    assert all(len(set(draw)) == 5 and draw == sorted(draw, key=IDS.index) for draw in draws)


@pytest.mark.parametrize("n, expected", [(None, 12), (3, 3)])
def test_given_takes_the_rows_as_they_stand(tmp_path: Path, n: int | None, expected: int) -> None:
    assert select(tmp_path, {"by": "given", "n": n}, embeddings=False) == IDS[:expected]


@pytest.mark.parametrize(
    "anchor_set, options, message",
    [
        ({"by": "random", "n": 13}, {}, "n is 13, but the anchor pool has 12 rows"),
        ({"by": "kmeans", "n": 13}, {}, "n is 13, but the anchor pool has 12 rows"),
        ({"by": "given", "n": 13}, {}, "n is 13, but the anchor pool has 12 rows"),
        ({"by": "random", "n": 0}, {}, "n is 0; give a whole number"),
        ({"by": "random"}, {}, "by random needs a number"),
        ({"by": "kmean", "n": 3}, {}, r"unknown value 'kmean' \(did you mean 'kmeans'\?\)"),
        ({"by": "random", "m": 3}, {}, "--anchor-set: unknown key 'm'"),
        ({"by": "kmeans", "n": 3}, {"embeddings": False}, "needs the pool's embeddings; give --embeddings"),
        ({"by": "given", "n": None}, {"pool": []}, "pool.jsonl: holds no examples"),
        ({"by": "kmeans", "n": 3}, {"pool": POOL[1:]}, "its ids are not those of"),
    ],
)
def test_bad_input_gives_one_clear_line(
    tmp_path: Path, anchor_set: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        select(tmp_path, anchor_set, **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "anchors.jsonl").exists()
