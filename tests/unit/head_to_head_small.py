"""A small head-to-head for the tests of its measures and last steps: three methods, two sizes, made-up results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.common.files import write_csv, write_jsonl
from scripts.common.metrics import metric_row, write_metrics
from scripts.head_to_head import measure_choices, measure_choosing, measure_demonstrations
from scripts.head_to_head.columns import CONTEXT_COLUMNS, OPERATION_COLUMNS, PROMPT_COLUMNS
from scripts.head_to_head.comparison import PARTS

METHODS = ("random", "less", "nuggets")
GOOD = {"random": 0.5, "less": 1.0, "nuggets": 0.75}
SEEDS = (0, 1, 2)


def settings(**changes: Any) -> dict[str, Any]:
    """Return the settings of the last steps."""
    selection = {
        "not_run": None,
        "pair": "pair_one",
        "model": "tiny",
        "learning": "fft",
        "percents": [10, 30],
        "seeds": list(SEEDS),
        "methods": list(METHODS),
        "shown": ["exact_match", "reference_loglik_nats_per_token"],
        "by": {"random": "random", "less": "less", "nuggets": "golden_score"},
    }
    demonstrations = {
        "not_run": "no task here",
        "task": "triple",
        "backbone": "mini",
        "model": "tiny",
        "dpc": 2,
        "sets": ["random", "ddg"],
        "retrieval": ["bm25"],
        "n_sets": 2,
    }
    return {"selection": {**selection, **changes}, "demonstrations": demonstrations}


def both_halves() -> dict[str, Any]:
    """Return the settings with nothing left out."""
    given = settings()
    return {**given, "demonstrations": {**given["demonstrations"], "not_run": None}}


def make_demonstrations(folder: Path) -> list[str]:
    """Write and measure the half about demonstrations; return the file of measured values."""
    prompted = [
        dict(zip(PROMPT_COLUMNS, (kind, task, seed, metric, f"{value + seed / 100:.9g}", 50, 40, 8)))
        for kind, task, value in (
            ("prompt", "random", 0.6),
            ("prompt", "ddg", 0.8),
            ("vectors", "random", 0.4),
            ("vectors", "ddg", 0.5),
        )
        for seed in (0, 1)
        for metric in ("accuracy", "macro_f1")
    ]
    retrieved = [("zero_shot", "0.2", 50, 0), ("bm25", "0.9", 50, 44), ("other", "0.1", 50, 1)]
    write_csv(folder / "prompted.csv", prompted, PROMPT_COLUMNS)
    write_csv(folder / "retrieved.csv", [dict(zip(CONTEXT_COLUMNS, row)) for row in retrieved], CONTEXT_COLUMNS)
    costs = {"zero_shot": (0, 0, 1), "random": (0, 5, 2), "ddg": (900, 50, 2), "bm25": (0, 0, 7)}
    costs |= {"mend_random": (4000, 6, 1), "mend_ddg": (4900, 56, 1)}
    rows = [
        {"what": f"{method}/{part}", "flops": value * 10**9}
        for method, values in costs.items()
        for part, value in zip(PARTS, values)
    ]
    write_csv(folder / "showing.csv", rows, OPERATION_COLUMNS)
    inputs = [
        *("--prompted", str(folder / "prompted.csv"), "--retrieved", str(folder / "retrieved.csv")),
        *("--operations", str(folder / "showing.csv"), "--methods", "zero_shot", "bm25", "--model-name", "tiny"),
    ]
    measure_demonstrations.main([*inputs, "--measured-out", str(folder / "demonstrations.csv")])
    return [str(folder / "demonstrations.csv")]


def exact_match(method: str, percent: int, seed: int) -> float:
    """Return the made-up result of one subset and seed."""
    base = {"initial": 0.2, "random": 0.4, "less": 0.6, "nuggets": 0.7, "full": 0.5}[method]
    return base + percent / 1000 + seed / 100


def make_run(folder: Path, *, truth_known: bool = True) -> list[str]:
    """Write and measure the half about selection; return the files of measured values."""
    scores = []
    sizes = {"initial": [0], "full": [100]}
    for method in ("initial", *METHODS, "full"):
        for percent in sizes.get(method, [10, 30]):
            for seed in (0,) if method == "initial" else (*SEEDS, 9):  # a seed that is not asked for
                value = exact_match(method, percent, seed)
                for metric, number in (("exact_match", value), ("reference_loglik_nats_per_token", value - 1)):
                    paper = "delift" if percent in (0, 100) else "head_to_head"  # taken over from DELIFT's run
                    about = (paper, "answers", f"pair_one/fft/percent_{percent}", "tiny", method)
                    scores.append(metric_row(*about, seed, metric, number, 200))
    write_metrics(folder / "answers.csv", scores)
    truth = [{"id": str(i), "good": i % 4 != 0, "family": "copy", "fault": "", "duplicate_of": ""} for i in range(40)]
    write_jsonl(folder / "truth.jsonl", truth)
    good = [row["id"] for row in truth if row["good"]]
    bad = [row["id"] for row in truth if not row["good"]]
    for method, share in GOOD.items():
        for percent, n in ((10, 4), (30, 12)):
            ids = [*good[: int(n * share)], *bad[: n - int(n * share)]]
            for seed in SEEDS:
                write_jsonl(
                    folder / "subsets" / method / f"percent_{percent}" / f"seed_{seed}.jsonl",
                    ({"id": name, "instruction": "say", "input": "", "output": "it"} for name in ids),
                )
    counted = {"golden_score": 4_000_000_000, "less": 500_000_000, "finetune": 1_000_000_000}
    write_csv(
        folder / "operations.csv", [dict(zip(OPERATION_COLUMNS, row)) for row in counted.items()], OPERATION_COLUMNS
    )
    measure_choosing.main(
        ["--operations", str(folder / "operations.csv"), "--methods", json.dumps(settings()["selection"]["by"])]
        + ["--model-name", "tiny", "--measured-out", str(folder / "choosing.csv")]
    )
    files = [str(folder / "answers.csv"), str(folder / "choosing.csv")]
    for method in METHODS:
        files.append(str(folder / f"choice_{method}.csv"))
        known = ["--truth", str(folder / "truth.jsonl")] if truth_known else []
        measure_choices.main(
            ["--subsets", str(folder / "subsets" / method), *known, "--pair", "pair_one", "--model-name", "tiny"]
            + ["--name", method, "--measured-out", files[-1]]
        )
    return files


def step_flags(measured: list[str], given: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    """Return the flags of a table's or figure's step but for its name and outputs."""
    asked = json.dumps(given or settings(**changes))
    return ["--measured", *measured, "--tier", "mini", "--settings", asked] + [
        "--published", "config/published/head_to_head.csv"
    ]  # fmt: skip
