"""Score a pool by what is known without any demonstration: baselines beyond the paper.

`scripts.lm.difficulty` defines perplexity, instruction-following difficulty (IFD) and length.
"""

from __future__ import annotations

import argparse
import logging
import time
from typing import Sequence

from scripts.common.errors import run_step
from scripts.common.files import write_csv, write_json
from scripts.common.step_parser import StepParser
from scripts.data.schemas import read_examples
from scripts.lm.difficulty import DifficultySettings, score_difficulty
from scripts.lm.flags import add_model_flags, model_options
from scripts.nuggets.settings_score import difficulty_values

logger = logging.getLogger(__name__)

COLUMNS = ("id", "perplexity", "ifd", "length")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's settings."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--pool", required=True, help="instruction rows (JSON lines)")
    add_model_flags(parser)
    parser.add_settings(DifficultySettings, of=difficulty_values)
    parser.add_argument("--difficulty-out", required=True, help="id, perplexity, ifd, length (CSV)")
    parser.add_argument("--run-out", help="JSON: seconds that scoring took")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Score a pool and write its table, in the pool's order."""
    args = parse_args(argv)
    settings: DifficultySettings = args.settings
    rows = read_examples(args.pool, "instruction")
    from scripts.lm.load import load_model

    loaded = load_model(**model_options(args))
    begin = time.perf_counter()
    scored = score_difficulty(loaded, rows, settings)
    if args.run_out:
        write_json(args.run_out, {"seconds": time.perf_counter() - begin})
    n_undefined = sum(row["perplexity"] is None for row in scored)
    if n_undefined:
        logger.warning("%d rows have an empty answer or a query that fills the window: no perplexity", n_undefined)
    shown = [
        {**row, **{key: "" if row[key] is None else f"{row[key]:.9g}" for key in ("perplexity", "ifd")}}
        for row in scored
    ]
    write_csv(args.difficulty_out, shown, COLUMNS)


if __name__ == "__main__":
    run_step(main)
