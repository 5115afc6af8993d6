"""Whether the parts of DDG's settings fit together: what the schema cannot say."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.data.registry import find_row
from scripts.ddg.run_columns import FULL, ZERO_SHOT

WITH_METHODS = (
    "table_1",
    "table_2",
    "table_3",
    "table_4",
    "table_main",
    "table_long",
    "table_ablation",
    "figure_sensitivity",
    "distil",
)
WITH_SIZE = ("table_2", "table_7", "table_8")
WITHOUT_SETS = ("retrieval", "self_written")


def makes_sets(ddg: Mapping[str, Any], method: str) -> bool:
    """Return whether a method makes sets, which learners and prompts read; the others serve prompts only."""
    return method not in (ZERO_SHOT, FULL) and ddg["methods"][method]["by"] not in WITHOUT_SETS


def methods_of(ddg: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return {key of the config: the methods that it names}."""
    found = {f"{part}.methods": list(ddg[part]["methods"]) for part in WITH_METHODS}
    found["table_paired.pairs"] = [name for pair in ddg["table_paired"]["pairs"] for name in pair]
    found["table_examples.method"] = [ddg["table_examples"]["method"]]
    found.update(
        {f"figure_sensitivity.{key}": list(ddg["figure_sensitivity"][key]) for key in ("decay", "temperature")}
    )
    return found


def check_methods(ddg: Mapping[str, Any]) -> None:
    """Raise `UserError` for an unknown method or variant, and for a method without sets where sets are wanted."""
    for name, row in ddg["methods"].items():
        if row["variant"] is not None and row["variant"] not in ddg["variants"]:
            raise UserError(f"config: ddg.methods.{name}.variant: '{row['variant']}' is not in ddg.variants; add it")
    for place, names in methods_of(ddg).items():
        for name in names:
            if name not in (*ddg["methods"], ZERO_SHOT):
                raise UserError(f"config: ddg.{place}: '{name}' is not in ddg.methods; add it there")
    for place in ("distil.methods", "table_examples.method"):
        for name in methods_of(ddg)[place]:
            if not makes_sets(ddg, name):
                raise UserError(f"config: ddg.{place}: '{name}' makes no sets of texts; name a method that does")
    for key in ("decay", "temperature"):
        for name in ddg["figure_sensitivity"][key]:
            if name == ZERO_SHOT or ddg["methods"][name]["variant"] is None:
                raise UserError(
                    f"config: ddg.figure_sensitivity.{key}: '{name}' matches no gradients; name one that does"
                )


def check_sizes(ddg: Mapping[str, Any]) -> None:
    """Raise `UserError` where other learners are to read sets of a size that Table 1 does not show."""
    for part in WITH_SIZE:
        if ddg[part]["dpc"] not in ddg["table_1"]["dpcs"]:
            raise UserError(f"config: ddg.{part}.dpc: {ddg[part]['dpc']} is not in ddg.table_1.dpcs; add it there")


def check_tasks(ddg: Mapping[str, Any], tasks: Sequence[str], datasets: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise `UserError` for a task whose data set or split is not registered. tasks: those that are used."""
    for task in tasks:
        row = ddg["tasks"][task]
        registered = find_row(datasets, row["dataset"], "dataset")
        for split in (row["train"], row["test"]):
            if split not in registered["splits"]:
                raise UserError(f"config: ddg.tasks.{task}: dataset '{row['dataset']}' has no split '{split}'")


def check_released(ddg: Mapping[str, Any], task: str) -> None:
    """Raise `UserError` if a task has no released sets and some are asked for."""
    if ddg["tasks"][task]["released"] is None:
        raise UserError(f"config: ddg.tasks.{task}.released: is null, but a released set is asked for; name a dataset")
