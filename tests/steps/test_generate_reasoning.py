"""The step that writes the synthetic reasoning sets."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.data.generate_reasoning import main
from scripts.data.readers import read_raw
from scripts.data.registry import load_registry

SIZES = {
    "train_size": 41,
    "valid_size": 10,
    "test_size": 20,
    "augment_size": 15,
    "teacher_errors": {"palm": 0.25, "neox": 0.45},
    "malformed_share": 0.1,
}


def generate(folder, seed=1, **changes):
    main(["--settings", json.dumps({**SIZES, **changes}), "--seed", str(seed), "--sets-out", str(folder)])
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_equal_seeds_give_equal_bytes_and_others_do_not(tmp_path):
    one, same, other = (generate(tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert one == same
    assert all(one[name] != other[name] for name in one)


def test_the_registry_names_every_file_and_its_reader_reads_it(tmp_path, repo_root):
    written = set(generate(tmp_path))
    registry = load_registry("datasets", folder=repo_root / "config")
    counts = {}
    for name, row in registry.items():
        for split, spec in row["splits"].items():
            folder, _, file = spec["file"].rpartition("/")
            if folder == "mini/reasoning":
                written.remove(file)
                counts[name, split] = len(read_raw(tmp_path / file, row["reader"], row["schema"]))
    assert not written
    assert counts["mini_cqa", "train"] == counts["mini_generic", "train"] == 41
    assert (counts["mini_nli_palm", "train_0"], counts["mini_nli_palm", "train_1"]) == (21, 20)
    assert (counts["mini_nli", "valid"], counts["mini_asdiv", "train"], counts["mini_asdiv_neox", "train_1"]) == (
        10,
        15,
        7,
    )


def test_an_unknown_setting_is_named(tmp_path):
    with pytest.raises(UserError, match=r"unknown key 'train_sizes' \(did you mean 'train_size'\?\)"):
        generate(tmp_path, train_sizes=3)
