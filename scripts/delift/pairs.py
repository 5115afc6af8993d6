"""The dataset pairs of DELIFT: where their parts come from, what keeps one from being run, what is wrong with it."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.common.files import read_json
from scripts.data.mixed_sources import DATASETS as MIXED

PARTS = ("pool", "reference", "validation", "test")


def parts_of(row: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return {part: where its rows come from} of a pair. row: of the config's `delift.pairs`."""
    return {name: row[name] for name in PARTS if row[name]}


def pair_obstacle(row: Mapping[str, Any], absent: Mapping[str, str]) -> str:
    """Return why a pair cannot be run: private data, or a file that cannot be had; an empty text if it can.

    absent: {<dataset>/<split>: why it cannot be had}.
    """
    gone = [absent.get(f"{part['dataset']}/{part['split']}", "") for part in parts_of(row).values()]
    return row["private"] or next(filter(None, gone), "")


def part_faults(
    pair: str,
    row: Mapping[str, Any],
    datasets: Mapping[str, Mapping[str, Any]],
    further: Sequence[str],
    *,
    synthetic: bool,
) -> list[str]:
    """Return what is wrong with the parts of a pair, one line each: unknown data, or real data from nowhere.

    datasets: the registry; further: names in the user's JSON registries; synthetic: `data.source` is synthetic.
    """
    faults = []
    for place, part in _named_parts(pair, row):
        name = part["dataset"]
        if name in datasets:
            known = datasets[name]
            if part["split"] not in known["splits"]:
                splits = list(known["splits"])
                faults.append(
                    f"{place}.split: '{name}' has no split '{part['split']}'{did_you_mean(part['split'], splits)};"
                    f" choose one of {', '.join(splits)}"
                )
            elif synthetic and (known["origin"] == "public" or name in MIXED):
                what = "made of public datasets" if name in MIXED else "a public dataset"
                faults.append(
                    f"{place}.dataset: '{name}' is {what}, but data.source is synthetic; set data.source"
                    " to hub or mirror, or leave the pair out"
                )
        elif name not in further:
            hint = did_you_mean(name, [*datasets, *further])
            faults.append(
                f"{place}.dataset: '{name}' is in no registry{hint}; add a row to registries.datasets or an entry"
                " to a file of delift.registries"
            )
    return faults


def objective_faults(
    pair: str, targets: str, chosen: Sequence[str], methods: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Return a line for each method whose objective sums over the benchmark while the pair's targets are others.

    chosen: the methods that choose from the pair; methods: the config's `delift.methods`.
    """
    return [
        f"delift.pairs.{pair}.targets: '{targets}', but delift.methods.{method} maximises query_mutual_information,"
        " which sums over the benchmark; set targets to reference, or choose another objective"
        for method in sorted(chosen)
        if methods[method].get("objective") == "query_mutual_information" and targets != "reference"
    ]


def _named_parts(pair: str, row: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in (*PARTS, "truth"):
        if row[name]:
            yield f"delift.pairs.{pair}.{name}", row[name]


def json_entries(registries: list[str]) -> dict[str, str]:
    """Return {data set: its file} of DELIFT's JSON registries. Raises `UserError` for one that cannot be read."""
    try:
        return {name: path for path in registries for name in read_json(path)}
    except UserError as error:
        raise UserError(f"delift.registries: {error}") from None
