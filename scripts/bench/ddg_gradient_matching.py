"""Benchmark of gradient matching: steps a second beside automatic differentiation through the encoder.

A step: from the texts of all classes and the generator's losses to the loss of gradient matching and its gradient in
these losses. Ours: one forward pass of the encoder and the classifier's gradient in closed form. Reference `autograd`:
as DiLM's code does it, class by class, the gradient of all the encoder's parameters by automatic differentiation, of
which the classifier's part is kept, and a second differentiation for the losses. The same texts, model and threads; the
loss and the gradient must agree. `step_with_generator` adds the generator's own passes, which both schemes share, once
for all classes (ours) and class by class (reference). Random weights: the speed does not depend on them.
"""

from __future__ import annotations

import argparse
import logging
from typing import Any, Sequence

from scripts.bench.results import add_bench_flags, make_result, median_ratio, reference_entry, speed, take_turns
from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json

TOLERANCE = 1e-6
SIZES = {"classes": 2, "real_per_class": 100, "synthetic_per_class": 32, "tokens": 32}
"""Half of DiLM's texts a class for SST-2 (200 real, 64 generated), so that the reference fits small machines."""


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_bench_flags(parser, repeats=5)
    return parser.parse_args(argv)


class Work:
    """A learner (BERT, 4 layers, 128 wide), a generator (GPT-2, 4 layers, 128 wide) and texts as token ids."""

    def __init__(self, sizes: dict[str, int], seed: int = 0) -> None:
        import torch
        from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel

        torch.manual_seed(seed)
        self.sizes = sizes
        self.encoder = BertModel(
            BertConfig(
                vocab_size=8000,
                hidden_size=128,
                num_hidden_layers=4,
                num_attention_heads=4,
                intermediate_size=512,
                max_position_embeddings=sizes["tokens"],
            )
        ).eval()
        self.head = torch.nn.Linear(128, sizes["classes"])
        self.generator = GPT2LMHeadModel(
            GPT2Config(vocab_size=8000, n_layer=4, n_embd=128, n_head=4, n_positions=64, bos_token_id=0, eos_token_id=0)
        ).eval()
        shape = (sizes["classes"], sizes["real_per_class"] + sizes["synthetic_per_class"])
        lengths = torch.randint(sizes["tokens"] // 4, sizes["tokens"] + 1, shape)
        self.ids = torch.randint(5, 8000, (*shape, sizes["tokens"]))
        self.mask = (torch.arange(sizes["tokens"]) < lengths[..., None]).long()
        self.losses = 1 + torch.rand(sizes["classes"], sizes["synthetic_per_class"])

    def split(self, label: int, real: bool) -> tuple[Any, Any]:
        """Return ids and mask of one class' real or generated texts."""
        part = slice(0, self.sizes["real_per_class"]) if real else slice(self.sizes["real_per_class"], None)
        return self.ids[label, part], self.mask[label, part]

    def generator_losses(self, labels: Sequence[int]) -> Any:
        """Return the generator's losses of the texts of some classes, (classes, n), with their graph."""
        import torch
        import torch.nn.functional as F

        parts = [self.split(label, real=False) for label in labels]
        ids, mask = (torch.cat([part[place] for part in parts]) for place in (0, 1))
        logits = self.generator(input_ids=ids, attention_mask=mask).logits[:, :-1]
        nats = F.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none") * mask[:, 1:]
        return nats.sum(dim=1).div(ids.shape[1] - 1).view(len(labels), -1)


def ours(work: Work, losses: Any) -> Any:
    """Return the loss of one step, differentiable in `losses`: features of all texts, then the closed form."""
    import torch

    from scripts.ddg.closed_form import gradient_matching

    n_classes, n_real = work.sizes["classes"], work.sizes["real_per_class"]
    ids, mask = work.ids.flatten(0, 1), work.mask.flatten(0, 1)
    lengths = mask.sum(dim=1)
    order = lengths.argsort(descending=True)
    found = torch.empty(len(ids), work.encoder.config.hidden_size)
    with torch.no_grad():
        for rows in order.split(64):  # by length, so that little is padded
            width = int(lengths[rows].max())
            output = work.encoder(input_ids=ids[rows, :width], attention_mask=mask[rows, :width])
            found[rows] = output.pooler_output
    features = found.view(n_classes, -1, found.shape[1])
    return gradient_matching(features[:, :n_real], features[:, n_real:], losses, 1.0, work.head, work.head).loss


def autograd_class(work: Work, label: int, losses: Any) -> Any:
    """Return 1 - cosine of one class, by automatic differentiation through the encoder."""
    import torch
    import torch.nn.functional as F

    model = torch.nn.ModuleDict({"encoder": work.encoder, "head": work.head})
    parameters = {name: value.detach() for name, value in model.named_parameters()}

    def loss_of(values: dict[str, Any], ids: Any, mask: Any, weights: Any) -> Any:
        encoder = {name[8:]: value for name, value in values.items() if name.startswith("encoder.")}
        head = {name[5:]: value for name, value in values.items() if name.startswith("head.")}
        pooled = torch.func.functional_call(work.encoder, encoder, (ids, mask)).pooler_output
        logits = torch.func.functional_call(work.head, head, (pooled,))
        target = torch.full((len(ids),), label)
        return F.cross_entropy(logits, target, reduction="none").dot(weights)

    def classifier_gradient(real: bool, weights: Any) -> Any:
        grads = torch.func.grad(loss_of)(parameters, *work.split(label, real), weights)
        return torch.cat([grads["head.weight"].flatten(), grads["head.bias"]])

    n_real = work.sizes["real_per_class"]
    with torch.no_grad():
        real = classifier_gradient(True, torch.full((n_real,), 1 / n_real))
    synthetic = classifier_gradient(False, F.softmax(-losses, dim=-1))
    return 1 - F.cosine_similarity(real, synthetic, dim=0)


def run_ours(work: Work) -> tuple[float, Any]:
    """Return loss and gradient in the losses of one step."""
    losses = work.losses.clone().requires_grad_()
    loss = ours(work, losses)
    loss.backward()
    return float(loss.detach()), losses.grad


def run_autograd(work: Work) -> tuple[float, Any]:
    """Return the same by the reference."""
    losses, total = work.losses.clone().requires_grad_(), 0.0
    for label in range(work.sizes["classes"]):
        loss = autograd_class(work, label, losses[label]) / work.sizes["classes"]
        loss.backward()
        total += float(loss.detach())
    return total, losses.grad


def run_whole_ours(work: Work) -> None:
    """Run a step with the generator's passes, once for all classes."""
    ours(work, work.generator_losses(range(work.sizes["classes"]))).backward()
    work.generator.zero_grad()


def run_whole_autograd(work: Work) -> None:
    """Run a step with the generator's passes, class by class."""
    for label in range(work.sizes["classes"]):
        (autograd_class(work, label, work.generator_losses([label])[0]) / work.sizes["classes"]).backward()
    work.generator.zero_grad()


def compare(work: Work) -> float:
    """Return the largest difference of loss and gradient between the two. Raises `UserError` if they disagree."""
    (one, grad), (other, wanted) = run_ours(work), run_autograd(work)
    difference = max(abs(one - other), float((grad - wanted).abs().max()))
    if not difference <= TOLERANCE:
        raise UserError(f"ddg_gradient_matching: results differ by {difference:.1e}; the result is not written")
    return difference


def measure(repeats: int, threads: int) -> dict[str, Any]:
    """Return the result in the common benchmark schema. Raises `UserError` if the two disagree."""
    work = Work(SIZES)
    difference = compare(work)
    tasks = {
        "ours": lambda: run_ours(work),
        "autograd": lambda: run_autograd(work),
        "whole_ours": lambda: run_whole_ours(work),
        "whole_autograd": lambda: run_whole_autograd(work),
    }
    times = take_turns(tasks, repeats, warm_up=1)
    found = make_result(
        "ddg_gradient_matching",
        "bert_4x128 learner, gpt2_4x128 generator",
        "gradient-matching steps per second",
        speed(times["ours"], 1, 3),
        {"autograd": reference_entry(times, "autograd", 1, difference, digits=3)},
        {**SIZES, "repeats": repeats},
        threads,
    )
    whole = {name: speed(times[f"whole_{name}"], 1, 3) for name in ("ours", "autograd")}
    ratio = median_ratio(times["whole_autograd"], times["whole_ours"])
    return {**found, "step_with_generator": {**whole, "ratio": ratio}}


def main(argv: Sequence[str] | None = None) -> None:
    """Check equality, measure, write the JSON."""
    args = parse_args(argv)
    import torch

    torch.set_num_threads(args.threads)
    result = measure(args.repeats, args.threads)
    write_json(args.metrics_out, result)
    autograd = result["references"]["autograd"]
    logging.info(
        "ours %.2f, autograd %.2f steps per second: %.2f times; with the generator %.2f times; differ by %.1e at most",
        result["ours"],
        autograd["value"],
        autograd["ratio"],
        result["step_with_generator"]["ratio"],
        autograd["max_abs_diff"],
    )


if __name__ == "__main__":
    run_step(main)
