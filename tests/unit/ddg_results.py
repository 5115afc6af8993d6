"""Made-up runs of both evaluations, for the tests of DDG's last steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.common.files import write_csv, write_json
from scripts.ddg.run_columns import CONTEXT_COLUMNS, LEARNER_COLUMNS

METHODS = {"random": 0.5, "k_centers": 0.6, "dilm": 0.8, "ddg": 0.8, "dilm_no_rt": 0.7}
SEEDS = [0, 1, 2]
DPCS = [2, 5]
SETTINGS: dict[str, Any] = {
    "titles": {"sst2": "SST-2", "many": "many classes"},
    "metrics": {"sst2": "accuracy", "many": "accuracy"},
    "models": ["gpt2_xl"],
    "seeds": SEEDS,
    "learner": "bert_base",
    "draws": 2,
    "in_context": {
        "rounds": [1, 2],
        "n_queries": 50,
        "draws": 1,
        "protocols": {
            "longicl": {"prompt": None, "order": "rounds", "scorers": ["generate", "labels"]},
            "dilm": {"prompt": "dilm", "order": "shuffled", "scorers": ["first_token"]},
        },
    },
    "table_1": {"tasks": ["sst2"], "methods": ["random", "k_centers", "dilm", "ddg"], "dpcs": DPCS},
    "table_2": {"learners": ["bert_base", "roberta_base"], "methods": ["random", "dilm"], "dpc": 5},
    "table_3": {"task": "sst2", "models": ["gpt2_xl"], "methods": ["random", "dilm"], "protocol": "dilm", "round": 2},
    "table_4": {"methods": ["dilm", "dilm_no_rt"], "dpc": 5},
    "table_7": {"dpc": 2},
    "table_8": {"dpc": 5},
    "table_main": {"tasks": ["sst2"], "methods": ["zero_shot", "random", "dilm"], "protocol": "longicl", "round": 2},
    "table_long": {"tasks": ["many"], "methods": ["random", "dilm"]},
    "table_ablation": {"tasks": ["sst2"], "methods": ["ddg", "dilm", "dilm_no_rt"], "dpc": 5},
    "table_paired": {"pairs": [["dilm", "random"], ["ddg", "dilm"]]},
    "figure_sensitivity": {
        "task": "sst2", "dpc": 5, "decay": {"0": "dilm", "0.99": "ddg"}, "temperature": {"1": "dilm"},
        "methods": ["random", "dilm"],
    },
}  # fmt: skip


def score(method: str, seed: int, draw: int) -> float:
    """Return the made-up score of one set: the method's, a hundredth more a seed and a thousandth a draw."""
    return METHODS.get(method, 0.1) + 0.01 * seed + 0.001 * draw


def learner_rows(methods: list[str]) -> list[dict[str, Any]]:
    """Return the runs of one job of evaluation A."""
    rows = []
    for method in [*methods, "full"]:
        for dpc in map(str, DPCS) if method != "full" else ["full"]:
            for seed in SEEDS:
                for draw in range(2) if method != "full" else [0]:
                    value = score(method, seed, draw) if method != "full" else 0.95
                    for metric, shown in (("accuracy", value), ("matthews", value - 0.3)):
                        values = (method, dpc, seed, draw, 0, metric, f"{shown:.9g}", 100)
                        rows.append(dict(zip(LEARNER_COLUMNS, values)))
    return rows


def context_rows(methods: list[str], protocols: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Return the runs of one job of evaluation B."""
    rows = []
    for protocol, scorers in protocols.items():
        for scorer in scorers:
            for method in ["zero_shot", *methods]:
                for number in [0] if method == "zero_shot" else [1, 2]:
                    for seed in SEEDS[:1] if method == "zero_shot" else SEEDS:
                        value = score(method, seed, 0) - 0.1 * (number == 1)
                        values = (protocol, scorer, method, number, seed, 0, f"{value:.9g}", 0.1, 0.9, 50, 30)
                        rows.append(dict(zip(CONTEXT_COLUMNS, values)))
    return rows


def written(folder: Path, **changes: Any) -> list[str]:
    """Write the runs and return collect_metrics' arguments."""
    both = {"longicl": ["generate", "labels"], "dilm": ["first_token"]}
    learners = {
        "sst2/bert_base/main": learner_rows(["random", "k_centers", "dilm", "ddg"]),
        "sst2/bert_base/ablation": [row for row in learner_rows(["dilm_no_rt"]) if row["method"] != "full"],
    }
    contexts = {
        "sst2/gpt2_xl": context_rows(["random", "dilm", "ddg"], both),
        "many/gpt2_xl": context_rows(["random"], {"longicl": ["generate", "labels"]}),
    }
    for number, rows in enumerate(learners.values()):
        write_csv(folder / f"learners_{number}.csv", rows, LEARNER_COLUMNS)
    for number, rows in enumerate(contexts.values()):
        write_csv(folder / f"contexts_{number}.csv", rows, CONTEXT_COLUMNS)
    for name in ("dilm", "ddg"):
        steps = [{"cosine": 0.8 + 0.01 * step, "synthetic_loss": 1.0} for step in range(8)]
        refreshes = [
            {"outer": n, "failures": 0, "distinct_1": 0.1, "distinct_2": 0.3, "real_loss": 2.0} for n in (0, 4)
        ]
        seeds = [{"seed": seed, "steps": steps, "refreshes": refreshes} for seed in SEEDS]
        write_json(folder / f"{name}.json", {"seeds": seeds})
    return [
        *("--learner-jobs", *learners, "--learners", *(str(folder / f"learners_{n}.csv") for n in range(2))),
        *("--context-jobs", *contexts, "--contexts", *(str(folder / f"contexts_{n}.csv") for n in range(2))),
        *("--settings", json.dumps({**SETTINGS, **changes})),
        *("--metrics-out", str(folder / "metrics.csv"), "--notes-out", str(folder / "notes.csv")),
    ]
