"""What the pages for readers name is there: rules, targets, settings, files, steps and the flags of distillm."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from scripts.common.step_parser import shipped_config
from scripts.step_by_step import distillm
from tests.workspace import REPO_ROOT, rule_names

PAGES = [REPO_ROOT / "README.md", REPO_ROOT / "CONTRIBUTING.md", *sorted((REPO_ROOT / "docs").glob("**/*.md"))]
PAPERS = sorted(path.stem for path in (REPO_ROOT / "config" / "papers").glob("*.yaml"))
NAMES = [page.name for page in PAGES]
OF_A_PAPER = "|".join(PAPERS)


def in_backticks(page: Path) -> list[str]:
    """Return what stands between single backticks in running text."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.findall(r"`([^`\n]+)`", text)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_rules_and_targets_exist(page):
    codes = in_backticks(page)
    artifacts = [code for code in codes if re.fullmatch(rf"({OF_A_PAPER})_(table|figure)_\w+", code)]
    commands = [code for code in codes if code.startswith("snakemake ")]
    asked = [word for code in commands for word in re.findall(rf"\b(?:{OF_A_PAPER})_\w+", code)]
    after_rule = re.findall(r"\brules? `(\w+)`", page.read_text(encoding="utf-8"))
    rules = rule_names()
    assert [name for name in {*artifacts, *asked, *after_rule} if name not in rules] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_settings_exist(page):
    known = shipped_config()
    for code in in_backticks(page):
        if re.fullmatch(rf"({OF_A_PAPER}|data|compute|overview|tolerances|registries)(\.[a-z0-9_]+)+", code):
            place: Any = known
            for key in code.split("."):
                assert key in place, f"{page.name}: {code}"
                place = place[key]


def commands_of(page: Path) -> list[str]:
    """Return the calls of snakemake on a page or in a profile's comments, each without its comment."""
    lines = [*in_backticks(page), *page.read_text(encoding="utf-8").split("\n")]
    return [call.partition("  #")[0].strip("# ") for call in lines if re.match(r"#? *snakemake ", call)]


@pytest.mark.parametrize("page", [*PAGES, *sorted((REPO_ROOT / "profiles").glob("*/config.yaml"))], ids=str)
def test_targets_are_not_taken_for_config_files(page):
    """`--configfile` takes all words after it, so a target behind it needs `--` between."""
    for command in commands_of(page):
        words = command.split()
        for place, word in enumerate(words):
            files = itertools.takewhile(lambda word: not word.startswith("-"), words[place + 1 :])
            assert word != "--configfile" or all(name.endswith(".yaml") for name in files), command


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_files_and_steps_exist(page):
    for code in in_backticks(page):
        if re.fullmatch(r"(scripts|config|tests|rules|resources|envs|profiles|report)/[\w./-]+", code):
            assert (REPO_ROOT / code).exists(), f"{page.name}: {code}"
        for module in re.findall(r"python -m (scripts(?:\.\w+)+)", code):
            assert (REPO_ROOT / (module.replace(".", "/") + ".py")).is_file(), f"{page.name}: {module}"


def test_every_flag_of_distillm_is_on_its_page():
    text = (REPO_ROOT / "docs" / "step_by_step.md").read_text(encoding="utf-8")
    source = Path(distillm.__file__).read_text(encoding="utf-8")
    flags = set(re.findall(r'"(--[a-z][a-z_-]+)"', source))
    assert len(flags) > 15
    assert sorted(flag for flag in flags if flag not in text) == []
