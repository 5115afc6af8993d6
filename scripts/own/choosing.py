"""`thrift choose`: the best rows of one's own pool by one or several ways, each with its order and scores."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any, Sequence

from scripts.common.files import read_csv, read_json, read_jsonl, write_csv
from scripts.common.sizes import percent_name
from scripts.own.asked import choice_parser, flag_words, folder_of, models_of, read_goal, task_of
from scripts.own.exports import export_rows
from scripts.own.flags import EXPORTS, OneLineParser, check_machine
from scripts.own.models import flags_of
from scripts.own.planning import Work, say_plan, tokens_of
from scripts.own.rows import OwnRows, parse_columns, read_own, write_chosen
from scripts.own.run_folder import RunFolder, say, shown
from scripts.own.settings import (
    GOAL,
    PAIR,
    POOL,
    TIER,
    Task,
    choosing_settings,
    model_of,
    model_rows,
    targets_of,
)
from scripts.own.ways import check_ways, end_of, paper_of, parse_ways, spoken
from scripts.selection.methods import WAYS
from scripts.selection.scores import best, eligible

COLUMNS = ("rank", "row", "id", "score", "chosen")
COLUMN_OF = {"golden_scores": "golden_score", "gradients": "less", "ratings": "selectit", "ifd": "ifd"}
"""Materials of one score a row -> its column; `difficulty` has a column for each way."""


@dataclasses.dataclass(frozen=True)
class Chosen:
    """What one way chose. places: rows of the pool, best first; file: them in the pool's form; scores: their table."""

    way: str
    places: Sequence[int]
    file: Path
    scores: Path


def parser() -> OneLineParser:
    """Return the parser of the command."""
    built, method = choice_parser(
        "choose",
        "Choose the best rows of a pool.",
        "not needed to draw by chance",
        "thrift choose pool.json --goal good.json --model HuggingFaceTB/SmolLM2-135M --by nuggets --keep 10%",
    )
    method.add_argument("--seed", type=int, metavar="N", default=0, help="of what is drawn by chance")
    method.add_argument(
        "--export", choices=EXPORTS, metavar="FOR", help=f"rows for a trainer too: {', '.join(EXPORTS)}"
    )
    return built


def main(words: Sequence[str]) -> None:
    """Parse, choose, say where things are."""
    args = parser().parse(words)
    check_machine(args)
    for found in run(args):
        say(f"{spoken(found.way)}: {len(found.places)} rows in {shown(found.file)}; ranks in {shown(found.scores)}")


def choose(pool: str | Path, **flags: Any) -> list[Chosen]:
    """Choose from a pool; the flags are those of the command: choose("pool.json", by="ifd", model="./my_model")."""
    args = parser().parse([str(pool), *flag_words(flags)])
    check_machine(args)
    return run(args)


def run(args: argparse.Namespace) -> list[Chosen]:
    """Do what the flags say; nothing is returned where they ask for a plan only."""
    ways = parse_ways(args.by)
    check_ways(ways, goal=args.goal is not None, model=args.model is not None)
    models = models_of(args, ways)
    columns = parse_columns(args.columns)
    pool = read_own(args.pool, "POOL", columns, args.turns)
    say(pool.said)
    goal = read_goal(args, columns)
    task = task_of(args, ways, (len(pool), len(goal) if goal else 0), [args.seed], models)
    out = folder_of(args)
    folder = RunFolder(out / "run", flags_of(model=models[0], embedder=models[1]))
    rows = {POOL: pool.rows, **({GOAL: goal.rows} if goal else {})}
    folder.prepare(choosing_settings(task), rows, model_rows(*models))
    targets = targets_of(task)
    if args.config_only:
        command = " ".join(folder.snakemake(list(targets.values()), args.cores, args.profile))
        say(f"settings: {shown(folder.path / 'own.yaml')}; to run them there: {command}")
        return []
    if args.dry_run:
        say_plan(folder, list(targets.values()), args, Work(task, tokens_of(pool.rows)))
        return []
    folder.run(list(targets.values()), args.cores, args.profile)
    found = [write_way(way, folder.path / targets[way], task, pool, out, folder.path) for way in ways]
    if args.export:
        files = [export_rows(args.export, out / args.export, spoken(one.way), pool.part(one.places)) for one in found]
        say(f"for {args.export}: {', '.join(dict.fromkeys(map(shown, files)))}")
    return found


def write_way(way: str, subsets: Path, task: Task, pool: OwnRows, out: Path, run_folder: Path) -> Chosen:
    """Write what a way chose, best first, and the table of ranks and scores."""
    ranked, scores = order_of(way, subsets, task, run_folder, pool)
    chosen = ranked[: task.keep]
    folder = out / "chosen"
    folder.mkdir(parents=True, exist_ok=True)
    file = write_chosen(folder, spoken(way), pool, chosen)
    taken = set(chosen)
    table = [
        {
            "rank": rank,
            "row": pool.rows[place]["id"],
            "id": pool.records[place].values.get("id", ""),
            "score": scores.get(place, ""),
            "chosen": "yes" if place in taken else "no",
        }
        for rank, place in enumerate(ranked, start=1)
    ]
    path = folder / f"{spoken(way)}.scores.csv"
    write_csv(path, table, COLUMNS)
    if len(chosen) < task.keep:
        say(f"{spoken(way)}: only {len(chosen)} of the {task.keep} rows that --keep asks for can be chosen by it")
    return Chosen(way, chosen, file, path)


def order_of(way: str, subsets: Path, task: Task, run_folder: Path, pool: OwnRows) -> tuple[list[int], dict[int, str]]:
    """Return (places in the pool, best first; {place: score}).

    By a score all rows that can be chosen have a place; by a greedy way those chosen, with what each added.
    """
    table = _score_table(way, task, run_folder)
    place_of = pool.place_of()
    if table is not None:
        path, column = table
        rows = read_csv(path, ("id", column))
        values = [float(row[column]) if row[column] else None for row in rows]
        ranked = best(eligible(way, values, end_of(way)), len(values), end_of(way))
        return ranked, {place: row[column] for place, row in enumerate(rows)}
    if paper_of(way) == "delift":
        name = percent_name(task.percent)
        (subset,) = [one for one in read_json(subsets / "selection.json")["subsets"] if one["percent"] == name]
        places = [place_of[one] for one in subset["ids"]]
        return places, dict(zip(places, map(str, subset["gains"] or ())))
    chosen = read_jsonl(subsets / f"seed_{task.seeds[0]}.jsonl")
    return [place_of[row["id"]] for row in chosen], {}


def _score_table(way: str, task: Task, run_folder: Path) -> tuple[Path, str] | None:
    """Return the table that holds a way's scores and the column, None for a way without scores."""
    results, needs = run_folder / "results" / TIER, WAYS[way].needs
    if "golden_scores" in needs:
        return results / "nuggets" / "scores" / POOL / model_of(task) / "own" / "scores.csv", "golden_score"
    if paper_of(way) == "nuggets" and {"difficulty", "ifd"} & set(needs):
        return results / "nuggets" / "difficulty" / POOL / f"{model_of(task)}.csv", way
    if {"ratings", "gradients"} & set(needs):
        return results / "delift" / "baselines" / PAIR / f"{model_of(task)}.csv", way
    return None
