"""Fetch one raw data file, or check a file of a mirror. Models: `scripts.data.download_model`.

A download appears whole and checked or not at all. It is checked against the registry's sha256 or git blob; where the
registry has neither, the sha256 of the first fetch is recorded in a checksum file beside the downloads and every later
fetch is held to it. A path on the hub with a `*` stands for all parquet files that it matches: they become one file.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fnmatch
import hashlib
import logging
import tempfile
from pathlib import Path
from typing import Iterator, Mapping, Sequence

from scripts.common.checksums import write_beside
from scripts.common.errors import UserError, run_step
from scripts.common.files import atomic_path
from scripts.common.packed import chunks
from scripts.common.settings import parse_settings
from scripts.data.fetching import (
    Refused,
    TransientError,
    hub_errors,
    record,
    recorded,
    refusal_noted,
    room_named,
    with_retries,
)
from scripts.data.registry import packed_or_plain

LOG = logging.getLogger(__name__)

TIMEOUT_S = (10, 60)
"""Seconds to wait for a connection and for the next bytes."""
CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True)
class FileSettings:
    """Where a file is had and what it must be; `name` is `<dataset>/<split>`, for messages and the checksum file."""

    name: str
    url: str | None
    hub: Mapping[str, str] | None
    sha256: str | None
    git_blob: str | None

    @property
    def origin(self) -> str:
        """Return where the file comes from, with its revision, in one line."""
        if self.hub is not None:
            return f"{self.hub['repo']}@{self.hub['revision']}/{self.hub['path']}"
        return str(self.url)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    file = commands.add_parser("file", help="fetch one raw file of a data set")
    file.add_argument("--file-out", required=True, type=Path)
    check = commands.add_parser("check", help="check a file of a mirror; writes nothing")
    check.add_argument("--file", required=True, type=Path, help="also found as FILE.gz")
    for command in (file, check):
        command.add_argument("--settings", required=True, help="JSON: scripts.data.registry.file_settings")
    file.add_argument("--checksums", required=True, type=Path, help="JSON with what was fetched before")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one of the commands file and check."""
    args = parse_args(argv)
    if args.command == "file":
        with refusal_noted(args.file_out):
            fetch_file(parse_settings(FileSettings, args.settings), args.file_out, args.checksums)
    else:
        check_mirror(parse_settings(FileSettings, args.settings), args.file)


def fetch_file(settings: FileSettings, target: Path, checksums: Path) -> None:
    """Fetch one file whole or not at all. Raises `UserError` for anything that keeps it from being the right file."""
    if settings.hub is None and settings.url is None:
        raise UserError(f"{settings.name}: has neither 'url' nor 'hub' in the registry; add one")
    with room_named(target), atomic_path(target) as temporary, _folder_beside(temporary) as folder:
        fetch = _fetch_url if settings.hub is None else _fetch_hub_files
        parts = with_retries(settings.origin, lambda: fetch(settings, folder))
        found = check_content(settings, parts, recorded(checksums, settings.name, settings.origin, "sha256"))
        _join(settings, parts, temporary)
        record(checksums, settings.name, settings.origin, "sha256", found)
        write_beside(target, sum_of=temporary)  # before the file itself: a killed fetch leaves none without its sum
    LOG.info("%s: fetched from %s, sha256 %s", target, settings.origin, found)


def check_mirror(settings: FileSettings, path: Path) -> None:
    """Check that a mirror holds the file, packed or not, with the registry's checksum. Raises `UserError` if not."""
    source = Path(packed_or_plain(path))
    if not source.is_file():
        raise UserError(
            f"{path}: not in the mirror (nor {path.name}.gz), wanted as {settings.name}; get it from {settings.origin} "
            "or mend data.mirror"
        )
    LOG.info("%s: sha256 %s", source, check_content(settings, [source], None, packed=source != path))


def check_content(settings: FileSettings, parts: Sequence[Path], known: str | None, *, packed: bool = False) -> str:
    """Return the sha256 of a file, or of its parts in a row, after checking it.

    known: the sha256 recorded earlier; packed: the file is a .gz of what the registry means. Raises `UserError` if the
    registry's sha256 or git blob, or `known`, differs.
    """
    sha256, git_blob = _digests(parts, packed)
    wanted = settings.sha256 or known
    if wanted is not None and sha256 != wanted:
        teller = "the registry" if settings.sha256 else "the first download"
        raise UserError(
            f"{settings.name}: sha256 is {sha256} but {teller} says {wanted}; the file at {settings.origin} changed "
            "or was damaged on its way: fetch it again, or compare it and correct the registry (or the checksum file)"
        )
    if settings.git_blob is not None and git_blob != settings.git_blob:
        raise UserError(
            f"{settings.name}: git blob is {git_blob} but the registry says {settings.git_blob}; the file at "
            f"{settings.origin} has changed or was damaged on its way: fetch it again"
        )
    return sha256


def _digests(parts: Sequence[Path], packed: bool) -> tuple[str, str]:
    """Return sha256 and git blob id (SHA-1 with git's header) of the parts' content in a row."""
    size = sum(len(chunk) for part in parts for chunk in _chunks(part, packed))
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    for part in parts:
        for chunk in _chunks(part, packed):
            sha256.update(chunk)
            sha1.update(chunk)
    return sha256.hexdigest(), sha1.hexdigest()


def _chunks(path: Path, packed: bool) -> Iterator[bytes]:
    if packed:
        yield from chunks(path)
        return
    with open(path, "rb") as stream:
        yield from iter(lambda: stream.read(CHUNK), b"")


def _join(settings: FileSettings, parts: Sequence[Path], target: Path) -> None:
    """Move a fetched file to its place; write several parquet parts as one file, a batch of rows at a time."""
    if len(parts) == 1:
        parts[0].replace(target)
        return
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetWriter(target, parquet.read_schema(parts[0])) as writer:
            for part in parts:
                with parquet.ParquetFile(part) as rows:
                    for batch in rows.iter_batches():
                        writer.write_batch(batch)
    except (pyarrow.ArrowException, ValueError) as error:
        raise UserError(
            f"{settings.name}: {settings.origin}: {str(error).splitlines()[0]}; its parquet parts cannot become one "
            "file: choose another pattern"
        ) from None


@contextlib.contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """Give a folder on the same disk as a file to be written, and remove it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{path.name}.") as folder:
        yield Path(folder)


def _fetch_url(settings: FileSettings, folder: Path) -> list[Path]:
    """Write what the URL serves. Raises `TransientError` for what may pass, `UserError` for what will not."""
    import requests

    target = folder / "fetched"
    try:
        # identity: the length that the server announces must be that of the file, to notice a cut transfer
        with requests.get(
            settings.url, stream=True, timeout=TIMEOUT_S, headers={"Accept-Encoding": "identity"}
        ) as response:
            _check_status(settings, response.status_code)
            with open(target, "wb") as stream:
                for chunk in response.iter_content(CHUNK):
                    stream.write(chunk)
            announced = response.headers.get("Content-Length")
            if announced is not None and int(announced) != target.stat().st_size:
                raise TransientError(f"only {target.stat().st_size} of {announced} bytes arrived")
    except requests.exceptions.ChunkedEncodingError:
        raise TransientError(f"the transfer broke off after {target.stat().st_size} bytes") from None
    except requests.exceptions.Timeout:
        raise TransientError("the server does not answer in time") from None
    except requests.exceptions.ConnectionError:
        raise TransientError("cannot reach the server") from None
    except requests.exceptions.RequestException as error:
        raise UserError(f"{settings.name}: {settings.url}: {error}; mend the url in the registry") from None
    return [target]


def _check_status(settings: FileSettings, status: int) -> None:
    if status == 200:
        return
    if status in (408, 425, 429) or status >= 500:
        raise TransientError(f"the server answers HTTP {status}")
    told = {401: "access refused", 403: "access refused", 404: "not found", 410: "gone"}.get(status, "refused")
    raise Refused(f"{settings.name}: {settings.url}: {told} (HTTP {status}); mend the url in the registry")


def _fetch_hub_files(settings: FileSettings, folder: Path) -> list[Path]:
    """Write the file of the hub, or the files that its pattern matches; return them in the order of their names."""
    import huggingface_hub

    hub = settings.hub or {}
    names = [hub["path"]]
    if "*" in hub["path"]:
        there = hub_files(hub["repo"], hub["revision"])
        names = fnmatch.filter(there, hub["path"])
        if not names:
            raise UserError(
                f"{settings.name}: {settings.origin}: matches none of that repository's {len(there)} files "
                f"({', '.join(there[:20])}); mend the path in the registry"
            )
    with hub_errors(settings.name, settings.origin):
        return [
            Path(
                huggingface_hub.hf_hub_download(
                    hub["repo"], name, repo_type="dataset", revision=hub["revision"], local_dir=folder
                )
            )
            for name in names
        ]


def hub_files(repo: str, revision: str) -> list[str]:
    """Return the paths of all files of a dataset on the hub. Raises `UserError` where they cannot be had."""
    import huggingface_hub

    def ask() -> list[str]:
        with hub_errors(repo, origin):
            return huggingface_hub.HfApi().list_repo_files(repo, repo_type="dataset", revision=revision)

    origin = f"{repo}@{revision}"
    return sorted(with_retries(origin, ask))


if __name__ == "__main__":
    run_step(main)
