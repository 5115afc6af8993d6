"""What the scorer's benchmark runs on: one demonstration before the 100 real anchors, and two models.

The anchors are cut to 200 tokens, as the released NUGGETS code does, so that all schemes score the same pairs. Where
the real material is absent, synthetic text of similar lengths stands in, and the result says so.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.common.errors import UserError
from scripts.common.files import read_json
from scripts.common.seeding import generator
from scripts.lm.score import Continuation

ANCHOR_TOKENS = 200  # the released code's padded length
PREFIX_TOKENS = 120
GPT2_WORDS = 50_257
BPE_WORDS = 16_000  # with it the anchors have about as many tokens as under GPT-2's own tokenizer
BPE_SPREAD = 3  # ids are spread over the whole vocabulary


@dataclass(frozen=True)
class Workload:
    """One model and the pairs to score with it. source: where text and weights come from, in words."""

    name: str
    source: str
    model: Any
    tokenizer: Any
    prefix_ids: tuple[int, ...]
    pairs: tuple[Continuation, ...]

    @property
    def sizes(self) -> dict[str, Any]:
        """Counts that belong beside every measured value."""
        return {
            "pairs": len(self.pairs),
            "prefix_tokens": len(self.prefix_ids),
            "tokens": sum(len(pair.query_ids) + len(pair.answer_ids) for pair in self.pairs),
            "answer_tokens": sum(len(pair.answer_ids) for pair in self.pairs),
            "vocabulary": self.model.config.vocab_size,
            "source": self.source,
        }


def add_shared_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag that names the folder of real data and models: THRIFT_SHARED, where that is set."""
    given = os.environ.get("THRIFT_SHARED")
    about = "folder of real data (default: THRIFT_SHARED); without one, made-up text stands in"
    parser.add_argument("--shared", type=Path, default=Path(given) if given else None, help=about)


def read_texts(shared: Path | None) -> tuple[list[dict[str, str]], list[dict[str, str]], str]:
    """Return anchors, a pool, and in words where they are from. shared: the folder of real data, if there is one."""
    folder = shared / "data" / "alpaca_gpt4" if shared else None
    files = [folder / name for name in ("alpaca_gpt4_kmeans_100.json", "alpaca_gpt4_bad.json.gz")] if folder else []
    if files and all(file.is_file() for file in files):
        anchors, pool = map(read_json, files)
        text = "100 real anchors of alpaca_gpt4"
    else:
        anchors, pool = synthetic_examples(100, 1), synthetic_examples(2000, 2)
        text = "synthetic text (the real anchors are absent)"
    return anchors, pool, text


def workloads(shared: Path | None) -> list[Workload]:
    """Return the GPT-2-like workload and the small Llama's; `shared` is the folder of real data, if there is one."""
    anchors, pool, text = read_texts(shared)
    return [
        _gpt2(anchors, pool, text),
        _llama(anchors, pool, text, shared / "models" / "stories260k" if shared else None),
    ]


def prompt_and_text(example: dict[str, str]) -> tuple[str, str]:
    """Return the query and the whole text of an example in NUGGETS' scoring template."""
    given = f"Input:\n{example['input'].strip()}\n" if example["input"].strip() else ""
    query = f"Instruction:\n{example['instruction'].strip()}\n{given}Response:\n"
    return query, query + example["output"].strip()


def synthetic_examples(n: int, seed: int) -> list[dict[str, str]]:
    """Return instruction examples of random letters, about as long as the real anchors."""
    draw = generator(seed, "bench", "scorer")
    letters = list("etaoinshrdlucmf")

    def words(mean: float) -> str:
        count = max(3, int(draw.gamma(2.0, mean / 2.0)))
        return " ".join("".join(draw.choice(letters, int(draw.integers(2, 6)))) for _ in range(count))

    return [{"instruction": words(12), "input": "", "output": words(60)} for _ in range(n)]


def make_pairs(
    anchors: list[dict[str, str]], pool: list[dict[str, str]], encode: Any
) -> tuple[tuple[int, ...], tuple[Continuation, ...]]:
    """Return the demonstration (the first of the pool that is long enough, cut) and the anchors, as token ids.

    An anchor that is cut before its answer begins has nothing to score and is left out.
    """
    pairs = []
    for anchor in anchors:
        query, text = (encode(part) for part in prompt_and_text(anchor))
        if len(query) < min(len(text), ANCHOR_TOKENS):
            pairs.append(Continuation(tuple(query), tuple(text[len(query) : ANCHOR_TOKENS])))
    for example in pool:
        ids = encode(prompt_and_text(example)[1])
        if len(ids) >= PREFIX_TOKENS:
            return tuple(ids[:PREFIX_TOKENS]), tuple(pairs)
    raise UserError(f"benchmark: no example of the pool has {PREFIX_TOKENS} tokens; give another folder to --shared")


def learnt_encoder(anchors: list[dict[str, str]], pool: list[dict[str, str]], spread: int) -> Any:
    """Return a function text -> ids of byte-level pieces learnt from the texts; ids are multiples of `spread`."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=BPE_WORDS, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator((prompt_and_text(example)[1] for example in [*pool, *anchors]), trainer)
    return lambda part: [i * spread for i in tokenizer.encode(part).ids]


def _gpt2(anchors: list[dict[str, str]], pool: list[dict[str, str]], text: str) -> Workload:
    """Return a random GPT-2-like model of 4 layers, 256 wide, and text in byte-level pieces learnt from the pool."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    prefix, pairs = make_pairs(anchors, pool, learnt_encoder(anchors, pool, BPE_SPREAD))
    torch.manual_seed(0)
    config = GPT2Config(n_layer=4, n_embd=256, n_head=4, vocab_size=GPT2_WORDS, bos_token_id=0, eos_token_id=0)
    model = GPT2LMHeadModel(config).eval()
    return Workload("gpt2_4x256", f"random weights; {text}", model, _stand_in_tokenizer(), prefix, pairs)


def _llama(anchors: list[dict[str, str]], pool: list[dict[str, str]], text: str, folder: Path | None) -> Workload:
    """Return stories260k with its own tokenizer, or a random model of its shape where the folder is absent."""
    if folder is not None and folder.is_dir():
        from scripts.lm.load import load_model

        loaded = load_model(str(folder), dtype="float32", device="cpu", threads=_threads())
        prefix, pairs = make_pairs(
            anchors, pool, lambda part: loaded.tokenizer(part, add_special_tokens=False)["input_ids"]
        )
        return Workload("stories260k", f"real weights; {text}", loaded.model, loaded.tokenizer, prefix, pairs)
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=172,
        num_hidden_layers=5,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=512,
    )
    prefix, pairs = make_pairs(anchors, pool, lambda part: list(part.encode()[: 2 * ANCHOR_TOKENS]))
    model = LlamaForCausalLM(config).eval()
    return Workload("stories260k_shape", f"random weights; {text}", model, _stand_in_tokenizer(), prefix, pairs)


def _stand_in_tokenizer() -> Any:
    """Return a tokenizer object for references that insist on one; all pairs are given as token ids."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"<unk>": 0, "<pad>": 1}, unk_token="<unk>"))
    return PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", pad_token="<pad>", eos_token="<unk>")


def _threads() -> int:
    import torch

    return torch.get_num_threads()
