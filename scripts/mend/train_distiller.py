"""Train distillers: meta-distillation pre-training (stage 1) and fine-tuning (stage 2), and their variants.

Stage 1 reads plain texts, cut at a share of their tokens; the loss is the KL divergence alone. Stage 2 reads
demonstrations and queries of the meta-train tasks; the loss is that of the answers plus lambda times the KL (MEND,
section 3). HyperTuning is the same with lambda 0. The large model is frozen in all of them. Settings that are not given
are those of stage 1 where `--texts` is, else those of stage 2.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Mapping, Sequence

from scripts.common.checksums import seal
from scripts.common.errors import UserError, did_you_mean, run_step
from scripts.common.files import PathLike, read_json, read_jsonl, to_json, write_json
from scripts.common.seeding import derive_seed, seed_all
from scripts.common.settings import named_values, parse_json
from scripts.common.step_parser import StepParser, checked
from scripts.data.schemas import read_examples
from scripts.lm.flags import add_model_flags, model_options
from scripts.mend.demonstrations import Encoder, PromptFormat
from scripts.mend.objective import Objective, TrainingData
from scripts.mend.sampling import encode_texts, rows_by_task
from scripts.mend.settings_format import Format
from scripts.mend.settings_train import DistillSettings, Finetune, Pretrain

if TYPE_CHECKING:
    from scripts.mend.distiller import Distiller, LoadedDistiller
    from scripts.mend.llm import LargeModel

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags. Settings that are not given are those of stage 1 if there are texts, else of stage 2."""
    reads_texts = "--texts" in (sys.argv[1:] if argv is None else argv)
    parser = StepParser(description=__doc__)
    add_model_flags(parser, family="causal")
    parser.add_argument("--starts", nargs="+", required=True, help="NAME=FOLDER: language models or distillers")
    parser.add_argument("--distiller-layers", type=int, help="first layers of a language model to start from; else all")
    parser.add_argument("--texts", nargs="+", default=(), help="stage 1: JSON lines with the field text")
    parser.add_argument("--meta-train", nargs="+", default=(), help="stage 2: classification rows (JSON lines)")
    parser.add_argument("--dev", help="stage 2: rows of held-out tasks, to choose the best checkpoint")
    parser.add_settings(DistillSettings, of=Pretrain.of if reads_texts else Finetune.of)
    parser.add_argument(
        "--variants", required=True, help="JSON: name -> own settings; 'start': of --starts, or trained before"
    )
    parser.add_settings(Format, flag="--format")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--checkpoints", required=True, help="folder of this job alone: what a killed job goes on from")
    parser.add_argument("--distillers-out", required=True, help="folder: one distiller per variant")
    parser.add_argument("--history-out", required=True, help="JSON: losses and scores per variant")
    return parser.parse_args(argv)


def parse_variants(shared: DistillSettings, variants: str) -> dict[str, tuple[str, DistillSettings]]:
    """Return (start, settings) of each variant. Raises `UserError` for broken JSON or wrong keys."""
    own = parse_json("--variants", variants, dict)
    if not own:
        raise UserError("--variants: expected a JSON object of variants, at least one")
    found = {}
    for name, changes in own.items():
        if not isinstance(changes, dict) or "start" not in changes:
            raise UserError(f"--variants: variant '{name}' has no key 'start', the name of a model of --starts")
        merged = {**shared.given(), **{key: value for key, value in changes.items() if key != "start"}}
        found[name] = (changes["start"], checked(DistillSettings, merged, f"--variants.{name}"))
    return found


def training_order(variants: Mapping[str, str], starts: Sequence[str]) -> list[str]:
    """Return the variants (name -> start) so that each comes after the one it starts from, else as they are given.

    Raises `UserError` for a start that is neither a variant nor one of `starts`, and for variants in a circle.
    """
    order: list[str] = []
    while len(order) < len(variants):
        ready = [name for name, start in variants.items() if name not in order and start in (*starts, *order)]
        if not ready:
            name = next(name for name in variants if name not in order)
            hint = did_you_mean(variants[name], [*starts, *variants])
            raise UserError(
                f"--variants: '{name}' starts from '{variants[name]}', neither of --starts nor trained before{hint}"
            )
        order += ready
    return order


def start_distiller(
    folder: str,
    large: LargeModel,
    settings: DistillSettings,
    seed: int,
    device: str,
    threads: int,
    separator: int | None = None,
    layers: int | None = None,
) -> LoadedDistiller:
    """Return the distiller that a variant starts from, in float32: a saved one, or a new one around a language model.

    Placeholders and pooler are drawn anew from the seed unless a saved distiller's are kept; where it has too few
    placeholders the others are drawn. separator: the last token between input and output, for the placeholder start of
    that name. layers: of a language model so many of the first are kept. Raises `UserError` where it does not fit the
    large model.
    """
    import torch

    from scripts.mend.distiller import DESCRIPTION, DistillerInfo, LoadedDistiller, check_pair, tokenizer_digest

    draws = torch.Generator().manual_seed(derive_seed(seed, "mend", "placeholders"))
    loading = {"device": device, "threads": threads}
    if (Path(folder) / DESCRIPTION).is_file():
        module, tokenizer = _from_saved(folder, large, settings, loading)
    else:
        module, tokenizer = _around_model(folder, large, settings, {**loading, "layers": layers})
    if settings.placeholder_start == "keep":
        module.resize(settings.n_vectors, draws)
    else:
        module.start(draws, settings.placeholder_start, separator)
    info = DistillerInfo(
        large.family, settings.n_vectors, large.width, module.kind, tokenizer_digest(tokenizer), {}, {}
    )
    check_pair(info, large.tokenizer, large.width, large.family, folder)
    return LoadedDistiller(module, tokenizer, info)


def _from_saved(
    folder: str, large: LargeModel, settings: DistillSettings, loading: Mapping[str, Any]
) -> tuple[Distiller, Any]:
    """Return a saved distiller and its tokenizer, as they are or with placeholders and pooler still to be drawn."""
    from scripts.mend.distiller import Distiller, load_distiller_for

    saved = load_distiller_for(large, folder, dtype="float32", **loading)
    if settings.placeholder_start == "keep":
        return saved.module, saved.tokenizer
    module = Distiller(saved.module.body, settings.n_vectors, large.width, settings.pooler)
    return module.to(large.device), saved.tokenizer


def _around_model(
    folder: str, large: LargeModel, settings: DistillSettings, loading: Mapping[str, Any]
) -> tuple[Distiller, Any]:
    """Return a distiller around a language model, still to be drawn. Raises `UserError` if one was to be kept."""
    from scripts.mend.distiller import new_distiller

    if settings.placeholder_start == "keep":
        raise UserError(f"placeholder_start: 'keep' needs a distiller to start from, and {folder} is none")
    return new_distiller(
        folder,
        family=large.family,
        n_vectors=settings.n_vectors,
        width=large.width,
        pooler=settings.pooler,
        dtype="float32",
        **loading,
    )


def check_reach(distiller: Distiller, form: PromptFormat, settings: DistillSettings) -> None:
    """Raise `UserError` if demonstrations and placeholders together may exceed the distiller's window."""
    from scripts.lm.load import context_window

    read = form.max_distiller_tokens if settings.stage == 1 else form.distiller_room
    window = context_window(distiller.body.config)
    if not distiller.is_encoder and read + settings.n_vectors > window:
        raise UserError(
            f"n_vectors: {settings.n_vectors} behind up to {read} tokens exceed the distiller's window of {window};"
            " lower it or format.max_distiller_tokens"
        )


def train_variant(
    started: LoadedDistiller,
    large: LargeModel,
    encoder: Encoder,
    settings: DistillSettings,
    data: TrainingData,
    *,
    seed: int,
    key: Mapping[str, Any],
    checkpoints: PathLike,
) -> dict[str, Any]:
    """Train one distiller in place and return its history."""
    from scripts.mend.training_loop import LoopSettings, train

    check_reach(started.module, encoder.form, settings)
    objective = Objective(large, encoder, settings, data, seed)
    if settings.activation_checkpointing:
        started.module.body.activation_checkpointing_enable()
        large.checkpoint_activations(dropout=settings.model_dropout)
    scored: Callable[[], float] | None = (lambda: objective.score(started.module)) if objective.has_dev else None
    progress = train(
        started.module,
        objective.losses,
        LoopSettings.of(settings),
        seed=seed,
        key={**key, "settings": settings.given(), "format": dataclasses.asdict(encoder.form)},
        checkpoints=checkpoints,
        score=scored,
    )
    return progress.history()


def read_data(args: argparse.Namespace, stages: set[int], encoder: Encoder, shortest: int) -> TrainingData:
    """Read and check what the variants train on; texts of `shortest` tokens or more.

    Raises `UserError` if a stage's files are not given.
    """
    if 1 in stages and not args.texts:
        raise UserError("--texts: stage 1 reads plain texts; name the file")
    if 2 in stages and not args.meta_train:
        raise UserError("--meta-train: stage 2 reads tasks; name their files")
    read = args.texts if 1 in stages else ()
    texts = [ids for path in read for ids in encode_texts(read_jsonl(path), encoder, path, shortest)]
    rows = [row for path in args.meta_train for row in read_examples(path, "classification")] if 2 in stages else []
    dev = read_examples(args.dev, "classification") if args.dev and 2 in stages else []
    dev = [row for row in dev if row["options"]]  # free-form tasks are trained on, but accuracy needs options
    encoder.learn(rows)
    return TrainingData(texts, rows_by_task(rows), rows_by_task(dev))


def main(argv: Sequence[str] | None = None) -> None:
    """Train all variants, one after the other."""
    args = parse_args(argv)
    variants = parse_variants(args.settings, args.variants)
    form = PromptFormat(**args.format.given())
    starts = named_values("--starts", args.starts, "NAME=FOLDER")
    order = training_order({name: start for name, (start, _) in variants.items()}, list(starts))
    from scripts.lm.checkpoints import (
        WHOLE,
        atomic_folder,
        checkpoint_folder,
        digest_of_model,
        is_first_process,
        usable,
        world_size,
    )
    from scripts.lm.load import load_model
    from scripts.mend.llm import LargeModel

    loaded = load_model(**model_options(args))
    seed_all(args.seed)
    large = LargeModel(loaded)
    form.check_window(large.window, "of --format")
    encoder = Encoder(loaded.tokenizer, form)
    found = [settings for _, settings in variants.values()]
    shortest = min(settings.min_text_tokens for settings in found)
    data = read_data(args, {settings.stage for settings in found}, encoder, shortest)
    shared = {"model": digest_of_model(loaded.model), "data": data_digest(data), "format": dataclasses.asdict(form)}
    shared["devices"] = world_size()
    separator = next(reversed(encoder.ids(form.after_input)), None)
    finished: dict[str, Path] = {}
    for name in order:
        start, settings = variants[name]
        logger.info("variant %s", name)
        source = str(finished[start] / "distiller") if start in finished else starts[start]
        started = start_distiller(
            source, large, settings, args.seed, args.device, args.threads, separator, args.distiller_layers
        )
        key = {**shared, "variant": name, "start": digest_of_model(started.module), "seed": args.seed}
        folder = checkpoint_folder(Path(args.checkpoints) / "finished", settings.given(), key)
        finished[name] = folder / WHOLE
        if not usable(finished[name]):
            history = train_variant(
                started, large, encoder, settings, data, seed=args.seed, key=key, checkpoints=args.checkpoints
            )
            keep(finished[name], started, form, settings, args.seed, history)
    if is_first_process():
        with atomic_folder(args.distillers_out) as temporary:
            for name, folder in finished.items():
                shutil.copytree(folder / "distiller", temporary / name)
        write_json(args.history_out, {name: read_json(folder / "history.json") for name, folder in finished.items()})
        shutil.rmtree(args.checkpoints, ignore_errors=True)


def keep(
    folder: Path,
    trained: LoadedDistiller,
    form: PromptFormat,
    settings: DistillSettings,
    seed: int,
    history: Mapping[str, Any],
) -> None:
    """Write a trained distiller and its history into a job's folder of finished ones; all processes wait for it."""
    from scripts.lm.checkpoints import atomic_folder, is_first_process, wait_for_all
    from scripts.mend.distiller import save_distiller

    if is_first_process():
        training = {**settings.given(), "seed": seed}
        info = dataclasses.replace(trained.info, format=dataclasses.asdict(form), training=training)
        with atomic_folder(folder / "distiller") as temporary:
            save_distiller(temporary, trained.module, trained.tokenizer, info)
        write_json(folder / "history.json", history)
        seal(folder)
    wait_for_all()


def data_digest(data: TrainingData) -> str:
    """Return a hash of everything that is trained or chosen on."""
    import hashlib

    digest = hashlib.sha256(to_json([dict(data.tasks), dict(data.dev_tasks)]).encode())
    for ids in data.texts:
        digest.update(to_json(list(ids)).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    run_step(main)
