"""docs/settings.md says what the classes and the YAML files say."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest

from scripts.common.fields import Settings, Slug, changes_of, optional, setting
from scripts.common.schema_words import value_text
from scripts.common.yaml_files import read_yaml
from scripts.reference.write_settings import SECTIONS, main, rows_of
from tests.workspace import REPO_ROOT, config_sections

FOLDER = REPO_ROOT / "config"
CONFIG = [FOLDER / "config.yaml", FOLDER / "mini_world.yaml", *sorted((FOLDER / "papers").glob("*.yaml"))]
AGAIN = "run `snakemake --cores all gallery` and commit docs/settings.md"


def test_the_page_is_as_the_settings_are(tmp_path):
    main(["--config", *map(str, CONFIG), "--page-out", str(tmp_path / "settings.md")])
    written = (tmp_path / "settings.md").read_text(encoding="utf-8")
    assert (REPO_ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == written, AGAIN
    assert "| `nuggets.score.kv_iter` | a whole number | ≥ 1 | times | 1 | times the demonstration is read; " in written


def test_the_page_is_about_every_section_of_the_config():
    assert config_sections() == SECTIONS
    values = {key for path in CONFIG for key in read_yaml(path)}
    shared = "tier from_kept data registries compute container papers prompts overview tolerances"
    assert values <= {*SECTIONS, *shared.split()}


class Part(Settings):
    """A part."""

    rate: float | None = setting("peak rate", unit="1/s", gt=0, le=1, source="MEND: 0.5")
    seeds: list[Annotated[int, setting("a seed", ge=0)]] = setting(min_length=1, unique=True)


class Variant(changes_of(Part)):
    """What differs."""

    start: Literal["a", "b|c"] = setting("where it begins")
    model: str = optional("who", registry="models", pattern="^x$")


class Whole(Settings):
    """All of it."""

    part: Part
    variants: dict[Slug, Variant] = setting("variants by name", min_length=1)


def test_rows_say_type_bounds_unit_value_and_source():
    values = {"part": {"rate": None, "seeds": [1, 2]}, "variants": {"x": {"start": "a"}}}
    place = f"each key of `Part` in `{Part.__module__.replace('.', '/')}.py` that is to differ"
    assert list(rows_of(Whole, "w", values)) == [
        ("`w.part`", "keys and values", "", "", "", "a part", ""),
        ("`w.part.rate`", "a number or null", "> 0 and ≤ 1", "1/s", "null", "peak rate", "MEND: 0.5"),
        ("`w.part.seeds`", "a list (a whole number)", "at least 1 entry; no entry twice; each: ≥ 0", "", "[1, 2]",
         "a seed", ""),
        ("`w.variants`", "keys and values", "at least 1 entry", "", "", "variants by name", ""),
        ("`w.variants.<name>.start`", "text", "`a`, `b|c`", "", "", "where it begins", ""),
        ("`w.variants.<name>.model?`", "text", "form `^x$`; a row of `config/models.yaml`", "", "", "who", ""),
        ("`w.variants.<name>.…?`", "", "", "", "", place, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value, text",
    [
        (None, "null"),
        (True, "true"),
        (2e-05, "2e-05"),
        ("", '""'),
        (" a\nb", '" a\\nb"'),
        ([], "[]"),
        ({"a": [1, "x"]}, "{a: [1, x]}"),
        (list(range(30)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1… (30 entries)"),
    ],
)
def test_values_are_shown_as_yaml_on_one_line(value, text):
    assert value_text(value) == text
