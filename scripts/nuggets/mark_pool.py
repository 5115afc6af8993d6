"""Mark the rows of a real pool by a published list of good or bad ones, sample it and set rows aside.

A row is known by its instruction, input and output. What the list does not name is held to be the other kind: so it is
with NUGGETS' released low-score subset (all other rows of the pool scored above its limit) and with the rows that a
judge graded well (the others were graded lower, or not looked at).
"""

from __future__ import annotations

import dataclasses
import logging
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.seeding import generator
from scripts.common.step_parser import StepParser
from scripts.data.schemas import read_examples, write_examples
from scripts.nuggets.settings_choose import MarkSettings

logger = logging.getLogger(__name__)

FORMS = {"good_rows": True, "bad_rows": False}
"""Of each form of the list: whether the rows that it names are the good ones."""


@dataclasses.dataclass(frozen=True)
class Marked:
    """Places of rows in the file, ascending: the pool, and what is set aside."""

    pool: tuple[int, ...]
    held_out: tuple[int, ...]


def content(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return what a row is known by; blanks at its ends do not count."""
    return tuple(str(row[name]).strip() for name in ("instruction", "input", "output"))  # type: ignore[return-value]


def choose(good: Sequence[bool], settings: MarkSettings) -> Marked:
    """Return which rows are the pool and which are set aside. good: (n,).

    Rows are drawn without replacement; an even pool has fewer of one kind only where the file has fewer. Raises
    `UserError` if the file is too small.
    """
    order = [int(place) for place in generator(settings.seed, "marked pool").permutation(len(good))]
    limit = len(good) - settings.held_out if settings.limit is None else settings.limit
    if limit < 2 or limit + settings.held_out > len(good):
        raise UserError(
            f"the pool has {len(good)} rows, too few for {settings.limit or 'all'} and {settings.held_out} set aside;"
            " lower nuggets.limit or nuggets.sample.held_out"
        )
    if settings.even:
        kinds = {kind: [place for place in order if good[place] == kind] for kind in (False, True)}
        few = min(kinds, key=lambda kind: len(kinds[kind]))
        half = min(limit // 2, len(kinds[few]))
        chosen = kinds[few][:half] + kinds[not few][: limit - half]
    else:
        chosen = order[:limit]
    taken = set(chosen)
    held_out = [place for place in order if place not in taken][: settings.held_out]
    return Marked(tuple(sorted(chosen)), tuple(sorted(held_out)))


def truth_row(name: str, good: bool) -> dict[str, Any]:
    """Return what is known of one row, schema truth; nobody said what a bad row's fault is."""
    return {"id": name, "good": good, "family": "unknown", "fault": "" if good else "listed"}


def evaluation_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row set aside as a question, schema evaluation: its own answer is the reference and the one to beat."""
    kept = {name: row[name] for name in ("id", "instruction", "input")}
    return {**kept, "group": "held_out", "baseline_output": row["output"], "reference": row["output"]}


def main(argv: Sequence[str] | None = None) -> None:
    """Mark one pool."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--examples", required=True, help="JSONL, schema instruction: the whole data set")
    parser.add_argument("--listed", required=True, help="JSONL, schema instruction: its good or its bad rows")
    parser.add_argument(
        "--listed-scores", help="JSONL, schema scored: released scores of the listed rows, by their ids"
    )
    parser.add_settings(MarkSettings)
    parser.add_argument("--pool-out", required=True, help="JSONL, schema instruction")
    parser.add_argument("--truth-out", required=True, help="JSONL, schema truth, a row for each of the pool")
    parser.add_argument("--scores-out", required=True, help="JSONL, schema scored: released scores of rows of the pool")
    parser.add_argument("--held-out-out", required=True, help="JSONL, schema evaluation: the rows set aside")
    args = parser.parse_args(argv)
    settings: MarkSettings = args.settings
    rows = read_examples(args.examples, "instruction")
    listed = {content(row): str(row["id"]) for row in read_examples(args.listed, "instruction")}
    found = [content(row) in listed for row in rows]
    if not any(found) or all(found):
        raise UserError(
            f"{args.listed}: names {sum(found)} of the {len(rows)} rows of the pool; a pool needs good and bad rows"
        )
    good = [named == FORMS[settings.form] for named in found]
    marked = choose(good, settings)
    pool = [rows[place] for place in marked.pool]
    scores = {}
    if args.listed_scores:
        scores = {str(row["id"]): row["score"] for row in read_examples(args.listed_scores, "scored")}
    known = [(row["id"], scores.get(listed.get(content(row), ""))) for row in pool]
    write_examples(args.pool_out, pool, "instruction")
    write_examples(args.truth_out, [truth_row(rows[p]["id"], good[p]) for p in marked.pool], "truth")
    write_examples(args.scores_out, [{"id": i, "score": s} for i, s in known if s is not None], "scored")
    write_examples(args.held_out_out, [evaluation_row(rows[place]) for place in marked.held_out], "evaluation")
    logger.info(
        "%d of %d rows are good ones; pool: %d rows, %d of them good, %d with a released score; %d rows set aside",
        *(sum(good), len(rows), len(pool), sum(good[p] for p in marked.pool)),
        *(sum(score is not None for _, score in known), len(marked.held_out)),
    )


if __name__ == "__main__":
    run_step(main)
