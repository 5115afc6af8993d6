"""Checksums of what lies on a disk for long: beside a file or inside a folder, in the form of the program sha256sum.

A flipped byte in a safetensors or JSON file often leaves a file that can be read, so what is read again after days is
held to the sum that was written with it. What has no sum is taken as it is: one's own files need none.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.files import PathLike, write_text

SUFFIX = ".sha256"  # of the sum beside a file
SUMS = "SHA256SUMS"  # the file with the sums of its folder
BLOCK = 1 << 20


def sha256_of(path: PathLike) -> str:
    """Return the SHA-256 of a file's bytes as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def write_beside(path: PathLike, sum_of: PathLike | None = None) -> None:
    """Write the sum of `path` beside it; `sum_of` is a file with the same bytes that will be moved to `path`."""
    target = Path(path)
    write_text(target.with_name(target.name + SUFFIX), f"{sha256_of(sum_of or path)}  {target.name}\n")


def check_beside(path: PathLike) -> None:
    """Raise `UserError` if a file differs from the sum beside it; without a sum, or without the file, do nothing."""
    target = Path(path)
    beside = target.with_name(target.name + SUFFIX)
    if not beside.is_file() or not target.is_file():
        return
    if not _text(beside).startswith(f"{sha256_of(target)} "):
        raise UserError(f"{target}: damaged, its sum is not the one in {beside.name}; delete both and run again")


def seal(folder: PathLike) -> None:
    """Write the sums of all files in a folder into its SHA256SUMS: the last step of making the folder."""
    root = Path(folder)
    files = sorted(path for path in root.rglob("*") if path.is_file() and path != root / SUMS)
    write_text(root / SUMS, "".join(f"{sha256_of(path)}  {path.relative_to(root).as_posix()}\n" for path in files))


def is_sealed(folder: PathLike) -> bool:
    """Return whether a folder was made to its end."""
    return (Path(folder) / SUMS).is_file()


def damage(folder: PathLike) -> str | None:
    """Return what is wrong with a sealed folder in a few words, None if each of its files has its sum."""
    root = Path(folder)
    for line in _text(root / SUMS).removesuffix("\n").split("\n"):
        digest, _, name = line.partition("  ")
        if not name or not (root / name).is_file():
            return f"{name or SUMS} is missing or damaged"
        if sha256_of(root / name) != digest:
            return f"{name} is damaged"
    return None


def check_seal(folder: PathLike) -> None:
    """Raise `UserError` if a file of a sealed folder is damaged; a folder that was never sealed is taken as it is."""
    fault = damage(folder) if is_sealed(folder) else None
    if fault:
        raise UserError(f"{folder}: {fault}, its sum is not the one in {SUMS}; delete the folder and run again")


def _text(path: Path) -> str:
    """Return the text of a file of sums, which may be damaged too."""
    return path.read_text(encoding="utf-8", errors="replace")
