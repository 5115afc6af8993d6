"""The measuring steps: each its own values in the long schema, from no more files than it needs."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, write_csv, write_jsonl
from scripts.common.metrics import read_metrics, with_value
from scripts.common.tensors import write_tensors
from scripts.nuggets import count_scores, measure_anchor_sizes, measure_quality, measure_racing, measure_released
from scripts.nuggets.golden_files import NO_TRUTH, RACED, WITHOUT_EFFECT, effect_notes
from tests.unit.nuggets_eval import flags

IMPROVED = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)
ABOUT = {"model": "tiny", "anchors": "kmeans_4", "seed": 0}
QUALITY = {**ABOUT, "subset_fraction": 0.5, "orders": {"perplexity": "lowest", "ifd": "highest", "length": "highest"}}


def score_rows(improved):
    return [
        {"id": f"p{i}", "golden_score": f"{row.mean():.9g}", "mean_gain_nats": f"{row.mean() - 0.5:.9g}"}
        for i, row in enumerate(improved)
    ]


def write_scores(path, rows):
    write_csv(path, rows, ("id", "golden_score", "mean_gain_nats"))


def write_raw(folder, one_shot, n_tokens=(1, 1, 1, 1)):
    zero = np.zeros(4, dtype=np.float32)
    raw = {"zero_shot": zero, "one_shot": one_shot, "n_tokens": np.array(n_tokens, dtype=np.int32)}
    write_tensors(folder / "raw.safetensors", raw)


@pytest.fixture
def folder(tmp_path):
    write_scores(tmp_path / "scores.csv", score_rows(IMPROVED))
    write_scores(tmp_path / "random.csv", score_rows(IMPROVED[::-1]))
    write_raw(tmp_path, IMPROVED.astype(np.float32))
    difficulty = [{"id": f"p{i}", "perplexity": p, "ifd": 0.5, "length": i} for i, p in enumerate([2.0, 1.0, "", 3.0])]
    write_csv(tmp_path / "difficulty.csv", difficulty[::-1], ("id", "perplexity", "ifd", "length"))
    truth = [{"id": f"p{i}", "good": i < 2, "family": "copy", "fault": "" if i < 2 else "wrong"} for i in range(4)]
    write_jsonl(tmp_path / "truth.jsonl", truth)
    return tmp_path


def values(folder):
    """Return {(setting, method, seed, metric): (value, n)} of what the last step wrote."""
    rows = with_value(read_metrics(folder / "measured.csv"))
    found = {(r["setting"], r["method"], r["seed"], r["metric"]): (float(r["value"]), int(r["n"])) for r in rows}
    assert len(found) == len(rows), "a value is written twice"
    return found


def reasons(folder):
    return {row["metric"]: row["reason"] for row in read_metrics(folder / "measured.csv") if row["reason"]}


def count(folder):
    given = {"dataset": "pool", "model": "tiny", "anchors": "kmeans_4", "seed": 0, "thresholds": [0.25, 0.5]}
    read = {"scores": folder / "scores.csv", "raw": folder / "raw.safetensors"}
    count_scores.main(flags({**read, **given, "measured-out": folder / "measured.csv"}))
    return values(folder)


def quality(folder, **changes):
    given = {
        "anchor-sets": ["kmeans_4", "random_4"],
        "scores": [folder / "scores.csv", folder / "random.csv"],
        "difficulty": folder / "difficulty.csv",
        "truth": folder / "truth.jsonl",
        "settings": QUALITY,
        "measured-out": folder / "measured.csv",
        "roc-out": folder / "roc.csv",
    }
    measure_quality.main(flags({**given, **changes}))
    return values(folder)


def sizes(folder, **changes):
    settings = {**ABOUT, "sizes": [1, 2, 4], "draws": 3}
    given = {"scores": folder / "scores.csv", "raw": folder / "raw.safetensors", "truth": folder / "truth.jsonl"}
    measure_anchor_sizes.main(
        flags({**given, "settings": settings, "measured-out": folder / "measured.csv", **changes})
    )
    return values(folder)


def racing(folder):
    given = {"scores": folder / "scores.csv", "raw": folder / "raw.safetensors"}
    settings = {**ABOUT, "thresholds": [0.25, 0.5]}
    measure_racing.main(flags({**given, "settings": settings, "measured-out": folder / "measured.csv"}))
    return values(folder)


def released(folder, **changes):
    names = {"scores": "scores.csv", "raw": "raw.safetensors", "difficulty": "difficulty.csv", "truth": "truth.jsonl"}
    settings = {**ABOUT, "orders": QUALITY["orders"], "resamples": 50, "sizes": [1, 2, 4, 8], "draws": 3}
    write_jsonl(folder / "released.jsonl", [{"id": f"p{i}", "score": s} for i, s in ((1, 0.5), (2, 0.3), (3, 0.1))])
    read = {name: folder / file for name, file in names.items()}
    given = {**read, "released": folder / "released.jsonl", "settings": settings}
    measure_released.main(flags({**given, "measured-out": folder / "measured.csv", **changes}))
    return values(folder)


def test_agreement_with_released_scores(folder):
    found = released(folder)
    assert found["label", "golden_score", "0", "auc"] == (1.0, 4)
    assert found["label", "length", "0", "auc"] == (0.0, 4)
    assert found["released_score", "golden_score", "0", "spearman"] == (1.0, 3)
    assert found["released_score", "length", "0", "spearman"] == (-1.0, 3)
    assert found["n_anchors_4", "golden_score", "2", "auc"] == (1.0, 4)
    assert not any(setting == "n_anchors_8" for setting, *_ in found)
    assert found["all", "anchors", "0", WITHOUT_EFFECT] == (0, 4)


def test_a_pool_without_a_list_says_so(folder):
    assert released(folder, truth=None) == {}
    assert reasons(folder) == {"": measure_released.NOT_LISTED}


@pytest.mark.parametrize("step", [count, sizes, racing, released])
def test_anchors_without_effect_are_counted_wherever_scores_are_shown(folder, step):
    write_raw(folder, IMPROVED.astype(np.float32), n_tokens=(1, 0, 1, 0))
    step(folder)
    rows = with_value(read_metrics(folder / "measured.csv"))
    assert effect_notes(rows) == [
        "2 of 4 anchors have no answer left (nuggets.score.anchor_tokens) and count for no example."
    ]


def test_counts_at_thresholds(folder):
    assert count(folder) == {
        ("pool", "le_0.25", "0", "n_examples"): (2, 4),
        ("pool", "le_0.5", "0", "n_examples"): (2, 4),
        ("pool", "anchors", "0", WITHOUT_EFFECT): (0, 4),
    }
    assert {row["experiment"] for row in read_metrics(folder / "measured.csv")} == {"golden_scores/kmeans_4"}


def test_released_scores_are_counted_and_described(folder):
    rows = [{"id": str(n), "score": score} for n, score in enumerate([0.06, 0.5, 0.25, 0.25])]
    write_jsonl(folder / "released.jsonl", rows)
    given = {"dataset": "bad", "model": "llama_7b", "anchors": "kmeans_100", "seed": 0, "thresholds": [0.25, 0.5]}
    released = {"released": folder / "released.jsonl", "measured-out": folder / "measured.csv"}
    count_scores.main(flags({**released, **given}))
    found = values(folder)
    assert found["bad", "le_0.25", "0", "n_examples"] == (3, 4)
    assert found["bad", "le_0.5", "0", "n_examples"] == (4, 4)
    spread = {method: value for (_, method, _, metric), (value, _) in found.items() if metric == "golden_score"}
    assert spread == {"lowest": 0.06, "mean": 0.265, "median": 0.25, "highest": 0.5}
    write_jsonl(folder / "released.jsonl", [{"id": "0", "score": "high"}])
    with pytest.raises(UserError, match=r"released.jsonl:1: field 'score' must be a finite number, found str 'high'"):
        count_scores.main(flags({**released, **given}))


def test_quality_of_every_score(folder):
    found = quality(folder)
    assert found["all", "golden_score", "0", "auc"] == (1.0, 4)
    assert found["all", "golden_score_random_4", "0", "auc"] == (0.0, 4)
    assert found["all", "perplexity", "0", "auc"] == (1.0, 4)
    assert found["all", "ifd", "0", "auc"] == (0.5, 4)
    points = read_csv(folder / "roc.csv", measure_quality.ROC_COLUMNS)
    assert {point["method"] for point in points} == {method for _, method, _, _ in found}


def test_anchor_sizes(folder):
    found = sizes(folder)
    assert found["n_anchors_4", "golden_score", "2", "spearman_with_all_anchors"] == (1.0, 4)
    assert found["n_anchors_4", "golden_score", "0", "auc"] == (1.0, 4)
    assert {seed for _, method, seed, _ in found if method == "golden_score"} == {"0", "1", "2"}


def test_racing_replays(folder):
    assert racing(folder)["threshold_0.5", "racing", "0", "same_decisions_share"] == (1.0, 4)


@pytest.mark.parametrize("step", [count, quality, sizes, racing, released])
def test_same_bytes_twice(folder, step):
    step(folder)
    first = (folder / "measured.csv").read_bytes()
    step(folder)
    assert (folder / "measured.csv").read_bytes() == first


def test_a_real_pool_has_no_truth(folder):
    assert quality(folder, truth=None) == {}
    assert reasons(folder) == {"": NO_TRUTH}
    assert (folder / "roc.csv").read_text().count("\n") == 1
    found = sizes(folder, truth=None)
    assert {metric for *_, metric in found} == {"spearman_with_all_anchors", WITHOUT_EFFECT}
    assert reasons(folder) == {"auc": NO_TRUTH}


@pytest.mark.parametrize("step", [sizes, racing])
def test_raced_scores_give_no_replay(folder, step):
    one = IMPROVED.astype(np.float32)
    one[3, 2:] = np.nan
    write_raw(folder, one)
    assert step(folder) == {}
    assert reasons(folder) == {"": RACED}


def test_a_skipped_candidate_is_the_lowest_and_is_counted(folder):
    rows = score_rows(IMPROVED)
    rows[0].update(golden_score="", mean_gain_nats="")
    write_scores(folder / "scores.csv", rows)
    one = IMPROVED.astype(np.float32)
    one[0] = np.nan
    write_raw(folder, one)
    assert quality(folder)["all", "golden_score", "0", "auc"] == (0.5, 4)
    assert racing(folder)["threshold_0.5", "racing", "0", "same_decisions_share"] == (1.0, 3)
    assert count(folder)["pool", "le_0.5", "0", "n_examples"] == (2, 4)
    assert reasons(folder) == {"": "1 examples have no score: too long for the window"}


def test_faults_are_named(folder):
    with pytest.raises(UserError, match="the main anchor set 'kmeans_4' is missing"):
        quality(folder, **{"anchor-sets": ["random_4"], "scores": [folder / "random.csv"]})
    with pytest.raises(UserError, match="--scores: 1 files for 2 anchor sets"):
        quality(folder, scores=[folder / "scores.csv"])
    write_scores(folder / "random.csv", score_rows(IMPROVED[:3]))
    with pytest.raises(UserError, match="'random_4' are of another pool"):
        quality(folder)


def test_files_of_another_pool_are_named(folder):
    write_jsonl(folder / "truth.jsonl", [{"id": "p0", "good": True, "family": "copy", "fault": ""}])
    for step in (quality, sizes):
        with pytest.raises(UserError, match=r"truth.jsonl: no row for example 'p1'"):
            step(folder)
    write_csv(folder / "difficulty.csv", [{"id": "p0", "perplexity": 1, "ifd": 1, "length": 1}],
              ("id", "perplexity", "ifd", "length"))  # fmt: skip
    with pytest.raises(UserError, match=r"difficulty.csv: no row for example 'p1'"):
        quality(folder)
    write_scores(folder / "scores.csv", score_rows(IMPROVED[:3]))
    with pytest.raises(UserError, match=r"raw.safetensors: 4 candidates, the scores have 3; score again"):
        racing(folder)


def test_a_damaged_raw_file_is_named(folder):
    (folder / "raw.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"raw.safetensors: damaged safetensors file"):
        racing(folder)
