"""What a trained student depends on: the settings of training, and a run with its rows and seed. Without torch."""

from __future__ import annotations

import dataclasses

from scripts.common.errors import UserError
from scripts.common.settings import check_choice
from scripts.lm.optimizer_options import DECAY_RULES, EPSILON_RULES
from scripts.step_by_step.encoding import check_method
from scripts.step_by_step.equations import BLANKS, METRICS, UNKNOWN_WORDS
from scripts.step_by_step.splits import Splits


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """What a trained student depends on, beside its model, rows and seed.

    method: task_prefix (Distilling Step-by-Step), standard, single_task or pinto. label_type: gt (gold) or llm.
    form: how the set's teacher joins rationale and label (single_task). metric: text or equation.
    alpha: weight of the label task, 1 - alpha that of the rationale task, in [0, 1].
    batch_size: rows per device and forward pass; accumulation: forward passes per optimizer step.
    token_mean: micro_batch = mean of the forward passes' token means (released code); step = one mean over all tokens.
    warmup_steps: steps in which the learning rate rises; then it falls linearly to 0 at `max_steps`.
    weight_decay_on, adam_epsilon_rule: which weights decay and where AdamW adds epsilon, as in
    `scripts.lm.optimizer_options`; the Trainer of transformers 4.24: except_norms, before_correction.
    blanks: whether blanks around a text answer are compared (released code) or ignored. unknown_words: what becomes of
    a label with words that the tokenizer lacks: left_out = they are, so an answer without them is right (released
    code); wrong = no answer is right.
    eval_steps: optimizer steps between two evaluations; the last step is always evaluated. save_steps: between two
    checkpoints, 0 = none. max_input_length, max_target_length, gen_max_len: tokens after which an input, a target, an
    output is cut, the end token included; the released code counts the start token too, so 64 there is 63 here.
    bf16: bfloat16 arithmetic over float32 weights. output_rationale: also write rationales for the test rows.
    """

    method: str
    label_type: str
    alpha: float
    max_steps: int
    eval_steps: int
    batch_size: int
    accumulation: int
    learning_rate: float
    max_input_length: int = 1024
    max_target_length: int = 256
    gen_max_len: int = 63
    metric: str = "text"
    form: str = "generic"
    bf16: bool = False
    output_rationale: bool = False
    eval_batch_size: int = 256
    max_grad_norm: float = 1.0
    warmup_steps: int = 0
    weight_decay: float = 0.0
    weight_decay_on: str = "except_norms"
    adam_epsilon_rule: str = "before_correction"
    blanks: str = "compared"
    unknown_words: str = "left_out"
    token_mean: str = "micro_batch"
    save_steps: int = 0

    def __post_init__(self) -> None:
        check_method(self.method, self.label_type)
        choices = {"token_mean": ("micro_batch", "step"), "metric": METRICS, "blanks": BLANKS}
        choices |= {"weight_decay_on": DECAY_RULES, "adam_epsilon_rule": EPSILON_RULES}
        for name, known in {**choices, "unknown_words": UNKNOWN_WORDS}.items():
            check_choice(name, getattr(self, name), known)
        if not 0 <= self.alpha <= 1:
            raise UserError(f"alpha: {self.alpha!r} is not in [0, 1]")
        lowest = {"max_steps": 1, "eval_steps": 1, "batch_size": 1, "accumulation": 1, "max_input_length": 2}
        lowest |= {"max_target_length": 2, "gen_max_len": 1, "eval_batch_size": 1, "warmup_steps": 0, "save_steps": 0}
        for name, low in lowest.items():
            if not isinstance(getattr(self, name), int) or getattr(self, name) < low:
                raise UserError(f"{name}: {getattr(self, name)!r} is not a whole number >= {low}")
        for name in ("learning_rate", "max_grad_norm", "weight_decay"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UserError(f"{name}: {getattr(self, name)!r} is not a number >= 0")


@dataclasses.dataclass(frozen=True)
class Run:
    """One student to be trained: its rows, its seed, where its labels come from and how much they weigh."""

    splits: Splits
    seed: int
    label_type: str
    alpha: float
