"""What fetching files and fetching models share: retries, the hub's faults in one line, what was fetched before."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
from pathlib import Path
from typing import Any, Callable, Iterator

import tenacity

from scripts.common.errors import UserError
from scripts.common.files import atomic_path, read_json, write_json
from scripts.data.refusals import REFUSED

LOG = logging.getLogger(__name__)

ATTEMPTS = 4
WAIT = tenacity.wait_exponential_jitter(multiplier=2, max=60)
ELSEWHERE = "connect this machine, or download on another one and set data.source: mirror"


class TransientError(Exception):
    """A failure that may pass by itself, such as a busy server: tried again."""


class Refused(UserError):
    """A server said no for good: no such file, no right to it. Noted beside the target, so that the next plan knows."""


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


@contextlib.contextmanager
def room_named(target: Path) -> Iterator[None]:
    """Turn a full disk into a `UserError` that names the target."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(f"{target}: no space left on the disk; free some and run again, nothing was kept") from None


def with_retries(origin: str, fetch: Callable[[], Any]) -> Any:
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


@contextlib.contextmanager
def hub_errors(name: str, origin: str) -> Iterator[None]:
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
