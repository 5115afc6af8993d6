"""Set our values beside the published ones and judge each by a tolerance agreed before the run.

A published value is compared only with a measurement of the same paper, experiment, setting, model, method and metric.
Values that we measured ourselves on released files (origin `measured`) have verdicts of their own: that our two
measurements agree reproduces nothing that a paper printed.
The mini tier, which runs on synthetic stand-ins, is never compared.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean, run_step
from scripts.common.files import read_csv, write_csv
from scripts.common.metrics import (
    COMPARISON_COLUMNS,
    ORIGINS,
    PUBLISHED_COLUMNS,
    PUBLISHED_KEY,
    is_finite_number,
    read_metrics,
    with_value,
)
from scripts.common.names import in_words
from scripts.common.settings import parse_json
from scripts.common.spread import Spread, spreads_by

VERDICTS = {"paper": ("reproduced", "deviates"), "measured": ("agrees", "differs")}
"""Origin of a published value -> status where ours lies within its tolerance, and where it does not."""


def parse_tolerances(text: str) -> dict[str, float]:
    """Return {metric: largest accepted distance, in the metric's unit} from a JSON object."""
    values = parse_json("--tolerances", text, dict)
    for metric, value in values.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0:
            raise UserError(f"config: tolerances.{metric}: must be a number >= 0, not {value!r}")
    return values


def check_published(
    files: Sequence[tuple[str, Sequence[dict[str, str]]]], tolerances: Mapping[str, float]
) -> list[dict[str, str]]:
    """Return the published rows of all files.

    files: (name, rows) pairs. Raises `UserError` naming file and line of a value that is no number, of a value given
    twice, of an unknown origin, and of a metric that has no tolerance.
    """
    first_seen: dict[tuple[str, ...], str] = {}
    checked = []
    for name, rows in files:
        for line, row in enumerate(rows, start=2):
            where = f"{name}:{line}"
            if not is_finite_number(row["value"]):
                raise UserError(f"{where}: value is '{row['value']}', not a finite number; correct or remove the row")
            if row["metric"] not in tolerances:
                hint = did_you_mean(row["metric"], list(tolerances))
                raise UserError(
                    f"{where}: metric '{row['metric']}' has no tolerance{hint}; add it to config: tolerances"
                )
            if row["origin"] not in ORIGINS:
                raise UserError(f"{where}: origin is '{row['origin']}'; write {' or '.join(ORIGINS)}")
            key = tuple(row[column] for column in PUBLISHED_KEY)
            if key in first_seen:
                raise UserError(f"{where}: {'/'.join(key)} stands already in {first_seen[key]}; remove one of the two")
            first_seen[key] = where
            checked.append(row)
    return checked


def compare(
    published: Sequence[Mapping[str, str]],
    metrics: Sequence[dict[str, str]],
    tolerances: Mapping[str, float],
    tier: str,
) -> list[dict[str, Any]]:
    """Return one comparison row for each published row, in the same order, in the columns COMPARISON_COLUMNS.

    status: `reproduced` if the mean over seeds lies within the metric's tolerance of the published value (the tolerance
    itself included), else `deviates`; for a value of ours on released files `agrees` or `differs`; `not_run` if there
    is no such measurement, with the reason in `note`. artifact: the tables and figures that show the value.
    """
    values = with_value(metrics)
    measured = spreads_by(values, PUBLISHED_KEY)
    models = _models_by_experiment(values)
    rows = []
    for row in published:
        ours = None if tier == "mini" else measured.get(tuple(row[column] for column in PUBLISHED_KEY))
        verdict = _not_run(row, models, tier) if ours is None else _verdict(row, ours, tolerances[row["metric"]])
        key = {column: row[column] for column in COMPARISON_COLUMNS[:7]}
        told = {"origin": row["origin"], "source": row["source"]}
        rows.append({**key, "published": row["value"], **verdict, **told})
    return rows


def _models_by_experiment(metrics: Sequence[Mapping[str, str]]) -> dict[tuple[str, ...], list[str]]:
    """Return the models measured for each (paper, experiment) and, under (paper,), for each paper; sorted."""
    models: dict[tuple[str, ...], set[str]] = {}
    for row in metrics:
        for key in ((row["paper"],), (row["paper"], row["experiment"])):
            models.setdefault(key, set()).add(row["model"])
    return {key: sorted(names) for key, names in models.items()}


def _verdict(row: Mapping[str, str], ours: Spread, tolerance: float) -> dict[str, Any]:
    difference = ours.mean - float(row["value"])
    within, beyond = VERDICTS[row["origin"]]
    near = abs(difference) <= tolerance + 1e-9 * max(1.0, abs(ours.mean))  # 25.5 - 25.0 is not exactly 0.5
    return {
        "ours_mean": f"{ours.mean:.9g}",
        "ours_std": "" if ours.std is None else f"{ours.std:.9g}",
        "n_seeds": ours.n,
        "difference": f"{difference:.9g}",
        "status": within if near else beyond,
        "note": f"tolerance {tolerance:g}",
    }


def _not_run(row: Mapping[str, str], models: Mapping[tuple[str, ...], list[str]], tier: str) -> dict[str, Any]:
    paper, experiment = row["paper"], row["experiment"]
    ours = models.get((paper, experiment)) or models.get((paper,)) or []
    if not ours:
        note = f"the {tier} tier measured nothing for {paper}"
    elif tier == "mini":
        instead = (
            "" if row["model"] in ours else f" with {', '.join(map(in_words, ours))}, not {in_words(row['model'])}"
        )
        note = f"mini tier runs a synthetic stand-in{instead}"
    elif (paper, experiment) not in models:
        note = f"the {tier} tier measured nothing for {experiment}"
    elif row["model"] not in ours:
        note = f"the {tier} tier ran model {', '.join(ours)}, not {row['model']}"
    else:
        note = f"no measurement of {row['metric']} for method {row['method']} in setting {row['setting']}"
    return {"ours_mean": "", "ours_std": "", "n_seeds": 0, "difference": "", "status": "not_run", "note": note}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", required=True, type=Path, help="CSV of all measured values")
    parser.add_argument("--published", nargs="+", required=True, type=Path, help="CSV of each paper's published values")
    parser.add_argument("--tolerances", required=True, help="JSON object: metric -> largest accepted distance")
    parser.add_argument("--tier", required=True, help="tier of the run: mini, sample or paper")
    parser.add_argument("--comparison-out", required=True, type=Path, help="CSV with one row per published value")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read measured and published values, compare them, write the comparison."""
    args = parse_args(argv)
    tolerances = parse_tolerances(args.tolerances)
    published = check_published([(str(path), read_csv(path, PUBLISHED_COLUMNS)) for path in args.published], tolerances)
    rows = compare(published, read_metrics(args.metrics), tolerances, args.tier)
    write_csv(args.comparison_out, rows, COMPARISON_COLUMNS)


if __name__ == "__main__":
    run_step(main)
