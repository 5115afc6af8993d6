"""Stage C: write distilled sets with trained generators.

For each draw a pool is written, `over_sample` texts for each one wanted; texts that repeat are left out and K-means
members of the rest are kept (selection k_centers), or the first texts of the pool are taken (selection none). Sets of
all sizes come from one pool: the set of 5 texts a class sees the pool's first 5 * over_sample texts, whatever other
sizes are asked for. Vanilla LM is this step on the generators of stage A.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json
from scripts.common.seeding import derive_seed
from scripts.common.step_parser import StepParser
from scripts.data.label_names import write_label_names
from scripts.ddg.distilled import TextSet, set_path, write_set
from scripts.ddg.flags import add_device_flags
from scripts.ddg.monitors import distinct_n, distinct_texts
from scripts.ddg.settings_steps import SetSettings
from scripts.ddg.texts import Task, read_task

if TYPE_CHECKING:
    import numpy as np

    from scripts.ddg.generator import Generator
    from scripts.ddg.learners import Learner

logger = logging.getLogger(__name__)

RELEASED_SELECTION_SEED = 42
"""K-means' seed where DiLM selects among written texts, in every draw."""


@dataclasses.dataclass(frozen=True)
class Pool:
    """The texts one draw wrote for one class, in order; embeddings of the different ones by text, if needed."""

    texts: list[tuple[str, ...]]
    failures: int
    embeddings: dict[tuple[str, ...], np.ndarray]


def write_pool(
    generator: Generator, encoder: Learner | None, label: int, n: int, settings: SetSettings, seed: int, draw: int
) -> Pool:
    """Write `n` texts of a class for one draw and embed the different ones, if there is an encoder."""
    from scripts.ddg.learners import embeddings_of
    from scripts.ddg.sampling import sample_texts

    texts, failures = sample_texts(generator, label, n, settings.sampling, seed, "sets", draw)
    if encoder is None:
        return Pool(texts, failures, {})
    different = list(dict.fromkeys(texts))
    return Pool(texts, failures, dict(zip(different, embeddings_of(encoder, different, settings.reading))))


def choose(pool: Pool, dpc: int, settings: SetSettings, name: str, seed: int, threads: int) -> list[tuple[str, ...]]:
    """Return `dpc` texts of a pool. name: of the class; seed: of K-means.

    Raises `UserError` if the pool holds fewer different texts.
    """
    if settings.selection == "none":
        return pool.texts[:dpc]
    import numpy as np

    from scripts.selection.cluster_members import cluster_members

    different = list(dict.fromkeys(pool.texts[: dpc * settings.over_sample]))
    points = np.stack([pool.embeddings[text] for text in different])
    distinct = len(np.unique(points, axis=0))
    if distinct < dpc:
        raise UserError(
            f"generator: {distinct} different texts of class '{name}' among {dpc * settings.over_sample}, {dpc} are"
            " wanted; lower dpcs, raise over_sample or train the generator less sharply"
        )
    return [different[row] for row in cluster_members(points, dpc, seed=seed, threads=threads)]


def selection_seed(settings: SetSettings, seed: int, draw: int, dpc: int, label: int) -> int:
    """Return K-means' seed for the selection of one class of one set."""
    if settings.draw_seeds == "released":
        return RELEASED_SELECTION_SEED
    return derive_seed(seed, "selection", draw, dpc, label)


def write_sets(
    generator: Generator,
    encoder: Learner | None,
    task: Task,
    settings: SetSettings,
    seed: int,
    folder: Path,
    threads: int,
) -> dict[str, Any]:
    """Write all sets of one seed below `folder`; return counts and distinct-n of the pools."""
    texts: list[tuple[str, ...]] = []
    failures, repeated = 0, []
    wanted = max(settings.dpcs) * (settings.over_sample if settings.selection != "none" else 1)
    for draw in range(settings.draws):
        pools = [write_pool(generator, encoder, label, wanted, settings, seed, draw) for label in range(task.n_classes)]
        for dpc in settings.dpcs:
            chosen = [
                choose(pool, dpc, settings, name, selection_seed(settings, seed, draw, dpc, label), threads)
                for label, (pool, name) in enumerate(zip(pools, task.label_names))
            ]
            labels = tuple(label for label, own in enumerate(chosen) for _ in own)
            rows = tuple(text for own in chosen for text in own)
            write_set(set_path(folder, seed, dpc, draw), TextSet(task.columns, rows, labels))
        texts += [text for pool in pools for text in pool.texts]
        failures += sum(pool.failures for pool in pools)
        repeated += [1 - distinct_texts(pool.texts) for pool in pools]
    return {
        "seed": seed,
        "n_texts": len(texts),
        "failures": failures,
        "repeated_share": round(sum(repeated) / len(repeated), 6),
        "distinct_1": round(distinct_n(texts, 1), 6),
        "distinct_2": round(distinct_n(texts, 2), 6),
    }


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--examples", required=True, help="training rows: they name labels and text columns")
    parser.add_argument("--generators", required=True, help="folder of generators, seed_{n}/")
    parser.add_argument("--encoder", required=True, help="encoder whose embeddings are clustered")
    add_device_flags(parser)
    parser.add_settings(SetSettings)
    parser.add_argument("--seeds", required=True, nargs="+", type=int, help="generators to use, seeds of the draws")
    parser.add_argument("--sets-out", required=True, type=Path, help="folder: seed_{n}/dpc_{d}/draw_{k}.jsonl")
    parser.add_argument("--report-out", required=True, help="JSON: counts of texts, failures, repeats by seed")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Write the sets of every seed."""
    args = parse_args(argv)
    settings: SetSettings = args.settings
    task = read_task(args.examples, settings.text_columns)
    from scripts.ddg.generator import check_window, load_generator
    from scripts.ddg.learners import load_learner
    from scripts.lm.checkpoints import atomic_folder

    options = {"device": args.device, "threads": args.threads}
    encoder = None
    if settings.selection != "none":
        encoder = load_learner(args.encoder, task.n_classes, settings.reading.pooling, seed=0, **options)
    reports = []
    with atomic_folder(args.sets_out) as temporary:
        write_label_names(temporary, task.label_names)
        for seed in args.seeds:
            generator = load_generator(Path(args.generators) / f"seed_{seed}", task, **options)
            check_window(generator, settings.sampling.max_new_tokens + 1, "sampling.max_new_tokens")
            reports.append(write_sets(generator, encoder, task, settings, seed, temporary, args.threads))
            logger.info("seed %d: %s", seed, reports[-1])
    write_json(args.report_out, {"seeds": reports})


if __name__ == "__main__":
    run_step(main)
