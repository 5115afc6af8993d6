"""Bring everything measured for NUGGETS into the one long schema: a row per artifact, setting, method, seed and metric.

What could not be measured is listed with its reason, so that a table can say why a cell is empty.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from pathlib import Path
from typing import Any, Iterable, Mapping, Sequence

import numpy as np

from scripts.common.artifacts import Collection
from scripts.common.errors import UserError, run_step
from scripts.common.files import PathLike, read_csv, read_json, write_csv
from scripts.common.seeding import generator
from scripts.common.settings import parse_settings
from scripts.common.sizes import subset_size
from scripts.common.tensors import read_tensors
from scripts.data.schemas import read_examples
from scripts.nuggets.benchmarks import JUDGED_COLUMNS
from scripts.nuggets.comparison import Comparison
from scripts.nuggets.racing import anchors_needed, answered_blocks
from scripts.nuggets.selection_quality import (
    auc,
    improved_anchors,
    oriented,
    precision_at_k,
    roc_points,
    spearman,
)

logger = logging.getLogger(__name__)

ROC_COLUMNS = ("method", "false_positive_rate", "true_positive_rate")
SCORES = ("golden_score", "mean_gain", "perplexity", "ifd", "length")
NO_TRUTH = "it is not known which examples of this pool are good: only a synthetic pool has a truth file"
UNJUDGED = "no answer could be judged: the reference judge needs reference answers, and the benchmark has none"
NEVER_CHOSEN = "no example can be chosen by this score"
RACED = "scores were made with racing on, so not every candidate was run against every anchor"


@dataclasses.dataclass(frozen=True)
class Judged:
    """What the judged answers say: rows by mode, and per run its status and reference log-likelihoods."""

    rows: Mapping[str, Sequence[Mapping[str, str]]]
    status: Mapping[str, Mapping[str, Any]]
    likelihood: Mapping[str, Sequence[Mapping[str, str]]]

    def of(self, mode: str, run: str) -> list[Mapping[str, str]]:
        """Return the judged rows of one run; none if its answers were not judged in this mode."""
        return [row for row in self.rows[mode] if f"{row['anchors']}/{row['method']}" == run]


def collect_runs(out: Collection, settings: Comparison, judged: Judged) -> None:
    """Add what tables 1 to 3, the baselines and the pairwise figure compare: judged answers of fine-tuned models."""
    main = settings.anchors
    for method in settings.table_1["methods"]:
        _add_run(out, "table_1", judged, f"{main}/{method}", "alpaca_eval")
    for method in settings.table_2["methods"]:
        _add_run(out, "table_2", judged, f"{main}/{method}", "mt_bench")
    for anchors in settings.table_3["anchor_sets"]:
        for method in settings.table_3["methods"]:
            _add_run(out, "table_3", judged, f"{anchors}/{method}", "alpaca_eval", groups=("all",), rename=anchors)
    for method in settings.table_baselines["methods"]:
        _add_run(out, "table_baselines", judged, f"{main}/{method}", "alpaca_eval", groups=("all",))
        _add_run(out, "table_baselines", judged, f"{main}/{method}", "mt_bench", groups=("overall",), counts=False)
    reference = settings.figure_pairwise["reference"]
    for method in settings.figure_pairwise["methods"]:
        _add_run(out, "figure_pairwise", judged, f"{main}/{method}", "pairwise", counts=False)
        if judged.status.get(f"{main}/{reference}", {}).get("status") == "not_run":
            reason = judged.status[f"{main}/{reference}"]["reason"]
            out.note("figure_pairwise", f"vs_{reference}", method, f"nothing to compare with: {reason}")


def _add_run(
    out: Collection,
    artifact: str,
    judged: Judged,
    run: str,
    mode: str,
    *,
    groups: Sequence[str] | None = None,
    rename: str | None = None,
    counts: bool = True,
) -> None:
    """Add one run's judged values, likelihoods and subset sizes, or the note that it was not run.

    groups: only these; rename: the setting to write instead of the group; counts: also add the size of the subset.
    """
    method = run.split("/")[1]
    if run not in judged.status:
        raise UserError(f"{artifact}: no answers of {run}; give them with --runs and --answers")
    status = judged.status[run]
    if status["status"] == "not_run":
        out.note(artifact, rename or "", method, status["reason"])
    elif not judged.of(mode, run):
        out.note(artifact, rename or "", method, f"the answers were not judged for {mode}")
    for seed, count in sorted(status["n_examples"].items()) if counts else ():
        out.add(artifact, rename or "pool", method, int(seed), "n_examples", count, count)
    for row in judged.of(mode, run):
        if groups is not None and row["group"] not in groups:
            continue
        setting = rename or row["group"]
        if row["metric"] == "n_judged":
            if float(row["value"]) == 0:
                out.note(artifact, setting, method, UNJUDGED)
        else:
            out.add(artifact, setting, method, row["seed"], row["metric"], float(row["value"]), int(row["n"]))
    for row in judged.likelihood[run]:
        if row["benchmark"] == mode and (groups is None or row["group"] in groups):
            name, value = "reference_loglik_nats_per_token", float(row["loglik_nats_per_token"])
            out.add(artifact, rename or row["group"], method, row["seed"], name, value, int(row["n_tokens"]))


def collect_scores(out: Collection, settings: Comparison, golden: Sequence[float | None]) -> None:
    """Add how many examples score at most each threshold (the paper's score curve); n is the whole pool."""
    known = np.array([value for value in golden if value is not None])
    for threshold in settings.figure_scores["thresholds"]:
        count = int((known <= threshold).sum())
        out.add("figure_scores", settings.dataset, f"le_{threshold:g}", settings.seed, "n_examples", count, len(golden))
    if len(known) < len(golden):
        reason = f"{len(golden) - len(known)} examples have no score: too long for the window"
        out.note("figure_scores", settings.dataset, "", reason)


def collect_quality(
    out: Collection,
    settings: Comparison,
    values: Mapping[str, Sequence[float | None]],
    truth: Sequence[Mapping[str, Any]] | None,
) -> list[dict[str, Any]]:
    """Add how well each score separates known good from known bad examples; return the points of the ROC curves.

    values: per score (`SCORES`, and `golden_score_<anchors>` of further anchor sets), in pool order; truth:
    rows of schema truth in pool order, or None where nobody knows.
    """
    if truth is None:
        for artifact in ("table_selection_quality", "figure_selection_quality", "figure_anchor_sizes"):
            out.note(artifact, "", "", NO_TRUTH)
        return []
    good = np.array([row["good"] for row in truth], dtype=bool)
    if good.all() or not good.any():
        raise UserError(f"truth: {int(good.sum())} of {len(good)} examples are good; a pool needs good and bad ones")
    faults = sorted({row["fault"] for row in truth if row["fault"]})
    sizes = {"k_known_good": int(good.sum()), "k_subset_size": subset_size(len(good), settings.subset_fraction)}
    points = []
    for name, column in values.items():
        scores = oriented(column, settings.order(name), name)
        for setting, chosen in [("all", np.ones(len(good), dtype=bool))] + [
            (f"fault_{fault}", good | np.array([row["fault"] == fault for row in truth])) for fault in faults
        ]:
            area, error = auc(scores[chosen], good[chosen])
            n = int(chosen.sum())
            out.add("table_selection_quality", setting, name, settings.seed, "auc", area, n)
            out.add("table_selection_quality", setting, name, settings.seed, "auc_standard_error", error, n)
        for setting, k in sizes.items():
            if not np.isfinite(scores).any():
                out.note("table_selection_quality", setting, name, NEVER_CHOSEN)
                continue
            value, n = precision_at_k(scores, good, k)
            out.add("table_selection_quality", setting, name, settings.seed, "precision_at_k", value, n)
        for false_rate, true_rate in zip(*roc_points(scores, good)):
            points.append(dict(zip(ROC_COLUMNS, (name, f"{false_rate:.9g}", f"{true_rate:.9g}"))))
    return points


def collect_anchor_sizes(out: Collection, settings: Comparison, improved: np.ndarray, good: np.ndarray | None) -> None:
    """Add how AUC and agreement with the whole anchor set grow with the number of anchors drawn from it.

    improved: (n, K) bool, see `improved_anchors`; the seed of a row is the number of its draw.
    """
    n_anchors = improved.shape[1]
    whole = improved.mean(axis=1)
    for size in settings.figure_anchor_sizes["sizes"]:
        if not 1 <= size <= n_anchors:
            raise UserError(
                f"nuggets.figure_anchor_sizes.sizes: {size} is not between 1 and the {n_anchors} anchors of"
                f" '{settings.anchors}'; remove it or choose a larger anchor set"
            )
        for draw in range(settings.figure_anchor_sizes["draws"]):
            drawn = generator(settings.seed, "anchor_sizes", size, draw).choice(n_anchors, size, replace=False)
            scores = improved[:, drawn].mean(axis=1)
            setting = f"n_anchors_{size}"
            if good is not None:
                area = auc(scores, good)[0]
                out.add("figure_anchor_sizes", setting, "golden_score", draw, "auc", area, len(scores))
            agreement = spearman(scores, whole)
            if agreement is not None:
                name = "spearman_with_all_anchors"
                out.add("figure_anchor_sizes", setting, "golden_score", draw, name, agreement, len(scores))


def collect_racing(out: Collection, settings: Comparison, improved: np.ndarray, n_tokens: np.ndarray) -> None:
    """Add what stopping early would have saved at each threshold, and that no decision would have changed.

    The anchors come in the order in which racing runs them, those with the shortest answers first.
    """
    blocks = answered_blocks(n_tokens)
    n_evaluations = len(improved) * sum(map(len, blocks))
    for threshold in settings.table_racing["thresholds"]:
        needed, above = anchors_needed(improved, threshold, blocks)
        setting = f"threshold_{threshold:g}"
        saved = 1 - float(needed.sum()) / n_evaluations if n_evaluations else 0.0
        same = float((above == (improved.mean(axis=1) > threshold)).mean())
        out.add("table_racing", setting, "racing", settings.seed, "saved_share", saved, n_evaluations)
        out.add("table_racing", setting, "racing", settings.seed, "same_decisions_share", same, len(needed))


def read_raw(path: PathLike) -> dict[str, np.ndarray]:
    """Return the merged raw scores: `zero_shot` (K,), `one_shot` (n, K) in nats, `n_tokens` (K,)."""
    return read_tensors(path, "zero_shot", "one_shot", "n_tokens")[0]


def read_truth(path: PathLike, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of the truth file in the order of `ids`; rows of examples outside the pool are left out."""
    known = {row["id"]: row for row in read_examples(path, "truth")}
    missing = [name for name in ids if name not in known]
    if missing:
        raise UserError(f"{path}: no row for example '{missing[0]}' of the pool; give the truth of the same data set")
    return [known[name] for name in ids]


def read_judged(args: argparse.Namespace) -> Judged:
    """Return the judged answers, with status and likelihoods of every run."""
    if len(args.runs) != len(args.answers):
        raise UserError(f"--answers: {len(args.answers)} folders for {len(args.runs)} runs; give one per run")
    modes = {"alpaca_eval": args.alpaca_eval, "mt_bench": args.mt_bench, "pairwise": args.pairwise}
    return Judged(
        rows={mode: read_csv(path, JUDGED_COLUMNS) for mode, path in modes.items()},
        status={run: read_json(Path(folder) / "status.json") for run, folder in zip(args.runs, args.answers)},
        likelihood={run: read_csv(Path(folder) / "likelihood.csv") for run, folder in zip(args.runs, args.answers)},
    )


def read_values(args: argparse.Namespace, main: str) -> tuple[list[str], dict[str, list[float | None]]]:
    """Return the ids of the pool and every score in the same order: those of `SCORES`, then further anchor sets'.

    main: the anchor set whose golden score is called just that. Raises `UserError` if the files are of different pools.
    """
    if len(args.anchor_sets) != len(args.scores):
        raise UserError(
            f"--scores: {len(args.scores)} files for {len(args.anchor_sets)} anchor sets; give one for each"
        )
    if main not in args.anchor_sets:
        raise UserError(f"--anchor-sets: the main anchor set '{main}' is missing; give its scores too")
    tables = {
        name: read_csv(path, ("id", "golden_score", "mean_gain_nats"))
        for name, path in zip(args.anchor_sets, args.scores)
    }
    ids = [row["id"] for row in tables[main]]
    for name, rows in tables.items():
        if [row["id"] for row in rows] != ids:
            raise UserError(
                f"--scores: those of '{name}' are of another pool than those of '{main}'; score the pool again"
            )
    difficulty = {row["id"]: row for row in read_csv(args.difficulty, ("id", *SCORES[2:]))}
    missing = [name for name in ids if name not in difficulty]
    if missing:
        raise UserError(f"{args.difficulty}: no row for example '{missing[0]}'; score the difficulty of the same pool")
    values = {
        "golden_score": _numbers(tables[main], "golden_score"),
        "mean_gain": _numbers(tables[main], "mean_gain_nats"),
    }
    values.update({name: _numbers((difficulty[i] for i in ids), name) for name in SCORES[2:]})
    others = {f"golden_score_{name}": _numbers(rows, "golden_score") for name, rows in tables.items() if name != main}
    return ids, {**values, **others}


def _numbers(rows: Iterable[Mapping[str, str]], column: str) -> list[float | None]:
    return [float(row[column]) if row[column] else None for row in rows]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alpaca-eval", required=True, help="CSV of judge_answers")
    parser.add_argument("--mt-bench", required=True, help="CSV of judge_answers")
    parser.add_argument("--pairwise", required=True, help="CSV of judge_answers")
    parser.add_argument("--runs", nargs="+", required=True, help="anchor set/method of each folder of answers")
    parser.add_argument(
        "--answers", nargs="+", required=True, help="folders of generate_answers, in the order of --runs"
    )
    parser.add_argument("--anchor-sets", nargs="+", required=True, help="anchor set of each scores file")
    parser.add_argument("--scores", nargs="+", required=True, help="scores.csv files, in the order of --anchor-sets")
    parser.add_argument("--raw", required=True, help="raw.safetensors of the main anchor set")
    parser.add_argument("--difficulty", required=True, help="CSV: id, perplexity, ifd, length")
    parser.add_argument("--truth", help="JSONL, schema truth; only synthetic pools have one")
    parser.add_argument("--settings", required=True, help="JSON: what is compared")
    parser.add_argument("--metrics-out", required=True, help="CSV in the long schema")
    parser.add_argument("--notes-out", required=True, help="CSV: what is missing and why")
    parser.add_argument("--roc-out", required=True, help="CSV: points of the ROC curves")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Collect all metrics of the paper."""
    args = parse_args(argv)
    settings = parse_settings(Comparison, args.settings)
    ids, values = read_values(args, settings.anchors)
    truth = read_truth(args.truth, ids) if args.truth else None

    out = Collection("nuggets", settings.model)
    collect_runs(out, settings, read_judged(args))
    collect_scores(out, settings, values["golden_score"])
    points = collect_quality(out, settings, values, truth)
    raw = read_raw(args.raw)
    if raw["one_shot"].shape != (len(ids), len(raw["zero_shot"])):
        raise UserError(f"{args.raw}: {raw['one_shot'].shape[0]} candidates, the scores have {len(ids)}; score again")
    scored = np.array([value is not None for value in values["golden_score"]])
    if np.isnan(raw["one_shot"][scored]).any():
        for artifact in ("figure_anchor_sizes", "table_racing"):
            out.note(artifact, "", "", RACED)
    else:
        improved = improved_anchors(raw["zero_shot"], raw["one_shot"][scored], raw["n_tokens"])
        good = None if truth is None else np.array([row["good"] for row in truth])[scored]
        collect_anchor_sizes(out, settings, improved, good)
        collect_racing(out, settings, improved, raw["n_tokens"])
    out.write(args.metrics_out, args.notes_out)
    write_csv(args.roc_out, points, ROC_COLUMNS)
    logger.info("%d values, %d notes on what is missing", len(out.rows), len(out.notes))


if __name__ == "__main__":
    run_step(main)
