"""Fine-tune the model on one subset of the pool, once per seed (NUGGETS, section 4.1: the stanford_alpaca recipe).

One job trains all seeds of one subset. A finished seed rests in the checkpoint folder, under a name made of everything
it depends on, until all seeds are done: a job that is killed and started again trains only what is missing. An empty
subset is no error: nothing is trained and `status.json` says why.
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
from scripts.common.seeding import seed_all
from scripts.common.settings import parse_json, parse_settings
from scripts.data.schemas import read_examples
from scripts.lm.flags import add_model_flags, model_options
from scripts.lm.prompts import prompt_of_flag

if TYPE_CHECKING:
    from scripts.lm.finetune import FinetuneSettings
    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """The config's `nuggets.finetune` without the prompt; `scripts.lm.finetune.FinetuneSettings` explains the terms.

    max_steps: None = as many as `epochs` needs. batch_size: per device. devices: processes that share a step.
    """

    method: str
    epochs: float
    max_steps: int | None
    learning_rate: float
    schedule: str
    warmup_ratio: float
    weight_decay: float
    max_grad_norm: float
    batch_size: int
    accumulation: int
    devices: int
    fsdp: str
    fsdp_wrap: str
    max_tokens: int
    save_steps: int
    lora: Mapping[str, Any]

    def for_finetune(self, dtype: str) -> FinetuneSettings:
        """Return the same in the engine's terms; dtype `float32` also forbids bfloat16 arithmetic."""
        from scripts.lm.finetune import finetune_settings

        values = dataclasses.asdict(self)
        layer = values.pop("fsdp_wrap")
        del values["devices"]  # a matter of how the step is started
        return finetune_settings({**values, "fsdp_layer": layer if self.fsdp else ""}, dtype, "nuggets.finetune")


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
        logger.info("seed %d: finished earlier", seed)
        return finished, loaded
    adapter = finished / "model" if settings.method == "qlora" else None
    history = finetune(loaded, pairs, settings, seed, checkpoints / "running", adapter_out=adapter)
    if adapter is None:
        save_model(loaded, finished / "model")
    if is_first_process():
        write_json(finished / "history.json", {**dataclasses.asdict(history), "seed": seed})
        seal(finished)
    logger.info("seed %d: %d examples, loss %.4f -> %.4f nats", seed, len(pairs), history.losses[0], history.losses[-1])
    return finished, None


def collect_models(folders: Mapping[int, Path], target: PathLike, status: Mapping[str, Any]) -> None:
    """Put the finished models as `seed_{n}` and `status.json` into the folder `target`, whole or not at all."""
    with whole_folder(target) as temporary:
        for seed, folder in folders.items():
            shutil.copytree(folder / "model", temporary / f"seed_{seed}", copy_function=_link_or_copy)
        write_json(temporary / "status.json", status)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subsets", required=True, help="folder of the chosen examples, seed_{n}.jsonl")
    parser.add_argument("--seeds", nargs="+", type=int, required=True, help="train one model for each")
    parser.add_argument("--method", required=True, help="name of the selection method")
    parser.add_argument("--rule", required=True, help="JSON: the method in the config, to explain an empty subset")
    add_model_flags(parser)
    parser.add_argument("--prompt", required=True, help="JSON: with_input, without_input")
    parser.add_argument("--settings", required=True, help="JSON: nuggets.finetune without the prompt")
    parser.add_argument("--checkpoints", required=True, help="folder for what a killed job goes on from")
    parser.add_argument("--models-out", required=True, help="folder: seed_{n}/ and status.json")
    parser.add_argument("--history-out", required=True, help="JSON: loss of every step and counts, per seed")
    return parser.parse_args(argv)


def read_subset(path: PathLike) -> list[dict[str, Any]]:
    """Return the examples of a subset; an empty file is a subset of none."""
    return read_examples(path, "instruction") if read_text(path).strip() else []


def main(argv: Sequence[str] | None = None) -> None:
    """Train all seeds of one subset."""
    from scripts.lm.checkpoints import is_first_process, world_size

    args = parse_args(argv)
    prompt = prompt_of_flag(args.prompt)
    settings = parse_settings(TrainSettings, args.settings)
    paths = {seed: Path(args.subsets) / f"seed_{seed}.jsonl" for seed in args.seeds}
    subsets = {seed: read_subset(path) for seed, path in paths.items()}
    counts = {str(seed): len(rows) for seed, rows in subsets.items()}
    status = {"status": "done", "reason": "", "method": args.method, "n_examples": counts}
    if not all(subsets.values()):
        status.update(status="not_run", reason=empty_reason(parse_json("--rule", args.rule, dict)))
        logger.info("%s: not trained, %s", args.method, status["reason"])
        if is_first_process():
            collect_models({}, args.models_out, status)
            write_json(args.history_out, {"seeds": [], **status})
        return
    if world_size() != settings.devices:
        raise UserError(
            f"nuggets.finetune.devices: {settings.devices} devices but {world_size()} processes; start the step with"
            f" 'python -m scripts.lm.launch --processes {settings.devices}', or set devices to {world_size()}"
        )
    engine = settings.for_finetune(args.dtype)
    # A folder for each job: two jobs may train the same examples, and the first to end clears its own.
    kept = Path(args.checkpoints) / hashlib.sha256(str(args.models_out).encode()).hexdigest()[:12]
    folders, loaded = {}, None
    for seed, rows in subsets.items():
        seed_all(seed)
        pairs = [(prompt.query(row), row["output"]) for row in rows]
        folders[seed], loaded = train_seed(model_options(args), loaded, pairs, engine, seed, kept)
    if not is_first_process():
        return
    collect_models(folders, args.models_out, status)
    histories = [read_json(folder / "history.json") for folder in folders.values()]
    write_json(args.history_out, {"seeds": histories, **status})
    shutil.rmtree(kept)


if __name__ == "__main__":
    run_step(main)
