"""Adding a dataset, a model, a method and a figure, as docs/architecture.md says, with the files of tests/extending."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common.files import read_csv
from scripts.common.metrics import metric_row, write_metrics
from tests.workspace import REPO_ROOT, Workspace, environment

EXTENDING = REPO_ROOT / "tests" / "extending"


def insert(path: Path, before: str, text: str) -> None:
    """Insert text before the only place where a file says `before`."""
    content = path.read_text(encoding="utf-8")
    assert content.count(before) == 1, f"{path.name}: {before}"
    path.write_text(content.replace(before, text + before), encoding="utf-8")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A checkout with all four additions."""
    workspace = Workspace(tmp_path_factory.mktemp("extending"), "scripts", "rules", "config", "report")
    folder = workspace.folder
    for name in ("my_datasets.yaml", "my_models.yaml", "my.yaml"):
        shutil.copy(EXTENDING / name, folder / name)
    rows = [{"instruction": f"say {n}", "output": " ".join(map(str, range(n)))} for n in range(1, 13)]
    (folder / "my_pool.json").write_text(json.dumps(rows), encoding="utf-8")

    selection = folder / "scripts" / "selection"
    insert(selection / "methods.py", '    "only_good": Way(', (EXTENDING / "way.txt").read_text(encoding="utf-8"))
    insert(selection / "ways.py", "def functions()", (EXTENDING / "method.txt").read_text(encoding="utf-8"))

    shutil.copy(EXTENDING / "plot_subset_values.py", folder / "scripts" / "nuggets")
    shutil.copy(EXTENDING / "nuggets_figure_subset_values.rst", folder / "report")
    entry = (EXTENDING / "artifact.txt").read_text(encoding="utf-8")
    insert(folder / "scripts" / "nuggets" / "artifacts.py", '    Artifact(\n        "figure_anchor_sizes",', entry)
    plan = folder / "scripts" / "nuggets" / "plan.py"
    insert(plan, '    "table_3": ("alpaca_eval",),\n}', '    "figure_subset_values": ("alpaca_eval",),\n')
    insert(plan, '}\n"""The artifacts that show the methods', '    "figure_subset_values": "table_baselines",\n')
    return workspace


def test_the_workflow_plans_all_four(workspace: Workspace) -> None:
    planned = workspace.run("report", configfiles=("my.yaml",), options=("--dry-run",))
    assert planned.returncode == 0, planned.stdout[-3000:] + planned.stderr[-3000:]
    text = planned.stdout + planned.stderr
    assert "results/mine/nuggets/subsets/my_pool/my_model/unscored/most_words" in text
    assert "rule nuggets_figure_subset_values:" in text
    assert "results/mine/figures/nuggets_figure_subset_values.png" in text.partition("rule report_render_report:")[2]


def test_the_dataset_and_the_method_give_the_subset(workspace: Workspace) -> None:
    subset = "results/mine/data/examples/my_pool/train.jsonl"
    done = workspace.run(subset, configfiles=("my.yaml",))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    done = step(
        workspace, "scripts.nuggets.select_subset", "--pool", subset, "--name", "most_words", "--seeds", "0",
        "--method", '{"by": "most_words"}', "--size-fraction", "0.25", "--subsets-out", "chosen",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    chosen = (workspace.folder / "chosen" / "seed_0.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["instruction"] for line in chosen] == ["say 10", "say 11", "say 12"]


def test_the_figure_draws_what_its_csv_says(workspace: Workspace) -> None:
    rows = [
        metric_row("nuggets", name, "all", "my_model", method, seed, "exact_match", 0.5 + seed / 10, 9)
        for method, name in (("top", "alpaca_eval/kmeans_40"), ("most_words", "alpaca_eval/unscored"))
        for seed in (0, 1)
    ]
    write_metrics(workspace.folder / "measured.csv", rows)
    outputs = [word for kind in ("pdf", "png", "csv") for word in (f"--{kind}-out", f"figure.{kind}")]
    settings = {"dataset": "my_pool", "model": "my_model", "anchors": "kmeans_40", "scored": ["top"]}
    shown = json.dumps({**settings, "show": {"methods": ["base", "top", "most_words"]}})
    given = ["--artifact", "figure_subset_values", "--measured", "measured.csv", "--settings", shown, "--tier", "mine"]
    given += ["--published", "config/published/nuggets.csv", *outputs]
    done = step(workspace, "scripts.nuggets.plot_subset_values", *given)
    assert done.returncode == 0, done.stderr
    drawn = read_csv(workspace.folder / "figure.csv")
    assert [(row["method"], row["mean"], row["n"]) for row in drawn] == [
        ("top", "0.55", "2"),
        ("most_words", "0.55", "2"),
    ]


def step(workspace: Workspace, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a step by hand in the workspace."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=workspace.folder, env=environment(), capture_output=True, text=True, check=False)
