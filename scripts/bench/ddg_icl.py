"""Benchmark of the in-context evaluation: queries a second behind one long prompt of demonstrations.

100 queries on about 1,000 tokens of demonstrations. Ours: `scripts.ddg.in_context`, the demonstrations run once, the
queries packed behind them. Reference `uncached`: as LongICLBench's scripts ask, one query at a time with the whole
prompt, transformers' `generate` with its cache within the query. Both write the answers and score the labels' log-
probabilities; answers must be equal and log-probabilities agree. Model: the shipped mini_causal.
"""

from __future__ import annotations

import argparse
import datetime
import logging
import os
import random
import statistics
from typing import Any, Sequence

import numpy as np

from scripts.bench.scorer import machine
from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json

TOLERANCE = 1e-3
SIZES = {"queries": 100, "prefix_tokens": 1000, "query_words": 8, "labels": 20, "new_tokens": 4}
MODEL = "resources/mini/causal"
LEAD = " "


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line. Unlike a step, a benchmark is run by hand, so all but the output has a default."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metrics-out", required=True, help="JSON file to write")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="torch's CPU threads")
    parser.add_argument("--repeats", type=int, default=3, help="turns; their medians are reported")
    return parser.parse_args(argv)


class Work:
    """A model, a long prompt of demonstrations, queries and labels; words drawn from the model's own."""

    def __init__(self, loaded: Any, sizes: dict[str, int], seed: int = 0) -> None:
        rng = random.Random(seed)
        tokenizer = loaded.tokenizer
        known = sorted(
            word
            for word, token in tokenizer.get_vocab().items()
            if word.isalpha() and tokenizer(word)["input_ids"] == [token]
        )
        self.loaded, self.sizes = loaded, sizes
        self.labels = rng.sample(known, sizes["labels"])

        def text() -> str:
            return " ".join(rng.choices(known, k=sizes["query_words"])) + " Label:"

        self.prefix = ""
        while len(tokenizer(self.prefix)["input_ids"]) < sizes["prefix_tokens"]:
            self.prefix += f"{text()} {rng.choice(self.labels)}\n"
        self.queries = [text() for _ in range(sizes["queries"])]


def run_ours(work: Work) -> tuple[list[str], np.ndarray]:
    """Return the written answers and the labels' log-probabilities, (queries, labels)."""
    from scripts.ddg.in_context import Reader

    reader = Reader(work.loaded, 2048)
    prefix = reader.extend(work.prefix)
    answers = reader.write(prefix, work.queries, work.sizes["new_tokens"])
    return answers, reader.label_scores(prefix, work.queries, LEAD, work.labels, "sum")


def run_uncached(work: Work) -> tuple[list[str], np.ndarray]:
    """Return the same, every query with its whole prompt and by itself."""
    import torch

    tokenizer, model = work.loaded.tokenizer, work.loaded.model
    labels = [tokenizer(label)["input_ids"][0] for label in work.labels]
    answers, scores = [], []
    for query in work.queries:
        ids = torch.tensor([tokenizer(work.prefix + query)["input_ids"]])
        with torch.inference_mode():
            written = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=work.sizes["new_tokens"],
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
                output_logits=True,
                return_dict_in_generate=True,
            )
        answers.append(tokenizer.decode(written.sequences[0, ids.shape[1] :], skip_special_tokens=True))
        scores.append(written.logits[0][0].double().log_softmax(-1)[labels].numpy())
    return answers, np.stack(scores)


def compare(work: Work) -> float:
    """Return the largest difference of log-probabilities. Raises `UserError` if they or the answers disagree."""
    (one, ours), (other, theirs) = run_ours(work), run_uncached(work)
    difference = float(np.abs(ours - theirs).max())
    if one != other or not difference <= TOLERANCE:
        unequal = sum(a != b for a, b in zip(one, other))
        raise UserError(
            f"ddg_icl: {unequal} answers differ, log-probabilities by {difference:.1e}; the result is not written"
        )
    return difference


def main(argv: Sequence[str] | None = None) -> None:
    """Check equality, measure, write the JSON."""
    args = parse_args(argv)
    from scripts.bench.references import seconds
    from scripts.lm.load import load_model

    work = Work(load_model(MODEL, dtype="float32", device="cpu", threads=args.threads), SIZES)
    difference = compare(work)
    times: dict[str, list[float]] = {"ours": [], "uncached": []}
    for _ in range(args.repeats):
        times["ours"].append(seconds(lambda: run_ours(work)))
        times["uncached"].append(seconds(lambda: run_uncached(work)))
    rate = {name: round(SIZES["queries"] / statistics.median(own), 3) for name, own in times.items()}
    ratio = round(statistics.median(r / o for r, o in zip(times["uncached"], times["ours"])), 3)
    result = {
        "name": "ddg_icl",
        "model": "mini_causal (Llama, 4 x 128)",
        "unit": "queries per second",
        "ours": rate["ours"],
        "references": {
            "uncached": {
                "value": rate["uncached"],
                "ratio": ratio,
                "ratio_is": "speed of ours / speed of the reference",
                "max_abs_diff": difference,
            }
        },
        "sizes": {**SIZES, "repeats": args.repeats},
        "threads": args.threads,
        "dtype": "float32",
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
    }
    write_json(args.metrics_out, result)
    logging.info(
        "ours %.1f, uncached %.1f queries per second: %.1f times; equal answers, differ by %.1e nats at most",
        rate["ours"],
        rate["uncached"],
        ratio,
        difference,
    )


if __name__ == "__main__":
    run_step(main)
