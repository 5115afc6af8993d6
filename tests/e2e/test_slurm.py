"""A real Slurm of one node: the bytes of a local run, in spite of too little memory, a cancelled and a requeued job.

The tiny tier, not the mini one: each job starts Snakemake twice more, and on two cores the mini tier's jobs take more
than half an hour. `make test-all` runs the mini tier as well, whole.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Iterator, Sequence

import pytest

from tests.cluster import ask, make_python, one_node_slurm, wait_for
from tests.long import LONG
from tests.tiny import RESULTS, TINY, digests, make_workspace
from tests.workspace import REPO_ROOT, Workspace, environment

DATA = tuple(str(RESULTS / f"data/examples/mini_{name}/train.jsonl") for name in ("pool", "anchors"))
EMBEDDINGS = str(RESULTS / "nuggets/embeddings/mini_anchors/mini_causal.safetensors")
SORTED = str(RESULTS / "nuggets/scores/mini_pool/mini_causal/kmeans_5/sorted_pool.jsonl")
SCORING = "nuggets_score_candidates"
GIVE_UP_S = 600
# What a user writes into the profile where there are no accounts and no accounting database; and shorter waits.
EDITS = {
    "  slurm_account: \"'my_account'\"\n": "",
    "# slurm-status-command: squeue\n": "slurm-status-command: squeue\nslurm-init-seconds-before-status-checks: 9\n",
    "latency-wait: 60\n": "latency-wait: 60\nseconds-between-status-checks: 9\n",
}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that knows Slurm."""
    return make_python(tmp_path_factory.mktemp("python") / "venv", "slurm")


@pytest.fixture(scope="module")
def site(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A folder with the profile as a user of this Slurm would have it, and with data, while the Slurm runs."""
    with one_node_slurm(shared / "tools"):
        workspace = make_workspace(tmp_path_factory.mktemp("slurm"), "profiles")
        profile = workspace.folder / "profiles" / "slurm" / "config.yaml"
        text = profile.read_text(encoding="utf-8")
        for old, new in EDITS.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        profile.write_text(text, encoding="utf-8")
        # So that the tiny tier's jobs ask for one of the GPUs; none uses it.
        (workspace.folder / "gpu.yaml").write_text("compute: { gpus: 1, memory_mb: 3000 }\n", encoding="utf-8")
        done = workspace.run(*DATA, configfiles=TINY)  # in seconds, where Slurm would take a minute
        assert done.returncode == 0, done.stdout + done.stderr
        yield workspace


class Run:
    """Snakemake that sends its jobs to Slurm, as a context that leaves none behind."""

    def __init__(
        self,
        site: Workspace,
        python: Path,
        target: str,
        *options: str,
        settings: str = "{}",
        tier: Sequence[str] = TINY,
    ) -> None:
        (site.folder / "run.yaml").write_text(settings, encoding="utf-8")
        files = ["config/tiers/mini.yaml", *tier, "gpu.yaml", "run.yaml"]
        command = [str(python), "-m", "snakemake", "--workflow-profile", "profiles/slurm", *options]
        self.log = site.folder / f"run_{len(list(site.folder.glob('run_*')))}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, "--configfile", *files, "--", target],
                cwd=site.folder,
                env=environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *failure: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()  # Snakemake cancels its jobs
            self.process.wait()

    def end(self, give_up_s: float = GIVE_UP_S) -> int:
        """Wait for the end; return the exit status."""
        try:
            return self.process.wait(timeout=give_up_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not done after {give_up_s} s: {self.told()[-4000:]}") from None

    def told(self) -> str:
        """Return what Snakemake has printed so far."""
        return self.log.read_text(encoding="utf-8")

    def jobs(self, rule: str) -> list[dict[str, str]]:
        """Return state, id, memory and partition of the jobs that this run sent for a rule, in their order."""
        name = re.search(r"SLURM run ID: (\S+)", self.told())
        if name is None:
            return []
        columns = ("id", "state", "memory", "partition", "comment")
        listed = ask("squeue", "--noheader", "--states=all", "--array", f"--name={name[1]}", "--format=%i|%T|%m|%P|%k")
        rows = [dict(zip(columns, line.split("|"))) for line in sorted(listed.splitlines())]
        return [row for row in rows if row["comment"].startswith(f"rule_{rule}")]

    def running(self, rule: str) -> dict[str, str]:
        """Wait until Slurm runs a job of a rule, and return it."""

        def found() -> list[dict[str, str]]:
            assert self.process.poll() is None, self.told()[-4000:]
            return [job for job in self.jobs(rule) if job["state"] == "RUNNING"]

        wait_for(f"a running job of {rule}", found, give_up_s=GIVE_UP_S)
        return found()[0]


def test_a_job_killed_for_memory_is_sent_again_with_more(site: Workspace, python: Path) -> None:
    with Run(site, python, EMBEDDINGS, settings="compute: { memory_mb: 350 }") as run:
        assert run.end() == 0, run.told()[-4000:]
        sent = [(job["state"], job["memory"]) for job in run.jobs("nuggets_embed_prompts")]
    assert sent[0] == ("FAILED", "350M"), sent
    assert sent[-1] == ("COMPLETED", f"{350 * len(sent)}M"), sent


def test_cancelled_and_requeued_jobs_leave_the_same_bytes(
    site: Workspace, python: Path, undisturbed: dict[str, str]
) -> None:
    with Run(site, python, SORTED, "--retries", "0") as run:
        shard = run.running(SCORING)
        assert shard["partition"] == "gpu"
        assert "GRES=gpu:1(IDX:" in ask("scontrol", "show", "job", "--detail", shard["id"])
        assert [job["partition"] for job in run.jobs("nuggets_select_anchors")] == ["main"], "no GPU, no GPU partition"
        ask("scancel", shard["id"])
        assert run.end() == 1
        assert "CANCELLED" in run.told()

    with Run(site, python, SORTED) as run:
        shard = run.running(SCORING)
        ask("scontrol", "requeue", shard["id"])
        # Slurm would wait two minutes; before the job is back in the queue it could not be told not to.
        wait_for("the requeued job", lambda: "Reason=BeginTime" in ask("scontrol", "show", "job", shard["id"]))
        ask("scontrol", "update", f"JobId={shard['id']}", "StartTime=now")
        assert run.end() == 0, run.told()[-4000:]
        assert "Restarts=1" in ask("scontrol", "show", "job", shard["id"])

    found = digests(site.folder / RESULTS)
    assert found == {name: undisturbed[name] for name in found}
    assert {str(Path(*Path(name).parts[:2])) for name in found} >= {
        "nuggets/anchors",
        "nuggets/embeddings",
        "nuggets/scores",
    }


def test_the_command_for_ones_own_data_sends_its_jobs_too(site: Workspace, python: Path, tmp_path: Path) -> None:
    pool = [{"instruction": f"say the number {n}", "output": "number " * (1 + n % 5)} for n in range(12)]
    (tmp_path / "pool.json").write_text(json.dumps(pool), encoding="utf-8")
    command = [
        str(python),
        "-m",
        "scripts.own.cli",
        "choose",
        str(tmp_path / "pool.json"),
        "--out",
        str(tmp_path / "out"),
    ]
    flags = ["--by", "random,length", "--keep", "3", "--model", str(REPO_ROOT / "resources/mini/causal")]
    done = subprocess.run(
        [*command, *flags, "--profile", str(site.folder / "profiles/slurm")],
        cwd=REPO_ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=GIVE_UP_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    sent = (tmp_path / "out/run/last_run.log").read_text(encoding="utf-8")
    assert "submitted with SLURM jobid" in sent
    assert {len(json.loads(path.read_text())) for path in (tmp_path / "out/chosen").glob("*.json")} == {3}


@LONG
def test_the_mini_tier_leaves_the_bytes_of_a_local_run(site: Workspace, python: Path, results: Path) -> None:
    with Run(site, python, "all", tier=()) as run:
        assert run.end(2 * 3600) == 0, run.told()[-4000:]
    found, expected = digests(site.folder / "results/mini"), digests(results)
    assert found.keys() == expected.keys()
    different = {name for name in found if found[name] != expected[name]}
    # the GPUs that were asked for, measured seconds, and a sheet of all figures, those of seconds among them
    seconds = ("head_to_head_figure_time", "head_to_head_table_time_demonstrations")
    assert {name for name in different if Path(name).stem not in seconds} <= {"config.json", "contact_sheet.png"}
