"""The one registry of ways to choose examples: everything that is known of a way before it runs.

The papers' commands, the config check, the rules, the count of operations and the figures ask it. A new way is one
entry here and its function in `scripts.selection.ways`. It holds facts only, so that rules and tables read it at once.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.common.method_styles import add_styles, method_label, method_style

__all__ = [
    "COSTS",
    "MATERIALS",
    "NOTHING",
    "OFFERED",
    "WAYS",
    "Way",
    "check_methods",
    "config_names",
    "method_label",
    "method_style",
    "needs",
    "way_of",
    "ways_of",
]

MATERIALS = {
    "golden_scores": "how many anchors each example makes likelier (NUGGETS)",
    "difficulty": "perplexity and length of each answer",
    "ifd": "how little each instruction helps its answer",
    "ratings": "the model's own marks (SelectIT)",
    "gradients": "influence of each example's gradient on the goal's (LESS)",
    "utilities": "how much each example helps with each target (DELIFT)",
    "similarities": "likeness of each example and target by their embeddings",
    "embeddings": "a vector of each example",
    "goal_rows": "the words of the goal",
    "goal_embeddings": "vectors of the goal",
    "truth": "which examples are good",
}
"""What a way may need of the pool, beside its texts."""
NOTHING = "nothing"
COSTS = ("golden_score", "utility", "perplexity", "ifd", "selectit", "less", "embedding", "goal_embedding", NOTHING)
"""How operations can be counted (`scripts.head_to_head.count_selection`); `nothing`: no model is asked."""
OFFERED = {
    "nuggets": ("golden_scores", "difficulty", "ifd", "embeddings"),
    "delift": (
        *("utilities", "similarities", "ratings", "gradients", "ifd", "embeddings"),
        *("goal_rows", "goal_embeddings", "truth"),
    ),
}
"""The materials that each paper's command brings: it can choose by every way that needs no others."""
ENDS = ("highest", "lowest", "ask")


@dataclasses.dataclass(frozen=True)
class Way:
    """What is known of a way to choose. Every fact must be said: leaving one out is an error where this is imported.

    function: its name in `scripts.selection.ways`. needs: keys of MATERIALS. goal: whether it chooses for something
    (anchors, targets, a validation set), so that another goal gives another choice. options: fields of
    `scripts.selection.choosing.Method` that it reads. end: the end of its scores that is taken unless the option
    `order` says otherwise, `ask` if the option must say so, None without an order. random: another choice for each
    seed. nested: the first n of a larger choice are the choice of n. cost: one of COSTS. color, marker, title: how it
    looks and is called in figures and tables.
    """

    function: str
    needs: tuple[str, ...]
    goal: bool
    options: tuple[str, ...]
    end: str | None
    random: bool
    nested: bool
    cost: str
    color: str
    marker: str
    title: str

    def __post_init__(self) -> None:
        for need in self.needs:
            if need not in MATERIALS:
                raise ValueError(f"needs: '{need}' is none of {', '.join(MATERIALS)}")
        if self.cost not in COSTS:
            raise ValueError(f"cost: '{self.cost}' is none of {', '.join(COSTS)}")
        if self.end is not None and (self.end not in ENDS or "order" not in self.options):
            raise ValueError(f"end: '{self.end}' is none of {', '.join(ENDS)}, or the option 'order' is missing")


GREEDY = ("objective", "eta", "nu", "optimiser", "saturated", "epsilon")

WAYS: dict[str, Way] = {
    "none": Way(
        function="by_nothing",
        needs=(),
        goal=False,
        options=(),
        end=None,
        random=False,
        nested=False,
        cost=NOTHING,
        color="#9a9a9a",
        marker="o",
        title="base model",
    ),
    "all": Way(
        function="by_all",
        needs=(),
        goal=False,
        options=(),
        end=None,
        random=False,
        nested=False,
        cost=NOTHING,
        color="#000000",
        marker="s",
        title="full data",
    ),
    "random": Way(
        function="by_random",
        needs=(),
        goal=False,
        options=(),
        end=None,
        random=True,
        nested=False,
        cost=NOTHING,
        color="#666666",
        marker="X",
        title="random",
    ),
    "golden_score": Way(
        function="by_golden_score",
        needs=("golden_scores",),
        goal=True,
        options=("above", "at_most", "order"),
        end="ask",
        random=False,
        nested=True,
        cost="golden_score",
        color="#0072b2",
        marker="o",
        title="golden score",
    ),
    "perplexity": Way(
        function="by_column",
        needs=("difficulty",),
        goal=False,
        options=("order",),
        end="ask",
        random=False,
        nested=True,
        cost="perplexity",
        color="#cc79a7",
        marker="D",
        title="low perplexity",
    ),
    "ifd": Way(
        function="by_column",
        needs=("ifd",),
        goal=False,
        options=("order",),
        end="highest",
        random=False,
        nested=True,
        cost="ifd",
        color="#009e73",
        marker="P",
        title="IFD",
    ),
    "length": Way(
        function="by_column",
        needs=("difficulty",),
        goal=False,
        options=("order",),
        end="ask",
        random=False,
        nested=True,
        cost=NOTHING,
        color="#e69f00",
        marker="^",
        title="longest answers",
    ),
    "selectit": Way(
        function="by_column",
        needs=("ratings",),
        goal=False,
        options=("order",),
        end="highest",
        random=False,
        nested=True,
        cost="selectit",
        color="#56b4e9",
        marker="D",
        title="SelectIT",
    ),
    "less": Way(
        function="by_column",
        needs=("gradients",),
        goal=True,
        options=("order",),
        end="highest",
        random=False,
        nested=True,
        cost="less",
        color="#332288",
        marker="v",
        title="LESS",
    ),
    "utility": Way(
        function="by_objective",
        needs=("utilities",),
        goal=True,
        options=GREEDY,
        end=None,
        random=False,
        nested=True,
        cost="utility",
        color="#d55e00",
        marker="s",
        title="utility",
    ),
    "mean_utility": Way(
        function="by_mean_utility",
        needs=("utilities",),
        goal=True,
        options=(),
        end=None,
        random=False,
        nested=True,
        cost="utility",
        color="#a65e2e",
        marker=">",
        title="mean utility",
    ),
    "embedding": Way(
        function="by_objective",
        needs=("similarities",),
        goal=True,
        options=GREEDY,
        end=None,
        random=False,
        nested=True,
        cost="embedding",
        color="#e69f00",
        marker="^",
        title="embedding",
    ),
    "deft_ucs": Way(
        function="by_deft_ucs",
        needs=("embeddings",),
        goal=False,
        options=("clusters", "near_share", "released"),
        end=None,
        random=False,
        nested=False,
        cost="embedding",
        color="#999933",
        marker=">",
        title="DEFT-UCS",
    ),
    "herding": Way(
        function="by_herding",
        needs=("embeddings",),
        goal=False,
        options=(),
        end=None,
        random=False,
        nested=True,
        cost="embedding",
        color="#44aa99",
        marker="P",
        title="herding",
    ),
    "k_center": Way(
        function="by_k_center",
        needs=("embeddings",),
        goal=False,
        options=(),
        end=None,
        random=False,
        nested=True,
        cost="embedding",
        color="#882255",
        marker="h",
        title="k-center",
    ),
    "goal_bm25": Way(
        function="by_goal_bm25",
        needs=("goal_rows",),
        goal=True,
        options=(),
        end=None,
        random=False,
        nested=True,
        cost=NOTHING,
        color="#e69f00",
        marker="<",
        title="BM25 of the goal",
    ),
    "goal_neighbours": Way(
        function="by_goal_neighbours",
        needs=("embeddings", "goal_embeddings"),
        goal=True,
        options=(),
        end=None,
        random=False,
        nested=True,
        cost="goal_embedding",
        color="#44aa99",
        marker="^",
        title="neighbours of the goal",
    ),
    "only_good": Way(
        function="by_truth",
        needs=("truth",),
        goal=False,
        options=(),
        end=None,
        random=True,
        nested=False,
        cost=NOTHING,
        color="#117733",
        marker="d",
        title="only good",
    ),
}
add_styles({name: (way.color, way.marker, way.title) for name, way in WAYS.items()})


def way_of(name: str, place: str = "method: by") -> Way:
    """Return what is known of a way. Raises `UserError` for an unknown one; `place` says where its name stands."""
    if name not in WAYS:
        raise UserError(f"{place}: unknown value '{name}'{did_you_mean(str(name), list(WAYS))}; use {', '.join(WAYS)}")
    return WAYS[name]


def ways_of(paper: str) -> list[str]:
    """Return the ways by which a paper's command (a key of OFFERED) can choose, in their order."""
    return [name for name, way in WAYS.items() if set(way.needs) <= set(OFFERED[paper])]


def needs(name: str, *materials: str) -> bool:
    """Return whether a way needs one of these materials. Raises `UserError` for an unknown way or material."""
    unknown = [material for material in materials if material not in MATERIALS]
    if unknown:
        raise UserError(f"materials: unknown '{unknown[0]}'{did_you_mean(unknown[0], list(MATERIALS))}")
    return not set(way_of(name).needs).isdisjoint(materials)


def check_methods(methods: Mapping[str, Mapping[str, Any]], place: str) -> None:
    """Raise `UserError` unless every row of a config's `methods` chooses by a known way; `place` names that map."""
    for name, row in methods.items():
        way_of(row["by"], f"{place}.{name}.by")


def config_names() -> dict[str, Sequence[str]]:
    """Return the lists of names that the config check cannot know itself (keyword `named` of the schemas)."""
    return {f"ways_of_{paper}": ways_of(paper) for paper in OFFERED}
