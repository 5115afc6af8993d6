"""Benchmark of the in-context evaluation: queries a second behind one long prompt of demonstrations.

100 queries on about 1,000 tokens of demonstrations. Ours: `scripts.ddg.in_context`, the demonstrations run once, the
queries packed behind them. Reference `uncached`: as LongICLBench's scripts ask, one query at a time with the whole
prompt, transformers' `generate` with its cache within the query. Both write the answers and score the labels' log-
probabilities; answers must be equal and log-probabilities agree. Model: the shipped mini_causal.
"""

from __future__ import annotations

import argparse
import logging
import random
from typing import Any, Sequence

import numpy as np

from scripts.bench.results import add_bench_flags, make_result, reference_entry, speed, take_turns
from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json

TOLERANCE = 1e-3
SIZES = {"queries": 100, "prefix_tokens": 1000, "query_words": 8, "labels": 20, "new_tokens": 4}
MODEL = "resources/mini/causal"
LEAD = " "


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_bench_flags(parser, repeats=3)
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
    from scripts.lm.load import load_model

    work = Work(load_model(MODEL, dtype="float32", device="cpu", threads=args.threads), SIZES)
    difference = compare(work)
    times = take_turns({"ours": lambda: run_ours(work), "uncached": lambda: run_uncached(work)}, args.repeats)
    uncached = reference_entry(times, "uncached", SIZES["queries"], difference, digits=3)
    ours, sizes = speed(times["ours"], SIZES["queries"], 3), {**SIZES, "repeats": args.repeats}
    model, unit = "mini_causal (Llama, 4 x 128)", "queries per second"
    write_json(args.metrics_out, make_result("ddg_icl", model, unit, ours, {"uncached": uncached}, sizes, args.threads))
    logging.info(
        "ours %.1f, uncached %.1f queries per second: %.1f times; equal answers, differ by %.1e nats at most",
        ours,
        uncached["value"],
        uncached["ratio"],
        difference,
    )


if __name__ == "__main__":
    run_step(main)
