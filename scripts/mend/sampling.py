"""What a distiller's training step reads: cut texts (stage 1) or demonstrations and queries of one task (stage 2).

A micro-batch depends on the seed and its number alone, so that training goes on anywhere and every process of several
finds its own.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
import logging
from array import array
from typing import Any, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError
from scripts.common.seeding import generator
from scripts.mend.demonstrations import (
    Encoder,
    Example,
    Ids,
    cut_left,
    join_for_distiller,
    join_for_llm,
    split_groups,
)

logger = logging.getLogger(__name__)

MIN_TEXT_TOKENS = 2  # one before the cut, one behind it
TEXTS_AT_ONCE = 1000  # texts of stage 1 tokenised in one call


@functools.lru_cache(maxsize=4)
def shuffled(seed: int, what: str, epoch: int, n: int) -> np.ndarray:
    """Return the numbers below `n` in the order of one epoch; kept, because every micro-batch asks for it."""
    return generator(seed, "mend", what, epoch).permutation(n)


@dataclasses.dataclass(frozen=True)
class TrainingSets:
    """One micro-batch: for each set the distiller's batches of tokens, the teacher's demonstrations, and the queries.

    distiller_ids: by set, by demonstration batch; teacher_ids: by set; pairs: by set, (query ids, answer ids).
    """

    distiller_ids: list[list[Ids]]
    teacher_ids: list[Ids]
    pairs: list[list[tuple[Ids, Ids]]]


@dataclasses.dataclass(frozen=True)
class TextSource:
    """Stage 1: each text is cut at the share `cut` of its tokens; what follows plays query and answer.

    The first token behind the cut counts as the query, all others as the answer (only the LM loss asks for it; where
    one token is behind the cut there is none).
    """

    texts: Sequence[Sequence[int]]
    encoder: Encoder
    cut: float
    batch_size: int
    groups: int
    seed: int

    def sets(self, number: int) -> TrainingSets:
        """Return micro-batch `number`; every text comes once before any comes again."""
        n = len(self.texts)
        chosen = []
        for place in range(number * self.batch_size, (number + 1) * self.batch_size):
            order = shuffled(self.seed, "texts", place // n, n)
            chosen.append(self.texts[int(order[place % n])])
        return cut_texts(chosen, self.encoder, self.cut, self.groups)


def cut_texts(texts: Sequence[Sequence[int]], encoder: Encoder, cut: float, groups: int) -> TrainingSets:
    """Cut each text at the share `cut`, rounded down as in the release; one token stays on either side at least.

    The distiller reads the last `max_distiller_tokens` tokens before the cut. Texts of one token raise ValueError.
    """
    form = encoder.form
    distiller_ids, teacher_ids, pairs = [], [], []
    for whole in texts:
        ids = tuple(whole[: form.max_tokens])
        if len(ids) < MIN_TEXT_TOKENS:
            raise ValueError(f"a text of {len(ids)} tokens cannot be cut in two")
        place = max(1, int(cut * len(ids)))
        head, tail = ids[:place], ids[place:]
        own = head[-form.max_distiller_tokens :]
        bounds = [round(index * len(own) / groups) for index in range(groups + 1)]
        distiller_ids.append([own[start:end] for start, end in zip(bounds, bounds[1:])])
        teacher_ids.append(head)
        pairs.append([(tail[:1], tail[1:])])
    return TrainingSets(distiller_ids, teacher_ids, pairs)


def encode_texts(
    rows: Sequence[Mapping[str, Any]], encoder: Encoder, source: str, shortest: int
) -> list[Sequence[int]]:
    """Return the token ids of rows with the field `text`, as many of each as the large model reads.

    Those of fewer than `shortest` tokens are left out and counted in the log. Raises `UserError` if none is left.
    """
    for number, row in enumerate(rows, start=1):
        if not isinstance(row.get("text"), str):
            raise UserError(f"{source}:{number}: field 'text' is missing or no text; every row needs one")
    kept: list[Sequence[int]] = []
    for start in range(0, len(rows), TEXTS_AT_ONCE):
        part = [row["text"] for row in rows[start : start + TEXTS_AT_ONCE]]
        cut = (array("I", ids[: encoder.form.max_tokens]) for ids in encoder.unkept(part))  # 4 bytes a token
        kept += [ids for ids in cut if len(ids) >= max(shortest, MIN_TEXT_TOKENS)]
    if not kept:
        raise UserError(
            f"{source}: no text has {max(shortest, MIN_TEXT_TOKENS)} tokens or more; give longer texts or lower"
            " min_text_tokens"
        )
    if len(kept) < len(rows):
        logger.info("%s: %d of %d texts have fewer than %d tokens and are left out", source, len(rows) - len(kept),
                    len(rows), shortest)  # fmt: skip
    return kept


@dataclasses.dataclass(frozen=True)
class TaskSource:
    """Stage 2: demonstrations of one task, drawn at random, and queries of it that are not among them.

    tasks: rows by task. Every row of all tasks is the query once before any is it again, as in the release. queries:
    per set of demonstrations (1 in the paper); the further ones are drawn as the demonstrations are.
    """

    tasks: Mapping[str, Sequence[Mapping[str, Any]]]
    encoder: Encoder
    n_demonstrations: int
    queries: int
    batch_size: int
    groups: int
    seed: int

    def sets(self, number: int) -> TrainingSets:
        """Return micro-batch `number`."""
        draw = generator(self.seed, "mend", "tasks", number)
        names = sorted(self.tasks)
        bounds = list(itertools.accumulate(len(self.tasks[name]) for name in names))
        found = TrainingSets([], [], [])
        for place in range(number * self.batch_size, (number + 1) * self.batch_size):
            epoch, at = divmod(place, bounds[-1])
            chosen = int(shuffled(self.seed, "rows", epoch, bounds[-1])[at])
            task = bisect.bisect_right(bounds, chosen)
            rows = self.tasks[names[task]]
            own = chosen - (bounds[task] - len(rows))
            drawn = draw.permutation(len(rows))[: self.n_demonstrations + self.queries].tolist()
            others = [index for index in drawn if index != own]
            examples = self.encoder.examples([rows[index] for index in others[: self.n_demonstrations]])
            further = others[self.n_demonstrations :][: self.queries - 1]
            asked = [self.encoder.query(rows[index]) for index in (own, *further)]
            longest = max(len(one.query) + len(one.predicted) for one in asked)
            add_prompt(found, examples, self.encoder, self.groups, longest)
            found.pairs.append([(one.query, one.predicted) for one in asked])
        return found


def add_prompt(sets: TrainingSets, examples: Sequence[Example], encoder: Encoder, groups: int, longest: int) -> None:
    """Append one set's demonstrations, joined for the distiller (in `groups` batches) and for the teacher.

    longest: tokens of the longest query with its answer, for which the teacher's window must have room.
    """
    sets.distiller_ids.append(distiller_batches(examples, encoder, groups))
    shown = join_for_llm(examples, encoder.form).ids
    sets.teacher_ids.append(cut_left(shown, encoder.form.max_tokens - longest))


def distiller_batches(examples: Sequence[Example], encoder: Encoder, groups: int) -> list[Ids]:
    """Return the token ids of each demonstration batch that the distiller reads."""
    return [join_for_distiller(part, encoder.form).ids for part in split_groups(examples, groups)]


def rows_by_task(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Group rows of the classification schema by their task."""
    tasks: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        tasks.setdefault(row["task"], []).append(row)
    return tasks


def check_sizes(tasks: Mapping[str, Sequence[Any]], needed: int, what: str) -> None:
    """Raise `UserError` for the first task with fewer than `needed` rows; `what` says what they are for."""
    for name, rows in tasks.items():
        if len(rows) < needed:
            raise UserError(
                f"task {name}: {len(rows)} examples, but {what} need {needed}; add examples or lower the numbers"
            )
