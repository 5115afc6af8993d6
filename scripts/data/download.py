"""Fetch one raw data file or one model, or check a file of a mirror.

A download appears whole and checked or not at all. It is checked against the registry's sha256 or git blob; where the
registry has neither, the sha256 (or, for a model without revision, the commit) of the first fetch is recorded in a
checksum file beside the downloads and every later fetch is held to it. A path on the hub with a `*` stands for all
parquet files that it matches: they become one file. Nothing but safetensors, tokenizer and configuration is taken from
a model's repository.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import errno
import fcntl
import fnmatch
import gzip
import hashlib
import logging
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence

import tenacity

from scripts.common.checksums import seal, write_beside
from scripts.common.errors import UserError, run_step
from scripts.common.files import atomic_path, read_json, whole_folder, write_json
from scripts.common.settings import parse_settings
from scripts.data.refusals import REFUSED

LOG = logging.getLogger(__name__)

ATTEMPTS = 4
WAIT = tenacity.wait_exponential_jitter(multiplier=2, max=60)
TIMEOUT_S = (10, 60)
"""Seconds to wait for a connection and for the next bytes."""
CHUNK = 1 << 20
ELSEWHERE = "connect this machine, or download on another one and set data.source: mirror"

MODEL_FILES = (
    "model*.safetensors",
    "model*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "spiece.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
)
"""Files taken from a model's repository: weights as safetensors, tokenizer, configuration; all from its top folder."""


class Refused(UserError):
    """A server said no for good: no such file, no right to it. Noted beside the target, so that the next plan knows."""


class TransientError(Exception):
    """A failure that may pass by itself, such as a busy server: tried again."""


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


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """A model of the hub; `revision` None takes the commit recorded at the first download, or the newest."""

    name: str
    hub: str
    revision: str | None


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    file = commands.add_parser("file", help="fetch one raw file of a data set")
    file.add_argument("--file-out", required=True, type=Path)
    model = commands.add_parser("model", help="fetch one model")
    model.add_argument("--model-out", required=True, type=Path)
    check = commands.add_parser("check", help="check a file of a mirror; writes nothing")
    check.add_argument("--file", required=True, type=Path, help="also found as FILE.gz")
    for command in (file, model, check):
        command.add_argument(
            "--settings", required=True, help="JSON: scripts.data.registry.file_settings, model_settings"
        )
    for command in (file, model):
        command.add_argument("--checksums", required=True, type=Path, help="JSON with what was fetched before")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one of the commands file, model and check."""
    args = parse_args(argv)
    if args.command == "file":
        with refusal_noted(args.file_out):
            fetch_file(parse_settings(FileSettings, args.settings), args.file_out, args.checksums)
    elif args.command == "model":
        with refusal_noted(args.model_out):
            fetch_model(parse_settings(ModelSettings, args.settings), args.model_out, args.checksums)
    else:
        check_mirror(parse_settings(FileSettings, args.settings), args.file)


@contextlib.contextmanager
def refusal_noted(target: Path) -> Iterator[None]:
    """Leave a note beside a target that a server refuses, for `scripts.data.absences`; remove an earlier one first."""
    note = target.with_name(f"{target.name}{REFUSED}")
    note.unlink(missing_ok=True)
    try:
        yield
    except Refused as error:
        with atomic_path(note) as temporary:
            temporary.write_text(f"{error}; remove {note.name} to try again\n", encoding="utf-8")
        raise


def fetch_file(settings: FileSettings, target: Path, checksums: Path) -> None:
    """Fetch one file whole or not at all. Raises `UserError` for anything that keeps it from being the right file."""
    if settings.hub is None and settings.url is None:
        raise UserError(f"{settings.name}: has neither 'url' nor 'hub' in the registry; add one")
    with _room_named(target), atomic_path(target) as temporary, _folder_beside(temporary) as folder:
        fetch = _fetch_url if settings.hub is None else _fetch_hub_files
        parts = _with_retries(settings.origin, lambda: fetch(settings, folder))
        found = check_content(settings, parts, recorded(checksums, settings.name, settings.origin, "sha256"))
        _join(settings, parts, temporary)
        record(checksums, settings.name, settings.origin, "sha256", found)
        write_beside(target, sum_of=temporary)  # before the file itself: a killed fetch leaves none without its sum
    LOG.info("%s: fetched from %s, sha256 %s", target, settings.origin, found)


def check_mirror(settings: FileSettings, path: Path) -> None:
    """Check that a mirror holds the file, packed or not, with the registry's checksum. Raises `UserError` if not."""
    packed = path.with_name(path.name + ".gz")
    source = path if path.is_file() or not packed.is_file() else packed
    if not source.is_file():
        raise UserError(
            f"{path}: not in the mirror (nor {packed.name}), wanted as {settings.name}; get it from {settings.origin} "
            "or mend data.mirror"
        )
    LOG.info("%s: sha256 %s", source, check_content(settings, [source], None, packed=source == packed))


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
    opened: Callable[..., Any] = gzip.open if packed else open
    try:
        with opened(path, "rb") as stream:
            yield from iter(lambda: stream.read(CHUNK), b"")
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise UserError(f"{path}: damaged or incomplete gzip file; fetch it again") from None


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


@contextlib.contextmanager
def _room_named(target: Path) -> Iterator[None]:
    """Turn a full disk into a `UserError` that names the target."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(f"{target}: no space left on the disk; free some and run again, nothing was kept") from None


def _with_retries(origin: str, fetch: Callable[[], Any]) -> Any:
    """Run `fetch` until it succeeds, waiting longer each time, at most ATTEMPTS times."""
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=WAIT,
        retry=tenacity.retry_if_exception_type(TransientError),
        before_sleep=lambda state: LOG.warning("%s: %s; trying again", origin, state.outcome.exception()),
        reraise=True,
    )
    try:
        return retrying(fetch)
    except TransientError as error:
        raise UserError(f"{origin}: {error}, {ATTEMPTS} times in a row; try later, {ELSEWHERE}") from None


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


@contextlib.contextmanager
def _hub_errors(name: str, origin: str) -> Iterator[None]:
    """Turn what the hub's library raises into a `TransientError` or a one-line `UserError`."""
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except errors.OfflineModeIsEnabled:
        raise UserError(f"{name}: {origin}: HF_HUB_OFFLINE is set; unset it, {ELSEWHERE}") from None
    except errors.GatedRepoError:
        raise Refused(f"{name}: {origin}: access refused; accept its licence on the hub and set HF_TOKEN") from None
    except errors.RevisionNotFoundError:
        raise Refused(f"{name}: {origin}: no such revision on the hub; mend it in the registry") from None
    except errors.RepositoryNotFoundError:
        raise Refused(
            f"{name}: {origin}: no such repository on the hub, or a private one; mend the id or set HF_TOKEN"
        ) from None
    except errors.RemoteEntryNotFoundError:
        raise Refused(f"{name}: {origin}: no such file in that repository; mend the path in the registry") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        if status is None or status in (408, 425, 429) or status >= 500:
            raise TransientError(f"the hub answers HTTP {status}") from None
        raise Refused(
            f"{name}: {origin}: the hub answers HTTP {status}; check the id, the revision and HF_TOKEN"
        ) from None
    except (errors.LocalEntryNotFoundError, errors.FileMetadataError, httpx2.TransportError) as error:
        raise TransientError(f"cannot get it from the hub ({type(error).__name__})") from None
    except errors.HFValidationError as error:
        raise UserError(f"{name}: {origin}: {str(error).splitlines()[0]}; mend the id in the registry") from None


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
    with _hub_errors(settings.name, settings.origin):
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
        with _hub_errors(repo, origin):
            return huggingface_hub.HfApi().list_repo_files(repo, repo_type="dataset", revision=revision)

    origin = f"{repo}@{revision}"
    return sorted(_with_retries(origin, ask))


def fetch_model(settings: ModelSettings, target: Path, checksums: Path) -> None:
    """Fetch weights (safetensors), tokenizer and configuration of a model into a folder, whole or not at all."""
    known = recorded(checksums, settings.name, settings.hub, "revision")
    revision = settings.revision or known
    origin = f"{settings.hub}@{revision or 'newest'}"
    with _room_named(target), whole_folder(target) as folder:
        commit = _with_retries(origin, lambda: _fetch_snapshot(settings, revision, origin, folder))
        seal(folder)
    record(checksums, settings.name, settings.hub, "revision", commit)
    LOG.info("%s: fetched %s at commit %s", target, settings.hub, commit)


def _fetch_snapshot(settings: ModelSettings, revision: str | None, origin: str, folder: Path) -> str:
    import huggingface_hub

    with _hub_errors(settings.name, origin):
        info = huggingface_hub.HfApi().model_info(settings.hub, revision=revision)
        names = [file.rfilename for file in info.siblings or []]
        wanted = [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in MODEL_FILES)]
        if not any(name.endswith(".safetensors") for name in wanted):
            raise UserError(
                f"{settings.name}: {origin}: holds no safetensors weights; save them as safetensors yourself and give "
                "that folder as 'local' in the registry, or choose a revision that has them"
            )
        huggingface_hub.snapshot_download(
            settings.hub, revision=info.sha, allow_patterns=wanted, local_dir=folder, max_workers=4
        )
    missing = [name for name in wanted if not (folder / name).is_file()]
    if missing:
        raise TransientError(f"file {missing[0]} did not arrive")
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    return str(info.sha)


def recorded(checksums: Path, name: str, origin: str, key: str) -> str | None:
    """Return what was recorded for `name` when it came from the same origin, or None."""
    if not checksums.is_file():
        return None
    entry = read_json(checksums).get(name, {})
    return entry.get(key) if entry.get("from") == origin else None


def record(checksums: Path, name: str, origin: str, key: str, value: str) -> None:
    """Note in the checksum file what was fetched; safe against other downloads that do the same at this moment."""
    checksums.parent.mkdir(parents=True, exist_ok=True)
    with open(checksums.with_name(f".{checksums.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = read_json(checksums) if checksums.is_file() else {}
        write_json(checksums, {**known, name: {"from": origin, key: value}})


if __name__ == "__main__":
    run_step(main)
