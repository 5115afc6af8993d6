"""What the scorer is measured against: the released NUGGETS scheme, lm-eval, CTranslate2, the bare output layer."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np
import torch

from scripts.bench.workload import ANCHOR_TOKENS, Workload
from scripts.common.errors import UserError

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
# Rows x words of one product; the last are whole rows of the vocabulary, as a plain model computes them.
FLOOR_TILES = ((1024, 1024), (1024, 512), (2048, 512), (512, 1024), (256, 2048), (256, None), (1024, None))


def seconds(task: Callable[[], object]) -> float:
    """Return the wall-clock time of one call."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def fastest(tasks: dict[Any, Callable[[], object]], patience: int = 2) -> Any:
    """Return the key of the fastest task. The search ends once `patience` tasks in a row are slower than the best."""
    times: dict[Any, float] = {}
    for key, task in tasks.items():
        times[key] = seconds(task)
        best = min(times, key=lambda tried: times[tried])
        if list(times).index(key) - list(times).index(best) >= patience:
            break
    logging.info("tried: %s", ", ".join(f"{tried} {value:.2f} s" for tried, value in times.items()))
    return best


class Released:
    """The released scheme: the demonstration's cache computed once, anchors padded to 200 tokens, log-softmax over the
    whole vocabulary at every position, one candidate at a time.
    """

    def __init__(self, work: Workload) -> None:
        self.work = work
        n = len(work.pairs)
        self.ids = torch.zeros(n, ANCHOR_TOKENS, dtype=torch.long)
        self.mask = torch.zeros(n, ANCHOR_TOKENS, dtype=torch.long)
        for row, pair in enumerate(work.pairs):
            tokens = torch.tensor((*pair.query_ids, *pair.answer_ids))
            self.ids[row, : len(tokens)] = tokens
            self.mask[row, : len(tokens)] = 1

    @torch.no_grad()
    def run(self, batch: int) -> np.ndarray:
        """Return the summed log-probability of every pair, in nats."""
        from transformers import DynamicCache

        model, sums = self.work.model, []
        past = model(input_ids=torch.tensor([self.work.prefix_ids]), use_cache=True).past_key_values
        layers = [(layer.keys, layer.values) for layer in past.layers]
        n_prefix = len(self.work.prefix_ids)
        for at in range(0, len(self.ids), batch):
            ids, mask = self.ids[at : at + batch], self.mask[at : at + batch]
            cache = DynamicCache([tuple(part.expand(len(ids), -1, -1, -1) for part in layer) for layer in layers])
            whole = torch.cat([mask.new_ones(len(ids), n_prefix), mask], dim=1)
            logits = model(input_ids=ids, attention_mask=whole, past_key_values=cache).logits
            logprobs = torch.log_softmax(logits, dim=-1)
            for row in range(len(ids)):
                pair = self.work.pairs[at + row]
                start, end = len(pair.query_ids), len(pair.query_ids) + len(pair.answer_ids)
                own = logprobs[row, start - 1 : end - 1].gather(1, ids[row, start:end, None])
                sums.append(own.sum().item())
        return np.array(sums)


class LmEval:
    """lm-eval's Hugging Face backend: the log-likelihood request on the same pairs, given as token ids."""

    def __init__(self, work: Workload) -> None:
        try:
            from lm_eval.models.huggingface import HFLM
        except ImportError:
            raise UserError("lm_eval is not installed; run this in the environment of envs/bench.yaml") from None
        self.make: Callable[[int], Any] = lambda batch: HFLM(
            pretrained=work.model, tokenizer=work.tokenizer, backend="causal", device="cpu", batch_size=batch
        )
        self.backends: dict[int, Any] = {}
        prefix = list(work.prefix_ids)
        self.requests = [
            (("", ""), [*prefix, *pair.query_ids], list(pair.answer_ids)) for pair in work.pairs if pair.answer_ids
        ]
        self.kept = [index for index, pair in enumerate(work.pairs) if pair.answer_ids]
        self.n = len(work.pairs)

    def run(self, batch: int) -> np.ndarray:
        """Return the summed log-probability of every pair, in nats (0 for an empty answer, which lm-eval refuses)."""
        if batch not in self.backends:
            self.backends[batch] = self.make(batch)
        found = self.backends[batch]._loglikelihood_tokens(self.requests, disable_tqdm=True)
        sums = np.zeros(self.n)
        sums[self.kept] = [logprob for logprob, _ in found]
        return sums


class CTranslate2:
    """CTranslate2's `Generator.score_batch`, the engine that many take to run models on CPUs; each pair is read whole.

    compute: its type of arithmetic, `float32` or `int8`. The model is converted as it is; words are named by their ids.
    """

    def __init__(self, work: Workload, compute: str, threads: int) -> None:
        try:
            import ctranslate2
        except ImportError:
            raise UserError("ctranslate2 is not installed; run this in the environment of envs/bench.yaml") from None
        from ctranslate2.converters import TransformersConverter

        with tempfile.TemporaryDirectory() as folder:
            model, converted = Path(folder, "model"), str(Path(folder, "converted"))
            work.model.save_pretrained(model)
            _numbered_words(work.model.config.vocab_size).save_pretrained(model)
            TransformersConverter(str(model)).convert(converted)
            self.generator = ctranslate2.Generator(converted, compute_type=compute, intra_threads=threads)
        self.answers = [len(pair.answer_ids) for pair in work.pairs]
        texts = [(*work.prefix_ids, *pair.query_ids, *pair.answer_ids) for pair in work.pairs]
        self.texts = [[_word(token) for token in text] for text in texts]

    def run(self, batch: int) -> np.ndarray:
        """Return the summed log-probability of every pair, in nats."""
        found = self.generator.score_batch(self.texts, max_batch_size=batch, max_input_length=0)
        return np.array([sum(one.log_probs[len(one.log_probs) - n :]) for one, n in zip(found, self.answers)])


def _word(token: int) -> str:
    return f"w{token}"


def _numbered_words(n_words: int) -> Any:
    """Return a tokenizer whose words are the names of their ids."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({_word(token): token for token in range(n_words)}, unk_token=_word(0)))
    names = dict.fromkeys(("unk_token", "bos_token", "eos_token"), _word(0))
    return PreTrainedTokenizerFast(tokenizer_object=words, **names)


class Floor:
    """The bare matrix product of the output layer for the answer positions: the least work that gives the logits."""

    def __init__(self, work: Workload, n_positions: int) -> None:
        torch.manual_seed(1)
        self.weight = work.model.get_output_embeddings().weight.detach()
        self.hidden = torch.randn(n_positions, self.weight.shape[1])

    @torch.no_grad()
    def run(self, tile: tuple[int, int | None]) -> None:
        """Multiply tile by tile into one buffer; the results are thrown away."""
        rows, columns = self.hidden.shape[0], self.weight.t()
        high, wide = min(tile[0], rows), min(tile[1] or columns.shape[1], columns.shape[1])
        buffer = torch.empty(high * wide)
        for top in range(0, rows, high):
            part = self.hidden[top : top + high]
            for left in range(0, columns.shape[1], wide):
                block = columns[:, left : left + wide]
                out = buffer[: len(part) * block.shape[1]].view(len(part), -1)
                torch.mm(part, block, out=out)


def worst_difference(ours: np.ndarray, other: np.ndarray, n_tokens: Sequence[int] | np.ndarray) -> float:
    """Return the largest absolute difference of two scorings, in nats per answer token."""
    return float(np.max(np.abs(ours - other) / np.maximum(1, np.asarray(n_tokens))))
