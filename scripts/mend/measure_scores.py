"""Write what one scoring job measured: scores in percent, averaged over the tasks of each setting, seed by seed.

The seed is that of the demonstrations. Where demonstrations are as they are and joined as in training, the distillation
ratio follows, and the accuracy on queries whose label is, and is not, among the demonstrations' labels.
"""

from __future__ import annotations

import argparse
from typing import Any, Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.metrics import metric_row, reason_row, write_metrics
from scripts.common.settings import parse_settings
from scripts.mend.experiments import NUMBERS, PAPER, RATIO, SCORE, SCORES, SEEN, UNSEEN, Condition
from scripts.mend.scores import Key, Rows, ScoreSettings, mean_percent, mean_ratio, pooled_accuracy, read_scores

NO_QUERY = {
    SEEN: "no query of this kind: the demonstrations show no label that is asked for",
    UNSEEN: "no query of this kind: the demonstrations show every label",
}


def measured_rows(
    scores: Mapping[Key, Rows], settings: ScoreSettings, setting: str, method: str, condition: Condition
) -> list[dict[str, Any]]:
    """Return what was measured of a method under a condition on the tasks of a setting, in the long schema."""
    tasks, place = settings.settings[setting], condition.setting(setting)
    found = scores[method, condition, "score"]
    values = [(seed, SCORE, value, len(tasks)) for seed, value in mean_percent(found, tasks).items()]
    reasons = []
    if condition.experiment in (SCORES, NUMBERS):
        values += [(seed, RATIO, value, len(tasks)) for seed, value in mean_ratio(found, tasks).items()]
        pooled = {name: pooled_accuracy(scores.get((method, condition, name), ()), tasks) for name in (SEEN, UNSEEN)}
        values += [(seed, name, *pair) for name, own in pooled.items() for seed, pair in own.items()]
        if any(pooled.values()) and any(int(row["n_demonstrations"]) for row in found):
            reasons = [name for name, own in pooled.items() if not own]
    key = (PAPER, condition.experiment, place, settings.model, method)
    about = {"setting": place, "model": settings.model, "method": method}
    return [
        *(metric_row(*key, *value) for value in values),
        *(reason_row(PAPER, condition.experiment, NO_QUERY[name], **about, metric=name) for name in reasons),
    ]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", required=True, help="CSV of evaluate_methods")
    parser.add_argument("--settings", required=True, help="JSON: model, tasks of each setting, usual demonstrations")
    parser.add_argument("--measured-out", required=True, help="measurement file, CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Average and write."""
    args = parse_args(argv)
    settings = parse_settings(ScoreSettings, args.settings)
    scores = read_scores(args.scores, settings.n_demonstrations)
    arms = [(method, condition) for method, condition, metric in scores if metric == "score"]
    rows = [row for name in settings.settings for arm in arms for row in measured_rows(scores, settings, name, *arm)]
    write_metrics(args.measured_out, rows)


if __name__ == "__main__":
    run_step(main)
