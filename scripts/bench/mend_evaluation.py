"""Benchmark of MEND's evaluation: one task's queries answered beside re-encoding the demonstrations for every option.

64 queries of 4 options behind 16 demonstrations, on the shipped mini model. Ours runs the demonstrations once and all
queries and options behind them; the reference runs demonstrations, query and option anew for every option, as the
release does, at its own best batch size. Both must choose and score alike, or nothing is written.
"""

from __future__ import annotations

import argparse
import logging
import random
from functools import partial
from pathlib import Path
from typing import Any, Sequence

import numpy as np

from scripts.bench.references import fastest
from scripts.bench.results import add_bench_flags, make_result, reference_entry, speed, take_turns
from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json
from scripts.common.seeding import derive_seed

MODEL = Path("resources/mini/causal")
DEMONSTRATIONS, QUERIES, OPTIONS = 16, 64, 4
BATCH_SIZES = (1, 4, 16, 64)
TOLERANCE = 1e-4  # nats per answer token


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_bench_flags(parser, repeats=5)
    parser.add_argument("--batch-tokens", type=int, default=2048, help="tokens per row of our scorer")
    return parser.parse_args(argv)


def synthetic_task(seed: int) -> list[dict[str, Any]]:
    """Return demonstrations and queries of one task of the synthetic world, as rows of the classification schema."""
    from scripts.data.synthetic_documents import classification_text
    from scripts.data.synthetic_words import LABELS, build_world

    world = build_world()
    rng = random.Random(derive_seed(seed, "bench", "mend"))
    topics, labels = rng.sample(world.trained_topics, OPTIONS), rng.sample(LABELS, OPTIONS)
    rows = []
    for number in range(DEMONSTRATIONS + QUERIES):
        kind = number % OPTIONS
        text = " ".join(word for word, _ in classification_text(world, topics[kind], rng))
        rows.append({"task": "bench", "input": text, "output": labels[kind], "options": labels})
    return rows


class Reencode:
    """Every option of every query with the demonstrations before it, padded on the right, all logits computed."""

    def __init__(self, model: Any, prefix: Sequence[int], items: Sequence[Any]) -> None:
        self.model = model
        self.rows = [([*prefix, *item.query_ids, *item.answer_ids], len(item.answer_ids)) for item in items]

    def run(self, batch: int) -> np.ndarray:
        """Return the mean log-probability per token of every option."""
        import torch

        means = []
        for start in range(0, len(self.rows), batch):
            part = self.rows[start : start + batch]
            width = max(len(ids) for ids, _ in part)
            ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in part])
            mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row, _ in part])
            with torch.no_grad():
                logprobs = self.model(input_ids=ids, attention_mask=mask).logits.log_softmax(-1)
            for number, (row, n_answer) in enumerate(part):
                places = range(len(row) - n_answer, len(row))
                means.append(sum(float(logprobs[number, at - 1, row[at]]) for at in places) / n_answer)
        return np.array(means)


def measure(repeats: int, threads: int, batch_tokens: int) -> dict[str, Any]:
    """Return the result in the common benchmark schema."""
    from scripts.lm.load import load_model
    from scripts.lm.score import Scorer
    from scripts.mend.demonstrations import Encoder, PromptFormat, join
    from scripts.mend.scoring import Queries

    if not MODEL.is_dir():
        raise UserError(f"{MODEL}: no such folder; run the benchmark from the repository's root")
    loaded = load_model(str(MODEL), dtype="float32", device="cpu", threads=threads)
    form = PromptFormat("direct", " Label:", "\n", True, 256, 1024, 900)
    encoder, rows = Encoder(loaded.tokenizer, form), synthetic_task(0)
    prefix = join([encoder.example(row) for row in rows[:DEMONSTRATIONS]], form.llm_room).ids
    scorer = Scorer(loaded.model, batch_tokens=batch_tokens)
    queries = Queries(scorer, encoder, rows[DEMONSTRATIONS:], "bench")
    again = Reencode(loaded.model, prefix, queries.packed.continuations)
    best = fastest({size: partial(again.run, size) for size in BATCH_SIZES})
    ours, theirs = np.concatenate(queries.scores(scorer.prefill(prefix))), again.run(best)
    difference = float(np.abs(ours - theirs).max())
    if not difference <= TOLERANCE:
        raise UserError(f"reencode differs by {difference:.2e} nats per token; the result is not written")
    tasks = {"ours": lambda: queries.scores(scorer.prefill(prefix)), "reencode": lambda: again.run(best)}
    times = take_turns(tasks, repeats)
    references = {"reencode": reference_entry(times, "reencode", QUERIES, difference, best_batch=best)}
    sizes = {
        "queries": QUERIES,
        "options": OPTIONS,
        "demonstrations": DEMONSTRATIONS,
        "prefix_tokens": len(prefix),
        "repeats": repeats,
        "batch_tokens": batch_tokens,
    }
    ours = speed(times["ours"], QUERIES)
    return make_result("mend_evaluation", str(MODEL), "queries per second", ours, references, sizes, threads)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, check equality, write the JSON."""
    args = parse_args(argv)
    result = measure(args.repeats, args.threads, args.batch_tokens)
    write_json(args.metrics_out, result)
    entry = result["references"]["reencode"]
    logging.info(
        "mend_evaluation: ours %.1f %s, reencode %.1f (batch %s): %.1f times as fast, scores within %.1e nats",
        result["ours"], result["unit"], entry["value"], entry["best_batch"], entry["ratio"], entry["max_abs_diff"],
    )  # fmt: skip


if __name__ == "__main__":
    run_step(main)
