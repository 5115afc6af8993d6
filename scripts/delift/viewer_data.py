"""What the viewer shows, as one JSON value: examples, answers, choices, values of the objectives, experiments."""

from __future__ import annotations

import dataclasses
import statistics
from pathlib import Path
from typing import Any, Iterable, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError
from scripts.common.files import read_json, read_jsonl
from scripts.common.sizes import named_percent, subset_size
from scripts.data.schemas import read_examples
from scripts.delift.comparison import ANSWERS, label_of_pair
from scripts.delift.labels import METRICS
from scripts.selection.facility_location import conditional_gain, facility_location, mutual_information, value_of
from scripts.selection.kernels import read_kernel
from scripts.selection.methods import method_label

KEY = ("learning", "method", "percent", "seed", "id")
"""What tells answers of one pair and model apart."""
STAGES = {1: "instruction tuning", 2: "for a benchmark", 3: "beside data at hand"}


@dataclasses.dataclass(frozen=True)
class RunFiles:
    """The files about one pair and model.

    data: part -> rows; scored: measured answers, a file for each job and kind of measure; subsets: folders named by
    their methods.
    """

    pair: str
    model: str
    data: Mapping[str, str]
    scored: Sequence[str]
    kernels: str | None
    subsets: Sequence[str]


def run_data(
    files: RunFiles,
    laid: Mapping[str, Mapping[str, Any]],
    pair: Mapping[str, Any],
    percents: Sequence[float],
    measures: Sequence[str],
) -> dict[str, Any]:
    """Return everything about one pair and model.

    laid: part -> ids, x, y of the points on the map; pair: stage, pool and reference of the config's pair.
    """
    rows = {part: read_examples(path, "instruction") for part, path in files.data.items()}
    answers = scored_answers(files.scored)
    choices = {Path(folder).name: read_json(Path(folder) / "selection.json") for folder in files.subsets}
    reference = pair["reference"]
    return {
        "pair": files.pair,
        "label": label_of_pair(files.pair),
        "model": files.model,
        "stage": pair["stage"],
        "stage_label": STAGES[pair["stage"]],
        "existing": f"{reference['dataset']}/{reference['split']}" if reference else "none",
        "new": f"{pair['pool']['dataset']}/{pair['pool']['split']}",
        "points": {part: points_of(laid[part], rows[part], part) for part in laid if part in rows},
        "answers": answers_of(answers, laid["test"]["ids"], measures),
        "choices": choices_of(choices, laid["pool"]["ids"]),
        "objectives": objectives_of(
            files.kernels, choices, [row["id"] for row in rows["pool"]], pair["stage"], percents
        ),
    }


def by_run(runs: Sequence[str], paths: Sequence[str], flag: str) -> dict[tuple[str, str], list[str]]:
    """Return the paths of each run `<pair>/<model>`: those whose folders bear these names.

    Raises `UserError` for a run of another form and for a path of no run.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        pair, _, model = run.partition("/")
        if not pair or not model:
            raise UserError(f"--runs: '{run}' is not of the form <pair>/<model>")
        found[pair, model] = []
    for path in paths:
        parts = Path(path).with_suffix("").parts
        owners = [run for run in found if run[0] in parts and run[1] in parts[parts.index(run[0]) :]]
        if not owners:
            raise UserError(f"{flag}: {path} belongs to none of --runs; give its run too")
        found[owners[0]].append(path)
    return found


def scored_answers(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Return every answer with all its measures, put together from the jobs of all kinds of measures.

    Raises `UserError` for measures of an answer that no file holds.
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for path in paths:
        for row in read_jsonl(path):
            found.setdefault(tuple(row[name] for name in KEY), {}).update(row)
    bare = next((key for key, row in found.items() if "answer" not in row), None)
    if bare:
        raise UserError(f"--scored: no answer of {'/'.join(map(str, bare))}; give the file of its words too")
    return list(found.values())


def points_of(laid: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], part: str) -> dict[str, Any]:
    """Return the points of one part with their texts. Raises `UserError` for a point without a row."""
    known = {row["id"]: row for row in rows}
    lost = [one for one in laid["ids"] if one not in known]
    if lost:
        raise UserError(f"--maps: '{lost[0]}' is no row of the {part} set; lay the pair out again")
    shown = [known[one] for one in laid["ids"]]
    return {
        "id": list(laid["ids"]),
        "x": laid["x"],
        "y": laid["y"],
        "prompt": [f"{row['instruction']}\n{row['input']}" if row["input"] else row["instruction"] for row in shown],
        "output": [row["output"] for row in shown],
    }


def answers_of(
    answers: Sequence[Mapping[str, Any]], ids: Sequence[str], measures: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return "<learning>/<method>/<percent>" -> the first seed's answers and measures, in the order of the points."""
    place = {one: index for index, one in enumerate(ids)}
    first: dict[str, int] = {}
    found: dict[str, dict[str, Any]] = {}
    for row in answers:
        key = f"{row['learning']}/{row['method']}/{row['percent']}"
        first.setdefault(key, row["seed"])
        if row["seed"] != first[key] or row["id"] not in place:
            continue
        unit = found.setdefault(
            key,
            {"seed": row["seed"], "text": [""] * len(ids), **{name: [None] * len(ids) for name in measures}},
        )
        unit["text"][place[row["id"]]] = row["answer"]
        for name in measures:
            value = row[name]
            unit[name][place[row["id"]]] = None if value is None else round(value, 4)
    return found


def choices_of(choices: Mapping[str, Mapping[str, Any]], ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return "<method>/<percent>" -> the places of the first seed's chosen points, and their gains where it has any."""
    place = {one: index for index, one in enumerate(ids)}
    found: dict[str, dict[str, Any]] = {}
    for method, choice in choices.items():
        for subset in choice["subsets"]:
            key = f"{method}/{named_percent(subset['percent'])}"
            if key in found:
                continue
            gains = subset["gains"] or [None] * len(subset["ids"])
            kept = [(place[one], gain) for one, gain in zip(subset["ids"], gains) if one in place]
            found[key] = {
                "n": subset["n"],
                "places": [spot for spot, _ in kept],
                "gains": None if subset["gains"] is None else [round(gain, 5) for _, gain in kept],
                "share_good": subset["share_good"],
            }
    return found


def objectives_of(
    kernels: str | None,
    choices: Mapping[str, Mapping[str, Any]],
    ids: Sequence[str],
    stage: int,
    percents: Sequence[float],
) -> dict[str, Any]:
    """Return {objective: {method: {percent: value}}} on the utility kernel: representation, gain, information.

    A choice in order (by greedy maximisation or by a score) is also cut to smaller sizes. Without a reference set there
    is only facility location.
    """
    if kernels is None:
        return {}
    pool = read_kernel(Path(kernels) / "pool.npy", None, len(ids))
    objectives = {"facility_location": facility_location(pool)}
    if stage > 1:
        reference = read_kernel(Path(kernels) / "reference.npy", len(pool), None)
        objectives["mutual_information"] = mutual_information(pool, reference, 1.0)
        objectives["conditional_gain"] = conditional_gain(pool, reference, 1.0)
    place = {one: index for index, one in enumerate(ids)}
    found: dict[str, Any] = {name: {} for name in objectives}
    for method, choice in choices.items():
        for percent, chosen in sizes_of(choice["subsets"], percents, len(ids)).items():
            subset = np.array([place[one] for one in chosen], dtype=np.int64)
            for name, objective in objectives.items():
                value = value_of(objective, subset) / len(pool)
                found[name].setdefault(method, {})[str(percent)] = round(value, 6)
    return found


def sizes_of(subsets: Iterable[Mapping[str, Any]], percents: Sequence[float], n_pool: int) -> dict[float, list[str]]:
    """Return percent -> ids of the first seed's subsets, rising; where ids are in picking order, further sizes too."""
    first: dict[float, Mapping[str, Any]] = {}
    for subset in subsets:
        first.setdefault(named_percent(subset["percent"]), subset)
    sizes = {percent: list(subset["ids"]) for percent, subset in first.items()}
    if first:
        widest = first[max(first)]
        if widest["gains"] is not None:
            for percent in percents:
                size = subset_size(n_pool, percent / 100)
                if percent not in sizes and size <= widest["n"]:
                    sizes[percent] = list(widest["ids"][:size])
    return dict(sorted(sizes.items()))


def experiments(rows: Sequence[Mapping[str, str]]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the metrics that were measured, and one row per pair, model, way of learning, method and size.

    rows: measured values in the long schema. A row holds {metric: [mean, standard deviation or None, seeds]}.
    """
    found: dict[tuple[Any, ...], dict[str, list[float]]] = {}
    for row in rows:
        if row["experiment"] == ANSWERS and row["metric"] in METRICS:
            pair, learning, percent = row["setting"].split("/")
            key = (pair, row["model"], learning, row["method"], int(percent.rpartition("_")[2]))
            found.setdefault(key, {}).setdefault(row["metric"], []).append(float(row["value"]))
    table = []
    for (pair, model, learning, method, percent), values in sorted(found.items()):
        summary = {
            name: [
                round(statistics.fmean(numbers), 6),
                round(statistics.stdev(numbers), 6) if len(numbers) > 1 else None,
                len(numbers),
            ]
            for name, numbers in values.items()
        }
        about = {"pair": label_of_pair(pair), "model": model, "learning": learning, "method": method_label(method)}
        table.append({**about, "percent": percent, "values": summary})
    return [name for name in METRICS if any(name in values for values in found.values())], table
