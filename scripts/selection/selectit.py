"""SelectIT: let the model rate each example and trust ratings that it is sure of and that do not depend on the wording.

Liu et al. (2024, arXiv 2402.16705), token and sentence level; baseline of DELIFT (table 1).
# DEVIATION: the released DELIFT code groups five samples where the method groups the rating prompts of one sample,
# takes a soft-max of probabilities, and picks the lowest scores; we follow the method's definition.
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
    values = probabilities.astype(np.float64)
    best = values.max(axis=2)
    ratings = values.argmax(axis=2) + 1  # the lower of two equally likely ratings
    leads = (best[:, :, None] - values).sum(axis=2) / (values.shape[2] - 1)
    tokens = ratings * leads
    return tokens.mean(axis=1) / (1.0 + alpha * tokens.std(axis=1))
