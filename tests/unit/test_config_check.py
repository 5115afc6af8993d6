"""check_config: every tier passes, every fault gives its exact line, all faults at once."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.common.config_check import check_config, config_faults, config_schema, typed
from scripts.common.registry_settings import ROWS
from scripts.common.schema import map_schema
from scripts.common.schema_faults import path_text, schema_faults
from scripts.common.step_parser import shipped_config
from scripts.common.yaml_files import read_yaml
from scripts.selection.methods import config_names
from tests.workspace import config_sections

ROOT = Path(__file__).resolve().parents[2]
PAPERS = sorted(path.stem for path in (ROOT / "config" / "papers").glob("*.yaml"))
TIERS = sorted(path.stem for path in (ROOT / "config" / "tiers").glob("*.yaml"))


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge as Snakemake does: maps merge, lists and scalars replace."""
    result = dict(under)
    for key, value in over.items():
        both_maps = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both_maps else value
    return result


@functools.cache
def load(tier: str) -> dict[str, Any]:
    return merged(shipped_config(), read_yaml(ROOT / "config" / "tiers" / f"{tier}.yaml"))


def changed(path: str, value: Any, tier: str = "mini") -> dict[str, Any]:
    """Return a tier's config with one value replaced; `...` removes the key."""
    config = copy.deepcopy(load(tier))
    *parents, last = path.split("/")
    place = config
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return config


def faults(config: dict[str, Any]) -> list[str]:
    return config_faults(config, config_sections(), config_names(), ROOT)


def leaves(schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Return (path, rule) of every value that the schema describes."""
    if (
        "properties" not in schema
        and not isinstance(schema.get("additionalProperties"), dict)
        and "items" not in schema
    ):
        return [(path, schema)]
    children = [(f"{path}.{key}", rule) for key, rule in schema.get("properties", {}).items()]
    for keyword in ("additionalProperties", "items"):
        if isinstance(schema.get(keyword), dict):
            children.append((f"{path}.*", schema[keyword]))
    return [leaf for child, rule in children for leaf in leaves(rule, child)]


def objects(schema: Any) -> list[dict[str, Any]]:
    """Return every object rule with fixed keys."""
    found = [schema] if isinstance(schema, dict) and isinstance(schema.get("properties"), dict) else []
    children = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else []
    return found + [rule for child in children for rule in objects(child)]


@pytest.mark.parametrize("tier", TIERS)
def test_every_tier_is_accepted(tier):
    assert faults(load(tier)) == []
    check_config(load(tier), config_sections(), config_names(), ROOT)


def test_there_are_three_tiers_and_each_names_itself():
    assert set(TIERS) >= {"mini", "sample", "paper"}
    assert [load(tier)["tier"] for tier in TIERS] == TIERS


SCHEMAS = {
    "config": config_schema(config_sections(), PAPERS),
    **{kind: map_schema(rows) for kind, rows in ROWS.items()},
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_settings_are_closed_and_described_everywhere(name):
    from jsonschema import Draft202012Validator

    schema = json.loads(json.dumps(SCHEMAS[name]))  # nothing that JSON cannot hold
    Draft202012Validator.check_schema(schema)
    assert [path for path, rule in leaves(schema) if not rule.get("description")] == []
    for rule in objects(schema):
        assert rule["additionalProperties"] is False
        assert set(rule["required"]) <= set(rule["properties"])


@pytest.mark.parametrize(
    "path, value, line",
    [
        ("nuggets/score/kv_itre", 1, "nuggets.score.kv_itre: unknown key (did you mean 'kv_iter'?)"),
        ("datta", {}, "datta: unknown key (did you mean 'data'?)"),
        ("data/zzz", 1, "data.zzz: unknown key; remove it, the keys here are source, mirror, left_out, seed"),
        ("data/seed", ..., "data.seed: is missing; add it (seed of the synthetic corpus and of random sub-samples)"),
        (
            "data/seed",
            "x",
            "data.seed: expected a whole number, found 'x'; correct it "
            "(seed of the synthetic corpus and of random sub-samples)",
        ),
        (
            "data/seed",
            -1,
            "data.seed: -1 is below the minimum 0; give a value from 0 "
            "(seed of the synthetic corpus and of random sub-samples)",
        ),
        (
            "data/source",
            "mirrror",
            "data.source: 'mirrror' is not allowed (did you mean 'mirror'?); choose one of hub, mirror, synthetic "
            "(where raw data come from: the hub, a folder with the same files, or the generator)",
        ),
        (
            "tier",
            "My Tier",
            "tier: 'My Tier' does not have the form ^[a-z0-9_]+$; correct it "
            "(name of the folder below results/, a slug)",
        ),
        (
            "nuggets/figure_scores/thresholds",
            [1.3],
            "nuggets.figure_scores.thresholds[0]: 1.3 is above the maximum 1; give a value from 0 up to 1 "
            "(golden score, share of anchors that the example helps with, 0 to 1 (NUGGETS, section 2.3))",
        ),
        ("nuggets/table_1/methods", [], "nuggets.table_1.methods: is empty; give at least one entry"),
        (
            "mini_world/causal/betas",
            [0.9],
            "mini_world.causal.betas: has one entry; give at least 2 entries (betas of AdamW)",
        ),
        (
            "mini_world/causal/betas",
            [0.9, 0.95, 0.99],
            "mini_world.causal.betas: has 3 entries; give at most 2 entries (betas of AdamW)",
        ),
        ("nuggets/seeds", [3, 4, 3], "nuggets.seeds: 3 stands there twice; remove one"),
        (
            "nuggets/finetune/learning_rate",
            "2e-5",
            "nuggets.finetune.learning_rate: expected a number, found '2e-5'; write 2.0e-5: YAML takes a number "
            "without dot and sign for text (peak learning rate of AdamW (Alpaca recipe: 2e-5))",
        ),
        (
            "nuggets/model",
            "mini_casual",
            "nuggets.model: 'mini_casual' is no model of config/models.yaml or of your files under registries.models "
            "(did you mean 'mini_causal'?); correct the name or add a row",
        ),
        (
            "nuggets/dataset",
            "mini_poll",
            "nuggets.dataset: 'mini_poll' is no dataset of config/datasets.yaml or of your files under "
            "registries.datasets (did you mean 'mini_pool'?); correct the name or add a row",
        ),
        (
            "nuggets/score/prompt",
            "nugets",
            "nuggets.score.prompt: 'nugets' is no key of prompts (did you mean 'nuggets'?); choose one of "
            + ", ".join(load("mini")["prompts"]),
        ),
    ],
)
def test_one_fault_gives_exactly_its_line(path, value, line):
    assert faults(changed(path, value)) == [f"config: {line}"]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("mend/finetune/kl_wait", 1.0, "mend.finetune.kl_wait: unknown key (did you mean 'kl_weight'?)"),
        ("mend/finetune/temperature", 0, "mend.finetune.temperature: 0 is not above 0"),
        ("mend/backbone", "minni", "mend.backbone: 'minni' is no key of mend.backbones (did you mean 'mini'?)"),
        ("mend/backbones/mini/model", "mini_casual", "'mini_casual' is no model of config/models.yaml"),
        ("mend/table_3/perturbations", ["upside_down"], "mend.table_3.perturbations[0]: 'upside_down' is not allowed"),
        ("mend/seeds", [], "mend.seeds: is empty; give at least one entry"),
        ("mend/together", "no", "mend.together: expected true or false"),
    ],
)
def test_a_fault_of_a_papers_settings_is_told_by_its_key(path, value, told):
    (line,) = faults(changed(path, value))
    assert told in line


def test_methods_and_anchor_sets_must_be_rows_of_their_tables():
    found = faults(changed("nuggets/table_1/methods", ["base", "gt_0.95", "fulll"]))
    known = ", ".join(load("mini")["nuggets"]["methods"])
    assert len(found) == 2
    assert found[0].startswith(
        "config: nuggets.table_1.methods[1]: 'gt_0.95' is no key of nuggets.methods (did you mean"
    )
    assert found[1] == (
        "config: nuggets.table_1.methods[2]: 'fulll' is no key of nuggets.methods (did you mean 'full'?); "
        f"choose one of {known}"
    )


def test_all_faults_are_reported_at_once():
    config = changed("data/seed", "x")
    config["nuggets"]["seedz"] = config["nuggets"].pop("seeds")
    config["compute"]["threads"] = 0
    places = [line.split(":")[1].strip() for line in faults(config)]
    assert places == ["compute.threads", "data.seed", "nuggets.seeds", "nuggets.seedz"]


def test_no_fault_has_more_than_one_line_or_lacks_a_place():
    config = changed("nuggets/methods", {"two\nlines": {"by": "x\ny"}, "gt_0.5": None})
    config["prompts"] = [1]
    config["papers"] = {"a": None}
    found = faults(config)
    assert found
    assert all(line.startswith("config: ") and line.isprintable() for line in found)


def test_synthetic_source_and_public_dataset():
    (line,) = faults(changed("nuggets/dataset", "alpaca_gpt4"))
    assert line.startswith(
        "config: nuggets.dataset: 'alpaca_gpt4' is a public dataset, but data.source is synthetic; set data.source to "
        "hub or mirror, or choose one of "
    )
    assert "mini_pool" in line


def test_settings_of_papers_that_do_not_run_may_name_any_dataset():
    config = changed("nuggets/dataset", "alpaca_gpt4")
    config["papers"] = ["mend"]
    assert faults(config) == []


def test_mirror(tmp_path):
    config = changed("data/source", "mirror")
    assert faults(config) == [
        "config: data.mirror: is null, but data.source is mirror; name the folder that holds the files"
    ]
    config["data"]["mirror"] = str(tmp_path / "none")
    assert faults(config) == [
        f"config: data.mirror: no folder {tmp_path}/none; correct it, or copy results/downloads/datasets there from a "
        "machine where 'snakemake download' ran"
    ]
    config["data"]["mirror"] = str(tmp_path)
    assert faults(config) == []


def test_a_users_rows_count_and_are_checked(tmp_path):
    rows = {
        "my_pool": {
            "schema": "instruction",
            "reader": "json",
            "origin": "local",
            "splits": {"train": {"file": "p.json"}},
        }
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(rows))
    config = changed("registries/datasets", [str(tmp_path / "mine.yaml")])
    config["nuggets"]["dataset"] = "my_pool"
    assert faults(config) == []
    rows["my_pool"]["splitz"] = rows["my_pool"].pop("splits")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(rows))
    assert faults(config) == [
        f"{tmp_path}/mine.yaml: my_pool.splits: is missing; add it",
        f"{tmp_path}/mine.yaml: my_pool.splitz: unknown key (did you mean 'splits'?)",
    ]


def test_a_users_file_that_is_missing_or_broken(tmp_path):
    config = changed("registries/models", [str(tmp_path / "none.yaml")])
    assert faults(config) == [f"config: registries.models: {tmp_path}/none.yaml: no such file; check the path"]
    (tmp_path / "none.yaml").write_text("a: [1")
    (line,) = faults(config)
    assert line.startswith(f"{tmp_path}/none.yaml: broken YAML (")
    assert line.endswith("); mend it")
    (tmp_path / "none.yaml").write_text("- a\n")
    assert faults(config) == [f"{tmp_path}/none.yaml: expected keys and values, found ['a']; correct it"]


def test_whole_sections_of_the_wrong_kind_do_not_end_in_a_traceback():
    for section in load("mini"):
        assert any(line.startswith(f"config: {section}: expected") for line in faults(changed(section, 3.5)))


def test_check_prints_only_the_lines_and_ends_with_status_1(capsys):
    with pytest.raises(SystemExit) as end:
        check_config(changed("data/zzz", 1), config_sections(), config_names(), ROOT)
    assert end.value.code == 1
    assert capsys.readouterr().err == (
        "config: data.zzz: unknown key; remove it, the keys here are source, mirror, left_out, seed\n"
    )


def test_bounds_that_leave_out_the_limit():
    schema = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 2, "description": "metres"}
    assert schema_faults(0, schema, {}) == ["0 is not above 0; give a value above 0 below 2 (metres)"]
    assert schema_faults(2, schema, {}) == ["2 is not below 2; give a value above 0 below 2 (metres)"]
    assert schema_faults(1, schema, {}) == []


def test_path_text():
    assert path_text(["nuggets", "seeds", 0]) == "nuggets.seeds[0]"
    assert path_text([]) == ""


def test_numbers_inside_maps_and_lists_of_the_command_line_are_numbers():
    given = {
        "nuggets": {"seeds": ["0", "1"], "score": {"shard_size": "30"}, "truth": "null", "x": "1e-3x", "y": "a: b"}
    }
    expected = {"seeds": [0, 1], "score": {"shard_size": 30}, "truth": None, "x": "1e-3x", "y": "a: b"}
    assert typed(given) == {"nuggets": expected}
    assert typed({"container": "thrift.sif", "n": 3, "keep": "true", "rate": "2.0e-3"}) == {
        "container": "thrift.sif", "n": 3, "keep": True, "rate": 0.002,
    }  # fmt: skip
