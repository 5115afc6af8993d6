"""What a setting is: name and type in a class, and beside them its meaning, source, unit, bounds and choices, once.

A group of settings is a class under `Settings`; a setting is a field made by `setting`, or by `optional` where the key
may be left out. Values stand in config/ alone: no field has one. `scripts.common.schema` turns the classes into the
rules of the config check, `scripts.reference.write_settings` into docs/settings.md.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Iterator, Mapping, Type

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

MISSING = "may_be_missing"
FACTS = ("source", "unit", "registry", "key_of", "named", "unique", MISSING)


class Settings(BaseModel):
    """Base of every group of settings: frozen, closed, strict about types."""

    # Validators are built when a value is first checked by them: the config check at each start needs none.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)
    changed_from: ClassVar[Type[BaseModel] | None] = None
    """The group whose keys this one may change, of a class made by `changes_of`."""

    @classmethod
    def kept(cls, *groups: Mapping[str, Any]) -> dict[str, Any]:
        """Return what some groups of a config hold for the keys of this class; of two the later one counts."""
        return {key: value for group in groups for key, value in group.items() if key in cls.model_fields}

    def given(self) -> dict[str, Any]:
        """Return the settings as they were given, as JSON holds them: without the keys that were left out."""
        return self.model_dump(by_alias=True, exclude_unset=True)

    def misfits(self) -> Iterator[str]:
        """Yield which values do not go together, a line each that begins with the key and says what to do."""
        yield from ()

    @model_validator(mode="after")
    def _fits(self) -> Settings:
        """Raise ValueError for a list with an entry twice where they must differ, and for the first misfit."""
        for name, field in type(self).model_fields.items():
            facts, value = field.json_schema_extra, getattr(self, name)
            if isinstance(facts, dict) and facts.get("unique") and isinstance(value, list):
                for place, entry in enumerate(value):
                    if entry in value[:place]:
                        raise ValueError(f"{name}: {entry!r} stands there twice; remove one")
        for line in self.misfits():
            raise ValueError(line)
        return self


def setting(meaning: str | None = None, **facts: Any) -> Any:
    """Return a required setting, for a field or, in `Annotated`, for the entries of a list.

    meaning: what it is, lower case, no full stop; None where the class of a group says it.
    facts: pydantic's bounds (ge, gt, le, lt, min_length, max_length, pattern), alias for a key that Python keeps for
    itself, and what is ours: source (paper, section or released code, with its value), unit, registry (which one must
    hold the value), key_of (the map of the config whose keys it must be among), named (the list of names, which whoever
    checks brings along), unique (whether the entries of a list must differ).
    """
    ours = {key: facts.pop(key) for key in FACTS if key in facts}
    return Field(description=meaning, json_schema_extra=ours, **facts)


def optional(meaning: str | None = None, **facts: Any) -> Any:
    """Return a setting whose key may be left out; it is None then, though only a type `... | None` takes a null."""
    return setting(meaning, default=None, **facts, **{MISSING: True})


def changes_of(kind: Type[Settings]) -> Type[Settings]:
    """Return a class with the fields of `kind`, each of which may be left out: what differs from a group above it."""
    fields: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        facts = {**(field.json_schema_extra or {}), MISSING: True}
        fields[name] = (Annotated[field.annotation, field], Field(default=None, json_schema_extra=facts))
    changes = create_model(f"{kind.__name__}Changes", __base__=Settings, __doc__=kind.__doc__, **fields)
    changes.changed_from = kind
    return changes


Name = Annotated[str, Field(pattern="^[a-z0-9_.]+$")]
"""Key of a map that users name: letters, digits, points."""
Slug = Annotated[str, Field(pattern="^[a-z0-9_]+$")]
"""Key of a map that is also a part of paths."""
Share = Annotated[float, setting(unit="share, 0 to 1", ge=0, le=1)]
"""A part of a whole; meaning and source stand in the field, which has no bounds of its own."""
