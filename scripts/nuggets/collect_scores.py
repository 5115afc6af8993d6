"""Merge the shards of a scored pool: one table, one raw file, and the pool sorted by golden score.

The shards may come in any order; together they must hold each candidate once. The sorted pool has the form of the
released merged file: highest score first, equal scores in the pool's order.
# DEVIATION: the released merge rounds scores to three decimals and raw sums to two; we keep full precision.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from typing import Any, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_jsonl, write_csv, write_jsonl
from scripts.common.tensors import read_tensors, write_tensors
from scripts.data.schemas import read_examples
from scripts.nuggets.golden import summarise, summarise_skipped
from scripts.nuggets.prompting import describe_fits

logger = logging.getLogger(__name__)

COLUMNS = ("id", "golden_score", "n_improved", "n_anchors", "mean_gain_nats", "rank", "n_evaluated", "fit")
# Shards of one pool may run on different machines: their zero-shot sums may differ in the last bits, in nats per token.
ZERO_SHOT_TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class Shard:
    """One scored part of the pool: candidates start .. stop - 1."""

    source: str
    start: int
    stop: int
    note: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's settings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", required=True, help="the pool that was scored: instruction rows (JSON lines)")
    parser.add_argument("--shards", required=True, nargs="+", help="rows of the shards (JSON lines)")
    parser.add_argument("--raws", required=True, nargs="+", help="raw sums of the same shards (safetensors)")
    parser.add_argument("--scores-out", required=True, help="one row a candidate, in the pool's order (CSV)")
    parser.add_argument("--raw-out", required=True, help="raw sums of the whole pool (safetensors)")
    parser.add_argument("--sorted-out", required=True, help="the pool with scores, highest first (JSON lines)")
    return parser.parse_args(argv)


def read_raw(path: str) -> Shard:
    """Return a shard's raw arrays and where it stands. Raises `UserError` for a damaged or foreign file."""
    arrays, note = read_tensors(path, "zero_shot", "one_shot", "n_tokens", note="shard")
    return Shard(path, note["start"], note["stop"], note, arrays)


def check_shards(shards: Sequence[Shard], n_pool: int) -> list[Shard]:
    """Return the shards in the pool's order after checking that they fit together.

    Raises `UserError` if they overlap, leave a gap, reach past the pool, or come from other anchors or settings.
    """
    ordered = sorted(shards, key=lambda shard: (shard.start, shard.stop))
    expected = 0
    for shard in ordered:
        if shard.start < expected:
            raise UserError(
                f"{shard.source}: candidates {shard.start} to {expected - 1} are in two shards; give each once"
            )
        if shard.start > expected:
            raise UserError(f"{shard.source}: candidates {expected} to {shard.start - 1} are in no shard; score them")
        expected = shard.stop
    if expected != n_pool:
        fault = f"candidates {expected} to {n_pool - 1} are in no shard; score them"
        more = f"the shards hold {expected} candidates, the pool {n_pool}; score this pool again"
        raise UserError(f"{ordered[-1].source}: {fault if expected < n_pool else more}")
    first = ordered[0]
    for shard in ordered[1:]:
        for key in ("anchors", "settings"):
            if shard.note[key] != first.note[key]:
                raise UserError(f"{shard.source}: other {key} than {first.source}; score all shards alike")
        limit = ZERO_SHOT_TOLERANCE * np.maximum(first.arrays["n_tokens"], 1)
        if (np.abs(shard.arrays["zero_shot"] - first.arrays["zero_shot"]) > limit).any():
            raise UserError(
                f"{shard.source}: other zero-shot scores than {first.source}; score all shards with one model"
            )
    return ordered


def merge_rows(shards: Sequence[tuple[str, list[dict[str, Any]]]], pool_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return all rows in the pool's order. Raises `UserError` for an id that is repeated, foreign or missing."""
    by_id: dict[str, dict[str, Any]] = {}
    known = set(pool_ids)
    for source, rows in shards:
        for number, row in enumerate(rows, start=1):
            key = row.get("id")
            if key not in known:
                raise UserError(f"{source}:{number}: id '{key}' is not in the pool; score this pool again")
            if key in by_id:
                raise UserError(f"{source}:{number}: id '{key}' is in two shards; give each shard once")
            by_id[key] = row
    missing = [key for key in pool_ids if key not in by_id]
    if missing:
        raise UserError(f"--shards: {len(missing)} candidates are in no shard (first id '{missing[0]}'); score them")
    return [by_id[key] for key in pool_ids]


def ranks(scores: Sequence[float | None]) -> list[int]:
    """Return each candidate's place, 1 for the highest score; ties in the order given, unscored ones (None) last."""
    order = sorted(range(len(scores)), key=lambda i: -1.0 if scores[i] is None else float(scores[i]), reverse=True)
    result = [0] * len(scores)
    for place, row in enumerate(order, start=1):
        result[row] = place
    return result


def table_row(row: Mapping[str, Any], rank: int) -> dict[str, Any]:
    """Return a candidate's row of the table; what was not scored stays empty."""
    score, gain = row["golden_score"], row["mean_gain_nats"]
    return {
        "id": row["id"],
        "golden_score": "" if score is None else f"{score:.9g}",
        "n_improved": row["n_improved"],
        "n_anchors": row["n_anchors"],
        "mean_gain_nats": "" if gain is None else f"{gain:.9g}",
        "rank": rank,
        "n_evaluated": row["n_evaluated"],
        "fit": row.get("fit", ""),
    }


def _check_agreement(rows: Sequence[Mapping[str, Any]], shards: Sequence[Shard]) -> None:
    """Raise `UserError` unless the rows are what the raw sums say: a damaged row is not taken for a score."""
    for shard in shards:
        zero_shot, n_tokens = shard.arrays["zero_shot"], shard.arrays["n_tokens"]
        for row, one_shot in zip(rows[shard.start : shard.stop], shard.arrays["one_shot"]):
            if np.isnan(one_shot).all():
                told = summarise_skipped(len(zero_shot))
            else:
                told = summarise(zero_shot, one_shot, n_tokens, shard.note["settings"].get("racing"))
            for key, value in told.items():
                if not _agrees(row.get(key), value):
                    raise UserError(
                        f"{shard.source}: candidate '{row['id']}' has {key} {value} by its sums, in --shards"
                        f" {row.get(key)}; delete both files and score the shard again"
                    )


def _agrees(found: Any, told: Any) -> bool:
    """Return whether a row's value is the one told by the sums, up to another machine's last bits."""
    if isinstance(told, float):
        return isinstance(found, (int, float)) and abs(found - told) <= 1e-12
    return found == told


def main(argv: Sequence[str] | None = None) -> None:
    """Merge shards and write table, raw sums and sorted pool."""
    args = parse_args(argv)
    if len(args.shards) != len(args.raws):
        raise UserError(f"--raws: {len(args.raws)} files for {len(args.shards)} shards; give one raw file per shard")
    pool = read_examples(args.pool, "instruction")
    ids = [row["id"] for row in pool]
    shards = check_shards([read_raw(path) for path in args.raws], len(pool))
    rows = merge_rows([(path, read_jsonl(path)) for path in args.shards], ids)
    _check_agreement(rows, shards)
    places = ranks([row["golden_score"] for row in rows])
    raw = {
        "zero_shot": shards[0].arrays["zero_shot"],
        "one_shot": np.concatenate([shard.arrays["one_shot"] for shard in shards]),
        "n_tokens": shards[0].arrays["n_tokens"],
    }
    write_csv(args.scores_out, [table_row(row, rank) for row, rank in zip(rows, places)], COLUMNS)
    write_tensors(args.raw_out, raw, ids=ids)
    by_rank = sorted(range(len(pool)), key=lambda i: places[i])
    write_jsonl(args.sorted_out, ({**pool[i], "score": rows[i]["golden_score"]} for i in by_rank))
    left_out = describe_fits([row.get("fit", "") for row in rows])
    if left_out:
        logger.warning(left_out)
    n_empty = int((raw["n_tokens"] == 0).sum())
    if n_empty:
        n_anchors = len(raw["n_tokens"])
        logger.warning("%d of %d anchors have no answer left and never count as improved", n_empty, n_anchors)
    n_skipped = sum(row["golden_score"] is None for row in rows)
    logger.info("%d candidates from %d shards, %d of them not scored", len(rows), len(shards), n_skipped)


if __name__ == "__main__":
    run_step(main)
