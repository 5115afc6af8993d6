"""The check of the merged config and of the registries: every fault at once, one line each, with what to do about it.

The typed settings (classes under `scripts.common.fields.Settings`) say which keys there are and what they may hold; the
check reads them as JSON Schema (`scripts.common.schema`). Three keywords of our own tie a value to other places:
`registry` names the registry in which it must stand, `keyOf` the map of the config, `named` a list of names. Those
lists, and the classes of all that stands on a higher floor, are brought along by whoever calls the check.
"""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping, Sequence, Type

from scripts.common.config_settings import Shared
from scripts.common.errors import UserError, did_you_mean
from scripts.common.fields import Settings
from scripts.common.files import PathLike, read_text
from scripts.common.registry_settings import ROWS
from scripts.common.schema import map_schema, schema_of
from scripts.common.yaml_files import parse_yaml

Sections = Mapping[str, Type[Settings]]
KINDS = {
    "object": "keys and values",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


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


def schema_faults(
    value: Any,
    schema: Mapping[str, Any],
    registries: Mapping[str, Mapping[str, Any]],
    names: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """Return where `value` breaks the schema, one line each in the order of the paths: path, fault, remedy.

    names: the lists that the schema calls by `named`. Raises ValueError if it calls one that is not given.
    """
    errors = _validator(schema, value, registries, names or {}).iter_errors(value)
    lines = {(tuple(map(str, error.absolute_path)), line) for error in errors for line in _lines_of(error)}
    return [line.replace("\n", "\\n") for _, line in sorted(lines)]


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


def _validator(
    schema: Mapping[str, Any],
    config: Any,
    registries: Mapping[str, Mapping[str, Any]],
    names: Mapping[str, Sequence[str]],
) -> Any:
    """Return a validator of `schema` that also knows `registry`, `keyOf` and `named`."""
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    def registry(validator: Any, kind: str, value: Any, rule: Any) -> Iterator[ValidationError]:
        if isinstance(value, str) and value not in registries.get(kind, {}):
            yield ValidationError(kind, validator="registry", validator_value=list(registries.get(kind, {})))

    def key_of(validator: Any, place: str, value: Any, rule: Any) -> Iterator[ValidationError]:
        known = config
        for key in place.split("."):
            known = known.get(key) if isinstance(known, Mapping) else None
        if isinstance(value, str) and isinstance(known, Mapping) and value not in known:
            yield ValidationError(place, validator="keyOf", validator_value=[str(key) for key in known])

    def named(validator: Any, which: str, value: Any, rule: Any) -> Iterator[ValidationError]:
        if which not in names:
            raise ValueError(f"schema: the check was not given the names '{which}'")
        if isinstance(value, str) and value not in names[which]:
            yield ValidationError(which, validator="enum", validator_value=list(names[which]))

    return extend(Draft202012Validator, {"registry": registry, "keyOf": key_of, "named": named})(schema)


def path_text(parts: Iterable[Any]) -> str:
    """Return a path as it reads in the config: `nuggets.seeds[0]`."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _lines_of(error: Any) -> Iterator[str]:
    """Turn one schema error into lines: path, fault and remedy."""
    place, value, wanted, rule = error.absolute_path, error.instance, error.validator_value, error.schema
    here = path_text(place)
    before = f"{here}: " if here else ""
    about = f" ({rule['description']})" if "description" in rule else ""
    if error.validator == "additionalProperties":
        known = list(rule["properties"])
        for key in value:
            if key not in rule["properties"]:
                hint = did_you_mean(str(key), known) or f"; remove it, the keys here are {', '.join(known)}"
                yield f"{path_text([*place, str(key)])}: unknown key{hint}"
    elif error.validator == "required":
        for key in wanted:
            if key not in value:
                meaning = rule["properties"][key].get("description")
                yield f"{path_text([*place, key])}: is missing; add it" + (f" ({meaning})" if meaning else "")
    elif error.validator == "registry":
        singular = error.message[:-1]
        yield (
            f"{before}{_shown(value)} is no {singular} of config/{error.message}.yaml or of your files under "
            f"registries.{error.message}{did_you_mean(value, wanted)}; correct the name or add a row"
        )
    elif error.validator == "keyOf":
        hint = did_you_mean(value, wanted)
        yield f"{before}{_shown(value)} is no key of {error.message}{hint}; choose one of {', '.join(wanted)}"
    else:
        yield f"{before}{_fault(error.validator, value, wanted, rule)}{about}"


def _fault(keyword: str, value: Any, wanted: Any, rule: Mapping[str, Any]) -> str:
    """Return fault and remedy of a value that breaks one standard keyword of JSON Schema."""
    if keyword == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        remedy = "correct it"
        if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
            remedy = f"write {_with_dot(value)}: YAML takes a number without dot and sign for text"
        return f"expected {' or '.join(KINDS[kind] for kind in kinds)}, found {_shown(value)}; {remedy}"
    if keyword == "enum":
        hint = did_you_mean(str(value), [str(option) for option in wanted])
        return f"{_shown(value)} is not allowed{hint}; choose one of {', '.join(map(str, wanted))}"
    if keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        return f"{_shown(value)} is {_BOUNDS[keyword].format(wanted)}; give {_range_text(rule)}"
    if keyword == "minLength":
        return "is empty; fill it in"
    if keyword in ("minItems", "minProperties", "maxItems"):
        found = f"has {_entries(len(value))}" if value else "is empty"
        return f"{found}; give at {'most' if keyword == 'maxItems' else 'least'} {_entries(wanted)}"
    if keyword == "uniqueItems":
        twice = next(item for index, item in enumerate(value) if item in value[:index])
        return f"{_shown(twice)} stands there twice; remove one"
    if keyword == "pattern":
        return f"{_shown(value)} does not have the form {wanted}; correct it"
    return f"{_shown(value)} breaks the rule {keyword}: {wanted}; correct it"


def _entries(n: int) -> str:
    """Return a number of entries in words."""
    return "one entry" if n == 1 else f"{n} entries"


_BOUNDS = {
    "minimum": "below the minimum {}",
    "maximum": "above the maximum {}",
    "exclusiveMinimum": "not above {}",
    "exclusiveMaximum": "not below {}",
}


def _with_dot(number: str) -> str:
    """Return `2e-5` as YAML needs it, 2.0e-5."""
    digits, _, exponent = number.lower().partition("e")
    return f"{float(digits)}e{int(exponent):+d}"


def _range_text(rule: Mapping[str, Any]) -> str:
    """Return the allowed range of a number in words."""
    low = f"from {rule['minimum']}" if "minimum" in rule else None
    low = f"above {rule['exclusiveMinimum']}" if "exclusiveMinimum" in rule else low
    high = f"up to {rule['maximum']}" if "maximum" in rule else None
    high = f"below {rule['exclusiveMaximum']}" if "exclusiveMaximum" in rule else high
    return "a value " + " ".join(part for part in (low, high) if part)


def _shown(value: Any, longest: int = 60) -> str:
    """Return a value as a user would write it in YAML, cut if long."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."
