"""Pre-train a small T5 on unlabelled synthetic text by span corruption, and save it as an ordinary T5 v1.1.

It reads questions of the synthetic reasoning sets and facts about sums, never a label, a rationale or the hidden
value of an item: what Distilling Step-by-Step's students have to learn stays unknown to it. Head and embeddings are
tied and the head's input is scaled by d_model ** -0.5, because transformers 5 gives a T5 made without these an unscaled
head.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError, run_step
from scripts.common.files import write_jsonl
from scripts.common.seeding import derive_seed, generator, seed_all
from scripts.common.settings import parse_settings
from scripts.lm.loop import check_finite, update_weights

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from scripts.mini_world.cards import Card

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
PREFIXES = ("predict:", "explain:")
MORE_WORDS = tuple("it unclear unknown again x so the answer is".split())
N_SENTINELS = 16
WORD = r"\([a-z]\)|\d+\.\d+|\w+(?:-\w+)*:?|[^\w\s]"  # a choice's letter, a decimal number, a word, a sign
MASKED = -100
N_HELD_OUT = 256  # texts on which the curve's loss is measured


@dataclasses.dataclass(frozen=True)
class PretrainSettings:
    """Settings of a pre-training run.

    d_model, d_kv, d_ff, layers (on either side), heads, buckets (of relative positions), max_distance: the model.
    texts: unlabelled texts to read; steps: optimizer steps of batch_size texts; learning_rate: its peak, reached after
    warmup_steps, then falling linearly to 0; weight_decay; clip: longest gradient; noise_share: share of the words that
    are hidden, mean_span: their mean number in a row; curve_every: steps between two points of the curve.
    """

    d_model: int
    d_kv: int
    d_ff: int
    layers: int
    heads: int
    buckets: int
    max_distance: int
    texts: int
    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    clip: float
    noise_share: float
    mean_span: float
    curve_every: int


def vocabulary() -> list[str]:
    """Return every token in the order of its id: specials, sentinels, prefixes, words of the sets, general words."""
    from scripts.data.synthetic_reasoning_words import vocabulary as reasoning_words
    from scripts.data.synthetic_words import FILLERS, NUMBERS, PUNCTUATION, ROOM_WORDS

    sentinels = [f"<extra_id_{i}>" for i in range(N_SENTINELS)]
    words = [*reasoning_words(), *MORE_WORDS, *FILLERS, *ROOM_WORDS, *NUMBERS, *PUNCTUATION, *map(str, range(31))]
    return list(dict.fromkeys([PAD, END, UNKNOWN, *sentinels, *PREFIXES, *words]))


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Return the word-level tokenizer: `</s>` is read from text and put at every end; decoding sets blanks."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    ids = {token: index for index, token in enumerate(vocabulary())}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    sentinels = [token for token in ids if token.startswith("<extra_id_")]
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in (PAD, END, UNKNOWN, *sentinels)])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), behavior="removed", invert=True)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, ids[END])])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        unk_token=UNKNOWN,
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
        padding_side="right",
        model_input_names=["input_ids", "attention_mask"],
    )


def corrupt(
    ids: Sequence[int], noise_share: float, mean_span: float, sentinels: Sequence[int], rng: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Hide random spans of a text (Raffel et al. 2020, 3.1.4): return what is left and what is to be written.

    Each hidden span is one sentinel in the text; the target names each sentinel and the words behind it. At least one
    word is hidden and one is left; two spans never touch.
    """
    if len(ids) < 2:
        raise ValueError(f"a text of {len(ids)} words has nothing to hide")
    n_noise = min(max(1, round(noise_share * len(ids))), len(ids) - 1)
    n_spans = min(max(1, round(n_noise / mean_span)), n_noise, len(ids) - n_noise, len(sentinels))
    hidden = _parts(n_noise, n_spans, rng)
    kept = _parts(len(ids) - n_noise, n_spans, rng)
    left: list[int] = []
    target: list[int] = []
    place = 0
    starts_hidden = bool(rng.integers(2))
    for sentinel, n_hidden, n_kept in zip(sentinels, hidden, kept):
        if not starts_hidden:
            left += ids[place : place + n_kept]
            place += n_kept
        left.append(sentinel)
        target += [sentinel, *ids[place : place + n_hidden]]
        place += n_hidden
        if starts_hidden:
            left += ids[place : place + n_kept]
            place += n_kept
    return left, target


def _parts(total: int, n: int, rng: np.random.Generator) -> list[int]:
    """Return `n` whole numbers from 1 on that add up to `total`, every way alike."""
    cuts = np.sort(rng.choice(total - 1, n - 1, replace=False)) + 1 if n > 1 else np.empty(0, dtype=int)
    return np.diff([0, *cuts.tolist(), total]).tolist()


class Reader:
    """Turns texts into corrupted batches; which words are hidden depends on the seed and the batch's name alone."""

    def __init__(self, tokenizer: Any, texts: Sequence[str], settings: PretrainSettings, seed: int) -> None:
        self.settings, self.seed = settings, seed
        rows = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        if any(tokenizer.unk_token_id in row for row in rows):
            raise UserError("vocabulary: a pre-training text holds a word it does not know; add the word")
        self.rows = rows
        self.end, self.pad = tokenizer.eos_token_id, tokenizer.pad_token_id
        self.sentinels = [tokenizer.convert_tokens_to_ids(f"<extra_id_{i}>") for i in range(N_SENTINELS)]

    def batch(self, name: str, chosen: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return ids, mask and labels, each (1, rows, width), of the chosen texts."""
        rng = generator(self.seed, "spans", name)
        pairs = [
            corrupt(self.rows[i], self.settings.noise_share, self.settings.mean_span, self.sentinels, rng)
            for i in chosen
        ]
        ids = _filled([[*left, self.end] for left, _ in pairs], self.pad)
        mask = _filled([[1] * (len(left) + 1) for left, _ in pairs], 0)
        labels = _filled([[*target, self.end] for _, target in pairs], MASKED)
        return ids[None], mask[None], labels[None]


def _filled(rows: Sequence[Sequence[int]], filler: int) -> np.ndarray:
    width = max(map(len, rows))
    return np.array([[*row, *[filler] * (width - len(row))] for row in rows], dtype=np.int64)


def new_model(settings: PretrainSettings, tokenizer: Any) -> Any:
    """Return a T5 v1.1 with random weights: gated GELU, no dropout, tied and scaled head."""
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=settings.d_model,
        d_kv=settings.d_kv,
        d_ff=settings.d_ff,
        num_layers=settings.layers,
        num_decoder_layers=settings.layers,
        num_heads=settings.heads,
        relative_attention_num_buckets=settings.buckets,
        relative_attention_max_distance=settings.max_distance,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        tie_word_embeddings=True,
        decoder_start_token_id=tokenizer.pad_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return T5ForConditionalGeneration(config)


def pretrain(model: Any, tokenizer: Any, settings: PretrainSettings, seed: int) -> list[dict[str, float]]:
    """Train `model` in place; return the curve: step, training and held-out loss in nats per hidden token."""
    import torch

    from scripts.data.synthetic_reasoning import unlabelled_text
    from scripts.step_by_step.t5_stack import T5Stack

    reader = Reader(tokenizer, unlabelled_text(settings.texts, derive_seed(seed, "train")), settings, seed)
    held_out = Reader(tokenizer, unlabelled_text(N_HELD_OUT, derive_seed(seed, "held_out")), settings, seed)
    stack = T5Stack(model.config, model.state_dict(), 1)
    optimizer = torch.optim.AdamW(
        stack.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    exam = held_out.batch("held_out", range(N_HELD_OUT))
    curve: list[dict[str, float]] = []
    losses: list[float] = []
    for step in range(settings.steps):
        chosen = generator(seed, "texts", step).integers(settings.texts, size=settings.batch_size).tolist()
        loss = _loss(stack, reader.batch(str(step), chosen))
        losses.append(loss.item())
        check_finite(losses[-1:], step, settings.steps, settings.learning_rate)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(stack.parameters(), settings.clip)
        rise = min(1.0, (step + 1) / max(1, settings.warmup_steps))
        update_weights(optimizer, settings.learning_rate * rise * (1 - step / settings.steps))
        if (step + 1) % settings.curve_every == 0 or step + 1 == settings.steps:
            with torch.no_grad():
                found = _loss(stack, exam).item()
            curve.append({"step": step + 1, "loss": round(sum(losses) / len(losses), 4), "held_out": round(found, 4)})
            logging.info("curve %s", json.dumps(curve[-1]))
            losses = []
    model.load_state_dict(stack.state_dict(0))
    return curve


def _loss(stack: Any, batch: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Any:
    """Return the mean loss in nats per label."""
    import torch

    ids, mask, labels = map(torch.from_numpy, batch)
    total, count = stack.label_losses(stack.encode(ids, mask), mask, labels)
    return (total / count).sum()


def save(folder: Path, model: Any, tokenizer: Any, settings: PretrainSettings, seed: int, curve: Sequence[Any]) -> None:
    """Write model, tokenizer and model card to `folder`, whole or not at all."""
    from transformers.utils import logging as transformers_logging

    from scripts.lm.checkpoints import atomic_folder
    from scripts.mini_world.cards import write_card

    transformers_logging.disable_progress_bar()
    with atomic_folder(folder) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        write_card(temporary, card(model, settings, seed, curve))


def card(model: Any, settings: PretrainSettings, seed: int, curve: Sequence[Mapping[str, float]]) -> Card:
    """Return the model card: what the model is, what it read, how well it fills gaps."""
    from scripts.mini_world.cards import Card, Measure

    config = model.config
    summary = (
        f"A T5 v1.1 ({config.num_layers} + {config.num_decoder_layers} layers, {config.d_model} wide,"
        f" {config.num_heads} heads, {config.vocab_size} words, tied and scaled head), pre-trained from nothing by span"
        " corruption on unlabelled text of the synthetic reasoning sets (scripts/data/synthetic_reasoning.py,"
        " `unlabelled_text`). It has read questions and what sums mean; no answer, no rationale, no hidden"
        " value of an item."
    )
    last = curve[-1]
    return Card(
        title="Mini T5",
        summary=summary,
        module="scripts.mini_world.train_t5",
        steps=settings.steps,
        seed=seed,
        settings=dataclasses.asdict(settings),
        measures={"loss_train": Measure(last["loss"]), "loss_held_out": Measure(last["held_out"])},
        legend=(
            f"`loss_*`: nats per hidden word, sentinels and end included; train: mean since the point before; held out:"
            f" {N_HELD_OUT} other texts."
        ),
    )


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="pre-training settings, one JSON object")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--threads", required=True, type=int, help="threads of torch; 1 gives equal bytes everywhere")
    parser.add_argument("--curve-out", required=True, type=Path, help="losses against steps, JSON lines")
    parser.add_argument("--model-out", required=True, type=Path, help="folder for model and tokenizer")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Pre-train and write model, tokenizer, model card and curve."""
    args = parse_args(argv)
    settings = parse_settings(PretrainSettings, args.settings)
    import torch

    torch.set_num_threads(args.threads)
    seed_all(args.seed)
    tokenizer = build_tokenizer()
    model = new_model(settings, tokenizer)
    curve = pretrain(model, tokenizer, settings, args.seed)
    save(args.model_out, model, tokenizer, settings, args.seed, curve)
    write_jsonl(args.curve_out, curve)


if __name__ == "__main__":
    run_step(main)
