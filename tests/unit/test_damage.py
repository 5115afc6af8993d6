"""A flipped byte on the disk: wherever it falls, it is noticed when the file is read again."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import pytest
import torch

from scripts.common.checksums import check_beside, check_seal, damage, is_sealed, seal, write_beside
from scripts.common.errors import UserError
from scripts.common.tensors import map_array, read_tensors, write_array, write_tensors
from scripts.lm.checkpoints import load_state, save_state, usable


def flips(path: Path) -> Iterator[int]:
    """Flip one bit of each byte of a file in turn, and give its place; the file is whole again afterwards."""
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        yield place
    path.write_bytes(whole)


def assert_noticed(path: Path, read: Callable[[], Any]) -> None:
    """Assert that `read` refuses the file, and says so in a line that names it, whichever byte is flipped."""
    read()
    for _ in flips(path):
        with pytest.raises(UserError) as caught:
            read()
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    read()


def test_arrays_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "scores.safetensors"
    arrays = {"one": np.arange(6, dtype=np.float32).reshape(2, 3), "two": np.ones(3, dtype=np.int64)}
    write_tensors(path, arrays, ids=["a", "ü"])
    found, ids = read_tensors(path, note="ids")
    assert ids == ["a", "ü"]
    assert {name: array.tolist() for name, array in found.items()} == {n: a.tolist() for n, a in arrays.items()}
    assert_noticed(path, lambda: read_tensors(path, "one", "two", note="ids"))


def test_arrays_without_numbers_and_of_no_dimension(tmp_path: Path) -> None:
    write_tensors(tmp_path / "x", {"none": np.zeros((0, 3), dtype=np.float32), "single": np.float32(2)})
    found, _ = read_tensors(tmp_path / "x")
    assert found["none"].shape == (0, 3)
    assert found["single"] == 2


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"one": np.ones(2)}, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match=r"x\.safetensors: damaged, its header does not have its checksum"):
        read_tensors(tmp_path / "x.safetensors", "one")


def test_a_training_state(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    tied = torch.arange(4, dtype=torch.bfloat16)
    save_state(path, {"a": tied, "b": tied, "step": torch.tensor(3)}, {"losses": [0.5], "step": 3})
    tensors, facts = load_state(path) or pytest.fail("there is a state")
    assert facts == {"losses": [0.5], "step": 3}
    assert torch.equal(tensors["b"], tied)
    assert tensors["step"].shape == ()
    assert_noticed(path, lambda: load_state(path))
    assert load_state(tmp_path / "none") is None


def test_a_matrix_that_is_read_in_part(tmp_path: Path) -> None:
    path = tmp_path / "block.npy"
    write_array(path, np.arange(12, dtype=np.float32).reshape(3, 4))
    assert_noticed(path, lambda: map_array(path))
    assert map_array(path)[2, 3] == 11


def test_a_file_with_its_sum_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "it's raw.json"
    path.write_text('[{"a": 1}]', encoding="utf-8")
    check_beside(path)  # no sum, no question
    write_beside(path)
    assert_noticed(path, lambda: check_beside(path))
    check = ["sha256sum", "--check", "--quiet", f"{path.name}.sha256"]
    subprocess.run(check, cwd=tmp_path, check=True)
    path.unlink()
    check_beside(path)  # the reader says that it is missing


def test_a_sealed_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "deep" / "weights").write_bytes(bytes(range(40)))
    check_seal(folder)  # never sealed: taken as it is
    assert not is_sealed(folder)
    seal(folder)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    for name in ("config.json", "deep/weights", "SHA256SUMS"):
        for place in flips(folder / name):
            assert damage(folder), f"byte {place} of {name}"
            with pytest.raises(UserError, match="model: .*delete the folder and run again"):
                check_seal(folder)
    assert usable(folder)
    (folder / "config.json").unlink()
    assert damage(folder) == "config.json is missing or damaged"
    assert not usable(folder)
    assert "config.json is missing or damaged; making it again" in caplog.text
    assert not folder.exists()
    assert not usable(folder)
