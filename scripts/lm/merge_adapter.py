"""Merge a folder of adapters (LoRA and its kin, as peft saves them) into the base model that they were trained on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from scripts.common.errors import UserError

LOG = logging.getLogger(__name__)

WEIGHTS = "adapter_model.safetensors"


def merge_adapter(model: Any, folder: Path) -> Any:
    """Return the model with the adapters' changes in its weights; nothing of the adapters is left beside them.

    A quantised base model (QLoRA) is spread out first: in 4 bits the changes would be rounded away in part.
    Raises `UserError` for adapters that do not fit the model, that lack a weight, or that cannot be merged.
    """
    from peft import PeftConfig, get_peft_model, set_peft_model_state_dict
    from safetensors.torch import load_file

    weights = folder / WEIGHTS
    if not weights.is_file():
        raise UserError(f"{folder}: no {WEIGHTS}; save the adapters as safetensors (pickles are not loaded)")
    try:
        state = load_file(weights)
        model = _spread_out(model, folder)
        _resize(model, state)
        config = PeftConfig.from_pretrained(str(folder))
        if config.is_prompt_learning:
            raise ValueError(f"{config.peft_type} adds vectors before a text and changes no weight")
        config.inference_mode = True
        adapted = get_peft_model(model, config)
        report = set_peft_model_state_dict(adapted, state)
        lacking, foreign = (
            [key for key in keys if adapted.prefix in key] for keys in (report.missing_keys, report.unexpected_keys)
        )
        if lacking or foreign:
            told = f"lacks {lacking[0]}" if lacking else f"{foreign[0]} has no place in the model"
            raise UserError(f"{weights}: {told}; these adapters are not of this base model")
        return adapted.merge_and_unload(safe_merge=True).eval()
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever does not fit, or cannot be merged, is one line
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UserError(
            f"{folder}: cannot be merged into its base model ({reason}); check base_model_name_or_path and peft_type"
        ) from None


def _spread_out(model: Any, folder: Path) -> Any:
    """Return a model whose weights are numbers of their own, not levels of a quantiser."""
    if not getattr(model, "is_quantized", False):
        return model
    LOG.warning("%s: its base model is quantised; it is spread out to %s to take the adapters", folder, model.dtype)
    return model.dequantize()


def _resize(model: Any, state: dict[str, Any]) -> None:
    """Give the model as many words as the adapters' own embeddings have, if they bring some."""
    rows = {value.shape[0] for key, value in state.items() if key.endswith(("embed_tokens.weight", "wte.weight"))}
    if len(rows) == 1 and rows != {model.get_input_embeddings().weight.shape[0]}:
        model.resize_token_embeddings(rows.pop(), mean_resizing=False)
