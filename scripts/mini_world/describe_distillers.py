"""Put trained distillers into the form in which they are shipped.

Their weights go to half precision; a card tells how they were made, and the curve of the training stands beside them.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json, write_jsonl
from scripts.mini_world.cards import Card, Measure, share, write_card

WEIGHTS = "model.safetensors"
AVERAGED = 25  # last steps whose mean loss the card tells, steps of a point of the curve


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--distillers", required=True, type=Path, help="folder with one distiller per variant")
    parser.add_argument("--history", required=True, help="JSON: losses and scores of the training, by variant")
    parser.add_argument("--names", required=True, nargs="+", help="variants to describe")
    parser.add_argument("--dev-tasks", required=True, type=int, help="tasks that the accuracy was measured on")
    parser.add_argument("--models-out", required=True, nargs="+", type=Path, help="a folder for each of the names")
    parser.add_argument("--curves-out", required=True, nargs="+", type=Path, help="JSON lines for each of the names")
    return parser.parse_args(argv)


def curve_of(history: Mapping[str, Any]) -> list[dict[str, float]]:
    """Return the mean losses (nats a token) over every `AVERAGED` steps."""
    points = []
    for start in range(0, history["steps"], AVERAGED):
        end = min(start + AVERAGED, history["steps"])
        means = {f"loss_{name}": sum(values[start:end]) / (end - start) for name, values in history["losses"].items()}
        points.append({"step": end, **{name: round(value, 4) for name, value in means.items()}})
    return points


def halve(path: Path) -> None:
    """Store a file's weights in half precision, half the size; they are loaded in the precision of the run."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    weights = {name: tensor.astype(np.float16) for name, tensor in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})


def describe(folder: Path, curve: Sequence[Mapping[str, float]], history: Mapping[str, Any], n_tasks: int) -> None:
    """Write the card of the distiller in `folder`. Raises `UserError` where it was never scored."""
    info = read_json(folder / "distiller.json")
    training = info["training"]
    if history["best"] is None:
        raise UserError(f"{folder.name}: never scored in training; set evaluate_steps of mini_world.distiller")
    measures = {name: Measure(value) for name, value in curve[-1].items() if name != "step"}
    measures["new_tasks"] = share(history["best"]["score"], n_tasks * training["dev_queries"])
    aim = "to stand for them before the causal model" if training["kl_weight"] else "by the answers alone"
    card = Card(
        title="Mini distiller" + ("" if training["kl_weight"] else " without distillation"),
        summary=(
            f"MEND's distiller for the mini causal LM: a copy of it with {info['n_vectors']} placeholders and a "
            f"{info['pooler']} layer behind, trained {aim}. It read {training['n_demonstrations']} labelled texts of "
            "synthetic tasks of its own (scripts/data/synthetic_meta_tasks.py, another seed than any run's), first "
            "fewer. The causal model itself stayed as it was."
        ),
        module="scripts.mend.train_distiller",
        steps=history["steps"],
        seed=training["seed"],
        settings=training,
        measures=measures,
        legend=(
            f"`new_tasks`: share of right labels on {n_tasks} tasks that it was not trained on,"
            f" {training['dev_queries']} queries each, the causal model reading the vectors; it chose the checkpoint,"
            " so it is a little too high. `loss_*`: nats a token over the last steps: `kl` from the causal model that"
            " reads the texts, `lm` of the answers."
        ),
        dtype="fp16",
    )
    write_card(folder, card)


def main(argv: Sequence[str] | None = None) -> None:
    """Copy the distillers and write their cards and curves."""
    args = parse_args(argv)
    from scripts.lm.checkpoints import atomic_folder

    histories = read_json(args.history)
    for name, folder, curve_out in zip(args.names, args.models_out, args.curves_out):
        if name not in histories:
            raise UserError(f"--names: '{name}' is not in {args.history}; it has {', '.join(histories)}")
        curve = curve_of(histories[name])
        with atomic_folder(folder) as temporary:
            shutil.copytree(args.distillers / name, temporary, dirs_exist_ok=True)
            halve(temporary / WEIGHTS)
            describe(temporary, curve, histories[name], args.dev_tasks)
        write_jsonl(curve_out, curve)


if __name__ == "__main__":
    run_step(main)
