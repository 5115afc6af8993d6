"""Batches of examples for fine-tuning, filled up to their longest row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping, Sequence

if TYPE_CHECKING:
    import torch

MASKED = -100  # label of a token that takes no part in the loss


class Collator:
    """Fill a batch up on the right to its longest row; padding is masked in attention and loss.

    decoder_start: first token of an encoder-decoder's decoder, which reads this and all labels but the last; None for
    causal models.
    """

    def __init__(self, pad: int, *, decoder_start: int | None = None) -> None:
        self.pad = pad
        self.decoder_start = decoder_start

    def __call__(self, rows: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, torch.Tensor]:
        import torch

        batch = {
            "input_ids": self._filled([row["input_ids"] for row in rows], self.pad),
            "attention_mask": self._filled([[1] * len(row["input_ids"]) for row in rows], 0),
            "labels": self._filled([row["labels"] for row in rows], MASKED),
        }
        if self.decoder_start is not None:
            shifted = [[self.decoder_start, *row["labels"][:-1]] for row in rows]
            batch["decoder_input_ids"] = self._filled(shifted, self.pad)
        return {name: torch.tensor(values) for name, values in batch.items()}

    @staticmethod
    def _filled(rows: Sequence[Sequence[int]], filler: int) -> list[list[int]]:
        width = max(map(len, rows))
        return [[*row, *[filler] * (width - len(row))] for row in rows]
