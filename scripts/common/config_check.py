"""The check of the merged config and of the registries: every fault at once, one line each, with what to do about it.

The typed settings (classes under `scripts.common.fields.Settings`) say which keys there are and what they may hold; the
check reads them as JSON Schema (`scripts.common.schema`). Three keywords of our own tie a value to other places:
`registry` names the registry in which it must stand, `keyOf` the map of the config, `named` a list of names. Those
lists, and the classes of all that stands on a higher floor, are brought along by whoever calls the check.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping, Sequence, Type

from scripts.common.config_settings import Shared
from scripts.common.errors import UserError
from scripts.common.fields import Settings
from scripts.common.files import PathLike, read_text
from scripts.common.registry_settings import ROWS
from scripts.common.schema import map_schema, schema_of
from scripts.common.schema_faults import schema_faults
from scripts.common.yaml_files import parse_yaml

Sections = Mapping[str, Type[Settings]]


def check_config(
    config: Mapping[str, Any], sections: Sections, names: Mapping[str, Sequence[str]], root: PathLike = "."
) -> None:
    """Print every fault of the config and the registries to stderr and end with status 1 if there is one.

    Arguments as for `config_faults`.
    It ends the program itself because Snakemake would wrap an exception in the code that raised it.
    """
    faults = config_faults(config, sections, names, root)
    if faults:
        print("\n".join(faults), file=sys.stderr)  # noqa: T201
        sys.exit(1)


def typed(value: Any) -> Any:
    """Return what `--config` gave, with numbers, true, false and null as such.

    Snakemake reads them so where they are a whole setting, but as texts inside maps and lists.
    """
    import yaml

    if isinstance(value, Mapping):
        return {key: typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    if not isinstance(value, str):
        return value
    try:
        found = yaml.safe_load(value)
    except yaml.YAMLError:
        return value
    return found if found is None or isinstance(found, (bool, int, float)) else value


def config_faults(
    config: Mapping[str, Any], sections: Sections, names: Mapping[str, Sequence[str]], root: PathLike = "."
) -> list[str]:
    """Return the faults of the merged config and of the registries it names, one line each, none if all is well.

    sections: {key of the config: its class} beside the settings that all share; `SECTIONS` of the papers' settings and
    of the other folders that have some. names: the lists that settings call by `named`. root: folder of the project,
    which holds config/ and to which relative paths of the config are relative.
    """
    base = Path(root)
    registries: dict[str, dict[str, Any]] = {}
    registry_faults: list[str] = []
    for kind in ROWS:
        registries[kind], found = read_registry(kind, _extra_files(config, kind), base)
        registry_faults += found
    schema = config_schema(sections, sorted(path.stem for path in (base / "config" / "papers").glob("*.yaml")))
    faults = [f"config: {line}" for line in schema_faults(config, schema, registries, names)]
    faults += [f"config: {line}" for line in source_faults(config, schema, registries["datasets"], base)]
    return faults + registry_faults


def config_schema(sections: Sections, papers: Sequence[str]) -> dict[str, Any]:
    """Return the schema of the merged config: what all share, and one required key for each section.

    papers: what `papers` may list and `overview` may name. Raises ValueError if a paper has no section.
    """
    without = [paper for paper in papers if paper not in sections]
    if without:
        raise ValueError(f"papers without settings: {', '.join(without)}")
    schema = copy.deepcopy(dict(schema_of(Shared)))
    schema["properties"].update({key: schema_of(kind) for key, kind in sections.items()})
    schema["required"] += list(sections)
    schema["properties"]["papers"]["items"]["enum"] = list(papers)
    schema["properties"]["overview"]["propertyNames"] = {"enum": list(papers)}
    return schema


def read_registry(kind: str, extra: Iterable[str], root: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the rows of a registry with the user's on top, and the faults of its files (lines with their file)."""
    schema = map_schema(ROWS[kind])
    rows: dict[str, Any] = {}
    faults: list[str] = []
    for name in (f"config/{kind}.yaml", *extra):
        try:
            text = read_text(root / name)
        except UserError as error:
            faults.append(f"config: registries.{kind}: {error}")
            continue
        try:
            content = parse_yaml(text, name)
        except UserError as error:
            faults.append(str(error))
            continue
        faults += [f"{name}: {line}" for line in schema_faults(content, schema, {})]
        if isinstance(content, dict):
            rows.update(content)
    return rows, faults


def source_faults(
    config: Mapping[str, Any], schema: Mapping[str, Any], datasets: Mapping[str, Any], root: Path
) -> list[str]:
    """Return where the config asks for data that its source does not have: a missing mirror, real data from nowhere.

    Only the settings of papers that are to be rebuilt count.
    """
    data = config.get("data")
    if not isinstance(data, Mapping):
        return []
    source, mirror = data.get("source"), data.get("mirror")
    if source == "mirror":
        if not mirror:
            return ["data.mirror: is null, but data.source is mirror; name the folder that holds the files"]
        if not (root / str(mirror)).is_dir():
            return [
                f"data.mirror: no folder {mirror}; correct it, or copy results/downloads/datasets there from a machine "
                "where 'snakemake download' ran"
            ]
    if source != "synthetic":
        return []
    papers = config.get("papers")
    known = schema["properties"]["papers"]["items"]["enum"]
    idle = set(known) - set(papers if isinstance(papers, list) else known)
    ours = [name for name, row in sorted(datasets.items()) if _origin(row) == "synthetic"]
    return [
        f"{path}: '{name}' is a public dataset, but data.source is synthetic; set data.source to hub or mirror, "
        f"or choose one of {', '.join(ours)}"
        for path, name in _registry_names(config, schema, "datasets", "")
        if path.partition(".")[0] not in idle and _origin(datasets.get(name)) == "public"
    ]


def _origin(row: Any) -> str | None:
    """Return the origin of a registry row (public if it names none); None if there is no such row."""
    return row.get("origin", "public") if isinstance(row, Mapping) else None


def _extra_files(config: Mapping[str, Any], kind: str) -> list[str]:
    """Return the user's registry files of one kind; nothing if the config is broken there, as the schema will say."""
    registries = config.get("registries")
    files = registries.get(kind) if isinstance(registries, Mapping) else None
    return [name for name in files if isinstance(name, str)] if isinstance(files, list) else []


def _registry_names(value: Any, schema: Mapping[str, Any], kind: str, path: str) -> Iterator[tuple[str, str]]:
    """Yield (path, name) of every value that the schema ties to a registry."""
    if schema.get("registry") == kind and isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, child in value.items():
            rule = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if isinstance(rule, Mapping):
                yield from _registry_names(child, rule, kind, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _registry_names(child, schema.get("items", {}), kind, f"{path}[{index}]")
