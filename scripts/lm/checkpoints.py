"""Weights kept on disk and in memory: checkpoints for resuming, start weights for several runs, saved models.

A checkpoint folder is named by everything its run depends on, so a run goes on only from a checkpoint of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Sequence

from scripts.common.checksums import damage, is_sealed
from scripts.common.errors import UserError
from scripts.common.files import PathLike, atomic_path, to_json, whole_folder, write_json
from scripts.common.tensors import Described, checked_note, signed

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)

STATE = "state.safetensors"  # what a training loop of our own goes on from
WHOLE = "whole"  # folder of what a finished run made, sealed, until all runs of the job are done


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
    """Return the newest checkpoint that is whole, or None; half-written and damaged ones are removed."""
    whole = [path for path in sorted(Path(folder).glob("checkpoint-*")) if usable(path)]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def usable(folder: PathLike) -> bool:
    """Return whether a folder was sealed and is as it was then; one that is not is removed, to be made again."""
    sealed = is_sealed(folder)
    fault = damage(folder) if sealed else None
    wait_for_all()  # before one of them removes what another is reading
    if sealed and fault is None:
        return True
    if Path(folder).exists() and is_first_process():
        if fault:
            logger.warning("%s: %s; making it again", folder, fault)
        shutil.rmtree(folder)
    wait_for_all()
    return False


def save_state(path: PathLike, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write what a training run goes on from: tensors and JSON-like facts, whole or not at all, with checksums."""
    from safetensors.torch import save_file

    # Copies, because tied weights share memory, which the format does not have.
    own = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    metadata = signed({name: _described(value) for name, value in own.items()}, {"facts": dict(facts)})
    with full_disk_named(Path(path).parent), atomic_path(path) as temporary:
        save_file(own, str(temporary), metadata=metadata)


def load_state(path: PathLike) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return tensors and facts of `save_state`, None if there are none. Raises `UserError` if a byte has changed."""
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        return None
    try:
        with safe_open(str(path), framework="pt") as stream:
            metadata = stream.metadata() or {}
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 (not a dict)
        note = checked_note(path, metadata, {name: _described(value) for name, value in tensors.items()})
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: damaged checkpoint ({str(error)[:80]}); remove it to start anew") from None
    except UserError:
        raise UserError(f"{path}: damaged checkpoint (a checksum differs); remove it to start anew") from None
    return tensors, note["facts"]


def _described(value: Tensor) -> Described:
    import torch

    return f"{value.dtype} {tuple(value.shape)}", value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()


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
    return digest_of_tensors(model.state_dict())


def digest_of_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Return a hash of named tensors."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        kind, content = _described(value)
        digest.update(f"{name} {kind}\n".encode())
        digest.update(content)
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
    """Give an empty folder as `whole_folder` does; a full disk is a `UserError` that names `folder`."""
    with whole_folder(folder) as temporary, full_disk_named(folder):
        yield temporary


def world_size() -> int:
    """Return the number of processes of this run (1 unless started by torchrun or accelerate)."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Return whether this process writes files: the only one, or the first of several."""
    return int(os.environ.get("RANK", "0")) == 0


def wait_for_all() -> None:
    """Wait until every process of the run has come here."""
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
