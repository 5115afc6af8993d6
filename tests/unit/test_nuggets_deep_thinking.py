"""The kv_iter loop against the same steps written out on the model's own cache."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache

from scripts.common.errors import UserError
from scripts.lm.load import LoadedModel
from scripts.lm.score import Scorer
from scripts.nuggets.deep_thinking import Momentum, read_repeatedly
from tests.unit import lm_tiny
from tests.unit.nuggets_tiny import tiny

IDS = [2, 5, 4, 9, 10, 11, 4, 7, 4, 12]


def model_pass(loaded: LoadedModel, ids: list[int], cache: DynamicCache, start: int) -> DynamicCache:
    """Run tokens through the whole model behind a cache, with positions and mask given."""
    n = len(ids)
    loaded.model(
        input_ids=torch.tensor([ids]),
        attention_mask=torch.ones(1, start + n, dtype=torch.long),
        position_ids=torch.arange(start, start + n)[None],
        past_key_values=cache,
        use_cache=True,
    )
    return cache


def written_out(
    loaded: LoadedModel, ids: list[int], kv_iter: int, step: float, beta: float
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The loop without any of our code: keys and values of each layer."""
    n = len(ids)
    with torch.no_grad():
        layers = model_pass(loaded, ids, DynamicCache(), 0).layers
        keys, values = [layer.keys for layer in layers], [layer.values for layer in layers]
        m_keys, m_values = [], []
        for iteration in range(2, kv_iter + 1):
            # The second reading follows the state: positions n .. 2n - 1, seeing the state and itself.
            layers = model_pass(loaded, ids, DynamicCache(list(zip(keys, values))), n).layers
            for number, layer in enumerate(layers):
                g_keys = layer.keys[:, :, n:] - keys[number]
                g_values = layer.values[:, :, n:] - values[number]
                if iteration == 2:
                    m_keys.append(g_keys)
                    m_values.append(g_values)
                else:
                    m_keys[number] = g_keys + beta * m_keys[number]
                    m_values[number] = g_values + beta * m_values[number]
            keys = [k + step * m for k, m in zip(keys, m_keys)]
            values = [v + step * m for v, m in zip(values, m_values)]
    return keys, values


@pytest.mark.parametrize("kv_iter", [1, 2, 4])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt"])
def test_equals_the_loop_written_out(kind: str, kv_iter: int) -> None:
    loaded = tiny() if kind == "llama" else lm_tiny.tiny(kind)
    expected_keys, expected_values = written_out(loaded, IDS, kv_iter, 0.3, 0.9)
    ours = read_repeatedly(Scorer(loaded.model), IDS, kv_iter=kv_iter, step_size=0.3, momentum=0.9)
    assert ours.length == len(IDS)
    assert ours.next_position == len(IDS)  # anchors follow the demonstration, however often it was read
    for mine, theirs in zip((*ours.keys, *ours.values), (*expected_keys, *expected_values)):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


def test_step_size_0_leaves_the_first_reading_untouched() -> None:
    scorer = Scorer(tiny().model)
    once = read_repeatedly(scorer, IDS, kv_iter=1, step_size=0.5, momentum=0.9)
    often = read_repeatedly(scorer, IDS, kv_iter=4, step_size=0.0, momentum=0.9)
    for first, later in zip((*once.keys, *once.values), (*often.keys, *often.values)):
        assert torch.equal(first, later)


def test_every_setting_has_an_effect() -> None:
    scorer = Scorer(tiny().model)
    states = [
        read_repeatedly(scorer, IDS, kv_iter=n, step_size=step, momentum=beta).values[-1]
        for n, step, beta in ((1, 0.1, 0.9), (2, 0.1, 0.9), (2, 0.2, 0.9), (3, 0.1, 0.9), (3, 0.1, 0.0))
    ]
    for number, state in enumerate(states):
        for other in states[number + 1 :]:
            assert not torch.allclose(state, other, atol=1e-4)


def test_momentum_by_hand() -> None:
    optimiser = Momentum(0.5, 0.1)
    (first,) = optimiser.update([torch.tensor(1.0)], [torch.tensor(3.0)])  # m = 2
    assert float(first) == pytest.approx(2.0)
    (second,) = optimiser.update([first], [torch.tensor(3.0)])  # g = 1, m = 1 + 0.1 * 2
    assert float(second) == pytest.approx(2.6)


@pytest.mark.parametrize("changes", [{"kv_iter": 0}, {"kv_iter": True}, {"step_size": -0.1}, {"momentum": "x"}])
def test_settings_out_of_range_are_refused(changes: dict) -> None:
    with pytest.raises(UserError, match=next(iter(changes))):
        read_repeatedly(Scorer(tiny().model), IDS, **{"kv_iter": 1, "step_size": 0.1, "momentum": 0.9, **changes})
