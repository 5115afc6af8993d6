"""The loss of each task, for the kinds of models that can be students (Distilling Step-by-Step, eq. 1 to 5).

Each class is a function from a batch to the summed losses, as a module so that it can be wrapped for several processes.
Only places with a label reach the output layer. Equal to the plain forward passes (tests hold them to that).
"""

from __future__ import annotations

import contextlib
from typing import Any, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from scripts.common.errors import UserError
from scripts.step_by_step.encoding import MASKED


class TaskLosses(nn.Module):
    """A T5: one encoder call takes the rows of all tasks, each task's targets go through the decoder by themselves."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, mask: Tensor, *labels: Tensor) -> Tensor:
        """Return summed losses in nats, (tasks,). ids, mask: (tasks * rows, width); labels: per task (rows, width)."""
        model, config = self.model, self.model.config
        states = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
        rows = len(ids) // len(labels)
        sums = []
        for task, wanted in enumerate(labels):
            mine = slice(task * rows, (task + 1) * rows)
            hidden = model.get_decoder()(
                input_ids=shifted(wanted, config),
                encoder_hidden_states=states[mine],
                encoder_attention_mask=mask[mine],
                use_cache=False,
            ).last_hidden_state
            learnt = wanted != MASKED
            hidden = hidden[learnt]
            if config.scale_decoder_outputs:
                hidden = hidden * model.model_dim**-0.5
            sums.append(functional.cross_entropy(model.lm_head(hidden).float(), wanted[learnt], reduction="sum"))
        return torch.stack(sums)


class EncoderDecoderLosses(TaskLosses):
    """Any other encoder-decoder (mT5, BART): its own forward pass decides what stands between decoder and logits."""

    def forward(self, ids: Tensor, mask: Tensor, *labels: Tensor) -> Tensor:
        """Return summed losses in nats, (tasks,). ids, mask: (tasks * rows, width); labels: per task (rows, width)."""
        from transformers.modeling_outputs import BaseModelOutput

        model = self.model
        states = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
        rows = len(ids) // len(labels)
        sums = []
        for task, wanted in enumerate(labels):
            mine, learnt = slice(task * rows, (task + 1) * rows), wanted != MASKED
            with only_places(model, learnt):
                logits = model(
                    encoder_outputs=BaseModelOutput(last_hidden_state=states[mine]),
                    attention_mask=mask[mine],
                    decoder_input_ids=shifted(wanted, model.config),
                    use_cache=False,
                ).logits
            sums.append(functional.cross_entropy(logits.float(), wanted[learnt], reduction="sum"))
        return torch.stack(sums)


class CausalLosses(TaskLosses):
    """A decoder-only model: each task's rows are input and target in one sequence, the loss is on the target alone."""

    def forward(self, ids: Tensor, mask: Tensor, *labels: Tensor) -> Tensor:
        """Return summed losses in nats, (tasks,). ids, mask: (tasks * rows, width); labels: per task (rows, width)."""
        rows = len(ids) // len(labels)
        sums = []
        for task, wanted in enumerate(labels):
            mine = slice(task * rows, (task + 1) * rows)
            tokens, seen, targets = joined(ids[mine], mask[mine], wanted)
            following = functional.pad(targets[:, 1:], (0, 1), value=MASKED)
            learnt = following != MASKED
            with only_places(self.model, learnt):
                logits = self.model(input_ids=tokens, attention_mask=seen, use_cache=False).logits
            sums.append(functional.cross_entropy(logits.float(), following[learnt], reduction="sum"))
        return torch.stack(sums)


def shifted(labels: Tensor, config: Any) -> Tensor:
    """Return what a decoder reads while it writes `labels`: the start token, then all labels but the last."""
    start = torch.full_like(labels[:, :1], config.decoder_start_token_id)
    before = torch.cat([start, labels[:, :-1]], dim=1)
    return before.masked_fill(before == MASKED, config.pad_token_id)


def joined(ids: Tensor, mask: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return tokens, mask and targets of inputs with their labels right behind them, filled up on the right.

    ids, mask: (rows, width), filled up on the right; labels: (rows, width of the labels), `MASKED` where empty. All
    three results are (rows, longest); targets is `MASKED` at every place that is no label.
    """
    n_input = mask.sum(1, keepdim=True)
    n_label = (labels != MASKED).sum(1, keepdim=True)
    columns = torch.arange(int((n_input + n_label).max()), device=ids.device).expand(len(ids), -1)
    place = columns - n_input
    is_label = (place >= 0) & (place < n_label)
    told = labels.gather(1, place.clamp(0, labels.shape[1] - 1))
    read = ids.gather(1, columns.clamp(max=ids.shape[1] - 1))
    tokens = torch.where(is_label, told, torch.where(place < 0, read, ids.new_zeros(())))
    return tokens, (columns < n_input + n_label).long(), torch.where(is_label, told, told.new_full((), MASKED))


@contextlib.contextmanager
def only_places(model: Any, places: Tensor) -> Iterator[None]:
    """Let only these places (rows, width) of the hidden states reach the output layer; logits are (places, words)."""
    head = model.get_output_embeddings()
    if head is None:
        raise UserError(
            f"model: type '{model.config.model_type}' has no output layer, so it cannot write; take another"
        )
    hook = head.register_forward_pre_hook(lambda module, given: (given[0][places], *given[1:]))
    try:
        yield
    finally:
        hook.remove()
