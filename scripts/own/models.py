"""What `--model` and `--embedder` name: a registered model, a folder or GGUF file, or an id on the model hub."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Mapping

from scripts.common.errors import UserError, did_you_mean
from scripts.data.registry import is_as_it_is, load_registry

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
BYTES_PER_WEIGHT = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclasses.dataclass(frozen=True)
class OwnModel:
    """A model by its name in the registries; row: what a registry of one's own must say of it, None where it is known.

    width: of its hidden states, None where it is not known before the model is fetched.
    """

    name: str
    row: Mapping[str, Any] | None
    family: str
    width: int | None = None
    window: int | None = None
    chat: bool = False


def find_model(text: str, flag: str, root: Path, name: str, family: str = "causal") -> OwnModel:
    """Return the model that a flag names.

    root: the repository; name: what a folder of one's own is called in the workflow.
    Raises `UserError` naming the flag for a name that is neither file, folder, registered nor of the form owner/model.
    """
    path = Path(text).expanduser()
    if path.exists():
        return _local(path.resolve(), flag, name, family)
    known = load_registry("models", (), root / "config")
    row = known.get(text) or next((row for row in known.values() if row["hub"] == text), None)
    if row is not None:
        registered = text if text in known else next(name for name, one in known.items() if one is row)
        if (row["family"] == "causal") != (family == "causal"):
            raise UserError(f"{flag}: {text} is of the family {row['family']}; name {_wanted(family)}")
        if row["local"] is not None:  # a path that counts from the repository
            return dataclasses.replace(_local(root / row["local"], flag, registered, row["family"]), row=None)
        return OwnModel(registered, None, row["family"])
    if text.startswith((".", "/", "~")) or not HUB_ID.fullmatch(text):
        close = did_you_mean(text, list(known))
        raise UserError(
            f"{flag}: '{text}' is no folder, no id on the model hub and no name in config/models.yaml{close}"
        )
    return OwnModel(_name_of(text), {"title": text, "hub": text, "family": family}, family)


def flags_of(**models: OwnModel | None) -> dict[str, str]:
    """Return {name or folder of a model: its flag}; the keywords are the flags without dashes."""
    named = {f"--{flag}": model for flag, model in models.items() if model is not None}
    folders = {str((model.row or {}).get("local")): flag for flag, model in named.items()}
    return {**{model.name: flag for flag, model in named.items()}, **{k: v for k, v in folders.items() if k != "None"}}


def _name_of(source: str) -> str:
    """Return a name for a model that is fetched or converted: all run folders share what is downloaded, by its name."""
    slug = re.sub(r"[^a-z0-9]+", "_", source.rpartition("/")[2].lower()).strip("_")
    return f"{slug}_{hashlib.sha256(source.encode()).hexdigest()[:8]}"


def _wanted(family: str) -> str:
    return "a causal language model" if family == "causal" else "an encoder, such as bge_small_en_v1_5"


def _local(path: Path, flag: str, name: str, family: str) -> OwnModel:
    if "{" in str(path) or "}" in str(path):
        raise UserError(f"{flag}: {path} holds a brace, which the workflow reads as a wildcard; rename it")
    if path.is_file() and path.suffix != ".gguf":
        raise UserError(f"{flag}: {path} is a file; name the model's folder, or a GGUF file")
    if path.is_file():
        return OwnModel(_name_of(str(path)), {"title": path.name, "local": str(path), "family": family}, family)
    if not (path / "config.json").is_file():
        raise UserError(f"{flag}: {path} holds no config.json; name the folder that a model was saved in")
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except ValueError:
        raise UserError(f"{flag}: {path}/config.json is no JSON; save the model again") from None
    kind = " ".join(config.get("architectures") or ())
    if family == "causal" and kind and "CausalLM" not in kind and "LMHead" not in kind:
        raise UserError(f"{flag}: {path} is a {kind.split()[0]}; name a causal language model")
    settings = path / "tokenizer_config.json"
    chat = (path / "chat_template.jinja").is_file() or (
        settings.is_file() and '"chat_template"' in settings.read_text(encoding="utf-8", errors="replace")
    )
    row = {"title": _title(path, config), "local": str(path), "family": family}
    window = config.get("max_position_embeddings") or config.get("n_positions")
    name = name if is_as_it_is(row) else _name_of(str(path))
    return OwnModel(name, row, family, config.get("hidden_size") or config.get("n_embd"), window, chat)


def _title(path: Path, config: Mapping[str, Any]) -> str:
    """Return the folder's name with the number of parameters, from which a run's minutes are estimated."""
    size = sum(file.stat().st_size for file in path.glob("*.safetensors"))
    dtype = config.get("torch_dtype") or config.get("dtype") or "float32"
    millions = size / BYTES_PER_WEIGHT.get(str(dtype), 4) / 1e6
    return f"{path.name}, {millions:.2f} M parameters" if size else path.name
