"""Merging shards: any order, complete and disjoint, ranks with ties, the released file's sorting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, read_jsonl, write_jsonl
from scripts.common.tensors import read_tensors, write_tensors
from scripts.nuggets.collect_scores import main, ranks
from scripts.nuggets.golden import summarise, summarise_skipped

K = 4
N_TOKENS = np.array([1, 2, 3, 0], np.int32)
ZERO = np.array([-1, -2, -3, 0], np.float32)
IMPROVED = [1, 3, 0, 3, None, 2]  # of 4 anchors, by candidate; None was skipped


def pool(n: int = len(IMPROVED)) -> list[dict[str, str]]:
    return [{"id": f"c{i}", "instruction": "say", "input": "", "output": f"w{i}"} for i in range(n)]


def sums(n_improved: int | None) -> np.ndarray:
    if n_improved is None:
        return np.full(K, np.nan, np.float32)
    return ZERO + np.array([0.5 if j < n_improved else -0.5 for j in range(3)] + [0], np.float32)


def write_shard(folder: Path, start: int, stop: int, **note: Any) -> tuple[Path, Path]:
    """Write candidates start .. stop - 1 as the scoring step does."""
    one = np.stack([sums(IMPROVED[i]) for i in range(start, stop)])
    rows = [
        {
            "id": f"c{start + i}",
            **(summarise(ZERO, row, N_TOKENS, None) if np.isfinite(row).all() else summarise_skipped(K)),
        }
        for i, row in enumerate(one)
    ]
    scores, raw = folder / f"shard_{start}.jsonl", folder / f"shard_{start}.raw.safetensors"
    write_jsonl(scores, rows)
    shard = {"start": start, "stop": stop, "anchors": ["a", "b", "c", "d"], "settings": {"kv_iter": 1}, **note}
    write_tensors(raw, {"zero_shot": ZERO, "one_shot": one, "n_tokens": N_TOKENS}, shard=shard)
    return scores, raw


def collect(folder: Path, shards: list[tuple[Path, Path]], rows: list[dict[str, str]] | None = None) -> dict[str, Path]:
    write_jsonl(folder / "pool.jsonl", pool() if rows is None else rows)
    out = {"scores": folder / "scores.csv", "raw": folder / "raw.safetensors", "sorted": folder / "sorted_pool.jsonl"}
    main(
        ["--pool", str(folder / "pool.jsonl")]
        + ["--shards", *(str(scores) for scores, _ in shards), "--raws", *(str(raw) for _, raw in shards)]
        + [text for name, path in out.items() for text in (f"--{name}-out", str(path))]
    )
    return out


def test_table_has_the_pools_order_and_unique_ranks(tmp_path: Path) -> None:
    shards = [write_shard(tmp_path, start, start + 2) for start in (0, 2, 4)]
    rows = read_csv(collect(tmp_path, shards)["scores"])
    assert [row["id"] for row in rows] == [f"c{i}" for i in range(6)]
    assert [row["golden_score"] for row in rows] == ["0.25", "0.75", "0", "0.75", "", "0.5"]
    assert [row["rank"] for row in rows] == ["4", "1", "5", "2", "6", "3"]
    assert [row["n_improved"] for row in rows] == ["1", "3", "0", "3", "0", "2"]
    # Candidate 0: +0.5 on an answer of 1 token, -0.5 on answers of 2 and 3; the empty answer is left out.
    assert float(rows[0]["mean_gain_nats"]) == pytest.approx((0.5 - 0.25 - 0.5 / 3) / 3)
    assert rows[4]["mean_gain_nats"] == ""


def test_sorted_pool_is_the_released_form(tmp_path: Path) -> None:
    rows = read_jsonl(collect(tmp_path, [write_shard(tmp_path, 0, 6)])["sorted"])
    assert [row["id"] for row in rows] == ["c1", "c3", "c5", "c0", "c2", "c4"]
    assert [row["score"] for row in rows] == [0.75, 0.75, 0.5, 0.25, 0.0, None]
    assert rows[0]["output"] == "w1"


def test_order_and_number_of_shards_change_nothing(tmp_path: Path) -> None:
    whole = collect(tmp_path, [write_shard(tmp_path, 0, 6)])
    expected = {name: path.read_bytes() for name, path in whole.items()}
    parts = [write_shard(tmp_path, start, start + 3) for start in (3, 0)]
    assert {name: path.read_bytes() for name, path in collect(tmp_path, parts).items()} == expected
    # The two lists need not have the same order either.
    mixed = [(parts[0][0], parts[1][1]), (parts[1][0], parts[0][1])]
    assert {name: path.read_bytes() for name, path in collect(tmp_path, mixed).items()} == expected


def test_merged_sums_stand_in_the_pools_order(tmp_path: Path) -> None:
    out = collect(tmp_path, [write_shard(tmp_path, start, start + 3) for start in (3, 0)])
    arrays, ids = read_tensors(out["raw"], "one_shot", "n_tokens", note="ids")
    np.testing.assert_array_equal(arrays["n_tokens"], N_TOKENS)
    assert ids == [f"c{i}" for i in range(6)]
    np.testing.assert_array_equal(arrays["one_shot"], np.stack([sums(n) for n in IMPROVED]))


def test_ties_keep_the_order_given() -> None:
    assert ranks([0.5, 0.75, 0.5, None, 0.75]) == [3, 1, 4, 5, 2]


@pytest.mark.parametrize(
    "parts, message",
    [
        ([(0, 2), (4, 6)], r"shard_4.raw.safetensors: candidates 2 to 3 are in no shard"),
        ([(0, 4)], r"shard_0.raw.safetensors: candidates 4 to 5 are in no shard"),
        ([(2, 6)], r"candidates 0 to 1 are in no shard"),
        ([(0, 4), (3, 6)], r"shard_3.raw.safetensors: candidates 3 to 3 are in two shards"),
    ],
)
def test_gaps_and_overlaps_are_refused(tmp_path: Path, parts: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        collect(tmp_path, [write_shard(tmp_path, *part) for part in parts])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "scores.csv").exists()


def test_a_smaller_pool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the shards hold 6 candidates, the pool 5"):
        collect(tmp_path, [write_shard(tmp_path, 0, 6)], pool(5))


def test_another_pool_is_refused(tmp_path: Path) -> None:
    other = [{**row, "id": row["id"].replace("c", "x")} for row in pool()]
    with pytest.raises(UserError, match=r"shard_0.jsonl:1: id 'c0' is not in the pool"):
        collect(tmp_path, [write_shard(tmp_path, 0, 6)], other)


@pytest.mark.parametrize("note", [{"anchors": ["a", "b", "c", "x"]}, {"settings": {"kv_iter": 2}}])
def test_shards_scored_otherwise_are_refused(tmp_path: Path, note: dict[str, Any]) -> None:
    shards = [write_shard(tmp_path, 0, 3), write_shard(tmp_path, 3, 6, **note)]
    with pytest.raises(UserError, match=f"shard_3.raw.safetensors: other {next(iter(note))} than"):
        collect(tmp_path, shards)


@pytest.mark.parametrize(
    "key, value", [("n_improved", 1), ("golden_score", 0.5), ("golden_score", "0"), ("mean_gain_nats", -0.3751)]
)
def test_rows_that_do_not_fit_their_sums_are_refused(tmp_path: Path, key: str, value: Any) -> None:
    scores, raw = write_shard(tmp_path, 0, 6)
    rows = read_jsonl(scores)
    rows[2][key] = value
    write_jsonl(scores, rows)
    with pytest.raises(UserError, match=f"candidate 'c2' has {key} .* by its sums, in --shards {value}; delete both"):
        collect(tmp_path, [(scores, raw)])


def test_no_digit_of_a_shard_can_change_unnoticed(tmp_path: Path) -> None:
    shard = write_shard(tmp_path, 0, 6)
    whole = shard[0].read_text(encoding="utf-8")
    expected = {name: path.read_bytes() for name, path in collect(tmp_path, [shard]).items()}
    noticed = 0
    for place, letter in enumerate(whole):
        if letter.isdigit():
            shard[0].write_text(f"{whole[:place]}{(int(letter) + 1) % 10}{whole[place + 1 :]}", encoding="utf-8")
            try:
                got = collect(tmp_path, [shard])
            except UserError:
                noticed += 1
            else:  # a digit below the last bits of another machine
                assert {name: path.read_bytes() for name, path in got.items()} == expected
    assert noticed > 40


def test_a_damaged_raw_file_is_named(tmp_path: Path) -> None:
    scores, raw = write_shard(tmp_path, 0, 6)
    raw.write_bytes(raw.read_bytes()[:40])
    with pytest.raises(UserError, match=r"shard_0.raw.safetensors: damaged safetensors file"):
        collect(tmp_path, [(scores, raw)])
