"""Sets of real texts to compare distilled ones with: random, k-centers, herding.

random: drawn from each class. k_centers: K-means members. herding: greedy, the same for every draw. With draw_seeds
`released`, draw k is that of seed k in DiLM; with `named` each seed of the pipeline draws its own, and small random
sets lie within the large ones of the same draw.
"""

from __future__ import annotations

import argparse
import logging
import random
from pathlib import Path
from typing import Any, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.seeding import derive_seed, generator
from scripts.common.step_parser import StepParser
from scripts.data.label_names import write_label_names
from scripts.ddg.distilled import TextSet, set_path, write_set
from scripts.ddg.flags import add_device_flags
from scripts.ddg.settings_steps import CoresetSettings
from scripts.ddg.texts import Task, check_sizes, read_task

logger = logging.getLogger(__name__)


def check_draw_seeds(draw_seeds: str, seeds: Sequence[int]) -> None:
    """Raise `UserError` where several seeds of the pipeline would get the same coresets without a word."""
    if draw_seeds == "released" and len(seeds) > 1:
        raise UserError(
            f"sets.draw_seeds: 'released' draws the same real texts for all of {len(seeds)} seeds; set it to 'named',"
            " or name one seed and raise draws"
        )


def class_rows(
    settings: CoresetSettings,
    rows: Sequence[int],
    points: Any,
    dpc: int,
    seed: int,
    draw: int,
    label: int,
    threads: int,
) -> list[int]:
    """Return `dpc` of `rows`, the texts of one class. points: their embeddings, None for random."""
    released = settings.draw_seeds == "released"
    if settings.method == "random":
        if released:
            return random.Random(draw).sample(list(rows), dpc)
        order = generator(seed, "random set", draw, label).permutation(len(rows))
        return [rows[place] for place in order[:dpc]]
    if settings.method == "herding":
        from scripts.selection.herding import herding

        chosen = herding(points, dpc)
        return [rows[place] for place in (sorted(chosen) if settings.herding_order == "rows" else chosen)]
    from scripts.selection.cluster_members import cluster_members

    own = draw if released else derive_seed(seed, "k-centers set", draw, label)
    return [rows[place] for place in cluster_members(points, dpc, seed=own, threads=threads)]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--examples", required=True, help="training rows, canonical classification JSON lines")
    parser.add_argument("--encoder", help="encoder whose embeddings are compared; not for random")
    add_device_flags(parser)
    parser.add_settings(CoresetSettings)
    parser.add_argument("--seeds", required=True, nargs="+", type=int, help="seeds of the draws")
    parser.add_argument("--sets-out", required=True, type=Path, help="folder: seed_{n}/dpc_{d}/draw_{k}.jsonl")
    return parser.parse_args(argv)


def embed_classes(task: Task, settings: CoresetSettings, args: argparse.Namespace) -> list[Any]:
    """Return the embeddings of each class' texts, None for each where the method needs none."""
    if settings.method == "random":
        return [None] * task.n_classes
    if not args.encoder:
        raise UserError(f"--encoder: missing; {settings.method} compares texts by its embeddings")
    from scripts.ddg.learners import embeddings_of, load_learner

    encoder = load_learner(
        args.encoder, task.n_classes, settings.reading.pooling, device=args.device, threads=args.threads, seed=0
    )
    points = embeddings_of(encoder, task.texts, settings.reading)
    return [points[task.rows_of(label)] for label in range(task.n_classes)]


def main(argv: Sequence[str] | None = None) -> None:
    """Choose and write the sets of every seed."""
    args = parse_args(argv)
    settings: CoresetSettings = args.settings
    if settings.method != "herding":
        check_draw_seeds(settings.draw_seeds, args.seeds)
    task = read_task(args.examples, settings.text_columns)
    check_sizes(task, max(settings.dpcs), "dpcs", args.examples)
    points = embed_classes(task, settings, args)
    from scripts.lm.checkpoints import atomic_folder

    rows = [task.rows_of(label) for label in range(task.n_classes)]
    with atomic_folder(args.sets_out) as temporary:
        write_label_names(temporary, task.label_names)
        for seed in args.seeds:
            for dpc in settings.dpcs:
                for draw in range(settings.draws):
                    chosen = [
                        class_rows(settings, own, points[label], dpc, seed, draw, label, args.threads)
                        for label, own in enumerate(rows)
                    ]
                    places = [place for own in chosen for place in own]
                    labels = tuple(task.labels[place] for place in places)
                    texts = tuple(task.texts[place] for place in places)
                    write_set(set_path(temporary, seed, dpc, draw), TextSet(task.columns, texts, labels))
    logger.info("%s: %d seeds, sizes %s, %d draws", settings.method, len(args.seeds), settings.dpcs, settings.draws)


if __name__ == "__main__":
    run_step(main)
