"""A local model as judge: it writes its verdict, or the verdict is read from how likely each label is.

The first suits models tuned for judging with a grading rubric (Prometheus and the like), the second any causal model.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.lm.generate import encode_prompts, generate
from scripts.lm.judge import (
    GRADE_FIELDS,
    PAIR_FIELDS,
    Item,
    Pair,
    Prompt,
    Template,
    Verdict,
    grade_fields,
    pair_fields,
)
from scripts.lm.score import Continuation, Scorer

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel


def prompt_text(loaded: LoadedModel, prompt: Prompt) -> tuple[str, bool]:
    """Return the text a local model reads, and whether it still lacks the tokenizer's special tokens.

    A chat model gets its own chat template, which brings them; any other model gets system text, empty line, user text.
    """
    if getattr(loaded.tokenizer, "chat_template", None):
        system = [{"role": "system", "content": prompt.system}] if prompt.system else []
        messages = [*system, {"role": "user", "content": prompt.user}]
        return loaded.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True), False
    return (f"{prompt.system}\n\n{prompt.user}" if prompt.system else prompt.user), True


class LocalWriter:
    """A `Writer` over a loaded model: greedy answers."""

    def __init__(self, loaded: LoadedModel, *, name: str, max_new_tokens: int, batch_size: int) -> None:
        self.name = name
        self._loaded = loaded
        self._max_new_tokens = max_new_tokens
        self._batch_size = batch_size

    def write(self, prompts: Sequence[Prompt]) -> list[str]:
        """Return the model's answer to each prompt. Raises `UserError` for a prompt longer than the window."""
        if not prompts:
            return []
        texts = [prompt_text(self._loaded, prompt) for prompt in prompts]
        return generate(
            self._loaded,
            [text for text, _ in texts],
            max_new_tokens=self._max_new_tokens,
            batch_size=self._batch_size,
            special=texts[0][1],
        )


class LikelihoodJudge:
    """A judge that writes nothing: its verdict is the mean of the template's values, weighted by their likelihood.

    The template's `values` name the labels, e.g. {"A": 1, "B": 2} or {"1": 1, "2": 2, ...}; each label's probability is
    that of its tokens after the prompt, normalised over the labels. So a preference lies anywhere in [1, 2], as with
    AlpacaEval's weighted annotators, and a grade anywhere between the lowest and highest label.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        *,
        name: str,
        pair_template: Template | None = None,
        grade_template: Template | None = None,
    ) -> None:
        self.name = name
        self._loaded = loaded
        self._pair_template = pair_template
        self._grade_template = grade_template
        for template, known, required in (
            (pair_template, PAIR_FIELDS, ("instruction", "output_1", "output_2")),
            (grade_template, GRADE_FIELDS, ("question", "answer")),
        ):
            if template is None:
                continue
            template.check_fields(known, required)
            if len(template.values) < 2:
                raise UserError("judge template: a likelihood judge needs `values` with at least two labels")

    def prefer(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Return the expected preference of each pair."""
        return self._expect(self._pair_template, "pairs", [pair_fields(pair) for pair in pairs])

    def grade(self, items: Sequence[Item]) -> list[Verdict]:
        """Return the expected grade of each item."""
        return self._expect(self._grade_template, "grades", [grade_fields(item) for item in items])

    def _expect(self, template: Template | None, what: str, fields: Sequence[Mapping[str, str]]) -> list[Verdict]:
        if template is None:
            raise UserError(f"judge: no template for {what} given; set one in the config")
        labels = list(template.values)
        ids = self._loaded.tokenizer(labels, add_special_tokens=False)["input_ids"]
        rows = []
        for values in fields:
            text, special = prompt_text(self._loaded, template.fill(values))
            query = tuple(encode_prompts(self._loaded, [text], special=special)[0])
            rows += [Continuation(query, tuple(label)) for label in ids]
        if not rows:
            return []
        sums = Scorer(self._loaded.model).score(None, rows).logprob_sums.reshape(len(fields), len(labels))
        return [Verdict(_weighted_mean(list(template.values.values()), row.tolist())) for row in sums]


def _weighted_mean(values: Sequence[float], log_weights: Sequence[float]) -> float:
    """Return the mean of `values` weighted by exp(log_weights), computed without underflow."""
    top = max(log_weights)
    weights = [math.exp(weight - top) for weight in log_weights]
    return sum(value * weight for value, weight in zip(values, weights)) / sum(weights)
