"""A small finished DELIFT run made by hand, two pairs with answers, subsets and kernels: for tests of last steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.files import write_json, write_jsonl
from scripts.common.metrics import PUBLISHED_COLUMNS, reason_row, write_metrics
from scripts.common.seeding import generator
from scripts.common.step_parser import checked, shipped_config
from scripts.delift.plan import Plan
from scripts.delift.score_answers import measured_rows
from scripts.delift.select_subset import measured_rows as choice_rows
from scripts.delift.settings_learn import ScoreSettings

MODEL = "small"
NASTY = '<script>document.title="broken"</script> & <b>bold</b> </script>'
MEASURES = ["rouge_1", "judge_score"]
UNITS = [("initial", 0), ("delift", 30), ("random", 30), ("full", 100)]
N_POOL, N_TEST = 20, 12


def part(dataset: str, split: str) -> dict[str, Any]:
    return {"dataset": dataset, "split": split, "from": 0, "to": 1}


def artifact(**more: Any) -> dict[str, Any]:
    runs = [{"pair": pair, "model": MODEL} for pair in ("first", "second")]
    return {"not_run": None, "runs": runs, "methods": ["initial", "random", "delift", "full"], **more}


def settings(**changes: Any) -> dict[str, Any]:
    """Return the config's `delift`: table 1 on a pair of stage 1, table 3 on one of stage 2, others not run."""
    pairs = {
        "first": {"stage": 1, "pool": part("a", "train"), "reference": None},
        "second": {"stage": 2, "pool": part("b", "train"), "reference": part("b", "query")},
        "secret": {"stage": 3, "pool": part("c", "train"), "reference": part("d", "train")},
    }
    for row in pairs.values():
        row.update(
            validation=part("a", "validation"),
            test=part("a", "test"),
            rows={"pool": N_POOL, "reference": 0},
            truth=None,
            targets="pool",
            private=None,
        )
    pairs["secret"]["private"] = "private data"
    results = {"learnings": ["peft"], "also": [], "metrics": ["rouge_1", "judge_score"]}
    left_out = {**artifact(**results), "not_run": "left out here"}
    one = [{"pair": "first", "model": MODEL}]
    choices = {key: value for key, value in artifact().items() if key != "methods"}
    return {
        "pairs": pairs,
        "methods": {
            "initial": {"by": "none"},
            "random": {"by": "random"},
            "delift": {"by": "utility"},
            "full": {"by": "all"},
        },
        "percent": 30,
        "seeds": {"icl": [0], "peft": [0, 1], "fft": [0]},
        "limits": {"pool": None, "reference": None, "validation": None, "test": None},
        "utility": {"block_size": 12},
        "embed": {"model": "embedder"},
        "judge": {"backend": "local", "model": "judge"},
        "measures": MEASURES,
        "known": {"measure": "rouge_1", "threshold": 0.7},
        "units_per_job": 2,
        "answers_per_job": 1,
        "viewer": {"percents": [5, 10, 30, 100]},
        "table_1": artifact(**{**results, "runs": one}),
        "table_3": artifact(**{**results, "runs": [{"pair": "second", "model": MODEL}]}),
        "table_5": artifact(**{**results, "runs": [{"pair": "secret", "model": MODEL}]}),
        **dict.fromkeys(("table_2", "table_4", "table_6", "table_fft"), left_out),
        "table_time": {"not_run": None, "runs": one, "methods": ["random", "delift"]},
        "table_selection_quality": {**choices, "methods": ["random", "delift", "full"], "also": []},
        "figure_subset_size": {
            "not_run": None,
            "runs": one,
            "learnings": ["peft"],
            "methods": ["random", "delift"],
            "percents": [30, 100],
            "metrics": ["rouge_1"],
        },
        "figure_laj": {**artifact(runs=one), "learnings": ["peft"]},
        "figure_stages": {**artifact(), "learnings": ["peft"], "metrics": ["rouge_1"]},
        **changes,
    }


def plan(**changes: Any) -> Plan:
    """Return the plan of `settings`."""
    return Plan(settings(**changes))


def rows(prefix: str, n: int) -> list[dict[str, str]]:
    texts = [NASTY if i == 0 else f"say {i}" for i in range(n)]
    return [
        {"id": f"{prefix}{i}", "instruction": text, "input": "", "output": f"reference {i}"}
        for i, text in enumerate(texts)
    ]


def make_run(folder: Path) -> dict[str, Any]:
    """Write the files of both pairs; return the flags of the steps that read them, as lists of paths.

    An empty file of published values, published.csv, is written too.
    """
    flags: dict[str, list[str]] = {name: [] for name in ("data", "measured", "scored", "kernels", "subsets")}
    write_metrics(folder / "missing.csv", [reason_row("delift", **row) for row in plan().reasons()])
    (folder / "published.csv").write_text(",".join(PUBLISHED_COLUMNS) + "\n")
    flags["measured"].append(str(folder / "missing.csv"))
    maps = {}
    for pair in ("first", "second"):
        rng = generator(0, pair)
        parts = {"pool": rows("p", N_POOL), "test": rows("t", N_TEST)}
        if pair == "second":
            parts["reference"] = rows("q", 5)
        maps[pair] = {}
        for name, members in parts.items():
            path = folder / "data" / pair / f"{name}.jsonl"
            write_jsonl(path, members)
            flags["data"].append(str(path))
            places = rng.normal(size=(len(members), 2)).round(3)
            ids = [row["id"] for row in members]
            maps[pair][name] = {"ids": ids, "x": places[:, 0].tolist(), "y": places[:, 1].tolist()}
        _write_answers(folder, pair, flags)
        _write_choices(folder, pair, flags)
        kernels = folder / "kernels" / pair / MODEL
        kernels.mkdir(parents=True)
        np.save(kernels / "pool.npy", np.asfortranarray(rng.random((N_POOL, N_POOL), dtype=np.float32)))
        if pair == "second":
            np.save(kernels / "reference.npy", np.asfortranarray(rng.random((N_POOL, 5), dtype=np.float32)))
        flags["kernels"].append(str(kernels))
    write_json(folder / "maps.json", maps)
    return {"runs": [f"first/{MODEL}", f"second/{MODEL}"], "maps": str(folder / "maps.json"), **flags}


def quality(pair: str, method: str, seed: int, i: int) -> float:
    """ROUGE-1 of an answer: the base model knows few answers, DELIFT's most, every pair in its own way."""
    share = {"initial": 0.2, "random": 0.5, "delift": 0.8, "full": 0.9}[method] - (0.1 if pair == "second" else 0.0)
    return 0.9 if (i + 0.5) / N_TEST < share else 0.1 + 0.01 * seed


def _write_answers(folder: Path, pair: str, flags: dict[str, list[str]]) -> None:
    """Write the answers with ROUGE-1 in one file and the judge's grades in another, and the means of both."""
    kinds: dict[str, list[dict[str, Any]]] = {"words": [], "grades": []}
    for method, percent in UNITS:
        for seed in [0] if method == "initial" else [0, 1]:
            for i in range(N_TEST):
                value = quality(pair, method, seed, i)
                text = NASTY if i == 1 else f"answer of {method} to {i}"
                about = {"learning": "peft", "method": method, "percent": percent, "seed": seed, "id": f"t{i}"}
                told = {"answer": text, "loglik_nats": -1.0, "n_tokens": 2}
                kinds["words"].append({**about, **told, "rouge_1": value, "known": value >= 0.7})
                kinds["grades"].append({**about, "judge_score": 1 + 4 * value})
    for (kind, rows), measure in zip(kinds.items(), MEASURES):
        words = kind == "words"
        known = {"measure": "rouge_1", "threshold": 0.7} if words else None
        how = score_settings(measures=[measure], known=known, likelihood=words)
        stem = folder / "scores" / pair / MODEL / kind
        write_jsonl(stem / "jobs_0.jsonl", rows)
        write_metrics(stem / "jobs_0.csv", measured_rows(rows, how, "delift", pair, MODEL))
        flags["scored"].append(str(stem / "jobs_0.jsonl"))
        flags["measured"].append(str(stem / "jobs_0.csv"))


def score_settings(**changes: Any) -> ScoreSettings:
    """Return the settings of score_answers as the paper has them, with changes."""
    return checked(ScoreSettings, {**ScoreSettings.of(shipped_config()), **changes})


def _write_choices(folder: Path, pair: str, flags: dict[str, list[str]]) -> None:
    for method, percent in UNITS[1:]:
        n = N_POOL * percent // 100
        subsets = [
            {
                "fraction": percent / 100,
                "percent": f"percent_{percent}",
                "seed": seed,
                "n": n,
                "ids": [f"p{(3 * i + (seed if method == 'random' else 0)) % N_POOL}" for i in range(n)],
                "gains": [1 / (i + 1) for i in range(n)] if method == "delift" else None,
                "share_good": 0.5 + 0.1 * seed,
                "families": {"copy": 0.25, "reverse": 0.75},
                "share_repeated": 0.0,
                "share_reference": None,
            }
            for seed in (0, 1)
        ]
        target = folder / "subsets" / pair / MODEL / method
        about = {"name": method, "stage": 1 if pair == "first" else 2, "n_pool": N_POOL, "subsets": subsets}
        write_json(target / "selection.json", about)
        write_metrics(target / "measured.csv", choice_rows(subsets, "delift", pair, MODEL, method))
        flags["measured"].append(str(target / "measured.csv"))
        flags["subsets"].append(str(target))


def step_arguments(folder: Path, flags: dict[str, Any], artifact: str, given: Plan | None = None) -> list[str]:
    """Return the command line of a table's or figure's step without its outputs. given: another plan than `plan`."""
    told = json.dumps((given or plan()).settings(artifact))
    inputs = ["--measured", *flags["measured"], "--published", str(folder / "published.csv")]
    return ["--artifact", artifact, *inputs, "--tier", "mini", "--settings", told]


def viewer_arguments(flags: dict[str, Any], out: Path) -> list[str]:
    """Return the command line of render_viewer."""
    told = json.dumps(plan().viewer())
    arguments = ["--maps", flags["maps"], "--settings", told, "--tier", "mini"]
    for name in ("runs", "data", "measured", "scored", "kernels", "subsets"):
        arguments += [f"--{name}", *flags[name]]
    return [*arguments, "--viewer-out", str(out)]
