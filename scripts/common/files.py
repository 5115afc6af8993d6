"""Reading and writing files: whole or not at all, the same bytes for the same content, errors that name the line."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping, Sequence, Union

from scripts.common.errors import Faults, UserError
from scripts.common.json_text import JsonFault, decode, decode_named
from scripts.common.packed import open_bytes, read_bytes

PathLike = Union[str, "os.PathLike[str]"]
LONGEST_CELL = 2**31 - 1
"""Letters of a CSV cell; Python's own limit of 131,072 is below what a document has."""


@contextlib.contextmanager
def atomic_path(path: PathLike) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it there when the block ends well, remove it when it does not."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that only the owner may read
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: PathLike) -> Iterator[Path]:
    """Give an empty folder beside `path` and put it in the place of `path` when the block ends well.

    Its name is its own, so two processes never write into one; whoever ends last is in place.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=".tmp", dir=final.parent))
    new = holder / "new"
    try:
        new.mkdir()
        yield new
        for file in new.rglob("*"):
            if not file.is_symlink():  # safetensors and tempfile let only the owner read what they make
                file.chmod((0o777 if file.is_dir() else 0o666) & ~_umask())
        if final.exists():
            final.rename(holder / "old")
        new.rename(final)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def _umask() -> int:
    """Return the permissions that new files of this process lack."""
    umask = os.umask(0)
    os.umask(umask)
    return umask


def open_text(path: PathLike) -> io.TextIOBase:
    """Open a UTF-8 text file for reading, unpacked if it is packed; a missing file is a `UserError`."""
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="")


def read_text(path: PathLike) -> str:
    """Return the whole text of a file (UTF-8), unpacked if it is packed in a way that `scripts.common.packed` knows.

    Raises `UserError` for a missing or damaged file and for other encodings.
    """
    return text_of(read_bytes(path), path)


def text_of(content: bytes, path: PathLike) -> str:
    """Return the text that bytes hold in UTF-8, without a byte order mark. Raises `UserError` naming `path`."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        kind = ""
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            kind = " (it looks like UTF-16)"
        raise UserError(
            f"{path}: not UTF-8 text at byte {error.start}{_foreign_lines(content)}{kind}; convert it to UTF-8"
        ) from None


def _foreign_lines(content: bytes) -> str:
    """Return how many lines of a file are not UTF-8, where it has several: a few come from mixed encodings."""
    lines = content.split(b"\n")
    foreign = [number for number, line in enumerate(lines, start=1) if line.decode("utf-8", "replace").encode() != line]
    total = len(lines) - (not lines[-1])
    return f" ({len(foreign)} of {total} lines, first line {foreign[0]})" if total > 1 and foreign else ""


def read_json(path: PathLike) -> Any:
    """Return the content of a JSON file; NaN is null. Raises `UserError` naming line and column where it breaks."""
    text = read_text(path)
    if not text.strip():
        raise UserError(f"{path}: the file is empty; expected JSON")
    return decode_named(text, str(path))


def numbered_jsonl(path: PathLike) -> list[tuple[int, dict[str, Any]]]:
    """Return (line number, object) of each line of a JSON-lines file, empty lines skipped.

    Raises `UserError` naming the first line that breaks, and how many there are.
    """
    return numbered_objects(read_text(path), path)


def numbered_objects(text: str, path: PathLike) -> list[tuple[int, dict[str, Any]]]:
    """Return (line number, object) of each line of a text that is not empty. Raises `UserError` naming the lines."""
    rows: list[tuple[int, dict[str, Any]]] = []
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    faults = Faults(path, len(lines), what="lines")
    for number, line in lines:
        try:
            row = decode(line)
        except JsonFault as fault:
            faults.add(f"{path}:{number}", f"broken JSON ({fault.told()}); mend or remove that line")
            continue
        if isinstance(row, dict):
            rows.append((number, row))
        else:
            faults.add(f"{path}:{number}", f"expected a JSON object, found {type(row).__name__}")
    faults.refuse()
    return rows


def read_jsonl(path: PathLike) -> list[dict[str, Any]]:
    """Return the objects of a JSON-lines file, empty lines skipped. Raises `UserError` naming the line that breaks."""
    return [row for _, row in numbered_jsonl(path)]


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return canonical JSON: sorted keys, no NaN, non-ASCII letters kept."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=indent)


def write_json(path: PathLike, value: Any) -> None:
    """Write `value` as indented canonical JSON, whole or not at all."""
    write_text(path, to_json(value, indent=2) + "\n")


def write_jsonl(path: PathLike, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one canonical JSON object a line, whole or not at all; rows may stream from a generator."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        for row in rows:
            stream.write(to_json(row) + "\n")


def write_text(path: PathLike, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def read_csv(path: PathLike, columns: Sequence[str] | None = None) -> list[dict[str, str]]:
    """Return the rows of a CSV file with header as strings. Raises `UserError` if one of `columns` is missing."""
    csv.field_size_limit(LONGEST_CELL)
    rows = csv.DictReader(io.StringIO(read_text(path), newline=""))
    missing = [name for name in columns or () if name not in (rows.fieldnames or ())]
    if missing:
        raise UserError(
            f"{path}: column '{missing[0]}' is missing; found {', '.join(rows.fieldnames or ['no header'])}"
        )
    return list(rows)


def write_csv(path: PathLike, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write rows as CSV with the given column order, whole or not at all; an unknown key in a row is a ValueError."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(columns), lineterminator="\n", extrasaction="raise")
        writer.writeheader()
        writer.writerows(rows)
