"""Which registered files and models cannot be had and why, asked before a run is planned: the rest is built."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Iterable, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.common.files import PathLike
from scripts.data.refusals import refusal
from scripts.data.registry import find_row, packed_or_plain

RESULTS = "results"
DOWNLOADS = f"{RESULTS}/downloads"
"""Where downloads go: upstream files do not depend on the tier."""


def split_groups(splits: Sequence[str]) -> dict[str, list[str]]:
    """Return {split: its registered parts}: train_0, train_1, ... are parts of train, a whole split is its own part."""
    found: dict[str, list[str]] = {}
    for name in splits:
        part = re.fullmatch(r"(.+)_[0-9]+", name)
        whole = part[1] if part and f"{part[1]}_0" in splits and part[1] not in splits else name
        found.setdefault(whole, []).append(name)
    return found


def missing_files(files: Mapping[str, str], where: str) -> str:
    """Return why not all files of a split are there; an empty text if they are.

    files: {name in the registry: path}; where: what holds them, for the message.
    """
    made = Path(RESULTS)  # a rule may still make what lies there
    gone = [
        name
        for name, path in files.items()
        if not os.path.exists(packed_or_plain(path)) and made not in Path(path).parents
    ]
    if not gone:
        return ""
    count = "" if len(files) == 1 else f" ({len(gone)} of {len(files)} files are missing)"
    return f"{where} has no {gone[0]}{count}"


def split_absence(
    row: Mapping[str, Any], parts: Sequence[str], *, source: str, mirror: PathLike | None, downloads_root: PathLike
) -> str:
    """Return why one split of a data set cannot be had; an empty text if it can, as far as is known before a run.

    row: of the data set registry; parts: its splits that together are the split; source, mirror: the config's
    data.source and data.mirror; downloads_root: where downloads go.
    """
    files = [row["splits"][part]["file"] for part in parts]
    if row["origin"] == "local":
        return missing_files({file: file for file in files}, "this machine")
    if row["origin"] == "public" and source == "mirror" and mirror:
        return missing_files({file: os.path.join(mirror, file) for file in files}, "the mirror (data.mirror)")
    if row["origin"] == "public" and source == "hub":
        paths = [os.path.join(downloads_root, file) for file in files]
        return next((reason for path in paths if not os.path.exists(path) and (reason := refusal(path))), "")
    return ""


def absences(
    datasets: Mapping[str, Mapping[str, Any]],
    models: Mapping[str, Mapping[str, Any]],
    *,
    left_out: Sequence[str],
    source: str,
    mirror: PathLike | None,
    downloads_root: PathLike,
) -> dict[str, str]:
    """Return {<dataset>/<split> or model: why it cannot be had}; what is not among them can be had.

    datasets, models: the registries; left_out: the config's data.left_out, names of data sets, <dataset>/<split> or
    models; downloads_root: folder with `datasets` and `models`. The others as in `split_absence`. Raises `UserError`
    for an unknown name in left_out.
    """
    for entry in unknown_names(left_out, datasets, models):
        hint = did_you_mean(entry, [*datasets, *models])
        raise UserError(f"data.left_out: '{entry}' is no registered data set, <dataset>/<split> or model{hint}")
    told = "{} is named in data.left_out"
    found: dict[str, str] = {}
    for name, row in datasets.items():
        for split, parts in split_groups(list(row["splits"])).items():
            key = f"{name}/{split}"
            named = next((told.format(entry) for entry in (name, key) if entry in left_out), "")
            folder = os.path.join(downloads_root, "datasets")
            reason = named or split_absence(row, parts, source=source, mirror=mirror, downloads_root=folder)
            if reason:
                found[key] = reason
    for name, row in models.items():
        here = row["local"] or os.path.join(downloads_root, "models", name)
        if name in left_out:
            found[name] = told.format(name)
        elif row["local"] and not os.path.isdir(here) and Path(RESULTS) not in Path(here).parents:
            found[name] = f"this machine has no folder {here}"
        elif not row["local"] and not os.path.isdir(here) and (reason := refusal(here)):
            found[name] = reason
    return found


def absences_of(
    config: Mapping[str, Any], datasets: Mapping[str, Mapping[str, Any]], models: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Return `absences` as a merged config has it; a paper's plan leaves out what needs these and says so."""
    data = config["data"]
    return absences(
        datasets,
        models,
        left_out=data["left_out"],
        source=data["source"],
        mirror=data["mirror"],
        downloads_root=DOWNLOADS,
    )


def file_absences(
    config: Mapping[str, Any], datasets: Mapping[str, Mapping[str, Any]], files: Iterable[tuple[str, str]]
) -> dict[str, str]:
    """Return {<dataset>/<split>: why it cannot be had} of single registered files, where not all parts are read.

    config: merged; files: (dataset, split), a part (train_0) for itself. The keys are those of `files`. Raises
    `UserError` for a data set that is not registered; a split that is not is a reason.
    """
    data, found = config["data"], {}
    folder = os.path.join(DOWNLOADS, "datasets")
    for name, split in dict.fromkeys(files):
        row = find_row(datasets, name, "dataset")
        whole = next((group for group, parts in split_groups(list(row["splits"])).items() if split in parts), None)
        named = [entry for entry in (name, f"{name}/{split}", f"{name}/{whole}") if entry in data["left_out"]]
        if whole is None:
            found[f"{name}/{split}"] = f"the registered data set {name} has no split {split}"
        elif named:
            found[f"{name}/{split}"] = f"{named[0]} is named in data.left_out"
        elif reason := split_absence(row, [split], source=data["source"], mirror=data["mirror"], downloads_root=folder):
            found[f"{name}/{split}"] = reason
    return found


def unknown_names(
    left_out: Sequence[str], datasets: Mapping[str, Mapping[str, Any]], models: Mapping[str, Any]
) -> list[str]:
    """Return the entries of data.left_out that name no registered data set, split or model."""
    known = {*datasets, *models}
    known |= {f"{name}/{split}" for name, row in datasets.items() for split in split_groups(list(row["splits"]))}
    return [entry for entry in left_out if entry not in known]
