"""Stage B: train the generator so that its texts give a classifier the gradients of real texts.

One library for three methods: DiLM as published and DDG as released (teacher `off`: in the released code the second
learner has no influence on the generator), and DDG as described (teacher `ema`).
# DEVIATION: one forward pass of the encoder for the texts of all classes and the classifier's gradient in closed form,
where DiLM runs a full backward pass for each class; the numbers are the same. Its accumulation over several real
batches is a mean over more texts, here `real_per_class` of them at once.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Sequence

import torch
from torch import Tensor

from scripts.common.errors import UserError
from scripts.common.progress import Progress
from scripts.common.seeding import derive_seed
from scripts.ddg.batches import Shuffled, Walk, cluster_seed, diverse_batches, plain_batches, representative_rows
from scripts.ddg.closed_form import Matching, gradient_matching
from scripts.ddg.generator import Generator, Writing, check_window, padded_width, text_losses
from scripts.ddg.learners import Learner, Start, copy_of, follow, head_seed, read_states, train_batch
from scripts.ddg.monitors import distinct_n
from scripts.ddg.optimizing import Stepper
from scripts.ddg.runs import autocast, prefixed, under
from scripts.ddg.sampling import sample_texts
from scripts.ddg.settings_steps import MatchSettings
from scripts.ddg.texts import Task
from scripts.lm.checkpoints import STATE, load_state, save_state

logger = logging.getLogger(__name__)


def representatives_of(learner: Learner, task: Task, settings: MatchSettings, threads: int) -> list[list[int]]:
    """Return the representative teacher's rows, by class: coresets of the texts as the untrained learner reads them.

    They depend on the learner alone, so several seeds can share them. Raises `UserError` if a class is too small.
    """
    given, found = settings.representative, []
    for label in range(task.n_classes):
        rows = rows_of_class(task, label, given.size, "representative.size")
        texts = learner.encode([task.texts[row] for row in rows], settings.learner.max_tokens)
        points = read_states(learner, texts, settings.learner.read_batch_size)[1].cpu().numpy()
        found.append(representative_rows(points, rows, given.size, given.versions, threads))
    return found


def rows_of_class(task: Task, label: int, needed: int, setting: str) -> list[int]:
    """Return the rows of a class. Raises `UserError` naming the setting if there are fewer than it needs."""
    rows = task.rows_of(label)
    if len(rows) < needed:
        raise UserError(
            f"class '{task.label_names[label]}': {len(rows)} examples, {setting} needs {needed}; lower {setting}"
        )
    return rows


class Matcher:
    """One run of stage B for one seed; trains `generator` in place.

    representatives: what `representatives_of` this learner gave, where it is known.
    """

    def __init__(
        self,
        generator: Generator,
        learner: Learner,
        task: Task,
        settings: MatchSettings,
        seed: int,
        *,
        representatives: Sequence[Sequence[int]] | None = None,
        threads: int = 1,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.generator, self.student, self.task, self.settings, self.seed = generator, learner, task, settings, seed
        self.threads, self.dtype = threads, dtype
        check_window(generator, max(settings.max_tokens, settings.sampling.max_new_tokens + 1), "max_tokens")
        self.writing = Writing(settings.loss_norm, settings.pad_multiple)
        self.start = Start(learner)
        self.teacher = copy_of(learner) if settings.teacher == "ema" else learner
        self.real = learner.encode(task.texts, settings.learner.max_tokens)
        self.real_strings = generator.encode(task.texts, task.labels, settings.max_tokens)
        if settings.representative is not None and representatives is None:
            representatives = representatives_of(learner, task, settings, threads)
        self.real_batches = [self._real_rows(label, representatives) for label in range(task.n_classes)]
        self.learner_batches = Shuffled(len(task.texts), settings.learner.batch_size, seed, "learner batches")
        self.lm_batches = Shuffled(len(task.texts), settings.lm_batch_size, seed, "lm term batches")
        n_steps = settings.outer_loops * settings.inner_steps
        self.stepper = Stepper(generator.model, settings.optimizer, n_steps, "gradient matching")
        self.steps: list[dict[str, float]] = []
        self.refreshes: list[dict[str, float]] = []

    def _real_rows(self, label: int, representatives: Sequence[Sequence[int]] | None) -> Shuffled | Walk:
        """Return which real texts of a class each step sees."""
        wanted = self.settings.real_per_class
        if representatives is not None:
            return Walk(representatives[label], wanted)
        rows = rows_of_class(self.task, label, wanted, "real_per_class")
        return _Chosen(Shuffled(len(rows), wanted, self.seed, "real batches", label), rows)

    def run(self, folder: Path | None = None) -> dict[str, Any]:
        """Train; return the history. folder: where the running state goes and is found, if `save_loops` > 0."""
        settings = self.settings
        first = self._resume(folder) if folder is not None and settings.save_loops else 0
        with Progress(settings.outer_loops, "outer loops", done=first, parts=10) as progress:
            for outer in range(first, settings.outer_loops):
                if outer % settings.interval == 0:
                    due = settings.save_loops and outer % settings.save_loops == 0 and outer > first
                    if folder is not None and due:
                        self._save(folder, outer)
                    self._refresh(outer)
                self._outer_loop(outer)
                progress.advance(1, {"seed": self.seed, **self.steps[-1]})
        self.generator.model.eval()
        return {"steps": self.steps, "refreshes": self.refreshes}

    def _outer_loop(self, outer: int) -> None:
        settings = self.settings
        self.begin(outer)
        stepper = Stepper(
            self.student,
            settings.learner.optimizer,
            max(1, settings.inner_steps * settings.learner_steps),
            "learner in gradient matching",
        )
        for inner in range(settings.inner_steps):
            torch.manual_seed(derive_seed(self.seed, "dropout", outer, inner))
            self._generator_step(outer, inner)
            if inner + 1 < settings.inner_steps:
                for turn in range(settings.learner_steps):
                    place = (outer * (settings.inner_steps - 1) + inner) * settings.learner_steps + turn
                    self.learner_step(stepper, place)

    def begin(self, outer: int) -> None:
        """Reset the learner, and the teacher, for an outer loop."""
        self.start.restore(self.student, head_seed(self.seed, "student", outer))
        if self.settings.teacher == "ema":
            self.start.restore(self.teacher, head_seed(self.seed, "teacher", outer))
            if self.settings.teacher_init == "shared":
                self.teacher.head.load_state_dict(self.student.head.state_dict())

    def learner_step(self, stepper: Stepper, place: int) -> None:
        """Update the learner on a batch of real texts, then the teacher."""
        rows = self.learner_batches.rows(place)
        self.student.requires_grad_(True)
        with autocast(self.student.device, self.dtype):
            loss = train_batch(self.student, [self.real[row] for row in rows], [self.task.labels[row] for row in rows])
        loss.backward()
        stepper.step()
        if self.settings.teacher == "ema":
            follow(self.teacher, self.student, self.settings.teacher_decay)

    def _generator_step(self, outer: int, inner: int) -> None:
        settings = self.settings
        step = outer * settings.inner_steps + inner
        entry: dict[str, float] = {}
        self.generator.model.train(settings.dropout)
        if settings.lm_weight < 1:
            matching, mean_loss = self._match(step)
            cosine = float(matching.cosines.mean())
            entry.update(cosine=round(cosine, 6), synthetic_loss=round(mean_loss, 6))
        if settings.lm_weight > 0:
            rows = self.lm_batches.rows(step)
            with autocast(self.generator.device, self.dtype):
                loss = text_losses(self.generator, [self.real_strings[row] for row in rows], self.writing).mean()
            (settings.lm_weight * loss).backward()
            entry["lm_loss"] = round(float(loss.detach()), 6)
        self.stepper.step()
        self.steps.append(entry)

    def _match(self, step: int) -> tuple[Matching, float]:
        """Run the gradient-matching term of one step and its backward pass; return it with the mean text loss."""
        settings = self.settings
        batches = [self.synthetic_batches[label][self._slot(step)] for label in range(self.task.n_classes)]
        strings = [self.synthetic_strings[label][row] for label, rows in enumerate(batches) for row in rows]
        widths = [
            padded_width(max(len(self.synthetic_strings[label][row]) for row in rows), settings.pad_multiple)
            for label, rows in enumerate(batches)
            for _ in rows
        ]
        real, synthetic = self._features(step, batches)
        shape = (self.task.n_classes, settings.synthetic_per_class)

        def compare(losses: Tensor) -> Matching:
            return gradient_matching(
                real, synthetic, losses.view(shape), settings.temperature, self.student.head, self.teacher.head
            )

        return backward_through_texts(
            self.generator,
            strings,
            widths,
            self.writing,
            compare,
            scale=1 - settings.lm_weight,
            part=settings.generator_batch,
            seed=derive_seed(self.seed, "generator dropout", step),
            dtype=self.dtype,
        )

    def _slot(self, step: int) -> int:
        return step % (self.settings.interval * self.settings.inner_steps)

    def _features(self, step: int, batches: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Return the features of the step's real texts (student) and generated ones (teacher), (C, m or n, d)."""
        n_classes = self.task.n_classes
        real = [self.real[row] for own in self.real_batches for row in own.rows(step)]
        generated = [self.synthetic_rows[label][row] for label, rows in enumerate(batches) for row in rows]
        size = self.settings.learner.read_batch_size
        with autocast(self.student.device, self.dtype):
            one, other = read_states(self.student, real, size)[0], read_states(self.teacher, generated, size)[0]
        return one.view(n_classes, -1, one.shape[1]), other.view(n_classes, -1, other.shape[1])

    def _refresh(self, outer: int) -> None:
        """Draw the texts of the next `interval` outer loops and put them into diverse batches.

        They stay the same while the generator changes (off-policy, without a correction).
        """
        settings = self.settings
        self.synthetic_rows, self.synthetic_strings, self.synthetic_batches = [], [], []
        if settings.lm_weight >= 1:
            return
        n_batches = settings.interval * settings.inner_steps
        texts, failures = [], 0
        for label in range(self.task.n_classes):
            n = n_batches * settings.synthetic_per_class
            drawn, failed = sample_texts(self.generator, label, n, settings.sampling, self.seed, "refresh", outer)
            rows = self.teacher.encode(drawn, settings.learner.max_tokens)
            self.synthetic_rows.append(rows)
            self.synthetic_strings.append(self.generator.encode(drawn, [label] * n, settings.max_tokens))
            self.synthetic_batches.append(self._batches(rows, label, outer, n_batches))
            texts += drawn
            failures += failed
        self.refreshes.append(
            {
                "outer": outer,
                "failures": failures,
                "distinct_1": round(distinct_n(texts, 1), 6),
                "distinct_2": round(distinct_n(texts, 2), 6),
                **self._watch(),
            }
        )

    def _batches(self, rows: list[dict[str, list[int]]], label: int, outer: int, n_batches: int) -> list[list[int]]:
        settings = self.settings
        if not settings.clusters:
            return plain_batches(n_batches, settings.synthetic_per_class)
        _, embeddings = read_states(self.teacher, rows, settings.learner.read_batch_size)
        return diverse_batches(
            embeddings.cpu().numpy(),
            n_batches,
            settings.synthetic_per_class,
            settings.clusters,
            cluster_seed(self.seed, outer, label),
            self.threads,
        )

    @torch.no_grad()
    def _watch(self) -> dict[str, float]:
        """Return the generator's loss on some real texts, nats a token: does it stay a good writer?"""
        if not self.settings.monitor_texts:
            return {}
        self.generator.model.eval()
        strings = self.real_strings[: self.settings.monitor_texts]
        losses = text_losses(self.generator, strings, Writing("tokens", 1))
        return {"real_loss": round(float(losses.mean()), 6)}

    def _save(self, folder: Path, outer: int) -> None:
        tensors = {
            **prefixed("generator", self.generator.model.state_dict()),
            **prefixed("optimizer", self.stepper.state()),
            **prefixed("teacher", self.teacher.state_dict()),
        }
        save_state(folder / STATE, tensors, {"outer": outer, "steps": self.steps, "refreshes": self.refreshes})

    def _resume(self, folder: Path) -> int:
        """Take up a running state; return the outer loop to begin with."""
        found = load_state(folder / STATE)
        if found is None:
            return 0
        tensors, facts = found
        self.generator.model.load_state_dict(under("generator", tensors))
        self.stepper.restore(under("optimizer", tensors))
        self.teacher.load_state_dict(under("teacher", tensors))  # it embeds the next texts before it is reset
        self.steps, self.refreshes = facts["steps"], facts["refreshes"]
        logger.info("seed %d: going on from outer loop %d", self.seed, facts["outer"])
        return int(facts["outer"])


class _Chosen(Walk):
    """Batches of places in `rows`, from batches of places in a range."""

    def __init__(self, places: Shuffled, rows: Sequence[int]) -> None:
        self._places, self._all = places, list(rows)

    def rows(self, step: int) -> list[int]:
        """Return the rows of step 0, 1, ..."""
        return [self._all[place] for place in self._places.rows(step)]


def backward_through_texts(
    generator: Generator,
    strings: Sequence[Sequence[int]],
    widths: Sequence[int],
    writing: Writing,
    compare: Any,
    *,
    scale: float,
    part: int,
    seed: int,
    dtype: torch.dtype,
) -> tuple[Matching, float]:
    """Add the gradient of scale * compare(losses of the texts).loss to the generator's parameters.

    strings, widths: ids and padded lengths of the texts. part: texts in one pass, 0 = all. In parts, the losses are
    computed first without a graph and again for the backward pass, with the same dropout: the same gradient.
    """
    if not part or part >= len(strings):
        torch.manual_seed(seed)
        with autocast(generator.device, dtype):
            losses = text_losses(generator, strings, writing, widths)
        matching = compare(losses)
        (scale * matching.loss).backward()
        return matching, float(losses.detach().mean())
    pieces = [slice(start, start + part) for start in range(0, len(strings), part)]

    def piece_losses(number: int) -> Tensor:
        torch.manual_seed(derive_seed(seed, number))
        with autocast(generator.device, dtype):
            return text_losses(generator, strings[pieces[number]], writing, widths[pieces[number]])

    with torch.no_grad():
        losses = torch.cat([piece_losses(number) for number in range(len(pieces))])
    losses.requires_grad_()
    matching = compare(losses)
    (wanted,) = torch.autograd.grad(scale * matching.loss, losses)
    for number, piece in enumerate(pieces):
        (piece_losses(number) * wanted[piece]).sum().backward()
    return matching, float(losses.detach().mean())
