"""Benchmark of greedy facility location: our lazy optimiser beside apricot-select and, where installed, submodlib.

The kernel is the cosine similarity of random vectors, scaled to [0, 1]. All choose the same budget from the same dense
kernel, turn by turn; the value of each chosen set is computed by ours, so that the objectives can be compared. A second
part chooses from a kernel that lies in a file, in a process of its own, and reports its peak memory.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import numpy as np

from scripts.bench.peak import own_peak_mib
from scripts.bench.references import seconds
from scripts.bench.results import add_bench_flags, beside_neighbour, make_result, median_ratio, take_turns
from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json
from scripts.common.seeding import generator
from scripts.selection.facility_location import facility_location, maximise, new_kernel, value_of

WIDTH = 64
TOLERANCE = 1e-6  # of the objective's value, relative
APRICOT_OPTIMISERS = ("two-stage", "lazy", "naive")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_bench_flags(parser, repeats=3, output_required=False)
    parser.add_argument("--candidates", type=int, default=5_000, help="size of the dense kernel")
    parser.add_argument("--budget", type=int, default=1_500, help="how many to choose from it")
    parser.add_argument("--file-candidates", type=int, default=20_000, help="size of the kernel in a file; 0: none")
    parser.add_argument("--file-budget", type=int, default=2_000, help="how many to choose from that")
    parser.add_argument("--choose-from", help="used by the benchmark itself: choose from this kernel file")
    return parser.parse_args(argv)


def unit_rows(n: int) -> np.ndarray:
    """Return random vectors of length 1, (n, WIDTH) float32, in groups, so that there is something to represent."""
    draw = generator(0, "bench", "facility_location")
    centres = draw.standard_normal((max(1, n // 50), WIDTH))
    rows = centres[draw.integers(0, len(centres), n)] + 0.7 * draw.standard_normal((n, WIDTH))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def similarities(rows: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return (1 + cosine) / 2 of every target and row, (targets, rows) float32 in [0, 1]."""
    return np.clip((1 + targets @ rows.T) / 2, 0, 1).astype(np.float32)


def apricot(kernel: np.ndarray, budget: int, optimiser: str) -> np.ndarray:
    """Return apricot-select's choice."""
    try:
        from apricot import FacilityLocationSelection
    except ImportError:
        raise UserError("apricot is not installed; run this in the environment of envs/bench.yaml") from None
    chosen = FacilityLocationSelection(budget, metric="precomputed", optimizer=optimiser)
    return np.asarray(chosen.fit(kernel).ranking)


def submodlib(kernel: np.ndarray, budget: int) -> np.ndarray:
    """Return submodlib's choice by its lazy optimiser."""
    from submodlib import FacilityLocationFunction

    function = FacilityLocationFunction(n=len(kernel), mode="dense", sijs=kernel, separate_rep=False)
    found = function.maximize(budget=budget, optimizer="LazyGreedy", stopIfZeroGain=False, show_progress=False)
    return np.array([place for place, _ in found])


def has_submodlib() -> bool:
    """Return whether submodlib is installed here."""
    try:
        import submodlib  # noqa: F401
    except ImportError:
        return False
    return True


def set_threads(n: int) -> None:
    """Set the threads of apricot-select's compiled loops."""
    try:
        import numba
    except ImportError:
        return
    numba.set_num_threads(n)


def references_of(kernel: np.ndarray, budget: int) -> dict[str, Callable[[], np.ndarray]]:
    """Return, by name, what chooses from the kernel beside ours."""
    wide = kernel.astype(np.float64)
    found: dict[str, Callable[[], np.ndarray]] = {
        f"apricot_{name.replace('-', '_')}": lambda name=name: apricot(wide, budget, name)
        for name in APRICOT_OPTIMISERS
    }
    if has_submodlib():
        found["submodlib"] = lambda: submodlib(kernel, budget)
    return found


def entries_of(
    times: Mapping[str, Sequence[float]], values: Mapping[str, float], value: float
) -> dict[str, dict[str, Any]]:
    """Return the references' entries, with the fastest of apricot's once more as `apricot`.

    values: the objective that each reference reaches, value: that ours does. Raises `UserError` if one reaches more.
    """
    entries: dict[str, dict[str, Any]] = {}
    for name, reached in values.items():
        if reached > value * (1 + TOLERANCE):
            raise UserError(f"{name} reaches {reached:.6f}, ours {value:.6f}: ours is not greedy; not written")
        entries[name] = {
            "value": round(statistics.median(times[name]), 3),
            "ratio": median_ratio(times[name], times["ours"]),
            "ratio_is": "time of the reference / time of ours",
            "max_abs_diff": abs(reached - value),
            "objective": reached,
            **beside_neighbour(times, name),
        }
    fastest = min((name for name in entries if name != "submodlib"), key=lambda name: entries[name]["value"])
    entries["apricot"] = {**entries[fastest], "optimiser": fastest}
    if "submodlib" not in entries:
        entries["submodlib"] = {"value": None, "ratio": None, "max_abs_diff": None, "note": "not installed"}
    return entries


def measure(n: int, budget: int, repeats: int, threads: int) -> dict[str, Any]:
    """Return the result for the dense kernel in the common benchmark schema."""
    rows = unit_rows(n)
    kernel = similarities(rows, rows)
    kernel = np.minimum(kernel, kernel.T)  # equal on both sides of the diagonal: apricot reads rows, we read columns
    np.fill_diagonal(kernel, 1.0)
    objective = facility_location(np.asfortranarray(kernel))
    tasks = {"ours": lambda: maximise(objective, budget).order, **references_of(kernel, budget)}
    chosen: dict[str, np.ndarray] = {}

    def keep(name: str) -> None:
        chosen[name] = tasks[name]()

    times = take_turns({name: lambda name=name: keep(name) for name in tasks}, repeats)
    values = {name: value_of(objective, order) for name, order in chosen.items()}
    value = values.pop("ours")
    sizes = {"candidates": n, "budget": budget, "repeats": repeats}
    ours = round(statistics.median(times["ours"]), 3)
    entries = entries_of(times, values, value)
    return {**make_result("facility_location", None, "s", ours, entries, sizes, threads), "objective": value}


def write_kernel(path: Path, n: int) -> None:
    """Write a kernel of n x n to a file, some columns at a time."""
    rows = unit_rows(n)
    kernel = new_kernel(str(path), n, n)
    for start in range(0, n, 500):
        kernel[:, start : start + 500] = similarities(rows[start : start + 500], rows)
    kernel.flush()


def choose_from_file(path: str, budget: int) -> dict[str, float]:
    """Choose from a kernel in a file; return seconds, value and this process' peak memory."""
    kernel = np.load(path, mmap_mode="r", allow_pickle=False)
    found: list[Any] = []
    needed = seconds(lambda: found.append(maximise(facility_location(kernel), budget)))
    return {"seconds": round(needed, 2), "objective": found[0].value, "peak_mib": round(own_peak_mib(), 1)}


def measure_file(n: int, budget: int) -> dict[str, Any]:
    """Return seconds and peak memory of choosing from a kernel in a file, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.npy"
        write_kernel(path, n)
        command = [sys.executable, "-m", "scripts.bench.facility_location", "--choose-from", str(path)]
        done = subprocess.run([*command, "--file-budget", str(budget)], capture_output=True, text=True, check=True)
    return {"candidates": n, "budget": budget, **json.loads(done.stdout.splitlines()[-1])}


def table(result: dict[str, Any]) -> list[str]:
    """Return a result as lines of text."""
    sizes = result["sizes"]
    lines = [
        f"{sizes['candidates']} candidates, budget {sizes['budget']}, {result['machine']}",
        f"  {'ours':<18} {result['ours']:>9.3f} s   objective {result['objective']:.4f}",
    ]
    for name, entry in result["references"].items():
        if entry["value"] is None:
            lines.append(f"  {name:<18} {entry['note']}")
        else:
            lines.append(
                f"  {name:<18} {entry['value']:>9.3f} s   {entry['ratio']:.2f} = {entry['ratio_is']},"
                f" objective {entry['objective']:.4f}"
            )
    if "in_file" in result:
        lines.append("  in a file: " + ", ".join(f"{key} {value}" for key, value in result["in_file"].items()))
    return lines


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, write the JSON, print the table."""
    args = parse_args(argv)
    if args.choose_from:
        sys.stdout.write(json.dumps(choose_from_file(args.choose_from, args.file_budget)) + "\n")
        return
    if not args.metrics_out:
        raise UserError("--metrics-out: name the file to write")
    set_threads(args.threads)
    result = measure(args.candidates, args.budget, args.repeats, args.threads)
    if args.file_candidates:
        result["in_file"] = measure_file(args.file_candidates, args.file_budget)
    write_json(args.metrics_out, result)
    for line in table(result):
        logging.info(line)


if __name__ == "__main__":
    run_step(main)
