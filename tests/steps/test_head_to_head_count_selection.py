"""The operations counted for each method against what torch counts while the method's own step runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from scripts.common.files import read_csv, read_jsonl, write_jsonl
from scripts.delift import embed_examples, score_baselines, score_utility
from scripts.head_to_head import count_selection, join_targets
from scripts.nuggets import score_candidates, score_difficulty
from tests.steps.test_delift_score_baselines import LESS, SELECTIT
from tests.unit.delift_tiny import utility_settings
from tests.unit.nuggets_tiny import PROMPT, instruction_rows, save, tiny

MODEL_FLAGS = ["--dtype", "float32", "--device", "cpu", "--threads", "1"]
GOLDEN = {"prompt": PROMPT, "separator": "", "bos": "paper", "anchor_tokens": 20, "too_long": "error", "kv_iter": 1,
          "step_size": 0.01, "momentum": 0.9, "racing": None, "batch_tokens": 512}  # fmt: skip
UTILITY = utility_settings(
    special_tokens={"before": "none", "between": "none", "after": "none"},
    templates={"alone": "{prompt}", "example": "{prompt}{response}\n", "query": "{prompt}"},
    batch_tokens=512,
)
EMBED = {
    "prompt": PROMPT,
    "output": "{output}",
    "pooling": "mean",
    "normalise": True,
    "max_tokens": 64,
    "batch_tokens": 32,
}
SETTINGS = {
    "golden": {key: GOLDEN[key] for key in ("prompt", "separator", "anchor_tokens")},
    "difficulty": {"prompt": PROMPT},
    "utility": {key: UTILITY[key] for key in ("prompt", "templates")},
    "embed": {key: EMBED[key] for key in ("prompt", "output", "max_tokens")},
    "selectit": {"prompt": PROMPT, "rating_prompts": SELECTIT["rating_prompts"], "template": SELECTIT["template"]},
    "less": {"prompt": PROMPT, **{key: LESS[key] for key in ("warmup_fraction", "epochs", "max_tokens")}},
    "finetune": {"prompt": PROMPT, "method": "full", "max_steps": 5, "epochs": 100, "batch_size": 4, "accumulation": 1,
                 "n_examples": 6},
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    save(tiny(), folder / "model")
    for name, n, seed in (("pool", 12, 1), ("reference", 4, 2), ("validation", 5, 3)):
        write_jsonl(folder / f"{name}.jsonl", instruction_rows(n, seed=seed, prefix=""))
    rows = [str(folder / "reference.jsonl"), str(folder / "validation.jsonl")]
    join_targets.main(["--rows", *rows, "--targets-out", str(folder / "goal.jsonl")])
    return folder


def ours(files: Path, **changes: Any) -> dict[str, int]:
    out = files / "operations.csv"
    count_selection.main(
        ["--pool", str(files / "pool.jsonl"), "--reference", str(files / "reference.jsonl")]
        + ["--targets", str(files / "validation.jsonl"), "--goal", str(files / "goal.jsonl")]
        + ["--model", str(files / "model"), "--embedder", str(files / "model")]
        + ["--settings", json.dumps({**SETTINGS, **changes}), "--operations-out", str(out)]
    )
    return {row["what"]: int(row["flops"]) for row in read_csv(out)}


def by_torch(task: Callable[[], object]) -> int:
    def forward(query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
        return sdpa_flop_count(query, key, value)

    def backward(grad: Any, query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
        return sdpa_backward_flop_count(grad, query, key, value)

    name = "_scaled_dot_product_flash_attention_for_cpu"
    counts = {getattr(torch.ops.aten, name): forward, getattr(torch.ops.aten, f"{name}_backward"): backward}
    counter = FlopCounterMode(display=False, custom_mapping=counts)
    with counter:
        task()
    return counter.get_total_flops()


def test_all_targets_stand_in_one_file(files: Path) -> None:
    ids = [row["id"] for row in read_jsonl(files / "goal.jsonl")]
    assert ids == [*(f"reference {i}" for i in range(4)), *(f"validation {i}" for i in range(5))]


def test_each_method_counts_as_torch_counts_its_own_step(files: Path, tmp_path: Path) -> None:
    """Within a quarter: the steps pad some batches, run a beginning that all queries share once, and train adapters."""
    pool, goal, model = (str(files / name) for name in ("pool.jsonl", "goal.jsonl", "model"))
    usual = ["--pool", pool, "--model", model, *MODEL_FLAGS]
    block = ["--start", "0", "--stop", "100"]

    def out(name: str) -> str:
        return str(tmp_path / name)

    def baselines(**kept: Any) -> Callable[[], object]:
        asked = {"prompt": PROMPT, "selectit": None, "less": None, "ifd": False, "seed": 0, "batch_tokens": 512, **kept}
        return lambda: score_baselines.main(
            [
                *usual,
                "--validation",
                goal,
                "--settings",
                json.dumps(asked),
                "--scores-out",
                out("b"),
                "--run-out",
                out("c"),
            ]
        )

    steps: dict[str, Callable[[], object]] = {
        "golden_score": lambda: score_candidates.main(
            [*usual, "--anchors", goal, *block, "--settings", json.dumps(GOLDEN)]
            + ["--scores-out", out("s"), "--raw-out", out("r"), "--run-out", out("seconds.json")]
        ),
        "utility": lambda: score_utility.main(
            [*usual, "--reference", str(files / "reference.jsonl"), "--targets", str(files / "validation.jsonl")]
            + [*block, "--settings", json.dumps(UTILITY), "--block-out", out("u.npy"), "--summary-out", out("u")]
            + ["--run-out", out("v")]
        ),
        "ifd": lambda: score_difficulty.main(
            [*usual, "--settings", json.dumps({"prompt": PROMPT, "batch_tokens": 512}), "--difficulty-out", out("d")]
            + ["--run-out", out("difficulty.json")]
        ),
        "selectit": baselines(selectit=SELECTIT),
        "less": baselines(less=LESS),
        "embedding": lambda: embed_examples.main(
            ["--examples", pool, "--model", model, *MODEL_FLAGS, "--family", "causal", "--settings", json.dumps(EMBED)]
            + ["--embeddings-out", out("e"), "--run-out", out("f")]
        ),
    }
    steps["goal_embedding"] = lambda: embed_examples.main(
        ["--examples", pool, goal, "--model", model, *MODEL_FLAGS, "--family", "causal"]
        + ["--settings", json.dumps(EMBED), "--embeddings-out", out("g"), out("h"), "--run-out", out("i")]
    )
    counted = ours(files)
    for name, step in steps.items():
        assert counted[name] == pytest.approx(by_torch(step), rel=0.25), name
    assert counted["perplexity"] < counted["ifd"] < counted["selectit"] < counted["golden_score"]
    assert "seconds" in json.loads((tmp_path / "seconds.json").read_text(encoding="utf-8"))
    assert "seconds" in json.loads((tmp_path / "difficulty.json").read_text(encoding="utf-8"))


def test_a_training_run_is_steps_times_batch_or_epochs(files: Path) -> None:
    tuned = SETTINGS["finetune"]
    by_steps = ours(files)["finetune"]
    assert ours(files, finetune={**tuned, "max_steps": 10})["finetune"] == pytest.approx(2 * by_steps)
    by_epochs = ours(files, finetune={**tuned, "max_steps": None, "epochs": 2})["finetune"]
    assert by_epochs == pytest.approx(by_steps * 2 * 6 / (5 * 4), rel=1e-6)
    assert ours(files, finetune={**tuned, "method": "lora"})["finetune"] < by_steps
