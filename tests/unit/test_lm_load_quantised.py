"""Checkpoints in 8 and 4 bits (bitsandbytes): loaded as they are, scored, held to what their weights say."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import BitsAndBytesConfig, LlamaForCausalLM

from scripts.lm.load import load_model
from scripts.lm.score import Continuation, Scorer
from tests.unit.lm_tiny import save, tiny
from tests.unit.test_lm_load_forms import adapted
from tests.unit.test_lm_score import reference

pytest.importorskip("bitsandbytes", reason="needs bitsandbytes, which reads 8- and 4-bit weights: it is not installed")

KINDS = {
    "int8": ({"load_in_8bit": True}, torch.int8, "Linear8bitLt"),
    "nf4": ({"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, torch.uint8, "Linear4bit"),
    "fp4_twice": (
        {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4", "bnb_4bit_use_double_quant": True},
        torch.uint8,
        "Linear4bit",
    ),
}
PREFIX = [5, 9, 4, 30, 22, 7]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tiny(), tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module", params=list(KINDS))
def quantised(
    request: pytest.FixtureRequest, plain: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """A kind, and a folder as `save_pretrained` writes a model that was quantised when it was loaded."""
    folder = Path(shutil.copytree(plain, tmp_path_factory.mktemp("quantised") / request.param))
    (folder / "model.safetensors").unlink()
    how = BitsAndBytesConfig(**KINDS[request.param][0])
    model = LlamaForCausalLM.from_pretrained(
        plain, quantization_config=how, device_map={"": "cpu"}, dtype=torch.float32
    )
    model.save_pretrained(folder)
    return request.param, folder


def drawn(n: int) -> list[Continuation]:
    rng = np.random.default_rng(4)
    lengths = rng.integers(1, 12, size=(n, 2))
    return [Continuation(*(tuple(rng.integers(3, 60, size=size).tolist()) for size in pair)) for pair in lengths]


def gaps(model: Any, items: list[Continuation], scores: Any) -> np.ndarray:
    """Return how far each answer token's log-probability is from the model's own pass over the whole text."""
    told = [reference(model, PREFIX, item) - found for item, found in zip(items, scores.token_logprobs)]
    return np.abs(np.concatenate(told))


@torch.no_grad()
def test_a_quantised_checkpoint_scores_as_its_weights_say(
    quantised: tuple[str, Path], plain: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Four bits are spread out to float32 before each product: the same numbers as those of the dequantised model.

    Eight bits round the texts' vectors too (LLM.int8): near the dequantised model, not equal.
    """
    kind, folder = quantised
    loaded = load_model(str(folder), device="cpu", dtype="float32")
    layer = loaded.model.model.layers[0].mlp.up_proj
    assert (layer.weight.dtype, type(layer).__name__) == KINDS[kind][1:]
    items = drawn(12)
    scores = Scorer(loaded.model, batch_tokens=100).score(PREFIX, items, per_token=True)
    spread = copy.deepcopy(loaded.model).dequantize().eval()
    assert type(spread.model.layers[0].mlp.up_proj) is torch.nn.Linear
    near = gaps(spread, items, scores)
    far = gaps(load_model(str(plain), device="cpu").model, items, scores)
    if kind == "int8":
        assert "scores depend a little on batch_tokens" in caplog.text
        assert not [record for record in caplog.records if record.name.startswith("bitsandbytes")]
        assert near.mean() < 0.1  # measured 0.04; of these texts at any batch
    else:
        assert near.max() < 1e-4
        assert far.mean() > 0.1  # four bits change this model much: it is really they that are read


@torch.no_grad()
def test_adapters_of_a_quantised_base_model_are_kept_whole(
    quantised: tuple[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The adapters change the base model's own weights, spread out: exactly what both say, nothing rounded again."""
    _, folder = quantised
    adapted(folder, tmp_path / "adapter")
    loaded = load_model(str(tmp_path / "adapter"), device="cpu", dtype="float32")
    assert "its base model is quantised; it is spread out to torch.float32" in caplog.text
    base = load_model(str(folder), device="cpu", dtype="float32").model.dequantize()
    model = set_adapters(base, tmp_path / "adapter")
    ids = torch.tensor([[3, 9, 4, 11, 5]])
    torch.testing.assert_close(loaded.model(ids).logits, model(ids).logits, rtol=1e-4, atol=1e-4)
    assert (loaded.model(ids).logits - load_model(str(folder), device="cpu").model(ids).logits).abs().max() > 0.1


def set_adapters(base: Any, adapter: Path) -> Any:
    """Return a model with adapters beside its weights, not merged."""
    return PeftModel.from_pretrained(base, str(adapter)).eval()
