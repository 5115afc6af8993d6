"""Learners: an encoder with a classifier, as gradient matching and evaluation A train it.

pooling says what the classifier reads. `model`: as the architecture has it - BERT: the pooler's output and one linear
layer; RoBERTa: the first token's state, XLNet: the last one's, each through a dense layer with tanh and a linear one.
`first`, `mean`: the first token's state or the mean over the text, and one linear layer, for any encoder.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.common.errors import UserError
from scripts.common.seeding import derive_seed, seed_all
from scripts.lm.load import load_model

if TYPE_CHECKING:
    from scripts.ddg.settings_steps import Reading

TWO_LAYER_TYPES = {"roberta": 0, "xlm-roberta": 0, "camembert": 0, "xlnet": -1}
"""Architectures with a head of two layers -> the token they read: first or last."""
POOLER_TYPES = ("bert",)
OWN_MASK_TYPES = ("xlnet",)
"""Architectures that make their attention mask from (rows, width) alone, under `torch.func.vmap` too."""

FULL_MASK = "full_mask"
"""Key of a batch's mask over (rows, 1, width, width), which `torch.func.vmap` needs in place of (rows, width)."""

Encoded = "dict[str, list[int]]"


class TwoLayerHead(nn.Module):
    """Dropout, dense layer, tanh, dropout, linear layer: the head of RoBERTa and XLNet classifiers."""

    def __init__(self, width: int, n_classes: int, dropout: float) -> None:
        super().__init__()
        self.dense, self.out = nn.Linear(width, width), nn.Linear(width, n_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Return (..., C) logits of (..., d) features."""
        return self.out(self.dropout(torch.tanh(self.dense(self.dropout(features)))))


class Learner(nn.Module):
    """An encoder and a classifier `head`; `head` is an `nn.Linear` wherever the closed form of its gradient holds."""

    def __init__(self, encoder: Any, tokenizer: Any, n_classes: int, pooling: str, window: int) -> None:
        super().__init__()
        self.encoder, self.tokenizer, self.pooling, self.window = encoder, tokenizer, pooling, window
        config = encoder.config
        kind = config.model_type
        if pooling == "model" and kind not in (*POOLER_TYPES, *TWO_LAYER_TYPES):
            raise UserError(
                f"learner: the classifier of a '{kind}' model is not known; set pooling to mean or first"
                f" (known: {', '.join((*POOLER_TYPES, *TWO_LAYER_TYPES))})"
            )
        given = getattr(config, "classifier_dropout", None)
        dropout = float(given if given is not None else getattr(config, "hidden_dropout_prob", 0.1))
        if pooling == "model" and kind in TWO_LAYER_TYPES:
            self.head: nn.Module = TwoLayerHead(config.hidden_size, n_classes, dropout)
            self.dropout = nn.Dropout(0.0)  # the head has its own
        else:
            self.head = nn.Linear(config.hidden_size, n_classes)
            self.dropout = nn.Dropout(dropout)

    @property
    def device(self) -> torch.device:
        """Return where the learner's weights are."""
        return next(self.parameters()).device

    def encode(self, texts: Sequence[Sequence[str]], max_tokens: int) -> list[Encoded]:
        """Return token ids (and token types, if the model has them) of texts of one or two columns, cut at the end.

        Two columns are given to the tokenizer as a pair; where it puts nothing between them, a line break stands there.
        """
        limit = min(max_tokens, self.window)
        pair = len(texts[0]) > 1
        marked = self.tokenizer.num_special_tokens_to_add(pair=True) > 0
        if len(texts[0]) == 2 and marked:
            given: tuple[list[str], ...] = ([text[0] for text in texts], [text[1] for text in texts])
        else:
            given = (["\n".join(text) if pair else text[0] for text in texts],)
        found = self.tokenizer(*given, truncation="longest_first", max_length=limit)
        keys = [key for key in ("input_ids", "token_type_ids") if key in found]
        rows = [{key: list(found[key][row]) for key in keys} for row in range(len(texts))]
        for row, text in zip(rows, texts):
            if not row["input_ids"]:
                raise UserError(f"text '{' '.join(text)[:40]}': has no tokens for the learner; remove it or fill it in")
        return rows

    def collate(self, rows: Sequence[Encoded]) -> dict[str, Tensor]:
        """Return the tensors of a batch, filled up on the right to its longest row."""
        width = max(len(row["input_ids"]) for row in rows)
        fill = {"input_ids": pad_token_id_of(self.tokenizer), "token_type_ids": 0}
        batch = {
            key: torch.tensor([row[key] + [fill[key]] * (width - len(row[key])) for row in rows]) for key in rows[0]
        }
        lengths = torch.tensor([len(row["input_ids"]) for row in rows])
        batch["attention_mask"] = (torch.arange(width) < lengths[:, None]).long()
        return {key: value.to(self.device) for key, value in batch.items()}

    def states(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the features that the classifier reads and the embeddings for clustering, both (rows, d).

        The embedding is the first token's last state, as in DiLM (XLNet: the last one's); with pooling mean, the mean.
        """
        mask = batch["attention_mask"]
        given = {key: value for key, value in batch.items() if key not in ("attention_mask", FULL_MASK)}
        usable = mask if self.encoder.config.model_type in OWN_MASK_TYPES else batch.get(FULL_MASK, mask)
        output = self.encoder(attention_mask=usable, **given)
        hidden = output.last_hidden_state
        if self.pooling == "mean":
            weights = mask.unsqueeze(-1).to(hidden)
            mean = (hidden * weights).sum(dim=1) / weights.sum(dim=1)
            return mean, mean
        if TWO_LAYER_TYPES.get(self.encoder.config.model_type, 0) == -1 and self.pooling == "model":
            last = hidden[torch.arange(len(hidden)), mask.sum(dim=1) - 1]
            return last, last
        first = hidden[:, 0]
        if self.pooling == "model" and self.encoder.config.model_type in POOLER_TYPES:
            return output.pooler_output, first
        return first, first

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the logits of a batch, (rows, C)."""
        return self.head(self.dropout(self.states(batch)[0]))


def pad_token_id_of(tokenizer: Any) -> int:
    """Return the id that fills up batches (always masked)."""
    for candidate in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if candidate is not None:
            return int(candidate)
    return 0


def load_learner(source: str, n_classes: int, pooling: str, *, device: str, threads: int, seed: int) -> Learner:
    """Load an encoder in float32 and put a classifier on it, drawn from `seed`; evaluation mode.

    seed also sets weights that the file lacks (the pooler of a pure masked language model).
    """
    seed_all(seed)
    loaded = load_model(source, family="encoder", dtype="float32", device=device, threads=threads)
    learner = Learner(loaded.model, loaded.tokenizer, n_classes, pooling, loaded.window).to(loaded.device)
    draw_head(learner, seed)
    return learner.eval()


def draw_head(learner: Learner, seed: int) -> None:
    """Draw the classifier anew: weights from N(0, initializer_range), biases 0."""
    noise = torch.Generator().manual_seed(seed)
    std = float(getattr(learner.encoder.config, "initializer_range", 0.02))
    with torch.no_grad():
        for value in learner.head.parameters():
            drawn = torch.randn(value.shape, generator=noise) * std if value.ndim > 1 else torch.zeros(value.shape)
            value.copy_(drawn.to(value))


class Start:
    """A learner's pre-trained encoder, kept as a copy, from which every outer loop begins.

    # DEVIATION: DiLM keeps references to the live weights; on a CPU its reset of the encoder does nothing.
    """

    def __init__(self, learner: Learner) -> None:
        self._weights = {name: value.detach().clone() for name, value in learner.encoder.state_dict().items()}

    def restore(self, learner: Learner, seed: int) -> None:
        """Put the encoder's weights back and draw the classifier from `seed`."""
        learner.encoder.load_state_dict(self._weights)
        draw_head(learner, seed)
        learner.zero_grad(set_to_none=True)


def copy_of(learner: Learner) -> Learner:
    """Return a second learner with the same weights, without gradients."""
    twin = Learner(
        copy.deepcopy(learner.encoder), learner.tokenizer, _n_classes(learner), learner.pooling, learner.window
    )
    twin.head.load_state_dict(learner.head.state_dict())
    return twin.to(learner.device).eval().requires_grad_(False)


def _n_classes(learner: Learner) -> int:
    return list(learner.head.parameters())[-1].shape[0]


@torch.no_grad()
def follow(teacher: Learner, student: Learner, decay: float) -> None:
    """Move the teacher towards the student: theta' <- decay theta' + (1 - decay) theta, every weight (DDG, 1.7)."""
    for slow, fast in zip(teacher.parameters(), student.parameters()):
        slow.mul_(decay).add_(fast, alpha=1 - decay)


def train_batch(learner: Learner, rows: Sequence[Encoded], labels: Sequence[int]) -> Tensor:
    """Return the mean cross entropy of a batch, with its graph."""
    logits = learner(learner.collate(rows))
    return F.cross_entropy(logits.float(), torch.tensor(list(labels), device=logits.device))


def batches_by_length(rows: Sequence[Encoded], size: int) -> Iterator[list[int]]:
    """Yield places of rows, longest first, `size` at a time, so that little is padded."""
    order = sorted(range(len(rows)), key=lambda row: (-len(rows[row]["input_ids"]), row))
    for start in range(0, len(order), size):
        yield order[start : start + size]


@torch.no_grad()
def read_states(learner: Learner, rows: Sequence[Encoded], size: int) -> tuple[Tensor, Tensor]:
    """Return features and embeddings, (n, d) each, in the order of `rows`; `size` texts a pass, no gradients."""
    places, features, embeddings = [], [], []
    for batch in batches_by_length(rows, size):
        pooled, embedded = learner.states(learner.collate([rows[row] for row in batch]))
        places += batch
        features.append(pooled.float())
        embeddings.append(embedded.float())
    back = torch.tensor(places).argsort().to(features[0].device)
    return torch.cat(features)[back], torch.cat(embeddings)[back]


def embeddings_of(learner: Learner, texts: Sequence[Sequence[str]], reading: Reading) -> Any:
    """Return float32 NumPy embeddings of texts for clustering, (n, d)."""
    if not texts:
        raise UserError("texts to embed: none given")
    rows = learner.encode(texts, reading.max_tokens)
    return read_states(learner, rows, reading.batch_size)[1].cpu().numpy()


def head_seed(seed: int, *names: str | int) -> int:
    """Return the seed of a classifier's draw for one purpose."""
    return derive_seed(seed, "classifier", *names)
