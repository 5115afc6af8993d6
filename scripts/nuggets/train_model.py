"""Fine-tune the model on subsets of the pool, once per seed (NUGGETS, section 4.1: the stanford_alpaca recipe).

One job serves several subsets and all their seeds; a run is `<anchor set>/<method>`. A finished seed rests in the
checkpoint folder, under a name made of everything it depends on, until all of the job is done: a job that is killed and
started again trains only what is missing. An empty subset is no error: nothing is trained and `status.json` says why.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.checksums import seal
from scripts.common.errors import UserError, run_step
from scripts.common.files import PathLike, read_json, read_text, whole_folder, write_json
from scripts.common.metrics import metric_row, write_metrics
from scripts.common.seeding import seed_all
from scripts.common.settings import parse_json
from scripts.common.step_parser import StepParser
from scripts.data.schemas import read_examples
from scripts.lm.flags import add_model_flags, model_options
from scripts.lm.prompts import prompt_of_flag
from scripts.nuggets.benchmarks import experiment
from scripts.nuggets.settings_finetune import TrainSettings

if TYPE_CHECKING:
    from scripts.lm.finetune_settings import FinetuneSettings
    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)


def engine_settings(settings: TrainSettings, dtype: str) -> FinetuneSettings:
    """Return the settings in the engine's terms; dtype `float32` also forbids bfloat16 arithmetic."""
    from scripts.lm.finetune_settings import finetune_settings

    values = {**settings.given(), "fsdp_wrap": settings.fsdp_wrap if settings.fsdp else ""}
    del values["devices"]  # a matter of how the step is started
    return finetune_settings(values, dtype, "nuggets.finetune")


def empty_reason(rule: Mapping[str, Any]) -> str:
    """Return in words why a subset chosen by this rule of the config (`nuggets.methods`) is empty."""
    if "above" in rule:
        return f"no example scores above {rule['above']:g}"
    if "at_most" in rule:
        return f"no example scores {rule['at_most']:g} or less"
    return "the subset is empty"


def train_seed(
    model: Mapping[str, Any],
    loaded: LoadedModel | None,
    pairs: Sequence[tuple[str, str]],
    settings: FinetuneSettings,
    seed: int,
    checkpoints: Path,
) -> tuple[Path, LoadedModel | None]:
    """Train one seed unless its finished model rests in `checkpoints`.

    model: keywords of `load_for_finetuning`. loaded: the model as it came from its file, or None to load it. Returns
    the folder with `model/` and `history.json`, and the loaded model if it is still as its file has it, else None.
    """
    from scripts.lm.adapters import load_for_finetuning
    from scripts.lm.checkpoints import (
        WHOLE,
        checkpoint_folder,
        digest_of_examples,
        digest_of_model,
        is_first_process,
        save_model,
        usable,
    )
    from scripts.lm.finetune import finetune

    loaded = loaded or load_for_finetuning(settings=settings, **model)
    key = {
        "examples": digest_of_examples([{"prompt": [prompt], "response": [text]} for prompt, text in pairs]),
        "model": digest_of_model(loaded.model),
        "seed": seed,
    }
    folder = checkpoint_folder(checkpoints / "finished", dataclasses.asdict(settings), key)
    finished = folder / WHOLE
    if usable(finished):
        logger.info("finished earlier")
        return finished, loaded
    adapter = finished / "model" if settings.method == "qlora" else None
    history = finetune(loaded, pairs, settings, seed, checkpoints / "running", adapter_out=adapter)
    if adapter is None:
        save_model(loaded, finished / "model")
    if is_first_process():
        write_json(finished / "history.json", {**dataclasses.asdict(history), "seed": seed})
        seal(finished)
    logger.info("loss %.4f -> %.4f nats", history.losses[0], history.losses[-1])
    return finished, None


@dataclasses.dataclass(frozen=True)
class Subset:
    """What one run trains on: the examples of each seed, and the method's rule in the config (`nuggets.methods`)."""

    run: str
    rows: Mapping[int, Sequence[Mapping[str, Any]]]
    rule: Mapping[str, Any]

    def status(self) -> dict[str, Any]:
        """Return whether there is something to train on, and why not; counts of examples by seed."""
        empty = not all(self.rows.values())
        return {
            "status": "not_run" if empty else "done",
            "reason": empty_reason(self.rule) if empty else "",
            "method": self.run.rpartition("/")[2],
            "n_examples": {str(seed): len(rows) for seed, rows in self.rows.items()},
        }


def size_rows(subsets: Sequence[Subset], model: str) -> list[dict[str, Any]]:
    """Return how many examples each subset has, in the long schema; model: the name of what is trained on it."""
    found = []
    for subset in subsets:
        anchors, method = subset.run.split("/")
        name = experiment("subset", anchors)
        for seed, rows in subset.rows.items():
            found.append(metric_row("nuggets", name, "pool", model, method, seed, "n_examples", len(rows), len(rows)))
    return found


def collect_models(subsets: Sequence[Subset], folders: Mapping[str, Mapping[int, Path]], target: PathLike) -> None:
    """Put each run's finished models as `seed_{n}` and its `status.json` into `target`, whole or not at all.

    folders: where the model of each run and seed rests; none for a run without examples.
    """
    with whole_folder(target) as temporary:
        for subset in subsets:
            for seed, folder in folders[subset.run].items():
                copy = temporary / subset.run / f"seed_{seed}"
                shutil.copytree(folder / "model", copy, copy_function=_link_or_copy)
            write_json(temporary / subset.run / "status.json", subset.status())


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--runs", nargs="+", required=True, help="<anchor set>/<method> of each subset")
    parser.add_argument("--subsets", nargs="+", required=True, help="folder of each run's examples, seed_{n}.jsonl")
    parser.add_argument("--rules", nargs="+", required=True, help="JSON: each run's method in the config")
    parser.add_argument("--seeds", nargs="+", type=int, required=True, help="train one model for each")
    add_model_flags(parser)
    parser.add_argument("--model-name", required=True, help="the model's name in the measured values")
    parser.add_argument("--prompt", required=True, help="JSON: with_input, without_input")
    parser.add_settings(TrainSettings)
    parser.add_argument("--checkpoints", required=True, help="folder for what a killed job goes on from")
    parser.add_argument("--models-out", required=True, help="folder: seed_{n}/ and status.json in a folder per run")
    parser.add_argument("--history-out", required=True, help="JSON: loss of every step and counts, per run and seed")
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema: sizes of the subsets")
    return parser.parse_args(argv)


def read_subset(run: str, folder: PathLike, seeds: Sequence[int], rule: str) -> Subset:
    """Return what one run trains on; an empty file is a subset of none. rule: JSON."""
    paths = {seed: Path(folder) / f"seed_{seed}.jsonl" for seed in seeds}
    rows = {seed: read_examples(path, "instruction") if read_text(path).strip() else [] for seed, path in paths.items()}
    return Subset(run, rows, parse_json("--rules", rule, dict))


def main(argv: Sequence[str] | None = None) -> None:
    """Train all seeds of every subset."""
    from scripts.lm.checkpoints import is_first_process, world_size

    args = parse_args(argv)
    if not len(args.runs) == len(args.subsets) == len(args.rules):
        raise UserError(
            f"--runs: {len(args.runs)} runs, {len(args.subsets)} --subsets and {len(args.rules)} --rules;"
            " give one of each per run"
        )
    prompt = prompt_of_flag(args.prompt).of_model(args.model)
    settings: TrainSettings = args.settings
    subsets = [read_subset(*one, args.seeds, rule) for *one, rule in zip(args.runs, args.subsets, args.rules)]
    if world_size() != settings.devices:
        raise UserError(
            f"nuggets.finetune.devices: {settings.devices} devices but {world_size()} processes; start the step with"
            f" 'python -m scripts.lm.launch --processes {settings.devices}', or set devices to {world_size()}"
        )
    engine = engine_settings(settings, args.dtype)
    # A folder for each job: two jobs may train the same examples, and the first to end clears its own.
    kept = Path(args.checkpoints) / hashlib.sha256(str(args.models_out).encode()).hexdigest()[:12]
    folders: dict[str, dict[int, Path]] = {subset.run: {} for subset in subsets}
    loaded = None
    for subset in subsets:
        status = subset.status()
        if status["status"] == "not_run":
            logger.info("%s: not trained, %s", subset.run, status["reason"])
            continue
        for seed, rows in subset.rows.items():
            seed_all(seed)
            pairs = [(prompt.query(row), prompt.response(row)) for row in rows]
            logger.info("%s, seed %d: %d examples", subset.run, seed, len(pairs))
            folders[subset.run][seed], loaded = train_seed(model_options(args), loaded, pairs, engine, seed, kept)
    if not is_first_process():
        return
    collect_models(subsets, folders, args.models_out)
    histories = {}
    for subset in subsets:
        seeds = [read_json(folder / "history.json") for folder in folders[subset.run].values()]
        histories[subset.run] = {"seeds": seeds, **subset.status()}
    write_json(args.history_out, histories)
    write_metrics(args.measured_out, size_rows(subsets, args.model_name))
    shutil.rmtree(kept, ignore_errors=True)  # absent where every subset is empty


if __name__ == "__main__":
    run_step(main)
