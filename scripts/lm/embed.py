"""Embed texts with a language model or an encoder: one vector per text from its last hidden states.

NUGGETS finds its anchors by K-means over such vectors of the scoring model itself (NUGGETS, section 3.3). Its released
code pads every text to 512 tokens and averages over the padding as well (`mean_with_padding`).
DEVIATION: `mean` leaves the padding out, so a vector does not depend on how far its text was filled up.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Iterator, Sequence

import numpy as np

from scripts.common.errors import UserError, did_you_mean
from scripts.common.progress import Progress
from scripts.lm.generate import pad_token_id

if TYPE_CHECKING:
    import torch

    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)

POOLINGS = ("mean", "mean_with_padding", "first")


def embed(loaded: LoadedModel, texts: Sequence[str], *, pooling: str, max_tokens: int, batch_tokens: int) -> np.ndarray:
    """Return one vector per text, (n, d) float32, in the order of `texts`.

    pooling: mean = over the text's tokens; mean_with_padding = over `max_tokens` places, the text filled up on the
    right; first = the first token's state (`[CLS]` of a BERT). max_tokens: longer texts are cut at the end.
    batch_tokens: places per forward pass, padding included; it changes speed and memory only. Of an encoder-decoder
    model the encoder is used.
    Raises `UserError` for an unknown pooling, a text without tokens, `max_tokens` beyond the model's window.
    """
    import torch

    if pooling not in POOLINGS:
        raise UserError(f"pooling: '{pooling}' is not one of {', '.join(POOLINGS)}{did_you_mean(pooling, POOLINGS)}")
    if batch_tokens < 1 or max_tokens < 1:
        raise UserError("batch_tokens, max_tokens: give numbers above 0")
    if max_tokens > loaded.window:
        raise UserError(f"max_tokens: {max_tokens} exceeds the model's window of {loaded.window}; lower max_tokens")
    body = _body(loaded)
    if not texts:
        return np.zeros((0, loaded.model.config.hidden_size), dtype=np.float32)
    encoded = loaded.tokenizer(list(texts), truncation=True, max_length=max_tokens)["input_ids"]
    full = [index for index, ids in enumerate(encoded) if len(ids) >= max_tokens]
    whole = loaded.tokenizer([texts[index] for index in full], verbose=False)["input_ids"] if full else []
    n_cut = sum(len(ids) > max_tokens for ids in whole)
    if n_cut:
        logger.warning("%d of %d texts are cut to %d tokens for their embedding", n_cut, len(texts), max_tokens)
    for index, ids in enumerate(encoded):
        if not ids:
            raise UserError(f"text {index}: it has no tokens; remove it or fill it in")
    width = max_tokens if pooling == "mean_with_padding" else 0
    loaded.model.eval()
    batches = list(batches_by_length([max(len(ids), width) for ids in encoded], batch_tokens))
    parts = []
    with torch.inference_mode(), Progress(len(texts), "texts") as progress:
        for rows in batches:
            parts.append(_embed_batch(loaded, body, [encoded[i] for i in rows], pooling, width).cpu())
            progress.advance(len(rows))
    vectors = torch.cat(parts).numpy()[np.argsort(np.concatenate(batches))]
    if not np.isfinite(vectors).all():
        raise UserError("model: it gives vectors that are not finite; its weights or dtype are at fault (try float32)")
    return vectors


def _body(loaded: LoadedModel) -> Any:
    """Return the part of the model that gives hidden states: without output layer, of T5 the encoder."""
    return loaded.model.get_encoder() if loaded.family == "encoder_decoder" else loaded.model.base_model


def batches_by_length(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Yield indices, longest first: as many rows of the longest one's length as `batch_tokens` allows, at least one."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    start = 0
    while start < len(order):
        count = max(1, batch_tokens // lengths[order[start]])
        yield order[start : start + count]
        start += count


def _embed_batch(
    loaded: LoadedModel, body: Any, encoded: Sequence[Sequence[int]], pooling: str, width: int
) -> torch.Tensor:
    """Return (rows, d) float32 vectors of one batch, filled up on the right to its longest row or to `width`."""
    import torch

    width = max([width, *map(len, encoded)])
    pad = pad_token_id(loaded)
    ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in encoded], device=loaded.device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in encoded], device=loaded.device)
    states = body(input_ids=ids, attention_mask=mask).last_hidden_state.float()
    if pooling == "first":
        return states[:, 0]
    if pooling == "mean_with_padding":
        return states.mean(dim=1)
    weights = mask.unsqueeze(-1).float()
    return (states * weights).sum(dim=1) / weights.sum(dim=1)
