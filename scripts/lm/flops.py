"""What a language model's work costs: floating-point operations, counted from its shape and the tokens it reads.

One formula for every method, so that costs can be compared and are the same on every machine. A multiply-add counts 2.
A token read costs 2 x the entries of the layers' matrices; its attention 4 x layers x width for each token of its
sequence, those behind it included, as torch's own counter (`torch.utils.flop_counter`) does; a token predicted costs
2 x the entries of the output layer. Norms, activations and look-ups are left out. Backwards, a matrix costs as much
again for the states and, unless it is frozen, once more for its weights; attention two and a half times as much.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, Mapping

from scripts.common.errors import UserError
from scripts.common.files import PathLike, read_json

LAYER_KEY = re.compile(r"(^|\.)\d+\.")  # weights of a numbered layer: neither look-ups nor the output layer
ATTENTION_BACKWARD = 2.5


@dataclasses.dataclass(frozen=True)
class ModelShape:
    """matrices: entries of all layers' matrices; output: of the output layer; layers; width: of all heads together."""

    matrices: int
    output: int
    layers: int
    width: int

    def forward(self, n_new: float, n_sequence: float, n_predicted: float) -> float:
        """Return the operations of reading `n_new` tokens in sequences of `n_sequence` and predicting `n_predicted`."""
        return 2 * self.matrices * n_new + self.attention(n_new, n_sequence) + 2 * self.output * n_predicted

    def training(self, n_new: float, n_sequence: float, n_predicted: float, *, frozen: bool) -> float:
        """Return the operations forward and backward; frozen: only adapters learn, whose own are left out."""
        matrices = 2 * (self.matrices * n_new + self.output * n_predicted)
        return matrices * (2 if frozen else 3) + self.attention(n_new, n_sequence) * (1 + ATTENTION_BACKWARD)

    def attention(self, n_new: float, n_sequence: float) -> float:
        """Return the operations of attention for `n_new` tokens in sequences of `n_sequence`."""
        return 4 * self.layers * self.width * n_new * n_sequence


def shape_of(source: PathLike) -> ModelShape:
    """Return the shape of a model folder with safetensors weights, without loading them.

    Raises `UserError` where the folder is no model or its layers are not numbered.
    """
    from safetensors import safe_open

    from scripts.lm.load import find_model

    folder = find_model(str(source))
    config = read_json(folder / "config.json")
    matrices = 0
    for path in sorted(Path(folder).glob("*.safetensors")):
        with safe_open(str(path), framework="np") as weights:
            for key in weights.keys():  # noqa: SIM118 - no dictionary
                shape = weights.get_slice(key).get_shape()
                if len(shape) == 2 and LAYER_KEY.search(key):
                    matrices += shape[0] * shape[1]
    if not matrices:
        raise UserError(f"{folder}: no matrices of numbered layers in its .safetensors files; its shape is not known")
    heads, hidden = (
        _first(config, folder, "num_attention_heads", "n_head"),
        _first(config, folder, "hidden_size", "n_embd"),
    )
    width = heads * config["head_dim"] if config.get("head_dim") else hidden
    layers = _first(config, folder, "num_hidden_layers", "n_layer")
    return ModelShape(matrices, hidden * _first(config, folder, "vocab_size"), layers, width)


def _first(config: Mapping[str, Any], folder: Path, *names: str) -> int:
    for name in names:
        if name in config:
            return int(config[name])
    raise UserError(f"{folder / 'config.json'}: key '{names[0]}' is missing; operations cannot be counted without it")
