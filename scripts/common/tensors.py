"""Arrays in safetensors files: whole or not at all, the same bytes for the same content."""

from __future__ import annotations

import json
from typing import Any, Mapping

import numpy as np

from scripts.common.errors import UserError
from scripts.common.files import PathLike, atomic_path, to_json


def write_tensors(path: PathLike, arrays: Mapping[str, np.ndarray], **note: Any) -> None:
    """Write arrays, with at most one note that is stored as JSON in the file's metadata under its own name.

    Only one: the library writes several in an order that changes from run to run.
    """
    from safetensors.numpy import save_file

    if len(note) > 1:
        raise ValueError(f"one note at most, found {', '.join(note)}")
    with atomic_path(path) as temporary:
        save_file(
            {name: np.ascontiguousarray(array) for name, array in arrays.items()},
            temporary,
            metadata={key: to_json(value) for key, value in note.items()} or None,
        )


def read_tensors(path: PathLike, *names: str, note: str | None = None) -> tuple[dict[str, np.ndarray], Any]:
    """Return the arrays called `names` and the note called `note` (None if not asked for).

    Raises `UserError` for a missing or damaged file and for one without such an array or note.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            known, metadata = set(file.keys()), file.metadata() or {}
            for name in names:
                if name not in known:
                    raise UserError(f"{path}: no tensor '{name}' (found {', '.join(sorted(known))}); make it again")
            arrays = {name: file.get_tensor(name) for name in names}
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the path") from None
    except SafetensorError as error:
        raise UserError(f"{path}: damaged safetensors file ({error}); make it again") from None
    if note is not None and note not in metadata:
        raise UserError(f"{path}: no note '{note}' in the metadata; make it again")
    return arrays, None if note is None else json.loads(metadata[note])


def read_embeddings(path: PathLike, ids: list[str], source: PathLike) -> np.ndarray:
    """Return the (n, d) float32 embeddings of a file. Raises `UserError` if they are not those of `ids` in `source`."""
    arrays, embedded = read_tensors(path, "embeddings", note="ids")
    if embedded != ids:
        raise UserError(f"{path}: its ids are not those of {source}; embed that file again")
    return arrays["embeddings"]


def write_array(path: PathLike, array: np.ndarray) -> None:
    """Write one array as a .npy file, which can be read in part (memory-mapped), whole or not at all."""
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        np.save(stream, array, allow_pickle=False)


def map_array(path: PathLike) -> np.ndarray:
    """Return a .npy file's array without reading it into memory. Raises `UserError` if it is missing or damaged."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the path") from None
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{path}: damaged .npy file ({' '.join(str(error).split())}); make it again") from None
