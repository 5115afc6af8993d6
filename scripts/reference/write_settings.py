"""Write docs/settings.md: every setting with its type, bounds, unit, meaning, source and the value in config/."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence, Type, get_args

from scripts.common.config_check import Sections, config_schema
from scripts.common.config_settings import Shared
from scripts.common.errors import run_step
from scripts.common.fields import Settings
from scripts.common.files import write_text
from scripts.common.registry_settings import ROWS
from scripts.common.schema import facts_of, schema_of
from scripts.common.schema_words import allowed, type_text, value_text
from scripts.common.yaml_files import read_yaml
from scripts.data.settings import SECTIONS as DATA
from scripts.ddg.settings import SECTIONS as DDG
from scripts.delift.settings import SECTIONS as DELIFT
from scripts.head_to_head.settings import SECTIONS as HEAD_TO_HEAD
from scripts.mend.settings import SECTIONS as MEND
from scripts.mini_world.settings import SECTIONS as MINI_WORLD
from scripts.nuggets.settings import SECTIONS as NUGGETS
from scripts.step_by_step.settings import SECTIONS as STEP_BY_STEP

SECTIONS: Sections = {**MEND, **DDG, **STEP_BY_STEP, **DELIFT, **NUGGETS, **HEAD_TO_HEAD, **DATA, **MINI_WORLD}
"""Those of all papers that come with the project, in the order of the README."""
HEAD = """# Settings

Every key that `config/config.yaml`, `config/mini_world.yaml`, `config/papers/` and the registries may hold. This page
is generated from the classes of the settings (`scripts/<paper>/settings.py`) and from the values in the YAML files; do
not edit it, run `snakemake --cores all gallery`. Tiers (`config/tiers/`) lay other values over these.

`<name>` stands for a name that the user chooses, `[]` for each entry of a list, `?` marks a key that may be left out.
"allowed" holds bounds and choices. A source names the paper's section, or the released code, with the value there.
"""
COLUMNS = ("setting", "type", "allowed", "unit", "value", "meaning", "source")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--config",
        nargs="+",
        required=True,
        help="YAML: the config without a tier",
    )
    parser.add_argument("--page-out", required=True, help="Markdown: the page")
    return parser.parse_args(argv)


def inner_groups(kind: Any) -> Iterator[tuple[str, Type[Settings]]]:
    """Yield each group that a type holds, with what its keys have before them: "", ".<name>", "[]" and so on."""
    if isinstance(kind, type) and issubclass(kind, Settings):
        yield "", kind
        return
    place = {dict: ".<name>", list: "[]"}.get(getattr(kind, "__origin__", None), "")
    for part in get_args(kind):
        for below, group in inner_groups(part):
            yield place + below, group


def rows_of(kind: Type[Settings], path: str, values: Any) -> Iterator[tuple[str, ...]]:
    """Yield a row of the page, its cells in the order of COLUMNS, for each setting of a group and of all below it.

    values: what the config holds there; no mapping where the place has no one value (below `<name>` and `[]`).
    """
    rules = schema_of(kind)
    for name, field in kind.model_fields.items():
        if kind.changed_from and name in kind.changed_from.model_fields:
            continue
        key = field.alias or name
        rule, here = rules["properties"][key], f"{path}.{key}" if path else key
        groups = list(inner_groups(field.annotation))
        known = isinstance(values, Mapping) and key in values
        facts = facts_of(field)
        shown = value_text(values[key]) if known and not groups else ""
        mark = "" if key in rules["required"] else "?"
        yield (
            f"`{here}{mark}`",
            type_text(rule),
            "; ".join(allowed(rule)),
            facts.get("unit", ""),
            shown,
            field.description or rule.get("description", "") or rule.get("items", {}).get("description", ""),
            facts.get("source", ""),
        )
        for below, group in groups:
            yield from rows_of(group, here + below, values[key] if known and not below else None)
    if kind.changed_from:
        text = f"each key of {place_of(kind.changed_from)} that is to differ"
        yield (f"`{path}.…?`", "", "", "", "", text, "")


def place_of(kind: Type[Settings]) -> str:
    """Return a class's name with its module, as a reader finds it."""
    return f"`{kind.__name__}` in `{kind.__module__.replace('.', '/')}.py`"


def table(rows: Iterator[tuple[str, ...]]) -> list[str]:
    """Return rows as the lines of a Markdown table."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (COLUMNS, ["---"] * len(COLUMNS), *cells)]


def page(config: Mapping[str, Any]) -> str:
    """Return the page. config: what all papers share and the papers' settings, without a tier."""
    schema = config_schema(SECTIONS, [])
    lines = [HEAD, "## What all papers share", "", *table(rows_of(Shared, "", config))]
    for name, kind in SECTIONS.items():
        title = schema["properties"][name]["description"]
        lines += ["", f"## {name}", "", f"{title[:1].upper()}{title[1:]}.", ""]
        lines += table(rows_of(kind, name, config.get(name)))
    for name, kind in ROWS.items():
        lines += ["", f"## Rows of config/{name}.yaml", "", *table(rows_of(kind, "<name>", None))]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step."""
    args = parse_args(argv)
    config = {key: value for path in args.config for key, value in read_yaml(Path(path)).items()}
    write_text(args.page_out, page(config))


if __name__ == "__main__":
    run_step(main)
