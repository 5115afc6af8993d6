"""Benchmark of one MEND training step beside the naive formulation, with peak memory.

Both take a step of the same distiller on the same data, with the same loss. Ours: the teacher without gradients, states
of query and answer positions only, output layer and divergence in chunks. Naive, as in the release: logits of all
positions, demonstrations included, for teacher and student, all hidden states kept, the divergence over the whole
vocabulary at every position, the unwanted ones masked afterwards. Losses and gradients must agree.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
from typing import Any, Callable, Sequence

from scripts.bench.peak import own_peak_mib
from scripts.bench.results import add_bench_flags, make_result, reference_entry, speed, take_turns
from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json
from scripts.common.seeding import generator

WORDS = 50_257  # GPT-2's vocabulary
DEMONSTRATION_TOKENS, QUERY_TOKENS, ANSWER_TOKENS = 400, 40, 4
SETS, VECTORS = 2, 20
TOLERANCE = 1e-4


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_bench_flags(parser, repeats=3, output_required=False)
    parser.add_argument("--peak-of", choices=("ours", "naive", "nothing"), help="used by the benchmark itself")
    return parser.parse_args(argv)


class Bench:
    """Models of GPT-2's kind with random weights, one micro-batch, and both ways to a loss."""

    def __init__(self) -> None:
        import torch
        from transformers import GPT2Config, GPT2LMHeadModel

        from scripts.lm.load import LoadedModel
        from scripts.mend.distiller import Distiller
        from scripts.mend.llm import LargeModel, query_batch
        from scripts.mend.losses import OutputHead

        torch.manual_seed(0)
        shape = {"vocab_size": WORDS, "bos_token_id": 0, "eos_token_id": 0, "n_positions": 512}
        shape.update(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
        model = GPT2LMHeadModel(GPT2Config(n_layer=4, n_embd=256, n_head=4, **shape)).eval()
        body = GPT2LMHeadModel(GPT2Config(n_layer=2, n_embd=128, n_head=2, **shape)).transformer
        cpu = torch.device("cpu")
        self.large = LargeModel(LoadedModel(model, None, cpu, torch.float32, "causal", 512))
        self.distiller = Distiller(body, VECTORS, 256)
        self.distiller.start(torch.Generator().manual_seed(0))
        draw = generator(0, "bench", "mend_training")
        sizes = (DEMONSTRATION_TOKENS, QUERY_TOKENS, ANSWER_TOKENS)
        drawn = [[draw.integers(0, WORDS, n).tolist() for n in sizes] for _ in range(SETS)]
        self.demonstrations = [row[0] for row in drawn]
        self.queries = query_batch([[(row[1], row[2])] for row in drawn], cpu)
        self.head = OutputHead(*self.large.head())
        self.optimizer = torch.optim.AdamW(self.distiller.parameters(), lr=1e-9)

    def vectors(self) -> Any:
        """Return the distilled vectors, with their graph."""
        from scripts.mend.distiller import distil_groups

        return distil_groups(self.distiller, [[ids] for ids in self.demonstrations], self.large.device)

    def ours(self) -> Any:
        """Return the loss by our formulation."""
        import torch

        from scripts.mend.losses import distillation_loss

        with torch.no_grad():
            teacher = self.large.run(*self.large.embed(self.demonstrations), self.queries)
        vectors = self.vectors()
        student = self.large.run(vectors, torch.ones(vectors.shape[:2], dtype=torch.long), self.queries)
        return distillation_loss(
            student.states,
            teacher.states,
            student.targets,
            student.is_answer,
            self.head,
            kl_weight=1.0,
            lm_weight=1.0,
        ).total

    def naive(self) -> Any:
        """Return the loss by the naive formulation."""
        import torch
        import torch.nn.functional as F

        model, ids = self.large.model, self.queries.ids[:, 0]
        before = torch.tensor(self.demonstrations)
        with torch.no_grad():
            teacher = model(input_ids=torch.cat([before, ids], dim=1), output_hidden_states=True)
        vectors = self.vectors()
        embeds = torch.cat([vectors, model.get_input_embeddings()(ids)], dim=1)
        student = model(inputs_embeds=embeds, output_hidden_states=True)
        tail = ids.shape[1]
        whole = F.pad(student.logits, (0, 0, teacher.logits.shape[1] - student.logits.shape[1], 0))
        rows = F.kl_div(whole.log_softmax(-1), teacher.logits.softmax(-1), reduction="none").sum(-1)
        inside = torch.zeros_like(rows)
        inside[:, -tail:] = 1.0
        logits = student.logits[:, -tail:]
        answers = self.queries.answers[:, 0]
        right = F.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
        return (rows * inside).sum() / inside.sum() + right[answers[:, 1:]].mean()

    def step(self, loss_of: Callable[[], Any]) -> float:
        """Take one training step and return its loss."""
        loss = loss_of()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    def difference(self) -> float:
        """Return the largest difference of loss and gradient between both formulations, relative to their size."""
        import torch

        worst, gradients = 0.0, []
        losses = []
        for loss_of in (self.ours, self.naive):
            loss = loss_of()
            losses.append(float(loss.detach()))
            gradients.append(torch.autograd.grad(loss, list(self.distiller.parameters()), allow_unused=True))
        worst = abs(losses[0] - losses[1]) / abs(losses[1])
        for one, other in zip(*gradients):
            if one is not None:
                worst = max(worst, float((one - other).abs().max() / other.abs().max().clamp(min=1e-12)))
        return worst


def peak_mib(of: str, threads: int) -> float:
    """Return the peak resident memory, in MiB, of a fresh process that takes two steps of one formulation."""
    command = [sys.executable, "-m", "scripts.bench.mend_training", "--peak-of", of, "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1])["peak_mib"])


def measure(repeats: int, threads: int) -> dict[str, Any]:
    """Return the result in the common benchmark schema."""
    bench = Bench()
    difference = bench.difference()
    if not difference <= TOLERANCE:
        raise UserError(f"naive: loss or gradient differs by {difference:.1e} of its size; the result is not written")
    tasks = {"ours": lambda: bench.step(bench.ours), "naive": lambda: bench.step(bench.naive)}
    times = take_turns(tasks, repeats)
    what = "largest difference of loss or gradient, relative to its size"
    naive = reference_entry(times, "naive", 1, difference, digits=4, max_abs_diff_is=what)
    sizes = {
        "sets": SETS,
        "demonstration_tokens": DEMONSTRATION_TOKENS,
        "query_tokens": QUERY_TOKENS,
        "answer_tokens": ANSWER_TOKENS,
        "vectors": VECTORS,
        "vocabulary": WORDS,
        "repeats": repeats,
    }
    model = "random weights, GPT-2's kind: 4 layers, 256 wide; distiller 2 layers, 128 wide"
    ours, unit = speed(times["ours"], 1, 4), "training steps per second"
    found = make_result("mend_training", model, unit, ours, {"naive": naive}, sizes, threads)
    peaks = {name: round(peak_mib(name, threads), 1) for name in ("nothing", "ours", "naive")}
    return {**found, "peak_memory_mib": {"with_models_alone": peaks.pop("nothing"), **peaks}}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, check equality, write the JSON."""
    args = parse_args(argv)
    import torch

    torch.set_num_threads(args.threads)
    if args.peak_of:
        bench = Bench()
        for _ in range(0 if args.peak_of == "nothing" else 2):
            bench.step(getattr(bench, args.peak_of))
        sys.stdout.write(json.dumps({"peak_mib": own_peak_mib()}) + "\n")
        return
    if not args.metrics_out:
        raise UserError("--metrics-out: name the JSON file to write")
    result = measure(args.repeats, args.threads)
    write_json(args.metrics_out, result)
    entry = result["references"]["naive"]
    logging.info(
        "mend_training: ours %.2f steps/s, naive %.2f: %.2f times as fast; peak %.0f against %.0f MiB",
        result["ours"], entry["value"], entry["ratio"], result["peak_memory_mib"]["ours"],
        result["peak_memory_mib"]["naive"],
    )  # fmt: skip


if __name__ == "__main__":
    run_step(main)
