"""Counted operations against torch's own counter: shapes read from files, forward passes, training, frozen weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from scripts.common.errors import UserError
from scripts.common.files import write_json
from scripts.lm.flops import ModelShape, shape_of
from tests.unit import lm_tiny

N = 24


def folder_of(kind: str, folder: Path) -> tuple[torch.nn.Module, ModelShape]:
    loaded = lm_tiny.tiny(kind)
    loaded.model.save_pretrained(folder)
    return loaded.model, shape_of(folder)


def counted(model: torch.nn.Module, *, training: str = "") -> int:
    """Operations of one sequence of N tokens by torch's counter; attention as plain products, which it counts."""
    model.set_attn_implementation("eager")
    for name, weight in model.named_parameters():
        # Frozen weights still pass a gradient on to what learns below them, as adapters do.
        weight.requires_grad_(training == "full" or (training == "frozen" and "embed" in name))
    counter = FlopCounterMode(display=False)
    ids = torch.arange(N).remainder(50)[None] + 3
    with counter, torch.set_grad_enabled(bool(training)):
        logits = model(input_ids=ids, use_cache=False).logits
        if training:
            logits.sum().backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt"])
def test_a_forward_pass_counts_as_torch_counts_it(kind: str, tmp_path: Path) -> None:
    model, shape = folder_of(kind, tmp_path)
    assert counted(model) == pytest.approx(shape.forward(N, N, N), rel=0.01)


def test_training_counts_as_torch_counts_it(tmp_path: Path) -> None:
    model, shape = folder_of("llama", tmp_path)
    linear = shape.forward(N, 0, N)
    attention = shape.attention(N, N)
    # Plain products cost attention twice backwards; the fused kernel, which the formula follows, two and a half times.
    assert counted(model, training="full") == pytest.approx(3 * linear + 3 * attention, rel=0.01)
    assert counted(model, training="frozen") == pytest.approx(2 * linear + 3 * attention, rel=0.01)
    assert shape.training(N, N, N, frozen=False) == pytest.approx(3 * linear + 3.5 * attention)
    assert shape.training(N, N, N, frozen=True) == pytest.approx(2 * linear + 3.5 * attention)


def test_tokens_behind_others_look_at_all_of_them() -> None:
    shape = ModelShape(matrices=10, output=7, layers=2, width=3)
    assert shape.forward(4, 9, 1) == 2 * 10 * 4 + 4 * 2 * 3 * 4 * 9 + 2 * 7


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"vocab_size": 3})
    with pytest.raises(UserError, match="no matrices of numbered layers"):
        shape_of(tmp_path)
