"""One T5 over several GPUs, layer by layer: the original's --parallelize, which transformers no longer has."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Sequence

from scripts.common.errors import UserError

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel

LOG = logging.getLogger(__name__)


def spread_layers(loaded: LoadedModel) -> LoadedModel:
    """Return the model with its encoder and decoder blocks spread evenly over all GPUs, if there are several.

    Batches still pass the layers one after the other: this makes room, not speed.
    """
    import torch

    kind = loaded.model.config.model_type
    if kind != "t5":
        raise UserError(f"--parallelize: spreads the layers of T5 alone, not of type '{kind}'; leave the flag out")
    devices = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if len(devices) < 2:
        LOG.warning("--parallelize: %d GPUs here, nothing to spread over; the model stays on one device", len(devices))
        return loaded
    if loaded.device.type != "cuda":
        raise UserError("--parallelize: goes with GPUs; leave --device at auto or leave the flag out")
    dispatch(loaded.model, devices)
    return loaded


def dispatch(model: Any, devices: Sequence[str]) -> None:
    """Move the blocks of a T5 to their devices, in place; what is not in a block goes to the first device."""
    from accelerate import dispatch_model

    dispatch_model(model, device_map=layer_map(model.config, devices), main_device=devices[0], force_hooks=True)


def layer_map(config: Any, devices: Sequence[str]) -> dict[str, str]:
    """Return module name -> device: each stack's blocks in equal shares, embeddings, norms and head on the first."""
    first = devices[0]
    names = ("shared", "encoder.embed_tokens", "encoder.final_layer_norm", "decoder.embed_tokens")
    places = dict.fromkeys((*names, "encoder.dropout", "decoder.dropout", "decoder.final_layer_norm", "lm_head"), first)
    for stack, depth in (("encoder", config.num_layers), ("decoder", config.num_decoder_layers)):
        for number in range(depth):
            places[f"{stack}.block.{number}"] = devices[number * len(devices) // depth]
    return places
