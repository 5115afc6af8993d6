"""Which models can be students, how one is loaded, and how much it can read.

T5, mT5, BART and other encoder-decoders read in their encoder and write in their decoder. A decoder-only (causal) model
reads `predict: <input>` and an empty line, and goes on with the answer.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from scripts.common.errors import UserError
from scripts.common.files import read_json
from scripts.step_by_step.encoding import EXPLAIN, PREDICT

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.lm.load import LoadedModel

LOG = logging.getLogger(__name__)

RELATIVE = ("t5", "mt5", "umt5", "longt5", "switch_transformers")
"""Types whose positions are relative: they read inputs of any length, whatever window their configuration states."""
SHORTEST_INPUT = 8  # tokens that must be left for an input


class Lengths(Protocol):
    """Whatever says how long, in tokens, inputs, learnt targets and written outputs may be."""

    max_input_length: int
    max_target_length: int
    gen_max_len: int


def load_student(source: str, *, method: str, device: str, threads: int) -> LoadedModel:
    """Return a student's model in float32, of whichever family it is; `source` is a folder or a hub id.

    method: a task_prefix student must tell `predict: ` from `explain: `. Where a causal model's tokenizer lacks both
    words they are added, with embeddings drawn from a fixed seed. Raises `UserError` for a model that cannot write.
    """
    from scripts.lm.load import find_model, load_model

    folder = find_model(source)
    loaded = load_model(str(folder), family=family_of(folder), dtype="float32", device=device, threads=threads)
    if method == "task_prefix":
        tell_tasks_apart(loaded, source)
    return loaded


def family_of(folder: Path) -> str:
    """Return `encoder_decoder` or `causal`, from a model folder's configuration.

    Raises `UserError` for models that only read, such as BERT.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise UserError(f"{folder}: config.json is missing; this is not a model folder")
    config = read_json(path)
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise UserError(f"{path}: key 'model_type' is missing; this is not a transformers model")
    from transformers.models.auto import modeling_auto as known

    kind = config["model_type"]
    if config.get("is_encoder_decoder") or kind in known.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES:
        return "encoder_decoder"
    reads_only = kind in known.MODEL_FOR_MASKED_LM_MAPPING_NAMES and not config.get("is_decoder")
    if kind not in known.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or reads_only:
        raise UserError(
            f"{folder}: a model of type '{kind}' writes no text; give a T5, mT5 or BART, or a causal language model"
        )
    return "causal"


def reads_alike(tokenizer: Any) -> bool:
    """Tell whether a tokenizer gives both tasks' prefixes the same tokens."""
    first, second = (tokenizer(prefix, add_special_tokens=False)["input_ids"] for prefix in (PREDICT, EXPLAIN))
    return bool(first == second)


def tell_tasks_apart(loaded: LoadedModel, source: str) -> None:
    """Make sure that the tokenizer tells the two prefixes apart; a causal model's is given the words it lacks.

    Raises `UserError` for an encoder-decoder whose tokenizer reads both alike.
    """
    import torch

    if not reads_alike(loaded.tokenizer):
        return
    if loaded.family != "causal":
        raise UserError(
            f"--from_pretrained: the tokenizer of {source} reads '{PREDICT}' and '{EXPLAIN}' alike; "
            "add the two words to it, or use --model_type standard or single_task"
        )
    loaded.tokenizer.add_tokens([PREDICT.strip(), EXPLAIN.strip()])
    if len(loaded.tokenizer) > loaded.model.get_input_embeddings().num_embeddings:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            loaded.model.resize_token_embeddings(len(loaded.tokenizer), mean_resizing=False)
    LOG.info("%s: its tokenizer lacks the words %s and %s; added", source, PREDICT.strip(), EXPLAIN.strip())


def input_limit(loaded: LoadedModel, lengths: Lengths) -> int:
    """Return how many tokens an input may have: the settings' `max_input_length`, or what the model's window leaves.

    A causal model's window holds input and output, an encoder's the input alone, and relative positions have no end.
    Raises `UserError` if nothing is left.
    """
    if loaded.model.config.model_type in RELATIVE:
        return lengths.max_input_length
    longest = max(lengths.max_target_length, lengths.gen_max_len) if loaded.family == "causal" else 0
    room = loaded.window - longest
    if room < SHORTEST_INPUT:
        raise UserError(
            f"model: its window of {loaded.window} tokens leaves no room for an input beside outputs of {longest}; "
            "lower max_target_length and gen_max_len, or take a model with a longer window"
        )
    return min(lengths.max_input_length, room)
