"""The registries of data sets and models: read, checked, merged with the user's own, turned into paths and settings.

`config/datasets.yaml` and `config/models.yaml` hold the rows that come with the project; a user's files add rows or
replace them by name. Imported by the Snakefile, so nothing heavy is loaded here.
"""

from __future__ import annotations

import functools
import glob
import os
import re
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.common.files import PathLike
from scripts.common.yaml_files import read_yaml
from scripts.data.endings import PACKED_ENDINGS
from scripts.data.split_files import find_split_files, names_of

REQUIRED = object()
ORIGINS = ("public", "synthetic", "local")
SOURCES = ("hub", "mirror", "synthetic")
QUOTING = ("yes", "no")
TURNS = ("first", "last")
FAMILIES = ("causal", "encoder", "encoder_decoder")

DATASET_KEYS: dict[str, Any] = {
    "title": None,
    "schema": REQUIRED,
    "reader": REQUIRED,
    "origin": "public",
    "licence": None,
    "homepage": None,
    "notes": None,
    "columns": {},
    "labels": None,
    "header": None,
    "delimiter": None,
    "quoting": None,
    "turns": None,
    "splits": REQUIRED,
}
OPTIONAL_KEYS = ("delimiter", "quoting", "turns")
"""Keys that say how a table is written and which answer of a conversation is read; found by looking where not given."""
SPLIT_KEYS: dict[str, Any] = {
    "file": REQUIRED,
    "url": None,
    "hub": None,
    "sha256": None,
    "git_blob": None,
    "references": None,
    "parts": None,
}
HUB_KEYS: dict[str, Any] = {"repo": REQUIRED, "revision": REQUIRED, "path": REQUIRED}
MODEL_KEYS: dict[str, Any] = {
    "title": None,
    "hub": None,
    "revision": None,
    "family": REQUIRED,
    "local": None,
    "wheel": None,
    "path": None,
    "sha256": None,
    "licence": None,
    "notes": None,
}
MODEL_SOURCES = ("hub", "wheel", "local")
WHEEL = re.compile(r"[A-Za-z0-9][\w.-]*==[\w.!+-]+")


def _filled(row: Any, keys: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return a row with all its keys. Raises `UserError` for an unknown or missing one, or if it is no mapping."""
    if not isinstance(row, dict):
        raise UserError(f"{place}: expected keys and values ({', '.join(keys)}), found {type(row).__name__}")
    for key in row:
        if key not in keys:
            raise UserError(f"{place}.{key}: unknown key{did_you_mean(str(key), list(keys))}; known: {', '.join(keys)}")
    for key, default in keys.items():
        if default is REQUIRED and row.get(key) in (None, ""):
            raise UserError(f"{place}.{key}: is missing; add it (see the other rows)")
    return {key: default if row.get(key) is None else row[key] for key, default in keys.items()}


def _spread(splits: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the splits with each one of `parts: n` spread into the n splits `<name>_0`, `<name>_1`, ...

    "{part}" in its file, url and path becomes the part's number; a list of checksums has one entry per part.
    """
    spread: dict[str, Any] = {}
    for name, split in splits.items():
        here = f"{place}.splits.{name}"
        if not isinstance(split, dict) or split.get("parts") is None:
            spread[name] = split
            continue
        parts = split["parts"]
        if not isinstance(parts, int) or isinstance(parts, bool) or parts < 1:
            raise UserError(f"{here}.parts: {parts!r} is not a number from 1 on; give the number of files")
        if "{part}" not in str(split.get("file")):
            raise UserError(f"{here}.file: lacks '{{part}}', which stands for the number of the part; add it")
        for number in range(parts):
            one = {key: _of_part(split[key], number, f"{here}.{key}", parts) for key in split if key != "parts"}
            spread[f"{name}_{number}"] = one
    return spread


def _of_part(value: Any, number: int, place: str, parts: int) -> Any:
    """Return a split's value for one of its parts."""
    if isinstance(value, dict):
        return {key: _of_part(inner, number, f"{place}.{key}", parts) for key, inner in value.items()}
    if isinstance(value, list):
        if len(value) != parts:
            raise UserError(f"{place}: names {len(value)} values for {parts} parts; give one per part")
        return value[number]
    return value.replace("{part}", str(number)) if isinstance(value, str) else value


def _check_name(path: Any, place: str) -> None:
    """Refuse a path that Snakemake would take for a pattern."""
    if "{" in str(path) or "}" in str(path):
        raise UserError(f"{place}: '{path}' holds a brace, which stands for a wildcard in Snakemake; rename it")


def checked_reading(values: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return labels, header, quoting and turns of a row, or of a step's settings, as the readers take them."""
    for key in ("labels", "header"):
        for value in values.get(key) or ():
            if not isinstance(value, str):
                raise UserError(
                    f"{place}.{key}: {value!r} is not text; put it in quotes (YAML reads yes, no, 1 otherwise)"
                )
    found = {key: values.get(key) for key in ("labels", "header")}
    for key, known in (("quoting", QUOTING), ("turns", TURNS)):
        value = {True: "yes", False: "no"}.get(values.get(key), values.get(key))  # YAML reads a bare yes as true
        if value is not None and value not in known:
            raise UserError(f"{place}.{key}: {value!r} is none of {', '.join(known)}; choose one")
        found[key] = value
    return found


def _dataset(row: Any, place: str) -> dict[str, Any]:
    filled = _filled(row, DATASET_KEYS, place)
    if filled["origin"] not in ORIGINS:
        raise UserError(f"{place}.origin: '{filled['origin']}' is none of {', '.join(ORIGINS)}; choose one")
    if not isinstance(filled["splits"], dict) or not filled["splits"]:
        raise UserError(f"{place}.splits: expected at least one split with its file")
    filled |= checked_reading(filled, place)
    splits = {}
    for name, split in _spread(filled["splits"], place).items():
        here = f"{place}.splits.{name}"
        splits[name] = _filled(split, SPLIT_KEYS, here)
        _check_name(splits[name]["file"], f"{here}.file")
        if splits[name]["hub"] is not None:
            splits[name]["hub"] = _filled(splits[name]["hub"], HUB_KEYS, f"{here}.hub")
        if filled["origin"] == "public" and splits[name]["url"] is None and splits[name]["hub"] is None:
            raise UserError(f"{here}: a public file needs 'url' or 'hub'; add one, or set origin: local")
    for name, split in splits.items():
        if split["references"] is not None and split["references"] not in splits:
            raise UserError(
                f"{place}.splits.{name}.references: no split '{split['references']}'"
                f"{did_you_mean(split['references'], list(splits))}; name the split that holds the reference answers"
            )
    return {**filled, "splits": splits}


_OF_WHEEL = {
    "path": "give the GGUF file, or the model's folder, inside the package",
    "sha256": "give that of the weights, the GGUF or safetensors file",
}


def _model(row: Any, place: str) -> dict[str, Any]:
    filled = _filled(row, MODEL_KEYS, place)
    if sum(filled[source] is not None for source in MODEL_SOURCES) != 1:
        raise UserError(
            f"{place}: give either 'hub' (an id on the model hub), 'wheel' (a package of the Python index) or 'local' "
            "(a folder or a GGUF file), and only one of them"
        )
    if filled["wheel"] is not None and WHEEL.fullmatch(str(filled["wheel"])) is None:
        raise UserError(f"{place}.wheel: '{filled['wheel']}' is not of the form name==version; give one exact version")
    for key in ("path", "sha256"):
        if (filled[key] is None) != (filled["wheel"] is None):
            raise UserError(f"{place}.{key}: goes with 'wheel', and a wheel needs it; " + _OF_WHEEL[key])
    if filled["sha256"] is not None and re.fullmatch(r"[0-9a-f]{64}", str(filled["sha256"])) is None:
        raise UserError(f"{place}.sha256: '{filled['sha256']}' is not 64 hexadecimal digits; " + _OF_WHEEL["sha256"])
    for key in ("local", "path"):
        _check_name(filled[key], f"{place}.{key}")
    if filled["family"] not in FAMILIES:
        raise UserError(f"{place}.family: '{filled['family']}' is none of {', '.join(FAMILIES)}; choose one")
    return filled


def load_registry(kind: str, extra: Sequence[PathLike] = (), folder: PathLike = "config") -> dict[str, dict[str, Any]]:
    """Read a registry and the user's additions to it; a later row replaces an earlier one of the same name.

    kind: "datasets" or "models", the name of the file in `folder`; extra: the user's files.
    Returns name -> row with every optional key filled in. Raises `UserError` naming file, row and key.
    """
    registry: dict[str, dict[str, Any]] = {}
    for path in (Path(folder) / f"{kind}.yaml", *extra):
        state = os.stat(path) if os.path.exists(path) else None
        own = _rows_of(kind, str(path), state and (state.st_mtime_ns, state.st_size, state.st_ino))
        registry.update({name: dict(row) for name, row in own.items()})
    return registry


@functools.lru_cache(maxsize=64)
def _rows_of(kind: str, path: str, _state: tuple[int, ...] | None) -> dict[str, dict[str, Any]]:
    """Return the rows of one file, read once for each content: the plan of every paper asks for them."""
    content, build = read_yaml(path), {"datasets": _dataset, "models": _model}[kind]
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected rows by name, found {type(content).__name__}")
    return {str(name): build(row, f"{path}: {name}") for name, row in content.items()}


def find_row(registry: Mapping[str, dict[str, Any]], name: str, kind: str) -> dict[str, Any]:
    """Return a row. Raises `UserError` with the nearest name; `kind` ("dataset", "model") is for that message."""
    if name not in registry:
        raise UserError(
            f"{kind} '{name}': not in the registry{did_you_mean(name, list(registry))}; add a row to a file of your "
            f"own and name that file under registries.{kind}s"
        )
    return registry[name]


def find_split(row: Mapping[str, Any], name: str, split: str) -> dict[str, Any]:
    """Return a split of the data set called `name`. Raises `UserError` naming those it has."""
    if split not in row["splits"]:
        raise UserError(
            f"dataset '{name}': no split '{split}'{did_you_mean(split, list(row['splits']))}; "
            f"it has {', '.join(row['splits'])}"
        )
    return row["splits"][split]


def split_parts(registry: Mapping[str, dict[str, Any]], name: str, split: str) -> list[str]:
    """Return the registered splits that together are one split: itself, or its parts `<split>_0`, `<split>_1`, ...

    Raises `UserError` naming the splits there are.
    """
    row = find_row(registry, name, "dataset")
    if split in row["splits"]:
        return [split]
    parts = [f"{split}_{number}" for number in range(len(row["splits"]))]
    found = [part for part in parts if part in row["splits"]]
    if not found:
        find_split(row, name, split)
    return found


def packed_or_plain(path: PathLike) -> str:
    """Return the path as it is, or with the ending of its packing (.gz, .zst, ...) if only the packed file is there."""
    plain = os.fspath(path)
    if os.path.exists(plain):
        return plain
    return next((plain + ending for ending in PACKED_ENDINGS if ending and os.path.exists(plain + ending)), plain)


def local_files(file: str, place: str, split: str) -> str | list[str]:
    """Return one's own file, packed or not; the files that a pattern with * matches, or those of the split in a folder.

    A file whose name holds * is that file.

    Raises `UserError` where a pattern or a folder has no file of the split.
    """
    if os.path.isdir(file):
        found = [str(path) for path in find_split_files(Path(file), names_of(split))]
        if not found:
            raise UserError(
                f"{place}: folder {file} has no file of '{split}'; expected {split}.jsonl, .csv, .parquet ..."
            )
        return found
    if "*" in file and not os.path.exists(packed_or_plain(file)):
        found = sorted(glob.glob(file))
        if not found:
            raise UserError(f"{place}: no file matches {file}; check the pattern")
        return found
    return packed_or_plain(file)


def raw_path(
    registry: Mapping[str, dict[str, Any]],
    name: str,
    split: str,
    *,
    source: str,
    mirror: PathLike | None,
    raw_root: PathLike,
    downloads_root: PathLike,
) -> str | list[str]:
    """Return where the raw file of one split lies or will lie; of one's own files perhaps several, its parts.

    source, mirror: the config's data.source and data.mirror, which apply to public data; raw_root: where synthetic data
    are written; downloads_root: where downloads go, laid out like a mirror. Raises `UserError` where there is no way to
    the file: public data when data.source is synthetic, or a mirror that is not named.
    """
    row = find_row(registry, name, "dataset")
    file = find_split(row, name, split)["file"]
    if source not in SOURCES:
        raise UserError(f"data.source: '{source}' is none of {', '.join(SOURCES)}; choose one")
    if row["origin"] == "local":
        return local_files(file, f"dataset '{name}': splits.{split}.file", split)
    if row["origin"] == "synthetic":
        return os.path.join(raw_root, file)
    if source == "hub":
        return os.path.join(downloads_root, file)
    if source == "synthetic":
        raise UserError(
            f"dataset '{name}': is public, but data.source is synthetic; set data.source to hub or mirror, "
            "or choose a mini_* data set"
        )
    if not mirror:
        raise UserError("data.mirror: is empty, but data.source is mirror; name the folder that holds the files")
    return packed_or_plain(os.path.join(mirror, file))


def references_split(registry: Mapping[str, dict[str, Any]], name: str, split: str) -> str | None:
    """Return the split that holds the reference answers to this one (MT-Bench), or None."""
    return find_split(find_row(registry, name, "dataset"), name, split)["references"]


def prepare_settings(
    registry: Mapping[str, dict[str, Any]], name: str, split: str, limit: int | None = None, seed: int = 0
) -> dict[str, Any]:
    """Return the settings of step prepare_examples for one split; limit and seed choose a random sub-sample."""
    row = find_row(registry, name, "dataset")
    find_split(row, name, split)
    own = {key: row[key] for key in ("reader", "schema", "columns", "labels", "header")}
    own |= {key: row[key] for key in OPTIONAL_KEYS if row[key] is not None}
    return {**own, "task": name, "limit": limit, "seed": seed}


def file_settings(registry: Mapping[str, dict[str, Any]], name: str, split: str) -> dict[str, Any]:
    """Return the settings of step download (file, check) for one split: where it is had and its checksums."""
    wanted = find_split(find_row(registry, name, "dataset"), name, split)
    return {"name": f"{name}/{split}", **{key: wanted[key] for key in ("url", "hub", "sha256", "git_blob")}}


def model_settings(registry: Mapping[str, dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the settings of step download_model. Raises `UserError` for a local folder that is used as it is."""
    row = find_row(registry, name, "model")
    if is_as_it_is(row):
        raise UserError(f"model '{name}': lies in {row['local']}; there is nothing to download")
    given = {key: row[key] for key in ("hub", "revision", "wheel", "path", "sha256", "local") if row[key] is not None}
    return {"name": name, **given}


def is_as_it_is(row: Mapping[str, Any]) -> bool:
    """Return whether a model is loaded from its local folder, and not from one that download_model makes of it.

    A GGUF file, and a folder whose weights are pickles only, are converted first.
    """
    if row["local"] is None:
        return False
    folder = Path(row["local"])
    pickled = folder.is_dir() and any(folder.glob("pytorch_model*.bin")) and not any(folder.glob("*.safetensors"))
    return folder.suffix != ".gguf" and not pickled


def model_source(registry: Mapping[str, dict[str, Any]], name: str, *, downloads_root: PathLike) -> str:
    """Return the folder from which a model is loaded: its local folder, or where download_model puts it."""
    row = find_row(registry, name, "model")
    return row["local"] if is_as_it_is(row) else os.path.join(downloads_root, name)
