"""Repeated reading of a demonstration ("deep thinking"): the optional `kv_iter` loop of the released NUGGETS code.

Iteration 1 is the plain forward pass: the demonstration's keys and values are the state. In each further iteration the
model reads the same tokens again, attending to the state and to itself. The new keys and values minus the state are a
pseudo-gradient g; with momentum m <- g + beta * m (m = g at first), state <- state + step_size * m, where keys and
values each have a momentum of their own. The paper's setting is one iteration, which never updates.

Positions follow the released code: a second reading of L tokens stands at positions L .. 2L - 1, behind the state,
which stays at 0 .. L - 1, and anchors start at L in every iteration. In models with rotary positions the cached keys
are rotated already, so their difference also holds that rotation by L positions, here as in the released code.
# DEVIATION: the released code scores the anchors after every iteration and its merge script then reads the first one
# only, so that kv_iter never reached a result; we score once, after the last iteration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

from scripts.common.errors import UserError

if TYPE_CHECKING:
    import torch

    from scripts.lm.score import PrefixCache, Scorer

    Layers = list[torch.Tensor]  # one tensor a layer, (1, key heads, tokens, head width)


def check_loop(kv_iter: int, step_size: float, momentum: float) -> None:
    """Raise `UserError` for settings that the loop cannot run with."""
    if isinstance(kv_iter, bool) or not isinstance(kv_iter, int) or kv_iter < 1:
        raise UserError(f"kv_iter: {kv_iter}; give a whole number of at least 1")
    for key, value in (("step_size", step_size), ("momentum", momentum)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
            raise UserError(f"{key}: {value}; give a number of at least 0")


class Momentum:
    """Gradient steps with momentum on one kind of state, keys or values."""

    def __init__(self, step_size: float, momentum: float) -> None:
        self._step_size = step_size
        self._momentum = momentum
        self._velocity: Layers | None = None

    def update(self, old: Layers, new: Layers) -> Layers:
        """Return the state moved along the pseudo-gradient `new - old` and what is left of earlier ones."""
        gradient = [later - earlier for earlier, later in zip(old, new)]
        if self._velocity is None:
            self._velocity = gradient
        else:
            self._velocity = [g + self._momentum * m for g, m in zip(gradient, self._velocity)]
        return [earlier + self._step_size * m for earlier, m in zip(old, self._velocity)]


def read_repeatedly(
    scorer: Scorer, ids: Sequence[int], *, kv_iter: int, step_size: float, momentum: float
) -> PrefixCache:
    """Return the demonstration's cache after `kv_iter` readings.

    ids: (L,) token ids. Reading again needs a context of 2 L tokens. Raises `UserError` for settings out of range.
    """
    from scripts.lm.score import PrefixCache

    check_loop(kv_iter, step_size, momentum)
    state = scorer.prefill(ids)
    length = state.length
    if kv_iter > 1 and not state.keys:
        raise UserError("kv_iter: reading again needs keys and values, which the scorer has of known model types only")
    on_keys, on_values = Momentum(step_size, momentum), Momentum(step_size, momentum)
    for _ in range(1, kv_iter):
        again = scorer.prefill(ids, past=state)  # holds the state in front of the new keys and values
        new_keys = [keys[:, :, -length:] for keys in again.keys]
        new_values = [values[:, :, -length:] for values in again.values]
        state = PrefixCache.from_tensors(
            on_keys.update(list(state.keys), new_keys), on_values.update(list(state.values), new_values)
        )
    return state
