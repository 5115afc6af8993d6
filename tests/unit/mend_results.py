"""Made-up results of MEND's measuring steps, for the tests of what comes after them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.files import write_csv
from scripts.common.metrics import metric_row, write_metrics
from scripts.data.task_registry import TaskRegistry
from scripts.mend import measure_average, measure_scores
from scripts.mend.columns import SCORE_COLUMNS
from scripts.mend.experiments import ATTENTION, COST, PAPER, SECONDS
from scripts.mend.plan import Plan

SEEDS = (13, 21, 42)
MEND: dict[str, Any] = {
    "backbone": "big",
    "backbones": {
        "big": {
            "model": "gpt2_large", "distiller": "gpt2", "format": "plain", "pretrained": None, "pretrained_lm": None
        }
    },
    "tasks": {"source": "synthetic", "prepared": None, "raw": None, "texts": "texts", "texts_limit": None},
    "settings": ["seen", "unseen"],
    "study_settings": ["seen", "unseen"],
    "seeds": list(SEEDS),
    "shots": 16,
    "train_shots": 64,
    "n_demonstrations": 16,
    "train_seed": 100,
    "together": True,
    "pretrain": {"stage": 1, "steps": 30, "n_vectors": 8, "pooler": "auto"},
    "finetune": {
        "stage": 2, "steps": 40, "n_vectors": 8, "pooler": "auto", "kl_weight": 1.0, "groups": 1,
        "placeholder_start": "keep",
    },
    "variants": {
        "mend": {"start": "distillation"},
        "mend_short": {"start": "distillation"},
        "no_pretraining": {"start": "backbone", "placeholder_start": "vocabulary"},
        "kl_only": {"start": "distillation", "lm_weight": 0.0},
        "lm_only": {"start": "distillation", "kl_weight": 0.0},
        "hidden_only": {"start": "distillation"},
        "vectors_2": {"start": "distillation", "n_vectors": 2},
    },
    "groups": {
        "main": ["mend"],
        "ablation": ["mend_short", "no_pretraining", "kl_only", "lm_only", "hidden_only", "vectors_2"],
    },
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
        "distillers": ["mend_short", "vectors_2"],
    },
    "figure_lambda": {"distillers": ["lm_only", "mend_short"], "limit": "kl_only"},
}  # fmt: skip
"""The config's key `mend`, as far as the plan reads it."""
REGISTRY = TaskRegistry(
    {
        "seen": {"train": ["t"], "test": ["a", "b"], "dropped": [], "train_set": "x", "title": "Seen"},
        "unseen": {"train": ["t"], "test": ["c"], "dropped": [], "train_set": "x", "title": "Unseen"},
    },
    {name: {"type": "classification"} for name in "tabc"},
)
JOBS = ["main", "robustness", "ablation"]


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
    return dict(zip(JOBS, (main, robustness, ablation)))


def value(experiment: str, setting: str, method: str, seed: int, metric: str, number: float, n: int) -> dict[str, Any]:
    """Return a measured value of the only model."""
    return metric_row(PAPER, experiment, setting, "gpt2_large", method, seed, metric, number, n)


def cost_rows() -> list[dict[str, Any]]:
    """Return counted quantities of every method."""
    rows = []
    for count in (4, 16):
        per_query = {"icl_uncached": 10.0 * count, "icl_cached": 4.0 + count / 8, "mend": 4.5}
        prepare = {"icl_uncached": 0.0, "icl_cached": 5.0 * count, "mend": 6.0 * count}
        for method, flops in per_query.items():
            cells = [("prepare_flops", prepare[method]), ("query_flops", flops), ("prepare_tokens", 9 * count)]
            cells.append(("prepare_cache_bytes", 2_000_000 if method != "icl_uncached" else 0))
            cells.append(("total_flops", prepare[method] + 64 * flops))
            cells.append(("query_peak_tensor_bytes", 1000 * flops))
            if method != "mend":
                cells.append(("total_break_even_queries", count))
            rows += [value(COST, f"k_{count}", method, 100, metric, number, 64) for metric, number in cells]
    return [*rows, value(COST, "k_0", "zero_shot", 100, "query_flops", 4.0, 64)]


def seconds_rows() -> list[dict[str, Any]]:
    """Return measured seconds."""
    return [
        value(SECONDS, f"k_{count}", method, 100, f"{phase}_seconds", count / 100, 64)
        for method in ("icl_uncached", "icl_cached", "mend")
        for count in (4, 16)
        for phase in ("prepare", "query", "total")
    ]


def attention_rows() -> list[dict[str, Any]]:
    """Return attention shares of two layers."""
    parts = {
        "llm_icl": {"demonstrations": 0.7, "query": 0.3, "demonstration_1": 0.4, "demonstration_2": 0.3},
        "llm_mend": {"vectors": 0.6, "query": 0.4, "vector_1": 0.5, "vector_2": 0.1},
        "distiller": {"demonstration_1": 0.2, "demonstration_2": 0.3},
    }
    return [
        value(ATTENTION, f"layer_{layer:02d}", reader, 13, f"share_{part}", share, 32)
        for layer in (1, 2)
        for reader, shares in parts.items()
        for part, share in shares.items()
    ]


def plan(absent: Mapping[str, str] | None = None, **changes: Any) -> Plan:
    """Return the plan of the small settings; changes: keys of `mend`; absent: as in the plan."""
    folders = {"gpt2_large": "models/gpt2_large", "gpt2": "models/gpt2"}
    return Plan({**MEND, **changes}, REGISTRY, folders, absent or {})


def score_settings(**changes: Any) -> str:
    """Return the settings of the steps that average scores, as JSON."""
    settings = {name: REGISTRY.test_tasks(name) for name in MEND["settings"]}
    return json.dumps({"model": "gpt2_large", "settings": settings, "n_demonstrations": 16, **changes})


def written(folder: Path, scores: Mapping[str, Sequence[dict[str, Any]]] | None = None) -> Path:
    """Write all measurement files where the plan expects them, below `folder`; return the folder."""
    scores = scores if scores is not None else all_scores()
    for job, rows in scores.items():
        write_csv(folder / f"scores_{job}.csv", rows, SCORE_COLUMNS)
        measured = folder / "mend" / "measured" / "scores" / "big" / "x" / f"{job}.csv"
        measured.parent.mkdir(parents=True, exist_ok=True)
        flags = ["--scores", str(folder / f"scores_{job}.csv"), "--settings", score_settings()]
        measure_scores.main([*flags, "--measured-out", str(measured)])
    for kind, rows in (("cost", cost_rows()), ("seconds", seconds_rows()), ("attention", attention_rows())):
        (folder / "mend" / "measured" / kind).mkdir(parents=True, exist_ok=True)
        write_metrics(folder / "mend" / "measured" / kind / "big.csv", rows)
    named = [f"{method}/{setting}={folder / 'scores_main.csv'}" for method in MEND["table_2"]["methods"]
             for setting in MEND["settings"]]  # fmt: skip
    (folder / "mend" / "measured" / "average").mkdir(parents=True, exist_ok=True)
    target = folder / "mend" / "measured" / "average" / "big.csv"
    measure_average.main(["--scores", *named, "--settings", score_settings(), "--measured-out", str(target)])
    return folder


def files_of(folder: Path, artifact: str) -> list[str]:
    """Return the measurement files of an artifact, as `written` writes them."""
    return [path.replace("<results>", str(folder)) for path in plan().needs(artifact).measured]


def artifact_flags(folder: Path, artifact: str) -> list[str]:
    """Return the flags of the step that makes an artifact, but for its outputs and the published values."""
    given = ["--artifact", artifact, "--measured", *files_of(folder, artifact)]
    return [*given, "--settings", json.dumps(plan().settings(artifact)), "--tier", "mini"]
