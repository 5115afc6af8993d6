"""A class of settings says once what the config check, the page of settings and a step need to know."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import ValidationError

from scripts.common.config_check import config_schema
from scripts.common.fields import Name, Settings, changes_of, optional, setting
from scripts.common.schema import map_schema, schema_of
from scripts.common.schema_faults import schema_faults

ModelName = Annotated[str, setting("a model", registry="models")]


class Inner(Settings):
    """MEND's part."""

    n: int | None = setting("rows", unit="rows", source="MEND: 3", ge=1)


class Outer(Settings):
    """How it is
    done.
    """

    rate: float = setting("peak rate", gt=0, le=1)
    kind: Literal["a", "b"] | None = setting("which")
    models: list[ModelName] = setting(min_length=1, unique=True)
    parts: dict[Name, Inner] = setting("parts by name", min_length=1)
    extra: dict[str, Any] = setting("anything")
    size: Annotated[int, setting(ge=1)] | Annotated[str, setting(pattern="^full$")] = setting("rows, or full")
    from_: str = optional("where it starts", alias="from", min_length=1)
    inner: Inner


PART = {
    "type": "object",
    "description": "MEND's part",
    "properties": {"n": {"type": ["integer", "null"], "description": "rows (MEND: 3)", "minimum": 1}},
    "required": ["n"],
    "additionalProperties": False,
}
VALID = {
    "rate": 0.5, "kind": None, "models": ["x"], "parts": {"p": {"n": 1}}, "extra": {}, "size": "full",
    "inner": {"n": None},
}  # fmt: skip


def test_a_class_as_json_schema():
    schema = schema_of(Outer)
    assert schema["description"] == "how it is done"
    assert schema["required"] == ["rate", "kind", "models", "parts", "extra", "size", "inner"]
    assert schema["additionalProperties"] is False
    assert schema["properties"] == {
        "rate": {"type": "number", "description": "peak rate", "exclusiveMinimum": 0, "maximum": 1},
        "kind": {"type": ["string", "null"], "enum": ["a", "b", None], "description": "which"},
        "models": {
            "type": "array",
            "items": {"type": "string", "description": "a model", "registry": "models"},
            "minItems": 1,
            "uniqueItems": True,
        },
        "parts": {
            "type": "object",
            "description": "parts by name",
            "propertyNames": {"pattern": "^[a-z0-9_.]+$"},
            "additionalProperties": PART,
            "minProperties": 1,
        },
        "extra": {"type": "object", "description": "anything", "additionalProperties": True},
        "size": {
            "type": ["integer", "string"],
            "description": "rows, or full",
            "minimum": 1,
            "pattern": "^full$",
        },
        "from": {"type": "string", "description": "where it starts", "minLength": 1},
        "inner": PART,
    }


def test_what_may_change_may_all_be_left_out():
    class Variant(changes_of(Inner)):
        """What differs."""

        start: str = setting("where it begins")

    schema = schema_of(Variant)
    assert schema["properties"] == {**PART["properties"], "start": {"type": "string", "description": "where it begins"}}
    assert schema["required"] == ["start"]
    assert schema_of(Inner)["required"] == ["n"]
    assert schema_faults({"start": "x", "n": 0}, schema, {}) == [
        "n: 0 is below the minimum 1; give a value from 1 (rows (MEND: 3))"
    ]


def test_pydantic_holds_a_value_to_the_same_bounds():
    """What the check refuses, the class refuses too; and it is closed, strict and frozen."""
    made = Outer.model_validate({**VALID, "from": "here"})
    assert (made.from_, made.inner.n, made.size) == ("here", None, "full")
    assert schema_faults(VALID, schema_of(Outer), {"models": {"x": {}}}) == []
    for key, value in {"rate": 0, "kind": "c", "size": "half", "rates": 1, "inner": {"n": "1"}}.items():
        assert schema_faults({**VALID, key: value}, schema_of(Outer), {"models": {"x": {}}})
        with pytest.raises(ValidationError):
            Outer.model_validate({**VALID, key: value})
    with pytest.raises(ValidationError, match="frozen"):
        made.rate = 0.1


def test_rows_of_a_registry_are_named_by_slugs():
    assert schema_faults({"ok": {"n": 1}}, map_schema(Inner), {}) == []
    assert schema_faults({"Not ok": {"n": 1}}, map_schema(Inner), {}) == [
        "'Not ok' does not have the form ^[a-z0-9_]+$; correct it"
    ]


def test_a_paper_without_settings_is_told():
    with pytest.raises(ValueError, match="papers without settings: other"):
        config_schema({"inner": Inner}, ["inner", "other"])
    schema = config_schema({"inner": Inner}, ["inner"])
    assert schema["properties"]["papers"]["items"]["enum"] == ["inner"]
    assert schema["required"][-1] == "inner"
