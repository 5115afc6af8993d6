"""The files of one split in a folder, as people and the hub lay them out.

`train.jsonl` (any form, plain or packed), shards `train-00000-of-00002.parquet` and `train_0.json`, all of them also
below `data/` or `default/`, and a folder `train/` of parquet files. Shards that say how many they are must be whole.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import NamedTuple, Sequence

from scripts.common.errors import UserError
from scripts.common.packed import bare_name
from scripts.data.endings import ENDINGS, PACKED_ENDINGS

LOG = logging.getLogger(__name__)

TRAINING = ("train", "training")
VALIDATION = ("valid", "validation", "val", "dev")
"""What files of training and of validation rows are called."""
SPLIT_NAMES = {"train": TRAINING, "valid": VALIDATION, "test": ("test",)}
BELOW = ("", "data", "default")
"""Folders below the given one in which the hub keeps shards."""
_SHARD = re.compile(r"[-_](?P<number>\d{1,6})(?:-of-(?P<total>\d{1,6}))?(?:-[0-9a-f]{6,40})?")


_NAMED = re.compile(
    r"(?P<prefix>(?:.*[-_.])?)"
    rf"(?P<name>{'|'.join(name for names in SPLIT_NAMES.values() for name in names)})(?P<part>(?:{_SHARD.pattern})?)"
)


class Named(NamedTuple):
    """A file that is a split or a part of one by its name: what stands before the split's name, and the part."""

    path: Path
    prefix: str
    split: str
    part: str


def named(path: Path) -> Named | None:
    """Return which split (a key of SPLIT_NAMES) a file is by its name; None if its name does not say."""
    bare = Path(bare_name(path))
    found = _NAMED.fullmatch(bare.stem) if bare.suffix.lower() in ENDINGS else None
    if found is None:
        return None
    split = next(split for split, names in SPLIT_NAMES.items() if found["name"] in names)
    return Named(path, found["prefix"], split, found["part"])


def named_files(folder: Path) -> list[Named]:
    """Return the files of a folder, and of those below it that the hub uses, whose names say which split they are."""
    found = []
    for place in (folder / below for below in BELOW):
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            known = named(path)
            if known is not None and path.is_file():
                found.append(known)
    return found


def names_of(split: str) -> tuple[str, ...]:
    """Return what a split's files may be called: that of validation rows has four names, `train` two."""
    known = VALIDATION if split in VALIDATION else SPLIT_NAMES.get(split, ())
    return (split, *(name for name in known if name != split))


def find_split_files(folder: Path, stems: Sequence[str], endings: Sequence[str] = tuple(ENDINGS)) -> list[Path]:
    """Return the files of a split in their order, or none if there are none.

    stems: names without ending, such as valid, validation, val, dev. Where files of several of them are there, or
    shards are missing, a `UserError` says so. Of one stem in two forms (train.json, train.csv) the first is read, with
    a warning.
    """
    found = {}
    for stem in stems:
        for below in BELOW:
            files = _of_stem(folder / below, stem, endings)
            if files:
                found[stem] = files
                break
    if len(found) > 1:
        shown = ", ".join(files[0].name for files in found.values())
        raise UserError(f"{folder}: holds several files for one split ({shown}); keep the one that is meant")
    return next(iter(found.values()), [])


def _of_stem(folder: Path, stem: str, endings: Sequence[str]) -> list[Path]:
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    there = {path.name[len(stem) :].lower(): path for path in paths if path.name.startswith(stem) and path.is_file()}
    wanted = [f"{ending}{packed}" for ending in endings for packed in PACKED_ENDINGS]
    plain = [there[ending] for ending in wanted if ending in there]
    if plain:
        if len(plain) > 1:
            LOG.warning("%s is read; %s is there too", plain[0], ", ".join(path.name for path in plain[1:]))
        return plain[:1]
    shards = _shards(folder, stem, endings)
    if shards:
        return shards
    return sorted((folder / stem).glob("*.parquet"))


def _shards(folder: Path, stem: str, endings: Sequence[str]) -> list[Path]:
    """Return the shards of a split by their numbers. Raises `UserError` where one is missing."""
    if not folder.is_dir():
        return []
    parts: dict[int, Path] = {}
    totals = set()
    for path in sorted(folder.iterdir()):
        bare = Path(bare_name(path))
        found = _SHARD.fullmatch(bare.stem[len(stem) :]) if bare.stem.startswith(stem) else None
        if found and bare.suffix.lower() in endings and path.is_file():
            number = int(found["number"])
            if number in parts:
                raise UserError(
                    f"{path}: is part {number} of '{stem}', and so is {parts[number].name}; keep one of them"
                )
            parts[number] = path
            if found["total"]:
                totals.add(int(found["total"]))
    if len(totals) > 1 or (totals and len(parts) != max(totals)):
        missing = [number for number in range(max(totals)) if number not in parts]
        told = f"part {missing[0]} of {max(totals)} is missing" if missing else "the parts say different totals"
        raise UserError(f"{folder}: {told} of '{stem}' ({len(parts)} are there); fetch all parts")
    return [parts[number] for number in sorted(parts)]
