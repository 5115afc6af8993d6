"""Kernels through the steps: blocks, scaling, resuming, embeddings, similarities, a clear line for each bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_json, write_json, write_jsonl
from scripts.common.tensors import read_embeddings, write_tensors
from scripts.delift import collect_similarity, collect_utility, embed_examples, score_utility
from scripts.delift.kernels import write_kernels
from scripts.lm import shards
from scripts.selection.kernels import read_kernel
from tests.unit import lm_tiny
from tests.unit.delift_tiny import plain_utilities, utility_settings
from tests.unit.nuggets_tiny import instruction_rows, save, tiny

POOL = instruction_rows(5, seed=1, prefix="pool")
QUERY = instruction_rows(3, seed=2, prefix="query")
TARGETS = instruction_rows(4, seed=3, prefix="target")
MODEL_FLAGS = ["--dtype", "float32", "--device", "cpu", "--threads", "1"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    save(tiny(), folder / "model")
    for name, rows in (("pool", POOL), ("query", QUERY), ("targets", TARGETS)):
        write_jsonl(folder / f"{name}.jsonl", rows)
    return folder


def score(files: Path, out: Path, start: int, stop: int, *, reference: bool = True, **changes: Any) -> list[str]:
    """Score a block; return the paths of block and summary."""
    block, summary = str(out / f"block_{start}.npy"), str(out / f"block_{start}.json")
    flags = ["--reference", str(files / "query.jsonl")] if reference else []
    score_utility.main(
        ["--pool", str(files / "pool.jsonl"), *flags, "--targets", str(files / "targets.jsonl")]
        + ["--start", str(start), "--stop", str(stop), "--model", str(files / "model"), *MODEL_FLAGS]
        + ["--settings", json.dumps(utility_settings(**changes)), "--block-out", block, "--summary-out", summary]
        + ["--run-out", str(out / "run.json")]
    )
    return [block, summary]


def collect(files: Path, out: Path, blocks: list[list[str]], *, scale: str = "own", reference: bool = True) -> Path:
    """Collect the blocks; return the folder with kernel.npy, reference.npy and summary.json."""
    flags = ["--reference", str(files / "query.jsonl"), "--reference-kernel-out", str(out / "reference.npy")]
    collect_utility.main(
        ["--pool", str(files / "pool.jsonl"), *(flags if reference else []), "--targets", str(files / "targets.jsonl")]
        + ["--blocks", *(block for block, _ in blocks), "--summaries", *(summary for _, summary in blocks)]
        + ["--scale", scale, "--kernel-out", str(out / "kernel.npy"), "--summary-out", str(out / "summary.json")]
    )
    return out


@pytest.fixture(scope="module")
def blocks(files: Path, tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    out = tmp_path_factory.mktemp("blocks")
    return [score(files, out, start, start + 3) for start in (0, 3, 6)]


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    """The utilities of pool and query examples by the plain computation, (targets, 8)."""
    return plain_utilities(tiny(), TARGETS, [*POOL, *QUERY])


@pytest.mark.parametrize("scale", ["own", "joint"])
def test_blocks_become_scaled_kernels(files, blocks, plain, scale, tmp_path):
    folder = collect(files, tmp_path, blocks, scale=scale)
    pool, query = plain[:, :5], plain[:, 5:]
    for name, part in (("kernel.npy", pool), ("reference.npy", query)):
        span = part if scale == "own" else plain
        kernel = read_kernel(folder / name, 4, part.shape[1])
        assert kernel.flags.f_contiguous
        np.testing.assert_allclose(kernel, (part - span.min()) / (span.max() - span.min()), atol=1e-5)
        if scale == "own":
            assert (kernel.min(), kernel.max()) == (0.0, 1.0)
    summary = read_json(folder / "summary.json")
    assert (summary["n_targets"], summary["n_pool"], summary["n_reference"]) == (4, 5, 3)
    assert (summary["n_pairs"], summary["n_targets_without_response"]) == (32, 0)
    assert summary["extremes"]["pool"]["maximum"] == pytest.approx(pool.max(), abs=1e-5)
    assert [target["id"] for target in summary["targets"]] == [row["id"] for row in TARGETS]


def test_one_block_and_three_give_the_same_bytes(files, blocks, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "three").mkdir()
    one = collect(files, tmp_path / "one", [score(files, tmp_path, 0, 100)])
    three = collect(files, tmp_path / "three", blocks)
    for name in ("kernel.npy", "reference.npy", "summary.json"):
        assert (one / name).read_bytes() == (three / name).read_bytes()


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(files, blocks, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "CHUNK", 1)
    from scripts.delift.utility import UtilityScorer

    usual, calls = UtilityScorer.column, []

    def dying(self, example):
        calls.append(example)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return usual(self, example)

    monkeypatch.setattr(UtilityScorer, "column", dying)
    with pytest.raises(KeyboardInterrupt):
        score(files, tmp_path, 0, 3)
    assert len(list(tmp_path.glob(".block_0.*/chunk_*"))) == 2
    again = score(files, tmp_path, 0, 3)
    assert len(calls) == 4
    assert [Path(path).read_bytes() for path in again] == [Path(path).read_bytes() for path in blocks[0]]
    assert list(tmp_path.glob(".block_0.*")) == []


def test_targets_without_response_are_counted(files, tmp_path, caplog):
    rows = [*TARGETS[:3], {**TARGETS[3], "output": ""}]
    write_jsonl(tmp_path / "targets.jsonl", rows)
    for name in ("pool.jsonl", "query.jsonl", "model"):
        (tmp_path / name).symlink_to(files / name)
    tokens = {"before": "none", "between": "eos", "after": "none"}
    folder = collect(tmp_path, tmp_path, [score(tmp_path, tmp_path, 0, 100, special_tokens=tokens)])
    assert "1 of 4 targets have no response token" in caplog.text
    assert read_json(folder / "summary.json")["n_targets_without_response"] == 1


def test_blocks_of_another_machine_may_differ_in_the_last_bits(files, blocks, tmp_path):
    for change, fits in ((1e-6, True), (1e-2, False)):
        summary = read_json(blocks[1][1])
        for target in summary["targets"]:
            target["distance"] += change
        write_json(tmp_path / "elsewhere.json", summary)
        given = [blocks[0], [blocks[1][0], str(tmp_path / "elsewhere.json")], blocks[2]]
        if fits:
            collect(files, tmp_path, given)
        else:
            with pytest.raises(UserError, match="other settings, model or targets"):
                collect(files, tmp_path, given)


def test_blocks_must_be_complete_and_of_one_run(files, blocks, tmp_path):
    with pytest.raises(UserError, match="6 columns of 8; score the missing blocks"):
        collect(files, tmp_path, blocks[:2])
    with pytest.raises(UserError, match="column 0 is pool 'pool3', expected pool 'pool0'"):
        collect(files, tmp_path, [blocks[1], blocks[0], blocks[2]])
    other = score(files, tmp_path, 6, 9, max_tokens=50)
    with pytest.raises(UserError, match="other settings, model or targets"):
        collect(files, tmp_path, [*blocks[:2], other])
    Path(other[0]).write_bytes(b"")
    with pytest.raises(UserError, match="block_6.npy: damaged, its sum is not the one in"):
        collect(files, tmp_path, [*blocks[:2], [other[0], blocks[2][1]]])
    with pytest.raises(UserError, match="none of the 8 columns lies between"):
        score(files, tmp_path, 8, 9)
    with pytest.raises(UserError, match="give both or neither"):
        collect_utility.main(
            ["--pool", str(files / "pool.jsonl"), "--reference", str(files / "query.jsonl")]
            + ["--targets", str(files / "targets.jsonl"), "--blocks", "b", "--summaries", "s", "--scale", "own"]
            + ["--kernel-out", "k", "--summary-out", "s"]
        )


def test_constant_kernel_is_refused(tmp_path):
    block = np.full((3, 2), 0.25, dtype=np.float32)
    with pytest.raises(UserError, match="pool kernel: all entries are 0.25"):
        write_kernels({"pool": lambda: iter([block])}, {"pool": 3}, 2, {"pool": tmp_path / "k.npy"}, "own")
    block[0, 0] = np.nan
    with pytest.raises(UserError, match="not finite"):
        write_kernels({"pool": lambda: iter([block])}, {"pool": 3}, 2, {"pool": tmp_path / "k.npy"}, "own")
    assert list(tmp_path.iterdir()) == []


def test_kernel_of_other_data_is_refused(files, blocks, tmp_path):
    folder = collect(files, tmp_path, blocks)
    with pytest.raises(UserError, match="5 candidates where 6 are expected"):
        read_kernel(folder / "kernel.npy", 4, 6)
    with pytest.raises(UserError, match="no such file"):
        read_kernel(tmp_path / "absent.npy", None, None)


EMBED = {
    "prompt": {"with_input": "{instruction} {input}", "without_input": "{instruction}"},
    "output": " {output}",
    "pooling": "first",
    "normalise": True,
    "max_tokens": 64,
    "batch_tokens": 64,
}


def embed(folder: Path, model: Path, **changes: Any) -> list[Path]:
    """Embed pool and query set; return the two files."""
    outputs = [folder / "pool.safetensors", folder / "query.safetensors"]
    for name, rows in (("pool", POOL), ("query", QUERY)):
        write_jsonl(folder / f"{name}.jsonl", rows)
    embed_examples.main(
        ["--examples", str(folder / "pool.jsonl"), str(folder / "query.jsonl"), "--model", str(model), *MODEL_FLAGS]
        + ["--settings", json.dumps({**EMBED, **changes}), "--embeddings-out", *map(str, outputs)]
        + ["--family", "encoder", "--run-out", str(folder / "run.json")]
    )
    return outputs


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lm_tiny.save(lm_tiny.tiny("bert"), tmp_path_factory.mktemp("encoder"))


def test_embeddings_have_length_1_and_depend_on_the_response(encoder, tmp_path):
    pool = read_embeddings(embed(tmp_path, encoder)[0], [row["id"] for row in POOL], "pool")
    np.testing.assert_allclose(np.linalg.norm(pool, axis=1), 1.0, atol=1e-6)
    without = read_embeddings(embed(tmp_path, encoder, output="")[0], [row["id"] for row in POOL], "pool")
    assert np.abs(pool - without).max() > 1e-3
    with pytest.raises(UserError, match="--settings.output: 'Output' does not have the form"):
        embed(tmp_path, encoder, output="Output")


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_similarity_kernel(metric, tmp_path):
    rng = np.random.default_rng(0)
    points = {"t": rng.normal(size=(6, 4)), "p": rng.normal(size=(300, 4)), "r": rng.normal(size=(3, 4))}
    for name, vectors in points.items():
        write_tensors(
            tmp_path / name, {"embeddings": vectors.astype(np.float32)}, ids=list(map(str, range(len(vectors))))
        )
    collect_similarity.main(
        ["--targets", str(tmp_path / "t"), "--pool", str(tmp_path / "p"), "--reference", str(tmp_path / "r")]
        + ["--metric", metric, "--scale", "own", "--kernel-out", str(tmp_path / "k.npy")]
        + ["--reference-kernel-out", str(tmp_path / "q.npy"), "--summary-out", str(tmp_path / "s.json")]
    )
    for name, file in (("p", "k.npy"), ("r", "q.npy")):
        a, b = points["t"][:, None], points[name][None]
        if metric == "cosine":
            plain = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
        else:
            plain = -np.linalg.norm(a - b, axis=-1)
        plain = (plain - plain.min()) / (plain.max() - plain.min())
        np.testing.assert_allclose(read_kernel(tmp_path / file, 6, len(points[name])), plain, atol=1e-5)


def test_similarity_of_a_vector_of_length_0(tmp_path):
    write_tensors(tmp_path / "t", {"embeddings": np.zeros((2, 3), dtype=np.float32)}, ids=["a", "b"])
    flags = ["--targets", str(tmp_path / "t"), "--pool", str(tmp_path / "t"), "--scale", "own"]
    outputs = ["--kernel-out", str(tmp_path / "k.npy"), "--summary-out", str(tmp_path / "s.json")]
    with pytest.raises(UserError, match="vector of length 0 has no cosine"):
        collect_similarity.main([*flags, "--metric", "cosine", *outputs])
    with pytest.raises(UserError, match="did you mean 'cosine'"):
        collect_similarity.main([*flags, "--metric", "cosin", *outputs])
