"""Low-rank adapters through peft: put them into a model, train only them, merge them into its weights (LoRA, QLoRA)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from scripts.common.errors import UserError
from scripts.common.files import PathLike
from scripts.lm.checkpoints import atomic_folder, gathered_weights, is_first_process

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from scripts.lm.finetune_settings import FinetuneSettings
    from scripts.lm.load import LoadedModel


def load_for_finetuning(source: str, settings: FinetuneSettings, **options: Any) -> LoadedModel:
    """Load a model as its fine-tuning method needs it: in 4 bits (NF4) for QLoRA, else as `load_model` does.

    options: arguments of `load_model`. Raises `UserError` if QLoRA lacks its package or a GPU.
    """
    from scripts.lm.load import LoadedModel, choose_device, context_window, find_model, load_model, load_tokenizer

    spare_libraries()
    if settings.method != "qlora":
        return load_model(source, **options)
    require_qlora()
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    folder = find_model(source)
    device = choose_device(options.get("device", "auto"))
    four_bits = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    model = AutoModelForCausalLM.from_pretrained(
        str(folder),
        quantization_config=four_bits,
        dtype=torch.bfloat16,
        device_map={"": device},
        use_safetensors=True,
        trust_remote_code=False,
    ).eval()
    return LoadedModel(
        model, load_tokenizer(str(folder)), device, torch.bfloat16, "causal", context_window(model.config)
    )


@functools.cache
def spare_libraries() -> None:
    """Keep what the libraries have made, half a million objects, out of the garbage collector's rounds.

    A Trainer asks for a whole round after every training: a quarter of the time that a small model's training takes.
    Called before a model is loaded, so that no model is kept out of them.
    """
    from scripts.lm.load import spared_imports

    with spared_imports(freeze=True):
        import scripts.lm.trainer  # noqa: F401


def require_qlora() -> None:
    """Raise `UserError` unless a CUDA device and the package bitsandbytes are there."""
    import torch

    if not torch.cuda.is_available():
        raise UserError("method: 'qlora' needs a CUDA device and this machine shows none; use 'lora'")
    try:
        import bitsandbytes  # noqa: F401
    except ImportError:
        raise UserError("method: 'qlora' needs the package bitsandbytes; install it or use 'lora'") from None


def add_adapters(model: PreTrainedModel, settings: FinetuneSettings) -> Any:
    """Return `model` with untrained adapters in its linear layers; every other weight is frozen."""
    from peft import LoraConfig, TaskType, get_peft_model, prepare_model_for_kbit_training

    if settings.method == "qlora":
        require_qlora()
        if not getattr(model, "is_loaded_in_4bit", False):
            raise UserError("method: 'qlora' needs a model in 4 bits; load it with load_for_finetuning")
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=settings.activation_checkpointing)
    elif settings.activation_checkpointing:
        model.enable_input_require_grads()
    seq2seq = bool(model.config.is_encoder_decoder)
    lora = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=list(settings.lora_targets) or "all-linear",
        task_type=TaskType.SEQ_2_SEQ_LM if seq2seq else TaskType.CAUSAL_LM,
    )
    try:
        return get_peft_model(model, lora)
    except ValueError as error:
        if "target" not in str(error).lower():
            raise
        names = ", ".join(settings.lora_targets)
        raise UserError(f"lora_targets: no such layers in this model ({names}); leave it empty for all") from None


def merge_adapters(peft_model: Any, settings: FinetuneSettings, adapter_out: PathLike | None = None) -> None:
    """Fold trained adapters into the weights of the model that `add_adapters` was given, which is plain again then.

    adapter_out: folder to save the adapters in first. Adapters over 4-bit weights are not merged, because merging would
    round them to 4 bits: they stay in the model as it is in memory.
    """
    if adapter_out is not None:
        for config in peft_model.peft_config.values():
            if isinstance(config.target_modules, set):
                config.target_modules = sorted(config.target_modules)  # a set is saved in another order each time
        weights = gathered_weights(peft_model)
        if is_first_process():
            with atomic_folder(adapter_out) as temporary:
                peft_model.save_pretrained(str(temporary), state_dict=weights)
    if settings.method == "qlora":
        return
    for weight in peft_model.merge_and_unload().parameters():
        weight.requires_grad_(True)
