"""Choose the training examples of one method, for all budgets and seeds at once, and say what was chosen.

Beside the subsets a JSON file holds the gains of greedy methods and statistics of every subset: the shares of good
rows, of each family, and of repeated rows, where the truth is known.
DELIFT, section 3.2; ways of choosing in `scripts.selection.methods`.
"""

from __future__ import annotations

import argparse
import collections
import logging
import time
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import whole_folder, write_json, write_jsonl
from scripts.common.metrics import metric_row, reason_row, write_metrics
from scripts.common.settings import parse_settings
from scripts.common.sizes import percent_name
from scripts.data.schemas import read_examples
from scripts.delift.comparison import CHOICES
from scripts.selection.choosing import STAGE_OBJECTIVES, Choice, Method, Sources
from scripts.selection.methods import MATERIALS, WAYS, ways_of
from scripts.selection.ways import choose

logger = logging.getLogger(__name__)

FLAGS = {
    "utilities": "--kernel",
    "similarities": "--kernel",
    "reference_kernel": "--reference-kernel",
    "embeddings": "--embeddings",
    "goal_rows": "--goal",
    "goal_embeddings": "--goal-embeddings",
    **dict.fromkeys(("ratings", "gradients", "ifd"), "--scores"),
    "truth": "--truth",
}
"""The flag that names each material a way may need."""
SHARES = ("share_good", "share_repeated", "share_reference")
NO_TRUTH = "it is not known which examples of this pool are good: only a synthetic pool has a truth file"


def users_of(flag: str) -> str:
    """Return the ways that need what a flag names, for its help."""
    materials = {material for material, name in FLAGS.items() if name == flag and material in MATERIALS}
    return ", ".join(name for name in ways_of("delift") if materials & set(WAYS[name].needs))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", required=True, help="instruction rows to choose from (JSON lines)")
    parser.add_argument("--stage", required=True, type=int, choices=sorted(STAGE_OBJECTIVES), help="use case")
    parser.add_argument("--kernel", help=f"(targets, pool): by {users_of('--kernel')}")
    parser.add_argument("--reference-kernel", help="(targets, reference): by utility, embedding in stages 2 and 3")
    parser.add_argument("--embeddings", help=f"of the pool: by {users_of('--embeddings')}")
    parser.add_argument("--goal", help=f"instruction rows to choose for: by {users_of('--goal')}")
    parser.add_argument(
        "--goal-embeddings", nargs="+", help=f"of those rows, one file or more: by {users_of('--goal-embeddings')}"
    )
    parser.add_argument("--scores", help=f"table of baseline scores: by {users_of('--scores')}")
    parser.add_argument("--truth", help="known quality of the pool's rows: by only_good, and for the statistics")
    parser.add_argument("--reference-truth", help="the same of the reference set: which families it is about")
    parser.add_argument("--paper", required=True, help="for the long schema")
    parser.add_argument("--pair", required=True, help="name of the dataset pair")
    parser.add_argument("--model-name", required=True, help="name of the model for which is chosen")
    parser.add_argument("--name", required=True, help="the method's name")
    parser.add_argument("--method", required=True, help='JSON: {"by": ...} and options')
    parser.add_argument("--fractions", required=True, nargs="+", type=float, help="shares of the pool to choose")
    parser.add_argument("--seeds", required=True, nargs="+", type=int, help="one subset for each")
    parser.add_argument("--threads", required=True, type=int, help="CPU threads of clustering")
    parser.add_argument("--subsets-out", required=True, help="folder: percent_<p>/seed_<seed>.jsonl, selection.json")
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema")
    parser.add_argument("--run-out", required=True, help="JSON: seconds that the choice took")
    return parser.parse_args(argv)


def read_truth(path: str, ids: Sequence[str], pool: str) -> list[dict[str, Any]]:
    """Return what is known of the pool's rows, in their order. Raises `UserError` for a row that is missing."""
    known = {row["id"]: row for row in read_examples(path, "pool_truth")}
    missing = [row for row in ids if row not in known]
    if missing:
        raise UserError(f"{path}: row '{missing[0]}' of {pool} is missing; take the truth of that pool")
    return [known[row] for row in ids]


def statistics(
    choice: Choice, truth: Sequence[Mapping[str, Any]] | None, asked_for: frozenset[str] | None
) -> dict[str, Any]:
    """Return the shares of good rows, of families, and of rows that repeat one chosen before; None if unknown.

    asked_for: the families that the reference set is about; their share together is reported too.
    """
    if truth is None:
        return {"share_good": None, "families": {}, "share_repeated": None, "share_reference": None}
    rows = [truth[row] for row in choice.rows]
    n = max(1, len(rows))
    seen: set[str] = set()
    repeated = 0
    for row in rows:
        prototype = row["duplicate_of"] or row["id"]
        repeated += prototype in seen
        seen.add(prototype)
    families = collections.Counter(row["family"] for row in rows)
    every = sorted({row["family"] for row in truth})
    return {
        "share_good": round(sum(row["good"] for row in rows) / n, 9) if rows else None,
        "families": {family: round(families[family] / n, 9) for family in every} if rows else {},
        "share_repeated": round(repeated / n, 9) if rows else None,
        "share_reference": (
            round(sum(row["family"] in asked_for for row in rows) / n, 9) if rows and asked_for is not None else None
        ),
    }


def measured_rows(
    subsets: Sequence[Mapping[str, Any]], paper: str, pair: str, model: str, method: str
) -> list[dict[str, Any]]:
    """Return the size of each subset and what is known of it in the long schema, or why nothing is known."""
    rows = []
    for subset in subsets:
        about = {"setting": f"{pair}/{subset['percent']}", "model": model, "method": method}
        values = {"n_examples": subset["n"], **{name: subset[name] for name in SHARES}}
        values |= {f"share_of_{family}": share for family, share in subset["families"].items()}
        for name, value in values.items():
            if value is not None:
                rows.append(metric_row(paper, CHOICES, *about.values(), subset["seed"], name, value, subset["n"]))
        if subset["share_good"] is None:
            rows += [reason_row(paper, CHOICES, NO_TRUTH, metric=name, **about) for name in SHARES]
    return rows


def write_subsets(folder: Path, pool: Sequence[Mapping[str, Any]], choices: Mapping[tuple[float, int], Choice]) -> None:
    """Write one file for each budget and seed."""
    for (fraction, seed), choice in choices.items():
        path = folder / percent_name(100 * fraction) / f"seed_{seed}.jsonl"
        write_jsonl(path, (pool[row] for row in choice.rows))


def materials_of(args: argparse.Namespace, truth: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    """Return what the command line names of each material; `truth` as {id: whether it is good}."""
    named = {material: getattr(args, flag[2:].replace("-", "_")) for material, flag in FLAGS.items()}
    return {**named, "truth": None if truth is None else {row["id"]: row["good"] for row in truth}}


def main(argv: Sequence[str] | None = None) -> None:
    """Choose, describe and write."""
    args = parse_args(argv)
    method = parse_settings(Method, args.method, "--method")
    pool = read_examples(args.pool, "instruction")
    ids = tuple(row["id"] for row in pool)
    truth = read_truth(args.truth, ids, args.pool) if args.truth else None
    asked_for = None
    if args.reference_truth:
        asked_for = frozenset(row["family"] for row in read_examples(args.reference_truth, "pool_truth"))
    sources = Sources(args.pool, ids, "delift", materials_of(args, truth), FLAGS, args.stage, args.threads)
    begin = time.perf_counter()
    choices = choose(sources, method, args.fractions, args.seeds)
    seconds = time.perf_counter() - begin
    subsets = [
        {
            "fraction": fraction,
            "percent": percent_name(100 * fraction),
            "seed": seed,
            "n": len(choice.rows),
            "ids": [ids[row] for row in choice.rows],
            "gains": None if choice.gains is None else [round(gain, 9) for gain in choice.gains],
            **statistics(choice, truth, asked_for),
        }
        for (fraction, seed), choice in choices.items()
    ]
    summary = {"name": args.name, "stage": args.stage, "n_pool": len(pool), "subsets": subsets}
    with whole_folder(args.subsets_out) as folder:
        write_subsets(folder, pool, choices)
        write_json(folder / "selection.json", summary)
    write_metrics(args.measured_out, measured_rows(subsets, args.paper, args.pair, args.model_name, args.name))
    write_json(args.run_out, {"seconds": round(seconds, 3), "n_pool": len(pool), "name": args.name})
    for subset in subsets:
        logger.info(
            "%s, %s, seed %d: %d of %d rows", args.name, subset["percent"], subset["seed"], subset["n"], len(pool)
        )


if __name__ == "__main__":
    run_step(main)
