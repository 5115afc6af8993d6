"""Distil your own demonstrations: a file of examples in, a small file of vectors out.

Each line of `--demonstrations` is {"task", "input", "output", "options"}; `scripts.mend.score_queries` answers queries
with the vectors. Demonstrations are written as the distiller knows them unless `--format` says otherwise.
"""

from __future__ import annotations

import argparse
import logging
from typing import Any, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import to_json
from scripts.common.tensors import write_tensors
from scripts.data.schemas import read_examples
from scripts.lm.flags import add_model_flags, model_options
from scripts.mend.demonstrations import Encoder, join_for_distiller, parse_format, split_groups
from scripts.mend.sampling import distiller_batches

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demonstrations", required=True, help="JSON lines of examples")
    parser.add_argument("--distiller", required=True, help="folder of a distiller")
    add_model_flags(parser, family="causal")
    parser.add_argument("--format", help="JSON: how examples become tokens (default: as the distiller was trained)")
    parser.add_argument("--groups", type=int, default=1, help="batches of demonstrations distilled apart (default: 1)")
    parser.add_argument("--vectors-out", required=True, help="safetensors: the vectors, and how to use them")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Distil one file of demonstrations."""
    args = parse_args(argv)
    rows = read_examples(args.demonstrations, "classification")
    from scripts.lm.load import load_model
    from scripts.mend.distiller import distil, load_distiller_for
    from scripts.mend.llm import LargeModel

    large = LargeModel(load_model(**model_options(args)))
    distiller = load_distiller_for(large, args.distiller, dtype=args.dtype, device=args.device, threads=args.threads)
    form = parse_format(args.format or to_json(distiller.info.format))
    encoder = Encoder(distiller.tokenizer, form)
    examples = encoder.examples(rows)
    batches = [join_for_distiller(part, form) for part in split_groups(examples, args.groups)]
    fitting = sum(batch.n_used for batch in batches)
    if fitting < len(rows):
        raise UserError(
            f"{args.demonstrations}: only {fitting} of {len(rows)} demonstrations fit the distiller's"
            f" {form.distiller_room} tokens; remove some, or distil them in batches with"
            f" {'' if args.groups == 1 else 'more '}--groups"
        )
    cut = sum(len(example.ids) for example in examples) - sum(len(batch.ids) for batch in batches)
    if cut:
        logger.warning("%d tokens of the last demonstrations' inputs do not fit and are cut", cut)
    vectors = distil(distiller, distiller_batches(examples, encoder, args.groups), large.device)
    note = {
        "format": {name: getattr(form, name) for name in form.__dataclass_fields__},
        "labels": sorted({row["output"] for row in rows}),
        "n_demonstrations": len(rows),
        "tokenizer": distiller.info.tokenizer,
        "width": distiller.info.width,
    }
    write_tensors(args.vectors_out, {"vectors": as_array(vectors)}, mend=note)
    logger.info("%d demonstrations -> %d vectors of width %d", len(rows), *vectors.shape)


def as_array(vectors: Any) -> Any:
    """Return vectors as a NumPy array of float32 (NumPy has no bfloat16)."""
    return vectors.detach().float().cpu().numpy()


if __name__ == "__main__":
    run_step(main)
