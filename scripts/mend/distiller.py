"""The distiller: a small language model that turns demonstrations into a few vectors (MEND, section 3).

It reads the demonstrations' tokens followed by trainable placeholder embeddings; its last hidden states at the
placeholders are the distilled vectors. Where its width differs from the large model's, a pooler brings them to it:
tanh(W s + b). Any causal model, its first layers, or the encoder of an encoder-decoder model (T5) can be the body.

# DEVIATION: the release stops with "not implemented" for T5; here the placeholders stand at the end of its encoder's
# input and the vectors go before the large model's encoder input.
# DEVIATION: the pooler `scaled` and a body of a model's first layers are ours.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any, Sequence

import torch
from torch import Tensor, nn

from scripts.common.errors import UserError, did_you_mean
from scripts.common.files import PathLike, read_json, to_json, write_json
from scripts.lm.architectures import ENCODER_DECODER_TYPES, PLAIN_HEAD_TYPES
from scripts.lm.load import MODEL_CLASSES, choose_device, choose_dtype, load_model, load_tokenizer
from scripts.mend.llm import LargeModel, left_padded

POOLERS = ("auto", "none", "tanh", "linear", "scaled")
PLACEHOLDER_STARTS = ("normal", "vocabulary", "separator")
FIRST_WORD = 100  # the release draws placeholders from words with ids from 100 on
SMALLEST = 1e-6  # root mean square of a vector that is still brought to the wanted one
DESCRIPTION = "distiller.json"


@dataclasses.dataclass(frozen=True)
class DistillerInfo:
    """What a saved distiller is, beside its weights.

    family: causal or encoder_decoder (then its body is an encoder). n_vectors: placeholders (100 in the paper). width:
    of the large model that the vectors are for; pooler: its kind. tokenizer: digest of the vocabulary. format:
    the prompt format of its training, to be kept when it is used. training: the settings of its last training.
    """

    family: str
    n_vectors: int
    width: int
    pooler: str
    tokenizer: str
    format: dict[str, Any]
    training: dict[str, Any]


class Distiller(nn.Module):
    """Body, placeholders and pooler. Returns vectors of the large model's width."""

    def __init__(self, body: nn.Module, n_vectors: int, width: int, pooler: str = "auto") -> None:
        super().__init__()
        if n_vectors < 1:
            raise UserError(f"n_vectors: {n_vectors} is below 1; give the number of distilled vectors")
        if pooler not in POOLERS:
            raise UserError(
                f"pooler: '{pooler}' is not one of {', '.join(POOLERS)}{did_you_mean(pooler, list(POOLERS))}"
            )
        embedding = body.get_input_embeddings().weight
        own = int(body.config.hidden_size)
        if pooler == "none" and own != width:
            raise UserError(f"pooler: 'none' cannot bring vectors of {own} to the model's {width}; use tanh or linear")
        self.kind = ("none" if own == width else "tanh") if pooler == "auto" else pooler
        self.body = body
        self.placeholders = nn.Parameter(embedding.new_zeros(n_vectors, embedding.shape[1]))
        self.pooler = None if self.kind == "none" else nn.Linear(own, width).to(embedding.device, embedding.dtype)
        self.spread = nn.Parameter(embedding.new_ones(1)) if self.kind == "scaled" else None
        self.width = width

    @property
    def n_vectors(self) -> int:
        """Return the number of vectors of one pass."""
        return self.placeholders.shape[0]

    @torch.no_grad()
    def start(self, generator: torch.Generator, placeholders: str = "normal", separator: int | None = None) -> None:
        """Draw placeholders and pooler anew.

        placeholders: `normal`, with the body's own initial spread, `vocabulary`: embeddings of words drawn from those
        with ids from 100 on, or `separator`: that of the token `separator`, behind which the body knows answers to
        stand, with as much noise as the embeddings of words spread. Raises `UserError` where there is no separator.

        # DEVIATION: `separator` is ours; the release has the other two.
        """
        if placeholders not in PLACEHOLDER_STARTS:
            raise UserError(f"placeholder_start: '{placeholders}' is not one of {', '.join(PLACEHOLDER_STARTS)}")
        table = self.body.get_input_embeddings().weight
        if placeholders == "normal":
            spread = float(getattr(self.body.config, "initializer_range", 0.02))
            drawn = torch.randn(self.placeholders.shape, generator=generator) * spread
        elif placeholders == "separator":
            if separator is None:
                raise UserError("placeholder_start: 'separator' needs text in format.after_input; use vocabulary")
            noise = torch.randn(self.placeholders.shape, generator=generator) * float(table.std())
            drawn = table[separator] + noise.to(table.device, table.dtype)
        else:
            first = FIRST_WORD if table.shape[0] > 2 * FIRST_WORD else 0
            words = torch.randint(first, table.shape[0], (self.n_vectors,), generator=generator)
            drawn = table[words.to(table.device)]
        self.placeholders.copy_(drawn)
        if self.pooler is not None:
            bound = self.pooler.weight.shape[1] ** -0.5  # torch's own start of a linear layer, from our generator
            for part in (self.pooler.weight, self.pooler.bias):
                part.copy_((torch.rand(part.shape, generator=generator) * 2 - 1) * bound)
        if self.spread is not None:
            self.spread.fill_(table.float().std())
            if self.pooler.weight.shape[0] == self.pooler.weight.shape[1]:
                nn.init.eye_(self.pooler.weight)
                self.pooler.bias.zero_()

    @torch.no_grad()
    def resize(self, n_vectors: int, generator: torch.Generator) -> None:
        """Keep the first `n_vectors` placeholders; where there are fewer, draw the missing ones (`normal`)."""
        table = self.placeholders
        spread = float(getattr(self.body.config, "initializer_range", 0.02))
        drawn = torch.randn(max(0, n_vectors - len(table)), table.shape[1], generator=generator) * spread
        self.placeholders = nn.Parameter(torch.cat([table[:n_vectors], drawn.to(table.device, table.dtype)]))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the vectors (B, L, width) of demonstrations given as ids (B, T), padded on the left; mask (B, T)."""
        embeds = self.body.get_input_embeddings()(ids)
        embeds = torch.cat([embeds, self.placeholders.to(embeds.dtype).expand(len(ids), -1, -1)], dim=1)
        mask = torch.cat([mask, mask.new_ones(len(ids), self.n_vectors)], dim=1)
        positions = {} if self.is_encoder else {"position_ids": (mask.cumsum(1) - 1).clamp(min=0), "use_cache": False}
        hidden = self.body(inputs_embeds=embeds, attention_mask=mask, **positions).last_hidden_state
        return self.pool(hidden[:, -self.n_vectors :])

    def pool(self, states: Tensor) -> Tensor:
        """Bring states (..., own width) to the large model's width.

        scaled: W s + b, which starts as s where the widths are equal, brought to a root mean square that is learnt and
        starts as the spread of the body's embeddings of words.
        """
        if self.pooler is None:
            return states
        pooled = self.pooler(states)
        if self.spread is not None:
            size = pooled.float().square().mean(-1, keepdim=True).sqrt().clamp(min=SMALLEST).to(pooled.dtype)
            return pooled / size * self.spread.to(pooled.dtype)
        return torch.tanh(pooled) if self.kind == "tanh" else pooled

    @property
    def is_encoder(self) -> bool:
        """Return whether the body is the encoder of an encoder-decoder model, whose positions have no limit."""
        return self.body.config.model_type in ENCODER_DECODER_TYPES


@dataclasses.dataclass(frozen=True)
class LoadedDistiller:
    """A distiller on its device, with its tokenizer and description."""

    module: Distiller
    tokenizer: Any
    info: DistillerInfo


def distil_groups(distiller: Any, groups: Sequence[Sequence[Sequence[int]]], device: Any) -> Tensor:
    """Distil the demonstration batches of several sets and lay each set's vectors end to end.

    groups: by set, its batches of token ids, equally many in each set. Returns (sets, batches * L, width).
    """
    n_batches = len(groups[0])
    ids, mask = left_padded([batch for batches in groups for batch in batches], device)
    vectors = distiller(ids, mask)
    return vectors.reshape(len(groups), n_batches * vectors.shape[1], vectors.shape[2])


def tokenizer_digest(tokenizer: Any) -> str:
    """Return a hash of a tokenizer's words and their ids."""
    return hashlib.sha256(to_json(tokenizer.get_vocab()).encode()).hexdigest()[:16]


def check_pair(info: DistillerInfo, tokenizer: Any, width: int, family: str, name: str) -> None:
    """Raise `UserError` unless the distiller `name` was made for a model of this tokenizer, width and family."""
    if info.tokenizer != tokenizer_digest(tokenizer):
        raise UserError(
            f"{name}: distiller and model have different tokenizers; train a distiller that shares the model's"
            " vocabulary"
        )
    if info.width != width or info.family != family:
        raise UserError(
            f"{name}: distiller for {info.family} models of width {info.width}, but the model is {family} of width"
            f" {width}; use the distiller of this model"
        )


def keep_first_layers(body: nn.Module, count: int) -> None:
    """Drop all but the first `count` layers of a causal model's body, in its configuration too; the last norm stays.

    Raises `UserError` where it has fewer, and for the encoder of an encoder-decoder model.
    """
    config = body.config
    total = int(config.num_hidden_layers)
    if config.model_type in ENCODER_DECODER_TYPES or not 1 <= count <= total:
        told = "its distiller is an encoder" if config.model_type in ENCODER_DECODER_TYPES else f"it has {total}"
        raise UserError(f"distiller_layers: {count} first layers cannot be had of a {config.model_type}, {told}")
    for part in list(body.modules()):
        for name, child in list(part.named_children()):
            if isinstance(child, nn.ModuleList) and len(child) == total:
                setattr(part, name, child[:count])
    config.num_hidden_layers = count
    if getattr(config, "layer_types", None):  # full or windowed attention, by layer
        config.layer_types = config.layer_types[:count]


def new_distiller(
    source: str,
    *,
    family: str,
    n_vectors: int,
    width: int,
    pooler: str,
    dtype: str,
    device: str,
    threads: int,
    layers: int | None = None,
) -> tuple[Distiller, Any]:
    """Make a distiller around a pre-trained model's body. Returns it (placeholders not drawn) and the tokenizer.

    The output layer of the model is dropped; of an encoder-decoder model the encoder is kept. layers: so many of the
    first layers make the body, None for all.
    """
    loaded = load_model(source, family=family, dtype=dtype, device=device, threads=threads)
    kind = loaded.model.config.model_type
    known = ENCODER_DECODER_TYPES if family == "encoder_decoder" else PLAIN_HEAD_TYPES
    if kind not in known:
        raise UserError(f"model type '{kind}': distillers of family {family} can be {', '.join(known)}")
    body = loaded.model.get_encoder() if family == "encoder_decoder" else loaded.model.base_model
    if layers is not None:
        keep_first_layers(body, layers)
    return Distiller(body, n_vectors, width, pooler).to(loaded.device), loaded.tokenizer


def save_distiller(folder: PathLike, distiller: Distiller, tokenizer: Any, info: DistillerInfo) -> None:
    """Write weights (float32 or as trained), configuration, description and tokenizer into an existing folder."""
    from safetensors.torch import save_file

    from scripts.lm.checkpoints import full_disk_named

    target = Path(folder)
    tensors = {}
    seen: set[int] = set()
    for name, tensor in distiller.state_dict().items():
        if tensor.data_ptr() not in seen:  # T5's encoder knows its embedding under two names
            tensors[name] = tensor.detach().cpu().contiguous()
            seen.add(tensor.data_ptr())
    with full_disk_named(target):
        save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
        tokenizer.save_pretrained(target)
    config = distiller.body.config.to_dict()
    config.pop("_name_or_path", None)  # where the body was read from says nothing about the distiller
    write_json(target / "config.json", config)
    write_json(target / DESCRIPTION, dataclasses.asdict(info))


def load_distiller(folder: PathLike, *, dtype: str, device: str, threads: int = 1) -> LoadedDistiller:
    """Load a saved distiller. Raises `UserError` for a folder that is none, or a damaged one."""
    import transformers
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(folder)
    if not (path / DESCRIPTION).is_file():
        raise UserError(f"{path}: {DESCRIPTION} is missing; this is not a distiller folder")
    description = read_json(path / DESCRIPTION)
    known = {field.name for field in dataclasses.fields(DistillerInfo)}
    if not isinstance(description, dict) or set(description) != known:
        raise UserError(f"{path / DESCRIPTION}: expected the keys {', '.join(sorted(known))}; save the distiller again")
    info = DistillerInfo(**description)
    torch.set_num_threads(threads)
    chosen = choose_device(device)
    values = read_json(path / "config.json")
    name = MODEL_CLASSES.get((info.family, values["model_type"]))
    if name is None:
        from transformers import AutoConfig, AutoModelForCausalLM

        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**values))
    else:
        kind = getattr(transformers, name)
        model = kind(kind.config_class.from_dict(values))
    body = model.get_encoder() if info.family == "encoder_decoder" else model.base_model
    distiller = Distiller(body, info.n_vectors, info.width, info.pooler)
    try:
        weights = load_file(path / "model.safetensors")
        missing, unknown = distiller.load_state_dict(weights, strict=False)
    except (SafetensorError, OSError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [""])[0][:150]
        raise UserError(
            f"{path}: damaged or unfitting model.safetensors ({first}); train the distiller again"
        ) from None
    missing = [key for key in missing if key != "body.embed_tokens.weight"]
    if missing or unknown:
        raise UserError(f"{path}: weight '{[*missing, *unknown][0]}' is missing or unknown; train the distiller again")
    return LoadedDistiller(distiller.to(chosen, choose_dtype(dtype, chosen)).eval(), load_tokenizer(str(path)), info)


def load_distiller_for(
    large: LargeModel, folder: PathLike, *, dtype: str, device: str, threads: int = 1
) -> LoadedDistiller:
    """Load a saved distiller for a large model. Raises `UserError` unless it was made for a model of this kind."""
    found = load_distiller(folder, dtype=dtype, device=device, threads=threads)
    check_pair(found.info, large.tokenizer, large.width, large.family, str(folder))
    return found


def distiller_of_size(
    large: LargeModel,
    folder: PathLike,
    n_vectors: int,
    pooler: str | None,
    *,
    dtype: str,
    device: str,
    threads: int = 1,
    layers: int | None = None,
) -> Distiller:
    """Return a distiller that computes as much as a trained one: its outputs mean nothing, its size is right.

    folder: a saved distiller or a plain model; pooler: as in `Distiller`, None for a saved distiller's own; layers: of
    a plain model, as in `new_distiller`. Raises `UserError` unless it fits the large model.
    """
    loading = {"dtype": dtype, "device": device, "threads": threads}
    if (Path(folder) / DESCRIPTION).is_file():
        module = load_distiller_for(large, folder, **loading).module
        if pooler is None:
            module.resize(n_vectors, torch.Generator().manual_seed(0))
            return module.eval()
        module = Distiller(module.body, n_vectors, large.width, pooler)
    else:
        shape = {"family": large.family, "n_vectors": n_vectors, "width": large.width, "pooler": pooler or "auto"}
        module, tokenizer = new_distiller(str(folder), **shape, **loading, layers=layers)
        info = DistillerInfo(large.family, n_vectors, large.width, module.kind, tokenizer_digest(tokenizer), {}, {})
        check_pair(info, large.tokenizer, large.width, large.family, str(folder))
    module.start(torch.Generator().manual_seed(0))
    return module.to(large.device).eval()


def distil(distiller: LoadedDistiller, batches: Sequence[Sequence[int]], device: Any) -> Tensor:
    """Return the vectors (batches * L, width) of one set of demonstrations."""
    with torch.no_grad():
        return distil_groups(distiller.module, [batches], device)[0]
