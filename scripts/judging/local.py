"""A local model as judge: it writes its verdict, as models tuned for judging do (Prometheus and the like)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

from scripts.judging.judge import Prompt
from scripts.lm.generate import generate

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
