"""Benchmark of the scorer: pairs scored per second beside the released scheme, lm-eval, CTranslate2 and a floor.

All run in one process on one machine, same dtype and threads, turn by turn, each reference at its own best batch
size; ratios are medians over the turns, so that a busy moment hits all alike. Ours includes the prefix; laying out the
continuations, done once for all prefixes, is left out (as is padding for the released scheme).
"""

from __future__ import annotations

import argparse
import logging
from functools import partial
from typing import Any, Sequence

from scripts.bench.results import add_bench_flags, make_result, reference_entry, speed, take_turns
from scripts.bench.workload import add_shared_flag, workloads
from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json

TOLERANCE = 1e-5  # nats per answer token
ROUNDED = ("ctranslate2_int8",)  # scores otherwise, because its weights are rounded to eight bits: told, not refused
MEMORY_CANDIDATES = (100, 10_000)
BATCH_TOKENS = 2048  # fastest of 512, 1,024, 2,048 and 4,096 on two cores


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_bench_flags(parser, repeats=5)
    add_shared_flag(parser)
    parser.add_argument("--batch-tokens", type=int, default=BATCH_TOKENS, help="tokens per row of our scorer")
    parser.add_argument("--skip-memory", action="store_true", help="leave out the memory check (about a minute)")
    return parser.parse_args(argv)


def measure(work: Any, threads: int, repeats: int, batch_tokens: int) -> dict[str, Any]:
    """Return the result for one model in the common benchmark schema."""
    from scripts.bench.references import (
        BATCH_SIZES,
        FLOOR_TILES,
        CTranslate2,
        Floor,
        LmEval,
        Released,
        fastest,
        worst_difference,
    )
    from scripts.lm.score import Scorer

    scorer = Scorer(work.model, batch_tokens=batch_tokens)
    packed = scorer.pack(work.pairs)
    peers = {
        "released": Released(work),
        "lm_eval": LmEval(work),
        "ctranslate2": CTranslate2(work, "float32", threads),
        "ctranslate2_int8": CTranslate2(work, "int8", threads),
    }
    floor = Floor(work, int(packed.n_tokens.sum()))
    logging.info("%s: %s", work.name, work.sizes)
    best: dict[str, Any] = {
        name: fastest({size: partial(peer.run, size) for size in BATCH_SIZES}) for name, peer in peers.items()
    }
    best["floor"] = fastest({tile: partial(floor.run, tile) for tile in FLOOR_TILES}, patience=len(FLOOR_TILES))
    rows = fastest({(tile[0],): partial(floor.run, tile) for tile in FLOOR_TILES if tile[1] is None})
    sums = scorer.score(work.prefix_ids, packed).logprob_sums
    differences: dict[str, float | None] = {
        **{name: worst_difference(sums, peer.run(best[name]), packed.n_tokens) for name, peer in peers.items()},
        "floor": None,
        "floor_by_rows": None,
    }
    tasks = {
        "ours": lambda: scorer.score(work.prefix_ids, packed),
        "floor": lambda: floor.run(best["floor"]),
        "floor_by_rows": lambda: floor.run((rows[0], None)),
        **{name: partial(peer.run, best[name]) for name, peer in peers.items()},
    }
    times = take_turns(tasks, repeats)
    best["floor_by_rows"] = (rows[0], None)
    n_pairs = len(work.pairs)
    references = {
        name: reference_entry(times, name, n_pairs, difference, best_batch=best[name])
        for name, difference in differences.items()
    }
    sizes = {**work.sizes, "repeats": repeats, "batch_tokens": batch_tokens}
    dtype = str(work.model.dtype).replace("torch.", "")
    ours = speed(times["ours"], n_pairs)
    return make_result("scorer", work.name, "pairs per second", ours, references, sizes, threads, dtype)


def table(result: dict[str, Any]) -> list[str]:
    """Return a result as lines of text."""
    sizes = result["sizes"]
    lines = [
        f"{result['model']}: {sizes['pairs']} pairs, prefix {sizes['prefix_tokens']}, {sizes['tokens']} tokens,"
        f" {sizes['answer_tokens']} of answers; {result['dtype']}, {result['threads']} threads, {result['machine']}",
        f"  {'ours':<14} {result['ours']:>9.2f} {result['unit']}",
    ]
    for name, entry in result["references"].items():
        difference = entry["max_abs_diff"]
        equal = "" if difference is None else f", differs by {difference:.1e} nats per answer token at most"
        lines.append(
            f"  {name:<14} {entry['value']:>9.2f}   {entry['ratio']:.2f} = {entry['ratio_is']}"
            f" (best batch {entry['best_batch']}){equal}"
        )
    return lines


def check_equality(result: dict[str, Any]) -> None:
    """Raise `UserError` if a reference scores otherwise than we do: then the speeds say nothing."""
    for name, entry in result["references"].items():
        if name in ROUNDED or entry["max_abs_diff"] is None:
            continue
        if not entry["max_abs_diff"] <= TOLERANCE:
            raise UserError(
                f"{result['model']}: {name} differs by {entry['max_abs_diff']:.2e} nats per answer token, more than"
                f" {TOLERANCE}; the result is not written"
            )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure both models, check equality and memory, write the JSON."""
    args = parse_args(argv)
    import torch

    torch.set_num_threads(args.threads)
    from scripts.bench.peak import peak_mib

    results = [measure(work, args.threads, args.repeats, args.batch_tokens) for work in workloads(args.shared)]
    for result in results:
        check_equality(result)
    if not args.skip_memory:
        peaks = {str(n): round(peak_mib(n), 1) for n in MEMORY_CANDIDATES}
        results[0]["peak_memory_mib"] = peaks
    write_json(args.metrics_out, {**results[0], "also": results[1:]})
    for result in results:
        for line in table(result):
            logging.info(line)
    if not args.skip_memory:
        logging.info("peak memory, MiB by candidates scored: %s", peaks)


if __name__ == "__main__":
    run_step(main)
