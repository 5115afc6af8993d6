"""How long a planned job may take that never ran: its operations, counted from its command, at a guessed speed."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shlex
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.files import PathLike, read_text
from scripts.common.yaml_files import parse_yaml

OPERATIONS = {"read": 2, "write": 2, "train": 6}
"""What is done with a token -> operations for each weight of the model (a forward pass; with the backward pass)."""
_SIZE = re.compile(r"([0-9][0-9.,]*) (k|M|B) parameters")


@dataclasses.dataclass(frozen=True)
class Costs:
    """The keys of config/costs.yaml: operations per second, seconds of other rules, what rules with a model compute."""

    speed: Mapping[str, Mapping[str, float]]
    other_seconds: float
    other_gpu_seconds: float
    parameters: Mapping[str, float]
    seconds: Mapping[str, float]
    rules: Mapping[str, Sequence[Mapping[str, Any]]]


def read_costs(path: PathLike) -> Costs:
    """Return the costs. Raises `UserError` for a file without one of its keys."""
    found = parse_yaml(read_text(path), str(path))
    try:
        return Costs(**{field.name: found[field.name] for field in dataclasses.fields(Costs)})
    except (KeyError, TypeError) as error:
        raise UserError(f"{path}: key {error} is missing; take it from the repository's own file") from None


def model_sizes(models: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the number of parameters of each registered model whose title tells it: {name: 7e9}; it may have none."""
    units = {"k": 1e3, "M": 1e6, "B": 1e9}
    found = {name: _SIZE.search(row.get("title") or "") for name, row in models.items()}
    return {name: float(size[1].replace(",", "")) * units[size[2]] for name, size in found.items() if size}


def read_flags(command: str) -> dict[str, list[str]]:
    """Return {flag: its values} of a step's command; an empty map for what is no command."""
    flags: dict[str, list[str]] = {}
    current: list[str] = []
    try:
        words = shlex.split(command)
    except ValueError:
        return {}
    for word in words:
        if word.startswith("--"):
            current = flags.setdefault(word, [])
        else:
            current.append(word)
    return flags


def n_devices(command: str) -> int:
    """Return how many processes, hence devices, a job starts (`scripts.lm.launch --processes`)."""
    found = re.search(r"scripts\.lm\.launch --processes ([0-9]+)", command)
    return int(found[1]) if found else 1


def factor(name: str | float, flags: Mapping[str, list[str]]) -> float:
    """Return a factor of config/costs.yaml for one job. Raises KeyError where the job has no such flag or key.

    A name that ends in `?` counts once where the job has no such flag or key, or nothing behind it.
    """
    if isinstance(name, (int, float)):
        return float(name)
    if name.endswith("?"):
        try:
            return factor(name[:-1], flags) or 1.0
        except (KeyError, TypeError, IndexError):
            return 1.0
    if name == "shard":
        return float(flags["--stop"][0]) - float(flags["--start"][0])
    if name.startswith("--"):
        values = flags[name]
        entries = _json(values[0]) if len(values) == 1 else None
        return float(len(entries)) if isinstance(entries, (list, dict)) else float(len(values))
    value: Any = _json(flags["--settings"][0])
    for key in name.split("."):
        value = value[key]
    if isinstance(value, (list, dict)):
        return float(len(value))
    if not isinstance(value, (int, float)):
        raise KeyError(name)
    return float(value)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def counted_seconds(rule: str, command: str, costs: Costs, sizes: Mapping[str, float], device: str) -> float | None:
    """Return the seconds of one job on its devices of a kind (gpu or cpu), by its operations.

    sizes: parameters by model. None where costs say nothing of the rule, the command lacks a factor or the model has no
    known size.
    """
    if rule not in costs.rules:
        return None
    flags = read_flags(command)
    devices = n_devices(command) if device == "gpu" else 1
    seconds = 0.0
    try:
        for part in costs.rules[rule]:
            flag = part["model"].removesuffix("?")
            if flag != part["model"] and not flags.get(flag):
                continue  # a job that needs no model
            model = flags[flag][0].rstrip("/").rpartition("/")[2]
            weights = sizes[model] if model in sizes else costs.parameters[model]
            tokens = math.prod(factor(name, flags) for name in (*part["texts"], *part["tokens"]))
            seconds += OPERATIONS[part["do"]] * weights * tokens / costs.speed[device][part["do"]]
    except (KeyError, TypeError, IndexError):
        return None
    return seconds / devices
