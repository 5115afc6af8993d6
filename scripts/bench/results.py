"""What all benchmarks share: their flags, running turn by turn, and the form of a result."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import logging
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence

BESIDE_TURNS = 2
"""Turns beside a busy neighbour."""


class Times(dict[str, list[float]]):
    """Seconds of each task, turn by turn. beside: the same while another process kept a core busy."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__({name: [] for name in names})
        self.beside: dict[str, list[float]] = {name: [] for name in names}


def add_bench_flags(parser: argparse.ArgumentParser, *, repeats: int, output_required: bool = True) -> None:
    """Add the flags of every benchmark. Unlike a step, it is run by hand, so all but the output has a default."""
    parser.add_argument("--metrics-out", required=output_required, help="JSON file to write")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="CPU threads")
    parser.add_argument("--repeats", type=int, default=repeats, help="turns; their medians are reported")


def machine() -> str:
    """Return the processor's model name."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else 'unknown CPU'}, {os.cpu_count()} cores"


@contextlib.contextmanager
def busy_neighbour() -> Iterator[None]:
    """Keep one core busy with another process meanwhile."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def take_turns(
    tasks: Mapping[str, Any], repeats: int, warm_up: int = 0, clock: Callable[[Any], float] | None = None
) -> Times:
    """Return each task's times over `repeats` turns, and over two more beside a busy neighbour; each runs once a turn.

    warm_up: turns before them that do not count. clock: runs a task and returns its seconds; a task is then whatever
    it takes, else a function without arguments.
    """
    from scripts.bench.references import seconds

    timed, times = clock or seconds, Times(list(tasks))

    def turn(title: str, into: Mapping[str, list[float]]) -> None:
        taken = {name: timed(task) for name, task in tasks.items()}
        logging.info("%s: %s", title, ", ".join(f"{name} {value:.3f} s" for name, value in taken.items()))
        for name, value in taken.items():
            into[name].append(value)

    for number in range(warm_up):
        turn(f"warm-up {number + 1}", Times(list(tasks)))
    for number in range(repeats):
        turn(f"turn {number + 1}", times)
    with busy_neighbour():
        for number in range(BESIDE_TURNS):
            turn(f"beside a busy process {number + 1}", times.beside)
    return times


def beside_neighbour(times: Mapping[str, Sequence[float]], name: str) -> dict[str, Any]:
    """Return, as a part of a reference's entry, how many times as long ours and it took beside a busy neighbour.

    Medians over the turns; nothing where that was not measured.
    """
    if not isinstance(times, Times):
        return {}
    middle = statistics.median
    longer = {task: round(middle(times.beside[task]) / middle(times[task]), 2) for task in ("ours", name)}
    return {"longer_beside_neighbour": longer}


def speed(times: Sequence[float], count: int, digits: int = 2) -> float:
    """Return how many of `count` things a turn are done in a second, by the median turn."""
    return round(count / statistics.median(times), digits)


def median_ratio(above: Sequence[float], below: Sequence[float], factor: float = 1.0) -> float:
    """Return the median over the turns of one time over the other, times `factor`."""
    return round(statistics.median(a * factor / b for a, b in zip(above, below)), 3)


def reference_entry(
    times: Mapping[str, Sequence[float]],
    name: str,
    count: int,
    difference: float | None,
    *,
    own_count: int | None = None,
    digits: int = 2,
    **more: Any,
) -> dict[str, Any]:
    """Return one reference's entry. The ratio is our speed over its speed; for a floor our time over the floor's.

    times: of `ours` and of `name`, turn by turn; count: things that the reference does in a turn; own_count: that ours
    does, where it differs; difference: the largest one of both results; more: further keys.
    """
    is_floor = name.startswith("floor")
    ratio = (
        median_ratio(times["ours"], times[name])
        if is_floor
        else median_ratio(times[name], times["ours"], (own_count or count) / count)
    )
    return {
        "value": speed(times[name], count, digits),
        "ratio": ratio,
        "ratio_is": "time of ours / time of the floor" if is_floor else "speed of ours / speed of the reference",
        "max_abs_diff": difference,
        **beside_neighbour(times, name),
        **more,
    }


def make_result(
    name: str,
    model: str | None,
    unit: str,
    ours: float,
    references: Mapping[str, Any],
    sizes: Mapping[str, Any],
    threads: int,
    dtype: str = "float32",
) -> dict[str, Any]:
    """Return a result in the common schema, with where and when it was measured."""
    import torch

    return {
        "name": name,
        "model": model,
        "unit": unit,
        "ours": ours,
        "references": dict(references),
        "sizes": dict(sizes),
        "threads": threads,
        "dtype": dtype,
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "torch": torch.__version__,
    }
