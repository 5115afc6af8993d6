"""How difficult an answer is, measured without any demonstration: perplexity and IFD.

- perplexity: exp of the mean negative log-probability of the answer's tokens given the query.
- ifd (instruction-following difficulty): perplexity of the answer given the query over the perplexity of the answer
  alone. Li et al. (2024, "From Quantity to Quality") define it on losses; we follow the ratio of perplexities of
  Superfiltering (Li et al., 2024). Near 1 the instruction does not help, above 1 it misleads.
- length: characters of the answer.
# DEVIATION: the released code of these scores leaves the answer's first token out where the tokenizer adds no
# beginning-of-sequence token; we put the end-of-text token before it then, so that answers of one token have a score.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.fields import Settings
from scripts.common.progress import Progress
from scripts.common.prompt_settings import BatchTokens, PromptTemplates
from scripts.lm.prompts import Prompt, leading_ids, plain_ids, split_answer

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 512  # bounds memory on large pools


class DifficultySettings(Settings):
    """What the scores of a row depend on besides the model."""

    prompt: PromptTemplates
    batch_tokens: BatchTokens


def encode_pairs(
    loaded: LoadedModel, prompt: Prompt, row: Mapping[str, str]
) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], tuple[tuple[int, ...], tuple[int, ...]]] | None:
    """Return (context, answer) token ids with the query and without it, or None if no token of an answer is left.

    Both are cut at the end of the model's window.
    """
    before = leading_ids(loaded.tokenizer)
    query_ids, answer_ids, _ = split_answer(loaded.tokenizer, prompt.query(row), prompt.full(row))
    context = (*before, *query_ids)
    answer = tuple(answer_ids[: max(0, loaded.window - len(context))])
    start = tuple(before) or _end_of_text(loaded)
    alone = tuple(plain_ids(loaded.tokenizer, prompt.response(row))[: loaded.window - len(start)])
    return ((context, answer), (start, alone)) if answer and alone else None


def _fills_window(loaded: LoadedModel, pair: tuple[tuple[int, ...], tuple[int, ...]], row: Mapping[str, str]) -> bool:
    """Return whether a pair's answer was cut at the end of the window."""
    context, answer = pair
    return len(context) + len(answer) == loaded.window and len(answer) < len(
        plain_ids(loaded.tokenizer, row["output"].strip())
    )


def _end_of_text(loaded: LoadedModel) -> tuple[int, ...]:
    if loaded.tokenizer.eos_token_id is None:
        raise UserError(
            "model: its tokenizer has neither a beginning-of-sequence nor an end-of-text token, which IFD needs; "
            "leave the methods perplexity and ifd out"
        )
    return (loaded.tokenizer.eos_token_id,)


def score_difficulty(
    loaded: LoadedModel, rows: Sequence[Mapping[str, str]], settings: DifficultySettings
) -> list[dict[str, Any]]:
    """Return id, perplexity, ifd and length of each row; the middle two are None where nothing is scored."""
    from scripts.lm.score import Scorer

    scorer = Scorer(loaded.model, batch_tokens=settings.batch_tokens)
    prompt = Prompt.from_config(settings.prompt.given()).of(loaded.tokenizer)
    result: list[dict[str, Any]] = []
    n_cut = 0
    with Progress(len(rows), "rows") as progress:
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[start : start + ROWS_AT_ONCE]
            pairs = [encode_pairs(loaded, prompt, row) for row in part]
            n_cut += sum(both is not None and _fills_window(loaded, both[0], row) for row, both in zip(part, pairs))
            losses = iter(_mean_losses(scorer, [pair for both in pairs if both is not None for pair in both]))
            for row, both in zip(part, pairs):
                given, alone = (None, None) if both is None else (next(losses), next(losses))
                result.append(
                    {
                        "id": row["id"],
                        "perplexity": None if given is None else _exp(given),
                        "ifd": None if given is None or alone is None else _exp(given - alone),
                        "length": len(prompt.field(row, "output")),
                    }
                )
            progress.advance(len(part))
    if n_cut:
        logger.warning("%d of %d answers are cut at the model's window of %d tokens", n_cut, len(rows), loaded.window)
    return result


def _mean_losses(scorer: Any, pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[float]:
    """Return the mean negative log-probability per answer token, in nats, of each (context, answer)."""
    from scripts.lm.score import Continuation

    if not pairs:
        return []
    scores = scorer.score(None, [Continuation(context, answer) for context, answer in pairs])
    return [-float(total) / int(n) for total, n in zip(scores.logprob_sums, scores.n_tokens)]


def _exp(nats: float) -> float:
    """Return e**nats, the largest float where that is beyond it."""
    return math.exp(min(nats, 709.0))
