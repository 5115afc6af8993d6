"""How likely some tokens are as the next one, for many queries behind one prefix that is run only once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

import numpy as np

from scripts.common.errors import UserError
from scripts.lm.generate import pad_token_id

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel
    from scripts.lm.score import PrefixCache


def next_token_logprobs(
    loaded: LoadedModel,
    prefix: PrefixCache | None,
    queries: Sequence[Sequence[int]],
    tokens: Sequence[int],
    batch_size: int,
) -> np.ndarray:
    """Return (queries, tokens) log-probabilities, in nats, of `tokens` behind prefix and query.

    queries: token ids, none empty; batches are sorted by length and padded on the left, which changes no result beyond
    rounding. Raises `UserError` where prefix and query exceed the model's window.
    """
    import torch
    from transformers import DynamicCache

    before = prefix.length if prefix is not None else 0
    for number, query in enumerate(queries):
        if not query or before + len(query) > loaded.window:
            raise UserError(
                f"query {number}: {before} prefix + {len(query)} query tokens do not fit the model's window of"
                f" {loaded.window} (or the query is empty); shorten the prefix or take another model"
            )
    result = np.zeros((len(queries), len(tokens)))
    order = sorted(range(len(queries)), key=lambda row: (-len(queries[row]), row))
    pad, wanted = pad_token_id(loaded), torch.tensor(list(tokens), device=loaded.device)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        width = len(queries[rows[0]])
        ids = [[pad] * (width - len(queries[row])) + list(queries[row]) for row in rows]
        mask = [[1] * before + [0] * (width - len(queries[row])) + [1] * len(queries[row]) for row in rows]
        attention = torch.tensor(mask, device=loaded.device)
        cache = None
        if before:
            layers = zip(prefix.keys, prefix.values)  # type: ignore[union-attr]
            cache = DynamicCache(
                [(k.expand(len(rows), -1, -1, -1), v.expand(len(rows), -1, -1, -1)) for k, v in layers]
            )
        with torch.inference_mode():
            output = loaded.model(
                input_ids=torch.tensor(ids, device=loaded.device),
                attention_mask=attention,
                position_ids=(attention.cumsum(1) - 1).clamp(min=0)[:, before:],
                past_key_values=cache,
                use_cache=cache is not None,
                logits_to_keep=1,
            )
        result[rows] = output.logits[:, -1].double().log_softmax(-1)[:, wanted].cpu().numpy()
    return result
