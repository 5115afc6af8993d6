"""Tabulate the shipped mini models from their cards: sizes, training, losses, how well they learn in context."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import TABLE, Table, artifact_flags, save_table
from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json
from scripts.common.tables import Column, Missing
from scripts.mini_world.figure_data import Points

COLUMNS = [
    Column("model", "Model"),
    Column("parameters", "Parameters", "number", decimals=0),
    Column("megabytes", "Weights", "number", "MB", 2),
    Column("steps", "Steps", "number", decimals=0),
    Column("losses", "Last losses (nats)", tex_width_cm=4.0),
    Column("trained", "In context, trained topics", "number", decimals=3),
    Column("held_out", "In context, held-out topics", "number", decimals=3),
    Column("others", "Other measures", tex_width_cm=5.0),
]
NO_LABELS = "It is no causal language model: it was not made to learn labels in context."


def described(measures: Mapping[str, Any], keep: Any) -> str:
    """Return the measures that `keep` chooses as text: name, value and interval."""
    parts = []
    for name, measure in measures.items():
        label = keep(name)
        if label:
            interval = "" if measure["low"] is None else f" ({measure['low']:.3f} to {measure['high']:.3f})"
            parts.append(f"{label} {measure['value']:.3f}{interval}")
    return "; ".join(parts) or "none"


def loss_name(name: str) -> str:
    """Return the printed name of a loss, nothing for another measure or a guidance loss."""
    is_loss = (name.startswith("loss_") and not name.endswith("_miss")) or name == "loss"
    return name[len("loss_") :].replace("_", " ") or "loss" if is_loss else ""


def other_name(name: str) -> str:
    """Return the printed name of a measure that has no column of its own."""
    return "" if name.startswith(("loss", "trained_", "held_out_")) else name.replace("_", " ")


def table_row(name: str, card: Mapping[str, Any], measured: Points) -> dict[str, Any]:
    """Return a model's row; the main causal model's accuracy is the report's own, the others' their cards'."""
    measures = card["measures"]
    row: dict[str, Any] = {
        "model": name,
        "parameters": card["parameters"],
        "megabytes": card["bytes"] / 1e6,
        "steps": card["steps"],
        "losses": described(measures, loss_name),
        "others": described(measures, other_name),
    }
    for setting in ("trained", "held_out"):
        if name == "causal":
            row[setting] = measured.point(setting, "demos_15", "in_context_accuracy").value
        elif f"{setting}_15" in measures:
            row[setting] = measures[f"{setting}_15"]["value"]
        else:
            row[setting] = Missing(NO_LABELS)
    return row


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table."""
    args = artifact_flags(argv, __doc__, TABLE, files={"cards": "card.json of each model"}, several=("cards",))
    measured = Points(args.measured)
    rows = []
    for path in map(Path, args.cards):
        card = read_json(path)
        if not isinstance(card, dict) or "measures" not in card:
            raise UserError(f"{path}: no model card; rebuild them: snakemake --cores all rebuild_mini_models")
        rows.append(table_row(path.parent.name, card, measured))
    notes = [
        "In context: share of hidden labels named rightly after 15 demonstrations, 3 to 5 classes; for causal on "
        f"{measured.point('trained', 'demos_15', 'in_context_accuracy').n} new documents of this run's seed.",
        "Losses and other measures: on new texts at the end of training, from the models' cards, with 95 % intervals "
        "for shares.",
    ]
    save_table(Table(rows, COLUMNS, "The mini world's models, as shipped under resources/mini.", notes), args)


if __name__ == "__main__":
    run_step(main)
