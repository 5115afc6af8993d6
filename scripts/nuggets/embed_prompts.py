"""Embed the examples of a pool with the scoring model itself (NUGGETS: the step before K-means anchors).

# DEVIATION: the paper speaks of the prompts; the released code embeds the whole scoring text, answer included, and so
# do we. Its mean also runs over the padding to 512 tokens: pooling `mean_with_padding` does the same, `mean` does not.
"""

from __future__ import annotations

import argparse
import logging
from typing import Sequence

from scripts.common.errors import run_step
from scripts.common.step_parser import StepParser
from scripts.common.tensors import write_tensors
from scripts.data.schemas import read_examples
from scripts.lm.flags import add_model_flags, model_options
from scripts.lm.prompts import Prompt
from scripts.nuggets.settings_embed import EmbedSettings

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's settings."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--pool", required=True, help="instruction rows (JSON lines)")
    add_model_flags(parser)
    parser.add_settings(EmbedSettings)
    parser.add_argument("--embeddings-out", required=True, help="tensor `embeddings` (n, d) float32 (safetensors)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Embed a pool and write its matrix with the ids of its rows."""
    args = parse_args(argv)
    settings: EmbedSettings = args.settings
    prompt = Prompt.from_config(settings.prompt.given())
    rows = read_examples(args.pool, "instruction")
    from scripts.lm.embed import embed
    from scripts.lm.load import load_model

    loaded = load_model(**model_options(args))
    embeddings = embed(
        loaded,
        [prompt.of(loaded.tokenizer).full(row) for row in rows],
        pooling=settings.pooling,
        max_tokens=settings.max_tokens,
        batch_tokens=settings.batch_tokens,
    )
    logger.info("%d rows, %d features", *embeddings.shape)
    write_tensors(args.embeddings_out, {"embeddings": embeddings}, ids=[row["id"] for row in rows])


if __name__ == "__main__":
    run_step(main)
