"""Model cards of the shipped mini models: card.json for programs, README.md for people, from the same values."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any, Mapping

from scripts.common.files import write_json, write_text

WEIGHTS = "model.safetensors"


@dataclasses.dataclass(frozen=True)
class Measure:
    """A value of a trained model, with the 95 % interval (Wilson's) where it is a share of n new cases."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


def share(value: float, n: int) -> Measure:
    """Return a share of n cases with its interval."""
    from scripts.mini_world.measure import wilson

    return Measure(value, *wilson(round(value * n), n), n)


@dataclasses.dataclass(frozen=True)
class Card:
    """What a model card tells.

    title; summary: what the model is and read, one paragraph; module: what made it; steps, seed, settings: how;
    measures: by name, at the last step; legend: what their names mean; dtype: how the weights are stored.
    """

    title: str
    summary: str
    module: str
    steps: int
    seed: int
    settings: Mapping[str, Any]
    measures: Mapping[str, Measure]
    legend: str
    dtype: str = "fp32"


def count_parameters(weights: Path) -> int:
    """Return the number of parameters in a safetensors file."""
    from safetensors import safe_open

    with safe_open(weights, framework="np") as stream:
        slices = [stream.get_slice(name).get_shape() for name in stream.keys()]  # noqa: SIM118 (not a dict)
    total = 0
    for shape in slices:
        size = 1
        for length in shape:
            size *= length
        total += size
    return total


def write_card(folder: Path, card: Card) -> None:
    """Write card.json and README.md into the folder of a saved model, with the size and hash of its weights."""
    weights = folder / WEIGHTS
    content = {
        **dataclasses.asdict(card),
        "parameters": count_parameters(weights),
        "bytes": weights.stat().st_size,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
    }
    write_json(folder / "card.json", content)
    write_text(folder / "README.md", card_text(content))


def card_text(card: Mapping[str, Any]) -> str:
    """Return the content of a card.json as a page."""
    rows = []
    for name, measure in card["measures"].items():
        interval = "—" if measure["low"] is None else f"{measure['low']:.3f} to {measure['high']:.3f}"
        rows.append(f"| {name} | {measure['value']:.3f} | {interval} | {measure['n'] or '—'} |")
    return "\n".join(
        [
            f"# {card['title']}",
            "",
            card["summary"],
            "",
            f"- Parameters: {card['parameters']:,}; steps: {card['steps']:,}; seed {card['seed']}.",
            f"- Weights: {WEIGHTS}, {card['dtype']}, {card['bytes']:,} bytes, sha256 `{card['sha256']}`.",
            f"- Made by `python -m {card['module']}`; settings below.",
            "",
            "| measure at the last step | value | 95 % interval | n |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            card["legend"],
            "",
            "```json",
            json.dumps(card["settings"], indent=1, sort_keys=True),
            "```",
            "",
        ]
    )
