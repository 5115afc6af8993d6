"""Train the mini encoder, a small BERT, on the synthetic world: masked words and "are these texts of one document?".

It is the learner of DDG (pooler and classifier on top) and the embedder of DELIFT. Both tasks are those of BERT's own
training; without the second the pooler would be as random as the classifier that DDG puts on it.
"""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Sequence

from scripts.common.errors import run_step
from scripts.common.seeding import derive_seed
from scripts.common.settings import parse_settings
from scripts.mini_world.cards import Card, Measure, share, write_card
from scripts.mini_world.training import TrainingRun, TrainingSettings, parse_training_args, train_and_save

if TYPE_CHECKING:
    import torch

    from scripts.mini_world.encoder_texts import EncoderBatch


@dataclasses.dataclass(frozen=True)
class EncoderSettings(TrainingSettings):
    """Settings of a training run.

    n_topics, words_per_topic, n_held_out: the world. layers, width, heads, hidden, window: the model; spread: standard
    deviation of its first weights (BERT's 0.02 is far too small for this width). topic_pairs, instruction_pairs: pairs
    of texts a step; held_out_share: topic pairs about topics that no classification document shows (plain text only);
    mask_share: words hidden; evaluate_pairs: pairs per point of the curve and kind.
    """

    n_topics: int
    words_per_topic: int
    n_held_out: int
    layers: int
    width: int
    heads: int
    hidden: int
    window: int
    spread: float
    topic_pairs: int
    instruction_pairs: int
    held_out_share: float
    mask_share: float
    evaluate_pairs: int


class EncoderRun(TrainingRun):
    """A training run of the encoder."""

    settings: EncoderSettings

    def __init__(self, settings: EncoderSettings, seed: int) -> None:
        import torch
        from transformers import BertConfig, BertForPreTraining

        from scripts.data.synthetic_words import MARKERS, N_RESERVED, SPECIALS, build_world
        from scripts.mini_world.encoder_texts import EncoderIds
        from scripts.mini_world.tokenizer import CLS, MASK, SEP, build_encoder_tokenizer

        self.world = build_world(settings.n_topics, settings.words_per_topic, settings.n_held_out)
        self.tokenizer = build_encoder_tokenizer(self.world, settings.window)
        words = self.tokenizer.get_vocab()
        self.ids = EncoderIds(
            words, words[CLS], words[SEP], words[MASK], len(SPECIALS) + len(MARKERS), len(words) - N_RESERVED - 1
        )
        config = BertConfig(
            vocab_size=len(words),
            hidden_size=settings.width,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.heads,
            intermediate_size=settings.hidden,
            max_position_embeddings=settings.window,
            pad_token_id=0,
            initializer_range=settings.spread,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights") % 2**63)
            model = BertForPreTraining(config)
        model.config.initializer_range = 0.02  # BERT's, for the classifiers that are put on top later
        # Dropout stays off here: so small a model does not overfit on texts drawn anew each step. The saved
        # configuration keeps BERT's 0.1 for those who fine-tune it.
        super().__init__(settings, seed, model.eval())

    def batches(self, rng: random.Random) -> list[EncoderBatch]:
        """Return what one step reads: pairs about topics, pairs of instruction examples."""
        from scripts.mini_world.encoder_texts import encode, instruction_pair, topic_pair

        world, settings = self.world, self.settings
        topical = []
        for _ in range(settings.topic_pairs):
            unseen = len(world.held_out_topics) > 1 and rng.random() < settings.held_out_share
            topical.append(topic_pair(world, rng, world.held_out_topics if unseen else world.trained_topics))
        asking = [instruction_pair(world, rng) for _ in range(settings.instruction_pairs)]
        return [encode(pairs, self.ids, settings.mask_share, rng) for pairs in (topical, asking) if pairs]

    def forward(self, batch: EncoderBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits of the masked words (n, vocabulary) and of "one document" (B, 2)."""
        states = self.model.bert(
            input_ids=batch.input_ids, token_type_ids=batch.token_type_ids, attention_mask=batch.attention_mask
        )
        hidden = states.last_hidden_state[batch.labels >= 0]
        return self.model.cls.predictions(hidden), self.model.cls.seq_relationship(states.pooler_output)

    def gradients(self) -> dict[str, float]:
        """Leave a step's gradients in the model; return the losses in nats, by kind of text and task."""
        from torch.nn.functional import cross_entropy

        losses: dict[str, float] = {}
        rng = random.Random(derive_seed(self.seed, "batch", self.step))
        for name, batch in zip(("topic", "instruction"), self.batches(rng)):
            words, together = self.forward(batch)
            masked = cross_entropy(words, batch.labels[batch.labels >= 0])
            same = cross_entropy(together, batch.together)
            (masked + same).backward()
            losses.update({f"{name}_masked": masked.item(), f"{name}_pair": same.item()})
        return losses

    def measure(self) -> dict[str, float]:
        """Return shares of right guesses on new texts: masked words' topic, one document or two, few-shot topics."""
        import torch

        with torch.no_grad():
            point = {}
            for name, topics in (("trained", self.world.trained_topics), ("held_out", self.world.held_out_topics)):
                if len(topics) >= 20:
                    point.update({f"{key}_{name}": value for key, value in self.measure_topics(topics, name).items()})
        return point

    def measure_topics(self, topics: Sequence[int], name: str) -> dict[str, float]:
        """Return the shares for some topics.

        masked_topic: the likeliest word for a masked topic word is of the right topic; pair: one document or two;
        centroid: the nearest of 20 classes' means of five texts' first-token vectors is the right one.
        """
        from scripts.mini_world.encoder_texts import encode, topic_pair

        rng = random.Random(derive_seed(self.seed, "measure", name))
        n = self.settings.evaluate_pairs
        pairs = [topic_pair(self.world, rng, topics) for _ in range(n)]
        batch = encode(pairs, self.ids, 0.15, rng)
        words, together = self.forward(batch)
        owner = {self.ids.words[word]: t for t in topics for word in self.world.topics[t]}
        truth = batch.labels[batch.labels >= 0].tolist()
        hits = [
            owner[true] == owner.get(guess) for true, guess in zip(truth, words.argmax(-1).tolist()) if true in owner
        ]
        return {
            "masked_topic": round(sum(hits) / max(1, len(hits)), 4),
            "pair": round(float((together.argmax(-1) == batch.together).float().mean()), 4),
            "centroid": round(self.centroid_hits(topics, n, rng), 4),
        }

    def centroid_hits(self, topics: Sequence[int], n: int, rng: random.Random) -> float:
        """Return the share of n new labelled texts whose class is found by the nearest mean of five texts a class."""
        from scripts.data.synthetic_documents import classification_text

        chosen = rng.sample(list(topics), 20)
        asked = [rng.randrange(20) for _ in range(n)]
        kinds = [kind for kind in range(20) for _ in range(5)] + asked
        texts = [" ".join(w for w, _ in classification_text(self.world, chosen[kind], rng)) for kind in kinds]
        vectors = self.model.bert(**self.tokenizer(texts, padding=True, return_tensors="pt")).last_hidden_state[:, 0]
        means = vectors[:100].view(20, 5, -1).mean(1)
        found = (vectors[100:, None] - means[None]).pow(2).sum(-1).argmin(1).tolist()
        return sum(a == b for a, b in zip(found, asked)) / n


def export(folder: Path, run: EncoderRun) -> None:
    """Write the model in transformers' form, the tokenizer and the model card into `folder`."""
    run.model.save_pretrained(folder)
    run.tokenizer.backend_tokenizer.no_padding()  # how the last batch was filled up is no part of the tokenizer
    run.tokenizer.save_pretrained(folder)
    settings, n = run.settings, run.settings.evaluate_pairs
    counted = ("pair_", "centroid_")
    measures = {
        name: share(value, n) if name.startswith(counted) else Measure(value)
        for name, value in run.curve[-1].items()
        if name != "step"
    }
    card = Card(
        title="Mini encoder",
        summary=(
            f"A BERT ({settings.layers} layers, {settings.width} wide, {settings.heads} heads, window "
            f"{settings.window}) with pooler and both heads of BERT's training, trained from nothing on pairs of "
            "short texts of the synthetic world (scripts/mini_world/encoder_texts.py): words masked, one document or "
            f"two. Of the {settings.n_topics} topics, {settings.n_held_out} came in plain text only. Words and ids "
            "are those of the causal model; [CLS], [SEP] and [MASK] take the first reserved ids. Trained without "
            "dropout."
        ),
        module="scripts.mini_world.train_encoder",
        steps=run.step,
        seed=run.seed,
        settings=json.loads(run.key),
        measures=measures,
        legend=(
            "Of trained or held-out topics: `masked_topic`: the likeliest word for a masked topic word is of the right "
            "topic; `pair`: one document or two, told rightly; `centroid`: a new labelled text lies nearest to its "
            "class among 20, each the mean of five texts' first-token vectors, without any fine-tuning; `loss_*`: nats "
            "a masked word or pair, mean since the point before."
        ),
    )
    write_card(folder, card)


def main(argv: Sequence[str] | None = None) -> None:
    """Train, or go on training, and write model, tokenizer, model card and curve."""
    args = parse_training_args(__doc__, argv)
    settings = parse_settings(EncoderSettings, args.settings)
    train_and_save(args, lambda: EncoderRun(settings, args.seed), export)


if __name__ == "__main__":
    run_step(main)
