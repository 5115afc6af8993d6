"""How close an answer is to a reference text, beside exact match and ROUGE (`scripts.judging.reference`).

BLEU comes from sacrebleu; the cosine and BERTScore compare hidden states of an embedding model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

import numpy as np

from scripts.common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from scripts.lm.load import LoadedModel


def bleu(answers: Sequence[str], references: Sequence[str]) -> list[float]:
    """Return sentence BLEU in [0, 1] of each answer (sacrebleu: exponential smoothing, effective order)."""
    from sacrebleu.metrics import BLEU

    scorer = BLEU(effective_order=True)
    return [
        scorer.sentence_score(answer, [reference]).score / 100
        for answer, reference in zip(answers, references, strict=True)
    ]


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Return (n, d) float64 rows of length 1; a row of zeros stays."""
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)


def cosine_to_reference(
    loaded: LoadedModel,
    answers: Sequence[str],
    references: Sequence[str],
    *,
    pooling: str,
    max_tokens: int,
    batch_tokens: int,
) -> list[float]:
    """Return the cosine of the embeddings of each answer and its reference, in [-1, 1]; 0 where a text is empty.

    pooling, max_tokens, batch_tokens: see `scripts.lm.embed.embed`. Equal texts are embedded once.
    """
    from scripts.lm.embed import embed

    texts = sorted({text for text in (*answers, *references) if text.strip()})
    vectors = unit_rows(embed(loaded, texts, pooling=pooling, max_tokens=max_tokens, batch_tokens=batch_tokens))
    place = {text: index for index, text in enumerate(texts)}
    return [
        float(vectors[place[answer]] @ vectors[place[reference]]) if answer in place and reference in place else 0.0
        for answer, reference in zip(answers, references, strict=True)
    ]


def bert_score(
    loaded: LoadedModel, answers: Sequence[str], references: Sequence[str], *, max_tokens: int, batch_tokens: int
) -> list[float]:
    """Return BERTScore F1 of each answer (Zhang et al., 2020), 0 where a text is empty.

    Each token is matched with the most similar token of the other text by the cosine of their last hidden states; F1 is
    the harmonic mean of both sides' means. The tokenizer's special tokens are run but take no part. No inverse document
    frequencies, no rescaling to a baseline.
    # DEVIATION: of the package bert-score this keeps the formula only; that package reads a middle layer of
    # roberta-large, this one the last layer of the embedding model that is loaded anyway.
    """
    texts = sorted({text for text in (*answers, *references) if text.strip()})
    states = dict(zip(texts, token_states(loaded, texts, max_tokens=max_tokens, batch_tokens=batch_tokens)))
    scores: dict[tuple[str, str], float] = {}
    for answer, reference in zip(answers, references, strict=True):
        if (answer, reference) not in scores:
            scores[answer, reference] = (
                match_f1(states[answer], states[reference]) if answer in states and reference in states else 0.0
            )
    return [scores[pair] for pair in zip(answers, references)]


def match_f1(answer: Tensor, reference: Tensor) -> float:
    """Return the F1 of greedy matching: states (tokens, d) of unit rows; 0 where one side has no token."""
    if not len(answer) or not len(reference):
        return 0.0
    similar = answer @ reference.T
    precision, recall = float(similar.max(dim=1).values.mean()), float(similar.max(dim=0).values.mean())
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def token_states(loaded: LoadedModel, texts: Sequence[str], *, max_tokens: int, batch_tokens: int) -> list[Tensor]:
    """Return the last hidden states of each text, (tokens, d) float32 rows of length 1, special tokens left out.

    Raises `UserError` if `max_tokens` exceeds the model's window.
    """
    import torch

    from scripts.lm.generate import pad_token_id

    if max_tokens > loaded.window:
        raise UserError(f"max_tokens: {max_tokens} exceeds the model's window of {loaded.window}; lower max_tokens")
    if not texts:
        return []
    encoded = loaded.tokenizer(list(texts), truncation=True, max_length=max_tokens, return_special_tokens_mask=True)
    ids, special = encoded["input_ids"], encoded["special_tokens_mask"]
    order = sorted(range(len(texts)), key=lambda i: (-len(ids[i]), i))
    body = loaded.model.get_encoder() if loaded.family == "encoder_decoder" else loaded.model.base_model
    found: dict[int, Tensor] = {}
    with torch.inference_mode():
        while order:
            width = max(1, len(ids[order[0]]))
            rows, order = order[: max(1, batch_tokens // width)], order[max(1, batch_tokens // width) :]
            filled = [[*ids[i], *[pad_token_id(loaded)] * (width - len(ids[i]))] for i in rows]
            mask = [[1] * len(ids[i]) + [0] * (width - len(ids[i])) for i in rows]
            states = body(
                input_ids=torch.tensor(filled, device=loaded.device),
                attention_mask=torch.tensor(mask, device=loaded.device),
            ).last_hidden_state.float()
            states = torch.nn.functional.normalize(states, dim=-1).cpu()
            for place, i in enumerate(rows):
                keep = torch.tensor([not flag for flag in special[i]], dtype=torch.bool)
                found[i] = states[place, : len(ids[i])][keep]
    return [found[i] for i in range(len(texts))]
