"""Average each method's score over all settings of the main table, seed by seed.

Seeds that lack a setting are left out.
"""

from __future__ import annotations

import argparse
import math
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.metrics import metric_row, write_metrics
from scripts.common.settings import named_values, parse_settings
from scripts.mend.experiments import AVERAGE, PAPER, SCORE, SCORES, USUAL
from scripts.mend.scores import ScoreSettings, mean_percent, read_scores


def averages(files: Mapping[str, str], settings: ScoreSettings) -> list[dict[str, Any]]:
    """Return the rows of the long schema. files: {method/setting: scores of the job that has it}.

    Raises `UserError` where a method's file of some setting is not named.
    """
    read = {path: read_scores(path, settings.n_demonstrations) for path in dict.fromkeys(files.values())}
    rows = []
    for method in dict.fromkeys(name.partition("/")[0] for name in files):
        columns = []
        for setting, tasks in settings.settings.items():
            if f"{method}/{setting}" not in files:
                raise UserError(f"--scores: no file is named {method}/{setting}; give one for each method and setting")
            found = read[files[f"{method}/{setting}"]].get((method, USUAL, "score"), [])
            columns.append(mean_percent(found, tasks))
        for seed in sorted(set.intersection(*map(set, columns))):
            mean = math.fsum(column[seed] for column in columns) / len(columns)
            rows.append(metric_row(PAPER, SCORES, AVERAGE, settings.model, method, seed, SCORE, mean, len(columns)))
    return rows


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", required=True, nargs="+", help="METHOD/SETTING=FILE: CSV of evaluate_methods")
    parser.add_argument("--settings", required=True, help="JSON: model, tasks of each setting, usual demonstrations")
    parser.add_argument("--measured-out", required=True, help="measurement file, CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Average and write."""
    args = parse_args(argv)
    settings = parse_settings(ScoreSettings, args.settings)
    files = named_values("--scores", args.scores, "METHOD/SETTING=FILE")
    write_metrics(args.measured_out, averages(files, settings))


if __name__ == "__main__":
    run_step(main)
