"""Write the highest and the lowest scored examples of the pool as a table (NUGGETS, the case figure)."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from scripts.common.artifacts import TABLE, Table, artifact_flags, save_table
from scripts.common.errors import UserError, run_step
from scripts.common.files import read_jsonl
from scripts.common.settings import parse_settings
from scripts.common.tables import Cell, Column
from scripts.data.schemas import read_examples
from scripts.nuggets.comparison import Comparison
from scripts.nuggets.golden_files import effect_notes

FILES = {
    "sorted-pool": "JSONL: examples with their score, best first",
    "truth": "JSONL, schema truth; only synthetic pools have one",
}


def choose_cases(pool: Sequence[Mapping[str, Any]], n_cases: int) -> list[tuple[str, int, Mapping[str, Any]]]:
    """Return (side, rank, example) of the `n_cases` highest and the `n_cases` lowest scored examples, best first.

    pool: sorted by score, descending; examples without a score are left out; the two sides never share an example.
    """
    scored = [row for row in pool if row.get("score") is not None]
    if not scored:
        raise UserError("sorted pool: no example has a score; score the pool first")
    n_high = min(n_cases, (len(scored) + 1) // 2)
    n_low = min(n_cases, len(scored) - n_high)
    ranked = list(enumerate(scored, start=1))
    chosen = [("highest", rank, row) for rank, row in ranked[:n_high]]
    return chosen + [("lowest", rank, row) for rank, row in ranked[len(ranked) - n_low :]]


def quality(row: Mapping[str, Any]) -> str:
    """Return in words what the truth file knows of an example."""
    return "good" if row["good"] else row["fault"].replace("_", " ") or "bad"


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table of cases."""
    args = artifact_flags(argv, __doc__, TABLE, files=FILES, optional=("truth",))
    n_cases = parse_settings(Comparison, args.settings).show["n"]
    if n_cases < 1:
        raise UserError(f"nuggets.table_cases.n: {n_cases} is below 1; show at least one example of each side")
    truth = {row["id"]: quality(row) for row in read_examples(args.truth, "truth")} if args.truth else {}
    columns = [
        Column("side", "Side"),
        Column("rank", "Rank", "number", decimals=0),
        Column("id", "Example"),
        Column("golden_score", "Golden score", "number", decimals=3),
        *([Column("quality", "Known quality")] if truth else []),
        Column("instruction", "Instruction", tex_width_cm=3.5),
        Column("input", "Input", tex_width_cm=3.0),
        Column("output", "Response", tex_width_cm=5.5),
    ]
    rows: list[dict[str, Cell]] = []
    for side, rank, row in choose_cases(read_jsonl(args.sorted_pool), n_cases):
        cells: dict[str, Cell] = {"side": side, "rank": rank, "id": str(row["id"]), "golden_score": float(row["score"])}
        if truth:
            cells["quality"] = truth.get(str(row["id"]), "unknown")
        cells.update({name: str(row[name]) for name in ("instruction", "input", "output")})
        rows.append(cells)
    caption = "NUGGETS: the highest and the lowest scored examples of the pool"
    notes = ["Of equal scores the example that comes first in the pool ranks higher."]
    notes += effect_notes(args.measured.rows)
    save_table(Table(rows, columns, caption, notes), args)


if __name__ == "__main__":
    run_step(main)
