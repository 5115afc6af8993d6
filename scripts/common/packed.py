"""The one place that opens a file of data: plain or packed (gzip, bzip2, xz, zip with one member, Zstandard).

What a file is packed with is seen by its first bytes; its name only tells what a file without those bytes should have
been. Standard library only, but for Zstandard, whose package `zstandard` is loaded when such a file is met.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, Mapping

from scripts.common.errors import UserError

MAGIC: Mapping[bytes, str] = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",  # without members
    b"\x28\xb5\x2f\xfd": "Zstandard",
}
"""First bytes of a packed file -> what it is packed with."""
ENDINGS = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zip": "zip", ".zst": "Zstandard"}
TAR_MARK = (257, b"ustar")
DEEPEST = 3  # a zip that holds a .gz is read; what packs itself without end is not
CHUNK = 1 << 20
CONTROL = bytes(set(range(32)) - {9, 10, 11, 12, 13, 27})


class _Unpackable(Exception):
    """Why a packed file cannot be read: the end of a message."""


def bare_name(path: Any) -> str:
    """Return a file's name without the endings of its packing: `rows.jsonl` for `rows.jsonl.gz`."""
    name = Path(path).name
    while Path(name).suffix.lower() in ENDINGS and Path(name).stem:
        name = name[: -len(Path(name).suffix)]
    return name


def packing_of(head: bytes) -> str | None:
    """Return what a file that begins with these bytes is packed with, None for a plain one."""
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)


def read_bytes(path: Any) -> bytes:
    """Return the unpacked content of a file.

    Raises `UserError` in one line for a missing file, a folder, a damaged packed file, a zip with several members, an
    archive of several files (tar) or a form whose library is not installed.
    """
    source = Path(path)
    if source.is_dir():
        raise UserError(f"{source}: is a folder; name a file in it")
    if not source.is_file():
        raise UserError(f"{source}: no such file; check the path")
    content = source.read_bytes()
    kind = ENDINGS.get(source.suffix.lower())
    if kind and packing_of(content) is None and not _is_text(content):
        raise UserError(f"{source}: damaged or incomplete {kind} file; fetch it again")
    for _ in range(DEEPEST):
        kind = packing_of(content)
        if kind is None:
            break
        content = _guarded(source, kind, lambda kind=kind, content=content: _UNPACK[kind](content))
    start, mark = TAR_MARK
    if content[start : start + len(mark)] == mark:
        raise UserError(f"{source}: is an archive of several files (tar); unpack it and name one of its files")
    return content


def _is_text(content: bytes) -> bool:
    """Tell whether bytes are UTF-8 text: browsers unpack what they fetch and keep the name."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return content.translate(None, CONTROL) == content


def open_bytes(path: Any) -> BinaryIO:
    """Open the unpacked content of a file for reading; errors are those of `read_bytes`."""
    return io.BytesIO(read_bytes(path))


def chunks(path: Any) -> Iterator[bytes]:
    """Yield the unpacked content of a file piece by piece: a plain or gzip file is never whole in memory."""
    import gzip

    with open(path, "rb") as stream:
        kind = packing_of(stream.read(8))
    if kind not in (None, "gzip"):
        content = open_bytes(path)
        yield from iter(lambda: content.read(CHUNK), b"")
        return
    opened: Callable[..., Any] = gzip.open if kind else open
    with opened(path, "rb") as stream:
        while True:
            piece = _guarded(Path(path), "gzip", lambda: stream.read(CHUNK))
            if not piece:
                return
            yield piece


def _guarded(source: Path, kind: str, unpack: Callable[[], bytes]) -> bytes:
    """Return what `unpack` gives; whatever it raises about the file's content becomes one line."""
    try:
        return unpack()
    except _Unpackable as error:
        raise UserError(f"{source}: {error}") from None
    except (EOFError, OSError, ValueError, RuntimeError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(f"{source}: damaged or incomplete {kind} file; fetch it again") from None


def _gunzip(content: bytes) -> bytes:
    import gzip

    return gzip.decompress(content)


def _bunzip(content: bytes) -> bytes:
    import bz2

    return bz2.decompress(content)


def _unxz(content: bytes) -> bytes:
    import lzma

    try:
        return lzma.decompress(content)
    except lzma.LZMAError as error:
        raise ValueError(str(error)) from None


def _unzip(content: bytes) -> bytes:
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [one for one in archive.infolist() if not one.is_dir() and _counts(one.filename)]
            if len(members) != 1:
                names = ", ".join(one.filename for one in members[:3]) + (", ..." if len(members) > 3 else "")
                raise _Unpackable(
                    f"is a zip file with {len(members)} members ({names or 'none'}); unpack it and name one of them"
                )
            if members[0].flag_bits & 1:
                raise _Unpackable("is a zip file with a password; unpack it yourself")
            return archive.read(members[0])
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(str(error)) from None


def _counts(member: str) -> bool:
    """Tell whether a member of a zip file is data: not what macOS adds to it."""
    return not member.startswith("__MACOSX/") and Path(member).name != ".DS_Store"


def _unzstd(content: bytes) -> bytes:
    try:
        import zstandard
    except ImportError:
        raise _Unpackable(
            "is packed with Zstandard, and the package zstandard is not installed here; install it, or unpack the file"
            " with `zstd -d`"
        ) from None
    pieces = []
    try:
        while content:  # a file may hold several frames in a row
            frame = zstandard.ZstdDecompressor().decompressobj()
            pieces.append(frame.decompress(content))
            if not frame.eof:
                raise ValueError("cut")
            content = frame.unused_data
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    return b"".join(pieces)


_UNPACK: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": _gunzip,
    "bzip2": _bunzip,
    "xz": _unxz,
    "zip": _unzip,
    "Zstandard": _unzstd,
}
