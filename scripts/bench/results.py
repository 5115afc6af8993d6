"""What all benchmarks share: their flags, running turn by turn, and the form of a result."""

from __future__ import annotations

import argparse
import datetime
import logging
import os
import statistics
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence


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


def take_turns(
    tasks: Mapping[str, Any], repeats: int, warm_up: int = 0, clock: Callable[[Any], float] | None = None
) -> dict[str, list[float]]:
    """Return each task's times over `repeats` turns; in every turn each task runs once.

    warm_up: turns before them that do not count. clock: runs a task and returns its seconds; a task is then whatever
    it takes, else a function without arguments.
    """
    from scripts.bench.references import seconds

    timed = clock or seconds
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(1 - warm_up, repeats + 1):
        taken = {name: timed(task) for name, task in tasks.items()}
        logging.info("turn %d: %s", turn, ", ".join(f"{name} {value:.3f} s" for name, value in taken.items()))
        if turn > 0:
            for name, value in taken.items():
                times[name].append(value)
    return times


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
