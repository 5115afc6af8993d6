"""Scoring shards: rows and raw sums, sharding, resuming after a kill, one clear line for each bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, read_jsonl, write_jsonl
from scripts.common.tensors import read_tensors
from scripts.lm import shards
from scripts.nuggets import collect_scores
from scripts.nuggets.golden import GoldenScorer
from scripts.nuggets.score_candidates import main
from tests.unit.nuggets_tiny import instruction_rows, plain_scores, save, score_settings, tiny

POOL = instruction_rows(7, seed=2, prefix="candidate")
ANCHORS = instruction_rows(12, seed=1, prefix="anchor")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tiny(), tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "CHUNK", 2)


def score(folder: Path, usual_model: Path, **changes: Any) -> tuple[Path, Path]:
    """Run the step on the usual input, or on what `changes` says, and return its two outputs."""
    folder.mkdir(exist_ok=True)
    options = {"pool": POOL, "anchors": ANCHORS, "start": 0, "stop": 7, "settings": {}, "model": usual_model, **changes}
    for name in ("pool", "anchors"):
        if not isinstance(options[name], Path):
            write_jsonl(folder / f"{name}.jsonl", options[name])
            options[name] = folder / f"{name}.jsonl"
    settings = {**score_settings().given(), **options["settings"]}
    out = folder / f"shard_{options['start']}.jsonl", folder / f"shard_{options['start']}.raw.safetensors"
    main(
        ["--pool", str(options["pool"]), "--anchors", str(options["anchors"]), "--model", str(options["model"])]
        + ["--dtype", "float32", "--device", "cpu", "--threads", "1", "--settings", json.dumps(settings)]
        + ["--start", str(options["start"]), "--stop", str(options["stop"])]
        + ["--scores-out", str(out[0]), "--raw-out", str(out[1])]
    )
    return out


def read_raw(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    return read_tensors(path, note="shard")


def test_rows_and_raw_sums_equal_the_plain_computation(tmp_path: Path, model: Path) -> None:
    scores, raw = score(tmp_path, model)
    zero, one = plain_scores(tiny(), POOL, ANCHORS)
    arrays, shard = read_raw(raw)
    assert {name: (array.dtype.name, array.shape) for name, array in arrays.items()} == {
        "zero_shot": ("float32", (12,)),
        "one_shot": ("float32", (7, 12)),
        "n_tokens": ("int32", (12,)),
    }
    np.testing.assert_allclose(arrays["zero_shot"], zero, atol=1e-4 * arrays["n_tokens"].max())
    np.testing.assert_allclose(arrays["one_shot"], one, atol=1e-4 * arrays["n_tokens"].max())
    assert shard["stop"] == 7
    rows = read_jsonl(scores)
    assert [row["id"] for row in rows] == [row["id"] for row in POOL]
    for row, sums in zip(rows, one):
        assert row["golden_score"] == (sums > zero).sum() / 12
        assert row["mean_gain_nats"] == pytest.approx(((sums - zero) / arrays["n_tokens"]).mean(), abs=1e-4)
        assert (row["n_anchors"], row["n_evaluated"], row["decided"]) == (12, 12, None)


def test_shards_hold_the_same_bytes_as_the_whole(tmp_path: Path, model: Path) -> None:
    whole, whole_raw = score(tmp_path / "whole", model)
    parts = [score(tmp_path / "parts", model, start=start, stop=start + 3) for start in (0, 3, 6)]
    assert b"".join(part.read_bytes() for part, _ in parts) == whole.read_bytes()
    together = np.concatenate([read_raw(raw)[0]["one_shot"] for _, raw in parts])
    assert together.tobytes() == read_raw(whole_raw)[0]["one_shot"].tobytes()
    assert len(read_jsonl(parts[2][0])) == 1  # the end of the pool cuts the last shard


def test_a_second_run_writes_the_same_bytes(tmp_path: Path, model: Path) -> None:
    first, again = (score(tmp_path / name, model) for name in ("first", "again"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def count_scored(monkeypatch: pytest.MonkeyPatch, stop_after: int | None = None) -> list[int]:
    """Note each candidate that is scored; die after `stop_after` of them."""
    real, scored = GoldenScorer.one_shot, []

    def counted(self: GoldenScorer, ids: tuple[int, ...]) -> np.ndarray:
        if stop_after is not None and len(scored) == stop_after:
            raise Killed
        scored.append(len(ids))
        return real(self, ids)

    monkeypatch.setattr(GoldenScorer, "one_shot", counted)
    return scored


def scratch(folder: Path) -> list[Path]:
    return sorted(folder.glob(".shard_0.*.partial"))


def killed_run(folder: Path, model: Path, stop_after: int = 5) -> None:
    """Run the step until it dies; chunks of two candidates: four of five survive."""
    with pytest.MonkeyPatch.context() as patch:
        count_scored(patch, stop_after)
        with pytest.raises(Killed):
            score(folder, model)


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = score(tmp_path / "undisturbed", model)
    killed_run(tmp_path / "killed", model)
    assert not list((tmp_path / "killed").glob("shard*"))
    assert len(scratch(tmp_path / "killed")) == 1
    scored = count_scored(monkeypatch)
    resumed = score(tmp_path / "killed", model)
    assert len(scored) == 3  # of 7: two chunks of two were done
    assert [path.read_bytes() for path in resumed] == [path.read_bytes() for path in undisturbed]
    assert scratch(tmp_path / "killed") == []


def test_slow_candidates_are_not_lost_with_their_chunk(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "CHUNK", 25)
    monkeypatch.setattr(shards, "SAVED_EVERY", 0.0)
    undisturbed = score(tmp_path / "undisturbed", model)
    killed_run(tmp_path / "killed", model)
    scored = count_scored(monkeypatch)
    resumed = score(tmp_path / "killed", model)
    assert len(scored) == 2  # of 7: five of the only chunk were done
    assert [path.read_bytes() for path in resumed] == [path.read_bytes() for path in undisturbed]


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"separator": "\n"}},
        {"settings": {"batch_tokens": 32}},
        {"anchors": ANCHORS[1:]},
        {"pool": [{**row, "output": row["output"] + " w1"} for row in POOL]},
    ],
    ids=["separator", "batch_tokens", "anchors", "pool"],
)
def test_chunks_of_other_settings_are_not_used(
    tmp_path: Path, model: Path, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = score(tmp_path / "fresh", model, **changes)
    killed_run(tmp_path / "killed", model)
    scored = count_scored(monkeypatch)
    resumed = score(tmp_path / "killed", model, **changes)
    assert len(scored) == 7
    assert [path.read_bytes() for path in resumed] == [path.read_bytes() for path in fresh]
    assert scratch(tmp_path / "killed") == []


@pytest.mark.parametrize(
    "damage",
    [lambda whole: whole[:-3], lambda whole: whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:]],
    ids=["cut", "flipped"],
)
def test_a_damaged_chunk_is_scored_again(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    undisturbed = score(tmp_path / "undisturbed", model)
    killed_run(tmp_path / "killed", model)
    chunk = sorted(scratch(tmp_path / "killed")[0].iterdir())[0]
    chunk.write_bytes(damage(chunk.read_bytes()))
    scored = count_scored(monkeypatch)
    resumed = score(tmp_path / "killed", model)
    assert len(scored) == 5
    assert [path.read_bytes() for path in resumed] == [path.read_bytes() for path in undisturbed]


def test_racing_leaves_anchors_out_and_decides_alike(tmp_path: Path, model: Path) -> None:
    whole, _ = score(tmp_path / "whole", model)
    raced, raw = score(tmp_path / "raced", model, settings={"racing": 0.5})
    left_out = np.isnan(read_raw(raw)[0]["one_shot"])
    assert left_out.any()
    for full, row, missing in zip(read_jsonl(whole), read_jsonl(raced), left_out):
        assert row["decided"] == ("above" if full["golden_score"] > 0.5 else "not_above")
        assert (row["golden_score"] > 0.5) == (full["golden_score"] > 0.5)
        assert row["n_evaluated"] == 12 - missing.sum()


def test_long_candidates_are_skipped_where_asked(tmp_path: Path, model: Path) -> None:
    pool = [POOL[0], {**POOL[1], "output": "w1 " * 120}, POOL[2]]
    scores, raw = score(tmp_path, model, pool=pool, settings={"too_long": "skip"})
    rows = read_jsonl(scores)
    assert [row["golden_score"] is None for row in rows] == [False, True, False]
    assert rows[1]["n_evaluated"] == 0
    assert np.isnan(read_raw(raw)[0]["one_shot"][1]).all()


@pytest.mark.parametrize("racing", [None, 0.5])
def test_a_candidate_that_loses_its_answer_is_skipped_and_counted(
    tmp_path: Path, model: Path, caplog: pytest.LogCaptureFixture, racing: float | None
) -> None:
    """Under `truncate`: what keeps a part of its answer is scored and counted, what keeps none cannot win."""
    pool = [POOL[0], {**POOL[1], "input": "w1 " * 150}, {**POOL[2], "output": "w3 " * 150}]
    scores, raw = score(tmp_path, model, pool=pool, settings={"too_long": "truncate", "racing": racing})
    rows = read_jsonl(scores)
    assert [row["fit"] for row in rows] == ["whole", "answer_lost", "cut"]
    assert [row["golden_score"] is None for row in rows] == [False, True, False]
    assert np.isnan(read_raw(raw)[0]["one_shot"][1]).all()
    assert (
        "of 3 candidates 1 lose the end of their answer, 1 would lose their whole answer and are skipped" in caplog.text
    )
    (tmp_path / "merged").mkdir()
    outputs = {name: tmp_path / "merged" / name for name in ("scores.csv", "raw.safetensors", "sorted.jsonl")}
    collect_scores.main(
        ["--pool", str(tmp_path / "pool.jsonl"), "--shards", str(scores), "--raws", str(raw)]
        + ["--scores-out", str(outputs["scores.csv"]), "--raw-out", str(outputs["raw.safetensors"])]
        + ["--sorted-out", str(outputs["sorted.jsonl"])]
    )
    table = read_csv(outputs["scores.csv"])
    assert [row["fit"] for row in table] == ["whole", "answer_lost", "cut"]
    assert (table[1]["golden_score"], table[1]["rank"]) == ("", "3")


def test_anchors_without_effect_are_counted(tmp_path: Path, model: Path, caplog: pytest.LogCaptureFixture) -> None:
    anchors = [*ANCHORS[:3], {**ANCHORS[3], "output": ""}]
    score(tmp_path, model, anchors=anchors)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any("1 have no answer left and never count as improved" in text for text in warned)


LONG = "w1 " * 130


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"pool": []}, r"pool.jsonl: holds no examples"),
        ({"anchors": []}, r"anchors.jsonl: holds no examples"),
        ({"pool": [*POOL, POOL[3]]}, r"pool.jsonl:8: field 'id' repeats 'candidate3'"),
        ({"pool": [{"id": "a", "instruction": "w1", "input": ""}]}, r"pool.jsonl:1: field 'output' is missing"),
        (
            {"anchors": [{**ANCHORS[0], "output": LONG}], "settings": {"anchor_tokens": None}},
            "anchor 'anchor0': .* window",
        ),
        ({"anchors": [{**row, "output": ""} for row in ANCHORS]}, r"not one of 12 has an answer .* \(12 are empty, 0"),
        ({"settings": {"anchor_tokens": 2}}, r"not one of 12 has an answer to score \(0 are empty, 12 lost to anch"),
        ({"pool": [{**POOL[0], "output": LONG}]}, r"candidate 'candidate0': 13\d tokens.* set too_long"),
        ({"settings": {"racing": 1.5}}, r"--settings.racing: 1.5 is above the maximum 1"),
        ({"settings": {"kv_iters": 2}}, r"--settings.kv_iters: unknown key \(did you mean 'kv_iter'\?\)"),
        ({"start": 7, "stop": 9}, r"--start 7 --stop 9: no candidate"),
        ({"start": 3, "stop": 3}, r"--start 3 --stop 3: no candidate"),
        ({"model": Path("/no/such/model")}, r"model /no/such/model: no such folder"),
        ({"pool": Path("nowhere.jsonl")}, r"nowhere.jsonl: no such file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_gives_one_clear_line(tmp_path: Path, model: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        score(tmp_path, model, **changes)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("shard*"))


def test_a_broken_line_is_named(tmp_path: Path, model: Path) -> None:
    (tmp_path / "broken.jsonl").write_text('{"id": "a", "instruction": "w1", "input": "", "output": "w2"}\n{"id": \n')
    with pytest.raises(UserError, match=r"broken.jsonl:2: broken JSON"):
        score(tmp_path, model, pool=tmp_path / "broken.jsonl")
