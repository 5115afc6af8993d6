"""Answer queries with distilled demonstrations: vectors from `scripts.mend.distill_demonstrations`, a model, queries.

Each line of `--queries` is {"input": ..., "options": [...]}; without options, the labels of the demonstrations are the
choices. Each line of the answer adds `prediction` and `scores`, the options' mean log-probabilities per token in nats.
"""

from __future__ import annotations

import argparse
import logging
from typing import Any, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import numbered_jsonl, to_json, write_jsonl
from scripts.common.tensors import read_tensors
from scripts.lm.flags import add_model_flags, model_options
from scripts.mend.demonstrations import Encoder, parse_format
from scripts.mend.scoring import Queries, accuracy, best_option

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", required=True, help="file made by scripts.mend.distill_demonstrations")
    parser.add_argument(
        "--queries", required=True, help="JSON lines: input, and options if they differ from the labels"
    )
    add_model_flags(parser, family="causal")
    parser.add_argument("--batch-tokens", type=int, default=2048, help="tokens per row of the scorer (default: 2048)")
    parser.add_argument("--predictions-out", required=True, help="JSON lines: the queries with prediction and scores")
    return parser.parse_args(argv)


def read_queries(path: str, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return queries with the fields of the classification schema. Raises `UserError` naming line and field."""
    found = []
    for number, row in numbered_jsonl(path):
        if not isinstance(row.get("input"), str):
            raise UserError(f"{path}:{number}: field 'input' is missing or no text; every query needs one")
        options = row.get("options") or list(labels)
        if not isinstance(options, list) or not all(isinstance(option, str) and option for option in options):
            raise UserError(f"{path}:{number}: field 'options' must be a list of texts; mend it or leave it out")
        found.append({"task": "", "output": options[0], **row, "options": options})
    if not found:
        raise UserError(f"{path}: holds no queries; give one JSON object a line")
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Answer the queries of one file."""
    args = parse_args(argv)
    arrays, note = read_tensors(args.vectors, "vectors", note="mend")
    rows = read_queries(args.queries, note["labels"])
    import torch

    from scripts.lm.load import load_model
    from scripts.lm.score import Scorer
    from scripts.mend.distiller import tokenizer_digest
    from scripts.mend.llm import LargeModel

    large = LargeModel(load_model(**model_options(args)))
    if note["width"] != large.width or note["tokenizer"] != tokenizer_digest(large.tokenizer):
        raise UserError(
            f"{args.vectors}: made for a model of width {note['width']} with another tokenizer or size than"
            f" {args.model} (width {large.width}); distil the demonstrations for this model"
        )
    form = parse_format(to_json(note["format"]))
    scorer = Scorer(large.model, batch_tokens=args.batch_tokens)
    queries = Queries(scorer, Encoder(large.tokenizer, form), rows, args.queries)
    vectors = torch.from_numpy(arrays["vectors"]).to(large.device, large.dtype)
    scores = queries.scores(scorer.prefill(embeds=vectors))
    answers = [best_option(row["options"], values) for row, values in zip(rows, scores)]
    given = [row for _, row in numbered_jsonl(args.queries)]
    write_jsonl(
        args.predictions_out,
        (
            {**row, "options": full["options"], "prediction": answer, "scores": [float(f"{v:.6g}") for v in values]}
            for row, full, answer, values in zip(given, rows, answers, scores)
        ),
    )
    gold = [row.get("output") for row in given]
    if all(gold):
        logger.info("accuracy %.4f over %d queries", accuracy(answers, gold), len(gold))


if __name__ == "__main__":
    run_step(main)
