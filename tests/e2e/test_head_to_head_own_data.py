"""The settings for one's own pool in docs/head_to_head.md, run as they stand there, on a small model and a few rows."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.common.files import read_csv
from tests.e2e.test_own_data import block
from tests.workspace import Workspace

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
SMALLER = """
head_to_head:
  selection: {percents: [30], seeds: [0, 1], units_per_job: 20}
  demonstrations: {not_run: not asked for here}
"""


def rows(n: int, start: int) -> list[dict[str, str]]:
    """Return n questions of two families, every third answer wrong."""
    found = []
    for number in range(start, start + n):
        given = " ".join(WORDS[(number * step) % len(WORDS)] for step in (1, 3, 7))
        right = given if number % 2 else given.split()[0]
        task = "copy the words" if number % 2 else "give the first word"
        found.append({"instruction": task, "input": given, "output": "ten ten" if number % 3 == 0 else right})
    return found


def test_ones_own_pool(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    pool, targets = rows(20, 0), rows(20, 100)
    for name, given in (("my_pool", pool), ("my_targets", targets)):
        (tmp_path / f"{name}.json").write_text(json.dumps(given), encoding="utf-8")
    registry = "{schema: instruction, reader: alpaca_json, origin: local, splits: {train: {file: %s.json}}}\n"
    text = "".join(f"{name}: {registry % name}" for name in ("my_pool", "my_targets"))
    (tmp_path / "my_datasets.yaml").write_text(text, encoding="utf-8")
    mine = block("# my_head_to_head.yaml").replace("pool: 1200, reference: 50", "pool: 20, reference: 10")
    (tmp_path / "my_head_to_head.yaml").write_text(mine, encoding="utf-8")
    (tmp_path / "smaller.yaml").write_text(SMALLER, encoding="utf-8")
    done = workspace.run("head_to_head_all", configfiles=("my_head_to_head.yaml", "smaller.yaml"))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    tables = tmp_path / "results" / "my_head_to_head" / "tables"
    table = {row["method"]: row for row in read_csv(tables / "head_to_head_table_selection.csv")}
    assert list(table) == ["base model", "random", "LESS", "NUGGETS", "DELIFT", "full data"]
    assert all(int(table[name]["exact_match_30_n"]) == 2 for name in ("random", "LESS", "NUGGETS", "DELIFT"))
    assert float(table["NUGGETS"]["gflops"]) > float(table["LESS"]["gflops"]) > float(table["random"]["gflops"]) == 0
    left_out = read_csv(tables / "head_to_head_table_demonstrations.csv")
    assert all("not asked for here" in row["note"].lower() for row in left_out)
