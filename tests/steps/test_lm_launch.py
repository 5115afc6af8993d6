"""Steps in several processes: their own line is the last in the log, and their failure that of the whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common.errors import UserError
from scripts.lm.launch import main

PROMPT = '{"with_input": "{instruction}{input}", "without_input": "{instruction}"}'
TRAIN = {
    "--subsets": "nowhere", "--seeds": "0", "--runs": "any/full", "--rules": "{}", "--model": "m", "--dtype": "float32",
    "--device": "cpu", "--threads": "1", "--prompt": PROMPT,
    "--checkpoints": "c", "--models-out": "o", "--history-out": "h", "--model-name": "m", "--measured-out": "x",
}  # fmt: skip
SETTINGS = {
    "method": "full", "epochs": 1, "max_steps": 1, "learning_rate": 0.1, "schedule": "constant", "warmup_ratio": 0,
    "weight_decay": 0, "max_grad_norm": 1, "batch_size": 1, "accumulation": 1, "devices": 2, "fsdp": "",
    "fsdp_wrap": "", "max_tokens": 9, "save_steps": 0, "lora": {},
}  # fmt: skip


def test_the_line_of_the_process_that_failed_is_the_last(repo_root: Path) -> None:
    flags = [word for pair in {**TRAIN, "--settings": json.dumps(SETTINGS)}.items() for word in pair]
    done = subprocess.run(
        [sys.executable, "-m", "scripts.lm.launch", "--processes", "2", "-m", "scripts.nuggets.train_model", *flags],
        cwd=repo_root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: nowhere/seed_0.jsonl: "), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [[], ["--processes", "two", "-m", "x"], ["--processes", "2", "scripts.x", "y"]])
def test_wrong_words(words: list[str]) -> None:
    with pytest.raises(UserError, match=r"usage: python -m scripts\.lm\.launch --processes N -m <step>"):
        main(words)
