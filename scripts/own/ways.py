"""Which ways to choose the front door offers: those of the one registry that the workflow can run on one's own pool."""

from __future__ import annotations

from typing import Any, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.selection.methods import MATERIALS, OFFERED, WAYS, ways_of

ALIASES = {
    "nuggets": "golden_score",
    "delift": "utility",
    "delift_se": "embedding",
    "bm25": "goal_bm25",
    "neighbours": "goal_neighbours",
}
"""What people call a way -> its name in the registry."""
NO_CHOICE = ("by_nothing", "by_all")
"""Functions that choose none or all of the rows: what is compared with, not a way to choose."""
LOWEST = ("perplexity",)
"""Scores whose low end is taken where the registry leaves the end to whoever asks."""


def offered() -> list[str]:
    """Return the ways that can be asked for: those that need nothing but the pool, a goal and a model."""
    runnable = {name for paper in OFFERED for name in ways_of(paper)}
    return [
        name
        for name, way in WAYS.items()
        if name in runnable and "truth" not in way.needs and way.function not in NO_CHOICE
    ]


def spoken(name: str) -> str:
    """Return what a way is called on the command line and in file names: the paper's name or a short one, if any."""
    return next((alias for alias, way in ALIASES.items() if way == name), name)


def parse_ways(text: str) -> list[str]:
    """Return the ways of a list such as "nuggets,random". Raises `UserError` naming --by for an unknown one."""
    known = offered()
    found = []
    for word in (part.strip() for part in text.split(",")):
        name = ALIASES.get(word, word)
        if name not in known:
            names = [spoken(one) for one in known]
            raise UserError(f"--by: unknown way '{word}'{did_you_mean(word, names)}; use {', '.join(names)}")
        found.append(name)
    return list(dict.fromkeys(found))


def help_lines() -> list[str]:
    """Return one line for each way: its name, its title and what it is made from."""
    lines = []
    for name in offered():
        way = WAYS[name]
        made = ", ".join(MATERIALS[need] for need in way.needs) or "drawn by chance"
        lines.append(f"  {spoken(name):13} {way.title}: {made}{'; needs --goal' if needs_goal(name) else ''}")
    return lines


def needs_goal(name: str) -> bool:
    """Return whether a way cannot choose without a goal; the others that know one take the pool itself instead."""
    return not {"gradients", "goal_rows", "goal_embeddings"}.isdisjoint(WAYS[name].needs)


def needs_model(name: str) -> bool:
    """Return whether a way asks a language model; the goal's words need none."""
    return bool(set(WAYS[name].needs) - {"goal_rows"})


def paper_of(name: str) -> str:
    """Return the paper whose rules choose by a way.

    NUGGETS' rules keep every score and any number of rows, DELIFT's the order of choice but whole percents only; so
    these get the ways whose larger choice begins with the smaller one.
    """
    way = WAYS[name]
    scored = not set(way.needs).isdisjoint({"golden_scores", "difficulty", "ifd"})
    if name in ways_of("nuggets") and (scored or not way.nested):
        return "nuggets"
    return "delift"


def method_row(name: str) -> dict[str, Any]:
    """Return a way as a row of a paper's `methods`, with what must be said of it."""
    way = WAYS[name]
    row: dict[str, Any] = {"by": name}
    if "order" in way.options:
        row["order"] = end_of(name)
    if "objective" in way.options:
        row["objective"] = None
    if "saturated" in way.options:  # a few targets are soon served as well as they can be: choose greedily anew then
        row["saturated"] = "restart"
    return row


def end_of(name: str) -> str:
    """Return the end of a way's scores that is taken, highest or lowest."""
    end = WAYS[name].end
    return end if end in ("highest", "lowest") else "lowest" if name in LOWEST else "highest"


def check_ways(ways: Sequence[str], *, goal: bool, model: bool) -> None:
    """Raise `UserError` if a way lacks what it needs."""
    for name in ways:
        if needs_goal(name) and not goal:
            raise UserError(f"--by {spoken(name)}: chooses for something; give --goal with a few good rows")
        if needs_model(name) and not model:
            raise UserError(f"--by {spoken(name)}: asks a language model; give --model, a folder or a hub id")
