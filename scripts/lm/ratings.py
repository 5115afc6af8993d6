"""Which rating would a language model give? The distribution over a few answer tokens at the end of a prompt."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Sequence

import numpy as np

from scripts.common.errors import UserError
from scripts.lm.prompts import default_ids, plain_ids

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel


logger = logging.getLogger(__name__)


def rating_ids(loaded: LoadedModel, ratings: Sequence[str], prompt_end: str) -> list[int]:
    """Return the token that stands for each rating right after `prompt_end`, by the model's own tokenizer.

    Raises `UserError` if a rating is not one token there, unknown to the vocabulary, or not told from another one.
    """
    tokenizer = loaded.tokenizer
    before = plain_ids(tokenizer, prompt_end)
    ids: list[int] = []
    for rating in ratings:
        whole = plain_ids(tokenizer, prompt_end + rating)
        added = whole[len(before) :]
        if whole[: len(before)] != before or len(added) != 1:
            raise UserError(
                f"ratings: '{rating}' is {len(added)} tokens after the prompt; let the prompt end in a line break, or"
                " choose ratings of one token each"
            )
        if added[0] == tokenizer.unk_token_id or added[0] in ids:
            raise UserError(
                f"ratings: the model's vocabulary has no token of its own for '{rating}'; choose other ratings"
            )
        ids.append(added[0])
    return ids


def rating_probabilities(
    loaded: LoadedModel, prompts: Sequence[str], ratings: Sequence[int], batch_tokens: int
) -> np.ndarray:
    """Return the model's distribution over the given tokens, and no others, behind each prompt.

    prompts: texts, tokenised with the default special tokens; one longer than the window loses its beginning. ratings:
    token ids. Returns (prompts, ratings) float64, rows add up to 1. Raises `UserError` for models that are not causal.
    """
    import torch

    from scripts.lm.embed import batches_by_length
    from scripts.lm.generate import pad_token_id
    from scripts.lm.logprob import output_cap, output_scale

    if loaded.family != "causal":
        raise UserError(f"model: ratings need a causal language model, and this one is {loaded.family}")
    encoded = [default_ids(loaded.tokenizer, text) for text in prompts]
    n_cut = sum(len(ids) > loaded.window for ids in encoded)
    if n_cut:
        logger.warning("%d of %d rated texts lose their beginning (window %d)", n_cut, len(encoded), loaded.window)
    encoded = [ids[-loaded.window :] for ids in encoded]
    for number, ids in enumerate(encoded):
        if not ids:
            raise UserError(f"rating prompt {number}: it has no tokens; fill it in")
    weight = loaded.model.get_output_embeddings().weight[list(ratings)]
    bias = getattr(loaded.model.get_output_embeddings(), "bias", None)
    scale, cap = output_scale(loaded.model.config), output_cap(loaded.model.config)
    result = np.empty((len(encoded), len(ratings)))
    pad = pad_token_id(loaded)
    loaded.model.eval()
    for rows in batches_by_length([len(ids) for ids in encoded], batch_tokens):
        width = max(len(encoded[row]) for row in rows)
        ids = torch.tensor([encoded[row] + [pad] * (width - len(encoded[row])) for row in rows], device=loaded.device)
        mask = torch.tensor(
            [[1] * len(encoded[row]) + [0] * (width - len(encoded[row])) for row in rows], device=loaded.device
        )
        with torch.inference_mode():
            states = loaded.model.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
            last = states[torch.arange(len(rows)), mask.sum(dim=1) - 1].float() * scale
            logits = last @ weight.float().T
            if bias is not None:
                logits = logits + bias[list(ratings)].float()
            if cap is not None:
                logits = torch.tanh(logits / cap) * cap
            result[rows] = torch.softmax(logits.double(), dim=1).cpu().numpy()
    if not np.isfinite(result).all():
        raise UserError("model: it gives ratings that are not finite; its weights or dtype are at fault (try float32)")
    return result
