"""Which seconds stand for what a method costs: those of scoring the pool and those of the choice itself."""

from __future__ import annotations

from typing import Iterable

from scripts.selection.methods import NOTHING, way_of, ways_of

NO_TIMES = "measured times stand in times.csv: they are no metrics"
PREPARATION = {
    NOTHING: None,
    "utility": "utility",
    "embedding": "embedding",
    "goal_embedding": "embedding",
    **{cost: f"baselines/{cost}" for cost in ("selectit", "less", "ifd")},
}
"""The part whose seconds stand for what a way costs (`Way.cost`), None for nothing."""
if unknown := {way_of(name).cost for name in ways_of("delift")} - set(PREPARATION):
    raise ValueError(f"scripts.delift.times: no part of {', '.join(sorted(unknown))}")


def parts_of_time(by: str, method: str, pair: str, model: str, blocks: Iterable[int]) -> dict[str, str]:
    """Return {run file with measured seconds: <pair>/<model>/<part>} of what a method takes.

    by: what it chooses by; blocks: the first column of each job that scores utilities.
    """
    here, about = "<results>/delift", f"{pair}/{model}"
    part = (PREPARATION[way_of(by).cost] or "").partition("/")[0]
    files = {
        "": [],
        "utility": [f"{here}/utility/{about}/block_{start}.run.json" for start in blocks],
        "embedding": [f"{here}/embeddings/{pair}.run.json"],
        "baselines": [f"{here}/baselines/{about}.run.json"],
    }[part]
    return {
        **dict.fromkeys(files, f"{about}/{part}"),
        f"{here}/subsets/{about}/{method}.run.json": f"{about}/select/{method}",
    }
