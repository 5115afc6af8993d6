"""Benchmark of the scorer on a GPU: candidates an hour, share of the device's matrix products, equality with float32.

Two models: a random one of Llama-7B's shape, as in NUGGETS, and one of your own (`--model`), such as SmolLM2. Each is
scored in bfloat16 with the 100 anchors behind several demonstrations. The rate beside it is that of the device's own
matrix products, 8,192 wide, measured in the same minute; no data sheet is asked. From the candidates an hour follows
what the paper's 52,002 candidates would take.

    make bench-gpu MODEL=results/downloads/models/smollm2_135m_instruct

It takes some five minutes on one large GPU. It runs on a CPU too, at a small shape: `--device cpu --shape 64x2`.
"""

from __future__ import annotations

import argparse
import gc
import logging
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, Sequence

from scripts.bench.results import add_bench_flags, machine, make_result
from scripts.bench.workload import add_shared_flag, learnt_encoder, make_pairs, read_texts
from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json

PAPER_CANDIDATES = 52_002
LLAMA_WORDS = 32_000
SHAPE = "4096x32"
WIDE = 8_192
"""Rows and columns of the matrix product that the device is compared with; a CPU's is an eighth of it."""
DEMONSTRATIONS = 8
EQUAL = 2
"""Demonstrations whose golden scores are compared with those in float32."""


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_bench_flags(parser, repeats=3)
    add_shared_flag(parser)
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try it")
    parser.add_argument("--dtype", default="bfloat16", help="number format that is measured")
    parser.add_argument("--shape", default=SHAPE, help="width x layers of the random model")
    parser.add_argument("--model", help="folder of a model of your own, measured too")
    parser.add_argument("--batch-tokens", type=int, default=16_384, help="tokens per row of our scorer")
    return parser.parse_args(argv)


def random_llama(shape: str, device: str, dtype: Any) -> Any:
    """Return a random model of Llama's proportions on the device. Raises `UserError` for a shape that is none."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    width, _, layers = shape.partition("x")
    if not (width.isdecimal() and layers.isdecimal() and int(width) % 16 == 0):
        raise UserError(f"--shape is '{shape}'; give width x layers, the width a multiple of 16, such as {SHAPE}")
    heads = max(1, int(width) // 128)
    config = LlamaConfig(
        vocab_size=LLAMA_WORDS,
        hidden_size=int(width),
        intermediate_size=int(width) * 43 // 16,  # 11,008 of 4,096
        num_hidden_layers=int(layers),
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=2_048,
    )
    torch.manual_seed(0)
    with torch.device(device):
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            return LlamaForCausalLM(config).eval()
        finally:
            torch.set_default_dtype(before)


def seconds_of(task: Callable[[], Any], device: str) -> float:
    """Return the seconds of a task, the device's work included."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize()
    start = time.perf_counter()
    task()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - start


def product_rate(device: str, dtype: Any) -> float:
    """Return the operations a second (two for each multiplication and addition) of a wide matrix product."""
    import torch

    wide = WIDE if device.startswith("cuda") else WIDE // 8
    left, right = (torch.randn(wide, wide, device=device).to(dtype) for _ in range(2))
    times = [seconds_of(lambda: left @ right, device) for _ in range(12)]
    return 2 * wide**3 / statistics.median(times)


def operations(model: Any, prefix: int, pairs: Sequence[Any]) -> float:
    """Return the operations of one candidate: every weight twice a token, the output layer at answers only, attention.

    prefix: tokens of the demonstration, read once. Attention counts scores and sums over the positions before a token.
    """
    config = model.config
    head = config.vocab_size * config.hidden_size
    embeddings = head if model.get_input_embeddings().weight is not model.get_output_embeddings().weight else 0
    body = sum(weight.numel() for weight in model.parameters()) - head - embeddings
    width = config.num_attention_heads * getattr(config, "head_dim", config.hidden_size // config.num_attention_heads)
    own = [len(pair.query_ids) + len(pair.answer_ids) for pair in pairs]
    tokens, answers = prefix + sum(own), sum(len(pair.answer_ids) for pair in pairs)
    looked_at = prefix * prefix / 2 + sum(n * prefix + n * n / 2 for n in own)
    return 2.0 * body * tokens + 2.0 * head * answers + 4.0 * width * config.num_hidden_layers * looked_at


def golden_scores(scorer: Any, packed: Any, demonstrations: Sequence[Sequence[int]]) -> list[float]:
    """Return the share of the anchors that each demonstration makes likelier."""
    alone = scorer.score(None, packed).logprob_sums
    sums = [scorer.score(scorer.prefill(ids), packed).logprob_sums for ids in demonstrations]
    return [float((one > alone).mean()) for one in sums]


def run_times(
    scorer: Any, packed: Any, demonstrations: Sequence[Sequence[int]], args: argparse.Namespace
) -> list[float]:
    """Return the seconds of one candidate, turn by turn, its demonstration included."""

    def turn() -> None:
        for ids in demonstrations:
            scorer.score(scorer.prefill(ids), packed)

    return [seconds_of(turn, args.device) / len(demonstrations) for _ in range(args.repeats)]


def measure(
    name: str,
    source: str,
    load: Callable[[Any], Any],
    tokens: tuple[Sequence[int], Sequence[Any]],
    args: argparse.Namespace,
) -> dict[str, Any]:
    """Return one model's result in the common schema. load: dtype -> model on the device; tokens: of `make_pairs`."""
    import torch

    from scripts.lm.score import Scorer

    prefix, pairs = tokens
    demonstrations = [prefix[: len(prefix) - i] for i in range(DEMONSTRATIONS)]
    dtype = getattr(torch, args.dtype)
    exact_model = load(torch.float32)
    exact_scorer = Scorer(exact_model, batch_tokens=args.batch_tokens)
    exact = golden_scores(exact_scorer, exact_scorer.pack(pairs), demonstrations[:EQUAL])
    del exact_model, exact_scorer
    gc.collect()
    model = load(dtype)
    scorer = Scorer(model, batch_tokens=args.batch_tokens)
    packed = scorer.pack(pairs)
    rounded = golden_scores(scorer, packed, demonstrations[:EQUAL])
    work = operations(model, len(prefix), pairs)
    seconds = statistics.median(run_times(scorer, packed, demonstrations, args))
    rate = product_rate(args.device, dtype)
    share = work / seconds / rate
    floor = {
        "value": round(3600 * rate / work, 1),
        "ratio": round(1 / share, 3),
        "ratio_is": "time of ours / time of the floor",
        "max_abs_diff": None,
    }
    sizes = {
        "pairs": len(pairs),
        "prefix_tokens": len(prefix),
        "teraflop_a_candidate": round(work / 1e12, 4),
        "teraflops_of_products": round(rate / 1e12, 2),
        "model_flop_utilisation": round(share, 4),
        "hours_for_the_papers_pool": round(PAPER_CANDIDATES * seconds / 3600, 2),
        "largest_difference_to_float32": max(abs(a - b) for a, b in zip(exact, rounded)),
        "source": source,
    }
    ours = round(3600 / seconds, 1)
    result = make_result("gpu_scorer", name, "candidates an hour", ours, {"floor_products": floor}, sizes, args.threads)
    hardware = torch.cuda.get_device_name() if args.device.startswith("cuda") else machine()
    return {**result, "dtype": args.dtype, "machine": hardware}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the random model and one's own, write the JSON."""
    args = parse_args(argv)
    import torch

    if args.device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError("--device cuda: torch sees no GPU here; --device cpu --shape 64x2 tries the script")
    torch.set_num_threads(args.threads)
    anchors, pool, about = read_texts(args.shared)
    tokens = make_pairs(anchors, pool, learnt_encoder(anchors, pool, 1))
    random = partial(random_llama, args.shape, args.device)
    results = [measure(f"llama_{args.shape}", f"random weights; {about}", random, tokens, args)]
    if args.model:
        from scripts.lm.load import load_model, load_tokenizer

        tokenizer = load_tokenizer(args.model)

        def real(dtype: Any) -> Any:
            name = str(dtype).removeprefix("torch.")
            return load_model(args.model, dtype=name, device=args.device, threads=args.threads).model

        own = make_pairs(anchors, pool, lambda part: tokenizer(part, add_special_tokens=False)["input_ids"])
        results.append(measure(Path(args.model).name, f"real weights; {about}", real, own, args))
    write_json(args.metrics_out, {**results[0], "also": results[1:]})
    for result in results:
        sizes = result["sizes"]
        logging.info(
            "%s: %.0f candidates an hour, %.0f %% of the device's products, %.1f hours for %d candidates",
            result["model"],
            result["ours"],
            100 * sizes["model_flop_utilisation"],
            sizes["hours_for_the_papers_pool"],
            PAPER_CANDIDATES,
        )


if __name__ == "__main__":
    run_step(main)
