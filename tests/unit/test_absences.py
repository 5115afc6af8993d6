"""What cannot be had is known before a run is planned, with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import UserError
from scripts.data.absences import absences, file_absences, split_groups

DATASETS: dict[str, dict[str, Any]] = {
    "set": {
        "origin": "public",
        "splits": {
            "train_0": {"file": "set/0.json"},
            "train_1": {"file": "set/1.json"},
            "test": {"file": "set/t.json"},
        },
    },
    "mine": {"origin": "local", "splits": {"train": {"file": "nowhere/mine.json"}}},
    "made": {"origin": "synthetic", "splits": {"train": {"file": "mini/made.json"}}},
}
MODELS = {"hub": {"local": None}, "here": {"local": "nowhere/model"}, "built": {"local": "results/model"}}


def found(tmp_path: Path, source: str, left_out: tuple[str, ...] = ()) -> dict[str, str]:
    mirror = tmp_path / "mirror"
    return absences(
        DATASETS, MODELS, left_out=left_out, source=source, mirror=mirror, downloads_root=tmp_path / "downloads"
    )


LOCAL = {"mine/train": "this machine has no nowhere/mine.json", "here": "this machine has no folder nowhere/model"}


def test_parts_of_a_split_belong_together() -> None:
    assert split_groups(["train_0", "train_1", "test", "valid_2"]) == {
        "train": ["train_0", "train_1"],
        "test": ["test"],
        "valid_2": ["valid_2"],
    }


def test_a_mirror_tells_what_it_lacks_packed_files_count(tmp_path: Path) -> None:
    (tmp_path / "mirror/set").mkdir(parents=True)
    (tmp_path / "mirror/set/t.json.gz").touch()
    (tmp_path / "mirror/set/0.json").touch()
    assert found(tmp_path, "mirror") == {
        **LOCAL,
        "set/train": "the mirror (data.mirror) has no set/1.json (1 of 2 files are missing)",
    }


def test_a_refused_download_is_left_out_until_its_note_is_removed(tmp_path: Path) -> None:
    assert found(tmp_path, "hub") == LOCAL
    notes = [tmp_path / "downloads/datasets/set/t.json.refused", tmp_path / "downloads/models/hub.refused"]
    for note in notes:
        note.parent.mkdir(parents=True)
        note.write_text("access refused\n", encoding="utf-8")
    assert found(tmp_path, "hub") == {**LOCAL, "set/test": "access refused", "hub": "access refused"}
    (tmp_path / "downloads/datasets/set/t.json").touch()  # had some other way
    notes[1].unlink()
    assert found(tmp_path, "hub") == LOCAL


def test_what_the_config_names_is_left_out(tmp_path: Path) -> None:
    told = found(tmp_path, "hub", ("set/train", "made", "hub"))
    assert told == {
        **LOCAL,
        "set/train": "set/train is named in data.left_out",
        "made/train": "made is named in data.left_out",
        "hub": "hub is named in data.left_out",
    }
    with pytest.raises(UserError, match=r"data.left_out: 'sett' is no registered .*did you mean 'set'"):
        found(tmp_path, "hub", ("sett",))


def test_parts_are_looked_for_one_by_one(tmp_path):
    """Of a split in parts those that are read may be there although others are not."""
    (tmp_path / "a_0.json").write_text("", encoding="utf-8")
    splits = {f"dpc5_{n}": {"file": f"a_{n}.json"} for n in range(3)}
    datasets = {"sets": {"origin": "public", "splits": splits}}
    data = {"source": "mirror", "mirror": str(tmp_path), "left_out": []}
    asked = [("sets", "dpc5_0"), ("sets", "dpc5_1"), ("sets", "dpc5_7")]
    assert file_absences({"data": data}, datasets, asked) == {
        "sets/dpc5_1": "the mirror (data.mirror) has no a_1.json",
        "sets/dpc5_7": "the registered data set sets has no split dpc5_7",
    }
    left_out = {"data": {**data, "left_out": ["sets/dpc5"]}}
    assert file_absences(left_out, datasets, asked[:1]) == {"sets/dpc5_0": "sets/dpc5 is named in data.left_out"}
    with pytest.raises(UserError, match="dataset 'stes': not in the registry"):
        file_absences({"data": data}, datasets, [("stes", "dpc5_0")])
