"""What a distiller is trained on and by: its settings, the loss of a micro-batch, the score on what is held out."""

from __future__ import annotations

import dataclasses
import logging
import math
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.seeding import generator
from scripts.mend.demonstrations import Encoder, join_for_llm
from scripts.mend.sampling import (
    TaskSource,
    TextSource,
    TrainingSets,
    check_sizes,
    cut_texts,
    distiller_batches,
)
from scripts.mend.settings_train import DistillSettings

if TYPE_CHECKING:
    import torch

    from scripts.mend.distiller import Distiller
    from scripts.mend.llm import LargeModel

logger = logging.getLogger(__name__)


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
            usable = [ids for ids in data.texts if len(ids) >= settings.min_text_tokens]
            n_dev = min(settings.dev_queries, len(usable) // 10) if settings.evaluate_steps else 0
            texts = usable[: len(usable) - n_dev]
            self.held_out_texts = usable[len(texts) :]
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
        """Return total, kl, lm (and hidden) of micro-batch `number`, as training sees it."""
        self.large.model.train(self.settings.model_dropout)
        try:
            return self.losses_of(distiller, self.source.sets(number))
        finally:
            self.large.model.eval()

    def losses_of(self, distiller: Any, sets: TrainingSets) -> dict[str, torch.Tensor]:
        """Return the losses of the given sets; the teacher runs without gradients, on the same frozen model."""
        import torch

        from scripts.mend.distiller import distil_groups
        from scripts.mend.llm import query_batch
        from scripts.mend.losses import distillation_loss, hidden_loss

        settings, large = self.settings, self.large
        queries = query_batch(sets.pairs, large.device, may_end=settings.stage == 1 and not large.encoder_decoder)
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
        examples = self.encoder.examples([rows[int(i)] for i in order[: settings.n_demonstrations]])
        asked = [rows[int(i)] for i in order[settings.n_demonstrations :][: settings.dev_queries]]
        batches = distiller_batches(examples, self.encoder, settings.groups)
        vectors = distil_groups(distiller, [batches], self.large.device)[0]
        scorer = Scorer(self.large.model, batch_tokens=4096)
        shown = join_for_llm(examples, self.encoder.form).ids if self.encoder.form.room == "mend" else ()
        queries = Queries(scorer, self.encoder, asked, name).behind(shown)
        answers = queries.answers(scorer.prefill(embeds=vectors))
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
