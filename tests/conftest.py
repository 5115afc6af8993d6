"""What all tests share: offline, one thread, the repository's root and the shared material beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"  # read when torch and numpy start, here and in the steps that tests start

REPO_ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The root of the repository."""
    return REPO_ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real public data and models: THRIFT_SHARED, or `shared` beside the repository; skips without it."""
    given = os.environ.get("THRIFT_SHARED")
    folder = Path(given) if given else REPO_ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs the shared material: no folder {folder} (set THRIFT_SHARED to where it is)")
    return folder


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests marked `gpu` where torch sees no CUDA device."""
    if item.get_closest_marker("gpu") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device: torch sees none here")
