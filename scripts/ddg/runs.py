"""Training runs of one seed after another, resumable from a running state and from finished generators."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import torch
from torch import Tensor

from scripts.common.checksums import seal
from scripts.common.fields import Settings
from scripts.common.files import PathLike, read_json, write_json
from scripts.ddg.generator import FACTS, Generator
from scripts.lm.checkpoints import WHOLE, atomic_folder, checkpoint_folder, save_model, usable

logger = logging.getLogger(__name__)


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors under names that begin with `prefix` and a slash."""
    return {f"{prefix}/{name}": value for name, value in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors that `prefixed` put under `prefix`."""
    return {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(f"{prefix}/")}


def run_seeds(
    seeds: Sequence[int],
    settings: Settings,
    checkpoints: PathLike,
    key: Callable[[int], Mapping[str, Any]],
    work: Callable[[int, Path], tuple[Generator, dict[str, Any]]],
    generators_out: PathLike,
    history_out: PathLike,
) -> None:
    """Train a generator for each seed and write them as `seed_{n}/`, with one history file.

    key: what else the result of a seed depends on; work: trains one seed, with a folder for its
    running state, and returns the generator and its history. A seed that was finished by a killed job is not trained
    again.
    """
    folders = {}
    for seed in seeds:
        folder = checkpoint_folder(checkpoints, settings.given(), {**key(seed), "seed": seed})
        folders[seed] = folder
        if usable(folder / WHOLE):
            logger.info("seed %d: finished earlier", seed)
            continue
        generator, history = work(seed, folder)
        save_generator(generator, folder / WHOLE / "model")
        write_json(folder / WHOLE / "history.json", {"seed": seed, **history})
        seal(folder / WHOLE)
    with atomic_folder(generators_out) as temporary:
        for seed, folder in folders.items():
            shutil.copytree(folder / WHOLE / "model", temporary / f"seed_{seed}")
    write_json(history_out, {"seeds": [read_json(folder / WHOLE / "history.json") for folder in folders.values()]})
    for folder in folders.values():
        shutil.rmtree(folder, ignore_errors=True)


def save_generator(generator: Generator, folder: PathLike) -> None:
    """Write model, tokenizer and what the generator is for."""
    save_model(generator.loaded, folder)
    write_json(
        Path(folder) / FACTS, {"label_names": list(generator.label_names), "text_columns": list(generator.columns)}
    )


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Return a context in which matrix products run in `dtype` (float32: nothing changes)."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)
