"""All papers made very small: the same bytes on one core and on two, after twenty kills, after a damaged shard."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.long import LONG
from tests.tiny import RESULTS, TINY, digests, make_workspace
from tests.workspace import Workspace, environment

logger = logging.getLogger(__name__)

# The steps that are killed, by paper and by what they do, each with what it leaves for the next run to go on from: the
# kill comes soon after that has appeared. Steps that leave nothing are killed at a random point of their computing.
STATE = "checkpoints/**/state.safetensors"
CHUNK = "**/chunk_*.safetensors"
KILLED: dict[str, list[tuple[str, str, str | None]]] = {
    "mend": [
        ("train", "pretrain_distiller", STATE),
        ("train", "train_distiller", STATE),
        ("train", "tune_model", STATE),
        ("score", "evaluate_methods", None),
        ("plot", "figure_4", None),
    ],
    "ddg": [
        ("train", "train_generator", STATE),
        ("train", "match_gradients", STATE),
        ("generate", "generate_sets", None),
        ("select", "select_coresets", None),
    ],
    "step_by_step": [("train", "train_models", STATE), ("plot", "figure_4", None)],
    "delift": [
        ("train", "evaluate_subsets", "checkpoints/*/*.jsonl.sha256"),
        ("score", "score_utility", CHUNK),
        ("score", "score_baselines", None),
        ("select", "select_subset", None),
    ],
    "nuggets": [
        ("score", "score_candidates", CHUNK),
        ("train", "train_model", "checkpoints/**/checkpoint-*/SHA256SUMS"),
        ("generate", "generate_answers", None),
        ("select", "select_subset", None),
        ("plot", "figure_scores", None),
    ],
}
ALWAYS = ("nuggets",)
"""Papers whose steps are killed in every run of the tests: NUGGETS has every kind of step that is killed."""
GOES_ON = re.compile("resum|going on|finished earlier")  # what a step's log says when it does not start anew
SEED = 9
LEAD_S = 0.2  # longest time between what a step leaves behind and its kill
SHORT_S = 0.3  # of computing in a job that was too short for Snakemake to measure
GIVE_UP_S = 1200


@dataclasses.dataclass(frozen=True)
class Kill:
    """Kill the job of this log: soon after a file that matches `sign` was written, or at a share of its computing."""

    kind: str
    log: Path
    sign: str | None
    wait_s: float  # after the sign
    cpu_s: float  # of the job, where there is no sign

    def is_due(self, results: Path, begin: float, cpu_s: float) -> bool:
        """Return whether the job has begun since `begin` and has come far enough; cpu_s: what it has computed."""
        if _changed(results / self.log) < begin:
            return False
        far = any(_changed(path) >= begin for path in results.glob(self.sign)) if self.sign else cpu_s >= self.cpu_s
        return far or self.is_too_late(results)

    def is_too_late(self, results: Path) -> bool:
        """Return whether the job is done: then Snakemake has written its benchmark."""
        return (results / "benchmarks" / self.log.relative_to("logs").with_suffix(".tsv")).exists()


def cpu_seconds(workspace: Workspace, step: str) -> dict[Path, float]:
    """Return {log: seconds of computing} of the jobs of a step, as Snakemake measured them in an undisturbed run."""
    benchmarks = workspace.folder / RESULTS / "benchmarks"
    found = sorted([*benchmarks.glob(f"{step}.tsv"), *(benchmarks / step).rglob("*.tsv")])
    logs = {path: "logs" / path.relative_to(benchmarks).with_suffix(".log") for path in found}
    return {log: float(path.read_text().split()[-1]) or SHORT_S for path, log in logs.items()}


def choose_kills(workspace: Workspace, paper: str) -> list[Kill]:
    """Return a kill for one job of each of a paper's steps in KILLED, random but for the seed."""
    rng = random.Random(SEED)
    kills = []
    for kind, step, sign in KILLED[paper]:
        log, cpu_s = rng.choice(list(cpu_seconds(workspace, f"{paper}/{step}").items()))
        wait_s, share = rng.uniform(0, LEAD_S), rng.uniform(0.2, 0.8)
        kills.append(Kill(kind, log, f"{paper}/{sign}" if sign else None, wait_s, share * cpu_s))
    return kills


def run_until_killed(workspace: Workspace, target: str, kills: list[Kill]) -> Kill:
    """Start a run on one core; kill it and all its children in the first of these jobs that is due; return which."""
    begin, results = time.time(), workspace.folder / RESULTS
    run = psutil.Popen(
        workspace.command(target, configfiles=TINY, cores="1"),
        cwd=workspace.folder,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    kill = None
    while kill is None:
        assert run.poll() is None, f"the run ended before one of {kills} was due"
        assert time.time() < begin + GIVE_UP_S, f"none of {kills} was due"
        time.sleep(0.01)
        cpu_s = _cpu_of_children(run)
        kill = next((one for one in kills if one.is_due(results, begin, cpu_s)), None)
    if kill.sign:
        time.sleep(kill.wait_s)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return kill


def _cpu_of_children(process: psutil.Popen) -> float:
    """Return the seconds that a process' children have computed: on one core that is one job."""
    total = 0.0
    with contextlib.suppress(psutil.Error):
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                times = child.cpu_times()
                total += times.user + times.system
    return total


def _changed(path: Path) -> float:
    try:
        return path.stat().st_ctime
    except FileNotFoundError:
        return 0.0


def survivors(workspace: Workspace) -> list[psutil.Process]:
    """Return the processes that still work in a workspace, once those that are about to end have ended."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(workspace.folder):
                found.append(process)
    return psutil.wait_procs(found, timeout=30)[1]


@pytest.mark.parametrize("paper", [pytest.param(paper, marks=() if paper in ALWAYS else LONG) for paper in KILLED])
def test_killed_again_and_again_and_run_on_one_core(
    undisturbed_run: Workspace, undisturbed: dict[str, str], tmp_path: Path, paper: str
) -> None:
    workspace, target = make_workspace(tmp_path / "a folder with späces"), f"{paper}_all"
    results = workspace.folder / RESULTS
    kills, hit = choose_kills(undisturbed_run, paper), []
    while kills:
        kill = run_until_killed(workspace, target, kills)
        kills.remove(kill)
        assert survivors(workspace) == []
        if not kill.is_too_late(results):
            hit.append(kill)
        logger.info("killed: %s%s", kill, "" if kill in hit else ", too late")
    assert len(hit) > len(KILLED[paper]) / 2, hit
    done = workspace.run(target, configfiles=TINY, cores="1")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    found = digests(workspace.folder / RESULTS)
    assert found == {name: undisturbed.get(name) for name in found}
    assert found.keys() >= {
        name for name in undisturbed if name.startswith((f"{paper}/", f"tables/{paper}_", f"figures/{paper}_"))
    }
    assert workspace.planned(target, configfiles=TINY) == set()
    anew = [kill.log for kill in hit if kill.sign and not GOES_ON.search((results / kill.log).read_text("utf-8"))]
    assert anew == []


def test_a_shard_damaged_between_two_runs(undisturbed_run: Workspace, undisturbed: dict[str, str]) -> None:
    """Left in its place with a flipped byte, a finished shard is refused; removed, it is made again as it was."""
    scores = RESULTS / "nuggets/scores/mini_pool/mini_causal/kmeans_5"
    shard, merged = undisturbed_run.folder / scores / "shard_0.raw.safetensors", str(scores / "scores.csv")
    content = bytearray(shard.read_bytes())
    content[-100] ^= 1
    shard.write_bytes(content)
    done = undisturbed_run.run(merged, configfiles=TINY)
    told = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"{shard.name}: damaged, tensor 'one_shot' does not have its checksum; delete it" in told, told[-3000:]
    shard.unlink()
    done = undisturbed_run.run(merged, configfiles=TINY)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert digests(undisturbed_run.folder / RESULTS) == undisturbed
