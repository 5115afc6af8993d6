"""Answer queries with distilled demonstrations: vectors from `scripts.mend.distill_demonstrations`, a model, queries.

Each row of `--queries` is {"input": ..., "options": [...]}, in any form that `scripts.data.rows` reads; without
options, the labels of the demonstrations are the choices. A row may have its right answer, `output`, which must be one
of them: then the accuracy is told. Each line of the answer adds `prediction` and `scores`, the options' mean
log-probabilities per token in nats.
"""

from __future__ import annotations

import argparse
import logging
from typing import Any, Sequence

from scripts.common.errors import RowFault, UserError, run_step
from scripts.common.files import to_json, write_jsonl
from scripts.common.tensors import read_tensors
from scripts.data.labels import near_option, shown, text_of_number
from scripts.data.reader_base import each
from scripts.data.rows import Record, read_rows
from scripts.lm.flags import add_model_flags, model_options
from scripts.mend.demonstrations import Encoder, parse_format
from scripts.mend.scoring import Queries, accuracy, best_option

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", required=True, help="file made by scripts.mend.distill_demonstrations")
    parser.add_argument("--queries", required=True, help="rows: input, and options if they differ from the labels")
    add_model_flags(parser, family="causal")
    parser.add_argument("--batch-tokens", type=int, default=2048, help="tokens per row of the scorer (default: 2048)")
    parser.add_argument("--predictions-out", required=True, help="JSON lines: the queries with prediction and scores")
    return parser.parse_args(argv)


def read_queries(path: str, labels: Sequence[str]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return (row as it is in the file, row with the fields of the classification schema) of each query.

    The latter's `output` is an option where the row has no answer. Raises `UserError` that counts all faulty rows.
    """
    return each(read_rows(path), path, lambda record: (record.values, _query(record, labels)))


def _query(record: Record, labels: Sequence[str]) -> dict[str, Any]:
    row = record.values
    if not isinstance(row.get("input"), str):
        raise RowFault(record.place, "field 'input' is missing or no text; every query needs one")
    options = row.get("options") or list(labels)
    if not isinstance(options, list) or not all(isinstance(option, str) and option for option in options):
        raise RowFault(record.place, "field 'options' must be a list of texts; mend it or leave it out")
    output = gold_answer(record)
    if output is not None and output not in options:
        near = near_option(output, options)
        raise RowFault(
            record.place,
            f"field 'output' is '{output:.60}', none of the options ({shown(options)}){near}; mend the row",
        )
    return {**row, "task": "", "output": options[0] if output is None else output, "options": options}


def gold_answer(record: Record) -> str | None:
    """Return the right answer of a query as text, None where it has none. Raises `RowFault` for what is no text."""
    value = record.values.get("output")
    if value is None or value == "":
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return text_of_number(value)
    if not isinstance(value, str):
        raise RowFault(record.place, f"field 'output' is {type(value).__name__}, not text; mend the row")
    return value


def main(argv: Sequence[str] | None = None) -> None:
    """Answer the queries of one file."""
    args = parse_args(argv)
    arrays, note = read_tensors(args.vectors, "vectors", note="mend")
    asked = read_queries(args.queries, note["labels"])
    rows = [row for _, row in asked]
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
    write_jsonl(
        args.predictions_out,
        (
            {**row, "options": full["options"], "prediction": answer, "scores": [float(f"{v:.6g}") for v in values]}
            for (row, full), answer, values in zip(asked, answers, scores)
        ),
    )
    known = [place for place, (row, _) in enumerate(asked) if row.get("output") not in (None, "")]
    if known:
        right = accuracy([answers[place] for place in known], [rows[place]["output"] for place in known])
        logger.info("accuracy %.4f over %d of %d queries, which have their answer", right, len(known), len(rows))


if __name__ == "__main__":
    run_step(main)
