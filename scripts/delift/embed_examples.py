"""Embed instruction rows: one vector each, for DELIFT (SE), DEFT-UCS, and the nearest examples of in-context learning.

The released code takes the first token's state of a BGE encoder, scaled to length 1 (DELIFT, section 4.1). One
job embeds several files with one model.
"""

from __future__ import annotations

import argparse
import logging
import time
from typing import TYPE_CHECKING, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json
from scripts.common.step_parser import StepParser
from scripts.common.tensors import write_tensors
from scripts.data.schemas import read_examples
from scripts.delift.settings_choose import EmbedSettings
from scripts.lm.flags import add_model_flags, model_options
from scripts.lm.prompts import Prompt

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--examples", required=True, nargs="+", help="files of instruction rows (JSON lines)")
    parser.add_argument(
        "--queries", help="instruction rows of which the prompt alone is embedded: they ask for neighbours"
    )
    add_model_flags(parser, family="required")
    parser.add_settings(EmbedSettings)
    parser.add_argument(
        "--embeddings-out", required=True, nargs="+", help="one safetensors file for each of --examples"
    )
    parser.add_argument("--queries-out", help="safetensors file for --queries")
    parser.add_argument("--run-out", required=True, help="JSON: seconds that embedding --examples took")
    return parser.parse_args(argv)


def text_of(row: Mapping[str, str], prompt: Prompt, output: str) -> str:
    """Return the text that stands for a row."""
    return prompt.query(row) + output.replace("{output}", prompt.field(row, "output"))


def embed_rows(loaded: LoadedModel, rows: Sequence[Mapping[str, str]], settings: EmbedSettings) -> np.ndarray:
    """Return the rows' vectors, (n, d) float32. Raises `UserError` for a vector of length 0 that is to be scaled."""
    from scripts.lm.embed import embed

    prompt = Prompt.from_config(settings.prompt.given())
    vectors = embed(
        loaded,
        [text_of(row, prompt, settings.output) for row in rows],
        pooling=settings.pooling,
        max_tokens=min(settings.max_tokens, loaded.window),
        batch_tokens=settings.batch_tokens,
    )
    if not settings.normalise:
        return vectors
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (lengths > 0).all():
        row = rows[int(np.flatnonzero(lengths[:, 0] == 0)[0])]
        raise UserError(f"row '{row['id']}': its vector has length 0 and cannot be scaled; set normalise to false")
    return vectors / lengths


def main(argv: Sequence[str] | None = None) -> None:
    """Embed every file."""
    args = parse_args(argv)
    settings: EmbedSettings = args.settings
    if len(args.examples) != len(args.embeddings_out):
        raise UserError(
            f"--examples: {len(args.examples)} files, --embeddings-out: {len(args.embeddings_out)}; give one for each"
        )
    if (args.queries is None) != (args.queries_out is None):
        raise UserError("--queries-out: give it with --queries, and only then")
    sets = [read_examples(path, "instruction") for path in args.examples]
    from scripts.lm.load import load_model

    loaded = load_model(**model_options(args))
    start = time.perf_counter()
    for path, rows in zip(args.embeddings_out, sets):
        write_tensors(path, {"embeddings": embed_rows(loaded, rows, settings)}, ids=[row["id"] for row in rows])
        logger.info("%s: %d rows", path, len(rows))
    write_json(args.run_out, {"seconds": time.perf_counter() - start})
    if args.queries is not None:
        rows = read_examples(args.queries, "instruction")
        vectors = embed_rows(loaded, rows, settings.model_copy(update={"output": ""}))
        write_tensors(args.queries_out, {"embeddings": vectors}, ids=[row["id"] for row in rows])


if __name__ == "__main__":
    run_step(main)
