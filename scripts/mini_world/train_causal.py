"""Train the mini causal LM on the synthetic world (DESIGN.md, "The mini tier") and save it as an ordinary Llama.

Learning in context does not come by itself at this size. During the first steps the attention of two heads is guided to
the right keys: topic words of an example, then labels of earlier examples of the same class (likewise the instruction
and the answers of earlier examples). The guidance fades out; what it taught stays.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import math
import random
from pathlib import Path
from typing import Any, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import to_json
from scripts.common.seeding import derive_seed, seed_all
from scripts.common.settings import parse_settings


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """Settings of a training run.

    n_topics, words_per_topic, n_held_out: the world. layers, width, heads, hidden, window: the model. steps: training
    steps; guide_steps: steps with full guidance; guide_fade: steps in which it fades; learning_rate: its peak;
    warmup_steps; decay_share: last share of the steps, over which the rate falls to `floor` of its peak; weight_decay;
    betas; clip: longest gradient; mixture: what a step reads (`batches.Mixture`); evaluate_every: steps between points
    of the curve; evaluate_documents: documents per point; checkpoint_every: steps between checkpoints.
    """

    n_topics: int
    words_per_topic: int
    n_held_out: int
    layers: int
    width: int
    heads: int
    hidden: int
    window: int
    steps: int
    guide_steps: int
    guide_fade: int
    learning_rate: float
    warmup_steps: int
    decay_share: float
    floor: float
    weight_decay: float
    betas: list[float]
    clip: float
    mixture: dict[str, Any]
    evaluate_every: int
    evaluate_documents: int
    checkpoint_every: int


def rate(step: int, settings: TrainSettings) -> float:
    """Return the learning rate of a step (counted from 0): rise, plateau, linear fall."""
    start = settings.steps * (1 - settings.decay_share)
    factor = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    if step > start:
        factor *= 1 - (1 - settings.floor) * (step - start) / max(1, settings.steps - start)
    return settings.learning_rate * factor


def guide_weight(step: int, settings: TrainSettings) -> float:
    """Return the weight of the guidance loss at a step: 1, then falling to 0."""
    past = step - settings.guide_steps
    return 1.0 if past < 0 else max(0.0, 1 - past / max(1, settings.guide_fade))


def mean_losses(losses: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each kind of loss over the steps that have it, in nats, under its name in the curve."""
    kinds = sorted({kind for step in losses for kind in step})
    found = {kind: [step[kind] for step in losses if kind in step] for kind in kinds}
    return {f"loss_{kind}": round(sum(values) / len(values), 4) for kind, values in found.items()}


class Trainer:
    """A training run that can be put down and taken up again at any checkpoint."""

    def __init__(self, settings: TrainSettings, seed: int) -> None:
        import torch

        from scripts.data.synthetic_words import build_world
        from scripts.mini_world.batches import Mixture
        from scripts.mini_world.model import LeanLlama, ModelShape, initialise

        self.settings, self.seed = settings, seed
        self.world = build_world(settings.n_topics, settings.words_per_topic, settings.n_held_out)
        self.token_ids = {token: index for index, token in enumerate(self.world.vocabulary)}
        self.mixture = parse_settings(Mixture, to_json(settings.mixture))
        self.shape = ModelShape(
            vocabulary=len(self.token_ids),
            layers=settings.layers,
            width=settings.width,
            heads=settings.heads,
            hidden=settings.hidden,
            window=settings.window,
        )
        self.model = LeanLlama(self.shape)
        initialise(self.model, torch.Generator().manual_seed(derive_seed(seed, "weights") % 2**63))
        decayed = [p for p in self.model.parameters() if p.dim() > 1]
        plain = [p for p in self.model.parameters() if p.dim() == 1]
        groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(
            groups, lr=settings.learning_rate, betas=(settings.betas[0], settings.betas[1]), fused=True
        )
        self.step = 0
        self.curve: list[dict[str, Any]] = []
        self.losses: list[dict[str, float]] = []
        """Losses of the steps since the curve's last point."""

    @property
    def key(self) -> str:
        """Return what a checkpoint must match to be taken up: settings and seed."""
        return to_json({"settings": dataclasses.asdict(self.settings), "seed": self.seed})

    def train_step(self) -> dict[str, float]:
        """Take one optimiser step; return the losses in nats a token, by kind of document."""
        import torch
        from torch.nn import functional

        from scripts.mini_world.batches import step_batches

        guiding = guide_weight(self.step, self.settings)
        rng = random.Random(derive_seed(self.seed, "batch", self.step))
        losses: dict[str, float] = {}
        self.optimizer.zero_grad(set_to_none=True)
        for batch in step_batches(self.world, self.mixture, self.token_ids, rng, guided=guiding > 0):
            states, miss = self.model.states(batch.ids, batch.guides)
            logits = self.model.lm_head(states.flatten(0, 1)[batch.sources])
            loss = functional.cross_entropy(logits, batch.targets)
            (batch.weight * (loss + guiding * miss)).backward()
            share = batch.weight if batch.kind == "author" else 1.0
            losses[batch.kind] = losses.get(batch.kind, 0.0) + share * loss.item()
            if batch.guides:
                losses[f"{batch.kind}_miss"] = losses.get(f"{batch.kind}_miss", 0.0) + share * miss.item()
        if not all(map(math.isfinite, losses.values())):
            raise UserError(f"training diverged at step {self.step}: {losses}; lower 'learning_rate'")
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = rate(self.step, self.settings)
        self.optimizer.step()
        self.step += 1
        return losses

    def measure(self) -> dict[str, float]:
        """Return a point of the curve: accuracy in context, separation of authors, use of neutral instructions."""
        from scripts.mini_world.measure import auc, author_gains, in_context_hits, same_instruction_hits

        n = self.settings.evaluate_documents
        reader = self.reader()
        point: dict[str, float] = {"step": self.step}
        for name, topics in (("trained", self.world.trained_topics), ("held_out", self.world.held_out_topics)):
            if len(topics) < 5:
                continue
            hits = in_context_hits(
                reader, topics, seed=self.seed, n_documents=n, classes=(3, 5), asked=(0, 1, 4, 15)
            ).mean(axis=0)
            point.update({f"{name}_{k}": round(float(hit), 4) for k, hit in zip((0, 1, 4, 15), hits)})
        gains = author_gains(reader, seed=self.seed, per_family=max(1, n // 24), n_anchors=12)
        point["auc_golden"] = round(auc(gains.golden, gains.good), 4)
        point["auc_gain"] = round(auc(gains.gains.mean(axis=1), gains.good), 4)
        point["same_instruction"] = round(float(same_instruction_hits(reader, seed=self.seed, n_trials=n).mean()), 4)
        return point

    def reader(self) -> Any:
        """Return the model as something to be measured."""
        import torch

        from scripts.mini_world.measure import Reader

        @torch.no_grad()
        def predict(ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
            return self.model.lm_head(self.model.states(ids)[0].flatten(0, 1)[positions])

        return Reader(self.world, self.token_ids, predict)

    def run(self, checkpoint: Path) -> None:
        """Train to the last step, from the checkpoint if it is one of this run's; leave a checkpoint behind."""
        from scripts.mini_world.checkpoints import load_checkpoint, save_checkpoint

        if checkpoint.is_file():
            load_checkpoint(checkpoint, self)
            logging.info("resumed at step %d", self.step)
        settings = self.settings
        while self.step < settings.steps:
            self.losses.append(self.train_step())
            last = self.step == settings.steps
            if self.step % settings.evaluate_every == 0 or last:
                self.curve.append({**self.measure(), **mean_losses(self.losses)})
                self.losses = []
                logging.info("curve %s", json.dumps(self.curve[-1]))
            if self.step % settings.checkpoint_every == 0 or last:
                save_checkpoint(checkpoint, self)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="training settings, one JSON object")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--threads", required=True, type=int, help="threads of torch; 1 gives equal bytes everywhere")
    parser.add_argument("--checkpoint", required=True, type=Path, help="file that keeps the state of an unfinished run")
    parser.add_argument("--curve-out", required=True, type=Path, help="measures against steps, JSON lines")
    parser.add_argument("--model-out", required=True, type=Path, help="folder for model and tokenizer")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Train, or go on training, and write model, tokenizer, model card and curve."""
    args = parse_args(argv)
    settings = parse_settings(TrainSettings, args.settings)
    import torch

    from scripts.common.files import write_jsonl
    from scripts.mini_world.checkpoints import export

    torch.set_num_threads(args.threads)
    seed_all(args.seed)
    trainer = Trainer(settings, args.seed)
    trainer.run(args.checkpoint)
    export(args.model_out, trainer)
    write_jsonl(args.curve_out, trainer.curve)


if __name__ == "__main__":
    run_step(main)
