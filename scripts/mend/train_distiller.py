"""Train distillers: meta-distillation pre-training (stage 1) and fine-tuning (stage 2), and their variants.

Stage 1 reads plain texts, cut at a share of their tokens; the loss is the KL divergence alone. Stage 2 reads
demonstrations and queries of the meta-train tasks; the loss is that of the answers plus lambda times the KL (MEND,
section 3). HyperTuning is the same with lambda 0. The large model is frozen in all of them.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Mapping, Sequence

from scripts.common.checksums import seal
from scripts.common.errors import UserError, did_you_mean, run_step
from scripts.common.files import PathLike, read_json, read_jsonl, to_json, write_json
from scripts.common.seeding import derive_seed, generator, seed_all
from scripts.common.settings import named_values, parse_json, settings_of
from scripts.data.schemas import read_examples
from scripts.lm.flags import add_model_flags, model_options
from scripts.mend.demonstrations import Encoder, PromptFormat, parse_format
from scripts.mend.sampling import (
    TaskSource,
    TextSource,
    TrainingSets,
    check_sizes,
    cut_texts,
    distiller_batches,
    encode_texts,
    rows_by_task,
)

if TYPE_CHECKING:
    import torch

    from scripts.mend.distiller import Distiller, LoadedDistiller
    from scripts.mend.llm import LargeModel

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class DistillSettings:
    """What a distiller depends on. The values of the paper stand in the config, not here.

    stage: 1 (texts) or 2 (tasks). steps, batch_size (sets per device and pass), accumulation, learning_rate,
    warmup_ratio, weight_decay, clip_norm, evaluate_steps, save_steps, precision: see `training_loop.LoopSettings`.
    n_vectors: L (100); pooler, placeholder_start: see `Distiller` (placeholder_start `keep` goes on with those of the
    distiller it starts from). n_demonstrations: K (16); queries: per set of demonstrations (1); groups: demonstration
    batches distilled apart (1); cut: share of a text before the cut (0.8). lm_weight, kl_weight (lambda, 1),
    hidden_weight: weights of the losses; temperature: of the KL (1); query_weight: weight of the KL where no answer
    token is predicted (1). dev_queries: queries per held-out task, or held-out texts. activation_checkpointing: compute
    activations twice to save memory. kl_chunk: positions of the output layer computed at once.
    """

    stage: int
    steps: int
    batch_size: int
    accumulation: int
    learning_rate: float
    warmup_ratio: float
    weight_decay: float
    clip_norm: float
    n_vectors: int
    pooler: str
    placeholder_start: str
    n_demonstrations: int
    queries: int
    groups: int
    cut: float
    lm_weight: float
    kl_weight: float
    hidden_weight: float
    temperature: float
    query_weight: float
    evaluate_steps: int
    dev_queries: int
    save_steps: int
    precision: str
    activation_checkpointing: bool
    kl_chunk: int

    def __post_init__(self) -> None:
        if self.stage not in (1, 2):
            raise UserError(f"stage: {self.stage!r} is not 1 (texts) or 2 (tasks)")
        for name in ("batch_size", "n_vectors", "n_demonstrations", "queries", "groups", "kl_chunk"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UserError(f"{name}: {value!r} is not a whole number >= 1")
        weights = (self.lm_weight, self.kl_weight, self.hidden_weight)
        if min(weights) < 0 or max(weights) == 0:
            raise UserError("lm_weight, kl_weight, hidden_weight: none may be negative and one must be above 0")
        if not self.temperature > 0:
            raise UserError(f"temperature: {self.temperature!r} is not above 0")
        if not 0 < self.cut < 1:
            raise UserError(f"cut: {self.cut!r} is not between 0 and 1")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_flags(parser, family="causal")
    parser.add_argument("--starts", nargs="+", required=True, help="NAME=FOLDER: language models or distillers")
    parser.add_argument("--texts", nargs="+", default=(), help="stage 1: JSON lines with the field text")
    parser.add_argument("--meta-train", nargs="+", default=(), help="stage 2: classification rows (JSON lines)")
    parser.add_argument("--dev", help="stage 2: rows of held-out tasks, to choose the best checkpoint")
    parser.add_argument("--settings", required=True, help="JSON: what all variants share")
    parser.add_argument(
        "--variants", required=True, help="JSON: name -> own settings; 'start': of --starts, or trained before"
    )
    parser.add_argument("--format", required=True, help="JSON: how examples become tokens")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--checkpoints", required=True, help="folder of this job alone: what a killed job goes on from")
    parser.add_argument("--distillers-out", required=True, help="folder: one distiller per variant")
    parser.add_argument("--history-out", required=True, help="JSON: losses and scores per variant")
    return parser.parse_args(argv)


def parse_variants(shared: str, variants: str) -> dict[str, tuple[str, DistillSettings]]:
    """Return (start, settings) of each variant. Raises `UserError` for broken JSON or wrong keys."""
    common, own = parse_json("--settings", shared, dict), parse_json("--variants", variants, dict)
    if not own:
        raise UserError("--variants: expected a JSON object of variants, at least one")
    found = {}
    for name, changes in own.items():
        if not isinstance(changes, dict) or "start" not in changes:
            raise UserError(f"--variants: variant '{name}' has no key 'start', the name of a model of --starts")
        merged = {**common, **{key: value for key, value in changes.items() if key != "start"}}
        found[name] = (changes["start"], settings_of(DistillSettings, merged, f"--variants: {name}"))
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
) -> LoadedDistiller:
    """Return the distiller that a variant starts from, in float32: a saved one, or a new one around a language model.

    Placeholders and pooler are drawn anew from the seed unless a saved distiller's are kept; where it has too few
    placeholders the others are drawn. separator: the last token between input and output, for the placeholder start of
    that name. Raises `UserError` where it does not fit the large model.
    """
    import torch

    from scripts.mend.distiller import DESCRIPTION, DistillerInfo, LoadedDistiller, check_pair, tokenizer_digest

    draws = torch.Generator().manual_seed(derive_seed(seed, "mend", "placeholders"))
    make = _from_saved if (Path(folder) / DESCRIPTION).is_file() else _around_model
    module, tokenizer = make(folder, large, settings, {"device": device, "threads": threads})
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


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """Encoded texts of stage 1, or rows by task of stage 2, with what is held out to choose the best checkpoint."""

    texts: Sequence[Sequence[int]]
    tasks: Mapping[str, Sequence[Mapping[str, Any]]]
    dev_tasks: Mapping[str, Sequence[Mapping[str, Any]]]


class Objective:
    """The loss of a micro-batch and the score of a distiller, for one large model."""

    def __init__(self, large: LargeModel, encoder: Encoder, settings: DistillSettings, data: TrainingData, seed: int):
        from scripts.mend.losses import OutputHead

        self.large, self.encoder, self.settings, self.seed = large, encoder, settings, seed
        self.head = OutputHead(*large.head())
        self.data = data
        shared = {"encoder": encoder, "batch_size": settings.batch_size, "groups": settings.groups, "seed": seed}
        self.held_out_texts: list[Sequence[int]] = []
        self.dev_tasks: dict[str, Sequence[Mapping[str, Any]]] = {}
        if settings.stage == 1:
            n_dev = min(settings.dev_queries, len(data.texts) // 10) if settings.evaluate_steps else 0
            texts = data.texts[: len(data.texts) - n_dev]
            self.held_out_texts = list(data.texts[len(texts) :])
            self.source: TextSource | TaskSource = TextSource(texts=texts, cut=settings.cut, **shared)
        else:
            needed = settings.n_demonstrations + settings.queries
            asked = "1 query" if settings.queries == 1 else f"{settings.queries} queries"
            check_sizes(data.tasks, needed, f"{settings.n_demonstrations} demonstrations and {asked}")
            self.source = TaskSource(
                tasks=data.tasks, n_demonstrations=settings.n_demonstrations, queries=settings.queries, **shared
            )
            self.dev_tasks = askable(data.dev_tasks, settings.n_demonstrations) if settings.evaluate_steps else {}

    def losses(self, distiller: Any, number: int) -> dict[str, torch.Tensor]:
        """Return total, kl, lm (and hidden) of micro-batch `number`."""
        return self.losses_of(distiller, self.source.sets(number))

    def losses_of(self, distiller: Any, sets: TrainingSets) -> dict[str, torch.Tensor]:
        """Return the losses of the given sets; the teacher runs without gradients, on the same frozen model."""
        import torch

        from scripts.mend.distiller import distil_groups
        from scripts.mend.llm import query_batch
        from scripts.mend.losses import distillation_loss, hidden_loss

        settings, large = self.settings, self.large
        queries = query_batch(sets.pairs, large.device)
        aligned = settings.hidden_weight > 0
        teacher = None
        if settings.kl_weight or aligned:
            with torch.no_grad():
                teacher = large.run(*large.embed(sets.teacher_ids), queries, all_layers=aligned)
        vectors = distil_groups(distiller, sets.distiller_ids, large.device).to(large.dtype)
        mask = torch.ones(vectors.shape[:2], dtype=torch.long, device=large.device)
        student = large.run(vectors, mask, queries, all_layers=aligned)
        sums = distillation_loss(
            student.states,
            None if teacher is None else teacher.states,
            student.targets,
            student.is_answer,
            self.head,
            kl_weight=settings.kl_weight,
            lm_weight=settings.lm_weight,
            temperature=settings.temperature,
            query_weight=settings.query_weight,
            chunk=settings.kl_chunk,
        )
        losses = {"total": sums.total, "kl": sums.kl, "lm": sums.lm}
        if aligned:
            hidden = hidden_loss(student.layers, teacher.layers)
            losses.update(total=sums.total + settings.hidden_weight * hidden, hidden=hidden)
        return losses

    def score(self, distiller: Distiller) -> float | None:
        """Return how good a distiller is on what is held out (higher is better), None if nothing is.

        Stage 1: minus the loss on held-out texts. Stage 2: mean accuracy over the held-out tasks, one set of
        demonstrations each.
        """
        settings = self.settings
        if settings.stage == 1:
            totals = []
            for start in range(0, len(self.held_out_texts), settings.batch_size):
                part = self.held_out_texts[start : start + settings.batch_size]
                sets = cut_texts(part, self.encoder, settings.cut, settings.groups)
                totals.append(float(self.losses_of(distiller, sets)["total"]) * len(part))
            return -math.fsum(totals) / len(self.held_out_texts)
        hits = [self._task_accuracy(distiller, name) for name in sorted(self.dev_tasks)]
        return math.fsum(hits) / len(hits)

    def _task_accuracy(self, distiller: Distiller, name: str) -> float:
        from scripts.lm.score import Scorer
        from scripts.mend.distiller import distil_groups
        from scripts.mend.scoring import Queries, accuracy

        settings, rows = self.settings, self.dev_tasks[name]
        order = generator(self.seed, "mend", "dev", name).permutation(len(rows))
        examples = [self.encoder.example(rows[int(i)]) for i in order[: settings.n_demonstrations]]
        asked = [rows[int(i)] for i in order[settings.n_demonstrations :][: settings.dev_queries]]
        batches = distiller_batches(examples, self.encoder, settings.groups)
        vectors = distil_groups(distiller, [batches], self.large.device)[0]
        scorer = Scorer(self.large.model, batch_tokens=4096)
        answers = Queries(scorer, self.encoder, asked, name).answers(scorer.prefill(embeds=vectors))
        return accuracy(answers, [row["output"] for row in asked])

    @property
    def has_dev(self) -> bool:
        """Return whether anything is held out."""
        return bool(self.held_out_texts or self.dev_tasks)


def askable(
    tasks: Mapping[str, Sequence[Mapping[str, Any]]], n_demonstrations: int
) -> dict[str, Sequence[Mapping[str, Any]]]:
    """Return the held-out tasks that have a row to ask beside the demonstrations; the others are named in the log.

    Raises `UserError` if tasks are given and none has.
    """
    found = {name: rows for name, rows in tasks.items() if len(rows) > n_demonstrations}
    short = sorted(tasks.keys() - found.keys())
    if short and not found:
        raise UserError(
            f"--dev: no task has more than {n_demonstrations} rows, so none is left to ask behind {n_demonstrations}"
            " demonstrations; give more rows or lower n_demonstrations"
        )
    if short:
        logger.warning(
            "%d of %d held-out tasks choose no checkpoint, with %d rows or fewer: %s",
            len(short), len(tasks), n_demonstrations, ", ".join(short),
        )  # fmt: skip
    return found


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
        large.checkpoint_activations()
    scored: Callable[[], float] | None = (lambda: objective.score(started.module)) if objective.has_dev else None
    progress = train(
        started.module,
        objective.losses,
        LoopSettings.of(settings),
        seed=seed,
        key={**key, "settings": dataclasses.asdict(settings), "format": dataclasses.asdict(encoder.form)},
        checkpoints=checkpoints,
        score=scored,
    )
    return progress.history()


def read_data(args: argparse.Namespace, stages: set[int], encoder: Encoder) -> TrainingData:
    """Read and check what the variants train on. Raises `UserError` if a stage's files are not given."""
    if 1 in stages and not args.texts:
        raise UserError("--texts: stage 1 reads plain texts; name the file")
    if 2 in stages and not args.meta_train:
        raise UserError("--meta-train: stage 2 reads tasks; name their files")
    texts = [ids for path in args.texts for ids in encode_texts(read_jsonl(path), encoder, path)] if 1 in stages else []
    rows = [row for path in args.meta_train for row in read_examples(path, "classification")] if 2 in stages else []
    dev = read_examples(args.dev, "classification") if args.dev and 2 in stages else []
    dev = [row for row in dev if row["options"]]  # free-form tasks are trained on, but accuracy needs options
    encoder.learn(rows)
    return TrainingData(texts, rows_by_task(rows), rows_by_task(dev))


def main(argv: Sequence[str] | None = None) -> None:
    """Train all variants, one after the other."""
    args = parse_args(argv)
    variants = parse_variants(args.settings, args.variants)
    form: PromptFormat = parse_format(args.format)
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
    data = read_data(args, {settings.stage for _, settings in variants.values()}, encoder)
    shared = {"model": digest_of_model(loaded.model), "data": data_digest(data), "format": dataclasses.asdict(form)}
    shared["devices"] = world_size()
    separator = next(reversed(encoder.ids(form.after_input)), None)
    finished: dict[str, Path] = {}
    for name in order:
        start, settings = variants[name]
        logger.info("variant %s", name)
        source = str(finished[start] / "distiller") if start in finished else starts[start]
        started = start_distiller(source, large, settings, args.seed, args.device, args.threads, separator)
        key = {**shared, "variant": name, "start": digest_of_model(started.module), "seed": args.seed}
        folder = checkpoint_folder(Path(args.checkpoints) / "finished", dataclasses.asdict(settings), key)
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
        training = {**dataclasses.asdict(settings), "seed": seed}
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
