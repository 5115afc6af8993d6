"""Weights kept on disk and in memory: checkpoints for resuming, start weights for several runs, saved models.

A checkpoint folder is named by everything its run depends on, so a run goes on only from a checkpoint of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.files import PathLike, to_json, write_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from scripts.lm.load import LoadedModel

COMPLETE = "complete"  # marker file of a checkpoint that was written to its end


def checkpoint_folder(root: PathLike, settings: Mapping[str, Any], key: Mapping[str, Any]) -> Path:
    """Return (and make) the folder under `root` named by settings, key, library versions and number of processes.

    key: what else the result depends on, e.g. digests of examples and model, and the seed. `key.json` inside the folder
    says what its name stands for.
    """
    import torch
    import transformers

    content = {
        "settings": dict(settings),
        "key": dict(key),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "processes": world_size(),
    }
    folder = Path(root) / hashlib.sha256(to_json(content).encode()).hexdigest()[:20]
    if is_first_process():
        write_json(folder / "key.json", content)
    return folder


def last_checkpoint(folder: PathLike) -> Path | None:
    """Return the newest checkpoint that was written to its end, or None; half-written ones are removed."""
    whole = []
    for path in sorted(Path(folder).glob("checkpoint-*")):
        if (path / COMPLETE).is_file():
            whole.append(path)
        elif is_first_process():
            shutil.rmtree(path)
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def remove_checkpoints(folder: PathLike) -> None:
    """Remove a finished run's checkpoint folder, and its parent if that is empty now."""
    if not is_first_process():
        return
    shutil.rmtree(folder, ignore_errors=True)
    if not any(Path(folder).parent.iterdir()):
        Path(folder).parent.rmdir()


def digest_of_examples(rows: Sequence[Mapping[str, Sequence[int]]]) -> str:
    """Return a hash of the encoded examples, in their order."""
    return hashlib.sha256(to_json([dict(row) for row in rows]).encode()).hexdigest()


def digest_of_model(model: PreTrainedModel) -> str:
    """Return a hash of all weights and their names; it does not depend on where the model was loaded from."""
    import torch

    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}\n".encode())
        digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


class InitialWeights:
    """A copy of a model's weights in memory, to start several runs in one process from the same model."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._weights = {name: weight.detach().clone() for name, weight in model.state_dict().items()}

    def restore(self) -> None:
        """Put the copied weights back into the model, drop its gradients, leave training mode."""
        self._model.load_state_dict(self._weights)
        self._model.zero_grad(set_to_none=True)
        self._model.eval()


def save_model(loaded: LoadedModel, folder: PathLike) -> None:
    """Write model (safetensors) and tokenizer to `folder`, whole or not at all; a sharded model is gathered first."""
    weights = gathered_weights(loaded.model)
    if is_first_process():
        with atomic_folder(folder) as temporary:
            loaded.model.save_pretrained(temporary, state_dict=weights)
            loaded.tokenizer.save_pretrained(temporary)


def gathered_weights(model: Any) -> dict[str, Any] | None:
    """Return all weights of a model trained by several processes, on the CPU of the first one; None for a single one.

    Every process must call it.
    """
    if world_size() == 1:
        return None
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    return get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))


@contextlib.contextmanager
def full_disk_named(folder: PathLike) -> Iterator[None]:
    """Turn the several ways in which torch and safetensors report a full disk into one `UserError`."""
    from safetensors import SafetensorError

    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        if not any(sign in str(error) for sign in ("No space left", "quota exceeded", "inline_container")):
            raise
        raise UserError(
            f"{folder}: could not be written, the disk is probably full; free some space and run again"
        ) from None


@contextlib.contextmanager
def atomic_folder(folder: PathLike) -> Iterator[Path]:
    """Give a temporary folder beside `folder`; move it there when the block ends well, remove it when it does not."""
    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        with full_disk_named(target):
            yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)  # mkdtemp and safetensors let only the owner read
        for file in temporary.rglob("*"):
            file.chmod((0o777 if file.is_dir() else 0o666) & ~umask)
        if target.exists():
            shutil.rmtree(target)
        os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def world_size() -> int:
    """Return the number of processes of this run (1 unless started by torchrun or accelerate)."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Return whether this process writes files: the only one, or the first of several."""
    return int(os.environ.get("RANK", "0")) == 0
