"""SelectIT: let the model rate each example and trust ratings that it is sure of and that do not depend on the wording.

Liu et al. (2024, arXiv 2402.16705), token and sentence level; baseline of DELIFT (table 1).
# DEVIATION: the released DELIFT code groups five samples where the method groups the rating prompts of one sample,
# takes a soft-max of probabilities, and picks the lowest scores; we follow the method's definition
# (`released_selectit_scores` does as the release, the option `order: lowest` of a method picks as it does).
"""

from __future__ import annotations

import numpy as np

from scripts.common.errors import UserError


def selectit_scores(probabilities: np.ndarray, alpha: float) -> np.ndarray:
    """Return the score of each example; higher is better.

    probabilities: (n, prompts, ratings), each a distribution over the ratings 1..R, in order. Token level: the
    likeliest rating times its mean lead over the others. Sentence level: mean over the prompts / (1 + alpha * their
    standard deviation). Returns (n,) float64, 0 where no rating is preferred. Raises `UserError` for bad input.
    """
    if probabilities.ndim != 3 or probabilities.shape[1] < 1 or probabilities.shape[2] < 2:
        raise UserError(f"SelectIT: expected (examples, prompts, ratings), found shape {probabilities.shape}")
    if not np.allclose(probabilities.sum(axis=2), 1.0, atol=1e-4) or (probabilities < 0).any():
        raise UserError("SelectIT: the probabilities of the ratings do not add up to 1; check the model's dtype")
    if not alpha >= 0:
        raise UserError(f"SelectIT: alpha {alpha} is not a number >= 0")
    return _sentence_level(token_scores(probabilities.astype(np.float64)), alpha)


def token_scores(probabilities: np.ndarray) -> np.ndarray:
    """Return the likeliest rating (1 for the first) times its mean lead over the others, one for each distribution.

    probabilities: (..., ratings); of two equally likely ratings the lower one counts.
    """
    best = probabilities.max(axis=-1)
    leads = (best[..., None] - probabilities).sum(axis=-1) / (probabilities.shape[-1] - 1)
    return (probabilities.argmax(axis=-1) + 1) * leads


def _sentence_level(tokens: np.ndarray, alpha: float) -> np.ndarray:
    return tokens.mean(axis=-1) / (1.0 + alpha * tokens.std(axis=-1))


def released_selectit_scores(probabilities: np.ndarray, alpha: float, group: int = 5) -> list[float | None]:
    """Return what DELIFT's released code takes for the scores of the pool's first rows, None for the others.

    probabilities: (n, passes, ratings), one request for all rows in each pass. A soft-max is taken of them, the token
    scores of `group` rows that follow each other are joined as if they were the requests of one row, the mean is taken
    over the passes, and group g stands for row g: n // group rows have a score.
    """
    weights = np.exp(probabilities.astype(np.float64))
    tokens = token_scores(weights / weights.sum(axis=-1, keepdims=True))  # (n, passes)
    n_groups = len(tokens) // group
    grouped = tokens[: n_groups * group].reshape(n_groups, group, -1).swapaxes(1, 2)
    scores = _sentence_level(grouped, alpha).mean(axis=1)
    return [*scores.tolist(), *[None] * (len(tokens) - n_groups)]
