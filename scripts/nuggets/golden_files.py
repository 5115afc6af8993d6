"""Reading what was scored: golden scores, raw sums and the truth of one pool, checked to be of the same pool."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError
from scripts.common.files import PathLike, read_csv
from scripts.common.metrics import metric_row
from scripts.common.tensors import read_tensors
from scripts.data.schemas import read_examples
from scripts.nuggets.selection_quality import improved_anchors

NO_TRUTH = "it is not known which examples of this pool are good: only a synthetic pool has a truth file"
WITHOUT_EFFECT = "anchors_without_effect"
RACED = "scores were made with racing on, so not every candidate was run against every anchor"


@dataclasses.dataclass(frozen=True)
class Scores:
    """Golden scores and mean gains (nats) in pool order; None for an example that was not scored."""

    ids: tuple[str, ...]
    golden: tuple[float | None, ...]
    mean_gain: tuple[float | None, ...]


@dataclasses.dataclass(frozen=True)
class Replay:
    """The scored candidates against every anchor.

    improved: (n, K) bool, see `improved_anchors`; n_tokens: (K,) answer tokens; scored: (N,) bool, which of the pool.
    """

    improved: np.ndarray
    n_tokens: np.ndarray
    scored: np.ndarray


def numbers(rows: Sequence[dict[str, str]], column: str) -> tuple[float | None, ...]:
    """Return a column of a CSV as numbers, None where a cell is empty."""
    return tuple(float(row[column]) if row[column] else None for row in rows)


def effect_row(name: str, setting: str, model: str, seed: int, n_tokens: np.ndarray) -> dict[str, Any]:
    """Return how many anchors have no answer left, so that no example can help with them; n: the anchors.

    name: the experiment; n_tokens: (K,) answer tokens.
    """
    count = int((np.asarray(n_tokens) == 0).sum())
    return metric_row("nuggets", name, setting, model, "anchors", seed, WITHOUT_EFFECT, count, len(n_tokens))


def effect_notes(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Return what a table or figure says of anchors without effect among its measured values: nothing for none."""
    found = {(int(float(row["value"])), int(row["n"])) for row in rows if row["metric"] == WITHOUT_EFFECT}
    return [
        f"{count} of {total} anchors have no answer left (nuggets.score.anchor_tokens) and count for no example."
        for count, total in sorted(found)
        if count
    ]


def read_scores(path: PathLike) -> Scores:
    """Return the scores that `collect_scores` wrote."""
    rows = read_csv(path, ("id", "golden_score", "mean_gain_nats"))
    ids = tuple(row["id"] for row in rows)
    return Scores(ids, numbers(rows, "golden_score"), numbers(rows, "mean_gain_nats"))


def read_truth(path: PathLike, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of the truth file in the order of `ids`; rows of examples outside the pool are left out."""
    known = {row["id"]: row for row in read_examples(path, "truth")}
    missing = [name for name in ids if name not in known]
    if missing:
        raise UserError(f"{path}: no row for example '{missing[0]}' of the pool; give the truth of the same data set")
    return [known[name] for name in ids]


def read_replay(path: PathLike, scores: Scores) -> Replay | None:
    """Return which candidates improved which anchors; None if racing left some out. path: `raw.safetensors`."""
    raw = read_tensors(path, "zero_shot", "one_shot", "n_tokens")[0]
    if raw["one_shot"].shape != (len(scores.ids), len(raw["zero_shot"])):
        raise UserError(
            f"{path}: {raw['one_shot'].shape[0]} candidates, the scores have {len(scores.ids)}; score again"
        )
    scored = np.array([value is not None for value in scores.golden])
    if np.isnan(raw["one_shot"][scored]).any():
        return None
    improved = improved_anchors(raw["zero_shot"], raw["one_shot"][scored], raw["n_tokens"])
    return Replay(improved, raw["n_tokens"], scored)
