"""Benchmark of DELIFT's utility kernel: pairs per second beside the released scheme and the bare output layer.

64 x 64 real GSM8K rows, or made-up ones where no folder of real data is named. Ours runs an example once and all
targets behind its cache. The released scheme runs the whole prompt of every pair, sorted by length, padded in batches
of 32, and takes the soft-max over the whole vocabulary at all positions. Both give the same utilities. Every column of
the kernel is the same work on the same targets, so some columns, drawn evenly, are timed turn by turn.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np

from scripts.bench.results import add_bench_flags, make_result, reference_entry, speed, take_turns
from scripts.bench.workload import add_shared_flag, synthetic_examples
from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json
from scripts.data.readers import read_raw

RELEASED_BATCH = 32
WORDS, LEARNT_WORDS = 50_257, 16_000
TOLERANCE = 1e-5  # of a utility
TILES = ((1024, 1024), (2048, 512), (512, 1024), (256, 2048))  # rows x words of one product of the floor
SETTINGS: dict[str, Any] = {
    "prompt": {"with_input": "{instruction}\nInput: {input}", "without_input": "{instruction}"},
    "templates": {
        "alone": "Instruction: Please answer the query below as well as you can.\n\n\nQuery: {prompt}\n",
        "example": "Instruction:\nAnswer the query in the format and the style of the example.\n\n\n"
        "Example:\n{prompt}\n{response}\n\n\n",
        "query": "Query:\n{prompt}\n",
    },
    "special_tokens": {"before": "none", "between": "eos", "after": "eos"},
    "distance": "euclidean",
    "max_tokens": 2048,
    "released_truncation": False,
    "released_batch": RELEASED_BATCH,
}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_bench_flags(parser, repeats=3)
    add_shared_flag(parser)
    parser.add_argument("--rows", type=int, default=64, help="targets, and candidates")
    parser.add_argument("--columns", type=int, default=1, help="columns timed in each turn")
    parser.add_argument("--batch-tokens", type=int, default=2048, help="tokens per row of our scorer")
    return parser.parse_args(argv)


def bench_rows(shared: Path | None, n: int) -> tuple[list[dict[str, str]], str]:
    """Return the first `n` rows of GSM8K's test set as instructions, and where they are from; made-up ones without it.

    Raises `UserError` if a folder is named that lacks the file.
    """
    if shared is None:
        return [{"id": str(i), **row} for i, row in enumerate(synthetic_examples(n, 4))], "synthetic rows"
    found = sorted(shared.glob("data/gsm8k/test.jsonl*"))
    if not found:
        raise UserError(f"--shared: no data/gsm8k/test.jsonl in {shared}; give a folder that has it, or none")
    rows = read_raw(found[0], "gsm8k_jsonl", "instruction")[:n]
    kept = ("instruction", "input", "output")
    return [
        {"id": str(i), **{key: str(row[key]) for key in kept}} for i, row in enumerate(rows)
    ], "real rows of GSM8K's test set"


def bench_model(rows: Sequence[Mapping[str, str]], window: int) -> Any:
    """Return a random GPT-2-like model of 4 layers, 256 wide, 50,257 words, with byte-level pieces learnt from rows."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    from scripts.lm.load import LoadedModel

    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=LEARNT_WORDS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>"],
        show_progress=False,
    )
    pieces.train_from_iterator((f"{row['instruction']}\n{row['output']}" for row in rows), trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces, eos_token="<|endoftext|>")
    torch.manual_seed(0)
    sizes = {"n_layer": 4, "n_embd": 256, "n_head": 4, "vocab_size": WORDS, "n_positions": window}
    shape = GPT2Config(**sizes, initializer_range=0.2, bos_token_id=0, eos_token_id=0)  # 0.2: words of unequal chance
    model = GPT2LMHeadModel(shape).eval()
    return LoadedModel(model, tokenizer, torch.device("cpu"), torch.float32, "causal", window)


class Released:
    """The released scheme for the same targets: whole prompts, padded batches, soft-max over everything."""

    def __init__(self, loaded: Any, scorer: Any) -> None:
        self.model, self.targets, self.alone = loaded.model, scorer.targets, scorer.distances

    def column(self, example: tuple[int, ...]) -> np.ndarray:
        """Return the utility of one example for every target, (targets,)."""
        import torch

        order = sorted(
            range(len(self.targets)), key=lambda i: len(self.targets[i].query) + len(self.targets[i].response)
        )
        utilities = np.empty(len(order))
        for at in range(0, len(order), RELEASED_BATCH):
            batch = order[at : at + RELEASED_BATCH]
            whole = [(*example, *self.targets[i].query, *self.targets[i].response) for i in batch]
            width = max(map(len, whole))
            ids, mask = (torch.zeros(len(batch), width, dtype=torch.long) for _ in range(2))
            for row, tokens in enumerate(whole):
                ids[row, : len(tokens)] = torch.tensor(tokens)
                mask[row, : len(tokens)] = 1
            with torch.no_grad():
                probabilities = self.model(input_ids=ids, attention_mask=mask).logits.softmax(dim=-1)
            for row, i in enumerate(batch):
                n, end = len(self.targets[i].response), len(whole[row])
                true = probabilities[row, end - n - 1 : end - 1].gather(1, ids[row, end - n : end, None])[:, 0]
                utilities[i] = self.alone[i] - float((true.double() - 1).norm() / n**0.5)
        return utilities


class Floor:
    """The bare matrix product of the output layer for the response positions of one column."""

    def __init__(self, loaded: Any, scorer: Any) -> None:
        import torch

        self.weight = loaded.model.get_output_embeddings().weight.detach()
        n_positions = int(scorer.n_tokens.sum())
        self.hidden = torch.randn(n_positions, self.weight.shape[1], generator=torch.Generator().manual_seed(1))

    def run(self, tile: tuple[int, int]) -> None:
        """Multiply tile by tile; the results are thrown away."""
        import torch

        with torch.no_grad():
            for rows in self.hidden.split(tile[0]):
                for words in self.weight.split(tile[1]):
                    torch.mm(rows, words.t())


def checked_columns(scorer: Any, released: Released, examples: Sequence[Any], n: int) -> tuple[list[Any], float]:
    """Return `n` examples, drawn evenly, and by how much their columns differ from the released scheme's at most.

    Raises `UserError` if that is too much.
    """
    places = np.linspace(0, len(examples) - 1, n + 2).round().astype(int)[1:-1]
    columns = [examples[place] for place in places]
    worst = max(float(np.abs(scorer.column(one) - released.column(one)).max()) for one in columns)
    if not worst <= TOLERANCE:
        raise UserError(f"the released scheme differs by {worst:.2e}, more than {TOLERANCE}; the result is not written")
    return columns, worst


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Return the result in the common benchmark schema. Raises `UserError` if the schemes disagree."""
    from scripts.bench.references import fastest
    from scripts.common.step_parser import checked
    from scripts.delift.settings_choose import UtilitySettings
    from scripts.delift.utility import UtilityScorer

    rows, source = bench_rows(args.shared, args.rows)
    loaded = bench_model(rows, 2048)
    scorer = UtilityScorer(loaded, rows, checked(UtilitySettings, {**SETTINGS, "batch_tokens": args.batch_tokens}))
    examples = [scorer.encoder.example(row) for row in rows]
    released, floor = Released(loaded, scorer), Floor(loaded, scorer)
    columns, worst = checked_columns(scorer, released, examples, args.columns)
    tile = fastest({tile: lambda tile=tile: floor.run(tile) for tile in TILES}, patience=len(TILES))
    tasks = {
        "ours": lambda: [scorer.column(one) for one in columns],
        "released": lambda: [released.column(one) for one in columns],
        "floor": lambda: [floor.run(tile) for _ in columns],
    }
    times = take_turns(tasks, args.repeats)
    pairs = len(rows) * len(columns)
    references = {
        "released": reference_entry(times, "released", pairs, worst),
        "floor": reference_entry(times, "floor", pairs, None),
    }
    sizes = {
        "targets": len(rows),
        "candidates": len(rows),
        "columns_timed": len(columns),
        "example_tokens": round(sum(map(len, examples)) / len(examples), 1),
        "query_tokens": sum(len(target.query) for target in scorer.targets),
        "response_tokens": int(scorer.n_tokens.sum()),
        "vocabulary": WORDS,
        "repeats": args.repeats,
        "batch_tokens": args.batch_tokens,
        "source": f"random weights; {source}",
    }
    ours = speed(times["ours"], pairs)
    return make_result("delift_kernel", "gpt2_4x256", "pairs per second", ours, references, sizes, args.threads)


def table(result: dict[str, Any]) -> list[str]:
    """Return a result as lines of text."""
    sizes = result["sizes"]
    lines = [
        f"{result['model']}: {sizes['targets']} x {sizes['candidates']} pairs, {sizes['columns_timed']} columns timed,"
        f" {sizes['response_tokens']} response tokens each; {result['threads']} threads, {result['machine']}",
        f"  {'ours':<10} {result['ours']:>9.2f} {result['unit']}",
    ]
    for name, entry in result["references"].items():
        difference = entry["max_abs_diff"]
        equal = "" if difference is None else f", utilities differ by {difference:.1e} at most"
        lines.append(f"  {name:<10} {entry['value']:>9.2f}   {entry['ratio']:.2f} = {entry['ratio_is']}{equal}")
    return lines


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, write the JSON, print the table."""
    args = parse_args(argv)
    import torch

    torch.set_num_threads(args.threads)
    result = measure(args)
    write_json(args.metrics_out, result)
    for line in table(result):
        logging.info(line)


if __name__ == "__main__":
    run_step(main)
