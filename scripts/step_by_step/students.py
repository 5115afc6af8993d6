"""The models that learn: one of transformers', or a stack of small T5s computed together.

Both answer the same questions, so that one training loop serves them: the summed loss of each task and run, the clipped
gradient, the likeliest output. One encoder call takes the rows of all tasks, then each task's targets go through the
decoder by themselves, so that short labels are not padded to the length of rationales; only places with a label reach
the output layer (`scripts.step_by_step.task_losses`). The released code runs two whole forward passes instead; the
losses are equal.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any, Collection, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from scripts.common.errors import UserError
from scripts.lm.generate import continue_ids, pad_token_id
from scripts.lm.optimizing import decay_groups, decaying, decays, make_adamw
from scripts.step_by_step.encoding import FlatTexts, TaskBatch
from scripts.step_by_step.t5_stack import T5Stack
from scripts.step_by_step.task_losses import CausalLosses, EncoderDecoderLosses, TaskLosses

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel
    from scripts.step_by_step.settings_train import TrainSettings

logger = logging.getLogger(__name__)


class SingleStudent:
    """One model of transformers on its device; with several processes, each takes its own micro-batches."""

    n_runs = 1

    def __init__(self, loaded: LoadedModel, *, bfloat16: bool, eval_batch_size: int) -> None:
        config = loaded.model.config
        self.causal = loaded.family == "causal"
        if loaded.family not in ("causal", "encoder_decoder"):
            raise UserError(f"model: type '{config.model_type}' writes no text; give a T5, mT5, BART or a causal model")
        if not self.causal and config.decoder_start_token_id is None:
            raise UserError("model: its config.json names no decoder_start_token_id; add it (T5 uses 0)")
        if bfloat16 and not (loaded.device.type == "cuda" and torch.cuda.is_bf16_supported()):
            raise UserError("bf16: this device has no fast bfloat16 arithmetic; leave bf16 off")
        self.loaded, self.bfloat16, self.eval_batch_size = loaded, bfloat16, eval_batch_size
        self.pad = pad_token_id(loaded) if self.causal else int(config.pad_token_id)
        loaded.model.float()
        fuse_activations(loaded.model)
        plain = TaskLosses if config.model_type == "t5" else EncoderDecoderLosses
        self.losses: Any = (CausalLosses if self.causal else plain)(loaded.model)

    def parameters(self) -> list[Tensor]:
        """Return the trainable weights."""
        return [weight for weight in self.loaded.model.parameters() if weight.requires_grad]

    def decayed(self, rule: str) -> Collection[str]:
        """Return the names, as in `tensors`, of the weights that decay by a rule of `scripts.lm.optimizing`."""
        return decaying(self.loaded.model, rule)

    def spread(self, optimizer: Any) -> Any:
        """Share the work with the other processes of this run, if there are any; return the optimizer to use."""
        from scripts.lm.checkpoints import world_size

        if world_size() == 1:
            return optimizer
        from accelerate import Accelerator

        on_cpu = self.loaded.device.type == "cpu"  # or the processes would each train by themselves
        self.losses, optimizer = Accelerator(cpu=on_cpu).prepare(self.losses, optimizer)
        return optimizer

    def mean_over_processes(self, values: Tensor) -> Tensor:
        """Return the mean of a tensor over all processes of this run; all must call it."""
        if not torch.distributed.is_initialized():
            return values
        values = values.float()
        torch.distributed.all_reduce(values)
        return values / torch.distributed.get_world_size()

    def train_mode(self) -> None:
        """Switch dropout on."""
        self.loaded.model.train()

    def task_losses(self, batch: TaskBatch) -> Tensor:
        """Return the summed losses in nats, (tasks, 1)."""
        ids, mask, *labels = (self._tensor(part[0]) for part in (batch.ids, batch.mask, *batch.labels))
        with self._arithmetic():
            return self.losses(ids, mask, *labels).unsqueeze(1)

    def clip(self, longest: float) -> None:
        """Shorten the gradient to a 2-norm of at most `longest`; 0 leaves it."""
        if longest:
            nn.utils.clip_grad_norm_(self.parameters(), longest)

    @torch.no_grad()
    def generate(self, inputs: Sequence[FlatTexts], longest: int) -> list[list[list[int]]]:
        """Return the likeliest outputs as token ids, up to the end token if there is one; [run][row]."""
        model = self.loaded.model.eval()
        end = int(self.loaded.tokenizer.eos_token_id)
        if self.causal:
            with self._arithmetic():
                written = continue_ids(
                    self.loaded, inputs[0].rows(), max_new_tokens=longest, batch_size=self.eval_batch_size
                )
            return [[[*ids, end] if ended else ids for ids, ended in written]]
        return self._decode(model, inputs[0], longest, end)

    def _decode(self, model: Any, texts: FlatTexts, longest: int, end: int) -> list[list[list[int]]]:
        """Return an encoder-decoder's likeliest outputs; nothing of the model's own generation file applies."""
        from transformers import GenerationConfig

        config = GenerationConfig(
            max_new_tokens=longest, do_sample=False, num_beams=1, use_cache=True, min_length=0, repetition_penalty=1.0,
            no_repeat_ngram_size=0, eos_token_id=end, pad_token_id=self.pad,
            decoder_start_token_id=model.config.decoder_start_token_id,
        )  # fmt: skip
        found: list[list[int]] = [[] for _ in range(len(texts))]
        for rows in batches_by_length(texts, self.eval_batch_size):
            ids = texts.padded(rows, -1)
            with self._arithmetic(), neutral_generation(model):
                output = model.generate(
                    input_ids=self._tensor(np.where(ids >= 0, ids, self.pad)),
                    attention_mask=self._tensor((ids >= 0).astype(np.int64)),
                    generation_config=config,
                )
            for row, tokens in zip(rows, output[:, 1:].tolist()):
                found[row] = _to_end(tokens, end, self.pad)
        return [found]

    def state(self, run: int) -> dict[str, Tensor]:
        """Return a copy of the weights under transformers' names, on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in self.loaded.model.state_dict().items()}

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights that a checkpoint holds, by name; they are live."""
        return dict(self.loaded.model.named_parameters())

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.loaded.device, non_blocking=True)

    @contextlib.contextmanager
    def _arithmetic(self) -> Iterator[None]:
        with torch.autocast(self.loaded.device.type, torch.bfloat16) if self.bfloat16 else contextlib.nullcontext():
            yield


class StackedStudents:
    """Many runs of one small T5 on the CPU, computed together (`scripts.step_by_step.t5_stack`)."""

    def __init__(self, loaded: LoadedModel, n_runs: int, *, eval_batch_size: int) -> None:
        config = loaded.model.config
        self.n_runs, self.eval_batch_size = n_runs, eval_batch_size
        self.pad, self.end = int(config.pad_token_id), int(loaded.tokenizer.eos_token_id)
        self.stack = T5Stack(config, loaded.model.state_dict(), n_runs)

    def parameters(self) -> list[Tensor]:
        """Return the trainable weights, each (runs, ...)."""
        return self.stack.parameters()

    def decayed(self, rule: str) -> Collection[str]:
        """Return the names, as in `tensors`, of the weights that decay by a rule of `scripts.lm.optimizing`."""
        return [name for name, weight in self.stack.weights.items() if decays(name, weight.ndim - 1, rule)]

    def spread(self, optimizer: Any) -> Any:
        """Return the optimizer. Raises `UserError` where several processes were started: a stack works in one."""
        from scripts.lm.checkpoints import world_size

        if world_size() > 1:
            raise UserError(
                "step_by_step.together: students are stacked in one process; set it to false, or devices to 1"
            )
        return optimizer

    def mean_over_processes(self, values: Tensor) -> Tensor:
        """Return the values: there is one process."""
        return values

    def train_mode(self) -> None:
        """Do nothing: a stack has no dropout."""

    def task_losses(self, batch: TaskBatch) -> Tensor:
        """Return the summed losses in nats, (tasks, runs)."""
        ids, mask = torch.from_numpy(batch.ids), torch.from_numpy(batch.mask)
        states = self.stack.encode(ids, mask)
        rows = ids.shape[1] // len(batch.labels)
        sums = []
        for task, labels in enumerate(batch.labels):
            mine = slice(task * rows, (task + 1) * rows)
            sums.append(self.stack.label_losses(states[:, mine], mask[:, mine], torch.from_numpy(labels))[0])
        return torch.stack(sums)

    def clip(self, longest: float) -> None:
        """Shorten each run's gradient to a 2-norm of at most `longest`; 0 leaves it."""
        if not longest:
            return
        gradients = [weight.grad for weight in self.parameters() if weight.grad is not None]
        norms = torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0).sqrt()
        factors = (longest / (norms + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(factors.view(-1, *[1] * (gradient.dim() - 1)))

    def generate(self, inputs: Sequence[FlatTexts], longest: int) -> list[list[list[int]]]:
        """Return the likeliest outputs as token ids, up to the end token if there is one; [run][row]."""
        found: list[list[list[int]]] = [[[] for _ in range(len(texts))] for texts in inputs]
        orders = [batches_by_length(texts, self.eval_batch_size) for texts in inputs]
        for number in range(max(map(len, orders))):
            chosen = [order[number] if number < len(order) else np.empty(0, dtype=np.int64) for order in orders]
            size = max(map(len, chosen))
            parts = [
                texts.padded(np.pad(rows, (0, size - len(rows)), constant_values=-1), -1)
                for texts, rows in zip(inputs, chosen)
            ]
            width = max(part.shape[1] for part in parts)
            ids = np.stack([np.pad(p, ((0, 0), (0, width - p.shape[1])), constant_values=-1) for p in parts])
            mask = ids >= 0
            mask[:, :, 0] = True  # an empty row still has to look at something
            output = self.stack.generate(
                torch.from_numpy(np.where(ids >= 0, ids, self.pad)),
                torch.from_numpy(mask.astype(np.int64)),
                longest,
                self.end,
            )
            for run, rows in enumerate(chosen):
                for row, tokens in zip(rows, output[run].tolist()):
                    found[run][row] = _to_end(tokens, self.end, self.pad)
        return found

    def state(self, run: int) -> dict[str, Tensor]:
        """Return a copy of one run's weights under transformers' names."""
        return {name: value.clone() for name, value in self.stack.state_dict(run).items()}

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights that a checkpoint holds, by name; they are live."""
        return self.stack.weights


def make_optimizer(student: SingleStudent | StackedStudents, settings: TrainSettings) -> torch.optim.AdamW:
    """Return AdamW over the student's weights as the settings have it."""
    trained = {name: weight for name, weight in student.tensors().items() if weight.requires_grad}
    groups = decay_groups(trained, student.decayed(settings.weight_decay_on), settings.weight_decay)
    return make_adamw(groups, settings.learning_rate, epsilon_rule=settings.adam_epsilon_rule)


@contextlib.contextmanager
def neutral_generation(model: Any) -> Iterator[None]:
    """Put the model's own generation file aside, whose forced tokens and beams would fill the gaps of ours."""
    from transformers import GenerationConfig

    own = model.generation_config
    model.generation_config = GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = own


def fuse_activations(model: nn.Module) -> None:
    """Let torch compute T5 v1.1's GELU in one operation; transformers writes the same formula in eight."""
    for module in model.modules():
        if type(getattr(module, "act", None)).__name__ == "NewGELUActivation":
            module.act = nn.GELU(approximate="tanh")


def batches_by_length(texts: FlatTexts, size: int) -> list[np.ndarray]:
    """Return the places of all texts, longest first, in batches of `size`."""
    order = np.argsort(-texts.lengths(), kind="stable")
    return [order[start : start + size] for start in range(0, len(order), size)]


def _to_end(tokens: Sequence[int], end: int, pad: int) -> list[int]:
    """Return the tokens up to the end token; without one, all but the padding."""
    return list(tokens[: tokens.index(end) + 1]) if end in tokens else [token for token in tokens if token != pad]
