"""Measure how AUC and agreement with the whole anchor set grow with the number of anchors drawn from it."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, Sequence

import numpy as np

from scripts.common.errors import UserError, run_step
from scripts.common.metrics import metric_row, reason_row, write_metrics
from scripts.common.seeding import generator
from scripts.common.settings import parse_settings
from scripts.nuggets.benchmarks import experiment
from scripts.nuggets.golden_files import NO_TRUTH, RACED, effect_row, read_replay, read_scores, read_truth
from scripts.nuggets.selection_quality import AGREEMENT, AUC, auc, spearman

METHOD = "golden_score"


@dataclasses.dataclass(frozen=True)
class SizeSettings:
    """model: name of the scoring model; anchors: the anchor set; seed: of the data.

    sizes: numbers of anchors drawn; draws: how often each is drawn, without replacement.
    """

    model: str
    anchors: str
    seed: int
    sizes: Sequence[int]
    draws: int

    @property
    def experiment(self) -> str:
        """Return the name under which the values stand."""
        return experiment("anchor_sizes", self.anchors)


def size_rows(settings: SizeSettings, improved: np.ndarray, good: np.ndarray | None) -> list[dict[str, Any]]:
    """Return the values in the long schema; the seed of a row is the number of its draw.

    improved: (n, K) bool, see `improved_anchors`; good: (n,) bool, None where nobody knows.
    """
    n_anchors = improved.shape[1]
    whole = improved.mean(axis=1)
    rows = []
    for size in settings.sizes:
        if not 1 <= size <= n_anchors:
            raise UserError(
                f"nuggets.figure_anchor_sizes.sizes: {size} is not between 1 and the {n_anchors} anchors of"
                f" '{settings.anchors}'; remove it or choose a larger anchor set"
            )
        for draw in range(settings.draws):
            drawn = generator(settings.seed, "anchor_sizes", size, draw).choice(n_anchors, size, replace=False)
            scores = improved[:, drawn].mean(axis=1)
            key = ("nuggets", settings.experiment, f"n_anchors_{size}", settings.model, METHOD, draw)
            if good is not None:
                rows.append(metric_row(*key, AUC, auc(scores, good)[0], len(scores)))
            agreement = spearman(scores, whole)
            if agreement is not None:
                rows.append(metric_row(*key, AGREEMENT, agreement, len(scores)))
    if good is None:
        rows.append(reason_row("nuggets", settings.experiment, NO_TRUTH, model=settings.model, metric=AUC))
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Draw from one anchor set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", required=True, help="CSV of collect_scores")
    parser.add_argument("--raw", required=True, help="raw.safetensors of the same anchor set")
    parser.add_argument("--truth", help="JSONL, schema truth; only synthetic pools have one")
    parser.add_argument("--settings", required=True, help="JSON: model, anchors, seed, sizes, draws")
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema")
    args = parser.parse_args(argv)
    settings = parse_settings(SizeSettings, args.settings)
    scores = read_scores(args.scores)
    replay = read_replay(args.raw, scores)
    if replay is None:
        rows = [reason_row("nuggets", settings.experiment, RACED, model=settings.model)]
    else:
        truth = read_truth(args.truth, scores.ids) if args.truth else None
        good = None if truth is None else np.array([row["good"] for row in truth])[replay.scored]
        rows = size_rows(settings, replay.improved, good)
        rows.append(effect_row(settings.experiment, "all", settings.model, settings.seed, replay.n_tokens))
    write_metrics(args.measured_out, rows)


if __name__ == "__main__":
    run_step(main)
