"""Turn weights that are pickles only into safetensors, without running anything that a pickle asks for.

torch's restricted unpickler (`weights_only=True`) builds tensors and plain containers and refuses all else. What it
read is written as safetensors, read back, compared tensor by tensor, and only then are the pickles deleted.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any, Iterable, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.files import read_json, write_json

SINGLE, INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
SHARD_NAME = re.compile(r"pytorch_model[\w.-]*\.bin")
SHARD_BYTES = 5_000_000_000
"""A safetensors file is at most so large (one tensor may be larger): what is written at once is held in memory."""


def pickles_of(name: str, index: Path | None, there: Iterable[str]) -> list[str]:
    """Return the names of the pickles that hold a model's weights, in order, [] if there are none.

    name: the model, for messages; index: the downloaded index of sharded ones, None without; there: names of all files.
    Raises `UserError` for an index that names files which are no shards or are not there.
    """
    found = set(there)
    if index is None:
        return [SINGLE] if SINGLE in found else []
    shards = sorted(set(_weight_map(name, index).values()))
    for shard in shards:
        if SHARD_NAME.fullmatch(shard) is None or shard not in found:
            raise UserError(f"{name}: {INDEX} names '{shard}', which is no shard beside it; choose another revision")
    return shards


def convert_pickles(folder: Path, name: str) -> list[str]:
    """Replace the pickles of a model folder by safetensors files; return the pickles' names.

    Tensors that share memory (tied weights) are written once for each name, so no name is lost. name: the model, for
    messages. Raises `UserError`, and leaves the pickles as they are, for anything but named dense tensors.
    """
    there = [path.name for path in folder.iterdir() if path.is_file()]
    index = folder / INDEX if INDEX in there else None
    pickles = pickles_of(name, index, there)
    places: dict[str, Path] = {}
    parts: list[Path] = []
    for pickle in pickles:
        tensors = read_pickle(folder / pickle, name)
        double = sorted(places.keys() & tensors.keys())
        if double:
            raise UserError(f"{name}: {pickle}: holds tensor '{double[0]}' a second time; choose another revision")
        for names in _groups(tensors):
            parts.append(folder / f"part-{len(parts)}.safetensors")
            _write(parts[-1], {key: tensors[key] for key in names}, f"{name}: {pickle}")
            places.update(dict.fromkeys(names, parts[-1]))
    if index is not None:
        missing = sorted(_weight_map(name, index).keys() - places.keys())
        if missing:
            raise UserError(f"{name}: tensor '{missing[0]}' of {INDEX} is in no shard; fetch it again")
    _put_in_place(folder, parts, places)
    for old in [*pickles, INDEX]:
        (folder / old).unlink(missing_ok=True)
    return pickles


def read_pickle(path: Path, name: str) -> dict[str, Any]:
    """Return the tensors of a pickled state dict by name, read by torch's restricted unpickler.

    Raises `UserError` in one line for whatever that refuses, and for content that is not named dense tensors.
    """
    import torch

    told = f"{name}: {path.name}"
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path) or None)
    except Exception as error:  # noqa: BLE001 - a hostile file may break the reader in any way: none of them is a traceback
        raise UserError(
            f"{told}: refused, as it cannot be read without running code ({_why(error)}); choose a revision or "
            "a model with safetensors"
        ) from None
    if not isinstance(found, dict) or not found:
        raise UserError(f"{told}: holds {type(found).__name__} instead of named tensors; it is no model's weights")
    for key, value in found.items():
        plain = isinstance(key, str) and type(value) in (torch.Tensor, torch.nn.Parameter)
        if not plain or value.layout is not torch.strided or value.is_quantized or value.device.type != "cpu":
            raise UserError(f"{told}: '{str(key)[:80]}' is no plain tensor; save the weights as safetensors yourself")
    return {key: value.detach() for key, value in found.items()}


def _weight_map(name: str, index: Path) -> dict[str, str]:
    """Return tensor -> shard of an index."""
    content = read_json(index)
    found = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(found, dict) or not found or not all(isinstance(shard, str) for shard in found.values()):
        raise UserError(f"{name}: {index.name}: has no weight_map of tensors and files; choose another revision")
    return found


def _groups(tensors: Mapping[str, Any]) -> list[list[str]]:
    """Return the names in their order, in groups of at most `SHARD_BYTES`."""
    groups: list[list[str]] = [[]]
    size = 0
    for key, tensor in tensors.items():
        n_bytes = tensor.numel() * tensor.element_size()
        if groups[-1] and size + n_bytes > SHARD_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(key)
        size += n_bytes
    return groups


def _write(path: Path, tensors: Mapping[str, Any], told: str) -> None:
    """Write tensors as safetensors and compare what lies on the disk with them, byte by byte."""
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import save_file

    try:
        save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path, metadata={"format": "pt"})
        with safe_open(path, framework="pt", device="cpu") as written:
            same = set(written.keys()) == set(tensors) and all(
                _same(written.get_tensor(key), value) for key, value in tensors.items()
            )
    except (SafetensorError, KeyError, RuntimeError, ValueError) as error:
        raise UserError(f"{told}: cannot be written as safetensors ({_why(error)}); do it yourself") from None
    if not same:
        raise UserError(f"{told}: its safetensors do not hold the same numbers; check the disk and fetch it again")


def _same(one: Any, other: Any) -> bool:
    """Return whether two tensors have one type, shape and content, to the last bit (NaN included)."""
    import torch

    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return torch.equal(*(part.contiguous().reshape(-1).view(torch.uint8) for part in (one, other)))


def _put_in_place(folder: Path, parts: Sequence[Path], places: Mapping[str, Path]) -> None:
    """Give the written files the names that transformers looks for, several of them with an index."""
    if len(parts) == 1:
        parts[0].rename(folder / "model.safetensors")
        return
    names = {part: f"model-{i:05d}-of-{len(parts):05d}.safetensors" for i, part in enumerate(parts, start=1)}
    for part, final in names.items():
        part.rename(folder / final)
    size = sum((folder / final).stat().st_size for final in names.values())
    weight_map = {key: names[part] for key, part in places.items()}
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": size}, "weight_map": weight_map})


def _why(error: BaseException) -> str:
    """Return a library's reason in a few words: of the restricted unpickler's many lines the one that says it."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    named = next((line for line in lines if "Unsupported" in line or "UnpicklingError" in line), lines[0])
    return named[:160].rstrip(".")
