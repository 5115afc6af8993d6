"""Fine-tune a language model on (prompt, response) pairs: a thin layer over `transformers.Trainer`.

The loss is the mean negative log-likelihood, in nats per token, of the response and the end-of-text token after it; the
prompt's tokens are masked. NUGGETS trains its subsets so, following the stanford_alpaca recipe (NUGGETS, section 4.1).

# DEVIATION: with gradient accumulation the mean runs over all response tokens of one optimizer step; the Trainer of the
# recipe's time averaged the means of the micro-batches.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.files import PathLike
from scripts.common.seeding import seed_all
from scripts.lm.adapters import add_adapters, merge_adapters
from scripts.lm.checkpoints import (
    checkpoint_folder,
    digest_of_examples,
    digest_of_model,
    full_disk_named,
    last_checkpoint,
    remove_checkpoints,
    world_size,
)
from scripts.lm.collator import MASKED, Collator
from scripts.lm.finetune_settings import FinetuneSettings
from scripts.lm.generate import encode_prompts, pad_token_id

if TYPE_CHECKING:
    from transformers import PreTrainedModel, TrainerCallback

    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class History:
    """What happened in a run: equal bytes whether it was interrupted or not.

    losses: mean loss of each optimizer step, nats per response token. n_examples: examples trained on; n_dropped: left
    out because no response token fitted; n_truncated: cut at `max_tokens`; n_response_tokens: tokens in the loss per
    epoch, end tokens included.
    """

    losses: tuple[float, ...]
    n_examples: int
    n_dropped: int
    n_truncated: int
    n_response_tokens: int


@dataclasses.dataclass(frozen=True)
class EncodedExamples:
    """Token ids and labels of the examples that have something to learn, and counts of the others."""

    rows: tuple[dict[str, list[int]], ...]
    n_dropped: int
    n_truncated: int


def encode_examples(
    loaded: LoadedModel, examples: Sequence[tuple[str, str]], settings: FinetuneSettings
) -> EncodedExamples:
    """Return `input_ids` and `labels` per example; labels are -100 on the prompt, the end token is learnt.

    Causal: labels stand on the tokens themselves (the model shifts them). Encoder-decoder: `input_ids` is the prompt,
    cut at `max_tokens`, `labels` the response. Raises `UserError` if nothing to learn is left.
    """
    if not examples:
        raise UserError("training examples: none given; check the selected subset")
    eos = loaded.tokenizer.eos_token_id
    if eos is None:
        raise UserError("tokenizer: it has no end-of-text token; fine-tuning appends one to each response")
    limit = min(settings.max_tokens, loaded.window)
    prompts = encode_prompts(loaded, [prompt for prompt, _ in examples])
    if loaded.family == "encoder_decoder" or settings.tokenization == "separate":
        responses = loaded.tokenizer([text for _, text in examples], add_special_tokens=False)["input_ids"]
    else:
        joined = encode_prompts(loaded, [prompt + response for prompt, response in examples])
        prompts = [whole[: len(prompt)] for whole, prompt in zip(joined, prompts)]
        responses = [whole[len(prompt) :] for whole, prompt in zip(joined, prompts)]
    rows, n_dropped, n_truncated = [], 0, 0
    for prompt, response in zip(prompts, responses):
        answer = [*response, eos]
        if loaded.family == "encoder_decoder":
            n_truncated += len(prompt) > limit or len(answer) > limit
            rows.append({"input_ids": prompt[:limit], "labels": answer[:limit]})
            continue
        whole = [*prompt, *answer]
        # The very first token has nothing before it to be predicted from.
        first = max(len(prompt), 1) if settings.loss_on == "response" else 1
        if first >= min(len(whole), limit):
            n_dropped += 1
            continue
        n_truncated += len(whole) > limit
        rows.append({"input_ids": whole[:limit], "labels": ([MASKED] * first + whole[first:])[:limit]})
    if not rows:
        raise UserError(f"max_tokens: no response token of any example lies within {limit} tokens; raise max_tokens")
    if n_dropped or n_truncated:
        logger.warning("%d examples dropped (prompt fills %d tokens), %d cut at the end", n_dropped, limit, n_truncated)
    return EncodedExamples(tuple(rows), n_dropped, n_truncated)


def finetune(
    loaded: LoadedModel,
    examples: Sequence[tuple[str, str]],
    settings: FinetuneSettings,
    seed: int,
    checkpoint_dir: PathLike | None = None,
    *,
    adapter_out: PathLike | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> History:
    """Train `loaded.model` in place on (prompt, response) pairs and return what happened.

    seed: order of the examples, adapter initialisation, dropout. checkpoint_dir: where checkpoints for resuming go, in
    a folder named by everything the result depends on (`checkpoint_folder`); needed if `settings.save_steps` > 0. A run
    that finds a whole checkpoint of its own there goes on from it and ends with the same bytes; the folder is removed
    when the run is complete. adapter_out: also save LoRA's adapters there before they are merged into the model.
    Raises `UserError` for examples without anything to learn, a loss that is not finite, missing devices or packages.
    """
    _check_launch(loaded, settings, checkpoint_dir, adapter_out)
    seed_all(seed)
    encoded = encode_examples(loaded, examples, settings)
    with contextlib.ExitStack() as stack:
        if settings.save_steps:
            key = {"examples": digest_of_examples(encoded.rows), "model": digest_of_model(loaded.model), "seed": seed}
            folder = checkpoint_folder(checkpoint_dir or "", dataclasses.asdict(settings), key)
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(_cache_setting_kept(loaded.model))
        if settings.method == "full":
            stack.enter_context(_float32_weights(loaded.model))
            losses = _train(loaded, loaded.model, encoded.rows, settings, seed, folder, callbacks)
        else:
            adapted = add_adapters(loaded.model, settings)
            losses = _train(loaded, adapted, encoded.rows, settings, seed, folder, callbacks)
            merge_adapters(adapted, settings, adapter_out)
        if settings.save_steps:
            remove_checkpoints(folder)
    return History(
        losses=losses,
        n_examples=len(encoded.rows),
        n_dropped=encoded.n_dropped,
        n_truncated=encoded.n_truncated,
        n_response_tokens=sum(label != MASKED for row in encoded.rows for label in row["labels"]),
    )


def _train(
    loaded: LoadedModel,
    model: PreTrainedModel,
    rows: Sequence[Mapping[str, list[int]]],
    settings: FinetuneSettings,
    seed: int,
    folder: Path,
    callbacks: Sequence[TrainerCallback],
) -> tuple[float, ...]:
    """Run the Trainer, from the newest whole checkpoint in `folder` if there is one; return the loss of each step."""
    import torch
    from transformers import PrinterCallback

    from scripts.lm.trainer import FiniteLossTrainer, ReportProgress, SealCheckpoints, response_loss

    checkpoint = last_checkpoint(folder) if settings.save_steps else None
    if checkpoint is not None:
        logger.info("resuming from %s", checkpoint)
    trainer = FiniteLossTrainer(
        model=model,
        settings=settings,
        args=training_arguments(loaded, settings, seed, folder),
        train_dataset=list(rows),
        data_collator=Collator(pad_token_id(loaded), decoder_start=_decoder_start(loaded)),
        compute_loss_func=functools.partial(response_loss, causal=loaded.family == "causal"),
        callbacks=[SealCheckpoints(), ReportProgress(), *callbacks],
    )
    trainer.remove_callback(PrinterCallback)
    with full_disk_named(folder):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)  # takes autocast off `forward` again
    for name, weight in model.named_parameters():
        if weight.requires_grad and not torch.isfinite(weight).all():
            raise UserError(f"learning_rate: weight '{name}' is not finite after training; lower learning_rate")
    model.zero_grad(set_to_none=True)
    model.eval()
    return tuple(row["loss"] for row in trainer.state.log_history if "loss" in row)


def training_arguments(loaded: LoadedModel, settings: FinetuneSettings, seed: int, folder: PathLike) -> Any:
    """Return the `TrainingArguments` for these settings: no reports, no progress bar, no evaluation, no workers."""
    from transformers import TrainingArguments

    on_cpu = loaded.device.type == "cpu"
    schedule = settings.schedule
    if schedule == "constant" and settings.warmup_ratio:
        schedule = "constant_with_warmup"
    arguments = TrainingArguments(
        output_dir=str(folder),
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        lr_scheduler_type=schedule,
        **({} if settings.optimizer == "adamw" else {"optim": settings.optimizer}),
        warmup_steps=settings.warmup_ratio,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        bf16=use_bfloat16(loaded, settings),
        activation_checkpointing=settings.activation_checkpointing,
        save_strategy="steps" if settings.save_steps else "no",
        save_steps=settings.save_steps or 500,
        save_total_limit=2,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        eval_strategy="no",
        dataloader_num_workers=0,
        dataloader_pin_memory=not on_cpu,
        remove_unused_columns=False,
        seed=seed % 2**32,
        data_seed=seed % 2**32,
        use_cpu=on_cpu,
        ddp_find_unused_parameters=False,
        **_fsdp_arguments(settings),
    )
    arguments._n_gpu = min(
        arguments.n_gpu, 1
    )  # several devices are used through FSDP or one process each, never threads
    return arguments


def use_bfloat16(loaded: LoadedModel, settings: FinetuneSettings) -> bool:
    """Return whether to compute in bfloat16: only where the device is fast at it. Raises `UserError` if it cannot."""
    import torch

    able = loaded.device.type == "cuda" and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    if settings.precision == "bfloat16" and not able:
        raise UserError("precision: this device has no bfloat16 arithmetic; use 'auto' or 'float32'")
    return able and settings.precision != "float32"


# ---- set-up ----------------------------------------------------------------------------------------------------------


def _check_launch(
    loaded: LoadedModel, settings: FinetuneSettings, checkpoint_dir: PathLike | None, adapter_out: PathLike | None
) -> None:
    """Refuse what would only fail, or be lost, after hours of training."""
    if settings.save_steps and checkpoint_dir is None:
        raise UserError("save_steps: checkpoints need a checkpoint folder; give one or set save_steps to 0")
    if settings.method == "qlora" and adapter_out is None:
        raise UserError("method: 'qlora' saves adapters, not whole models; give a folder for the adapters")
    if settings.fsdp and loaded.device.type == "cpu":
        raise UserError("fsdp: sharding needs GPUs and the model is on the CPU; set fsdp to '' or device to 'cuda'")
    if settings.fsdp and world_size() == 1:
        raise UserError(
            "fsdp: sharding needs several processes, and this is one; start the step with"
            " `python -m scripts.lm.launch --processes <devices> -m <step>` or set fsdp to ''"
        )


def _fsdp_arguments(settings: FinetuneSettings) -> dict[str, Any]:
    """Translate the words of `fsdp` into the Trainer's arguments (FSDP 2)."""
    words = settings.fsdp.split()
    if not words:
        return {}
    config: dict[str, Any] = {
        "version": 2,
        "reshard_after_forward": "shard_grad_op" not in words,
        "cpu_offload": "offload" in words,
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP" if "auto_wrap" in words else "NO_WRAP",
        "state_dict_type": "FULL_STATE_DICT",
    }
    if settings.fsdp_wrap:
        config["transformer_layer_cls_to_wrap"] = [settings.fsdp_wrap]
    return {"fsdp": True, "fsdp_config": config}


def _decoder_start(loaded: LoadedModel) -> int | None:
    """Return the token that an encoder-decoder's decoder starts from, None for other models."""
    if loaded.family != "encoder_decoder":
        return None
    start = loaded.model.config.decoder_start_token_id
    if start is None:
        raise UserError("model: its config.json names no decoder_start_token_id; add it")
    return int(start)


@contextlib.contextmanager
def _cache_setting_kept(model: PreTrainedModel) -> Iterator[None]:
    """Put `use_cache` back afterwards: the Trainer switches it off in the configuration that is saved."""
    before = getattr(model.config, "use_cache", None)
    try:
        yield
    finally:
        model.config.use_cache = before


@contextlib.contextmanager
def _float32_weights(model: PreTrainedModel) -> Iterator[None]:
    """Train float32 weights, whatever dtype the model has: updates of 1e-5 vanish in bfloat16. Give the dtype back."""
    before = model.dtype
    model.float()
    try:
        yield
    finally:
        if world_size() == 1:
            model.to(before)
