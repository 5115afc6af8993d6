"""Score one block of columns of the utility matrix: how much each example helps the model on every target.

Columns are the rows of the pool, then those of the reference set (stage 2: the query set; stage 3: the data at hand).
A killed run goes on where it stopped when it is started again with the same settings, and ends with the same bytes.
DELIFT, section 3.1; the quantities are defined in `scripts.delift.utility`.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import shutil
import time
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json
from scripts.common.step_parser import StepParser
from scripts.common.tensors import write_array
from scripts.data.schemas import read_examples
from scripts.delift.settings_choose import UtilitySettings
from scripts.delift.utility import UtilityScorer
from scripts.delift.utility_prompts import describe
from scripts.lm.flags import add_model_flags, model_options
from scripts.lm.shards import digest_of, digest_of_code, score_in_chunks, scratch_folder

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--pool", required=True, help="candidates: instruction rows (JSON lines)")
    parser.add_argument("--reference", help="query set (stage 2) or data at hand (stage 3), in the same form")
    parser.add_argument("--targets", required=True, help="what is to be predicted: the pool itself or a validation set")
    parser.add_argument("--start", required=True, type=int, help="first column of the block, counted from 0")
    parser.add_argument("--stop", required=True, type=int, help="column after the last one; may be past the end")
    add_model_flags(parser)
    parser.add_settings(UtilitySettings)
    parser.add_argument("--block-out", required=True, help="utilities before scaling, (columns, targets) float32 .npy")
    parser.add_argument("--summary-out", required=True, help="JSON: which columns and targets, counts, distances")
    parser.add_argument("--run-out", required=True, help="JSON: seconds that scoring took")
    return parser.parse_args(argv)


def read_columns(pool: str, reference: str | None) -> list[tuple[str, dict[str, Any]]]:
    """Return (set, row) of every column: the pool's rows, then the reference set's."""
    columns = [("pool", row) for row in read_examples(pool, "instruction")]
    if reference:
        columns += [("reference", row) for row in read_examples(reference, "instruction")]
    return columns


def score_block(
    loaded: LoadedModel,
    columns: Sequence[tuple[str, Mapping[str, str]]],
    targets: Sequence[Mapping[str, str]],
    settings: UtilitySettings,
    output: str,
) -> tuple[Any, dict[str, Any], Any]:
    """Return the block (columns, targets) float32, its summary, and the scratch folder for the caller to remove."""
    scorer = UtilityScorer(loaded, targets, settings)
    logger.info(describe(scorer.targets))
    examples = [scorer.encoder.example(row) for _, row in columns]
    folder = scratch_folder(output, _key(loaded, scorer, examples))
    block = score_in_chunks(examples, scorer.column, len(targets), folder)
    counts = scorer.counts(examples)
    if counts["n_pairs_truncated"]:
        logger.warning("%(n_pairs_truncated)d of %(n_pairs)d pairs are cut, %(n_pairs_empty)d to nothing", counts)
    empty = int((scorer.n_tokens == 0).sum())
    if empty:
        logger.warning("%d of %d targets have no response token: they have no utility", empty, len(targets))
    summary = {
        "columns": [[part, row["id"]] for part, row in columns],
        "targets": [
            {"id": row["id"], "n_tokens": int(n), "distance": round(float(distance), 9)}
            for row, n, distance in zip(targets, scorer.n_tokens, scorer.distances)
        ],
        "settings": settings.given(),
        **counts,
    }
    return block, summary, folder


def _key(loaded: LoadedModel, scorer: UtilityScorer, examples: Sequence[tuple[int, ...]]) -> dict[str, Any]:
    """Return all that the numbers depend on."""
    import torch
    import transformers

    from scripts.lm.checkpoints import digest_of_model

    return {
        "settings": scorer.settings.given(),
        "examples": digest_of([list(ids) for ids in examples]),
        "targets": digest_of([list(map(list, dataclasses.astuple(target))) for target in scorer.targets]),
        "model": digest_of_model(loaded.model),
        "code": digest_of_code("scripts/delift/score_utility.py"),
        "compute": [str(loaded.dtype), str(loaded.device), torch.get_num_threads()],
        "versions": [torch.__version__, transformers.__version__],
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Score one block and write it with its summary."""
    args = parse_args(argv)
    settings: UtilitySettings = args.settings
    columns = read_columns(args.pool, args.reference)
    targets = read_examples(args.targets, "instruction")
    if not 0 <= args.start < min(args.stop, len(columns)):
        raise UserError(
            f"--start {args.start} --stop {args.stop}: none of the {len(columns)} columns lies between; "
            f"give 0 <= start < stop and a start below {len(columns)}"
        )
    from scripts.lm.load import load_model

    loaded = load_model(**model_options(args))
    begin = time.perf_counter()
    block, summary, scratch = score_block(loaded, columns[args.start : args.stop], targets, settings, args.block_out)
    write_array(args.block_out, block)
    write_json(args.summary_out, {"start": args.start, **summary})
    write_json(args.run_out, {"seconds": time.perf_counter() - begin})
    shutil.rmtree(scratch)


if __name__ == "__main__":
    run_step(main)
