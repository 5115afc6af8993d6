"""Turn what `make bench` measured (results/bench/*.json) into rows of docs/benchmarks.csv.

A file holds one result in the form of `scripts.bench.results.make_result`, further models under `also`. Each reference
becomes a row. A row replaces that of the same comparison, date and processor; earlier measurements stay.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json, write_csv
from scripts.report.benchmark_rows import BENCHMARK_COLUMNS, check_row, read_benchmarks

WORDS = {
    "released": "the released scheme",
    "lm_eval": "lm-eval",
    "ctranslate2": "CTranslate2",
    "ctranslate2_int8": "CTranslate2 with weights of 8 bits",
    "floor": "the bare output layer",
    "floor_by_rows": "the bare output layer, row by row",
    "floor_products": "the device's bare matrix products",
    "autograd": "automatic differentiation through the encoder",
    "uncached": "the whole prompt read anew for every query",
    "reencode": "the demonstrations read anew for every option",
    "naive": "the loss over all positions and words",
    "seq2seq_trainer": "a Seq2SeqTrainer with the released collator",
}
"""What a benchmark's references are called on the page; another name stands as it is."""
KEY = ("benchmark", "compared", "date", "processor")
NEEDED = ("name", "unit", "ours", "references", "threads", "machine", "date")


def ratio_of(entry: Mapping[str, Any]) -> float:
    """Return how many times as fast as a reference this project is; a floor's ratio is one of times, so its inverse."""
    return 1 / entry["ratio"] if entry["ratio_is"].startswith("time of ours") else entry["ratio"]


def note_of(result: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    """Return the measured values behind a ratio, threads, number type, and what else the benchmark says."""
    threads = "1 thread" if result["threads"] == 1 else f"{result['threads']} threads"
    parts = [f"{result['ours']:g} against {entry['value']:g} {result['unit']}", threads, result.get("dtype", "")]
    if "longer_beside_neighbour" in entry:
        own, other = (f"{value:g}" for value in entry["longer_beside_neighbour"].values())
        parts.append(f"beside a busy process {own} and {other} times as long")
    if entry.get("max_abs_diff") and entry["max_abs_diff"] > 1e-4:
        parts.append(f"values differ by up to {entry['max_abs_diff']:.1g}")
    sizes = result.get("sizes", {})
    if "hours_for_the_papers_pool" in sizes:
        parts.append(f"{100 * sizes['model_flop_utilisation']:.0f} % of the device's products")
        parts.append(f"golden scores within {sizes['largest_difference_to_float32']:.2g} of float32's")
        parts.append(f"the paper's 52,002 candidates would take {sizes['hours_for_the_papers_pool']:g} hours")
    if "single" in result:
        parts.append(f"one run alone {result['single']:g} {result['unit']}")
    if "peak_memory_mib" in result:
        peaks = ", ".join(f"{name.replace('_', ' ')} {mib:g}" for name, mib in result["peak_memory_mib"].items())
        parts.append(f"peak memory in MiB: {peaks}")
    return "; ".join(filter(None, parts))


def rows_of(result: Mapping[str, Any], path: str) -> list[dict[str, str]]:
    """Return a row for each reference of a result, and of the further models in `also`.

    Raises `UserError` naming the file and a missing key. A reference that was not installed is counted in the log.
    """
    missing = [key for key in NEEDED if key not in result]
    if missing:
        raise UserError(f"{path}: '{missing[0]}' is missing; expected what `make bench` writes")
    where = {"benchmark": result["name"], "date": result["date"], "processor": result["machine"]}
    model = f"; {result['model']}" if result.get("model") else ""
    rows = []
    for name, entry in result["references"].items():
        if entry["value"] is None:
            logging.warning("%s: %s: %s; no row", path, name, entry.get("note", "not measured"))
            continue
        told = {"compared": f"{WORDS.get(name, name)}{model}", "ratio": f"{ratio_of(entry):.3g}"}
        rows.append({**where, **told, "note": note_of(result, entry)})
    if "step_with_generator" in result:
        whole = {**result["step_with_generator"], "value": result["step_with_generator"]["autograd"]}
        told = {
            "compared": f"{WORDS['autograd']}, with the generator's passes{model}",
            "ratio": f"{whole['ratio']:.3g}",
        }
        rows.append({**where, **told, "note": note_of({**result, "ours": whole["ours"]}, whole)})
    if "in_file" in result:
        part = result["in_file"]
        note = f"{part['budget']:,} chosen of {part['candidates']:,} in {part['seconds']:g} s, {part['peak_mib']:g} MiB"
        rows.append({**where, "compared": "none: a kernel in a file", "ratio": "", "note": note})
    for further in result.get("also", []):
        rows += rows_of(further, path)
    return rows


def merged(old: Sequence[Mapping[str, str]], new: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return the old rows, those of an equal key replaced by the new ones, and the other new ones behind."""
    fresh = {tuple(row[key] for key in KEY): row for row in new}
    kept = [fresh.pop(tuple(row[key] for key in KEY), row) for row in old]
    return [*kept, *fresh.values()]


def main(argv: Sequence[str] | None = None) -> None:
    """Read the results, write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, nargs="+", type=Path, help="JSON files of `make bench`")
    parser.add_argument("--benchmarks", required=True, type=Path, help="docs/benchmarks.csv as it is")
    parser.add_argument("--benchmarks-out", required=True, type=Path, help="the same with the new rows")
    args = parser.parse_args(argv)
    old = read_benchmarks(args.benchmarks)
    new = [row for path in args.results for row in rows_of(read_json(path), str(path))]
    for row in new:
        check_row(row, f"{row['benchmark']}, {row['compared']}")
    write_csv(args.benchmarks_out, merged(old, new), BENCHMARK_COLUMNS)
    logging.info("%d measurements of %d files, %d before", len(new), len(args.results), len(old))


if __name__ == "__main__":
    run_step(main)
