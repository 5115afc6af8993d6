"""Measure how well each score tells known good from known bad examples of the pool (beyond the paper)."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError, run_step
from scripts.common.files import PathLike, read_csv, write_csv
from scripts.common.metrics import metric_row, reason_row, write_metrics
from scripts.common.settings import parse_settings
from scripts.common.sizes import subset_size
from scripts.nuggets.benchmarks import experiment
from scripts.nuggets.golden_files import NO_TRUTH, Scores, numbers, read_scores, read_truth
from scripts.nuggets.selection_quality import AUC, auc, oriented, precision_at_k, roc_points

ROC_COLUMNS = ("method", "false_positive_rate", "true_positive_rate")
DIFFICULTY = ("perplexity", "ifd", "length")
NEVER_CHOSEN = "no example can be chosen by this score"


@dataclasses.dataclass(frozen=True)
class QualitySettings:
    """model: name of the scoring model; anchors: the anchor set whose golden score is called just that.

    seed: of the data; subset_fraction: share of the pool that a subset has; orders: of each difficulty score, whether
    its highest or its lowest values are the chosen ones.
    """

    model: str
    anchors: str
    seed: int
    subset_fraction: float
    orders: Mapping[str, str]

    def order(self, score: str) -> str:
        """Return whether the highest or the lowest values of a score are the good ones."""
        return self.orders.get(score, "highest")


def quality_rows(
    settings: QualitySettings,
    values: Mapping[str, Sequence[float | None]],
    truth: Sequence[Mapping[str, Any]] | None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the measured values of every score in the long schema, and the points of the ROC curves.

    values: {score: its values in pool order}; truth: rows of schema truth in pool order, or None where nobody knows.
    """
    name = experiment("quality", settings.anchors)
    if truth is None:
        return [reason_row("nuggets", name, NO_TRUTH, model=settings.model)], []
    good = np.array([row["good"] for row in truth], dtype=bool)
    if good.all() or not good.any():
        raise UserError(f"truth: {int(good.sum())} of {len(good)} examples are good; a pool needs good and bad ones")
    faults = sorted({row["fault"] for row in truth if row["fault"]})
    parts = {"all": np.ones(len(good), dtype=bool)}
    parts.update({f"fault_{fault}": good | np.array([row["fault"] == fault for row in truth]) for fault in faults})
    sizes = {"k_known_good": int(good.sum()), "k_subset_size": subset_size(len(good), settings.subset_fraction)}
    rows: list[dict[str, Any]] = []
    points = []

    def add(setting: str, score: str, metric: str, value: float, n: int) -> None:
        rows.append(metric_row("nuggets", name, setting, settings.model, score, settings.seed, metric, value, n))

    for score, column in values.items():
        scores = oriented(column, settings.order(score), score)
        for setting, chosen in parts.items():
            area, error = auc(scores[chosen], good[chosen])
            add(setting, score, AUC, area, int(chosen.sum()))
            add(setting, score, "auc_standard_error", error, int(chosen.sum()))
        for setting, k in sizes.items():
            if np.isfinite(scores).any():
                add(setting, score, "precision_at_k", *precision_at_k(scores, good, k))
            else:
                about = {"setting": setting, "model": settings.model, "method": score, "metric": "precision_at_k"}
                rows.append(reason_row("nuggets", name, NEVER_CHOSEN, **about))
        for false_rate, true_rate in zip(*roc_points(scores, good)):
            points.append(dict(zip(ROC_COLUMNS, (score, f"{false_rate:.9g}", f"{true_rate:.9g}"))))
    return rows, points


def read_values(
    main: str, names: Sequence[str], files: Sequence[PathLike], difficulty: PathLike
) -> tuple[tuple[str, ...], dict[str, Sequence[float | None]]]:
    """Return the ids of the pool and every score in the same order, further anchor sets' golden scores last.

    main: the anchor set whose golden score is called just that; names: anchor set of each of `files`. Raises
    `UserError` if the files are of different pools.
    """
    if len(names) != len(files):
        raise UserError(f"--scores: {len(files)} files for {len(names)} anchor sets; give one for each")
    if main not in names:
        raise UserError(f"--anchor-sets: the main anchor set '{main}' is missing; give its scores too")
    tables: dict[str, Scores] = {name: read_scores(path) for name, path in zip(names, files)}
    ids = tables[main].ids
    for name, scores in tables.items():
        if scores.ids != ids:
            raise UserError(
                f"--scores: those of '{name}' are of another pool than those of '{main}'; score the pool again"
            )
    known = {row["id"]: row for row in read_csv(difficulty, ("id", *DIFFICULTY))}
    missing = [name for name in ids if name not in known]
    if missing:
        raise UserError(f"{difficulty}: no row for example '{missing[0]}'; score the difficulty of the same pool")
    values: dict[str, Sequence[float | None]] = {
        "golden_score": tables[main].golden,
        "mean_gain": tables[main].mean_gain,
    }
    values.update({name: numbers([known[i] for i in ids], name) for name in DIFFICULTY})
    values.update({f"golden_score_{name}": scores.golden for name, scores in tables.items() if name != main})
    return ids, values


def main(argv: Sequence[str] | None = None) -> None:
    """Measure one pool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--anchor-sets", nargs="+", required=True, help="anchor set of each scores file")
    parser.add_argument("--scores", nargs="+", required=True, help="CSVs of collect_scores, in the same order")
    parser.add_argument("--difficulty", required=True, help="CSV: id, perplexity, ifd, length")
    parser.add_argument("--truth", help="JSONL, schema truth; only synthetic pools have one")
    parser.add_argument("--settings", required=True, help="JSON: model, anchors, seed, subset_fraction, orders")
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema")
    parser.add_argument("--roc-out", required=True, help="CSV: points of the ROC curves")
    args = parser.parse_args(argv)
    settings = parse_settings(QualitySettings, args.settings)
    ids, values = read_values(settings.anchors, args.anchor_sets, args.scores, args.difficulty)
    rows, points = quality_rows(settings, values, read_truth(args.truth, ids) if args.truth else None)
    write_metrics(args.measured_out, rows)
    write_csv(args.roc_out, points, ROC_COLUMNS)


if __name__ == "__main__":
    run_step(main)
