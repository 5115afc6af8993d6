"""The generator: a causal language model with one begin token a class and a separator of text columns.

A text of class c is read as: class token, blank, columns joined by " <sep> ", blank, end-of-text.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from scripts.common.errors import UserError
from scripts.common.files import PathLike, read_json
from scripts.common.seeding import derive_seed
from scripts.ddg.texts import SEPARATOR, Task, class_token
from scripts.lm.load import context_window, load_model

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel

PADDING = "<pad>"
FACTS = "ddg.json"  # beside a generator's weights: the labels and text columns it was made for


@dataclasses.dataclass(frozen=True)
class Writing:
    """How a text's loss is counted: `loss_norm` (see `text_losses`), padded length a multiple of `pad_multiple`."""

    loss_norm: str
    pad_multiple: int


class Generator:
    """A causal language model that writes texts of the classes `label_names` with the text columns `columns`."""

    def __init__(self, loaded: LoadedModel, label_names: Sequence[str], columns: Sequence[str]) -> None:
        self.loaded, self.model, self.tokenizer = loaded, loaded.model, loaded.tokenizer
        self.device = loaded.device
        self.label_names, self.columns = tuple(label_names), tuple(columns)
        self.class_ids = [self._id(class_token(label)) for label in range(len(label_names))]
        self.separator_id = self._id(SEPARATOR)
        if self.tokenizer.eos_token_id is None or self.tokenizer.pad_token_id is None:
            raise UserError("generator: its tokenizer has no end-of-text or no padding token; take another model")
        self.end_id, self.pad_id = int(self.tokenizer.eos_token_id), int(self.tokenizer.pad_token_id)
        # The padding token never stands in a text, so it is never drawn; class tokens only begin one.
        self.forbidden_ids = [*self.class_ids, *({self.pad_id} - {self.end_id})]

    def _id(self, token: str) -> int:
        found = self.tokenizer.convert_tokens_to_ids(token)
        if found is None or found == self.tokenizer.unk_token_id:
            raise UserError(f"generator: its tokenizer lacks '{token}'; make it with train_generator on this task")
        return int(found)

    def encode(self, texts: Sequence[Sequence[str]], labels: Sequence[int], max_tokens: int) -> list[list[int]]:
        """Return the ids of training strings, cut at `max_tokens`."""
        joined = [
            f"{class_token(label)} {f' {SEPARATOR} '.join(text)} {self.tokenizer.eos_token}"
            for text, label in zip(texts, labels)
        ]
        encoded = self.tokenizer(joined, add_special_tokens=False)["input_ids"]
        for ids, label in zip(encoded, labels):
            if ids[0] != self.class_ids[label] or ids[-1] != self.end_id:
                raise UserError("generator: its tokenizer splits class or end-of-text tokens; take another model")
        return [list(ids[:max_tokens]) for ids in encoded]

    def decode(self, ids: Sequence[int]) -> tuple[str, ...] | None:
        """Return the text columns in ids without class and end tokens; None if one is missing or empty.

        Parts behind the last column are dropped, as in DiLM.
        """
        parts: list[list[int]] = [[]]
        for token in ids:
            if token == self.separator_id:
                parts.append([])
            else:
                parts[-1].append(token)
        texts = [self.tokenizer.decode(part, skip_special_tokens=True).strip() for part in parts]
        texts = texts[: len(self.columns)]
        return tuple(texts) if len(texts) == len(self.columns) and all(texts) else None

    def next_logits(self, ids: Tensor, cache: Any) -> Tensor:
        """Return (n, words) logits behind the last of `ids` (n, t); `cache` grows by t tokens."""
        output = self.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return output.logits[:, -1].clone()


def text_losses(
    generator: Generator, encoded: Sequence[Sequence[int]], writing: Writing, widths: Sequence[int] | None = None
) -> Tensor:
    """Return the loss of each text in nats, (n,): differentiable in the generator.

    padded: the sum over the text's tokens divided by the padded length of the batch less one, as in DiLM's code: a
    short text beside long ones has a small loss. tokens: divided by the text's own number of predicted tokens.
    widths: the padded length to count with for each text, where texts of several batches run at once.
    """
    longest = max(len(ids) for ids in encoded)
    if widths is None:
        widths = [padded_width(longest, writing.pad_multiple)] * len(encoded)
    ids = torch.full((len(encoded), longest), generator.pad_id)
    for row, own in enumerate(encoded):
        ids[row, : len(own)] = torch.tensor(own)
    lengths = torch.tensor([len(own) for own in encoded])
    mask = torch.arange(longest) < lengths[:, None]
    ids, mask = ids.to(generator.device), mask.to(generator.device)
    logits = generator.model(input_ids=ids, attention_mask=mask.long()).logits[:, :-1]
    predicted = mask[:, 1:]
    nats = F.cross_entropy(logits[predicted].float(), ids[:, 1:][predicted], reduction="none")
    rows = predicted.nonzero()[:, 0]
    sums = torch.zeros(len(encoded), dtype=nats.dtype, device=generator.device).index_add(0, rows, nats)
    if writing.loss_norm == "tokens":
        return sums / (lengths - 1).to(sums)
    return sums / (torch.tensor(widths, device=generator.device) - 1).to(sums)


def padded_width(longest: int, multiple: int) -> int:
    """Return the length to which a batch with this longest text is filled up: the next multiple."""
    return -(-longest // multiple) * multiple


def prepare_generator(loaded: LoadedModel, task: Task, seed: int) -> Generator:
    """Add class tokens, separator and padding to a language model and its tokenizer.

    A class token starts as a copy of the begin-of-text token (end-of-text where the model has none), the separator and
    a new padding token as draws from N(0, initializer_range), as in the transformers of DiLM's time.
    """
    from tokenizers import AddedToken

    tokenizer, model = loaded.tokenizer, loaded.model
    known = len(tokenizer)
    begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    if begin is None:
        raise UserError("model: its tokenizer has neither begin- nor end-of-text token; take another model")
    if tokenizer.pad_token_id is None:
        tokenizer.add_special_tokens({"pad_token": PADDING})
    names = [SEPARATOR, *(class_token(label) for label in range(task.n_classes))]
    tokenizer.add_tokens([AddedToken(name, normalized=False, special=False) for name in names])
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    noise = torch.Generator().manual_seed(derive_seed(seed, "new tokens"))
    std = float(getattr(model.config, "initializer_range", 0.02))
    with torch.no_grad():
        tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
        for layer in [model.get_input_embeddings()] + ([] if tied else [model.get_output_embeddings()]):
            for place in range(known, len(tokenizer)):
                drawn = torch.randn(layer.weight.shape[1], generator=noise) * std
                layer.weight[place] = drawn.to(layer.weight)
            for label in range(task.n_classes):
                layer.weight[tokenizer.convert_tokens_to_ids(class_token(label))] = layer.weight[begin]
    return Generator(loaded, task.label_names, task.columns)


def load_generator(folder: PathLike, task: Task, *, device: str, threads: int) -> Generator:
    """Load a generator that `train_generator` or `match_gradients` wrote, in float32. Raises `UserError` if unfit."""
    facts = Path(folder) / FACTS
    if not facts.is_file():
        raise UserError(f"{folder}: no {FACTS}; this is no generator, make it with train_generator")
    made_for = read_json(facts)
    if made_for != {"label_names": list(task.label_names), "text_columns": list(task.columns)}:
        raise UserError(f"{folder}: made for other labels or text columns than this task's; train it on this task")
    loaded = load_model(str(folder), family="causal", dtype="float32", device=device, threads=threads)
    return Generator(loaded, task.label_names, task.columns)


def check_window(generator: Generator, n_tokens: int, key: str) -> None:
    """Raise `UserError` if texts of `n_tokens` tokens do not fit the model's window; `key` names the setting."""
    window = context_window(generator.model.config)
    if n_tokens > window:
        raise UserError(f"{key}: {n_tokens} exceeds the generator's window of {window} tokens; lower {key}")
