"""Peak memory of scoring a stream of candidates, in a process of its own: it must not grow with their number."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from typing import Iterator, Sequence

from scripts.bench.peak import own_peak_mib
from scripts.common.seeding import generator

WORDS = 8_000
ANCHORS = 8


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, required=True, help="how many prefixes to score")
    return parser.parse_args(argv)


def score_stream(n_candidates: int) -> float:
    """Score random candidates before random anchors with a small random model; return the mean, to be checked."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from scripts.lm.score import Continuation, Scorer

    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = GPT2Config(n_layer=2, n_embd=64, n_head=2, vocab_size=WORDS, bos_token_id=0, eos_token_id=0)
    scorer = Scorer(GPT2LMHeadModel(config))
    draw = generator(0, "bench", "memory")
    anchors = [draw.integers(0, WORDS, 24).tolist() for _ in range(ANCHORS)]
    packed = scorer.pack([Continuation(tuple(ids[:16]), tuple(ids[16:])) for ids in anchors])

    def candidates() -> Iterator[list[int]]:
        for _ in range(n_candidates):
            yield draw.integers(0, WORDS, int(draw.integers(30, 61))).tolist()

    total = 0.0
    for ids in candidates():
        total += float(scorer.score(ids, packed).logprob_sums.mean())
    return total / n_candidates


def main(argv: Sequence[str] | None = None) -> None:
    """Score the stream and write the peak as one JSON line to standard output."""
    mean = score_stream(parse_args(argv).candidates)
    sys.stdout.write(json.dumps({"peak_mib": own_peak_mib(), "mean": mean}) + "\n")


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    main()
