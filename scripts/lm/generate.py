"""Write continuations of many prompts with one model: length-sorted, left-padded batches over `model.generate`.

Greedy answers do not depend on the batch size, and neither do sampled ones: the noise of a sampled answer comes from
a generator of its own, seeded by the call's seed and the prompt's place, so no global random state is read or changed.
A prefix that all prompts share (demonstrations, a system text) is run once and its cache copied into every batch.
"""

from __future__ import annotations

import copy
import inspect
import logging
from typing import TYPE_CHECKING, Any, Sequence

from scripts.common.errors import UserError
from scripts.common.progress import Progress
from scripts.common.seeding import derive_seed

if TYPE_CHECKING:
    import torch
    from transformers import Cache, GenerationConfig

    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)


def generate(
    loaded: LoadedModel,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    batch_size: int,
    stop: Sequence[str] = (),
    temperature: float = 0.0,
    min_p: float = 0.0,
    seed: int = 0,
    shared_prefix: str | None = None,
    special: bool = True,
) -> list[str]:
    """Return what the model writes after each prompt, in the order of `prompts`, special tokens removed.

    An answer ends at the end-of-text token, before the first of the `stop` strings, or after `max_new_tokens` tokens.
    temperature: 0 takes the likeliest token each time; above 0 draws from softmax(logits / temperature). min_p: then
    leave out tokens less likely than this share of the likeliest one; 0 leaves out none.
    shared_prefix: text put before every prompt; tokenised on its own (with the tokenizer's start token), and its
    attention cache is computed once. An encoder-decoder model reads prefix and prompt as one text in its encoder.
    special: False for prompts that bring their special tokens in their text, as chat templates do.
    Raises `UserError` for a prompt that does not fit the model's window together with its answer.
    """
    import torch

    _check_arguments(max_new_tokens, batch_size, temperature, min_p, stop)
    if not prompts:
        return []
    prefix_ids, encoded = _encode_behind(loaded, shared_prefix or "", prompts, special, max_new_tokens)
    loaded.model.eval()
    answers = [""] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda i: (-len(encoded[i]), i))
    with torch.inference_mode(), Progress(len(prompts), "answers") as progress:
        prefix_cache = _prefill(loaded, prefix_ids) if prefix_ids else None
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            config = _generation_config(loaded, max_new_tokens)
            written = _generate_batch(
                loaded,
                [encoded[i] for i in rows],
                config=config,
                stop=list(stop),
                sampling=[_noise(temperature, min_p, _seeds(seed, rows), loaded.device)] if temperature > 0 else [],
                prefix_ids=prefix_ids,
                prefix_cache=prefix_cache,
            )
            for row, ids in zip(rows, written):
                answers[row] = _text(loaded, ids, config.eos_token_id or [], stop)
            progress.advance(len(rows))
    return answers


def continue_ids(
    loaded: LoadedModel, encoded: Sequence[Sequence[int]], *, max_new_tokens: int, batch_size: int
) -> list[tuple[list[int], bool]]:
    """Return what a causal model writes behind each tokenised prompt, greedily, in the order of `encoded`.

    Of each prompt: the new token ids before the end token, and whether the answer ended by itself (else it was cut
    after `max_new_tokens`). Raises `UserError` for a prompt that does not fit the model's window with its answer.
    """
    import torch

    _check_arguments(max_new_tokens, batch_size, 0.0, 0.0, ())
    _check_lengths(loaded, encoded, 0, max_new_tokens)
    loaded.model.eval()
    config = _generation_config(loaded, max_new_tokens)
    ends = config.eos_token_id or []
    found: list[tuple[list[int], bool]] = [([], False)] * len(encoded)
    order = sorted(range(len(encoded)), key=lambda i: (-len(encoded[i]), i))
    with torch.no_grad():  # not inference mode: a model that trains on may keep what it computes here
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            written = _generate_batch(
                loaded,
                [encoded[i] for i in rows],
                config=config,
                stop=[],
                sampling=[],
                prefix_ids=[],
                prefix_cache=None,
            )
            for row, ids in zip(rows, written):
                end = next((place for place, token in enumerate(ids) if token in ends), None)
                found[row] = (ids[:end], end is not None)
    return found


def _encode_behind(
    loaded: LoadedModel, shared_prefix: str, prompts: Sequence[str], special: bool, max_new_tokens: int
) -> tuple[list[int], list[list[int]]]:
    """Return the ids of the prefix that is run once, and of each prompt behind it; what is not run once is in each."""
    if loaded.family == "encoder_decoder":
        encoded = encode_prompts(loaded, [shared_prefix + prompt for prompt in prompts], special=special)
        _check_lengths(loaded, encoded, 0, 0)
        return [], encoded
    prefix_ids = encode_prompts(loaded, [shared_prefix], special=special)[0] if shared_prefix else []
    encoded = encode_prompts(loaded, prompts, special=special and not prefix_ids)
    _check_lengths(loaded, encoded, len(prefix_ids), max_new_tokens)
    if prefix_ids and getattr(loaded.model.config, "sliding_window", None):
        # Such a window counts places, and so the padding that would stand between prefix and prompt.
        return [], [[*prefix_ids, *ids] for ids in encoded]
    return prefix_ids, encoded


def encode_prompts(loaded: LoadedModel, texts: Sequence[str], *, special: bool = True) -> list[list[int]]:
    """Return the token ids of texts that the model is to continue.

    special: add the tokenizer's own special tokens. A causal prompt keeps no end-of-text token at its end, even if
    the tokenizer adds one; an encoder's input keeps it.
    """
    encoded = loaded.tokenizer(list(texts), add_special_tokens=special)["input_ids"]
    eos = loaded.tokenizer.eos_token_id
    if loaded.family == "causal" and eos is not None and special:
        ended = [i for i, ids in enumerate(encoded) if ids and ids[-1] == eos]
        plain = loaded.tokenizer([texts[i] for i in ended], add_special_tokens=False)["input_ids"] if ended else []
        added = {i for i, raw in zip(ended, plain) if raw[-1:] != [eos]}
        encoded = [ids[:-1] if i in added else ids for i, ids in enumerate(encoded)]
    return [list(ids) for ids in encoded]


def pad_token_id(loaded: LoadedModel) -> int:
    """Return the id that fills up batches: the tokenizer's, else end-of-text, else 0. It is always masked."""
    for candidate in (loaded.tokenizer.pad_token_id, loaded.tokenizer.eos_token_id):
        if candidate is not None:
            return int(candidate)
    return 0


def end_token_ids(loaded: LoadedModel) -> list[int]:
    """Return the ids that end an answer: the tokenizer's, and further ones a chat model's file lists beside it.

    A generation file that does not name the tokenizer's own end is not believed: small configurations often keep the
    ids of another vocabulary.
    """
    own = loaded.tokenizer.eos_token_id
    listed = getattr(loaded.model.generation_config, "eos_token_id", None)
    listed = [] if listed is None else [listed] if isinstance(listed, int) else list(listed)
    if own is None:
        return [int(token) for token in listed]
    return sorted({int(own), *map(int, listed)}) if own in listed else [int(own)]


def _check_arguments(
    max_new_tokens: int, batch_size: int, temperature: float, min_p: float, stop: Sequence[str]
) -> None:
    if max_new_tokens < 1:
        raise UserError(f"max_new_tokens: {max_new_tokens} is below 1; give the longest answer in tokens")
    if batch_size < 1:
        raise UserError(f"batch_size: {batch_size} is below 1; give the number of prompts per batch")
    if not 0 <= temperature < float("inf"):
        raise UserError(f"temperature: {temperature} is not a number >= 0; 0 takes the likeliest token")
    if not 0 <= min_p <= 1:
        raise UserError(f"min_p: {min_p} is not in 0..1; 0 leaves out no token")
    if isinstance(stop, str) or any(not text for text in stop):
        raise UserError("stop: expected a list of non-empty strings")


def _check_lengths(loaded: LoadedModel, encoded: Sequence[Sequence[int]], n_prefix: int, n_new: int) -> None:
    for index, ids in enumerate(encoded):
        if not ids and not n_prefix:
            raise UserError(f"prompt {index}: no tokens; an empty prompt cannot be continued")
        needed = n_prefix + len(ids) + n_new
        if needed > loaded.window:
            before = f"{n_prefix} prefix + " if n_prefix else ""
            raise UserError(
                f"prompt {index}: {before}{len(ids)} prompt + {n_new} new tokens exceed the model's window of"
                f" {loaded.window}; shorten the prompt or lower max_new_tokens"
            )


def _generation_config(loaded: LoadedModel, max_new_tokens: int) -> GenerationConfig:
    """Plain greedy decoding; every neutral value is written out, as the model's own file would fill the gaps."""
    from transformers import GenerationConfig

    return GenerationConfig(
        max_new_tokens=max_new_tokens,
        min_length=0,
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        use_cache=True,
        eos_token_id=end_token_ids(loaded) or None,
        pad_token_id=pad_token_id(loaded),
        bos_token_id=loaded.tokenizer.bos_token_id,
    )


def _prefill(loaded: LoadedModel, prefix_ids: Sequence[int]) -> Cache:
    import torch
    from transformers import DynamicCache

    ids = torch.tensor([list(prefix_ids)], device=loaded.device)
    return loaded.model(input_ids=ids, past_key_values=DynamicCache(), use_cache=True, logits_to_keep=1).past_key_values


def _seeds(seed: int, rows: Sequence[int]) -> list[int]:
    """Return a seed for each prompt: of the call's seed and the prompt's place."""
    return [derive_seed(seed, "generate", row) for row in rows]


def _generate_batch(
    loaded: LoadedModel,
    encoded: Sequence[Sequence[int]],
    *,
    config: GenerationConfig,
    stop: list[str],
    sampling: list[Any],
    prefix_ids: Sequence[int],
    prefix_cache: Cache | None,
) -> list[list[int]]:
    """Run one batch and return its new token ids; layout of a causal row: prefix, padding, prompt.

    sampling: what changes the logits before the likeliest token is taken.
    """
    import torch
    from transformers import LogitsProcessorList, StoppingCriteriaList

    width = max(len(ids) for ids in encoded)
    if loaded.family == "encoder_decoder":
        rows = [list(ids) + [config.pad_token_id] * (width - len(ids)) for ids in encoded]
        mask = [[1] * len(ids) + [0] * (width - len(ids)) for ids in encoded]
        first_new = 1
    else:
        rows = [[*prefix_ids, *[config.pad_token_id] * (width - len(ids)), *ids] for ids in encoded]
        mask = [[1] * len(prefix_ids) + [0] * (width - len(ids)) + [1] * len(ids) for ids in encoded]
        first_new = len(prefix_ids) + width
    attention = torch.tensor(mask, device=loaded.device)
    inputs: dict[str, Any] = {"input_ids": torch.tensor(rows, device=loaded.device), "attention_mask": attention}
    if loaded.family != "encoder_decoder" and "position_ids" in inspect.signature(loaded.model.forward).parameters:
        inputs["position_ids"] = (attention.cumsum(1) - 1).clamp(min=0)
    if prefix_cache is not None:
        cache = copy.deepcopy(prefix_cache)
        cache.batch_repeat_interleave(len(encoded))
        inputs["past_key_values"] = cache
    stopping = [_stop_rows(loaded, stop, first_new)] if stop else []
    output = loaded.model.generate(
        **inputs,
        generation_config=config,
        logits_processor=LogitsProcessorList(sampling),
        stopping_criteria=StoppingCriteriaList(stopping),
    )
    return output[:, first_new:].tolist()


def _text(loaded: LoadedModel, ids: list[int], ends: Sequence[int], stop: Sequence[str]) -> str:
    """Cut new ids at the first end token and their text before the first stop string."""
    end = next((place for place, token in enumerate(ids) if token in ends), len(ids))
    text = loaded.tokenizer.decode(ids[:end], skip_special_tokens=True)
    cuts = [place for place in (text.find(one) for one in stop) if place >= 0]
    return text[: min(cuts)] if cuts else text


def _noise(temperature: float, min_p: float, seeds: Sequence[int], device: torch.device) -> Any:
    """Return a logits processor that turns the argmax into a draw from softmax(logits / temperature), row by row.

    Adding independent standard Gumbel noise to the logits and taking the largest draws from their softmax (Gumbel-max).
    Tokens below `min_p` times the largest probability never win. The noise is -log(-log(uniform)): torch's own
    exponential draws take four times as long.
    """
    import math

    import torch
    from transformers import LogitsProcessor

    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    class GumbelNoise(LogitsProcessor):
        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            drawn = torch.stack([torch.rand(scores.shape[-1], generator=one) for one in generators])
            scaled = scores.float() / temperature
            if min_p > 0:
                least = scaled.max(dim=-1, keepdim=True).values + math.log(min_p)
                scaled = scaled.masked_fill(scaled < least, float("-inf"))
            return scaled - drawn.log_().neg_().log_().to(device)

    return GumbelNoise()


def _stop_rows(loaded: LoadedModel, stop: Sequence[str], first_new: int) -> Any:
    """Return a criterion that ends a row once its new text holds a stop string.

    Only the last tokens are decoded at each step: a token covers at least one byte, so a stop string of n bytes lies
    within the last n tokens; some more keep word-initial spaces and bytes of one letter together.
    """
    import torch
    from transformers import StoppingCriteria

    reach = max(len(text.encode()) for text in stop) + 8

    class StopStrings(StoppingCriteria):
        def __init__(self) -> None:
            self.done: list[bool] = []

        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
            self.done = self.done or [False] * len(input_ids)
            rows = [row for row, done in enumerate(self.done) if not done]
            new = input_ids[:, first_new:][:, -reach:].tolist()
            tails = loaded.tokenizer.batch_decode([new[row] for row in rows], skip_special_tokens=True)
            for row, tail in zip(rows, tails):
                self.done[row] = any(text in tail for text in stop)
            return torch.tensor(self.done, device=input_ids.device)

    return StopStrings()
