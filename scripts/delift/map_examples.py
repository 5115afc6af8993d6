"""Lay out the examples of each dataset pair in the plane: t-SNE of their embeddings (the original's create_embeddings).

Two components, perplexity 15, random start with seed 42, learning rate 200, as in the released code.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json
from scripts.common.seeding import generator
from scripts.common.step_parser import StepParser
from scripts.common.tensors import read_tensors
from scripts.delift.settings_artifacts import MapSettings

logger = logging.getLogger(__name__)

PARTS = ("pool", "reference", "test")


def read_parts(folder: str) -> list[tuple[str, list[str], np.ndarray]]:
    """Return (part, ids, embeddings) of the parts a map shows."""
    parts = []
    for name in PARTS:
        path = Path(folder) / f"{name}.safetensors"
        if path.is_file():
            arrays, ids = read_tensors(path, "embeddings", note="ids")
            parts.append((name, ids, arrays["embeddings"]))
    if not parts:
        raise UserError(f"{folder}: no embeddings in it; embed the pair's examples first")
    return parts


def draw_points(sizes: Sequence[int], limit: int, seed: int) -> list[np.ndarray]:
    """Return which rows of each part are shown: all, or an equal share of each, drawn at random, in their order."""
    total = sum(sizes)
    if total <= limit:
        return [np.arange(size) for size in sizes]
    rng = generator(seed, "delift", "map")
    return [np.sort(rng.choice(size, max(1, size * limit // total), replace=False)) for size in sizes]


def plane(vectors: np.ndarray, settings: MapSettings, threads: int) -> np.ndarray:
    """Return (n, 2) coordinates. Few points get a smaller perplexity, which t-SNE needs to be below their number."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        return TSNE(
            n_components=2,
            perplexity=min(settings.perplexity, max(1.0, (len(vectors) - 1) / 3)),
            random_state=settings.seed,
            init="random",
            learning_rate=settings.learning_rate,
            n_jobs=threads,
        ).fit_transform(np.asarray(vectors, dtype=np.float32))


def map_of(folder: str, settings: MapSettings, threads: int) -> dict[str, Any]:
    """Return {part: ids, x, y} of one pair; all parts lie in one map."""
    parts = read_parts(folder)
    chosen = draw_points([len(ids) for _, ids, _ in parts], settings.max_points, settings.seed)
    places = plane(np.concatenate([vectors[rows] for (_, _, vectors), rows in zip(parts, chosen)]), settings, threads)
    laid, start = {}, 0
    for (name, ids, _), rows in zip(parts, chosen):
        here = places[start : start + len(rows)]
        start += len(rows)
        laid[name] = {"ids": [ids[row] for row in rows], "x": _rounded(here[:, 0]), "y": _rounded(here[:, 1])}
    return laid


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 3) for value in values]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--pairs", nargs="+", required=True, help="names of the dataset pairs")
    parser.add_argument("--embeddings", nargs="+", required=True, help="folders of embed_examples, one per pair")
    parser.add_settings(MapSettings)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--maps-out", required=True, help="JSON: pair -> part -> ids, x, y")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Lay out every pair."""
    args = parse_args(argv)
    settings: MapSettings = args.settings
    if len(args.pairs) != len(args.embeddings):
        raise UserError(f"--embeddings: {len(args.embeddings)} folders for {len(args.pairs)} pairs; give one per pair")
    maps: Mapping[str, Any] = {
        pair: map_of(folder, settings, args.threads) for pair, folder in zip(args.pairs, args.embeddings)
    }
    write_json(args.maps_out, maps)
    logger.info("%d maps", len(maps))


if __name__ == "__main__":
    run_step(main)
