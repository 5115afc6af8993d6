"""Turn a GGUF file (llama.cpp's form of weights and tokenizer in one) into a folder that every step can load.

transformers' own loader reads it: quantised weights are written out in float32, nothing is added to what they say.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from scripts.common.errors import UserError

LOG = logging.getLogger(__name__)

MAGIC = b"GGUF"


def convert_gguf(file: Path, folder: Path, name: str) -> None:
    """Write weights (float32), configuration and tokenizer of a causal model from a GGUF file into `folder`.

    name: the model, for messages. Raises `UserError` for a damaged file, and for an architecture or a quantisation that
    the loader does not know.
    """
    with open(file, "rb") as stream:
        if stream.read(4) != MAGIC:
            raise UserError(f"{name}: {file.name}: is no GGUF file; give one that llama.cpp reads")
    try:
        import gguf  # noqa: F401 - the loader's own message names no remedy that fits here
    except ImportError:
        raise UserError(f"{name}: {file.name}: needs package gguf; install it, see envs/lm.yaml") from None
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    options = {"gguf_file": file.name, "local_files_only": True, "trust_remote_code": False}
    try:
        with tempfile.TemporaryDirectory() as alone:  # what lies beside the file must not be taken for a part of it
            (Path(alone) / file.name).symlink_to(file.resolve())
            tokenizer = AutoTokenizer.from_pretrained(alone, **options)
            model = AutoModelForCausalLM.from_pretrained(alone, dtype=torch.float32, **options)
    except Exception as error:  # noqa: BLE001 - the loader fails in many ways on what it does not know
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UserError(
            f"{name}: {file.name}: cannot be read ({reason}); take another quantisation, or the model as safetensors"
        ) from None
    bad = [key for key, value in model.state_dict().items() if not torch.isfinite(value).all()]
    if bad:
        raise UserError(f"{name}: {file.name}: weight '{bad[0]}' is not finite; the file is damaged, fetch it again")
    _plain(model).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    LOG.info("%s: %s written out in float32, %d parameters", name, file.name, model.num_parameters())


def _plain(model: object) -> object:
    """Return the same model without the mark that it was quantised, which would keep it from being saved."""
    import copy

    import torch

    config = copy.deepcopy(model.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):
        plain = type(model)(config)
    plain.load_state_dict(model.state_dict(), assign=True)
    plain.tie_weights()
    plain.generation_config = model.generation_config
    return plain
