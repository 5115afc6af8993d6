"""A folder to run the workflow in: links to the project's files, results of its own."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

from scripts.common.artifact_list import Artifact
from scripts.common.fields import Settings

REPO_ROOT = Path(__file__).resolve().parents[1]
LINKED = ("Snakefile", "rules", "scripts", "config", "envs", "profiles", "report", "resources", "docs")


def config_sections() -> dict[str, type[Settings]]:
    """Return what each key of the config may hold, beside what all papers share, as rules/common.smk collects it."""
    papers = sorted(path.stem for path in (REPO_ROOT / "config" / "papers").glob("*.yaml"))
    modules = [importlib.import_module(f"scripts.{folder}.settings") for folder in ("data", "mini_world", *papers)]
    return {key: kind for module in modules for key, kind in module.SECTIONS.items()}


class Workspace:
    """A working directory for Snakemake; `copied` names are copies that a test may edit, the rest are links."""

    def __init__(self, folder: Path, *copied: str) -> None:
        """Link or copy the project into `folder`; built environments are the checkout's, because they cost minutes."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in LINKED:
            if name in copied:
                subprocess.run(["cp", "-r", str(REPO_ROOT / name), str(folder / name)], check=True)
            else:
                (folder / name).symlink_to(REPO_ROOT / name)
        venvs = REPO_ROOT / ".venvs"
        venvs.mkdir(exist_ok=True)
        (folder / ".venvs").symlink_to(venvs)

    def command(self, *arguments: str, configfiles: tuple[str, ...] = (), cores: str = "2") -> list[str]:
        """Return the command line that runs Snakemake here, in the mini tier with `configfiles` on top."""
        tiers = ["config/tiers/mini.yaml", *configfiles]
        return [sys.executable, "-m", "snakemake", "--cores", cores, "--configfile", *tiers, "--", *arguments]

    def run(
        self, *arguments: str, configfiles: tuple[str, ...] = (), cores: str = "2", options: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run Snakemake to its end; `arguments` are targets, `options` go before them. Its output is kept."""
        command = self.command(*arguments, configfiles=configfiles, cores=cores)
        place = command.index("--configfile")
        return self.run_command([*command[:place], *options, *command[place:]])

    def run_command(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command here, as `run` does."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    def planned(self, *targets: str, configfiles: tuple[str, ...] = ()) -> set[str]:
        """Return the names of the rules that would run for `targets`."""
        done = self.run(*targets, configfiles=configfiles, options=("--dry-run", "--quiet", "rules"))
        assert done.returncode == 0, done.stdout + done.stderr
        return jobs_of(done.stdout + done.stderr)


def jobs_of(output: str) -> set[str]:
    """Return the rule names in Snakemake's table of jobs, the closing total left out."""
    names: set[str] = set()
    inside = False
    for line in output.splitlines():
        words = line.split()
        if words == ["job", "count"]:
            inside = True
        elif inside and len(words) == 2 and words[1].isdigit():
            names.add(words[0])
        elif inside and not line.startswith("-"):
            inside = False
    return names - {"total"}


def environment() -> dict[str, str]:
    """Return the environment of a run: offline, one thread where a step does not say otherwise."""
    return {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}


def rules_in(path: Path) -> dict[str, str]:
    """Return {rule name: text} of a rule file; rules made with `use rule` included."""
    parts = re.split(r"^(?:rule|use rule \w+ as) (\w+)(?: with)?:\n", path.read_text(encoding="utf-8"), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def all_rules() -> dict[str, str]:
    """Return {rule name: text} of all rule files."""
    return {name: text for path in sorted((REPO_ROOT / "rules").glob("*.smk")) for name, text in rules_in(path).items()}


def listed_artifacts() -> dict[str, tuple[Artifact, ...]]:
    """Return the tables and figures of every paper that lists its own."""
    papers = sorted(path.parent.name for path in (REPO_ROOT / "scripts").glob("*/artifacts.py"))
    found = {paper: importlib.import_module(f"scripts.{paper}.artifacts") for paper in papers if paper != "common"}
    return {paper: module.ARTIFACTS for paper, module in found.items()}


def rule_names() -> set[str]:
    """Return the names of all rules: written out in a rule file, or made from a paper's list of tables and figures."""
    return {*all_rules(), *artifact_rules(), *(f"{paper}_all" for paper in listed_artifacts())}


def artifact_rules() -> list[str]:
    """Return the names of the rules that write a table or a figure."""
    listed = [f"{paper}_{artifact.name}" for paper, own in listed_artifacts().items() for artifact in own]
    return sorted([*listed, *(name for name in all_rules() if re.search(r"_(table|figure)_", name))])
