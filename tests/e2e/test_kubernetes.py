"""A second engine by configuration alone: Kubernetes as a dry run, and files in S3 for real, on this machine."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from tests.cluster import SERVER, make_python, put, s3_server
from tests.standin_conda import install
from tests.tiny import RESULTS, TINY, make_workspace
from tests.workspace import REPO_ROOT, Workspace, environment, jobs_of

BUCKET = "my-bucket"
STORED = ("scripts", "config", "resources")  # of the checkout, what the tiny tier's jobs read
EXAMPLES = str(RESULTS / "data/examples/mini_pool/train.jsonl")

KEY = {"SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "anybody", "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "anything"}
READ = """
import boto3, os, sys
name, secret = (os.environ[f"SNAKEMAKE_STORAGE_S3_{kind}_KEY"] for kind in ("ACCESS", "SECRET"))
client = boto3.client("s3", endpoint_url=sys.argv[1], aws_access_key_id=name, aws_secret_access_key=secret)
sys.stdout.buffer.write(client.get_object(Bucket=sys.argv[2], Key=sys.argv[3])["Body"].read())
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that knows Kubernetes and S3."""
    return make_python(tmp_path_factory.mktemp("python") / "venv", "kubernetes", *SERVER)


@pytest.fixture(scope="module")
def folder(python: Path) -> Iterator[str]:
    """The address of the profile's folder in S3, with the checkout in it."""
    with s3_server(python, BUCKET) as address:
        for path in sorted(path for name in STORED for path in (REPO_ROOT / name).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                put(f"{address}/{BUCKET}/thrift/{path.relative_to(REPO_ROOT)}", path.read_bytes())
        yield f"{address}/{BUCKET}/thrift"


def run(
    workspace: Workspace, python: Path, folder: str, target: str, *options: str, path: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake with the S3 profile; path: a folder of further programs."""
    address = folder.removesuffix(f"/{BUCKET}/thrift")
    command = [str(python), "-m", "snakemake", "--cores", "2", "--profile", "profiles/s3", *options]
    done = subprocess.run(
        [*command, "--storage-s3-endpoint-url", address, "--configfile", "config/tiers/mini.yaml", *TINY, "--", target],
        cwd=workspace.folder,
        env={
            **environment(),
            **KEY,
            "PATH": os.pathsep.join([path, os.environ["PATH"]]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done


def test_kubernetes_plans_what_this_machine_would_run(python: Path, folder: str, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "work")
    planned = workspace.planned("nuggets_all", configfiles=TINY)
    conda = str(install(tmp_path / "conda"))
    options = ("--workflow-profile", "profiles/kubernetes", "--dry-run")
    done = run(workspace, python, folder, "nuggets_all", *options, path=conda)
    told = done.stdout + done.stderr
    assert jobs_of(told) == planned
    assert all(
        "disk_mb=50000" in line and "gpu_manufacturer=nvidia" in line for line in re.findall("resources: .*", told)
    )


def test_files_in_s3_have_the_same_bytes(python: Path, folder: str, tmp_path: Path) -> None:
    here, there = make_workspace(tmp_path / "here"), make_workspace(tmp_path / "there")
    done = here.run(EXAMPLES, configfiles=TINY)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    run(there, python, folder, EXAMPLES)
    address = folder.removesuffix(f"/{BUCKET}/thrift")
    stored = subprocess.run(
        [python, "-c", READ, address, BUCKET, f"thrift/{EXAMPLES}"],
        env={**os.environ, **KEY},
        capture_output=True,
        check=True,
    )
    assert stored.stdout == (here.folder / EXAMPLES).read_bytes()
    assert not (there.folder / EXAMPLES).exists()
