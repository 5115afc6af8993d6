"""The rules of the house that a reader relies on: floors, syntax, empty package files."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common.environments import canonical_name, read_environment, split_pin
from scripts.common.provenance import code_of, imports_of

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("scripts/**/*.py"))
STEPS = [path for path in SCRIPTS if not path.endswith("__init__.py")]
PAPERS = {"mend", "ddg", "step_by_step", "delift", "nuggets"}
# What each folder may import besides itself. `mini_world` (makes the shipped checkpoints), `bench` and `own` (the
# command thrift) are tops.
FLOORS = {
    "common": set(),
    "data": {"common"},
    "lm": {"common"},
    "judging": {"common", "lm"},
    "selection": {"common"},
    "report": {"common", "selection"},
    # It trains distillers, whose settings are MEND's, and T5s in Step-by-Step's stack.
    "mini_world": {"common", "data", "lm", "mend", "step_by_step"},
    "bench": {"common", "data", "lm", "selection", *PAPERS},
    "head_to_head": {"common", "data", "lm", "selection", "delift"},  # its plan asks DELIFT's
    "reference": {"common", "data", *PAPERS, "head_to_head", "mini_world"},  # the page of all settings
    "own": {"common", "data", "lm", "selection", "report", *PAPERS, "head_to_head"},
    **{paper: {"common", "data", "lm", "judging", "selection"} for paper in PAPERS},
}
# Modules whose package is called otherwise.
PACKAGES = {
    "PIL": "pillow",
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "lm_eval": "lm-eval",
    "markdown_it": "markdown-it-py",
}


def test_what_runs_beside_old_packages_is_written_for_their_python():
    """The preprocessing environment has Python 3.10; a step of it must not use the grammar of a later one."""
    step = "scripts/data/prepare_tasks.py"
    for script in (step, *code_of(step, ROOT)):
        ast.parse((ROOT / script).read_text(encoding="utf-8"), script, feature_version=(3, 10))
    with pytest.raises(SyntaxError):
        ast.parse("try:\n    pass\nexcept* ValueError:\n    pass", feature_version=(3, 10))


FOR_NOTEBOOKS = "scripts/own/__init__.py"


@pytest.mark.parametrize("script", [path for path in SCRIPTS if path.endswith("__init__.py")])
def test_package_files_are_empty(script):
    """But for that of the front door, which names the functions that a notebook calls."""
    if script != FOR_NOTEBOOKS:
        assert (ROOT / script).read_bytes() == b""
        return
    docstring, *rest = ast.parse((ROOT / script).read_text(encoding="utf-8")).body
    assert isinstance(docstring, ast.Expr)
    assert all(isinstance(node, (ast.ImportFrom, ast.Assign)) for node in rest)


def test_every_folder_of_scripts_is_a_package_on_a_known_floor():
    folders = {path.parent for path in ROOT.glob("scripts/**/*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []
    assert {folder.relative_to(ROOT / "scripts").parts[0] for folder in folders if folder != ROOT / "scripts"} <= set(
        FLOORS
    )


@pytest.mark.parametrize("script", STEPS)
def test_imports_never_go_up_or_sideways(script):
    floor = Path(script).parts[1]
    if floor.endswith(".py"):  # tools of the house in scripts/ itself
        allowed = {"common"}
    else:
        allowed = FLOORS[floor] | {floor}
    beyond = [path for path in imports_of(ROOT, script) if Path(path).parts[1] not in allowed]
    assert beyond == []


@pytest.mark.parametrize("script", [path for path in STEPS if path.endswith(("/plan.py", "/settings.py"))])
def test_plans_and_settings_need_neither_torch_nor_snakemake(script):
    """The rules import them at every start, and the tables and figures in an environment without either."""
    module = script.removesuffix(".py").replace("/", ".")
    heavy = ("torch", "transformers", "snakemake", "pandas")
    asked = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_no_top_level_name_hides_a_package():
    """Steps run from the root, which comes first on sys.path: a folder `datasets` there would hide the package."""
    pins = {split_pin(pin)[0] for path in ROOT.glob("envs/*.yaml") for pin in read_environment(path).pins}
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins |= {split_pin(line)[0] for line in lock if not line.startswith("#")}
    taken = (
        pins | {canonical_name(module) for module in PACKAGES} | {canonical_name(m) for m in sys.stdlib_module_names}
    )
    names = [path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path.is_dir() and path.name[0] != ".")]
    assert "scripts" in names
    assert [name for name in names if canonical_name(name) in taken] == []


def test_the_report_knows_of_the_selection_only_what_it_calls_its_ways():
    """It reads files: an edit of how something is chosen must not rerun it."""
    used = {path for script in STEPS if script.startswith("scripts/report/") for path in code_of(script, ROOT)}
    assert {path for path in used if path.startswith("scripts/selection/")} == {"scripts/selection/methods.py"}


@pytest.mark.parametrize(
    "script", [path for path in STEPS if Path(path).parts[1] in PAPERS | {"head_to_head", "report"}]
)
def test_what_draws_or_names_methods_knows_the_ways_of_choosing(script):
    """Else a way would get a colour and a title from its name, other ones than in the other figures."""
    tree = ast.parse((ROOT / script).read_text(encoding="utf-8"))
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "scripts.common.plotting"
        for alias in node.names
    }
    if names & {"method_style", "method_label", "line_style", "bar_style", "draw_line", "draw_points", "draw_bars"}:
        shows_no_choice = Path(script).parts[1] in ("mend", "step_by_step") or script == "scripts/ddg/plot_training.py"
        assert shows_no_choice or "scripts/selection/methods.py" in code_of(script, ROOT)


COMMANDS = "scripts/own/"
"""The command thrift, whose subcommands are others' commands."""


def test_no_step_imports_a_step():
    """What two steps share stands in a module of its own, else editing a flag of one reruns the other."""
    steps = {script for script in STEPS if "__main__" in (ROOT / script).read_text(encoding="utf-8")}
    assert len(steps) > 100
    found = {(script, module) for script in steps for module in imports_of(ROOT, script) if module in steps}
    assert {pair for pair in found if not pair[0].startswith(COMMANDS)} == set()


def test_imports_never_go_round():
    """Neither at the start, nor where a function runs, nor for annotations alone."""
    imported = {script: {*imports_of(ROOT, script)} - {FOR_NOTEBOOKS} for script in SCRIPTS}

    def behind(script, seen):
        for other in imported.get(script, ()):
            if other not in seen:
                seen.add(other)
                behind(other, seen)
        return seen

    assert [script for script in SCRIPTS if script in behind(script, set())] == []
