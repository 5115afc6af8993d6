"""What a computation costs: floating-point operations, the most tensor memory alive at once, seconds."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
import weakref
from typing import Any, Callable, Mapping

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count


@dataclasses.dataclass(frozen=True)
class Cost:
    """flops: floating-point operations of matrix products and attention (a multiply-add counts 2), by torch's counter.

    peak_bytes: most bytes of tensors alive at once that the computation itself made (weights and inputs left out).
    """

    flops: int
    peak_bytes: int


class _LiveTensors(TorchDispatchMode):
    """Follows the storages that operations make, and remembers the most bytes alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, int] = {}
        self.now = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {_key(one) for one in _tensors((args, kwargs or {}))}
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key not in given and key not in self.alive:
                self.alive[key] = storage.nbytes()
                self.now += storage.nbytes()
                weakref.finalize(storage, self._free, key)
        self.peak = max(self.peak, self.now)
        return result

    def _free(self, key: int) -> None:
        self.now -= self.alive.pop(key, 0)


def _key(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _tensors(value: Any) -> list[torch.Tensor]:
    return [one for one in torch.utils._pytree.tree_leaves(value) if isinstance(one, torch.Tensor)]


def cost_of(task: Callable[[], object]) -> Cost:
    """Run a computation once and return its cost."""
    flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu

    def attention_flops(query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
        return sdpa_flop_count(query, key, value)

    counter = FlopCounterMode(display=False, custom_mapping={flash: attention_flops})
    live = _LiveTensors()
    with live, counter:
        task()
    return Cost(int(counter.get_total_flops()), live.peak)


def median_seconds(task: Callable[[], object], repeats: int, device: torch.device) -> float:
    """Return the median wall-clock time of a computation, after one run that is not counted."""
    times = []
    for _ in range(repeats + 1):
        _wait(device)
        began = time.perf_counter()
        task()
        _wait(device)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def break_even(ours: Mapping[str, float], other: Mapping[str, float]) -> int | None:
    """Return the smallest number of queries from which on ours costs less in all, None if it never does.

    ours, other: cost to `prepare` and per `query`.
    """
    saved = other["query"] - ours["query"]
    extra = ours["prepare"] - other["prepare"]
    if saved <= 0:
        return None
    return max(1, math.floor(extra / saved) + 1)
