"""The command line of a step whose settings are a class: a text or a file, and each setting as a flag.

`--settings` takes JSON or YAML, or a file with it; `--settings.kv_iter 3` sets one key. What is not given is the value
in config/ without a tier. The rules pass all keys as JSON: then neither config/ nor jsonargparse is read, which keeps
the start of a job short. jsonargparse, of the libraries for this the one that extends argparse, reads the single flags
by their types, nested ones too, and writes their help.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
import types
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Callable,
    Iterator,
    Literal,
    Mapping,
    Sequence,
    Type,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from scripts.common.errors import UserError, did_you_mean
from scripts.common.fields import MISSING, Settings
from scripts.common.json_text import JsonFault, decode
from scripts.common.schema import facts_of, meaning_of, schema_of
from scripts.common.schema_faults import path_text, schema_faults
from scripts.common.schema_words import allowed, value_text

ROOT = Path(__file__).resolve().parents[2]
Kind = TypeVar("Kind", bound=Settings)
ABOUT = """A text or file of JSON or YAML with any of the keys below; what is not given is the value in config/, without
a tier. A key that may be left out (optional) counts as left out where the text has its group."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What one flag brings: the class of its settings, what the config says of them, and the flag that wants them."""

    kind: Type[Settings]
    of: Callable[..., Mapping[str, Any]]
    by: str | None = None
    only_with: str | None = None

    def of_flags(self, found: argparse.Namespace) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
        """Return `of` with what the flag `by` was given."""
        return functools.partial(self.of, **{self.by: getattr(found, self.by)}) if self.by else self.of


class StepParser(argparse.ArgumentParser):
    """argparse with settings: `add_settings` adds a flag, whose attribute of the result is a checked object."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)
        self._wanted: dict[str, Wanted] = {}

    def add_settings(
        self,
        kind: Type[Settings],
        of: Callable[..., Mapping[str, Any]] | None = None,
        flag: str = "--settings",
        by: str | None = None,
        only_with: str | None = None,
    ) -> None:
        """Add a flag for the settings of a class. of: config -> their values there; else the class's own `of`.

        by: name of another flag on whose value these depend; `of` gets it as a keyword. only_with: another flag,
        without which nothing is read or checked: the settings are None.
        """
        self._wanted[flag] = Wanted(kind, of or kind.of, by, only_with)  # type: ignore[attr-defined]

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse as argparse does; `parse_args` calls it too. Raises `UserError` for settings that do not hold."""
        given, texts, single = _split(list(sys.argv[1:] if args is None else args), self._wanted)
        found, rest = super().parse_known_args(given, namespace)
        for flag, wanted in self._wanted.items():
            settings = None
            if wanted.only_with is None or getattr(found, _attribute(wanted.only_with)):
                settings = read_settings(wanted.kind, wanted.of_flags(found), texts.get(flag), single[flag], flag)
            setattr(found, _attribute(flag), settings)
        return found, rest

    def format_help(self) -> str:
        """Return the help with meaning, bounds, unit and value in config/ of every setting."""
        text = super().format_help()
        for flag, wanted in self._wanted.items():
            shown = _single_flags(wanted.kind, dict(wanted.of(shipped_config())), flag).format_help()
            listed = shown.partition("\n")[2]
            text += f"\n{flag} TEXT|FILE, {flag}.KEY VALUE ...:\n{ABOUT}\n\n{listed}"
        return text


def _attribute(flag: str) -> str:
    """Return where argparse puts a flag's value."""
    return flag.removeprefix("--").replace("-", "_")


def read_settings(
    kind: Type[Kind],
    of: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    text: str | None,
    single: Sequence[str] = (),
    flag: str = "--settings",
) -> Kind:
    """Return the settings that a text (JSON, YAML or the name of a file with either; None: none) and flags make.

    of: as for `StepParser.add_settings`; single: `--settings.key`, value, ... Raises `UserError` as `checked` does.
    """
    values = None if text is None else _mapping(text, flag)
    if values is None or single or not _is_whole(kind, values):
        known = dict(of(shipped_config()))
        values = known if values is None else _filled(kind, values, known)
    return checked(kind, _changed(kind, values, single, flag) if single else values, flag)


def checked(kind: Type[Kind], values: Mapping[str, Any], flag: str = "--settings") -> Kind:
    """Return values as an object of a class. Raises `UserError` with the first fault in the config check's words.

    flag: whose values they are; empty where each key is a flag of its own.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        faults = schema_faults(values, schema_of(kind), None)
        if not faults:  # pydantic is stricter: a whole number written 1.0
            first = error.errors()[0]
            own = first.get("ctx", {}).get("error")  # of `Settings.misfits`, which begins with a key
            said = f"{path_text(first['loc'])}: {first['msg']}, found {first['input']!r}"
            faults = [said if own is None else ".".join(filter(None, [path_text(first["loc"]), str(own)]))]
        n_more = len(faults) - 1
        more = f" (and {n_more} more {'fault' if n_more == 1 else 'faults'})" if n_more else ""
        place = "" if not flag else ": " if faults[0].startswith("expected ") else "."
        raise UserError(f"{flag}{place}{faults[0]}{more}") from None


def shipped_config() -> dict[str, Any]:
    """Return the config without a tier, as the project comes: what all share, the mini world's, the papers' own."""
    from scripts.common.yaml_files import read_yaml

    folder = ROOT / "config"
    files = [folder / "config.yaml", folder / "mini_world.yaml", *sorted((folder / "papers").glob("*.yaml"))]
    return {key: value for path in files for key, value in read_yaml(path).items()}


def _split(
    arguments: Sequence[str], flags: Mapping[str, Wanted]
) -> tuple[list[str], dict[str, str], dict[str, list[str]]]:
    """Part a command line: what argparse reads, the text of each flag, and the single settings of each."""
    rest: list[str] = []
    texts: dict[str, str] = {}
    single: dict[str, list[str]] = {flag: [] for flag in flags}
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        name, given, value = word.partition("=")
        flag = next((flag for flag in flags if name == flag or name.startswith(flag + ".")), None)
        if flag is None:
            rest.append(word)
            continue
        if not given:
            if not waiting:
                raise UserError(f"{name}: expected a value; give one")
            value = waiting.pop(0)
        if name == flag:
            texts[flag] = value
        else:
            single[flag] += [name, value]
    return rest, texts, single


def _mapping(text: str, flag: str) -> dict[str, Any]:
    """Return what a text or the file that it names holds."""
    try:
        value = decode(text)
    except JsonFault as fault:
        if text.lstrip().startswith(("{", "[")) and "\n" not in text:
            raise UserError(f"{flag}: broken JSON ({fault.told()})") from None
        from scripts.common.yaml_files import parse_yaml, read_yaml

        is_text = "\n" in text or ": " in text
        value = parse_yaml(text, flag) if is_text else read_yaml(text)
    if not isinstance(value, dict):
        raise UserError(f"{flag}: expected keys and values, found {type(value).__name__}")
    return value


def _groups(kind: Type[Settings]) -> Iterator[tuple[str, FieldInfo, Type[Settings] | None]]:
    """Yield key, field and, where the setting is always a group, its class."""
    for name, field in kind.model_fields.items():
        inner = field.annotation
        is_group = isinstance(inner, type) and issubclass(inner, Settings)
        yield field.alias or name, field, inner if is_group else None


def _is_whole(kind: Type[Settings], values: Mapping[str, Any]) -> bool:
    """Return whether all keys that may not be left out are there, in the groups below too."""
    for key, field, group in _groups(kind):
        if key not in values:
            if not facts_of(field).get(MISSING):
                return False
        elif group and isinstance(values[key], Mapping) and not _is_whole(group, values[key]):
            return False
    return True


def _filled(kind: Type[Settings], values: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with the keys that they must have and lack, as the config has them."""
    filled = dict(values)
    for key, field, group in _groups(kind):
        if key not in values and not facts_of(field).get(MISSING) and key in known:
            filled[key] = known[key]
        elif group and isinstance(values.get(key), Mapping) and isinstance(known.get(key), Mapping):
            filled[key] = _filled(group, values[key], known[key])
    return filled


def _leaves(kind: Type[Settings], values: Any, path: str) -> Iterator[tuple[str, FieldInfo, Mapping[str, Any], Any]]:
    """Yield flag, field, rule and value (... where there is none) of each single setting."""
    for key, field, group in _groups(kind):
        value = values.get(key, ...) if isinstance(values, Mapping) else ...
        if group:
            yield from _leaves(group, value, f"{path}.{key}")
        else:
            yield f"{path}.{key}", field, schema_of(kind)["properties"][key], value


def _single_flags(kind: Type[Settings], values: Mapping[str, Any], flag: str) -> Any:
    """Return a parser (jsonargparse's) of the single settings; what is not given is `...`."""
    import jsonargparse

    parser = jsonargparse.ArgumentParser(add_help=False, exit_on_error=False, usage=argparse.SUPPRESS)
    for name, field, rule, value in _leaves(kind, values, flag):
        unit = facts_of(field).get("unit")
        words = [meaning_of(field) or rule.get("items", {}).get("description", ""), *allowed(rule)]
        words += [f"unit: {unit}"] if unit else []
        words += ["optional"] if facts_of(field).get(MISSING) else []
        words += [f"in config/: {value_text(value)}"] if value is not ... else []
        shown = "; ".join(words).replace("%", "%%")
        parser.add_argument(name, type=_plain(field.annotation), default=argparse.SUPPRESS, help=shown)
    return parser


def _plain(kind: Any) -> Any:
    """Return a type without its bounds, which `checked` looks after; a group below a list or map is any mapping."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _plain(inner[0])
    if origin in (Union, types.UnionType):
        return Union[tuple(_plain(part) for part in inner)]  # type: ignore[return-value]
    if origin is Literal:
        return _plain(Union[tuple(map(type, inner))])
    if origin is list:
        return list[_plain(inner[0])]  # type: ignore[misc]
    if origin is dict or (isinstance(kind, type) and issubclass(kind, Settings)):
        return dict[str, Any]
    return kind


def _changed(kind: Type[Settings], values: Mapping[str, Any], single: Sequence[str], flag: str) -> dict[str, Any]:
    """Return values with those of the single flags in their places."""
    import jsonargparse

    parser, known = _single_flags(kind, values, flag), [name for name, *_ in _leaves(kind, values, flag)]
    for name in single[::2]:
        if name not in known:
            keys = [one.removeprefix(flag + ".") for one in known]
            hint = did_you_mean(name.removeprefix(flag + "."), keys) or f"; the keys are {', '.join(keys)}"
            raise UserError(f"{name}: unknown key{hint}")
    changed = _copied(values)
    for name, value in zip(single[::2], single[1::2]):
        try:
            found = parser.parse_args([f"{name}={value}"])[_attribute(name)]
        except jsonargparse.ArgumentError:
            found = value  # `checked` says what is wrong with it
        place, parts = changed, name.removeprefix(flag + ".").split(".")
        for part in parts[:-1]:
            place = place.setdefault(part, {}) if isinstance(place, dict) else {}  # `checked` names what is no group
        if isinstance(place, dict):
            place[parts[-1]] = found
    return changed


def _copied(values: Any) -> Any:
    """Return maps and lists copied, all else as it is."""
    if isinstance(values, Mapping):
        return {key: _copied(value) for key, value in values.items()}
    return [_copied(value) for value in values] if isinstance(values, list) else values
