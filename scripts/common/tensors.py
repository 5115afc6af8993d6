"""Arrays in safetensors files: whole or not at all, the same bytes for the same content, a flipped byte noticed.

The format checks its header and the length of the file, not what the tensors hold: the sums in the metadata do.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Mapping, Tuple

import numpy as np

from scripts.common.checksums import check_beside, write_beside
from scripts.common.errors import UserError
from scripts.common.files import PathLike, atomic_path, to_json

SIGNED = "thrift"  # the entry of the metadata

Described = Tuple[str, np.ndarray]
"""A tensor's type and shape in words, and its bytes as a flat uint8 array: what its sum is taken of."""


def write_tensors(path: PathLike, arrays: Mapping[str, np.ndarray], **note: Any) -> None:
    """Write arrays, with at most one note that is stored as JSON in the file's metadata under its own name."""
    from safetensors.numpy import save_file

    if len(note) > 1:
        raise ValueError(f"one note at most, found {', '.join(note)}")
    own = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with atomic_path(path) as temporary:
        save_file(own, temporary, metadata=signed({name: described(array) for name, array in own.items()}, note))


def read_tensors(path: PathLike, *names: str, note: str | None = None) -> tuple[dict[str, np.ndarray], Any]:
    """Return the arrays called `names` (all if none is named) and the note called `note` (None if not asked for).

    Raises `UserError` for a missing or damaged file and for one without such an array or note.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            known, metadata = set(file.keys()), file.metadata() or {}
            for name in names:
                if name not in known:
                    raise UserError(f"{path}: no tensor '{name}' (found {', '.join(sorted(known))}); make it again")
            arrays = {name: file.get_tensor(name) for name in names or sorted(known)}
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the path") from None
    except SafetensorError as error:
        raise UserError(f"{path}: damaged safetensors file ({error}); make it again") from None
    notes = checked_note(path, metadata, {name: described(array) for name, array in arrays.items()})
    if note is not None and note not in notes:
        raise UserError(f"{path}: no note '{note}' in the metadata; make it again")
    return arrays, None if note is None else notes[note]


def described(array: np.ndarray) -> Described:
    """Return what an array's sum is taken of."""
    return f"{array.dtype} {array.shape}", np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def signed(tensors: Mapping[str, Described], note: Mapping[str, Any]) -> dict[str, str]:
    """Return a safetensors file's metadata: the note and the sums of the tensors and of the note.

    One entry only: the library writes several in an order that changes from run to run.
    """
    text = to_json(dict(note))
    sums = {name: _sum_of(*tensor) for name, tensor in tensors.items()}
    return {SIGNED: to_json({"note": text, "note_sha256": _sum_of_text(text), "sha256": sums})}


def checked_note(path: PathLike, metadata: Mapping[str, str], tensors: Mapping[str, Described]) -> dict[str, Any]:
    """Return the note that `signed` put into a file's metadata. Raises `UserError` if a byte has changed."""
    try:
        found = json.loads(metadata[SIGNED])
        whole = found["note_sha256"] == _sum_of_text(found["note"])
        sums = found["sha256"]
        faults = [name for name, tensor in tensors.items() if sums[name] != _sum_of(*tensor)]
    except (KeyError, TypeError, ValueError):
        whole, faults = False, []
    if not whole or faults:
        where = f"tensor '{faults[0]}'" if faults else "its header"
        raise UserError(f"{path}: damaged, {where} does not have its checksum; delete it and make it again")
    return json.loads(found["note"])


def _sum_of(kind: str, content: np.ndarray) -> str:
    digest = hashlib.sha256(kind.encode() + b"\n")
    digest.update(content)
    return digest.hexdigest()


def _sum_of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_embeddings(path: PathLike, ids: list[str], source: PathLike) -> np.ndarray:
    """Return the (n, d) float32 embeddings of a file. Raises `UserError` if they are not those of `ids` in `source`."""
    arrays, embedded = read_tensors(path, "embeddings", note="ids")
    if embedded != ids:
        raise UserError(f"{path}: its ids are not those of {source}; embed that file again")
    return arrays["embeddings"]


def write_array(path: PathLike, array: np.ndarray) -> None:
    """Write one array as a .npy file, which can be read in part (memory-mapped), whole or not at all, and its sum."""
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as stream:
            np.save(stream, array, allow_pickle=False)
        write_beside(path, sum_of=temporary)


def map_array(path: PathLike) -> np.ndarray:
    """Return a .npy file's array without keeping it in memory. Raises `UserError` if it is missing or damaged."""
    check_beside(path)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the path") from None
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{path}: damaged .npy file ({' '.join(str(error).split())}); make it again") from None
