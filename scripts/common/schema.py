"""The classes of `scripts.common.fields` as the JSON Schema by which the config is checked.

pydantic's own `model_json_schema` builds the validators of every class first, a quarter of a second at every start of
Snakemake, and writes a value that may be null as two alternatives, which would split one fault into two messages.
"""

from __future__ import annotations

import functools
import types
from typing import Annotated, Any, Literal, Mapping, Type, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from scripts.common.fields import MISSING, Settings

TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum", "pattern": "pattern"}
LENGTHS = {"string": "Length", "array": "Items", "object": "Properties"}
OURS = {"registry": "registry", "key_of": "keyOf", "named": "named", "unique": "uniqueItems"}


@functools.cache
def schema_of(kind: Type[Settings]) -> Mapping[str, Any]:
    """Return the rule of a group: closed, its keys in the order of the fields, described by the class's docstring."""
    fields = {field.alias or name: field for name, field in kind.model_fields.items()}
    return {
        "type": "object",
        "description": _described(kind),
        "properties": {key: _ruled(_rule_of(field.annotation), field) for key, field in fields.items()},
        "required": [key for key, field in fields.items() if not facts_of(field).get(MISSING)],
        "additionalProperties": False,
    }


def map_schema(kind: Type[Settings]) -> dict[str, Any]:
    """Return the rule of a file whose rows, named by slugs, are of one class."""
    return {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z0-9_]+$"},
        "additionalProperties": schema_of(kind),
    }


def facts_of(field: FieldInfo) -> Mapping[str, Any]:
    """Return what `scripts.common.fields.setting` noted beside pydantic's own: source, unit, registry and so on."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def meaning_of(field: FieldInfo) -> str | None:
    """Return a setting's meaning with its source behind it; None if its class says it."""
    source = facts_of(field).get("source")
    return f"{field.description} ({source})" if field.description and source else field.description


def _described(kind: Type[Settings]) -> str:
    """Return a class's docstring as the meaning of a group: no full stop, a capital only where a name has one."""
    text = " ".join((kind.__doc__ or "").split()).removesuffix(".")
    first = text.partition(" ")[0]
    return text if first[1:] != first[1:].lower() else text[:1].lower() + text[1:]


def _rule_of(kind: Any) -> dict[str, Any]:
    """Return the rule of a type, without what its field adds."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        rule = _rule_of(inner[0])
        for field in inner[1:]:
            rule = _ruled(rule, field)
        return rule
    if origin in (Union, types.UnionType):
        return _merged([_rule_of(one) for one in inner])
    if origin is Literal:
        kinds = list(dict.fromkeys(TYPES[type(choice)] for choice in inner))
        return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": list(inner)}
    if origin is list:
        return {"type": "array", "items": _rule_of(inner[0])}
    if origin is dict:
        names = {key: value for key, value in _rule_of(inner[0]).items() if key != "type"}
        values = {"additionalProperties": _rule_of(inner[1]) if inner[1] is not Any else True}
        return {"type": "object", **({"propertyNames": names} if names else {}), **values}
    if isinstance(kind, type) and issubclass(kind, Settings):
        return dict(schema_of(kind))
    return {"type": TYPES[kind]}


def _merged(rules: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one rule for a value of several types; the keywords of each apply to values of its type alone."""
    merged: dict[str, Any] = {}
    for rule in rules:
        merged.update(rule)
    kinds = [[rule["type"]] if isinstance(rule["type"], str) else rule["type"] for rule in rules]
    merged["type"] = list(dict.fromkeys(kind for each in kinds for kind in each))
    if "enum" in merged and "null" in merged["type"]:
        merged["enum"] = [*merged["enum"], None]
    return merged


def _ruled(rule: Mapping[str, Any], field: FieldInfo) -> dict[str, Any]:
    """Return a rule with what a field adds: meaning, bounds, and the keywords of our own."""
    ruled = dict(rule)
    meaning = meaning_of(field)
    if meaning:
        ruled["description"] = meaning
    kinds = [rule["type"]] if isinstance(rule["type"], str) else rule["type"]
    counted = next((LENGTHS[kind] for kind in kinds if kind in LENGTHS), "Length")
    for item in field.metadata:
        for name, keyword in BOUNDS.items():
            if getattr(item, name, None) is not None:
                ruled[keyword] = getattr(item, name)
        for name in ("min", "max"):
            if getattr(item, f"{name}_length", None) is not None:
                ruled[f"{name}{counted}"] = getattr(item, f"{name}_length")
    ruled.update({OURS[name]: value for name, value in facts_of(field).items() if name in OURS})
    return ruled
