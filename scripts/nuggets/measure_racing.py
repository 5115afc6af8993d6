"""Measure what stopping early would have saved at each threshold, and that no decision would have changed.

The anchors come in the order in which racing runs them, those with the shortest answers first.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, Sequence

import numpy as np

from scripts.common.errors import run_step
from scripts.common.metrics import metric_row, reason_row, write_metrics
from scripts.common.settings import parse_settings
from scripts.nuggets.benchmarks import experiment
from scripts.nuggets.golden_files import RACED, effect_row, read_replay, read_scores
from scripts.nuggets.racing import anchors_needed, answered_blocks

METHOD = "racing"


@dataclasses.dataclass(frozen=True)
class RacingSettings:
    """model: name of the scoring model; anchors: the anchor set; seed: of the data; thresholds: of the golden score."""

    model: str
    anchors: str
    seed: int
    thresholds: Sequence[float]

    @property
    def experiment(self) -> str:
        """Return the name under which the values stand."""
        return experiment("racing", self.anchors)


def racing_rows(settings: RacingSettings, improved: np.ndarray, n_tokens: np.ndarray) -> list[dict[str, Any]]:
    """Return the shares saved and of decisions unchanged in the long schema.

    improved: (n, K) bool, see `improved_anchors`; n_tokens: (K,) tokens of the anchors' answers.
    """
    blocks = answered_blocks(n_tokens)
    n_evaluations = len(improved) * sum(map(len, blocks))
    rows = []
    for threshold in settings.thresholds:
        needed, above = anchors_needed(improved, threshold, blocks)
        saved = 1 - float(needed.sum()) / n_evaluations if n_evaluations else 0.0
        same = float((above == (improved.mean(axis=1) > threshold)).mean())
        key = ("nuggets", settings.experiment, f"threshold_{threshold:g}", settings.model, METHOD, settings.seed)
        rows.append(metric_row(*key, "saved_share", saved, n_evaluations))
        rows.append(metric_row(*key, "same_decisions_share", same, len(needed)))
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Replay one anchor set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", required=True, help="CSV of collect_scores")
    parser.add_argument("--raw", required=True, help="raw.safetensors of the same anchor set")
    parser.add_argument("--settings", required=True, help="JSON: model, anchors, seed, thresholds")
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema")
    args = parser.parse_args(argv)
    settings = parse_settings(RacingSettings, args.settings)
    replay = read_replay(args.raw, read_scores(args.scores))
    if replay is None:
        rows = [reason_row("nuggets", settings.experiment, RACED, model=settings.model)]
    else:
        rows = racing_rows(settings, replay.improved, replay.n_tokens)
        rows.append(effect_row(settings.experiment, "all", settings.model, settings.seed, replay.n_tokens))
    write_metrics(args.measured_out, rows)


if __name__ == "__main__":
    run_step(main)
