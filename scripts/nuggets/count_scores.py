"""Count how many examples of a pool score at most each threshold (NUGGETS, score curve)."""

from __future__ import annotations

import argparse
import statistics
from typing import Any, Sequence

from scripts.common.errors import run_step
from scripts.common.metrics import metric_row, reason_row, write_metrics
from scripts.common.tensors import read_tensors
from scripts.data.schemas import read_examples
from scripts.nuggets.benchmarks import experiment
from scripts.nuggets.golden_files import effect_row, read_scores


def threshold_rows(
    name: str, dataset: str, model: str, seed: int, thresholds: Sequence[float], golden: Sequence[float | None]
) -> list[dict[str, Any]]:
    """Return the counts in the long schema, and a reason if some examples have no score; n is the whole pool.

    name: the experiment.
    """
    known = [value for value in golden if value is not None]
    rows = []
    for threshold in thresholds:
        count = sum(value <= threshold for value in known)
        rows.append(
            metric_row("nuggets", name, dataset, model, f"le_{threshold:g}", seed, "n_examples", count, len(golden))
        )
    if len(known) < len(golden):
        reason = f"{len(golden) - len(known)} examples have no score: too long for the window"
        rows.append(reason_row("nuggets", name, reason, setting=dataset, model=model))
    return rows


def spread_rows(name: str, dataset: str, model: str, seed: int, golden: Sequence[float]) -> list[dict[str, Any]]:
    """Return lowest, mean, median and highest score in the long schema. name: the experiment."""
    measures = {"lowest": min, "mean": statistics.fmean, "median": statistics.median, "highest": max}
    return [
        metric_row("nuggets", name, dataset, model, which, seed, "golden_score", measure(golden), len(golden))
        for which, measure in measures.items()
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Count one pool's scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--scores", help="CSV of collect_scores")
    parser.add_argument("--raw", help="raw.safetensors of the same anchor set; counts its anchors without effect")
    given.add_argument("--released", help="JSONL, schema scored: what the authors released; its spread is measured too")
    parser.add_argument("--dataset", required=True, help="name of the pool")
    parser.add_argument("--model", required=True, help="name of the scoring model")
    parser.add_argument("--anchors", required=True, help="name of the anchor set")
    parser.add_argument("--seed", required=True, type=int, help="seed of the data")
    parser.add_argument("--thresholds", required=True, nargs="+", type=float)
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema")
    args = parser.parse_args(argv)
    about = (args.dataset, args.model, args.seed)
    if args.released:
        name = experiment("released_scores", args.anchors)
        golden: Sequence[Any] = [float(row["score"]) for row in read_examples(args.released, "scored")]
        rows = spread_rows(name, *about, golden)
    else:
        name = experiment("golden_scores", args.anchors)
        golden, rows = read_scores(args.scores).golden, []
        if args.raw:
            rows = [effect_row(name, *about, read_tensors(args.raw, "n_tokens")[0]["n_tokens"])]
    write_metrics(args.measured_out, [*rows, *threshold_rows(name, *about, args.thresholds, golden)])


if __name__ == "__main__":
    run_step(main)
