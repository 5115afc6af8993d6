"""Every step's environment names each package that the step's code imports: conda gives it nothing else.

The code is the script and all it imports; a package counts wherever it is imported, even in a function that this step
never calls, except under TYPE_CHECKING.
"""

from __future__ import annotations

import ast
import functools
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from scripts.common.environments import canonical_name, read_environment, split_pin
from scripts.common.provenance import code_of
from tests.workspace import REPO_ROOT, all_rules, listed_artifacts

# Imported where there is one: the message without it says what to install.
OPTIONAL = {"bitsandbytes"}
STEPS = sorted(
    {
        (script.group(1), env.group(1))
        for text in all_rules().values()
        if (script := re.search(r'script="(scripts/[\w/]+\.py)"', text))
        and (env := re.search(r'"\.\./envs/(\w+)\.yaml"', text))
    }
    | {
        (f"scripts/{paper}/{artifact.step}.py", artifact.env)  # as rules/artifacts.smk has it
        for paper, own in listed_artifacts().items()
        for artifact in own
    }
)


installed = functools.cache(packages_distributions)


@functools.cache
def packages_of(path: str) -> frozenset[str]:
    """Return the packages from outside that one file imports."""
    tree = ast.parse((REPO_ROOT / path).read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    modules = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            modules |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module.partition(".")[0])
    outside = modules - sys.stdlib_module_names - {"scripts"}
    known = installed()
    return frozenset(canonical_name(known[name][0]) if name in known else name for name in outside)


@pytest.mark.parametrize(("script", "env"), STEPS)
def test_the_environment_names_what_the_step_imports(script: str, env: str) -> None:
    pins = {split_pin(pin)[0] for pin in read_environment(REPO_ROOT / "envs" / f"{env}.yaml").pins}
    used = {package for path in [script, *code_of(script, REPO_ROOT)] for package in packages_of(path)}
    assert used - pins - OPTIONAL == set(), f"add to envs/{env}.yaml"


def test_steps_of_every_environment_are_seen() -> None:
    assert {"data", "lm", "report", "preprocess"} <= {env for _, env in STEPS}
    assert Path(REPO_ROOT / STEPS[0][0]).is_file()
