"""A run folder: the workflow's own files by links, the rows and the YAML of one's own, and Snakemake run in it.

It is a place to run in, nothing else: what is said here could be typed. A second call goes on where the first stopped.
"""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Collection, Mapping, Sequence

import yaml

from scripts.common.durations import in_words
from scripts.common.errors import UserError
from scripts.common.files import read_text, to_json, write_text
from scripts.common.yaml_files import read_yaml
from scripts.own.faults import in_flags

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("Snakefile", "rules", "scripts", "envs", "profiles", "report", "resources", "docs", ".venvs")
DOWNLOADS = "results/downloads"
SETTINGS = "own.yaml"
ALWAYS = ("mend",)
"""Papers whose settings the shared rules read whatever is asked (rules/models.smk: the shipped distillers)."""
SAID = {
    "prepare_examples": "reading the rows",
    "prepare_part": "reading the rows",
    "join_targets": "reading the rows",
    "select_anchors": "taking the goal",
    "embed_prompts": "comparing texts by the model's vectors",
    "embed_examples": "comparing texts by vectors",
    "collect_similarity": "comparing texts by vectors",
    "score_candidates": "NUGGETS: asking the model behind each row",
    "collect_scores": "NUGGETS: ranking the rows",
    "score_difficulty": "asking how hard each row is (perplexity, IFD)",
    "score_utility": "DELIFT: asking the model behind each row",
    "collect_utility": "DELIFT: putting the utilities together",
    "score_baselines": "SelectIT, LESS: asking the model about each row",
    "select_subset": "choosing",
    "select_scored": "choosing",
    "evaluate_subsets": "training on a choice and answering the test rows",
    "score_answers": "measuring the answers",
    "count_selection": "counting what choosing costs",
    "collect_times": "counting what choosing costs",
    "train_generator": "teaching the writer",
    "match_gradients": "matching gradients",
    "generate_sets": "writing texts and selecting among them",
    "models_download": "fetching a model",
}
"""Last part of a rule's name -> what its job does."""
_STARTED = re.compile(r"(?:local)?rule (\w+):")
_LOG = re.compile(r"    log: ([^,]+)")
_STEPS = re.compile(r"(\d+) of (\d+) steps \(\d+%\) done")
_LEFT = re.compile(r"\d+ of \d+ .*; about .+ left")


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Where a run lives. models: {name or folder of a model: the flag that named it}."""

    path: Path
    models: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def prepare(
        self,
        settings: Mapping[str, Any],
        rows: Mapping[str, Sequence[Mapping[str, Any]]],
        models: Mapping[str, Any],
        kind: Mapping[str, Any] | None = None,
    ) -> None:
        """Write links, rows ({data set: canonical rows}), registries and settings.

        kind: keys of the data sets' rows in the registry beside reader, origin and file; by default their schema.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        for name in LINKED:
            self._link(name, ROOT / name)
        self._link_config({*settings["papers"], *ALWAYS})
        (self.path / "results").mkdir(exist_ok=True)
        (ROOT / DOWNLOADS).mkdir(parents=True, exist_ok=True)
        self._link(DOWNLOADS, ROOT / DOWNLOADS)
        datasets = {}
        for name, members in rows.items():
            _write_if_changed(self.path / f"{name}.jsonl", "".join(to_json(row) + "\n" for row in members))
            split = {"file": f"{name}.jsonl"}
            kind = kind or {"schema": "instruction"}
            datasets[name] = {**kind, "reader": "json", "origin": "local", "splits": {"train": split}}
        for file, content in ((SETTINGS, settings), ("own_datasets.yaml", datasets), ("own_models.yaml", models)):
            _write_if_changed(self.path / file, _yaml(content))

    def _link_config(self, papers: Collection[str]) -> None:
        """Link the config of these papers only: the workflow then has no other rules, and starts the sooner."""
        for folder in ("config", "config/papers"):
            if (self.path / folder).is_symlink():  # what is written below it would be written into its target
                raise UserError(f"--out: {self.path / folder} is a link; choose another folder")
            (self.path / folder).mkdir(exist_ok=True)
            for link in (self.path / folder).iterdir():
                if link.is_symlink() and folder.endswith("papers") and link.name.partition(".")[0] not in papers:
                    link.unlink()
        for source in sorted((ROOT / "config").rglob("*")):
            name = source.relative_to(ROOT).as_posix()
            if source.is_dir() or (source.parent.name == "papers" and source.name.partition(".")[0] not in papers):
                continue
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            if name != "config/config.yaml":
                self._link(name, source)
        shared = read_yaml(ROOT / "config" / "config.yaml")
        shared["overview"] = {}  # of the papers' report
        _write_if_changed(self.path / "config" / "config.yaml", _yaml(shared))

    def _link(self, name: str, target: Path) -> None:
        link = self.path / name
        if link.is_symlink() and link.readlink() == target:
            return
        if link.is_symlink():
            link.unlink()
        elif link.exists():
            raise UserError(f"--out: {link} is in the way; choose another folder")
        if name == ".venvs":
            target.mkdir(exist_ok=True)
        link.symlink_to(target)

    def snakemake(self, targets: Sequence[str], cores: int, profile: Path | None, *options: str) -> list[str]:
        """Return the command line of the workflow for some targets."""
        where = ["--workflow-profile", str(profile.resolve())] if profile else ["--rerun-incomplete"]
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *where]
        return [*command, *options, "--configfile", SETTINGS, "--", *targets]

    def dry_run(self, targets: Sequence[str], cores: int, profile: Path | None) -> str:
        """Return what the workflow's dry run prints, commands included. Raises `UserError` with its last line."""
        command = self.snakemake(targets, cores, profile, "--dry-run", "--printshellcmds")
        done = subprocess.run(command, cwd=self.path, env=_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            write_text(self.path / "last_run.log", done.stdout + done.stderr)
            raise self._failure(done.stdout + done.stderr)
        return done.stdout + done.stderr

    def run(self, targets: Sequence[str], cores: int, profile: Path | None) -> None:
        """Run the workflow and say how far it is. Raises `UserError` with what went wrong; Ctrl-C stops it."""
        command = self.snakemake(targets, cores, profile)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill stops it as Ctrl-C does
        process = subprocess.Popen(
            command,
            cwd=self.path,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        watch = _Watch(self.path)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                watch.read(line.rstrip("\n"))
            status = process.wait()
        except KeyboardInterrupt:
            say("stopping ...")
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
            raise UserError("stopped; what is finished stays: the same command goes on") from None
        finally:
            watch.close()
        write_text(self.path / "last_run.log", "\n".join(watch.lines) + "\n")
        if status:
            raise self._failure("\n".join(watch.lines))

    def _failure(self, output: str) -> UserError:
        lines = [line.strip() for line in output.splitlines()]
        told = [line for line in lines if line.startswith("error: ")]
        faults = [line.removeprefix("config: ") for line in lines if line.startswith("config: ")]
        if told:
            fault = told[-1].removeprefix("error: ")
            return UserError(in_flags(fault, self.models) or fault)
        if any("LockException" in line or "cannot be locked" in line for line in lines):
            return UserError(f"--out: another run works in {self.path}; wait for it, or choose another folder")
        for fault in faults:
            if flagged := in_flags(fault, self.models):
                return UserError(flagged)
        reason = (faults or [line for line in lines if line][-1:] or ["no word"])[0]
        return UserError(f"the workflow stopped: {reason}; all it said is in {shown(self.path)}/last_run.log")


class _Watch:
    """Reads what the workflow says, and tells it in the user's words: a line a step, the time left of a long one."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lines = folder, list[str]()
        self._begin, self._job, self._log, self._told = time.monotonic(), "", "", time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def read(self, line: str) -> None:
        """Take one line of the workflow's."""
        self.lines.append(line)
        started, log, steps = _STARTED.fullmatch(line), _LOG.match(line), _STEPS.fullmatch(line)
        if started:
            self._job, self._log = in_words_of_ours(started[1]), ""
        elif log:
            self._log = log[1]
            say(f"  {self._job} ...")
        elif steps:
            done, total = int(steps[1]), int(steps[2])
            spent = time.monotonic() - self._begin
            left = f", about {in_words(spent / done * (total - done))} left" if done < total else ""
            say(f"  step {done} of {total} done{left}")
            self._told = time.monotonic()

    def _follow(self) -> None:
        """Every half minute tell how far the job at work says it is."""
        while not self._done.wait(5):
            if time.monotonic() - self._told < 30 or not self._log:
                continue
            self._told = time.monotonic()
            try:
                found = _LEFT.findall(read_text(self.folder / self._log))
            except (UserError, OSError):  # not written yet
                continue
            say(f"  {self._job}: {found[-1] if found else 'at work'}")

    def close(self) -> None:
        """Stop following."""
        self._done.set()
        self._thread.join()


def in_words_of_ours(rule: str) -> str:
    """Return what the job of a rule does, for somebody who does not know the rules."""
    return next((said for name, said in SAID.items() if rule.endswith(name)), rule.replace("_", " "))


def shown(path: Path) -> str:
    """Return a path as it is told: from where the user stands, if it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def say(line: str) -> None:
    """Tell the user something, at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _environment() -> dict[str, str]:
    return {**os.environ, "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}


def _yaml(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)


def _write_if_changed(path: Path, text: str) -> None:
    """Write a text unless the file holds it already: its time is what Snakemake goes by."""
    if not path.is_file() or read_text(path) != text:
        write_text(path, text)
