"""Pieces of work side by side, each by operations of one thread.

An operation that is spread over threads waits for the slowest of them: beside another busy process that is a few
milliseconds for each of thousands of operations. Pieces that each stay in one thread wait for nobody, and their numbers
do not depend on how many threads there are.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Iterator, Sequence, TypeVar

import torch

Item = TypeVar("Item")


@contextlib.contextmanager
def one_thread_each(device: torch.device) -> Iterator[int]:
    """While this lasts, an operation on a CPU runs in one thread; yield how many may run at once (1 elsewhere)."""
    before = torch.get_num_threads()
    if device.type != "cpu" or before == 1:
        yield 1
        return
    torch.set_num_threads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)


def work_off(work: Callable[[Item], None], items: Sequence[Item], workers: int) -> None:
    """Call `work` on every item, without gradients, up to `workers` at once; raise what it raises.

    Threads suffice: torch lets go of Python's lock while it computes.
    """
    if workers == 1 or len(items) < 2:
        for item in items:
            work(item)
        return

    def without_gradients(item: Item) -> None:
        with torch.no_grad():  # a setting of the thread
            work(item)

    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for _ in pool.map(without_gradients, items):
            pass
