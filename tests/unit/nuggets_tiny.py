"""A tiny random Llama with a beginning-of-sequence token, random instruction rows and the plain golden score."""

from __future__ import annotations

import functools
import random
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from scripts.common.step_parser import checked
from scripts.lm.load import LoadedModel
from scripts.nuggets.settings_score import ScoreSettings

PROMPT = {
    "with_input": "Instruction:\n{instruction}\nInput:\n{input}\nResponse:\n",
    "without_input": "Instruction:\n{instruction}\nResponse:\n",
}
WINDOW = 128
BOS = 2
N_WORDS = 30


def tokenizer(*, bos: bool = True) -> PreTrainedTokenizerFast:
    """Return a tokenizer of a few words; newlines and words are tokens, other white space is nothing."""
    words = ["<pad>", "<unk>", "<s>", "</s>", "\n", "Instruction:", "Input:", "Response:", "|"]
    words += [f"w{i}" for i in range(N_WORDS)]
    plain = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\n|Instruction:|Input:|Response:|\|"), "isolated"),
            pre_tokenizers.Split(Regex(r"[ \t]+"), "removed"),
        ]
    )
    if bos:
        plain.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", BOS)])
    return PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="<pad>", unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )


@functools.cache
def tiny(*, bos: bool = True, window: int = WINDOW) -> LoadedModel:
    """Return a random Llama with grouped-query attention, large enough weights to make answers differ."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    made = tokenizer(bos=bos)
    config = LlamaConfig(
        vocab_size=len(made),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=window,
        initializer_range=0.3,
        bos_token_id=BOS,
        eos_token_id=3,
        pad_token_id=0,
    )
    return LoadedModel(LlamaForCausalLM(config).eval(), made, torch.device("cpu"), torch.float32, "causal", window)


def instruction_rows(n: int, seed: int, prefix: str = "row") -> list[dict[str, str]]:
    """Return n random rows, a third of them without input."""
    rng = random.Random(seed)

    def words(low: int, high: int) -> str:
        return " ".join(f"w{rng.randrange(N_WORDS)}" for _ in range(rng.randint(low, high)))

    return [
        {
            "id": f"{prefix}{number}",
            "instruction": words(1, 5),
            "input": words(1, 6) if number % 3 else "",
            "output": words(1, 8),
        }
        for number in range(n)
    ]


def score_settings(**changes: Any) -> ScoreSettings:
    """Return the paper's settings, with a small batch."""
    paper = {
        "prompt": PROMPT,
        "separator": "",
        "bos": "paper",
        "anchor_tokens": 200,
        "too_long": "error",
        "kv_iter": 1,
        "step_size": 0.01,
        "momentum": 0.9,
        "racing": None,
        "batch_tokens": 64,
        "pad_word": False,
    }
    return checked(ScoreSettings, {**paper, **changes})


def plain_text(row: Mapping[str, str]) -> tuple[str, str]:
    """Return (query, whole text) of a row, written out once more."""
    head = f"Instruction:\n{row['instruction'].strip()}\n"
    if row["input"].strip():
        head += f"Input:\n{row['input'].strip()}\n"
    return head + "Response:\n", head + "Response:\n" + row["output"].strip()


def plain_sum(
    loaded: LoadedModel,
    demonstration: Mapping[str, str] | None,
    anchor: Mapping[str, str],
    *,
    anchor_tokens: int = 200,
) -> tuple[float, int]:
    """Return (summed log-probability, scored tokens) of an anchor's answer by one plain forward pass of all tokens."""
    query, whole = plain_text(anchor)
    n_query = len(loaded.tokenizer(query, add_special_tokens=False)["input_ids"])
    ids = loaded.tokenizer(whole, add_special_tokens=False)["input_ids"][:anchor_tokens]
    before = [] if demonstration is None else loaded.tokenizer(plain_text(demonstration)[1])["input_ids"]
    with torch.inference_mode():
        logits = loaded.model(torch.tensor([before + ids])).logits[0]
    log_probabilities = torch.log_softmax(logits.double(), dim=-1)
    places = range(len(before) + n_query, len(before) + len(ids))
    return sum(float(log_probabilities[p - 1, (before + ids)[p]]) for p in places), len(places)


def plain_scores(
    loaded: LoadedModel, candidates: Sequence[Mapping[str, str]], anchors: Sequence[Mapping[str, str]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return zero-shot (K,) and one-shot (n, K) sums, one pair at a time."""
    zero = np.array([plain_sum(loaded, None, anchor)[0] for anchor in anchors])
    one = np.array([[plain_sum(loaded, row, anchor)[0] for anchor in anchors] for row in candidates])
    return zero, one


def save(loaded: LoadedModel, folder: Path) -> Path:
    """Save model and tokenizer as a model folder."""
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return folder
