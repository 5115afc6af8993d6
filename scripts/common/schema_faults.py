"""Where a value breaks the rules of its settings: every fault at once, one line each, with what to do about it.

Beside JSON Schema's keywords there are three of our own: `registry` names the registry in which a value must stand,
`keyOf` the map of the config, `named` a list of names.
"""

from __future__ import annotations

import re
from typing import Any, Iterable, Iterator, Mapping, Sequence

from scripts.common.errors import did_you_mean

KINDS = {
    "object": "keys and values",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_BOUNDS = {
    "minimum": "below the minimum {}",
    "maximum": "above the maximum {}",
    "exclusiveMinimum": "not above {}",
    "exclusiveMaximum": "not below {}",
}


def schema_faults(
    value: Any,
    schema: Mapping[str, Any],
    registries: Mapping[str, Mapping[str, Any]] | None,
    names: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """Return where `value` breaks the schema, one line each in the order of the paths: path, fault, remedy.

    registries: {kind: its rows}; None where nobody knows the config, as in a step: then no list of names is asked.
    names: the lists that the schema calls by `named`. Raises ValueError if it calls one that is not given.
    """
    errors = _validator(schema, value, registries, names or {}).iter_errors(value)
    lines = {(tuple(map(str, error.absolute_path)), line) for error in errors for line in _lines_of(error)}
    return [line.replace("\n", "\\n") for _, line in sorted(lines)]


def _validator(
    schema: Mapping[str, Any],
    config: Any,
    registries: Mapping[str, Mapping[str, Any]] | None,
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

    if registries is None:
        return Draft202012Validator(schema)
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
