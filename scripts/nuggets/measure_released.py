"""Measure how our scores of a pool agree with released ones: the published label, the published scores, the length.

Length is the rival: long answers score high by the golden score, so each value also stands at equal length.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_csv
from scripts.common.metrics import metric_row, reason_row, write_metrics
from scripts.common.seeding import generator
from scripts.common.settings import parse_settings
from scripts.data.schemas import read_examples
from scripts.nuggets.benchmarks import experiment
from scripts.nuggets.golden_files import RACED, Replay, effect_row, numbers, read_replay, read_scores, read_truth
from scripts.nuggets.released_agreement import Interval, agreement, length_bins
from scripts.nuggets.selection_quality import auc, oriented, spearman

NOT_LISTED = "nobody released which rows of this pool are good or bad (nuggets.truth_form)"
DIFFICULTY = ("perplexity", "ifd", "length")


@dataclasses.dataclass(frozen=True)
class ReleasedSettings:
    """model: name of the scoring model; anchors: the anchor set; seed: of the data; orders: of each difficulty score,
    whether its highest or its lowest values are the good ones; resamples: of the pool's rows, for the intervals;
    sizes, draws: numbers of anchors drawn from the set, and how often each.
    """

    model: str
    anchors: str
    seed: int
    orders: Mapping[str, str]
    resamples: int
    sizes: Sequence[int]
    draws: int


@dataclasses.dataclass(frozen=True)
class Pool:
    """The scored rows: oriented scores by name, the label, the answers' length, released scores (NaN where none)."""

    scores: Mapping[str, np.ndarray]
    good: np.ndarray
    length: np.ndarray
    released: np.ndarray


def interval_rows(name: str, settings: ReleasedSettings, pool: Pool) -> list[dict[str, Any]]:
    """Return every value with the ends of its interval in the long schema. name: the experiment."""
    draw = generator(settings.seed, "released", settings.resamples)
    n = len(pool.good)
    draws = [draw.integers(0, n, n) for _ in range(settings.resamples)]
    rows = []
    found = agreement(pool.scores, pool.good, pool.length, pool.released, draws)
    counts = {"released_score": int((~np.isnan(pool.released)).sum())}
    for (setting, method, metric), interval in found.items():
        about = ("nuggets", name, setting, settings.model, method, settings.seed)
        rows += _of_interval(about, metric, interval, counts.get(setting, n))
    return rows


def _of_interval(about: tuple[Any, ...], metric: str, interval: Interval, n: int) -> list[dict[str, Any]]:
    parts = {metric: interval.value, f"{metric}_low": interval.low, f"{metric}_high": interval.high}
    return [metric_row(*about, key, value, n) for key, value in parts.items() if value is not None]


def bin_rows(name: str, settings: ReleasedSettings, pool: Pool) -> list[dict[str, Any]]:
    """Return the AUC within each fifth of equal length, where it has good and bad rows."""
    bins, rows = length_bins(pool.length), []
    for method, score in pool.scores.items():
        for part in np.unique(bins):
            here = bins == part
            if method != "length" and len(set(pool.good[here])) == 2:
                about = ("nuggets", name, f"length_fifth_{part + 1}", settings.model, method, settings.seed)
                rows.append(metric_row(*about, "auc", auc(score[here], pool.good[here])[0], int(here.sum())))
    return rows


def size_rows(name: str, settings: ReleasedSettings, pool: Pool, improved: np.ndarray) -> list[dict[str, Any]]:
    """Return AUC and rank correlation by number of anchors; the seed of a row is the number of its draw.

    improved: (n, K) bool of the rows of `pool`.
    """
    rows, known = [], ~np.isnan(pool.released)
    for size in (size for size in settings.sizes if size <= improved.shape[1]):
        for draw in range(settings.draws):
            drawn = generator(settings.seed, "anchor_sizes", size, draw)
            chosen = drawn.choice(improved.shape[1], size, replace=False)
            score = improved[:, chosen].mean(axis=1)
            about = ("nuggets", name, f"n_anchors_{size}", settings.model, "golden_score", draw)
            rows.append(metric_row(*about, "auc", auc(score, pool.good)[0], len(score)))
            rank = spearman(score[known], pool.released[known]) if known.sum() > 2 else None
            if rank is not None:
                rows.append(metric_row(*about, "spearman", rank, int(known.sum())))
    return rows


def read_pool(args: argparse.Namespace, settings: ReleasedSettings) -> tuple[Pool, Replay | None]:
    """Return the scored rows of the pool, and each of them against every anchor (None after racing)."""
    scores = read_scores(args.scores)
    difficulty = {row["id"]: row for row in read_csv(args.difficulty, ("id", *DIFFICULTY))}
    if missing := [name for name in scores.ids if name not in difficulty]:
        raise UserError(f"{args.difficulty}: no row for example '{missing[0]}'; score the same pool")
    columns: dict[str, Sequence[float | None]] = {"golden_score": scores.golden, "mean_gain": scores.mean_gain}
    columns.update({name: numbers([difficulty[i] for i in scores.ids], name) for name in DIFFICULTY})
    kept = np.array([value is not None for value in scores.golden])
    known = {row["id"]: float(row["score"]) for row in read_examples(args.released, "scored")}
    good = np.array([row["good"] for row in read_truth(args.truth, scores.ids)], dtype=bool)
    oriented_scores = {
        name: oriented(column, settings.orders.get(name, "highest"), name) for name, column in columns.items()
    }
    pool = Pool(
        {name: values[kept] for name, values in oriented_scores.items()},
        good[kept],
        np.array(columns["length"], dtype=float)[kept],
        np.array([known.get(name, np.nan) for name in scores.ids])[kept],
    )
    return pool, read_replay(args.raw, scores)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure one pool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", help="CSV of collect_scores")
    parser.add_argument("--raw", help="raw.safetensors of the same anchor set")
    parser.add_argument("--difficulty", help="CSV: id, perplexity, ifd, length")
    parser.add_argument("--truth", help="JSONL, schema truth; left out where nobody released a list")
    parser.add_argument("--released", help="JSONL, schema scored: released scores of rows of the pool")
    parser.add_argument("--settings", required=True, help="JSON: model, anchors, seed, orders, resamples, sizes, draws")
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema")
    args = parser.parse_args(argv)
    settings = parse_settings(ReleasedSettings, args.settings)
    name = experiment("released", settings.anchors)
    if not args.truth:
        write_metrics(args.measured_out, [reason_row("nuggets", name, NOT_LISTED, model=settings.model)])
        return
    pool, replay = read_pool(args, settings)
    if pool.good.all() or not pool.good.any():
        raise UserError(
            f"{args.truth}: {int(pool.good.sum())} of {len(pool.good)} scored rows are good; both are needed"
        )
    rows = interval_rows(name, settings, pool) + bin_rows(name, settings, pool)
    if replay is None:
        rows.append(reason_row("nuggets", name, RACED, model=settings.model, setting="n_anchors"))
    else:
        rows += size_rows(name, settings, pool, replay.improved)
        rows.append(effect_row(name, "all", settings.model, settings.seed, replay.n_tokens))
    write_metrics(args.measured_out, rows)


if __name__ == "__main__":
    run_step(main)
