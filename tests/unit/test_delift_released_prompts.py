"""Utilities of the config's released prompts, blanks and line breaks included, against whole prompts run one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from scripts.common.step_parser import checked
from scripts.delift.settings_choose import UtilitySettings
from scripts.delift.utility import UtilityScorer
from scripts.lm.load import LoadedModel

ROOT = Path(__file__).resolve().parents[2]
PROMPTS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))["prompts"]
UTILITY = yaml.safe_load((ROOT / "config" / "papers" / "delift.yaml").read_text(encoding="utf-8"))["delift"]["utility"]
ROWS = [
    {"id": "0", "instruction": "Add. ", "input": " 2 3\n", "output": "5 "},
    {"id": "1", "instruction": "", "input": "Name a fruit", "output": " plum\n"},
    {"id": "2", "instruction": "Say no", "input": "", "output": "no"},
]
ALONE, BEHIND = "Ask.", "Show."
TEMPLATES = {
    "alone": f"Instruction: {ALONE}\n\n\nQuery: {{prompt}}\n",
    "example": f"Instruction:\n{BEHIND}\n\n\nExample:\n{{prompt}}\n{{response}}\n\n\n",
    "query": "Query:\n{prompt}\n",
}


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    """A small GPT-2 that reads bytes: no blank is lost."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    plain = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(letters)}, merges=[]))
    plain.pre_tokenizer, plain.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, eos_token="<|end|>")
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=4, n_positions=512, initializer_range=0.3,
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return LoadedModel(GPT2LMHeadModel(config).eval(), tokenizer, torch.device("cpu"), torch.float32, "causal", 512)


def released(loaded, example, target, limit=10_000):
    """Return d of a target as the release computes it: prompt, end, response, end; all of it in one pass."""
    cut = {
        row["id"]: f"Instruction: {row['instruction']}\nInput: {row['input']}\nOutput: {row['output']}".split(
            "Output:", 1
        )
        for row in ROWS
    }
    query, response = cut[target["id"]]
    text = f"Instruction: {ALONE}\n\n\nQuery: {query}\n"
    if example is not None:
        shown = "\n".join(cut[example["id"]])
        text = f"Instruction:\n{BEHIND}\n\n\nExample:\n{shown}\n\n\nQuery:\n{query}\n"
    end = [loaded.tokenizer.eos_token_id]
    before = loaded.tokenizer(text, add_special_tokens=False)["input_ids"] + end
    scored = loaded.tokenizer(response, add_special_tokens=False)["input_ids"] + end
    ids = torch.tensor([before + scored])[:, :limit]
    with torch.inference_mode():
        chances = torch.softmax(loaded.model(ids).logits[0].double(), dim=-1)
    right = [float(chances[at - 1, ids[0, at]]) for at in range(len(before), ids.shape[1])]
    return float(np.linalg.norm(np.array(right) - 1) / np.sqrt(len(right)))


def settings(**changes):
    usual = {key: value for key, value in UTILITY.items() if key != "block_size"}
    return checked(
        UtilitySettings,
        {**usual, "prompt": PROMPTS["delift"], "templates": TEMPLATES, "batch_tokens": 256, **changes},
    )


def test_the_released_prompts_give_the_released_utilities(loaded):
    scorer = UtilityScorer(loaded, ROWS, settings())
    alone = np.array([released(loaded, None, row) for row in ROWS])
    np.testing.assert_allclose(scorer.distances, alone, atol=1e-5)
    for example in ROWS:
        behind = np.array([released(loaded, example, row) for row in ROWS])
        np.testing.assert_allclose(scorer.column(scorer.encoder.example(example)), alone - behind, atol=1e-5)


def test_stripping_gives_other_utilities(loaded):
    kept, bare = (
        UtilityScorer(loaded, ROWS, settings(prompt={**PROMPTS["delift"], "strip": strip})) for strip in (False, True)
    )
    assert [kept.targets[row].response == bare.targets[row].response for row in range(3)] == [False, False, True]
    assert np.abs(kept.distances - bare.distances).max() > 1e-3


def test_the_config_s_templates_have_the_released_form():
    """Only the two requests are worded anew: everything around them is the release's."""
    shown = UTILITY["templates"]["example"].split("\n")[1]
    asked = UTILITY["templates"]["alone"].split("\n")[0].removeprefix("Instruction: ")
    assert {name: text.replace(ALONE, asked).replace(BEHIND, shown) for name, text in TEMPLATES.items()} == UTILITY[
        "templates"
    ]
