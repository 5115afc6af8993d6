"""Train the mini causal LM on the synthetic world and save it as an ordinary Llama.

Learning in context does not come by itself at this size. During the first steps the attention of five heads in three
layers is guided to the right keys: topic words of an example, then labels of earlier examples of the same class;
likewise the instruction, the answers of earlier examples and the input words an answer comes from
(`scripts.mini_world.batches`). The guidance fades out; what it taught stays.
"""

from __future__ import annotations

import dataclasses
import random
from typing import Any, Sequence

from scripts.common.errors import run_step
from scripts.common.seeding import derive_seed
from scripts.common.settings import parse_settings, settings_of
from scripts.mini_world.training import TrainingRun, TrainingSettings, parse_training_args, train_and_save


@dataclasses.dataclass(frozen=True)
class TrainSettings(TrainingSettings):
    """Settings of a training run.

    n_topics, words_per_topic, n_held_out: the world. layers, width, heads, hidden, window: the model. guide_steps:
    steps with full guidance; guide_fade: steps in which it fades; mixture: what a step reads (`batches.Mixture`);
    later: further stages, what they change of steps, learning_rate, warmup_steps, decay_share, floor, guide_steps,
    guide_fade and mixture; evaluate_documents: documents per point of the curve.
    """

    n_topics: int
    words_per_topic: int
    n_held_out: int
    layers: int
    width: int
    heads: int
    hidden: int
    window: int
    guide_steps: int
    guide_fade: int
    mixture: dict[str, Any]
    later: list[dict[str, Any]]
    evaluate_documents: int


def guide_weight(step: int, settings: TrainSettings) -> float:
    """Return the weight of the guidance loss at a step: 1, then falling to 0."""
    past = step - settings.guide_steps
    return 1.0 if past < 0 else 0.0 if past >= settings.guide_fade else 1 - past / settings.guide_fade


class Trainer(TrainingRun):
    """A training run of a causal LM."""

    settings: TrainSettings

    def __init__(self, settings: TrainSettings, seed: int) -> None:
        import torch

        from scripts.data.synthetic_words import build_world
        from scripts.mini_world.batches import Mixture
        from scripts.mini_world.model import LeanLlama, ModelShape, initialise

        self.world = build_world(settings.n_topics, settings.words_per_topic, settings.n_held_out)
        self.token_ids = {token: index for index, token in enumerate(self.world.vocabulary)}
        self.parts = [settings, *(dataclasses.replace(settings, **changes) for changes in settings.later)]
        self.mixtures = [settings_of(Mixture, part.mixture, "mixture") for part in self.parts]
        self.shape = ModelShape(
            vocabulary=len(self.token_ids),
            layers=settings.layers,
            width=settings.width,
            heads=settings.heads,
            hidden=settings.hidden,
            window=settings.window,
        )
        model = LeanLlama(self.shape)
        initialise(model, torch.Generator().manual_seed(derive_seed(seed, "weights") % 2**63))
        super().__init__(settings, seed, model)

    def stages(self) -> list[TrainSettings]:
        """Return the settings of each stage."""
        return self.parts

    def gradients(self) -> dict[str, float]:
        """Leave a step's gradients in the model; return the losses in nats a token, by kind of document."""
        from torch.nn import functional

        from scripts.mini_world.batches import step_batches

        stage, step = self.stage()
        guiding = guide_weight(step, stage)
        mixture = self.mixtures[self.parts.index(stage)]
        rng = random.Random(derive_seed(self.seed, "batch", self.step))
        losses: dict[str, float] = {}
        for batch in step_batches(self.world, mixture, self.token_ids, rng, guided=guiding > 0):
            states, miss = self.model.states(batch.ids, batch.guides)
            logits = self.model.lm_head(states.flatten(0, 1)[batch.sources])
            loss = functional.cross_entropy(logits, batch.targets)
            (batch.weight * (loss + guiding * miss)).backward()
            share = batch.weight if batch.kind == "author" else 1.0
            losses[batch.kind] = losses.get(batch.kind, 0.0) + share * loss.item()
            if batch.guides:
                losses[f"{batch.kind}_miss"] = losses.get(f"{batch.kind}_miss", 0.0) + share * miss.item()
        return losses

    def measure(self) -> dict[str, float]:
        """Return a point of the curve: accuracy in context, separation of authors, use of neutral instructions."""
        from scripts.mini_world.measure import auc, author_gains, in_context_hits, same_instruction_hits

        n = self.settings.evaluate_documents
        reader = self.reader()
        point: dict[str, float] = {}
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
        _, hits = same_instruction_hits(reader, seed=self.seed, n_trials=n)
        point["same_instruction"] = round(float(hits.mean()), 4)
        return point

    def reader(self) -> Any:
        """Return the model as something to be measured."""
        import torch

        from scripts.mini_world.measure import Reader

        @torch.no_grad()
        def predict(ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
            return self.model.lm_head(self.model.states(ids)[0].flatten(0, 1)[positions])

        return Reader(self.world, self.token_ids, predict)


def main(argv: Sequence[str] | None = None) -> None:
    """Train, or go on training, and write model, tokenizer, model card and curve."""
    args = parse_training_args(__doc__, argv)
    settings = parse_settings(TrainSettings, args.settings)
    from scripts.mini_world.checkpoints import export

    train_and_save(args, lambda: Trainer(settings, args.seed), export)


if __name__ == "__main__":
    run_step(main)
