"""The layers of one T5 over several devices."""

from __future__ import annotations

import torch

from scripts.step_by_step.parallelize import dispatch, layer_map, spread_layers
from tests.unit.lm_tiny import tiny


def test_every_parameter_has_a_place_and_blocks_are_shared_out():
    model = tiny("t5").model
    places = layer_map(model.config, ["a", "b"])
    for name, _ in model.named_parameters():
        assert sum(name.startswith(f"{place}.") for place in places) == 1, name
    blocks = [places[f"{stack}.block.{number}"] for stack in ("encoder", "decoder") for number in (0, 1)]
    assert blocks == ["a", "b", "a", "b"]


def test_dispatch_changes_no_number():
    inputs = {"input_ids": torch.tensor([[5, 6, 7, 2]]), "labels": torch.tensor([[8, 9, 2]])}
    plain, spread = tiny("t5").model, tiny("t5").model
    dispatch(spread, ["cpu", "cpu"])
    for model in (plain, spread):
        model(**inputs).loss.backward()
    assert torch.equal(plain(**inputs).loss, spread(**inputs).loss)
    for one, other in zip(plain.parameters(), spread.parameters()):
        assert torch.equal(one.grad, other.grad)


def test_one_device_is_left_as_it_is(caplog):
    loaded = tiny("t5")
    if torch.cuda.device_count() < 2:
        assert spread_layers(loaded) is loaded
        assert "nothing to spread over" in caplog.text
