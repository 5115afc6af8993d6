"""Made-up results of MEND's measuring steps, for the tests of what comes after them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.common.files import write_csv, write_json
from scripts.mend.columns import ATTENTION_COLUMNS, EFFICIENCY_COLUMNS, SCORE_COLUMNS

SEEDS = (13, 21, 42)
TASKS = {"seen": ["a", "b"], "unseen": ["c"]}
SETTINGS: dict[str, Any] = {
    "backbones": {"big": "gpt2_large"},
    "settings": TASKS,
    "order": ["seen", "unseen"],
    "titles": {"seen": "Seen", "unseen": "Unseen"},
    "train_sets": {"seen": "x", "unseen": "x"},
    "backbone": "big",
    "study_settings": ["seen", "unseen"],
    "seeds": list(SEEDS),
    "n_demonstrations": 16,
    "train_seed": 100,
    "pretrain": {"stage": 1, "steps": 30, "n_vectors": 8, "pooler": "auto"},
    "finetune": {"stage": 2, "steps": 40, "n_vectors": 8, "pooler": "auto"},
    "tune": {"steps": 20},
    "prompt_tuning": {"steps": 10, "n_vectors": 8},
    "ablation_steps": 5,
    "efficiency": {"n_demonstrations": [4, 16], "n_queries": 64, "repeats": 3},
    "attention": {"n_queries": 32},
    "table_2": {"backbones": ["big"], "methods": ["zero_shot", "icl", "mend"]},
    "table_3": {"methods": ["icl", "mend"], "perturbations": ["none", "wrong_label"]},
    "table_4": {"methods": ["mend_short", "kl_only", "hidden_only"]},
    "table_separators": {"methods": ["icl", "mend"], "formats": ["plain", "metaicl"]},
    "table_unseen_labels": {"methods": ["icl", "mend"], "n_demonstrations": [2]},
    "figure_4": {
        "methods": ["icl", "mend"],
        "n_demonstrations": [4, 16],
        "distillers": {"2": "vectors_2", "8": "mend_short"},
    },
    "figure_lambda": {"distillers": {"0": "lm_only", "1": "mend_short"}, "limit": "kl_only"},
    "format": "plain",
}
RUNS = ["big/x/main", "big/x/robustness", "big/x/ablation"]


def score_rows(
    method: str, base: float, fault: str = "none", number: int = 16, form: str = "default", vectors: int = 0
) -> list[dict[str, Any]]:
    """Return the scores of one arm: task a has `base`, b .1 more, c .1 less, and each seed .01 more than the last."""
    rows = []
    for place, seed in enumerate(SEEDS):
        for task, shift in (("a", 0.0), ("b", 0.1), ("c", -0.1)):
            values = {"score": base + shift + 0.01 * place}
            if method in ("icl", "mend") and number == 2:
                values.update(accuracy_seen_labels=0.9, accuracy_unseen_labels=0.1 if task == "a" else 0.3)
            for metric, value in values.items():
                n = 30 if metric == "accuracy_unseen_labels" and task == "b" else 10
                cells = (method, task, seed, metric, value, n, fault, number, form, 10 * number, vectors, 16)
                rows.append(dict(zip(SCORE_COLUMNS, cells)))
    return rows


def all_scores() -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each evaluation job."""
    main = score_rows("zero_shot", 0.2, number=0) + score_rows("icl", 0.8) + score_rows("mend", 0.7, vectors=8)
    robustness = []
    for method, base, vectors in (("icl", 0.8, 0), ("mend", 0.7, 8)):
        robustness += score_rows(method, base - 0.3, fault="wrong_label", vectors=vectors)
        robustness += score_rows(method, base - 0.2, number=4, vectors=vectors)
        robustness += score_rows(method, base - 0.25, number=2, vectors=vectors)
        robustness += score_rows(method, base - 0.1, form="metaicl", vectors=vectors)
    ablation = []
    for number, name in enumerate(("mend_short", "kl_only", "lm_only")):
        ablation += score_rows(name, 0.6 - 0.05 * number, vectors=8)
    ablation += score_rows("vectors_2", 0.4, vectors=2)
    return dict(zip(RUNS, (main, robustness, ablation)))


def efficiency_rows() -> list[dict[str, Any]]:
    """Return counted quantities of every method."""
    rows = []
    for count in (4, 16):
        per_query = {"icl_uncached": 10.0 * count, "icl_cached": 4.0 + count / 8, "mend": 4.5}
        prepare = {"icl_uncached": 0.0, "icl_cached": 5.0 * count, "mend": 6.0 * count}
        for method, flops in per_query.items():
            cells = [("prepare", "flops", prepare[method]), ("query", "flops", flops), ("prepare", "tokens", 9 * count)]
            cells.append(("prepare", "cache_bytes", 2_000_000 if method != "icl_uncached" else 0))
            cells.append(("total", "flops", prepare[method] + 64 * flops))
            cells.append(("query", "peak_tensor_bytes", 1000 * flops))
            if method != "mend":
                cells.append(("total", "break_even_queries", count))
            rows += [dict(zip(EFFICIENCY_COLUMNS, (method, count, *cell))) for cell in cells]
    rows.append(dict(zip(EFFICIENCY_COLUMNS, ("zero_shot", 0, "query", "flops", 4.0))))
    return rows


def seconds_rows() -> list[dict[str, Any]]:
    """Return measured seconds."""
    return [
        {"method": method, "n_demonstrations": count, "phase": phase, "quantity": "seconds", "value": count / 100}
        for method in ("icl_uncached", "icl_cached", "mend")
        for count in (4, 16)
        for phase in ("prepare", "query", "total")
    ]


def attention_rows() -> list[dict[str, Any]]:
    """Return attention shares of two layers."""
    rows = []
    for layer in (0, 1):
        parts = {
            "llm_icl": {"demonstrations": 0.7, "query": 0.3, "demonstration_1": 0.4, "demonstration_2": 0.3},
            "llm_mend": {"vectors": 0.6, "query": 0.4, "vector_1": 0.5, "vector_2": 0.1},
            "distiller": {"demonstration_1": 0.2, "demonstration_2": 0.3},
        }
        for reader, shares in parts.items():
            rows += [dict(zip(ATTENTION_COLUMNS, (reader, layer, part, share))) for part, share in shares.items()]
    return rows


def written(folder: Path, scores: dict[str, list[dict[str, Any]]] | None = None) -> list[str]:
    """Write all results and return the flags of collect_metrics."""
    files = []
    scores = scores if scores is not None else all_scores()
    for run, rows in scores.items():
        files.append(str(folder / f"{run.replace('/', '_')}.csv"))
        write_csv(files[-1], rows, SCORE_COLUMNS)
    write_csv(folder / "efficiency.csv", efficiency_rows(), EFFICIENCY_COLUMNS)
    write_json(folder / "efficiency.run.json", {"rows": seconds_rows()})
    write_csv(folder / "attention.csv", attention_rows(), ATTENTION_COLUMNS)
    flags = ["--runs", *scores, "--scores", *files, "--efficiency", str(folder / "efficiency.csv")]
    flags += ["--seconds", str(folder / "efficiency.run.json"), "--attention", str(folder / "attention.csv")]
    flags += ["--settings", json.dumps(SETTINGS)]
    for name in ("metrics", "notes", "timing"):
        flags += [f"--{name}-out", str(folder / f"{name}.csv")]
    return flags
