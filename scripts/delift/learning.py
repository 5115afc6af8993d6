"""Let a model learn from a chosen subset and answer a test set: in context, by adapters, or with all its weights.

- In context: before each test prompt stand the k chosen examples nearest to it by embedding, best first.
- Fine-tuning: (prompt, response) pairs of the subset, then the bare test prompt.
The likelihood of the reference answer after the same prompt is measured as well.

# DEVIATION: the released code cuts a prompt that is too long at its end, and so the question; here the least similar
# examples go first, and only a question that is too long alone loses its beginning.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError
from scripts.delift.settings_choose import Shots
from scripts.delift.settings_learn import Generate, Training
from scripts.lm.prompts import Prompt, fill

if TYPE_CHECKING:
    from scripts.lm.finetune_settings import FinetuneSettings
    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)

LEARNINGS = ("icl", "peft", "fft")
SHOT_PLACES = {"example": ("{prompt}", "{response}"), "query": ("{prompt}",)}


def check_shots(shots: Shots) -> None:
    """Raise `UserError` for a text of an example or a question without one of its places."""
    for name, places in SHOT_PLACES.items():
        for place in places:
            if place not in getattr(shots, name):
                raise UserError(f"shots.{name}: has no place {place}; put it in")


def engine_settings(settings: Training, dtype: str) -> FinetuneSettings:
    """Return the settings in the engine's terms; dtype `float32` also forbids bfloat16 arithmetic."""
    from scripts.lm.finetune_settings import finetune_settings

    return finetune_settings({**settings.given(), "tokenization": "separate"}, dtype, "finetune")


def nearest_examples(pool: np.ndarray, queries: np.ndarray, chosen: Sequence[int], k: int) -> list[list[int]]:
    """Return for each query the pool rows of the k most similar chosen examples, best first.

    pool: (n, d), queries: (m, d), rows of any length; chosen: rows of the pool. Ties go to the row that comes first in
    the pool. Fewer than k chosen examples are all taken.
    """
    from scripts.lm.text_metrics import unit_rows

    rows = np.array(sorted(chosen), dtype=np.int64)
    similar = unit_rows(queries) @ unit_rows(pool[rows]).T
    order = np.argsort(-similar.round(12), axis=1, kind="stable")[:, :k]
    return [[int(rows[place]) for place in line] for line in order]


def shot_prompt(
    loaded: LoadedModel,
    prompt: Prompt,
    shots: Shots,
    row: Mapping[str, Any],
    examples: Sequence[Mapping[str, Any]],
    room: int,
) -> str:
    """Return the text before an answer: as many of the examples (best first) as fit into `room` tokens, the question.

    Raises nothing: a question that does not fit alone keeps its last `room` tokens.
    """
    question = fill(shots.query, prompt=prompt.query(row))
    texts = [
        fill(shots.example, number=str(number), prompt=prompt.query(example), response=prompt.response(example))
        for number, example in enumerate(examples, start=1)
    ]
    while texts and _length(loaded, "".join(texts) + question) > room:
        texts.pop()
    return shortened(loaded, "".join(texts) + question, room)


def shortened(loaded: LoadedModel, text: str, room: int) -> str:
    """Return the text, or its last `room` tokens where it is longer."""
    from scripts.lm.generate import encode_prompts

    ids = encode_prompts(loaded, [text])[0]
    special = len(ids) - len(loaded.tokenizer(text, add_special_tokens=False)["input_ids"])
    if len(ids) <= room:
        return text
    logger.warning("a prompt of %d tokens loses its beginning: %d fit", len(ids), room)
    return str(loaded.tokenizer.decode(ids[len(ids) - room + max(special, 0) :], skip_special_tokens=True))


def prompt_room(loaded: LoadedModel, settings: Generate, limit: int) -> int:
    """Return the longest prompt in tokens. Raises `UserError` where the answer alone fills the window."""
    room = min(limit, loaded.window - settings.max_new_tokens)
    if room < 1:
        raise UserError(
            f"generate.max_new_tokens: {settings.max_new_tokens} leaves no room in the model's window of"
            f" {loaded.window}; lower it"
        )
    return room


def train_on(
    model: Mapping[str, Any], settings: FinetuneSettings, pairs: Sequence[tuple[str, str]], seed: int
) -> LoadedModel:
    """Load a model and fine-tune it on (prompt, response) pairs; without any it stays as it is.

    model: keywords of `load_for_finetuning`.
    """
    from scripts.lm.adapters import load_for_finetuning
    from scripts.lm.finetune import finetune

    loaded = load_for_finetuning(settings=settings, **model)
    if pairs:
        with tempfile.TemporaryDirectory() as folder:  # 4-bit models keep their adapters in memory, but must save them
            history = finetune(
                loaded,
                pairs,
                settings,
                seed,
                adapter_out=Path(folder) / "adapter" if settings.method == "qlora" else None,
            )
        logger.info("%d examples, loss %.4f -> %.4f nats", len(pairs), history.losses[0], history.losses[-1])
    return loaded


def answers_after(loaded: LoadedModel, prompts: Sequence[str], settings: Generate, seed: int) -> list[str]:
    """Return an answer per prompt, stripped."""
    from scripts.lm.generate import generate

    texts = generate(
        loaded,
        prompts,
        max_new_tokens=settings.max_new_tokens,
        batch_size=settings.batch_size,
        stop=tuple(settings.stop),
        temperature=settings.temperature,
        min_p=settings.min_p,
        seed=seed,
    )
    return [text.strip() for text in texts]


def likelihood_after(
    loaded: LoadedModel, prompts: Sequence[str], references: Sequence[str], batch_tokens: int
) -> list[tuple[float, int]]:
    """Return (log-likelihood in nats, tokens) of each reference answer with its end token, cut at the scorer's window.

    The reference is tokenised apart, as in training. An empty one still has its end token.
    """
    from scripts.lm.generate import encode_prompts
    from scripts.lm.score import Continuation, Scorer

    scorer = Scorer(loaded.model, batch_tokens=batch_tokens)
    end = loaded.tokenizer.eos_token_id
    answers = loaded.tokenizer(list(references), add_special_tokens=False)["input_ids"]
    rows = []
    for query, answer in zip(encode_prompts(loaded, list(prompts)), answers, strict=True):
        whole = [*answer, *([] if end is None else [end])]
        rows.append(Continuation(tuple(query), tuple(whole[: max(0, scorer.window - len(query))])))
    scores = scorer.score(None, rows)
    return [(float(total), int(n)) for total, n in zip(scores.logprob_sums, scores.n_tokens)]


def _length(loaded: LoadedModel, text: str) -> int:
    from scripts.lm.generate import encode_prompts

    return len(encode_prompts(loaded, [text])[0])
