"""Measure what a method's subsets are worth by the submodular objectives, on the utility kernel of pool and model.

Every method is held against the same kernel, whatever it chose by: DELIFT, section 3.2.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json
from scripts.common.metrics import metric_row, write_metrics
from scripts.common.settings import parse_settings
from scripts.data.schemas import read_examples
from scripts.delift.comparison import CHOICES, PAPER
from scripts.selection.choosing import STAGE_OBJECTIVES, Method
from scripts.selection.facility_location import value_of
from scripts.selection.kernels import read_kernel
from scripts.selection.ways import build_objective

logger = logging.getLogger(__name__)


def objective_values(
    subsets: Sequence[Mapping[str, Any]], ids: Sequence[str], kernel: str, reference: str | None, method: Method
) -> list[dict[str, float]]:
    """Return each subset's value of the objectives that the kernels allow; equal subsets are computed once.

    subsets: of selection.json; ids: of the pool; kernel: (targets, pool); reference: (targets, reference) or None, with
    which all three objectives have a value. Raises `UserError` for a chosen row that is not in the pool.
    """
    matrix = read_kernel(kernel, None, len(ids))
    names = tuple(STAGE_OBJECTIVES.values()) if reference else (STAGE_OBJECTIVES[1],)
    objectives = {
        name: build_objective(
            name, matrix, lambda: read_kernel(reference or "", len(matrix), None), eta=method.eta, nu=method.nu
        )
        for name in names
    }
    place = {row: index for index, row in enumerate(ids)}
    known: dict[tuple[str, ...], dict[str, float]] = {}
    for subset in subsets:
        chosen = tuple(subset["ids"])
        if lost := [row for row in chosen if row not in place]:
            raise UserError(f"--subsets: row '{lost[0]}' is not in --pool; choose from that pool again")
        if chosen not in known:
            rows = np.array([place[row] for row in chosen], dtype=np.int64)
            known[chosen] = {name: round(value_of(one, rows), 9) for name, one in objectives.items()}
    return [known[tuple(subset["ids"])] for subset in subsets]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", required=True, help="instruction rows that were chosen from (JSON lines)")
    parser.add_argument("--subsets", required=True, help="folder of select_subset")
    parser.add_argument("--kernel", required=True, help="utility kernel (targets, pool)")
    parser.add_argument("--reference-kernel", help="its reference part, where the pair has a reference set")
    parser.add_argument("--pair", required=True, help="name of the dataset pair")
    parser.add_argument("--model-name", required=True, help="name of the model for which is chosen")
    parser.add_argument("--name", required=True, help="the method's name")
    parser.add_argument("--method", required=True, help='JSON: {"by": ...} and options')
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every subset of one method."""
    args = parse_args(argv)
    method = parse_settings(Method, args.method, "--method")
    ids = [row["id"] for row in read_examples(args.pool, "instruction")]
    subsets = read_json(Path(args.subsets) / "selection.json")["subsets"]
    values = objective_values(subsets, ids, args.kernel, args.reference_kernel, method)
    rows = []
    for subset, found in zip(subsets, values):
        about = (f"{args.pair}/{subset['percent']}", args.model_name, args.name, subset["seed"])
        rows += [metric_row(PAPER, CHOICES, *about, f"objective_{name}", found[name], subset["n"]) for name in found]
    write_metrics(args.measured_out, rows)
    logger.info("%s: %d values of %d subsets", args.name, len(rows), len(subsets))


if __name__ == "__main__":
    run_step(main)
