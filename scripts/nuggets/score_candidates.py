"""Score one shard of a pool: the golden score of each candidate against the anchors (NUGGETS, arXiv 2312.10302).

Writes one row a candidate and the raw sums behind it. A killed run goes on where it stopped when it is started again
with the same settings, and ends with the same bytes.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json, write_jsonl
from scripts.common.step_parser import StepParser
from scripts.common.tensors import write_tensors
from scripts.data.schemas import read_examples
from scripts.lm.flags import add_model_flags, model_options
from scripts.lm.shards import digest_of, digest_of_code, score_in_chunks, scratch_folder
from scripts.nuggets.golden import (
    GoldenScorer,
    add_pad_word,
    describe_anchors,
    summarise,
    summarise_skipped,
)
from scripts.nuggets.prompting import describe_fits
from scripts.nuggets.settings_score import ScoreSettings

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's settings."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--pool", required=True, help="candidates: instruction rows (JSON lines)")
    parser.add_argument("--anchors", required=True, help="anchors: instruction rows (JSON lines)")
    add_model_flags(parser)
    parser.add_argument("--start", required=True, type=int, help="first candidate of the shard, counted from 0")
    parser.add_argument("--stop", required=True, type=int, help="candidate after the last one; may be past the end")
    parser.add_settings(ScoreSettings)
    parser.add_argument("--scores-out", required=True, help="one row a candidate (JSON lines)")
    parser.add_argument("--raw-out", required=True, help="the sums behind the scores (safetensors)")
    parser.add_argument("--run-out", help="JSON: seconds that scoring took")
    return parser.parse_args(argv)


def score_shard(
    loaded: LoadedModel,
    candidates: Sequence[Mapping[str, str]],
    anchors: Sequence[Mapping[str, str]],
    settings: ScoreSettings,
    output: str,
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray], Path]:
    """Return the rows, the raw arrays and the scratch folder of a shard; the caller removes the folder in the end.

    If a run with the same inputs was killed, the scratch folder beside `output` holds what it had finished.

    Raw: zero_shot (K,), one_shot (n, K) float32 sums of log-probabilities in nats (NaN where not evaluated), n_tokens
    (K,) int32 scored answer tokens. Raises `UserError` for an anchor or a candidate that does not fit the window.
    """
    scorer = GoldenScorer(loaded, anchors, settings)
    level = logging.INFO if scorer.n_tokens.all() else logging.WARNING
    logger.log(level, describe_anchors(scorer.anchors))
    read = [scorer.encode(row) for row in candidates]
    encoded = [one.ids for one in read]
    left_out = describe_fits([one.fit for one in read])
    if left_out:
        logger.warning(left_out)
    nothing = np.full(len(anchors), np.nan, dtype=np.float32)
    folder = scratch_folder(output, _key(loaded, scorer, encoded))
    one_shot = score_in_chunks(
        encoded, lambda ids: nothing if ids is None else scorer.one_shot(ids), len(anchors), folder
    )
    rows = []
    for row, sums, one in zip(candidates, one_shot, read):
        summary = (
            summarise_skipped(len(anchors))
            if one.ids is None
            else summarise(scorer.zero_shot, sums, scorer.n_tokens, settings.racing)
        )
        rows.append({"id": row["id"], "fit": one.fit, **summary})
    return rows, {"zero_shot": scorer.zero_shot, "one_shot": one_shot, "n_tokens": scorer.n_tokens}, folder


def _key(loaded: LoadedModel, scorer: GoldenScorer, encoded: Sequence[tuple[int, ...] | None]) -> dict[str, Any]:
    """Return all that the sums depend on."""
    import torch
    import transformers

    from scripts.lm.checkpoints import digest_of_model

    return {
        "settings": scorer.settings.given(),
        "candidates": digest_of([list(ids) if ids is not None else None for ids in encoded]),
        "anchors": digest_of([[list(anchor.query_ids), list(anchor.answer_ids)] for anchor in scorer.anchors]),
        "model": digest_of_model(loaded.model),
        "code": digest_of_code("scripts/nuggets/score_candidates.py"),
        "compute": [str(loaded.dtype), str(loaded.device), torch.get_num_threads()],
        "versions": [torch.__version__, transformers.__version__],
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Score one shard and write its rows and raw sums."""
    args = parse_args(argv)
    settings: ScoreSettings = args.settings
    pool = read_examples(args.pool, "instruction")
    anchors = read_examples(args.anchors, "instruction")
    if not 0 <= args.start < min(args.stop, len(pool)):
        raise UserError(
            f"--start {args.start} --stop {args.stop}: no candidate of {args.pool} ({len(pool)} rows) lies between; "
            f"give 0 <= start < stop and a start below {len(pool)}"
        )
    from scripts.lm.load import load_model

    loaded = load_model(**model_options(args))
    if settings.pad_word:
        add_pad_word(loaded)
    candidates = pool[args.start : args.stop]
    begin = time.perf_counter()
    rows, raw, scratch = score_shard(loaded, candidates, anchors, settings, args.scores_out)
    shard = {
        "start": args.start,
        "stop": args.start + len(candidates),
        "anchors": [row["id"] for row in anchors],
        "settings": settings.given(),
    }
    write_tensors(args.raw_out, raw, shard=shard)
    write_jsonl(args.scores_out, rows)
    if args.run_out:
        write_json(args.run_out, {"seconds": time.perf_counter() - begin})
    shutil.rmtree(scratch)


if __name__ == "__main__":
    run_step(main)
