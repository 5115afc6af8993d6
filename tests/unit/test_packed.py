"""A file is opened by what it holds: every packing with or without its ending, and one line for each that is broken."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_jsonl, read_text
from scripts.common.packed import bare_name, chunks, read_bytes

CONTENT = b'{"a": "\xc3\xa9"}\n' * 40


def zipped(*members: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def zstd(content: bytes) -> bytes:
    zstandard = pytest.importorskip("zstandard")
    return zstandard.ZstdCompressor().compress(content)


PACK = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zip": lambda content: zipped(("rows.jsonl", content)),
    ".zst": zstd,
}


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("named", [True, False])
def test_every_packing_with_and_without_its_ending(tmp_path, ending, named):
    path = tmp_path / (f"x.jsonl{ending}" if named else "x.jsonl")
    path.write_bytes(PACK[ending](CONTENT))
    assert read_bytes(path) == CONTENT == b"".join(chunks(path))
    assert read_jsonl(path) == [{"a": "é"}] * 40


@pytest.mark.parametrize("ending", PACK)
def test_a_cut_file_is_one_line(tmp_path, ending):
    path = tmp_path / f"x{ending}"
    packed = PACK[ending](CONTENT)
    for size in (5, len(packed) // 2, len(packed) - 1):
        path.write_bytes(packed[:size])
        with pytest.raises(UserError, match=r"damaged or incomplete \w+ file; fetch it again$"):
            read_bytes(path)


def test_two_zstandard_frames_in_a_row_are_one_file(tmp_path):
    (tmp_path / "x").write_bytes(zstd(b"ab") + zstd(b"") + zstd(b"cd"))
    assert read_bytes(tmp_path / "x") == b"abcd"


def test_what_a_browser_unpacked_on_the_way_is_read(tmp_path):
    (tmp_path / "x.jsonl.gz").write_bytes(CONTENT)
    assert read_text(tmp_path / "x.jsonl.gz") == CONTENT.decode()


def test_zip_files_have_one_member(tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(zipped(("__MACOSX/._rows", b"x"), ("folder/", b""), ("folder/rows.jsonl", CONTENT)))
    assert read_bytes(path) == CONTENT
    path.write_bytes(zipped(("rows.jsonl.gz", gzip.compress(CONTENT))))
    assert read_bytes(path) == CONTENT
    path.write_bytes(zipped(("a", b"1"), ("b", b"2")))
    with pytest.raises(UserError, match=r"is a zip file with 2 members \(a, b\); unpack it and name one of them"):
        read_bytes(path)
    path.write_bytes(zipped())
    with pytest.raises(UserError, match=r"is a zip file with 0 members \(none\)"):
        read_bytes(path)


def test_archives_and_folders_are_told_apart(tmp_path):
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        archive.add(__file__, "a.py")
    with pytest.raises(UserError, match=r"is an archive of several files \(tar\); unpack it"):
        read_bytes(tmp_path / "x.tar.gz")
    with pytest.raises(UserError, match="is a folder; name a file in it"):
        read_bytes(tmp_path)


def test_without_the_library_a_zstandard_file_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    (tmp_path / "x").write_bytes(b"\x28\xb5\x2f\xfd1234")
    with pytest.raises(UserError, match="the package zstandard is not installed here; install it, or unpack"):
        read_bytes(tmp_path / "x")


def test_names_without_their_packing():
    assert [bare_name(name) for name in ("a/x.jsonl.gz", "x.csv.ZST", "x.tar", ".gz", "x.zip")] == [
        "x.jsonl", "x.csv", "x.tar", ".gz", "x",
    ]  # fmt: skip
