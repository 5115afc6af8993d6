"""Train the mini causal LM on the synthetic world and save it as an ordinary Llama.

Learning in context does not come by itself at this size. During the first steps the attention of five heads in three
layers is guided to the right keys: topic words of an example, then labels of earlier examples of the same class;
likewise the instruction, the answers of earlier examples and the input words an answer comes from
(`scripts.mini_world.batches`). The guidance fades out; what it taught stays.
"""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any, Sequence

from scripts.common.errors import run_step
from scripts.common.files import atomic_path, write_json
from scripts.common.seeding import derive_seed
from scripts.common.settings import parse_settings, settings_of
from scripts.mini_world.cards import Card, Measure, share, write_card
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


def model_config(trainer: Trainer) -> dict[str, Any]:
    """Return the content of config.json."""
    from scripts.data.synthetic_words import EOS, PAD

    shape = trainer.shape
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": None,
        "dtype": "float32",
        "eos_token_id": trainer.token_ids[EOS],
        "head_dim": shape.width // shape.heads,
        "hidden_act": "silu",
        "hidden_size": shape.width,
        "initializer_range": 0.02,
        "intermediate_size": shape.hidden,
        "max_position_embeddings": shape.window,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.heads,
        "pad_token_id": trainer.token_ids[PAD],
        "pretraining_tp": 1,
        "rms_norm_eps": shape.norm_eps,
        "rope_parameters": {"rope_theta": shape.rope_theta, "rope_type": "default"},
        "tie_word_embeddings": False,
        "use_cache": True,
        "vocab_size": shape.vocabulary,
    }


def export(folder: Path, trainer: Trainer) -> None:
    """Write config.json, model.safetensors (fp32), the tokenizer and the model card README.md into `folder`."""
    from safetensors.torch import save_file

    from scripts.data.synthetic_words import EOS, PAD
    from scripts.mini_world.tokenizer import build_tokenizer

    tokenizer = build_tokenizer(trainer.world, trainer.shape.window)
    tokenizer.save_pretrained(folder)
    write_json(folder / "config.json", model_config(trainer))
    ends = {"eos_token_id": trainer.token_ids[EOS], "pad_token_id": trainer.token_ids[PAD]}
    write_json(folder / "generation_config.json", ends)
    weights = folder / "model.safetensors"
    tensors = {name: tensor.contiguous() for name, tensor in trainer.model.state_dict().items()}
    with atomic_path(weights) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
    write_card(folder, causal_card(trainer))


def causal_card(trainer: Trainer) -> Card:
    """Return what the model is, what it read and how well it does."""
    shape, settings, n = trainer.shape, trainer.settings, trainer.settings.evaluate_documents
    measures = {}
    for name, value in trainer.curve[-1].items():
        shared = name.startswith(("trained_", "held_out_", "same_instruction"))
        if name != "step":
            measures[name] = share(value, n) if shared else Measure(value)
    return Card(
        title=f"Mini causal LM, {shape.layers} layers of {shape.width}",
        summary=(
            f"A Llama ({shape.layers} layers, {shape.width} wide, {shape.heads} heads, {shape.vocabulary} words, "
            f"window {shape.window}), trained from nothing on documents of the synthetic world "
            f"(scripts/data/synthetic_documents.py): {settings.n_topics} topics of {settings.words_per_topic} words, "
            f"{settings.n_held_out} of them never in a classification document. Its attention was guided for the first "
            f"{settings.guide_steps} steps."
        ),
        module="scripts.mini_world.train_causal",
        steps=trainer.step,
        seed=trainer.seed,
        settings=json.loads(trainer.key),
        measures=measures,
        legend=(
            "`trained_k`, `held_out_k`: share of hidden labels named rightly after k demonstrations (3 to 5 classes) "
            "of trained or held-out topics; `auc_*`: right against careless single examples, by the share of anchors "
            "they raise (golden) or the mean gain; `same_instruction`: how often an example of the same neutral "
            "instruction helps more than one of another; `loss_*`: nats a token by kind of document, mean since the "
            "point before."
        ),
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Train, or go on training, and write model, tokenizer, model card and curve."""
    args = parse_training_args(__doc__, argv)
    settings = parse_settings(TrainSettings, args.settings)
    train_and_save(args, lambda: Trainer(settings, args.seed), export)


if __name__ == "__main__":
    run_step(main)
