"""Scoring a shard in chunks that survive a kill.

Finished chunks lie in a hidden folder beside the shard's output, named by a hash of everything the numbers depend on.
A run finds the chunks of its own settings and goes on after them; those of other settings are removed.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError
from scripts.common.files import PathLike, to_json
from scripts.common.progress import Progress
from scripts.common.provenance import code_of
from scripts.common.tensors import read_tensors, write_tensors

CHUNK = 25  # candidates of one file of finished scores
SAVED_EVERY = 60.0  # seconds after which a chunk's finished rows are written too: a slow candidate takes a minute
REPOSITORY = Path(__file__).resolve().parents[2]

logger = logging.getLogger(__name__)


def score_in_chunks(items: Sequence[Any], score: Callable[[Any], np.ndarray], width: int, folder: Path) -> np.ndarray:
    """Return `score(item)` of every item, (n, width) float32; chunks that `folder` holds already are not scored again.

    items: candidates; score: returns (width,) float32. `folder` is made, and left for the caller to remove.
    """
    folder.mkdir(parents=True, exist_ok=True)
    result = np.empty((len(items), width), dtype=np.float32)
    todo = []
    for start in range(0, len(items), CHUNK):
        stop = min(start + CHUNK, len(items))
        found = _read_chunk(_chunk_path(folder, start), (stop - start, width))
        result[start : start + len(found)] = found
        if len(found) < stop - start:
            todo.append((start, start + len(found), stop))
    n_todo = sum(stop - first for _, first, stop in todo)
    if n_todo < len(items):
        logger.info("resuming: %d of %d candidates are scored already", len(items) - n_todo, len(items))
    saved = time.monotonic()
    with Progress(len(items), "candidates", done=len(items) - n_todo) as progress:
        for start, first, stop in todo:
            for number in range(first, stop):
                result[number] = score(items[number])
                progress.advance()
                if number + 1 == stop or time.monotonic() - saved >= SAVED_EVERY:
                    write_tensors(_chunk_path(folder, start), {"one_shot": result[start : number + 1]})
                    saved = time.monotonic()
    return result


def scratch_folder(output: PathLike, key: Mapping[str, Any]) -> Path:
    """Return the scratch folder of an output for these settings; folders of other settings are removed."""
    target = Path(output)
    name = hashlib.sha256(to_json(dict(key)).encode()).hexdigest()[:16]
    folder = target.parent / f".{target.stem}.{name}.partial"
    for other in sorted(target.parent.glob(f".{target.stem}.*.partial")):
        if other != folder:
            logger.info("removing %s: it belongs to other settings", other)
            shutil.rmtree(other)
    return folder


def digest_of(value: Any) -> str:
    """Return a hash of JSON-like content."""
    return hashlib.sha256(to_json(value).encode()).hexdigest()


def digest_of_code(script: str) -> str:
    """Return a hash of a step's code and of all project files it imports, directly or not."""
    digest = hashlib.sha256()
    for path in [script, *code_of(script, REPOSITORY)]:
        digest.update(path.encode() + b"\0" + (REPOSITORY / path).read_bytes() + b"\0")
    return digest.hexdigest()


def _chunk_path(folder: Path, start: int) -> Path:
    return folder / f"chunk_{start:08d}.safetensors"


def _read_chunk(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Return the finished rows of a chunk, at most `shape`, none if there are none; a damaged one is scored again."""
    none = np.empty((0, shape[1]), dtype=np.float32)
    if not path.is_file():
        return none
    try:
        found = read_tensors(path, "one_shot")[0]["one_shot"]
    except UserError as error:
        logger.warning("%s; scoring its candidates again", error)
        return none
    fits = found.ndim == 2 and found.shape[1] == shape[1] and len(found) <= shape[0]
    return found if fits else none
